//! Refusals for now: too many requests, maintenance, a restart. The same order goes when the venue takes it, once.

use std::time::Duration;

use cockpit::domain::{HermesState, OrderState};
use serde_json::{Value, json};

use crate::ended::{Apart, Ended};
use crate::world::{Kind, LONG, World, rule};

/// An order that is cancelled while the venue is in trouble.
const SHORT: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_venue_refuses_for_now_is_sent_when_it_takes_orders_again() {
    let mut world = World::start(1, &[("reconcile_s = 30", "reconcile_s = 5")]).await;
    let limited = json!({ "kind": "too_many_requests", "retry_after_s": 4 });
    refused_for_now(&mut world, "limited", limited, "rate_limited").await;
    let disabled = json!({ "kind": "trading_disabled", "for_ms": 4_000 });
    world.wish("disabled-rests", 0, Kind::Rest, SHORT).await;
    world.order("disabled-rests", "live", |order| order.state == OrderState::Live).await;
    refused_for_now(&mut world, "disabled", disabled, "trading_disabled").await;
    let cancel_only = json!({ "kind": "cancel_only", "for_ms": 8_000 });
    world.wish("cancel-rests", 0, Kind::Rest, SHORT).await;
    world.order("cancel-rests", "live", |order| order.state == OrderState::Live).await;
    refused_for_now(&mut world, "cancel", cancel_only, "cancel_only").await;
    for name in ["disabled-rests", "cancel-rests"] {
        world.order(name, "cancelled", |order| order.state == OrderState::Cancelled).await;
    }
    let ended = world.finish().await;
    ended.check(Apart::default());
    for name in ["limited-1", "disabled-1", "cancel-1", "limited-3", "disabled-3", "cancel-3"] {
        ended.was_certain(name, OrderState::Cancelled);
    }
    let resting = ended.story("cancel-rests").row.order.times.ended_at.expect("it ended");
    assert!(resting < accepted_at(&ended, "cancel-1"), "what rests is cancelled while nothing new is taken");
}

fn accepted_at(ended: &Ended, name: &str) -> cockpit::domain::Timestamp {
    ended.story(name).row.order.times.answered_at.expect("it was answered")
}

/// An order meets the fault; the desk says why it waits, holds back two more, and each is taken in the end.
async fn refused_for_now(world: &mut World, name: &str, fault: Value, code: &str) {
    world.inject(&[rule(1, fault)]).await;
    world.wish(&format!("{name}-1"), 0, Kind::Rest, LONG).await;
    let says = |state: &HermesState| state.trouble.as_ref().is_some_and(|words| words.contains(code));
    world.until(&format!("the desk to say {code}"), says).await;
    for number in 2..=3 {
        world.wish(&format!("{name}-{number}"), 0, Kind::Rest, LONG).await;
    }
    for number in 1..=3 {
        world.order(&format!("{name}-{number}"), "live", |order| order.state == OrderState::Live).await;
    }
    assert_eq!(world.tallies().await[0].struck, 1);
    world.trades(&format!("{name}-after"), 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_post_only_orders_go_first_and_the_others_when_the_venue_says() {
    let mut world = World::start(1, &[("reconcile_s = 30", "reconcile_s = 5")]).await;
    world.inject(&[rule(1, json!({ "kind": "restart", "for_ms": 2_000, "post_only_ms": 8_000 }))]).await;
    world.wish("taking", 0, Kind::Take, LONG).await;
    let says = |state: &HermesState| state.trouble.as_ref().is_some_and(|words| words.contains("restarting"));
    world.until("the desk to say why", says).await;
    world.wish("resting", 0, Kind::PostOnly, LONG).await;
    world.order("resting", "live", |order| order.state == OrderState::Live).await;
    world.order("taking", "filled", |order| order.state == OrderState::Filled).await;
    world.trades("after", 0).await;
    let ended = world.finish().await;
    ended.check(Apart::default());
    ended.was_certain("resting", OrderState::Cancelled);
    ended.was_certain("taking", OrderState::Filled);
    assert!(accepted_at(&ended, "resting") < accepted_at(&ended, "taking"), "only post-only orders are taken at first");
}
