//! Counters of orders: a start goes on counting from a checkpoint's, and the audit counts those again.

use cockpit::domain::*;
use cockpit::store::ledger::{Ledger, OrderRow, Write};

use crate::place::{Place, commit};
use crate::sample::*;

const STATES: [OrderState; 13] = [
    OrderState::Pending,
    OrderState::Signed,
    OrderState::Sent,
    OrderState::Unknown,
    OrderState::Live,
    OrderState::PartiallyFilled,
    OrderState::CancelPending,
    OrderState::Filled,
    OrderState::Cancelled,
    OrderState::Rejected,
    OrderState::Expired,
    OrderState::Denied,
    OrderState::Voided,
];

/// In a state, some of them accepted, some of them nobody's intent.
fn in_state(n: u32, state: OrderState) -> OrderRow {
    let row = order(n, state);
    OrderRow { accepted: row.accepted || n.is_multiple_of(7), adopted: n % 5 == 4, ..row }
}

fn sum<'a>(rows: impl IntoIterator<Item = &'a OrderRow>) -> OrderCounts {
    let mut all = OrderCounts::default();
    rows.into_iter().for_each(|row| all += row.counts());
    all
}

async fn put_all(ledger: &dyn Ledger, rows: &[OrderRow]) {
    for batch in rows.chunks(100) {
        commit(ledger, &batch.iter().map(put).collect::<Vec<_>>()).await;
    }
}

/// A checkpoint that sums up nothing but orders.
fn checkpoint(counted: Option<Counted>) -> Write {
    Write::Checkpoint { checkpoint: Box::new(Checkpoint { counted, ..Checkpoint::default() }), at: at(9) }
}

async fn counted(ledger: &dyn Ledger) -> Counted {
    ledger.count_orders().await.expect("counts")
}

pub(crate) async fn counters_in_sql_equal_the_counters_in_code(place: &Place) {
    let ledger = place.open().await;
    assert_eq!(counted(&*ledger).await, Counted::default(), "nothing yet");
    let rows: Vec<OrderRow> =
        (0..).zip(STATES.into_iter().cycle().take(39)).map(|(n, state)| in_state(n, state)).collect();
    put_all(&*ledger, &rows).await;
    let memory = place.load(2).await;
    assert_eq!(memory.counted, Counted { seq: 39, orders: sum(&rows) });
    assert_eq!(memory.orders.iter().filter(|row| row.order.state.is_terminal()).count(), 2, "newest ended only");
}

pub(crate) async fn a_start_counts_on_from_the_checkpoint_what_came_and_what_changed(place: &Place) {
    let ledger = place.open().await;
    // From every state to every other, those in which an order had ended included.
    let pairs = || (0..).zip(STATES.iter().flat_map(|before| STATES.iter().map(move |after| (*before, *after))));
    let before: Vec<OrderRow> = pairs().map(|(n, (before, _))| in_state(n, before)).collect();
    put_all(&*ledger, &before).await;
    let at_first = counted(&*ledger).await;
    assert_eq!(at_first.orders, sum(&before));
    // What is committed between the count and its checkpoint is counted behind it.
    let mut after = before.clone();
    let changed: Vec<OrderRow> =
        pairs().filter(|(n, _)| n % 3 != 0).map(|(n, (_, after))| in_state(n, after)).collect();
    let (early, late) = changed.split_at(40);
    put_all(&*ledger, early).await;
    commit(&*ledger, &[checkpoint(Some(at_first))]).await;
    put_all(&*ledger, late).await;
    let new: Vec<OrderRow> = (200..240).map(|n| in_state(n, STATES[n as usize % STATES.len()])).collect();
    put_all(&*ledger, &new).await;
    // And some of them once more.
    put_all(&*ledger, &changed[30..50]).await;
    for row in &changed {
        let place = after.iter_mut().find(|old| old.order.intent.intent == row.order.intent.intent);
        *place.expect("there") = row.clone();
    }
    after.extend(new);
    assert_eq!(place.load(1).await.counted.orders, sum(&after));
    let second = counted(&*ledger).await;
    assert_eq!(second.orders, sum(&after));
    commit(&*ledger, &[checkpoint(Some(second)), checkpoint(Some(second))]).await;
    assert_eq!(place.load(1).await.counted.orders, sum(&after), "nothing since");
    ledger.close().await;
    let report = place.books().verify(None).await.expect("readable");
    assert!(report.is_sound(), "{report:?}");
}

pub(crate) async fn what_a_checkpoint_counts_is_not_read_again_and_without_counters_everything_is(place: &Place) {
    let ledger = place.open().await;
    put_all(&*ledger, &[order(1, OrderState::Live), order(2, OrderState::Filled)]).await;
    commit(&*ledger, &[checkpoint(None)]).await;
    put_all(&*ledger, &[order(1, OrderState::Filled)]).await;
    let memory = place.load(1).await;
    assert_eq!((memory.counted.orders.filled, memory.counted.seq), (2, 4), "of a ledger from before there were any");
    // No such orders: so it can only be the checkpoint's own figure.
    let told = Counted { seq: 4, orders: OrderCounts { filled: 1_000_000, ..OrderCounts::default() } };
    commit(&*ledger, &[checkpoint(Some(told))]).await;
    put_all(&*ledger, &[order(3, OrderState::Filled)]).await;
    assert_eq!(place.load(1).await.counted.orders.filled, 1_000_001);
}

pub(crate) async fn wrong_counters_of_a_checkpoint_are_found(place: &Place) {
    let ledger = place.open().await;
    put_all(&*ledger, &[order(1, OrderState::Live), order(2, OrderState::Live)]).await;
    let right = counted(&*ledger).await;
    put_all(&*ledger, &[order(1, OrderState::Filled)]).await;
    let now = counted(&*ledger).await;
    commit(&*ledger, &[checkpoint(Some(right)), checkpoint(Some(now))]).await;
    ledger.close().await;
    let wrong = [
        Counted { orders: OrderCounts { sent: 3, ..now.orders }, ..now },
        Counted { seq: right.seq, ..now },
        Counted { seq: 99, ..now },
    ];
    let copies = place.copies(wrong.len());
    assert!(place.books().verify(None).await.expect("readable").is_sound());
    for (copy, wrong) in copies.into_iter().zip(wrong) {
        let ledger = copy.open().await;
        commit(&*ledger, &[checkpoint(Some(wrong))]).await;
        ledger.close().await;
        let report = copy.books().verify(None).await.expect("readable");
        let named = report.differences.iter().any(|found| found.row == "6" && found.what.contains("counted again"));
        assert!(named, "{wrong:?}: {report:?}");
    }
}
