//! Answers that are lost, late or of the wrong kind: one row a fault, with the class that the venue client gives it.

use std::time::Duration;

use cockpit::domain::{Market, OrderId, Protocol, Side, TransientCode};
use cockpit::exec::venue::{ExecutionVenue, PostAnswer, VenueError, VenueOrderStatus};
use cockpit::sim::exchange::TruthOrder;
use cockpit::sim::faults::Plan;
use cockpit::venues::polymarket::signing::SignatureType;
use rust_decimal::dec;
use serde_json::{Value, json};

use crate::bench::{self, Bench, Wish, wish};

/// A purchase that rests.
pub(crate) const RESTING: Wish = wish(Side::Buy, dec!(0.41), dec!(10));

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

/// What the venue client must make of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Unknown,
    Transient(TransientCode),
}

/// One row a fault of the answer to an order: its class, whether the order is in the book, the wait that is asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_to_an_order_has_its_class() {
    use Class::{Transient, Unknown};
    use TransientCode::{CancelOnly, RateLimited, Restarting, TradingDisabled};
    let rows = [
        (json!({ "kind": "accept_then_drop_reply" }), Unknown, true, None),
        (json!({ "kind": "truncated_body", "cut_connection": false }), Unknown, true, None),
        (json!({ "kind": "truncated_body", "cut_connection": true }), Unknown, true, None),
        (json!({ "kind": "internal_error", "carried_out": false }), Unknown, false, None),
        (json!({ "kind": "internal_error", "carried_out": true }), Unknown, true, None),
        (json!({ "kind": "overloaded", "for_ms": 0 }), Unknown, false, None),
        (json!({ "kind": "restart", "for_ms": 90_000, "post_only_ms": 0 }), Transient(Restarting), false, Some(90)),
        (json!({ "kind": "too_many_requests", "retry_after_s": 7 }), Transient(RateLimited), false, Some(7)),
        (json!({ "kind": "trading_disabled", "for_ms": 0 }), Transient(TradingDisabled), false, None),
        (json!({ "kind": "cancel_only", "for_ms": 0 }), Transient(CancelOnly), false, None),
    ];
    for (fault, class, is_in_book, wait) in rows {
        let (bench, market) = start().await;
        inject(&bench, 1, fault.clone());
        let order = bench.sign(&market, RESTING);
        let answer = bench.post(&order).await;
        match (&answer, class) {
            (PostAnswer::Unknown { .. }, Unknown) => {}
            (PostAnswer::Transient { code, retry_after, .. }, Transient(right)) => {
                assert_eq!((*code, *retry_after), (right, wait.map(Duration::from_secs)), "{fault}");
            }
            _ => panic!("{fault}: {answer:?} is not {class:?}"),
        }
        assert_eq!(truth(&bench, order.order()).is_some(), is_in_book, "{fault}");
        let found = bench.venue.order(order.order()).await.expect("an answer");
        assert_eq!(found.is_some(), is_in_book, "{fault}: the list says the same");
        let kind = fault["kind"].as_str().expect("a name");
        assert_eq!(bench.exchange.faults().struck(kind), 1, "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_seed_and_the_same_orders_meet_the_same_faults_and_the_truth_knows_every_order() {
    let plan = json!({ "seed": 5, "faults": [
        { "kind": "accept_then_drop_reply", "probability": 0.3 },
        { "kind": "internal_error", "probability": 0.2, "carried_out": false },
        { "kind": "truncated_body", "probability": 0.2, "cut_connection": false },
    ] });
    let mut runs = Vec::new();
    for _ in 0..2 {
        let (bench, market) = start().await;
        bench.exchange.faults().set(Plan::parse(plan.to_string().as_bytes()).expect("a plan"));
        let (mut answers, mut in_book) = (Vec::new(), Vec::new());
        for _ in 0..40 {
            let order = bench.sign(&market, RESTING);
            answers.push(matches!(bench.post(&order).await, PostAnswer::Accepted { .. }));
            in_book.push(truth(&bench, order.order()).is_some());
        }
        assert!(answers.iter().zip(&in_book).all(|(accepted, in_book)| *in_book || !accepted));
        let refused = in_book.iter().filter(|in_book| !**in_book).count();
        assert_eq!(bench.exchange.faults().struck("internal_error"), refused as u64);
        runs.push((answers, in_book, bench.exchange.faults().report()));
    }
    assert_eq!(runs[0], runs[1]);
    let accepted = runs[0].0.iter().filter(|accepted| **accepted).count();
    assert!((5..35).contains(&accepted), "{accepted} of 40 were answered as accepted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_order_is_accepted_after_its_client_has_given_up() {
    let (mut bench, market) = start().await;
    let mut events = bench.connect().await;
    inject(&bench, 1, json!({ "kind": "late_accept", "delay_ms": 12_000 }));
    let order = bench.sign(&market, RESTING);
    match bench.post(&order).await {
        PostAnswer::Unknown { reason } => assert!(reason.contains("no answer within"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(truth(&bench, order.order()), None, "the client's five seconds are over, the venue has not looked yet");
    assert_eq!(bench.venue.order(order.order()).await, Ok(None));
    assert_eq!(events.order(order.order()).await.status, VenueOrderStatus::Live);
    assert_eq!(truth(&bench, order.order()).expect("in the book").status, "LIVE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_only_post_only_orders_are_taken_for_a_while() {
    let (bench, market) = start().await;
    inject(&bench, 1, json!({ "kind": "restart", "for_ms": 0, "post_only_ms": 600_000 }));
    let taking = bench.sign(&market, RESTING);
    match bench.post(&taking).await {
        PostAnswer::Transient { code: TransientCode::PostOnlyMode, retry_after: Some(wait), .. } => {
            assert!((590..=600).contains(&wait.as_secs()), "{wait:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(truth(&bench, taking.order()), None);
    let resting = bench.sign(&market, Wish { post_only: true, ..RESTING });
    assert!(matches!(bench.post(&resting).await, PostAnswer::Accepted { .. }));
    let cancelled = bench.venue.cancel(std::slice::from_ref(resting.order())).await.expect("an answer");
    assert_eq!(cancelled.cancelled, [resting.order().clone()], "cancels are taken");
    bench.exchange.faults().set(Plan::default());
    assert!(matches!(bench.post(&taking).await, PostAnswer::Accepted { .. }), "the same bytes are taken later");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancels_and_lists_fail_as_what_they_are() {
    let (bench, market) = start().await;
    let order = bench.sign(&market, RESTING);
    bench.submit(&order).await;
    let ids = std::slice::from_ref(order.order());
    let rows = [
        (json!({ "kind": "trading_disabled", "for_ms": 0 }), 503),
        (json!({ "kind": "restart", "for_ms": 60_000, "post_only_ms": 0 }), 425),
        (json!({ "kind": "internal_error", "carried_out": false, "on": ["cancels"] }), 500),
    ];
    for (fault, right) in rows {
        inject(&bench, 1, fault.clone());
        match bench.venue.cancel(ids).await {
            Err(VenueError::Refused { status, .. }) => assert_eq!(status, right, "{fault}"),
            other => panic!("{fault}: {other:?}"),
        }
        assert_eq!(truth(&bench, order.order()).expect("known").status, "LIVE", "{fault}");
    }
    inject(&bench, 1, json!({ "kind": "truncated_body", "cut_connection": false, "on": ["reads"] }));
    assert!(matches!(bench.venue.open_orders().await, Err(VenueError::Unreadable(_))));
    assert_eq!(bench.venue.open_orders().await.expect("a list").orders.len(), 1, "never half a list");
    inject(&bench, 1, json!({ "kind": "accept_then_drop_reply", "on": ["cancels"] }));
    assert!(matches!(bench.venue.cancel(ids).await, Err(VenueError::Unreachable(_))));
    assert_eq!(truth(&bench, order.order()).expect("known").status, "CANCELED", "gone, though nobody said so");
    let again = bench.venue.cancel(ids).await.expect("an answer");
    assert_eq!(again.not_cancelled.len(), 1, "{again:?}");
}
