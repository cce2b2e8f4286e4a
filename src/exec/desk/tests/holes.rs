//! Rows of the venue's lists that cannot be read.

use super::money::{counted, journals, kills};
use super::restore::Paper;
use super::*;
use crate::domain::JournalKind;
use crate::exec::venue::UnreadableRow;

fn hole(trade: &str) -> UnreadableRow<TradeId> {
    UnreadableRow { id: Some(trade.into()), reason: "trade.market is 'absent'".into(), text: String::new() }
}

fn open_hole(order: &str) -> UnreadableRow<OrderId> {
    UnreadableRow { id: Some(OrderId::new(order)), reason: "order.price is 'a lot'".into(), text: String::new() }
}

fn nameless(text: &str) -> UnreadableRow<OrderId> {
    UnreadableRow { id: None, reason: "order.id is 'absent'".into(), text: text.into() }
}

fn trades(desk: &mut Desk, holes: &[UnreadableRow<TradeId>], now: i64) -> Step {
    let lists = Snapshot { unreadable_trades: holes.to_vec(), ..Snapshot::default() };
    desk.on_snapshot(at(now), Ok(lists), at(now))
}

fn orders(desk: &mut Desk, open: Vec<VenueOrder>, holes: &[UnreadableRow<OrderId>], now: i64) -> Step {
    let lists = Snapshot { orders: open, unreadable_orders: holes.to_vec(), ..Snapshot::default() };
    desk.on_snapshot(at(now), Ok(lists), at(now + 5))
}

fn asked_by_id(step: &Step) -> Vec<TradeId> {
    let asked =
        |effect: &Effect| if let Effect::Snapshot { trades, .. } = effect { Some(trades.clone()) } else { None };
    step.effects().find_map(asked).unwrap_or_default()
}

fn details(step: &Step) -> Vec<&str> {
    let found = step.writes.iter().filter_map(|write| match write {
        Write::Mismatch(event) => Some(event.detail.as_str()),
        _ => None,
    });
    found.collect()
}

#[test]
fn one_is_told_once_asked_for_by_its_id_and_keeps_nothing_from_going_on() {
    let mut desk = desk();
    let step = trades(&mut desk, &[hole("bad")], 10);
    assert_eq!((mismatches(&step), kills(&step)), (1, 0));
    assert_eq!(mismatches(&trades(&mut desk, &[hole("bad")], 20)), 0, "told once");
    assert_eq!(desk.trading_state(at(20)), TradingState::Active);
    let step = desk.on_tick(at(31_000));
    assert_eq!(asked_by_id(&step), ["bad".into()]);
    let fills = vec![venue_fill("x", "bad", dec!(10), FillStatus::Confirmed)];
    let step = desk.on_snapshot(at(31_000), Ok(Snapshot { fills, ..Snapshot::default() }), at(31_001));
    assert_eq!(journals(&step).len(), 1, "it was read after all");
    assert!(asked_by_id(&desk.on_tick(at(62_000))).is_empty());
}

#[test]
fn what_a_hole_may_explain_is_taken_over_only_when_it_is_not_read_for_long() {
    let mut desk = desk();
    let cash = desk.portfolio.cash().0 - dec!(4);
    trades(&mut desk, &[hole("bad")], 10);
    let mut corrected = Vec::new();
    for n in 1..30 {
        let now = n * 31_000;
        trades(&mut desk, &[hole(&format!("bad{}", n / 8))], now);
        let step = counted(&mut desk, now, cash, dec!(0));
        corrected.extend(journals(&step).into_iter().map(|journal| (journal.kind, now >= 600_000)));
    }
    assert_eq!(corrected, [(JournalKind::Correction, true)], "more of them put it off no longer");
}

#[test]
fn an_open_order_that_cannot_be_read_explains_no_balance() {
    let mut desk = desk();
    let cash = desk.portfolio.cash().0 - dec!(4);
    let mut corrected = 0;
    for n in 1..15 {
        orders(&mut desk, Vec::new(), &[open_hole("0xforeign")], n * 31_000);
        corrected += journals(&counted(&mut desk, n * 31_000, cash, dec!(0))).len();
    }
    assert_eq!(corrected, 1);
}

#[test]
fn many_at_one_time_are_a_venue_that_is_not_understood() {
    let mut desk = desk();
    let all: Vec<_> = (0..6).map(|n| hole(&format!("bad{n}"))).collect();
    assert_eq!(kills(&trades(&mut desk, &all[..3], 10)), 0);
    assert_eq!(kills(&orders(&mut desk, Vec::new(), &[open_hole("0xf1"), open_hole("0xf2")], 20)), 0);
    assert_eq!(kills(&orders(&mut desk, Vec::new(), &[nameless("")], 30)), 1, "whichever list they are in");
    let (mut new, _) = restored_as_it_is(Memory::default());
    assert_eq!(kills(&trades(&mut new, &all, 20)), 0, "the history of an account that is taken over");
}

