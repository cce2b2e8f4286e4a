//! One row for every fault: what the venue client makes of an order, of a cancel and of a beat while it strikes each time.

use std::collections::BTreeSet;

use cockpit::domain::Side;
use cockpit::exec::venue::{CancelAnswer, ExecutionVenue, PostAnswer, VenueError};
use cockpit::sim::faults::{Fault, Plan};
use rust_decimal::dec;
use serde_json::{Value, json};

use crate::bench::wish;
use crate::replies::{RESTING, start};

/// The classes of an order (a purchase, or when that is taken the sale of what it bought), of a cancel and of a beat.
type Row = [&'static str; 3];

const DONE: Row = ["accepted", "cancelled", "ok"];

/// The row of a fault. A new kind does not compile without one.
fn row(fault: &Fault) -> Row {
    match fault {
        Fault::AcceptThenDropReply { .. } | Fault::TruncatedBody { cut_connection: true, .. } => {
            ["unknown", "unreachable", "unreachable"]
        }
        Fault::TruncatedBody { cut_connection: false, .. } => ["unknown", "unreadable", "unreadable"],
        Fault::LateAccept { .. } => ["unknown", "cancelled", "ok"],
        Fault::Restart { for_ms: 0, .. } => ["transient post_only_mode", "cancelled", "ok"],
        Fault::Restart { .. } => ["transient restarting", "refused 425", "ok"],
        Fault::TooManyRequests { .. } => ["transient rate_limited", "refused 429", "refused 429"],
        Fault::InternalError { .. } => ["unknown", "refused 500", "refused 500"],
        Fault::TradingDisabled { .. } => ["transient trading_disabled", "refused 503", "ok"],
        Fault::CancelOnly { .. } => ["transient cancel_only", "cancelled", "ok"],
        Fault::Overloaded { .. } => ["unknown", "refused 503", "refused 503"],
        Fault::HeartbeatLapse {} => ["accepted", "cancelled", "unreachable"],
        Fault::StaleHeartbeatId {} => ["accepted", "cancelled", "broken"],
        Fault::WsDuplicate { .. }
        | Fault::WsReorder { .. }
        | Fault::WsStall { .. }
        | Fault::WsGap { .. }
        | Fault::SettlementFailed { .. }
        | Fault::SettlementRetried { .. } => DONE,
        Fault::CancelRace { .. } => ["accepted", "not cancelled", "ok"],
        Fault::TickChange { .. } => ["rejected tick", "cancelled", "ok"],
        Fault::MarketClose {} => ["rejected market_not_accepting", "not cancelled", "ok"],
        Fault::BalanceLag { .. } => ["rejected balance", "cancelled", "ok"],
    }
}

/// Faults that strike whatever is asked of the REST API.
fn samples() -> Vec<Value> {
    let on = json!(["orders", "cancels", "heartbeats"]);
    vec![
        json!({ "kind": "accept_then_drop_reply", "on": on }),
        json!({ "kind": "late_accept", "delay_ms": 6_000 }),
        json!({ "kind": "restart", "for_ms": 90_000, "post_only_ms": 0 }),
        json!({ "kind": "restart", "for_ms": 0, "post_only_ms": 600_000 }),
        json!({ "kind": "too_many_requests", "retry_after_s": 7, "on": on }),
        json!({ "kind": "internal_error", "carried_out": false, "on": on }),
        json!({ "kind": "internal_error", "carried_out": true, "on": on }),
        json!({ "kind": "trading_disabled", "for_ms": 600_000 }),
        json!({ "kind": "cancel_only", "for_ms": 600_000 }),
        json!({ "kind": "overloaded", "for_ms": 600_000, "on": on }),
        json!({ "kind": "truncated_body", "cut_connection": false, "on": on }),
        json!({ "kind": "truncated_body", "cut_connection": true, "on": on }),
        json!({ "kind": "heartbeat_lapse" }),
        json!({ "kind": "stale_heartbeat_id" }),
        json!({ "kind": "ws_duplicate" }),
        json!({ "kind": "ws_reorder", "delay_ms": 100 }),
        json!({ "kind": "ws_stall", "for_ms": 600_000, "pong": true }),
        json!({ "kind": "ws_gap" }),
        json!({ "kind": "cancel_race", "part": "1" }),
        json!({ "kind": "settlement_failed", "retries": 1 }),
        json!({ "kind": "settlement_retried", "retries": 1 }),
        json!({ "kind": "tick_change", "tick_size": "0.1" }),
        json!({ "kind": "market_close" }),
        json!({ "kind": "balance_lag", "for_ms": 600_000 }),
    ]
}

/// Every kind that a plan may have, in the simulator's own words.
fn kinds() -> BTreeSet<String> {
    let refused = serde_json::from_value::<Fault>(json!({ "kind": "?" })).expect_err("no such kind").to_string();
    let (_, list) = refused.split_once("expected one of ").expect("a list");
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn posted(answer: &PostAnswer) -> String {
    match answer {
        PostAnswer::Accepted { .. } => "accepted".to_owned(),
        PostAnswer::Rejected { code, .. } => format!("rejected {code}"),
        PostAnswer::Transient { code, .. } => format!("transient {code}"),
        PostAnswer::Unknown { .. } => "unknown".to_owned(),
        other => panic!("{other:?}"),
    }
}

fn failed(error: &VenueError) -> String {
    match error {
        VenueError::Unreachable(_) => "unreachable".to_owned(),
        VenueError::Unreadable(_) => "unreadable".to_owned(),
        VenueError::Refused { status, .. } => format!("refused {status}"),
        VenueError::HeartbeatBroken(_) => "broken".to_owned(),
        other => panic!("{other:?}"),
    }
}

fn cancelled(answer: &Result<CancelAnswer, VenueError>) -> String {
    match answer {
        Ok(answer) if answer.not_cancelled.is_empty() => "cancelled".to_owned(),
        Ok(_) => "not cancelled".to_owned(),
        Err(error) => failed(error),
    }
}

async fn meet(sample: &Value) -> [String; 3] {
    let (bench, market) = start().await;
    bench.venue.heartbeat().await.expect("arms the switch");
    let rests = bench.sign(&market, RESTING);
    bench.submit(&rests).await;
    let mut rule = sample.clone();
    rule.as_object_mut().expect("an object").extend([("probability".to_owned(), json!(1))]);
    let plan = json!({ "seed": 1, "faults": [rule] }).to_string();
    bench.exchange.faults().set(Plan::parse(plan.as_bytes()).expect("a plan"));
    // What strikes an order that was taken shows with the next one.
    let taking = bench.sign(&market, wish(Side::Buy, dec!(0.60), dec!(20)));
    let mut answer = bench.post(&taking).await;
    if matches!(answer, PostAnswer::Accepted { .. }) {
        let selling = bench.sign(&market, wish(Side::Sell, dec!(0.61), dec!(10)));
        answer = bench.post(&selling).await;
    }
    let order = posted(&answer);
    let cancel = cancelled(&bench.venue.cancel(std::slice::from_ref(rests.order())).await);
    let beat = bench.venue.heartbeat().await.map_or_else(|error| failed(&error), |()| "ok".to_owned());
    [order, cancel, beat]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_has_its_row() {
    let faults: Vec<(Value, Fault)> = samples()
        .into_iter()
        .map(|sample| (sample.clone(), serde_json::from_value(sample).expect("a fault")))
        .collect();
    let tried: BTreeSet<String> = faults.iter().map(|(_, fault)| fault.kind().to_owned()).collect();
    assert_eq!(tried, kinds(), "a sample for every kind");
    // Some wait for seconds: all of them at once.
    let met = futures::future::join_all(faults.iter().map(|(sample, _)| meet(sample))).await;
    let wrong: Vec<_> = faults.iter().zip(met).filter(|((_, fault), met)| row(fault) != *met).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
