//! The proof finds every change, by table and row, and nothing where nothing was changed.

use cockpit::domain::*;
use cockpit::store::audit::AuditReport;
use cockpit::store::ledger::Write;
use rust_decimal::dec;

use crate::place::{Place, commit};
use crate::sample::*;

/// A ledger with a row of every kind in it.
async fn full(place: &Place) {
    let ledger = place.open().await;
    ledger.lease("a", std::time::Duration::from_mins(10)).await.expect("asked");
    let mismatch = MismatchEvent { what: "balance".into(), detail: "1 against 2".into(), at: at(3) };
    let dropped = DeadLetterState::Dropped { by: "alice".into(), why: "stale".into(), at: at(7) };
    commit(&*ledger, &[inbox(1, "1-0", "b"), put(&order(1, OrderState::Signed))]).await;
    commit(&*ledger, &[inbox(2, "2-0", "b"), put(&order(2, OrderState::Live)), put(&order(1, OrderState::Filled))])
        .await;
    commit(&*ledger, &[seen(&fill(1, FillStatus::Matched)), book(&journal(1)), book(&correction(dec!(2)))]).await;
    commit(&*ledger, &[seen(&fill(1, FillStatus::Confirmed)), bury(&letter(1)), bury(&letter(2))]).await;
    commit(
        &*ledger,
        &[
            Write::DeadLetterPublished { id: letter(1).id },
            Write::DeadLetterState { id: letter(1).id, state: dropped },
            Write::Latch(latch(1, KillState::Armed)),
            Write::Day { day: 3, start: Usd(dec!(1)), peak: Usd(dec!(2)) },
            Write::Mark { token: "1".into(), price: Price(dec!(0.4)), at: at(8) },
            Write::Meta { key: "mode", value: "SIM".into() },
            Write::Mismatch(mismatch),
            Write::Alert(alert()),
            limits(1),
            limits(2),
            command(1),
        ],
    )
    .await;
    ledger.close().await;
}

async fn verify(place: &Place, expected: Option<&str>) -> AuditReport {
    place.books().verify(expected).await.expect("readable")
}

pub(crate) async fn sound_books_are_sound_and_their_head_is_found_again(place: &Place) {
    assert!(verify_empty(place).await.is_sound());
    full(place).await;
    let report = verify(place, None).await;
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.rows, report.derived), (23, 14), "{report:?}");
    let ledger = place.open().await;
    ledger.lease("b", std::time::Duration::from_mins(10)).await.expect("asked");
    let noted = verify(place, Some(&report.head.to_uppercase())).await;
    assert_eq!((noted.expected_at, noted.is_sound()), (Some(23), true), "{noted:?}");
    let never = verify(place, Some(&"0".repeat(64))).await;
    assert!(never.differences[0].what.contains("noted earlier"), "{never:?}");
}

async fn verify_empty(place: &Place) -> AuditReport {
    place.open().await.close().await;
    verify(place, None).await
}

