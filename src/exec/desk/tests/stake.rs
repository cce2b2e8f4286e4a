//! What the gate counts while orders and their trades are told in any order.

use super::*;

fn of(desk: &Desk, token: &str) -> crate::risk::TokenHolding {
    desk.holdings(None).token(&token.into())
}

fn up(desk: &Desk) -> crate::risk::TokenHolding {
    of(desk, "1")
}

/// A desk with 30 settled shares of one token, of which an order sells 20, and an order to buy 10 of the other; both rest.
fn both_sides() -> Desk {
    let mut desk = desk();
    desk.on_data(PolymarketData::Book(Book { token: "2".into(), ..book(at(1)) }), at(1));
    let first = OrderIntent { size: Size(dec!(30)), ..intent("x", TimeInForce::Gtc) };
    let buy = OrderIntent { token: "2".into(), ..intent("b", TimeInForce::Gtc) };
    let (price, size) = (Price(dec!(0.51)), Size(dec!(20)));
    let sale = OrderIntent { side: Side::Sell, price, size, ..intent("s", TimeInForce::Gtc) };
    for (n, intent) in [(1, first), (2, buy), (3, sale)] {
        let key = (intent.intent.clone(), 1);
        assert_eq!(posts(&desk.on_entry(&entry(n, intent), &sign, at(2))), std::slice::from_ref(&key));
        desk.clear_to_send(&key, at(3)).expect("clear to send");
        desk.on_posted(&key, accepted(), Some(at(4)), at(5));
        if n == 1 {
            desk.on_user_event(UserEvent::Fill(venue_fill("x", "t0", dec!(30), FillStatus::Confirmed)), at(1));
        }
    }
    desk
}

#[test]
fn matched_shares_are_at_stake_until_their_trade_is_booked() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", accepted(), 5);
    desk.on_user_event(UserEvent::Order(venue_order("a", VenueOrderStatus::Matched, Some(dec!(10)))), at(10));
    assert_eq!((state(&desk, "a"), desk.portfolio.holds(&"1".into())), (OrderState::Filled, false));
    assert_eq!((desk.holdings(None).gross(), up(&desk).buying), (Usd(dec!(5.175)), Size(dec!(10))));
    assert_eq!(desk.holdings(None).open_count(), 0, "nothing is open any more");
    let shown = desk.snapshot(KillReport::idle(latch(1, KillState::Armed)), 0, at(11));
    assert_eq!((shown.exposure.gross, shown.recent_orders.len()), (Usd(dec!(5.175)), 1));
    assert_eq!(shown.recent_orders[0].at_stake(), Size(dec!(10)));
    desk.on_user_event(UserEvent::Fill(venue_fill("a", "t1", dec!(4), FillStatus::Matched)), at(12));
    assert_eq!(
        (desk.holdings(None).gross(), up(&desk).held, up(&desk).buying),
        (Usd(dec!(5.175)), Size(dec!(4)), Size(dec!(6)))
    );
    desk.on_user_event(UserEvent::Fill(venue_fill("a", "t2", dec!(6), FillStatus::Matched)), at(13));
    assert_eq!(
        (desk.holdings(None).gross(), up(&desk).held, up(&desk).buying),
        (Usd(dec!(5.175)), Size(dec!(10)), Size::ZERO)
    );
}

#[test]
fn what_is_at_stake_is_never_forgotten_with_the_oldest_orders() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", accepted(), 5);
    desk.on_user_event(UserEvent::Order(venue_order("a", VenueOrderStatus::Matched, Some(dec!(10)))), at(10));
    for n in 0..=ENDED_KEPT {
        let mut order =
            Order::new(OrderIntent { intent: format!("e{n}").into(), ..intent("e", TimeInForce::Gtc) }, at(2));
        order.state = OrderState::Cancelled;
        let row = OrderRow {
            order,
            digest: None,
            accepted: false,
            adopted: false,
            posts: 0,
            first_error: None,
            shares: None,
            token: 0,
        };
        let (key, standing) =
            ((row.order.intent.intent.clone(), 1), Standing::restore(&row.order, row.shares(), false, []));
        desk.track(&key, Tracked::new(row, standing));
    }
    assert_eq!(desk.ended.len(), ENDED_KEPT);
    assert_eq!(up(&desk).buying, Size(dec!(10)));
}

