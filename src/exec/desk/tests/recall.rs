//! Orders that ended too long ago to be in memory.

use super::*;
use crate::store::ledger::LedgerError;

/// Far more orders than are kept in memory, after `name`.
fn crowd(desk: &mut Desk, name: &str) {
    let like = desk.orders[&key(name)].row.clone();
    for n in 0..=ENDED_KEPT {
        let mut row = like.clone();
        row.order.intent.intent = IntentId::new(format!("n{n}"));
        row.order.order = Some(OrderId::new(format!("0xn{n}")));
        row.order.state = OrderState::Cancelled;
        let standing = Standing::restore(&row.order, row.shares(), true, []);
        desk.track(&key(&format!("n{n}")), Tracked::new(row, standing));
    }
}

#[test]
fn an_order_that_ended_long_ago_and_is_open_again_is_ours_as_the_ledger_says() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", PostAnswer::Rejected { code: RejectCode::Other, reason: "no".into() }, 5);
    let row = desk.orders[&key("a")].row.clone();
    crowd(&mut desk, "a");
    assert!(!desk.orders.contains_key(&key("a")), "forgotten");
    let counts = desk.counts;
    let live = || UserEvent::Order(venue_order("a", VenueOrderStatus::Live, None));
    let asked = |step: &Step| step.effects().filter(|effect| matches!(effect, Effect::Recall(_))).count();
    assert_eq!(asked(&desk.on_user_event(live(), at(9_000))), 1);
    assert_eq!(asked(&desk.on_user_event(live(), at(9_001))), 0, "the question is under way");
    let away = Err(LedgerError::Unavailable("away".into()));
    assert!(desk.on_recalled(&"0xa".into(), away, at(9_002)).writes.is_empty());
    assert_eq!(asked(&desk.on_user_event(live(), at(9_003))), 1);
    let step = desk.on_recalled(&"0xa".into(), Ok(Known { row: Some(row), fills: Vec::new() }), at(9_004));
    assert!(step.writes.iter().all(|write| match write {
        Write::Order { row, .. } => row.order.intent.intent == "a".into() && !row.adopted,
        _ => true,
    }));
    assert!(step.urgent.iter().any(|effect| matches!(effect, Effect::Cancel(orders) if orders == &["0xa".into()])));
    assert_eq!(desk.counts.rejected + desk.counts.open, counts.rejected + counts.open, "it is one order still");
}

#[test]
fn an_order_with_a_trade_that_is_not_settled_is_not_forgotten() {
    let mut desk = desk();
    for name in ["a", "b"] {
        sent(&mut desk, name, TimeInForce::Gtc);
        answered(&mut desk, name, accepted(), 5);
        desk.on_user_event(UserEvent::Fill(venue_fill(name, name, dec!(10), FillStatus::Mined)), at(6));
    }
    desk.on_user_event(UserEvent::Fill(venue_fill("b", "b", dec!(10), FillStatus::Confirmed)), at(7));
    crowd(&mut desk, "a");
    assert!(!desk.orders.contains_key(&key("b")), "all is known of it");
    desk.on_user_event(UserEvent::Fill(venue_fill("a", "a", dec!(10), FillStatus::Failed)), at(8));
    assert_eq!(state(&desk, "a"), OrderState::Voided);
}