/// What is done to the ledger, and which row of which table must be named.
const CHANGES: [(&str, &str, &str); 35] = [
    ("UPDATE log SET at = at + 1 WHERE seq = 5", "log", "5"),
    ("UPDATE log SET token = 0 WHERE seq = 5", "log", "5"),
    ("UPDATE log SET kind = 'mismatch' WHERE seq = 5", "log", "5"),
    ("UPDATE log SET subject = 'i3#1' WHERE seq = 5", "log", "5"),
    ("UPDATE log SET what = 'tesT' WHERE seq = 5", "log", "5"),
    ("UPDATE log SET document = replace(document, '\"10\"', '\"11\"') WHERE seq = 3", "log", "3"),
    ("UPDATE log SET prev = 'x' || SUBSTR(prev, 2) WHERE seq = 7", "log", "7"),
    ("UPDATE log SET hash = 'x' || SUBSTR(hash, 2) WHERE seq = 7", "log", "7"),
    ("UPDATE log SET hash = 'x' || SUBSTR(hash, 2) WHERE seq = 20", "log", "20"),
    ("DELETE FROM log WHERE seq = 5", "log", "6"),
    ("DELETE FROM log WHERE seq = 1", "log", "2"),
    ("UPDATE log SET seq = 99 WHERE seq = 20", "log", "99"),
    ("UPDATE inbox SET entry = '9-9' WHERE intent_id = 'i1'", "inbox", "i1#1"),
    ("UPDATE inbox SET boot = 'c' WHERE intent_id = 'i1'", "inbox", "i1#1"),
    ("DELETE FROM inbox WHERE intent_id = 'i1'", "inbox", "i1#1"),
    ("UPDATE orders SET state = 'live' WHERE intent_id = 'i1'", "orders", "i1#1"),
    ("UPDATE orders SET order_id = '0x3' WHERE intent_id = 'i1'", "orders", "i1#1"),
    ("UPDATE orders SET order_id = NULL WHERE intent_id = 'i1'", "orders", "i1#1"),
    ("UPDATE orders SET attempt = 2 WHERE intent_id = 'i1'", "orders", "i1#2"),
    ("UPDATE orders SET open = NOT open WHERE intent_id = 'i1'", "orders", "i1#1"),
    ("UPDATE orders SET sent = NOT sent WHERE intent_id = 'i2'", "orders", "i2#1"),
    ("UPDATE orders SET created_at = 0 WHERE intent_id = 'i2'", "orders", "i2#1"),
    ("UPDATE orders SET seq = 3 WHERE intent_id = 'i1'", "orders", "i1#1"),
    ("DELETE FROM orders WHERE intent_id = 'i2'", "orders", "i2#1"),
    ("UPDATE fills SET status = 'failed'", "fills", "t1/0x1"),
    ("UPDATE fills SET strategy = NULL", "fills", "t1/0x1"),
    ("DELETE FROM fills", "fills", "t1/0x1"),
    ("UPDATE journals SET order_id = '0x2' WHERE kind = 'fill'", "journals", "t1/0x1/fill"),
    ("DELETE FROM journals WHERE kind = 'fill'", "journals", "t1/0x1/fill"),
    ("UPDATE dead_letters SET waiting = NOT waiting WHERE id LIKE '1-%'", "dead_letters", "1-0.stale_epoch"),
    ("UPDATE dead_letters SET published = NOT published WHERE id LIKE '2-%'", "dead_letters", "2-0.stale_epoch"),
    ("UPDATE dead_letters SET state_seq = seq WHERE id LIKE '1-%'", "dead_letters", "1-0.stale_epoch"),
    ("UPDATE facts SET seq = 2 WHERE kind = 'latch'", "facts", "latch latch"),
    ("DELETE FROM facts WHERE kind = 'meta'", "facts", "meta mode"),
    ("UPDATE lease SET token = 9", "lease", "1"),
];

pub(crate) async fn every_change_is_found_and_named(place: &Place) {
    full(place).await;
    let copies = place.copies(CHANGES.len());
    for ((sql, table, row), copy) in CHANGES.iter().zip(copies) {
        copy.tamper_for_real(sql).await;
        let report = verify(&copy, None).await;
        let named = report.differences.iter().any(|found| found.table == *table && found.row == *row);
        assert!(named, "{sql}: {:?}", report.differences);
    }
}

pub(crate) async fn a_history_that_was_rewritten_from_some_row_on_does_not_have_the_head_that_was_noted(place: &Place) {
    full(place).await;
    let noted = verify(place, None).await.head;
    // The last commit never happened: the log, and what follows from it, without a trace.
    place
        .tamper_for_real(
            "DELETE FROM log WHERE seq > 12; DELETE FROM facts; UPDATE dead_letters SET waiting = TRUE, published = FALSE,
             state_seq = seq",
        )
        .await;
    let report = verify(place, None).await;
    assert!(report.is_sound(), "consistent in itself: {report:?}");
    let report = verify(place, Some(&noted)).await;
    assert!(!report.is_sound() && report.differences[0].what.contains("cut off"), "{report:?}");
}

#[tokio::test]
async fn one_flipped_byte_of_the_file_is_found() {
    let place = Place::sqlite();
    full(&place).await;
    assert!(verify(&place, None).await.is_sound());
    let bytes = std::fs::read(place.file()).expect("the file");
    let needle = b"\"slug\":\"btc\"";
    let places = bytes.windows(needle.len()).enumerate().filter(|(_, window)| window == needle).map(|(at, _)| at + 9);
    for changed in [b't' ^ 1, 0xff] {
        let mut found = 0;
        for at in places.clone() {
            let mut broken = bytes.clone();
            broken[at] = changed;
            std::fs::write(place.file(), broken).expect("written");
            let report = verify(&place, None).await;
            found += usize::from(report.differences.iter().any(|found| found.table == "log"));
        }
        // A page that was split keeps copies that nobody reads any more.
        assert_eq!(found, 3, "each of the three orders' documents, changed to {changed:#x}");
    }
}
