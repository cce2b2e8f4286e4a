//! Everything at once, as on a bad day.

use std::time::Duration;

use cockpit::domain::DeadLetterReason;
use serde_json::{Value, json};

use crate::world::{Kind, World};

const INTENTS: u32 = 60;
/// Between two intents: several are under way whenever something goes wrong.
const APART: Duration = Duration::from_millis(100);
/// What rests is cancelled after this, and so much more with each order, so that cancels come one by one.
const REST: Duration = Duration::from_secs(1);
const LONGER: Duration = Duration::from_millis(90);

fn plan() -> Vec<Value> {
    vec![
        json!({ "kind": "accept_then_drop_reply", "on": ["orders", "cancels", "reads"], "probability": 0.06 }),
        json!({ "kind": "truncated_body", "cut_connection": true, "on": ["orders", "cancels", "reads"], "probability": 0.03 }),
        json!({ "kind": "truncated_body", "cut_connection": false, "on": ["orders", "cancels", "reads"], "probability": 0.03 }),
        json!({ "kind": "late_accept", "delay_ms": 7_000, "probability": 0.04 }),
        json!({ "kind": "restart", "for_ms": 1_000, "post_only_ms": 2_000, "probability": 0.03, "limit": 1 }),
        json!({ "kind": "trading_disabled", "for_ms": 1_000, "probability": 0.03, "limit": 1 }),
        json!({ "kind": "cancel_only", "for_ms": 1_000, "probability": 0.03, "limit": 1 }),
        json!({ "kind": "too_many_requests", "retry_after_s": 1, "on": ["orders", "cancels"], "probability": 0.03 }),
        json!({ "kind": "internal_error", "carried_out": true, "probability": 0.04 }),
        json!({ "kind": "internal_error", "carried_out": false, "on": ["orders", "cancels", "reads"], "probability": 0.03 }),
        json!({ "kind": "overloaded", "for_ms": 0, "on": ["orders", "cancels", "reads"], "probability": 0.03 }),
        json!({ "kind": "heartbeat_lapse", "probability": 0.2, "limit": 2 }),
        json!({ "kind": "stale_heartbeat_id", "probability": 0.2 }),
        json!({ "kind": "ws_duplicate", "probability": 0.1 }),
        json!({ "kind": "ws_reorder", "delay_ms": 1_500, "probability": 0.2 }),
        json!({ "kind": "ws_gap", "probability": 0.1 }),
        json!({ "kind": "ws_stall", "for_ms": 3_000, "pong": true, "probability": 0.02, "limit": 2 }),
        json!({ "kind": "cancel_race", "part": "0.5", "probability": 0.3 }),
        json!({ "kind": "settlement_failed", "retries": 1, "probability": 0.2 }),
        json!({ "kind": "settlement_retried", "retries": 1, "probability": 0.2 }),
        json!({ "kind": "balance_lag", "for_ms": 5_000, "probability": 0.2 }),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_every_fault_at_once_no_order_is_doubled_or_lost_and_the_books_are_the_venues() {
    let edits = [("reconcile_s = 30", "reconcile_s = 3"), ("heartbeat_s = 5", "heartbeat_s = 1")];
    let mut world = World::start(3, &edits).await;
    world.inject(&plan()).await;
    for number in 0..INTENTS {
        let (kind, rest) = (if number % 3 == 0 { Kind::Take } else { Kind::Rest }, REST + LONGER * number);
        world.wish(&format!("storm-{number:02}"), usize::try_from(number % 3).expect("few"), kind, rest).await;
        tokio::time::sleep(APART).await;
    }
    let fates = u64::from(INTENTS);
    let over = |state: &cockpit::domain::HermesState| {
        let ended = state.orders.accepted + state.dlq >= fates;
        ended && state.orders.open == 0 && state.orders.unknown == 0
    };
    world.until("every order to end", over).await;
    let struck: Vec<u64> = world.tallies().await.iter().map(|tally| tally.struck).collect();
    assert!(struck.iter().filter(|struck| **struck > 0).count() >= 15, "it was a storm: {struck:?}");
    for market in 0..3 {
        world.trades(&format!("after-{market}"), market).await;
    }

    let ended = world.finish().await;
    ended.check_orders(ended.letters.len(), 0);
    ended.check_money();
    for letter in &ended.letters {
        assert_eq!((letter.reason, letter.posts > 0), (DeadLetterReason::NeverArrived, true), "{letter:?}");
    }
    let trades = ended.truth["trades"].as_array().expect("trades");
    let failed = trades.iter().filter(|trade| trade["status"] == "FAILED").count();
    assert!(failed > 0, "some of it failed on chain");
    ended.check_mismatches(&vec!["failed on chain"; failed]);
}
