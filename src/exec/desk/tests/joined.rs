//! All news about an order, each part twice and in any order, leads to the same books.

use super::*;

#[derive(Clone, Debug)]
enum News {
    Order(VenueOrderStatus, i64),
    Fill(u8, FillStatus),
    Answer,
}

/// All that the venue says about one order that was matched by `trades` and then ended: each part twice, in any order.
fn history() -> impl Strategy<Value = (usize, Vec<News>)> {
    (0..=4_usize).prop_flat_map(|trades| {
        let mut news = vec![News::Answer, News::Order(VenueOrderStatus::Live, 0)];
        for trade in 0..trades {
            let number = u8::try_from(trade).expect("few");
            let matched = (i64::from(number) + 1) * 2;
            news.push(News::Order(VenueOrderStatus::Live, matched));
            news.extend([FillStatus::Matched, FillStatus::Mined, FillStatus::Confirmed].map(|s| News::Fill(number, s)));
        }
        news.push(News::Order(VenueOrderStatus::Cancelled, i64::try_from(trades).expect("few") * 2));
        let twice: Vec<News> = news.iter().chain(&news).cloned().collect();
        (Just(trades), Just(twice).prop_shuffle())
    })
}

proptest! {
    #[test]
    fn any_order_of_news_leads_to_the_same_books((trades, news) in history()) {
        let mut desk = desk();
        sent(&mut desk, "a", TimeInForce::Gtc);
        let mut step_now = 5;
        for item in news {
            step_now += 1;
            match item {
                News::Answer => { answered(&mut desk, "a", accepted(), step_now); }
                News::Order(status, matched) => {
                    let order = venue_order("a", status, Some(Decimal::from(matched)));
                    desk.on_user_event(UserEvent::Order(order), at(step_now));
                }
                News::Fill(trade, status) => {
                    let fill = venue_fill("a", &format!("t{trade}"), dec!(2), status);
                    desk.on_user_event(UserEvent::Fill(fill), at(step_now));
                }
            }
        }
        let shares = Size(Decimal::from(trades * 2));
        prop_assert_eq!(state(&desk, "a"), OrderState::Cancelled);
        prop_assert_eq!(desk.orders[&key("a")].row.order.matched, shares);
        prop_assert_eq!(desk.portfolio.position(&"1".into()).map_or(Size::ZERO, |held| held.size), shares);
        prop_assert_eq!(desk.counts, OrderCounts { sent: 1, accepted: 1, cancelled: 1, ..OrderCounts::default() });
        prop_assert_eq!(desk.active.len(), 0);
    }
}

/// How the venue's word reaches the desk: over the socket, in a list that is read while the order is open, or by a lookup.
#[derive(Clone, Copy, Debug)]
enum Way {
    Socket,
    List,
    Lookup,
}

/// What becomes of an order of ten shares with these trades of two, and then of its rest.
#[derive(Clone, Debug)]
struct Story {
    /// Of each trade: whether it fails in the end.
    fails: Vec<bool>,
}

impl Story {
    /// Everything that is told on the way, in the order in which it happens.
    fn news(&self) -> Vec<News> {
        let mut news = vec![News::Answer, News::Order(VenueOrderStatus::Live, 0)];
        for (trade, fails) in (0_u8..).zip(&self.fails) {
            news.push(News::Order(VenueOrderStatus::Live, (i64::from(trade) + 1) * 2));
            let end = if *fails { FillStatus::Failed } else { FillStatus::Confirmed };
            let told = [FillStatus::Matched, FillStatus::Mined, FillStatus::Retrying, end];
            news.extend(told.map(|status| News::Fill(trade, status)));
        }
        news.push(News::Order(VenueOrderStatus::Cancelled, self.matched()));
        news
    }

    fn matched(&self) -> i64 {
        i64::try_from(self.fails.len()).expect("few") * 2
    }

    /// The comparison that comes in the end whatever was missed: nothing is open, the trades are settled, the order is read.
    fn conclude(&self, desk: &mut Desk) {
        let fills: Vec<VenueFill> = (0..)
            .zip(&self.fails)
            .map(|(trade, fails)| fill(trade, if *fails { FillStatus::Failed } else { FillStatus::Confirmed }))
            .collect();
        let snapshot = Snapshot { fills: fills.clone(), ..Snapshot::default() };
        desk.on_snapshot(at(1_000), Ok(snapshot), at(1_001));
        let order = venue_order("a", VenueOrderStatus::Cancelled, Some(Decimal::from(self.matched())));
        desk.on_lookup(&"0xa".into(), at(1_000), Ok(Lookup { order: Some(order), fills }), at(1_002));
    }
}

fn fill(trade: u8, status: FillStatus) -> VenueFill {
    venue_fill("a", &format!("t{trade}"), dec!(2), status)
}

