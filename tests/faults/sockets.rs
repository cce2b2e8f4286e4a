//! The account's socket: events that come twice, late or never.

use std::time::Duration;

use cockpit::domain::{OrderId, Side, TimeInForce};
use cockpit::exec::venue::{ExecutionVenue, UserEvent};
use rust_decimal::dec;
use serde_json::json;

use crate::bench::{Bench, Events, Wish, wish};
use crate::replies::{RESTING, inject, start};

async fn connected() -> (Bench, cockpit::domain::Market, Events) {
    let (mut bench, market) = start().await;
    let events = bench.connect().await;
    (bench, market, events)
}

async fn next_order(events: &mut Events) -> OrderId {
    match events.next().await {
        UserEvent::Order(order) => order.order,
        other => panic!("{other:?}"),
    }
}

/// Puts an order to rest; gives its id.
async fn rest(bench: &Bench, market: &cockpit::domain::Market) -> OrderId {
    let order = bench.sign(market, RESTING);
    bench.submit(&order).await;
    order.order().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_duplicate_is_the_same_event_again() {
    let (bench, market, mut events) = connected().await;
    inject(&bench, 2, json!({ "kind": "ws_duplicate" }));
    let taking = bench.sign(&market, Wish { tif: TimeInForce::Fak, ..wish(Side::Buy, dec!(0.60), dec!(20)) });
    bench.submit(&taking).await;
    let seen = [events.next().await, events.next().await, events.next().await, events.next().await];
    assert_eq!((&seen[0], &seen[2]), (&seen[1], &seen[3]));
    assert!(matches!((&seen[0], &seen[2]), (UserEvent::Order(_), UserEvent::Fill(_))), "{seen:?}");
    let fills = bench.venue.fills(bench.began).await.expect("a list").fills;
    assert_eq!(fills.len(), 1, "there is one trade");
    assert_eq!(bench.exchange.truth().trades.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_event_comes_after_those_that_happened_later() {
    let (bench, market, mut events) = connected().await;
    inject(&bench, 1, json!({ "kind": "ws_reorder", "delay_ms": 10_000 }));
    let (first, second) = (rest(&bench, &market).await, rest(&bench, &market).await);
    assert_eq!(next_order(&mut events).await, second);
    assert_eq!(next_order(&mut events).await, first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_event_is_found_in_the_list_only() {
    let (bench, market, mut events) = connected().await;
    inject(&bench, 1, json!({ "kind": "ws_gap" }));
    let (lost, told) = (rest(&bench, &market).await, rest(&bench, &market).await);
    assert_eq!(next_order(&mut events).await, told);
    let open: Vec<OrderId> =
        bench.venue.open_orders().await.expect("a list").orders.into_iter().map(|order| order.order).collect();
    assert_eq!(open, [lost, told]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_socket_loses_what_happens_until_it_is_over() {
    let (bench, market, mut events) = connected().await;
    inject(&bench, 1, json!({ "kind": "ws_stall", "for_ms": 3_000, "pong": true }));
    let mut rested = vec![rest(&bench, &market).await, rest(&bench, &market).await];
    // The silence begins with the first event; the first event after it is that of an order from then on.
    let seen = loop {
        tokio::select! {
            seen = next_order(&mut events) => break seen,
            () = tokio::time::sleep(Duration::from_millis(250)) => {
                rested.push(rest(&bench, &market).await);
                assert!(rested.len() < 200, "it never ends");
            }
        }
    };
    let lost = rested.iter().position(|order| *order == seen).expect("one of ours");
    assert!(lost >= 2, "only {lost} events are missing");
    rested.push(rest(&bench, &market).await);
    for later in &rested[lost + 1..] {
        assert_eq!(next_order(&mut events).await, *later, "from then on none is missing");
    }
    assert_eq!(bench.exchange.faults().struck("ws_stall"), 1);
    assert_eq!(bench.venue.open_orders().await.expect("a list").orders.len(), rested.len(), "the list has them all");
}
