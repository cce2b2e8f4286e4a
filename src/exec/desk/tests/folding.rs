//! Fills that are told again long after they were folded up.

use super::*;
use crate::store::ledger::{History, LedgerError};

/// A desk with a confirmed fill that is folded up, and the step that would be the ledger's.
fn folded() -> (Desk, Fill) {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", accepted(), 5);
    let step = desk.on_user_event(UserEvent::Fill(confirmed("t")), at(110));
    let fill = step.writes.iter().find_map(|write| match write {
        Write::Fill { fill, .. } => Some(fill.as_ref().clone()),
        _ => None,
    });
    let later = at(100).plus(Duration::from_hours(26));
    desk.on_snapshot(later, Ok(Snapshot::default()), later);
    let step = desk.on_tick(later);
    assert_eq!((checkpoints(&step).len(), counts(&step)), (0, 1), "the orders are counted first");
    let step = desk.on_counted(Ok(counted(1)), later);
    assert_eq!(checkpoints(&step).len(), 1, "the first one");
    assert_eq!((checkpoints(&step)[0].fills, checkpoints(&step)[0].counted), (1, Some(counted(1))));
    (desk, fill.expect("booked"))
}

fn confirmed(trade: &str) -> VenueFill {
    venue_fill("a", trade, dec!(10), FillStatus::Confirmed)
}

fn checkpoints(step: &Step) -> Vec<&Checkpoint> {
    let found = step.writes.iter().filter_map(|write| match write {
        Write::Checkpoint { checkpoint, .. } => Some(checkpoint.as_ref()),
        _ => None,
    });
    found.collect()
}

/// How often the ledger is asked to count orders.
fn counts(step: &Step) -> usize {
    step.effects().filter(|effect| matches!(effect, Effect::CountOrders)).count()
}

fn counted(sent: u64) -> Counted {
    Counted { seq: 7, orders: OrderCounts { sent, ..OrderCounts::default() } }
}

fn asked(step: &Step) -> usize {
    step.effects().filter(|effect| matches!(effect, Effect::History { .. })).count()
}

fn history(fills: &[&Fill]) -> History {
    History { market: Some(market()), fills: fills.iter().copied().cloned().collect(), corrections: Vec::new() }
}

fn late() -> Timestamp {
    at(100).plus(Duration::from_hours(27))
}

#[test]
fn a_late_duplicate_waits_for_the_ledger_and_changes_nothing() {
    let (mut desk, fill) = folded();
    let (pnl, cash) = (desk.portfolio.pnl(), desk.portfolio.cash());
    let again = || UserEvent::Fill(confirmed("t"));
    let step = desk.on_user_event(again(), late());
    assert_eq!((asked(&step), step.writes.len()), (1, 0));
    assert_eq!(asked(&desk.on_user_event(again(), late())), 0, "the question is under way");
    let away = Err(LedgerError::Unavailable("away".into()));
    assert!(desk.on_history(&"1".into(), away, late()).writes.is_empty());
    let list = Ok(Snapshot::default());
    assert_eq!(asked(&desk.on_snapshot(late(), list, late())), 1, "asked again");
    let step = desk.on_history(&"1".into(), Ok(history(&[&fill])), late());
    assert!(step.writes.is_empty(), "{:?}", step.writes);
    assert_eq!((desk.portfolio.pnl(), desk.portfolio.cash(), desk.portfolio.count()), (pnl, cash, 1));
}

#[test]
fn a_trade_that_fails_after_it_was_folded_up_is_undone_and_the_checkpoint_with_it() {
    let (mut desk, fill) = folded();
    desk.on_user_event(UserEvent::Fill(VenueFill { status: FillStatus::Failed, ..confirmed("t") }), late());
    let step = desk.on_history(&"1".into(), Ok(history(&[&fill])), late());
    let reversed = |write: &Write| matches!(write, Write::Journal(journal) if journal.kind == JournalKind::Reversal);
    assert!(step.writes.iter().any(reversed), "{:?}", step.writes);
    assert_eq!(checkpoints(&step).iter().map(|found| found.fills).collect::<Vec<_>>(), [0], "nothing is folded up");
    assert_eq!(desk.portfolio.position(&"1".into()).expect("traded").size, Size::ZERO);
    assert_eq!(desk.portfolio.pnl(), Pnl::default());
}

