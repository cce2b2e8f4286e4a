//! Answers that never come, come too late, or do not say what became of an order.

use std::time::Duration;

use cockpit::domain::{DeadLetterReason, FeeSchedule, HermesState, OrderState, Usd};
use serde_json::{Value, json};

use crate::ended::Apart;
use crate::world::{ALWAYS, Kind, LONG, World, counts_posts, find, rule};

/// How long an order rests that is to be cancelled.
const SHORT: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_without_a_readable_answer_is_settled_by_evidence_alone_and_never_sent_again() {
    tokio::join!(answers_that_do_not_say(), lookups_that_fail());
}

/// Every way in which a post has no answer that says what became of it.
async fn answers_that_do_not_say() {
    use OrderState::{Cancelled, Rejected};
    let mut world = World::start(1, &[("reconcile_s = 30", "reconcile_s = 5")]).await;
    // What the desk sees of it, and how the order ends: what is in the book is cancelled when the desk ends.
    let rows = [
        ("undone", json!({ "kind": "internal_error", "carried_out": false }), "500", Rejected),
        ("busy", json!({ "kind": "overloaded", "for_ms": 0 }), "503", Rejected),
        ("failed", json!({ "kind": "internal_error", "carried_out": true }), "500", Cancelled),
        ("dropped", json!({ "kind": "accept_then_drop_reply" }), "connection lost", Cancelled),
        ("halved", json!({ "kind": "truncated_body", "cut_connection": false }), "unreadable body", Cancelled),
        ("cut", json!({ "kind": "truncated_body", "cut_connection": true }), "connection lost", Cancelled),
        ("late", json!({ "kind": "late_accept", "delay_ms": 15_000 }), "no answer within", Cancelled),
    ];
    for (name, fault, _, _) in &rows {
        // Nobody tells of it either, so that the desk has to ask.
        let silent = rule(ALWAYS, json!({ "kind": "ws_gap" }));
        world.inject(&[counts_posts(), rule(1, fault.clone()), silent]).await;
        world.wish(name, 0, Kind::Rest, LONG).await;
        world.until_struck(name, |tallies| tallies[1].struck == 1).await;
        if matches!(*name, "undone" | "busy" | "late") {
            let unknown = |state: &HermesState| find(state, name).map(|order| order.state) == Some(OrderState::Unknown);
            let state = world.until(&format!("{name} to be unknown"), unknown).await;
            assert_eq!(state.exposure.gross, at_stake(&state), "what is unknown stays reserved whole");
        }
    }
    for (name, _, _, ends) in &rows {
        if *ends == Rejected {
            world.buried(name).await;
        } else {
            world.order(name, "live", |order| order.state == OrderState::Live).await;
        }
    }
    assert_eq!(world.tallies().await[0].occasions, 1, "the last was posted since, and none again");
    world.trades("after", 0).await;

    let ended = world.finish().await;
    let never = DeadLetterReason::NeverArrived;
    ended.check(Apart { buried: &[("undone", never, 1), ("busy", never, 1)], ..Apart::default() });
    for (name, _, words, ends) in rows {
        ended.was_unknown(name, words, ends);
    }
}

/// What every order that has not ended may still cost.
/// The simulated markets charge as much as any.
fn at_stake(state: &HermesState) -> Usd {
    let alive = state.recent_orders.iter().filter(|order| !order.state.is_terminal());
    alive.map(|order| order.intent.cost(order.remaining(), FeeSchedule::DEAREST)).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancels_without_an_answer_are_asked_again_until_the_order_has_ended() {
    let mut world = World::start(1, &[("reconcile_s = 30", "reconcile_s = 300")]).await;
    let rows = [
        ("dropped", json!({ "kind": "accept_then_drop_reply", "on": ["cancels"] })),
        ("halved", json!({ "kind": "truncated_body", "cut_connection": false, "on": ["cancels"] })),
        ("undone", json!({ "kind": "internal_error", "carried_out": false, "on": ["cancels"] })),
        ("limited", json!({ "kind": "too_many_requests", "retry_after_s": 1, "on": ["cancels"] })),
        ("busy", json!({ "kind": "overloaded", "for_ms": 3_000, "on": ["cancels"] })),
    ];
    for (name, fault) in &rows {
        world.inject(&[rule(1, fault.clone()), rule(ALWAYS, json!({ "kind": "ws_gap" }))]).await;
        world.wish(name, 0, Kind::Rest, SHORT).await;
        world.order(name, "cancelled", |order| order.state == OrderState::Cancelled).await;
        assert_eq!(world.tallies().await[0].struck, 1, "{name}");
    }
    world.trades("after", 0).await;
    let ended = world.finish().await;
    ended.check(Apart::default());
    for (name, _) in rows {
        ended.was_certain(name, OrderState::Cancelled);
    }
}

/// The same, when the venue cannot be asked either at first.
async fn lookups_that_fail() {
    let mut world = World::start(1, &[("reconcile_s = 30", "reconcile_s = 5")]).await;
    let unread = |fault: Value| rule(4, fault);
    let rows = [
        ("there", json!({ "kind": "accept_then_drop_reply" })),
        ("never", json!({ "kind": "overloaded", "for_ms": 0 })),
    ];
    for (name, fault) in &rows {
        world
            .inject(&[
                rule(1, fault.clone()),
                rule(ALWAYS, json!({ "kind": "ws_gap" })),
                unread(json!({ "kind": "internal_error", "carried_out": false, "on": ["reads"] })),
                unread(json!({ "kind": "truncated_body", "cut_connection": false, "on": ["reads"] })),
                unread(json!({ "kind": "accept_then_drop_reply", "on": ["reads"] })),
            ])
            .await;
        world.wish(name, 0, Kind::Rest, LONG).await;
        world.until_struck("reads to fail", |tallies| tallies.iter().skip(2).all(|tally| tally.struck == 4)).await;
    }
    world.order("there", "live", |order| order.state == OrderState::Live).await;
    world.buried("never").await;
    world.trades("after", 0).await;
    let ended = world.finish().await;
    ended.check(Apart { buried: &[("never", DeadLetterReason::NeverArrived, 1)], ..Apart::default() });
    ended.was_unknown("there", "connection lost", OrderState::Cancelled);
    ended.was_unknown("never", "503", OrderState::Rejected);
}
