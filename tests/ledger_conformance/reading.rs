//! What people read, while the ledger is written and after.

use cockpit::domain::*;
use cockpit::store::books::{FillFilter, OrderFilter};

use crate::place::{Place, commit};
use crate::sample::*;

pub(crate) async fn orders_and_fills_are_filtered_newest_first(place: &Place) {
    let ledger = place.open().await;
    let rows: Vec<_> =
        (1..=6).map(|n| order(n, if n % 2 == 0 { OrderState::Live } else { OrderState::Filled })).collect();
    let mut writes: Vec<_> = rows.iter().map(put).collect();
    writes.extend([seen(&fill(1, FillStatus::Confirmed)), seen(&fill(3, FillStatus::Matched))]);
    commit(&*ledger, &writes).await;

    let books = place.books();
    let filter = OrderFilter { limit: 100, ..OrderFilter::default() };
    let ids = |rows: Vec<cockpit::store::ledger::OrderRow>| -> Vec<String> {
        rows.iter().map(|row| row.order.intent.intent.to_string()).collect()
    };
    assert_eq!(ids(books.orders(&filter).await.unwrap()), ["i6", "i5", "i4", "i3", "i2", "i1"]);
    let open = OrderFilter { open: true, limit: 2, ..filter.clone() };
    assert_eq!(ids(books.orders(&open).await.unwrap()), ["i6", "i4"]);
    let late = OrderFilter { since: Some(at(4)), state: Some(OrderState::Filled), ..filter.clone() };
    assert_eq!(ids(books.orders(&late).await.unwrap()), ["i5"]);
    let other = OrderFilter { strategy: Some("weather".into()), ..filter };
    assert!(books.orders(&other).await.unwrap().is_empty());

    let fills = FillFilter { limit: 10, ..FillFilter::default() };
    assert_eq!(books.fills(&fills).await.unwrap(), [fill(3, FillStatus::Matched), fill(1, FillStatus::Confirmed)]);
    let confirmed = FillFilter { status: Some(FillStatus::Confirmed), ..fills };
    assert_eq!(books.fills(&confirmed).await.unwrap(), [fill(1, FillStatus::Confirmed)]);
    // What is committed later is seen by the same reader.
    commit(&*ledger, &[put(&order(7, OrderState::Live))]).await;
    assert_eq!(ids(books.orders(&open).await.unwrap()), ["i7", "i6"]);
}

pub(crate) async fn an_order_tells_its_whole_story(place: &Place) {
    let ledger = place.open().await;
    let mut row = order(1, OrderState::Signed);
    commit(&*ledger, &[inbox(1, "1-0", "b"), put(&row), put(&order(10, OrderState::Live))]).await;
    row.order.state = OrderState::Filled;
    commit(&*ledger, &[put(&row), seen(&fill(1, FillStatus::Matched)), book(&journal(1)), bury(&letter(1))]).await;
    commit(&*ledger, &[seen(&fill(1, FillStatus::Confirmed))]).await;
    ledger.close().await;

    let books = place.books();
    assert_eq!(books.named("i1").await.unwrap(), [("i1".into(), 1)], "exactly so");
    assert_eq!(books.named("0x10").await.unwrap(), [("i10".into(), 1)]);
    assert_eq!(books.named("i").await.unwrap().len(), 2, "two begin so");
    assert!(books.named("%").await.unwrap().is_empty());
    let story = books.story(&"i1".into(), 1).await.unwrap().expect("there");
    assert_eq!(story.row, row);
    let states: Vec<_> = story.events.iter().map(|event| event.row.order.state).collect();
    assert_eq!(states, [OrderState::Signed, OrderState::Filled]);
    let settled: Vec<_> = story.fills.iter().map(|event| event.fill.status).collect();
    assert_eq!(settled, [FillStatus::Matched, FillStatus::Confirmed]);
    assert_eq!(story.journals.iter().map(|(_, journal)| journal.clone()).collect::<Vec<_>>(), [journal(1)]);
    assert_eq!((story.letters, story.attempts), (vec![letter(1)], vec![1]));
    assert_eq!(story.received.map(|row| (row.entry, row.at)), Some(("1-0".into(), at(1))));
    assert_eq!(books.story(&"i1".into(), 2).await.unwrap(), None);
    assert_eq!(books.journals().await.unwrap(), [journal(1)]);
}