#[test]
fn a_trade_that_nobody_told_for_hours_is_booked_in_its_place() {
    let (mut desk, fill) = folded();
    let missed = VenueFill { price: Price(dec!(0.40)), matched_at: at(50), ..confirmed("earlier") };
    assert_eq!(asked(&desk.on_user_event(UserEvent::Fill(missed), late())), 1);
    let step = desk.on_history(&"1".into(), Ok(history(&[&fill])), late());
    assert_eq!(checkpoints(&step).len(), 1);
    let position = desk.portfolio.position(&"1".into()).expect("held");
    assert_eq!((position.size, position.avg_price), (Size(dec!(20)), Price(dec!(0.45))));
    assert_eq!(desk.portfolio.count(), 2);
}

#[test]
fn a_checkpoint_is_written_after_so_many_fills_and_at_the_turn_of_the_day_and_not_without_need() {
    let (mut desk, _) = folded();
    let hours = |hours: u64| at(100).plus(Duration::from_hours(hours));
    let at_hour = |desk: &mut Desk, hour: u64| {
        desk.on_snapshot(hours(hour), Ok(Snapshot::default()), hours(hour));
        let asks = counts(&desk.on_tick(hours(hour)));
        let written = if asks == 0 { 0 } else { checkpoints(&desk.on_counted(Ok(counted(1)), hours(hour))).len() };
        assert_eq!(asks, written);
        written
    };
    assert_eq!(at_hour(&mut desk, 28), 0, "nothing new");
    for n in 0..super::super::folding::CHECKPOINT_FILLS {
        let fill = VenueFill { matched_at: hours(29).plus(Duration::from_millis(n)), ..confirmed(&format!("n{n}")) };
        desk.on_user_event(UserEvent::Fill(fill), hours(29));
    }
    assert_eq!(at_hour(&mut desk, 29), 0, "they may be listed again");
    assert_eq!(at_hour(&mut desk, 31), 1);
    assert_eq!(at_hour(&mut desk, 32), 0);
    assert_eq!(at_hour(&mut desk, 54), 1, "another day");
    assert_eq!(at_hour(&mut desk, 55), 0);
    desk.on_set_aside(None, &[], hours(55));
    assert_eq!(at_hour(&mut desk, 80), 0, "the ledger lacks something");
}

#[test]
fn orders_alone_bring_a_checkpoint_and_a_ledger_that_does_not_count_is_asked_again() {
    let (mut desk, _) = folded();
    let later = |minutes: u64| at(100).plus(Duration::from_hours(26)).plus(Duration::from_mins(minutes));
    desk.counts.denied = super::super::folding::CHECKPOINT_ORDERS - 1;
    assert_eq!(counts(&desk.on_tick(later(1))), 0);
    desk.counts.denied += 1;
    assert_eq!(counts(&desk.on_tick(later(2))), 1);
    assert_eq!(counts(&desk.on_tick(later(3))), 0, "it is counting");
    let step = desk.on_counted(Err(LedgerError::Unavailable("gone".into())), later(4));
    assert_eq!(checkpoints(&step).len(), 0);
    assert_eq!(counts(&desk.on_tick(later(5))), 1);
    assert_eq!(checkpoints(&desk.on_counted(Ok(counted(20_000)), later(5))).len(), 1);
    assert_eq!(counts(&desk.on_tick(later(7))), 0);
    desk.on_set_aside(None, &[], later(7));
    assert_eq!(checkpoints(&desk.on_counted(Ok(counted(20_000)), later(8))).len(), 0, "the ledger lacks something");
}
