//! Trades that the venue lists and that cannot be read.

use super::money::{counted, journals, kills};
use super::*;
use crate::domain::JournalKind;
use crate::exec::venue::UnreadableTrade;

fn hole(trade: &str) -> UnreadableTrade {
    UnreadableTrade { trade: Some(trade.into()), reason: "trade.market is 'absent'".into(), text: String::new() }
}

fn asked_by_id(step: &Step) -> Vec<TradeId> {
    let asked =
        |effect: &Effect| if let Effect::Snapshot { trades, .. } = effect { Some(trades.clone()) } else { None };
    step.effects().find_map(asked).unwrap_or_default()
}

#[test]
fn one_is_told_once_asked_for_by_its_id_and_keeps_nothing_from_going_on() {
    let mut desk = desk();
    let step = desk.on_holes(&[hole("bad")], at(10));
    assert_eq!((mismatches(&step), kills(&step)), (1, 0));
    assert_eq!(mismatches(&desk.on_holes(&[hole("bad")], at(20))), 0, "told once");
    assert_eq!(desk.trading_state(at(20)), TradingState::Active);
    let step = desk.on_tick(at(31_000));
    assert_eq!(asked_by_id(&step), ["bad".into()]);
    let fills = vec![venue_fill("x", "bad", dec!(10), FillStatus::Confirmed)];
    let step = desk.on_snapshot(at(31_000), Ok(Snapshot { orders: Vec::new(), fills }), at(31_001));
    assert_eq!(journals(&step).len(), 1, "it was read after all");
    assert!(asked_by_id(&desk.on_tick(at(62_000))).is_empty());
}

#[test]
fn what_a_hole_may_explain_is_taken_over_only_when_it_is_not_read_for_long() {
    let mut desk = desk();
    let cash = desk.portfolio.cash().0 - dec!(4);
    desk.on_holes(&[hole("bad")], at(10));
    let mut corrected = Vec::new();
    for n in 1..30 {
        let now = n * 31_000;
        desk.on_holes(&[hole(&format!("bad{}", n / 8))], at(now));
        let step = counted(&mut desk, now, cash, dec!(0));
        corrected.extend(journals(&step).into_iter().map(|journal| (journal.kind, now >= 600_000)));
    }
    assert_eq!(corrected, [(JournalKind::Correction, true)], "more of them put it off no longer");
}

#[test]
fn many_at_one_time_are_a_venue_that_is_not_understood() {
    let mut desk = desk();
    let all: Vec<UnreadableTrade> = (0..6).map(|n| hole(&format!("bad{n}"))).collect();
    assert_eq!(kills(&desk.on_holes(&all[..5], at(10))), 0);
    assert_eq!(kills(&desk.on_holes(&all, at(20))), 1);
    let (mut new, _) = restored_as_it_is(Memory::default());
    assert_eq!(kills(&new.on_holes(&all, at(20))), 0, "the history of an account that is taken over");
}