#[test]
fn a_restart_counts_matched_shares_without_a_trade() {
    let mut order = Order::new(intent("a", TimeInForce::Gtc), at(2));
    (order.state, order.matched, order.order) = (OrderState::Filled, Size(dec!(10)), Some("0xa".into()));
    let row = OrderRow {
        order,
        digest: None,
        accepted: true,
        adopted: false,
        posts: 0,
        first_error: None,
        shares: None,
        token: 0,
    };
    let (desk, _) = restored(Memory { orders: vec![row], ..Memory::default() });
    assert_eq!((up(&desk).buying, desk.holdings(None).gross()), (Size(dec!(10)), Usd(dec!(5.175))));
}

/// How the venue ended an order: matched in full, or cancelled after a part.
#[derive(Clone, Debug)]
struct Story {
    trades: Vec<(i64, bool)>,
    whole: bool,
}

impl Story {
    /// What settles of it.
    fn settled(&self) -> Decimal {
        self.trades.iter().filter(|(_, fails)| !fails).map(|(size, _)| Decimal::from(*size)).sum()
    }

    /// Everything that the venue tells of it, first things first.
    fn news(&self, name: &str, side: Side, token: &str, size: Decimal) -> Vec<UserEvent> {
        let order = |status, matched| {
            let order = venue_order(name, status, Some(matched));
            UserEvent::Order(VenueOrder { side, token: token.into(), size: Size(size), ..order })
        };
        let mut news = vec![order(VenueOrderStatus::Live, dec!(0))];
        let mut matched = dec!(0);
        for (index, (shares, fails)) in self.trades.iter().enumerate() {
            let shares = Decimal::from(*shares);
            matched += shares;
            news.push(order(VenueOrderStatus::Live, matched));
            let last = if *fails { FillStatus::Failed } else { FillStatus::Confirmed };
            for status in [FillStatus::Matched, FillStatus::Mined, last] {
                let fill = venue_fill(name, &format!("{name}{index}"), shares, status);
                news.push(UserEvent::Fill(VenueFill { side, token: token.into(), role: Role::Maker, ..fill }));
            }
        }
        news.push(order(if self.whole { VenueOrderStatus::Matched } else { VenueOrderStatus::Cancelled }, matched));
        news
    }
}

/// Some trades that make up an order of `size`; the last is left out when it was cancelled.
fn story(size: i64) -> impl Strategy<Value = Story> {
    (1..size - 1, any::<bool>(), any::<[bool; 3]>()).prop_flat_map(move |(first, whole, fails)| {
        (first + 1..size).prop_map(move |second| {
            let parts = [first, second - first, size - second];
            let trades = parts.into_iter().zip(fails).take(if whole { 3 } else { 2 });
            Story { trades: trades.collect(), whole }
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_gate_counts_at_least_what_the_venue_did_whatever_is_told_first(
        (bought, sold) in (story(10), story(20)),
        order in any::<[u64; 48]>(),
        doubled in any::<u8>(),
    ) {
        let mut news = bought.news("b", Side::Buy, "2", dec!(10));
        news.extend(sold.news("s", Side::Sell, "1", dec!(20)));
        news.extend(news.clone().into_iter().take(usize::from(doubled % 16)));
        let mut news: Vec<_> = order.into_iter().zip(news).collect();
        news.sort_by_key(|(place, _)| *place);
        let mut desk = both_sides();
        let (kept, got) = (dec!(30) - sold.settled(), bought.settled());
        for (now, (_, news)) in (10..).zip(news) {
            desk.on_user_event(news, at(now));
            let (selling, buying) = (of(&desk, "1"), of(&desk, "2"));
            prop_assert!((buying.held + buying.buying).0 >= got, "{buying:?}, the venue has {got}");
            prop_assert!(selling.held.0 >= kept && selling.sellable().0 <= kept, "{selling:?}, {kept} are left");
        }
        let (selling, buying) = (of(&desk, "1"), of(&desk, "2"));
        prop_assert_eq!((buying.held.0, buying.buying), (got, Size::ZERO));
        prop_assert_eq!((selling.held.0, selling.selling), (kept, Size::ZERO));
    }
}
