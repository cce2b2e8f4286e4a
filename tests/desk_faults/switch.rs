//! The dead man's switch: a chain of ids that breaks, and a venue that sweeps although it was fed.

use std::time::Duration;

use cockpit::domain::{HermesState, OrderState, TradingState};
use serde_json::json;

use crate::ended::Apart;
use crate::world::{ALWAYS, Kind, LONG, World, rule};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_chain_is_repaired_and_a_sweep_is_found_although_nobody_tells_of_it() {
    // Too seldom to find anything by itself.
    let edits = [("heartbeat_s = 5", "heartbeat_s = 1"), ("reconcile_s = 30", "reconcile_s = 300")];
    let mut world = World::start(1, &edits).await;
    world.wish("kept", 0, Kind::Rest, LONG).await;
    world.order("kept", "live", |order| order.state == OrderState::Live).await;
    world.inject(&[rule(1, json!({ "kind": "stale_heartbeat_id" }))]).await;
    // The refused beat, its repetition, and others after it.
    world.until_struck("the chain to go on", |tallies| tallies[0].struck == 1 && tallies[0].occasions >= 4).await;
    let state = world.until("the desk to trade", |state| state.trading_state == TradingState::Active).await;
    assert_eq!(state.orders.open, 1, "nothing was swept");

    let lapse = rule(1, json!({ "kind": "heartbeat_lapse" }));
    world.inject(&[lapse, rule(ALWAYS, json!({ "kind": "ws_gap" }))]).await;
    let order = world.order("kept", "swept", |order| order.state == OrderState::Cancelled).await;
    assert!(order.reason.is_some(), "it says why: {order:?}");
    world.trades("after", 0).await;
    let lasting = |state: &HermesState| state.trading_state == TradingState::Active && state.orders.open == 0;
    world.until("the desk to trade", lasting).await;
    let ended = world.finish().await;
    ended.check(Apart::default());
    ended.was_unknown("kept", "heartbeat", OrderState::Cancelled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_venue_that_takes_no_heartbeat_at_all_stops_the_desk_until_it_does() {
    let mut world = World::start(1, &[("heartbeat_s = 5", "heartbeat_s = 1")]).await;
    world.wish("doubted", 0, Kind::Rest, LONG).await;
    world.order("doubted", "live", |order| order.state == OrderState::Live).await;
    world
        .inject(&[rule(ALWAYS, json!({ "kind": "internal_error", "carried_out": false, "on": ["heartbeats"] }))])
        .await;
    let says = |state: &HermesState| state.trouble.as_ref().is_some_and(|words| words.contains("heartbeat"));
    world.until("the desk to say why", says).await;
    // Waits for the venue to hear of it, and is not lost.
    world.wish("waiting", 0, Kind::Take, Duration::from_mins(5)).await;
    world.order("doubted", "swept", |order| order.state == OrderState::Cancelled).await;
    assert_eq!(world.at_venue("waiting").await, None, "nothing is sent meanwhile");
    world.inject(&[]).await;
    world.order("waiting", "filled", |order| order.state == OrderState::Filled).await;
    world.trades("after", 0).await;
    let ended = world.finish().await;
    ended.check(Apart::default());
}