#[test]
fn an_open_order_of_ours_that_cannot_be_read_is_not_absent_and_the_others_count() {
    let mut desk = desk();
    for name in ["a", "b", "c"] {
        sent(&mut desk, name, TimeInForce::Gtc);
        answered(&mut desk, name, accepted(), 5);
    }
    let half = venue_order("b", VenueOrderStatus::Live, Some(dec!(4)));
    let text = nameless(r#"{"orderid":"0xc"}"#);
    let step = orders(&mut desk, vec![half.clone()], &[open_hole("0xa"), text.clone()], 100);
    // Half a match without its trade is looked up as ever; nobody else is.
    let others = |step: &Step| {
        let other = |effect: &&Effect| matches!(effect, Effect::Lookup { order, .. } if *order != "0xb".into());
        step.effects().filter(other).count()
    };
    assert_eq!(others(&step), 0);
    assert_eq!(
        ["a", "b", "c"].map(|name| state(&desk, name)),
        [OrderState::Live, OrderState::PartiallyFilled, OrderState::Live]
    );
    let told = details(&step);
    assert!(
        told[0].contains("open order 0xa cannot be read: order.price is 'a lot'; it counts as our books have it"),
        "{told:?}"
    );
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(desk.venue_open, Some((3, at(100))), "as many as the list has");
    assert_eq!(mismatches(&orders(&mut desk, vec![half], &[open_hole("0xa"), text], 200)), 0, "told once");
    assert_eq!(others(&orders(&mut desk, Vec::new(), &[], 300)), 2, "now they are absent");
}

#[test]
fn an_order_of_unknown_outcome_that_such_a_row_is_of_has_arrived() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", unknown(), 5);
    orders(&mut desk, Vec::new(), &[open_hole("0xa")], 100);
    assert_eq!(state(&desk, "a"), OrderState::Live);
    for n in 0..5 {
        desk.on_lookup(&"0xa".into(), at(40_000 + n * 2_000), absent(), at(40_001 + n * 2_000));
    }
    assert_ne!(state(&desk, "a"), OrderState::Rejected, "it was there");
}

#[test]
fn a_list_with_a_row_without_an_id_lays_nothing_to_rest() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", PostAnswer::Rejected { code: RejectCode::NotFilled, reason: "no".into() }, 5);
    orders(&mut desk, vec![venue_order("a", VenueOrderStatus::Live, None)], &[], 1_000);
    assert_eq!(desk.risen.len(), 1);
    orders(&mut desk, Vec::new(), &[nameless("{}")], 2_000);
    assert_eq!(desk.risen.len(), 1, "it may be the row that nobody can read");
    orders(&mut desk, Vec::new(), &[open_hole("0xother")], 3_000);
    assert_eq!(desk.risen.len(), 0, "another one is not");
}

#[test]
fn a_foreign_one_is_told_to_be_in_no_book_and_takes_a_proof_back() {
    let mut desk = desk();
    let step = orders(&mut desk, Vec::new(), &[open_hole("0xforeign")], 100);
    let told = details(&step);
    assert!(told[0].contains("it is in no book, and no limit counts it"), "{told:?}");
    let disturbs = |step: &Step| step.effects().filter(|effect| matches!(effect, Effect::Disturb(_))).count();
    assert_eq!(disturbs(&step), 0);
    desk.on_latch(latch(1, KillState::Killed), at(200));
    assert_eq!(disturbs(&orders(&mut desk, Vec::new(), &[open_hole("0xforeign")], 300)), 1);
}

#[test]
fn a_restart_forgets_no_hole_and_tells_of_none_again() {
    let (mut before, mut paper) = (desk(), Paper::default());
    let cash = before.portfolio.cash().0 - dec!(4);
    // As the first list after a long outage has it: what is newer than an hour is all that a start asks for.
    paper.keep(trades(&mut before, &[hole("bad"), hole("read")], 10));
    paper.keep(orders(&mut before, Vec::new(), &[open_hole("0xforeign")], 20));
    let fills = vec![venue_fill("x", "read", dec!(10), FillStatus::Confirmed)];
    paper.keep(before.on_snapshot(at(30), Ok(Snapshot { fills, ..Snapshot::default() }), at(30)));
    let cash = cash - dec!(4.5);
    let (mut desk, _) = restored(paper.memory());
    assert_eq!(asked_by_id(&desk.on_tick(at(31_000))), ["bad".into()], "what was read meanwhile is not asked for");
    let again = Snapshot {
        unreadable_orders: vec![open_hole("0xforeign")],
        unreadable_trades: vec![hole("bad")],
        ..Snapshot::default()
    };
    assert_eq!(mismatches(&desk.on_snapshot(at(31_000), Ok(again), at(31_000))), 0, "told by the run before");
    let mut corrected = Vec::new();
    for n in 2..30 {
        let step = counted(&mut desk, n * 31_000, cash, dec!(10));
        corrected.extend(journals(&step).into_iter().map(|journal| (journal.kind, n * 31_000 >= 600_000)));
    }
    assert_eq!(corrected, [(JournalKind::Correction, true)], "{:?}", desk.reconcile.holes);
}
