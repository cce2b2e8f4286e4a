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
fn a_market_that_is_long_over_and_was_not_traded_is_forgotten() {
    let mut desk = desk();
    desk.on_data(resolved(Some([1, 0])), at(2_000));
    desk.on_tick(at(1_000 + 24 * 3_600_000));
    assert_eq!(desk.markets.len(), 1);
    desk.on_tick(at(7_000 + 24 * 3_600_000));
    assert!(desk.markets.is_empty());
    assert_eq!(mismatches(&desk.on_data(resolved(Some([0, 1])), at(25 * 3_600_000))), 0, "nothing of it is known");
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
