//! In which order positions stand.

use super::*;
use crate::domain::{Position, Price};
use crate::ui::testing::position;

#[test]
fn what_is_alive_is_shown_first_however_much_was_resolved_to_nothing() {
    let mut model = busy(80, 24);
    let mut state = hermes(at(61), 70, armed(), rust_decimal::dec!(1));
    let held = |token: &str| position(token, "Up", rust_decimal::dec!(10), None);
    state.positions = (0..600).map(|n| Position { payout: Some(Price::ZERO), ..held(&format!("0{n}")) }).collect();
    state.positions.push(Position { payout: Some(Price(rust_decimal::Decimal::ONE)), ..held("8") });
    state.positions.push(held("9"));
    feed(&mut model, Feed::Hermes(Box::new(state)), at(61));
    let first: Vec<&str> = model.desk.positions.iter().take(3).map(|row| row.item.token.as_str()).collect();
    assert_eq!(first, ["8", "9", "00"]);
}
