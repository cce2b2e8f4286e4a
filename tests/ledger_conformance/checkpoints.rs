//! A start reads the newest checkpoint and what came after it, and the audit proves that checkpoint from the first row.

use std::collections::BTreeSet;

use cockpit::domain::*;
use cockpit::store::audit::AuditReport;
use cockpit::store::ledger::{FILLS_LOADED, Ledger, Write};
use rust_decimal::dec;

use crate::place::{Place, commit};
use crate::sample::*;

fn open_order() -> Write {
    put(&order(3, OrderState::Live))
}

/// What stands for the first fills, `1..to`, when they are all of token 1 and settled.
fn checkpoint(to: u32) -> Checkpoint {
    let journals: Vec<Journal> = (1..to).map(journal).collect();
    let held = fold(&journals);
    Checkpoint {
        to: at(i64::from(to)),
        fills: u64::from(to) - 1,
        cash: held.cash,
        opened_at: None,
        retired: Retired::default(),
        counted: None,
        tokens: vec![FoldedToken::of(&"1".into(), &"0xm".into(), "Up", at(i64::from(to)), &held)],
    }
}

fn written(checkpoint: &Checkpoint) -> Write {
    Write::Checkpoint { checkpoint: Box::new(checkpoint.clone()), at: at(9) }
}

/// Fills `numbers`, settled, with their journals.
async fn trade(ledger: &dyn Ledger, numbers: std::ops::Range<u32>) {
    let writes: Vec<Write> = numbers.flat_map(|n| [seen(&fill(n, FillStatus::Confirmed)), book(&journal(n))]).collect();
    for batch in writes.chunks(500) {
        commit(ledger, batch).await;
    }
}

pub(crate) async fn a_start_reads_the_checkpoint_and_what_came_after_it(place: &Place) {
    const ALL: u32 = 50_000;
    const TO: u32 = 49_000;
    let ledger = place.open().await;
    commit(&*ledger, &[open_order()]).await;
    let fills: Vec<Write> = (1..ALL).map(|n| seen(&fill(n, FillStatus::Confirmed))).collect();
    for batch in fills.chunks(500) {
        commit(&*ledger, batch).await;
    }
    let market = Market { market: "0xm".into(), ..a_market() };
    let other = Market { market: "0xold".into(), ..a_market() };
    let mark = |token: &str| Write::Mark { token: token.into(), price: Price(dec!(0.4)), at: at(8) };
    commit(&*ledger, &[Write::Market(Box::new(market.clone())), Write::Market(Box::new(other))]).await;
    commit(&*ledger, &[mark("1"), mark("old"), book(&correction(dec!(2)))]).await;
    let before = ledger.load(0).await.expect("loads");
    assert_eq!((before.fills.len(), before.markets.len(), before.marks.len()), (49_999, 2, 2), "there is none yet");
    assert_eq!((before.corrections.len(), &before.checkpoint), (1, &None));

    commit(&*ledger, &[written(&checkpoint(40_000))]).await;
    let newest = checkpoint(TO);
    commit(&*ledger, &[written(&newest)]).await;
    let memory = ledger.load(0).await.expect("loads");
    assert_eq!(memory.checkpoint, Some(newest.clone()));
    let read: BTreeSet<i64> = memory.fills.iter().map(|fill| fill.matched_at.micros() / 1_000_000).collect();
    let tail = BTreeSet::from([3]).into_iter().chain(i64::from(TO)..i64::from(ALL));
    assert_eq!(read, tail.collect(), "the tail, and the fill of the open order");
    assert_eq!(memory.fills.len(), read.len(), "each once");
    assert_eq!((memory.markets, memory.marks.len()), (vec![market], 1));

    // Some fills are read back to be shown, whatever a checkpoint sums up.
    commit(&*ledger, &[written(&checkpoint(ALL))]).await;
    let memory = ledger.load(0).await.expect("loads");
    assert_eq!(memory.fills.len(), 1 + FILLS_LOADED as usize);
}

pub(crate) async fn a_token_that_is_held_up_is_read_from_its_own_end_on(place: &Place) {
    let ledger = place.open().await;
    trade(&*ledger, 1..400).await;
    let other = |n: u32| Fill { token: "2".into(), ..fill(n, FillStatus::Confirmed) };
    commit(&*ledger, &[seen(&other(1_050)), seen(&other(1_060))]).await;
    let mut held_up = checkpoint(1_000);
    held_up.tokens[0].to = at(100);
    commit(&*ledger, &[written(&held_up)]).await;
    let memory = ledger.load(0).await.expect("loads");
    let read: Vec<i64> = memory.fills.iter().map(|fill| fill.matched_at.micros() / 1_000_000).collect();
    assert_eq!(read, (100..400).chain([1_050, 1_060]).collect::<Vec<_>>());
}

