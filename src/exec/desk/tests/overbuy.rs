//! Purchases that must match at once, and the books that they meet.

use super::*;

fn asks(desk: &mut Desk, levels: &[(Decimal, Decimal)]) {
    let asks = levels.iter().map(|(price, size)| Level { price: Price(*price), size: Size(*size) }).collect();
    desk.on_data(PolymarketData::Book(Book { asks, ..book(at(1)) }), at(1));
}

/// What becomes of a wish for 10 shares at 0.50 or less.
fn wished(tif: TimeInForce, levels: &[(Decimal, Decimal)]) -> (OrderState, Option<String>) {
    let mut desk = desk();
    asks(&mut desk, levels);
    desk.on_entry(&entry(1, intent("a", tif)), &sign, at(2));
    (state(&desk, "a"), desk.orders[&key("a")].row.order.reason.clone())
}

#[test]
fn what_must_match_at_once_never_buys_more_than_is_wanted() {
    use TimeInForce::{Fak, Fok, Gtc};
    let at_limit: &[(Decimal, Decimal)] = &[(dec!(0.50), dec!(100))];
    let cheaper: &[(Decimal, Decimal)] = &[(dec!(0.40), dec!(100))];
    let partly: &[(Decimal, Decimal)] = &[(dec!(0.40), dec!(5)), (dec!(0.50), dec!(100))];
    let scarce: &[(Decimal, Decimal)] = &[(dec!(0.40), dec!(5)), (dec!(0.51), dec!(100))];
    for tif in [Fak, Fok] {
        assert_eq!(wished(tif, at_limit).0, OrderState::Signed);
        assert_eq!(wished(tif, scarce).0, OrderState::Signed, "there are no more than are wanted");
        for (levels, bought) in [(cheaper, "12.5"), (partly, "11")] {
            let (state, reason) = wished(tif, levels);
            assert_eq!(state, OrderState::Denied);
            let reason = reason.expect("words");
            assert!(reason.starts_with(&format!("overbuy: {bought} shares for 5.00 pUSD")), "{reason}");
        }
    }
    assert_eq!(wished(Gtc, cheaper).0, OrderState::Signed, "one that may rest is for shares");
}

#[test]
fn a_book_that_has_become_cheaper_denies_it_right_before_it_leaves() {
    let mut desk = desk();
    desk.on_entry(&entry(1, intent("a", TimeInForce::Fak)), &sign, at(2));
    asks(&mut desk, &[(dec!(0.45), dec!(100))]);
    assert!(desk.clear_to_send(&key("a"), at(3)).is_err());
    assert_eq!(state(&desk, "a"), OrderState::Denied);
}
