//! A market's result, and how long a market is remembered.

use super::*;

fn resolved(payouts: Option<[i64; 2]>) -> PolymarketData {
    let payouts = payouts.map(|each| each.map(|payout| Price(Decimal::from(payout))));
    PolymarketData::Market(Market { payouts, closes_at: Some(at(1_000)), ..market() })
}

#[test]
fn the_first_result_stands_and_another_one_is_told_once() {
    let mut desk = desk();
    desk.on_user_event(UserEvent::Fill(venue_fill("x", "t1", dec!(10), FillStatus::Confirmed)), at(100));
    let payout = |desk: &Desk| desk.portfolio.position(&"1".into()).and_then(|position| position.payout);
    assert_eq!(mismatches(&desk.on_data(resolved(Some([1, 0])), at(2_000))), 0);
    assert_eq!(payout(&desk), Some(Price(dec!(1))));
    for (told, now) in [(1, 3_000), (0, 4_000)] {
        assert_eq!(mismatches(&desk.on_data(resolved(Some([0, 1])), at(now))), told);
        assert_eq!(payout(&desk), Some(Price(dec!(1))));
    }
    desk.on_data(resolved(None), at(5_000));
    assert_eq!(desk.markets[&MarketId::from("0xm")].payouts, Some([Price(dec!(1)), Price(dec!(0))]));
    assert!(
        desk.on_entry(&entry(1, intent("a", TimeInForce::Gtc)), &sign, at(5_001))
            .after
            .iter()
            .all(|effect| !matches!(effect, Effect::Post(_)))
    );
}

#[test]
fn a_market_of_which_something_was_ordered_is_forgotten_a_day_after_its_end() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    desk.on_data(resolved(Some([1, 0])), at(2_000));
    desk.on_tick(at(1_000 + 24 * 3_600_000));
    assert_eq!(desk.markets.len(), 1);
    desk.on_tick(at(7_000 + 24 * 3_600_000));
    assert!(desk.markets.is_empty());
    assert_eq!(mismatches(&desk.on_data(resolved(Some([0, 1])), at(25 * 3_600_000))), 0, "nothing of it is known");
}

#[test]
fn a_market_that_was_never_traded_is_forgotten_minutes_after_its_end_unless_it_still_takes_orders() {
    const MINUTE: i64 = 60_000;
    let mut desk = desk();
    let ended =
        |accepting_orders| PolymarketData::Market(Market { closes_at: Some(at(1_000)), accepting_orders, ..market() });
    desk.on_data(ended(true), at(2_000));
    for minute in 1..=20 {
        desk.on_data(PolymarketData::Book(book(at(minute * MINUTE))), at(minute * MINUTE));
        desk.on_tick(at(minute * MINUTE + 1));
    }
    assert_eq!(desk.markets.len(), 1, "books of it are told");
    desk.on_data(ended(false), at(20 * MINUTE + 2));
    desk.on_tick(at(21 * MINUTE));
    assert!(desk.markets.is_empty());
}

#[test]
fn a_day_of_rolls_of_a_hundred_series_stays_bounded() {
    const WINDOW: i64 = 300_000;
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    let window = |series: i64, start: i64| {
        let mut window = market();
        window.market = format!("0x{series}-{start}").into();
        window.slug = format!("x{series}-updown-5m-{start}").into();
        for (index, outcome) in window.tokens.iter_mut().enumerate() {
            outcome.token = format!("{series}-{start}-{index}").into();
        }
        (window.opens_at, window.closes_at) = (Some(at(start)), Some(at(start + WINDOW)));
        PolymarketData::Market(window)
    };
    for start in (0..24 * 3_600_000).step_by(300_000) {
        for series in 0..100 {
            desk.on_data(window(series, start), at(start));
        }
        desk.on_tick(at(start + 6_000));
        // The one at hand, the two before it, and the one that was traded.
        assert!(desk.markets.len() <= 301, "{} at {start}", desk.markets.len());
    }
    assert!(desk.markets.contains_key(&MarketId::from("0xm")), "an order of it is known");
    assert_eq!(desk.stored_markets.len(), 1);
}

#[test]
fn after_a_restart_what_was_denied_counts_as_no_order() {
    let row = |name: &str, digest: Option<&str>| {
        let mut order = Order::new(intent(name, TimeInForce::Gtc), at(0));
        order.state = if digest.is_some() { OrderState::Cancelled } else { OrderState::Denied };
        OrderRow {
            order,
            digest: digest.map(Into::into),
            accepted: false,
            adopted: false,
            posts: 0,
            first_error: None,
            shares: None,
            token: 0,
        }
    };
    let orders = vec![row("sent", Some("digest")), row("denied", None)];
    let (desk, _) = restored(Memory { orders, ..Memory::default() });
    assert_eq!(desk.recent.rates(&intent("new", TimeInForce::Gtc), at(1)), (1, 1), "the one that was sent");
}