fn told(desk: &mut Desk, news: &News, way: Way, now: i64) {
    let order = match news {
        News::Answer => {
            answered(desk, "a", accepted(), now);
            return;
        }
        News::Order(status, matched) => Some(venue_order("a", *status, Some(Decimal::from(*matched)))),
        News::Fill(..) => None,
    };
    let fills: Vec<VenueFill> =
        if let News::Fill(trade, status) = news { vec![fill(*trade, *status)] } else { Vec::new() };
    match (way, order) {
        (Way::Socket, Some(order)) => drop(desk.on_user_event(UserEvent::Order(order), at(now))),
        (Way::Socket, None) => {
            for fill in fills {
                desk.on_user_event(UserEvent::Fill(fill), at(now));
            }
        }
        (Way::List, order) => {
            let orders = order.into_iter().filter(|order| order.status == VenueOrderStatus::Live).collect();
            // It was begun before anything ended, and comes late.
            desk.on_snapshot(at(3), Ok(Snapshot { orders, fills, ..Snapshot::default() }), at(now));
        }
        (Way::Lookup, order) => drop(desk.on_lookup(&"0xa".into(), at(3), Ok(Lookup { order, fills }), at(now))),
    }
}

/// A story, and what of it is told: each part up to twice, by any way, in any order; some of it never.
fn retold() -> impl Strategy<Value = (Story, Vec<(News, Way)>)> {
    prop::collection::vec(any::<bool>(), 0..=4).prop_flat_map(|fails| {
        let story = Story { fails };
        let news = story.news();
        let all: Vec<News> = news.iter().chain(&news).cloned().collect();
        let ways = prop::collection::vec(prop::sample::select(vec![Way::Socket, Way::List, Way::Lookup]), all.len());
        let kept = prop::collection::vec(any::<bool>(), all.len());
        let told = (Just(all), ways, kept).prop_map(|(all, ways, kept)| {
            // Of the answer nothing is missed: without one the outcome is unknown, which is another story.
            let parts =
                all.into_iter().zip(ways).zip(kept).filter(|((news, _), kept)| *kept || matches!(news, News::Answer));
            parts.map(|(part, _)| part).collect::<Vec<_>>()
        });
        (Just(story), told.prop_shuffle())
    })
}

/// What is known in the end.
fn books(desk: &Desk) -> (OrderState, Size, Size, OrderCounts, usize) {
    let held = desk.portfolio.position(&"1".into()).map_or(Size::ZERO, |held| held.size);
    (state(desk, "a"), desk.orders[&key("a")].row.order.matched, held, desk.counts, desk.active.len())
}

proptest! {
    #[test]
    fn what_is_told_by_any_way_and_what_is_missed_leads_to_the_same_books((story, news) in retold()) {
        let mut plain = desk();
        sent(&mut plain, "a", TimeInForce::Gtc);
        for (now, part) in (5..).zip(story.news()) {
            told(&mut plain, &part, Way::Socket, now);
        }
        story.conclude(&mut plain);
        let settled = story.fails.iter().filter(|fails| !**fails).count();
        prop_assert_eq!(books(&plain).2, Size(Decimal::from(settled * 2)), "what failed is undone");

        let mut other = desk();
        sent(&mut other, "a", TimeInForce::Gtc);
        for (now, (part, way)) in (5..).zip(news) {
            told(&mut other, &part, way, now);
        }
        story.conclude(&mut other);
        prop_assert_eq!(books(&other), books(&plain));
    }
}

fn asked_since(step: &Step) -> Option<Timestamp> {
    step.effects().find_map(|effect| if let Effect::Snapshot { since, .. } = effect { Some(*since) } else { None })
}

/// Trades were missed, and one that came later is told first: those before it are asked for all the same.
#[test]
fn a_trade_that_is_told_early_hides_none_that_was_missed() {
    let minutes = |n: i64| n * 60_000;
    let mut desk = desk();
    desk.on_user_event(UserEvent::Disconnected { reason: "cut".into() }, at(minutes(1)));
    let step = desk.on_tick(at(minutes(1)));
    assert!(asked_since(&step).is_some());
    desk.on_snapshot(at(minutes(1)), Err(VenueError::Unreachable("cut".into())), at(minutes(1)));
    desk.on_user_event(UserEvent::Connected, at(minutes(30)));
    let late = VenueFill { matched_at: at(minutes(30)), ..venue_fill("x", "t9", dec!(2), FillStatus::Confirmed) };
    desk.on_user_event(UserEvent::Fill(late), at(minutes(30)));
    let since = asked_since(&desk.on_tick(at(minutes(30)))).expect("a comparison");
    assert!(since <= at(0), "from the last list that was whole: {since}");
    desk.on_snapshot(at(minutes(30)), Ok(Snapshot::default()), at(minutes(30)));
    let step = desk.on_tick(at(minutes(31)));
    let since = asked_since(&step).expect("the next comparison");
    assert!(since > at(minutes(27)), "what was listed is not asked for again: {since}");
}

