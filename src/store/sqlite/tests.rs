use rust_decimal::dec;

use super::*;
use crate::domain::*;
use crate::store::ledger::{InboxRow, OrderRow};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn order(n: u32, state: OrderState) -> OrderRow {
    let intent = OrderIntent {
        intent: IntentId::new(format!("i{n}")),
        strategy: "momentum".into(),
        market: "0xm".into(),
        slug: "btc".into(),
        token: "1".into(),
        outcome: "Up".into(),
        side: Side::Buy,
        price: Price(dec!(0.5)),
        size: Size(dec!(10)),
        tif: TimeInForce::Gtc,
        post_only: false,
        tick_received_at: at(1),
        created_at: at(i64::from(n)),
        deadline: at(100),
        rest_until: at(200),
        epoch: 1,
        attempt: 1,
    };
    let mut order = Order::new(intent, at(2));
    order.state = state;
    order.order = Some(OrderId::new(format!("0x{n}")));
    if state != OrderState::Denied {
        order.times.sent_at = Some(at(3));
    }
    OrderRow { order, digest: Some("d".into()), accepted: state == OrderState::Live, adopted: false, token: 0 }
}

fn put(row: &OrderRow) -> Write {
    Write::Order { row: Box::new(row.clone()), what: "test", at: at(5) }
}

fn inbox(n: u32, entry: &str, boot: &str) -> Write {
    Write::Inbox(InboxRow {
        intent: IntentId::new(format!("i{n}")),
        attempt: 1,
        entry: entry.into(),
        boot: boot.into(),
        payload: "{}".into(),
        at: at(1),
    })
}

async fn open(dir: &tempfile::TempDir) -> SqliteLedger {
    SqliteLedger::open(&dir.path().join("ledger.db")).await.expect("opens")
}

#[tokio::test]
async fn what_is_committed_is_read_back_after_reopening() {
    let dir = tempfile::tempdir().expect("dir");
    let ledger = open(&dir).await;
    let latch = KillLatch { epoch: 2, state: KillState::Killed, by: "t".into(), why: "w".into(), at: at(9) };
    let mut live = order(1, OrderState::Signed);
    let day = |peak| Write::Day { day: 3, start: Usd(dec!(1.5)), peak: Usd(peak) };
    ledger.commit(&[inbox(1, "1-0", "b"), put(&live), day(dec!(2))]).await.expect("commits");
    let mark = Write::Mark { token: "1".into(), price: Price(dec!(0.45)), at: at(8) };
    live.order.state = OrderState::Live;
    live.accepted = true;
    ledger.commit(&[put(&live), Write::Latch(latch.clone()), day(dec!(4)), mark]).await.expect("commits");
    ledger.close().await;

    let memory = open(&dir).await.load(10).await.expect("loads");
    assert_eq!(memory.orders, [live]);
    assert_eq!(memory.latch, Some(latch));
    assert_eq!(memory.day, Some((3, Usd(dec!(1.5)), Usd(dec!(4)))));
    assert_eq!(memory.marks, [("1".into(), Price(dec!(0.45)), at(8))]);
    assert_eq!(memory.entries.iter().map(|row| row.entry.as_str()).collect::<Vec<_>>(), ["1-0"]);
}

#[tokio::test]
async fn an_intent_is_taken_once_and_the_whole_batch_falls_with_it() {
    let dir = tempfile::tempdir().expect("dir");
    let ledger = open(&dir).await;
    ledger.commit(&[inbox(1, "1-0", "b1")]).await.expect("first");
    ledger.commit(&[inbox(1, "1-0", "b1")]).await.expect("the same batch again");
    let row = order(1, OrderState::Signed);
    for other in [inbox(1, "2-0", "b1"), inbox(1, "1-0", "b2")] {
        let error = ledger.commit(&[put(&row), other]).await.expect_err("taken before");
        assert!(matches!(error, LedgerError::Duplicate { attempt: 1, .. }), "{error}");
    }
    assert!(ledger.load(10).await.expect("loads").orders.is_empty(), "rolled back");
}

#[tokio::test]
async fn counters_in_sql_equal_the_counters_in_code() {
    use OrderState as S;
    let dir = tempfile::tempdir().expect("dir");
    let ledger = open(&dir).await;
    let states = [
        S::Pending,
        S::Signed,
        S::Sent,
        S::Unknown,
        S::Live,
        S::PartiallyFilled,
        S::CancelPending,
        S::Filled,
        S::Cancelled,
        S::Rejected,
        S::Expired,
        S::Denied,
    ];
    let mut expected = OrderCounts::default();
    for (n, state) in (0..).zip(states) {
        let mut row = order(n, state);
        row.adopted = n % 5 == 4;
        ledger.commit(&[put(&row)]).await.expect("commits");
        let counts = row.counts();
        expected.sent += counts.sent;
        expected.accepted += counts.accepted;
        expected.open += counts.open;
        expected.filled += counts.filled;
        expected.cancelled += counts.cancelled;
        expected.rejected += counts.rejected;
        expected.unknown += counts.unknown;
        expected.denied += counts.denied;
    }
    let memory = ledger.load(2).await.expect("loads");
    assert_eq!(memory.counts, expected);
    assert_eq!(memory.orders.iter().filter(|row| row.order.state.is_terminal()).count(), 2, "newest ended only");
}

#[tokio::test]
async fn history_cannot_be_changed() {
    let dir = tempfile::tempdir().expect("dir");
    let ledger = open(&dir).await;
    ledger.commit(&[inbox(1, "1-0", "b"), put(&order(1, OrderState::Signed))]).await.expect("commits");
    for sql in ["UPDATE order_events SET what = 'x'", "DELETE FROM order_events", "DELETE FROM inbox"] {
        let error = sqlx::query(sql).execute(&ledger.pool).await.expect_err(sql);
        assert!(error.to_string().contains("append-only"), "{error}");
    }
}

#[tokio::test]
async fn a_dead_letter_is_kept_once_and_waits_until_it_is_on_the_bus() {
    let dir = tempfile::tempdir().expect("dir");
    let ledger = open(&dir).await;
    let letter = DeadLetter {
        id: "5-0.stale_epoch".into(),
        entry: "5-0".into(),
        intent: Some("i".into()),
        attempt: 1,
        reason: DeadLetterReason::StaleEpoch,
        first_error: "epoch 1 is over".into(),
        last_error: "epoch 1 is over".into(),
        original: "{}".into(),
        posts: 0,
        first_at: at(1),
        last_at: at(1),
        build: "0.1.0".into(),
        state: DeadLetterState::Waiting,
    };
    let write = Write::DeadLetter(Box::new(letter.clone()));
    ledger.commit(&[write.clone(), write]).await.expect("commits");
    let memory = ledger.load(1).await.expect("loads");
    assert_eq!((memory.dead_letters_waiting, memory.unpublished), (1, vec![letter]));
    let published = Write::DeadLetterPublished { id: "5-0.stale_epoch".into() };
    ledger.commit(&[published]).await.expect("commits");
    let memory = ledger.load(1).await.expect("loads");
    assert_eq!((memory.dead_letters.len(), memory.unpublished.len()), (1, 0));
}
