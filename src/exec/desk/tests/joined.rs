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

fn asked_since(step: &Step) -> Option<Timestamp> {
    step.effects().find_map(|effect| if let Effect::Snapshot { since } = effect { Some(*since) } else { None })
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
    desk.on_snapshot(at(minutes(30)), Ok(Snapshot { orders: Vec::new(), fills: Vec::new() }), at(minutes(30)));
    let step = desk.on_tick(at(minutes(31)));
    let since = asked_since(&step).expect("the next comparison");
    assert!(since > at(minutes(27)), "what was listed is not asked for again: {since}");
}
