//! Answers that are lost, late or of the wrong kind: one row a fault, with the class that the venue client gives it.

use cockpit::domain::{Market, OrderId, Protocol, Side};
use cockpit::exec::venue::{ExecutionVenue, PostAnswer};
use cockpit::sim::exchange::TruthOrder;
use cockpit::sim::faults::Plan;
use cockpit::venues::polymarket::signing::SignatureType;
use rust_decimal::dec;
use serde_json::{Value, json};

use crate::bench::{self, Bench, Wish, wish};

/// A purchase that rests.
const RESTING: Wish = wish(Side::Buy, dec!(0.41), dec!(10));

pub(crate) async fn start() -> (Bench, Market) {
    let bench = Bench::start(SignatureType::Eoa, None).await;
    bench.venue.connect().await.expect("connects");
    let market = bench::market(Protocol::V2, false, dec!(0.01));
    bench.list(&market, dec!(0.40), dec!(0.60));
    (bench, market)
}

/// One rule that always strikes, at most `limit` times.
pub(crate) fn inject(bench: &Bench, limit: u64, mut fault: Value) {
    let fields = fault.as_object_mut().expect("an object");
    fields.extend([("probability".to_owned(), json!(1)), ("limit".to_owned(), json!(limit))]);
    let plan = json!({ "seed": 1, "faults": [fault] });
    bench.exchange.faults().set(Plan::parse(plan.to_string().as_bytes()).expect("a plan"));
}

pub(crate) fn truth(bench: &Bench, id: &OrderId) -> Option<TruthOrder> {
    bench.exchange.truth().orders.into_iter().find(|order| order.id == id.as_str())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_reply_leaves_the_order_in_the_book_and_its_outcome_unknown() {
    let (bench, market) = start().await;
    inject(&bench, 1, json!({ "kind": "accept_then_drop_reply" }));
    let order = bench.sign(&market, RESTING);
    match bench.post(&order).await {
        PostAnswer::Unknown { reason } => assert!(reason.contains("connection lost"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(truth(&bench, order.order()).expect("in the book").status, "LIVE");
    assert_eq!(bench.exchange.faults().struck("accept_then_drop_reply"), 1);
    let found = bench.venue.order(order.order()).await.expect("an answer");
    assert!(found.is_some_and(|found| found.order == *order.order()), "evidence settles it");
    assert_eq!(bench.post(&order).await, PostAnswer::Duplicate);
    let next = bench.sign(&market, RESTING);
    assert!(matches!(bench.post(&next).await, PostAnswer::Accepted { .. }), "the limit is used up");
}