pub(crate) async fn all_of_a_token_is_told(place: &Place) {
    let ledger = place.open().await;
    trade(&*ledger, 1..4).await;
    let shares = Journal { postings: journal(1).postings.into_iter().take(2).collect(), ..correction(dec!(1)) };
    let cash = Journal { id: "correction/usd/2".into(), ..correction(dec!(2)) };
    let other = Fill { token: "2".into(), ..fill(9, FillStatus::Matched) };
    let market = a_market();
    commit(&*ledger, &[book(&shares), book(&cash), seen(&other), Write::Market(Box::new(market.clone()))]).await;
    let history = ledger.history(&"0xm".into(), &"1".into()).await.expect("told");
    assert_eq!(history.fills, (1..4).map(|n| fill(n, FillStatus::Confirmed)).collect::<Vec<_>>());
    assert_eq!((history.corrections, history.market), (vec![shares], Some(market)));
    let nothing = ledger.history(&"0xnone".into(), &"1".into()).await.expect("told");
    assert_eq!((nothing.fills.len(), nothing.market), (0, None));
}

async fn verify(place: &Place) -> AuditReport {
    place.books().verify(None).await.expect("readable")
}

fn told(report: &AuditReport, words: &str) -> bool {
    report.differences.iter().any(|found| found.what.contains(words))
}

pub(crate) async fn a_checkpoint_is_proved_from_the_first_row(place: &Place) {
    let ledger = place.open().await;
    commit(&*ledger, &[open_order()]).await;
    trade(&*ledger, 1..30).await;
    commit(&*ledger, &[written(&checkpoint(20)), written(&checkpoint(25))]).await;
    ledger.close().await;
    let right = checkpoint(25);
    let mut average = right.clone();
    average.tokens[0].whole.cost = Usd(dec!(1));
    let mut part = right.clone();
    part.tokens[0].parts[0].1.realised = Usd(dec!(1));
    let wrong = [
        (Checkpoint { cash: Usd(dec!(1)), ..right.clone() }, "the sums are"),
        (Checkpoint { fills: 23, ..right.clone() }, "the sums are"),
        (Checkpoint { opened_at: Some(at(1)), ..right.clone() }, "the sums are"),
        (Checkpoint { retired: Retired { fees: Usd(dec!(1)), ..Retired::default() }, ..right.clone() }, "the sums are"),
        (Checkpoint { tokens: Vec::new(), ..right.clone() }, "token 1 is missing"),
        (average, "folded from scratch"),
        (part, "folded from scratch"),
    ];
    let copies = place.copies(wrong.len());
    let report = verify(place).await;
    assert!(report.is_sound(), "{report:?}");
    for (copy, (wrong, words)) in copies.into_iter().zip(wrong) {
        let ledger = copy.open().await;
        // The chain itself holds: only the fold tells.
        commit(&*ledger, &[written(&wrong)]).await;
        ledger.close().await;
        let report = verify(&copy).await;
        assert!(told(&report, words) && report.differences.iter().all(|found| found.table == "log"), "{report:?}");
    }
}

pub(crate) async fn what_a_start_would_overlook_is_told(place: &Place) {
    let ledger = place.open().await;
    trade(&*ledger, 1..30).await;
    commit(&*ledger, &[seen(&fill(40, FillStatus::Matched)), book(&journal(40))]).await;
    commit(&*ledger, &[written(&checkpoint(25))]).await;
    assert!(verify(place).await.is_sound());
    commit(&*ledger, &[written(&checkpoint(41))]).await;
    assert!(told(&verify(place).await, "not settled for good"));
    commit(&*ledger, &[written(&checkpoint(25))]).await;
    let late = fill(10, FillStatus::Failed);
    commit(&*ledger, &[seen(&late)]).await;
    assert!(told(&verify(place).await, "fill t10/0x10 was written behind it"));
}

pub(crate) async fn one_changed_byte_of_a_checkpoint_is_found(place: &Place) {
    let ledger = place.open().await;
    trade(&*ledger, 1..30).await;
    commit(&*ledger, &[written(&checkpoint(25))]).await;
    ledger.close().await;
    place
        .tamper_for_real(
            "UPDATE log SET document = replace(document, '\"fills\":24', '\"fills\":25') WHERE kind = 'checkpoint'",
        )
        .await;
    let report = verify(place).await;
    assert!(told(&report, "its columns have the hash") && told(&report, "checkpoint: the sums are"), "{report:?}");
}