/// What a comparison at `now` asks for: from when on, and which trades by id.
fn asks(desk: &mut Desk, now: i64) -> (Timestamp, Vec<TradeId>) {
    let step = desk.on_tick(at(now));
    let asked = step.effects().find_map(|effect| match effect {
        Effect::Snapshot { since, trades } => Some((*since, trades.clone())),
        _ => None,
    });
    asked.expect("a comparison")
}

fn compared(desk: &mut Desk, now: i64, fills: Vec<VenueFill>) -> usize {
    mismatches(&desk.on_snapshot(at(now), Ok(Snapshot { fills, ..Snapshot::default() }), at(now)))
}

#[test]
fn a_trade_that_never_settles_is_asked_for_by_id_told_once_and_lengthens_no_list() {
    let hours = |n: i64| n * 3_600_000;
    let mut desk = desk();
    desk.on_user_event(UserEvent::Fill(venue_fill("x", "t1", dec!(2), FillStatus::Retrying)), at(100));
    let mut told = 0;
    for n in 1..5 {
        let _first = asks(&mut desk, hours(n));
        told += compared(&mut desk, hours(n), Vec::new());
        let (since, trades) = asks(&mut desk, hours(n) + 60_000);
        assert!(since > at(hours(n) - 180_000), "hour {n}: {since}");
        assert_eq!(trades, ["t1".into()]);
        told += compared(&mut desk, hours(n) + 60_000, Vec::new());
    }
    assert_eq!(told, 1);
    let _asked = asks(&mut desk, hours(6));
    compared(&mut desk, hours(6), vec![venue_fill("x", "t1", dec!(2), FillStatus::Failed)]);
    assert_eq!(desk.portfolio.position(&"1".into()).expect("traded").size, Size::ZERO);
    assert!(asks(&mut desk, hours(7)).1.is_empty(), "it is settled");
}

#[test]
fn more_unsettled_trades_than_one_comparison_asks_for_take_turns() {
    let mut desk = desk();
    for n in 0..45 {
        let name = format!("t{n:02}");
        desk.on_user_event(UserEvent::Fill(venue_fill("x", &name, dec!(1), FillStatus::Mined)), at(100));
    }
    let mut asked = std::collections::BTreeSet::new();
    let _first = asks(&mut desk, 3_600_000);
    compared(&mut desk, 3_600_000, Vec::new());
    for n in 1..=3 {
        let now = 3_600_000 + n * 60_000;
        let (_, trades) = asks(&mut desk, now);
        assert!(trades.len() <= 20);
        asked.extend(trades);
        compared(&mut desk, now, Vec::new());
    }
    assert_eq!(asked.len(), 45);
}

#[test]
fn the_trades_of_an_order_that_rested_for_hours_are_not_read_from_its_beginning() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", accepted(), 5);
    let _asked = asks(&mut desk, 7_200_000);
    let orders = vec![venue_order("a", VenueOrderStatus::Live, None)];
    desk.on_snapshot(at(7_200_000), Ok(Snapshot { orders, ..Snapshot::default() }), at(7_200_001));
    let cancelled = Ok(crate::exec::venue::CancelAnswer { cancelled: vec!["0xa".into()], not_cancelled: Vec::new() });
    let step = desk.on_cancelled(&["0xa".into()], &cancelled, at(7_201_000));
    let since = step.effects().find_map(|effect| match effect {
        Effect::Lookup { since, .. } => Some(*since),
        _ => None,
    });
    assert!(since.expect("looked up") > at(7_000_000), "{since:?}");
}

#[test]
fn a_match_whose_trade_is_hours_old_is_looked_for_from_the_beginning_of_its_order_now_and_then() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", accepted(), 5);
    desk.on_user_event(UserEvent::Order(venue_order("a", VenueOrderStatus::Matched, Some(dec!(10)))), at(10));
    let mut asked = |now: i64| {
        let _asked = asks(&mut desk, now);
        let step = desk.on_snapshot(at(now), Ok(Snapshot::default()), at(now));
        let since = step.effects().find_map(|effect| match effect {
            Effect::Lookup { since, .. } => Some(*since),
            _ => None,
        });
        desk.on_lookup(&"0xa".into(), at(now), absent(), at(now + 1));
        since.expect("looked up each time") < at(0)
    };
    let deep: Vec<bool> = [7_200_000, 7_230_000, 7_290_000, 7_500_000, 7_530_000].into_iter().map(&mut asked).collect();
    assert_eq!(deep, [true, false, false, true, false], "older than an hour, and not in every list");
}
