//! Who writes at the same moment: nobody is told that the ledger is damaged, and nothing is lost.

use std::sync::Arc;
use std::time::Duration;

use cockpit::domain::{KillState, OrderState};
use cockpit::store::ledger::{Lease, Ledger, LedgerError, Write};
use tokio::sync::Notify;

use crate::place::Place;
use crate::sample::*;

const WRITERS: u32 = 6;
const EACH: u32 = 9;

/// What a writer commits in turn: the short way, the long way, and the row that everybody else writes too.
fn batch(n: u32) -> Vec<Write> {
    match n % 3 {
        0 => vec![inbox(n, &format!("{n}-0"), "b"), put(&order(n, OrderState::Live))],
        1 => vec![bury(&letter(n))],
        _ => vec![Write::Latch(latch(n.into(), KillState::Armed))],
    }
}

/// Everybody commits over one ledger value; what each was answered.
async fn write_together(ledger: Arc<dyn Ledger>, begun: &Arc<Notify>) -> Vec<Result<(), LedgerError>> {
    let writers = (0..WRITERS).map(|writer| {
        let (ledger, begun) = (Arc::clone(&ledger), Arc::clone(begun));
        tokio::spawn(async move {
            let mut answers = Vec::new();
            for n in 0..EACH {
                answers.push(ledger.commit(&batch(writer * EACH + n)).await);
                begun.notify_one();
            }
            answers
        })
    });
    let answers = futures::future::join_all(writers.collect::<Vec<_>>()).await;
    answers.into_iter().flat_map(|answers| answers.expect("no panic")).collect()
}

async fn sound(place: &Place) -> i64 {
    let report = place.books().verify(None).await.expect("readable");
    assert!(report.is_sound(), "{report:?}");
    report.rows.try_into().expect("few")
}

pub(crate) async fn many_who_commit_at_once_are_all_served_and_the_chain_holds(place: &Place) {
    let ledger: Arc<dyn Ledger> = place.open().await.into();
    let answers = write_together(Arc::clone(&ledger), &Arc::default()).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    ledger.close().await;
    let memory = place.load(WRITERS * EACH).await;
    let each = usize::try_from(WRITERS * EACH / 3).expect("few");
    assert_eq!((memory.orders.len(), memory.letters.len()), (each, each));
    assert_eq!(sound(place).await, i64::from(WRITERS * EACH / 3 * 4), "each once");
}

pub(crate) async fn whoever_takes_the_lease_while_others_commit_gets_it_and_only_fences_them(place: &Place) {
    let ledger: Arc<dyn Ledger> = place.open().await.into();
    let taker = place.open().await;
    let begun = Arc::new(Notify::new());
    let taken = async {
        begun.notified().await;
        taker.lease("b", Duration::from_mins(1)).await
    };
    let (answers, lease) = tokio::join!(write_together(Arc::clone(&ledger), &begun), taken);
    assert_eq!(lease, Ok(Lease::Ours { token: 1 }));
    let fenced = LedgerError::Fenced { ours: 0, newest: 1 };
    let fair = |answer: &Result<(), LedgerError>| answer.is_ok() || *answer == Err(fenced.clone());
    assert!(answers.iter().all(fair), "{answers:?}");
    ledger.close().await;
    taker.close().await;
    sound(place).await;
}
