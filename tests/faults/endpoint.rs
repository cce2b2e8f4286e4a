//! Setting faults over HTTP.

use std::time::Duration;

use cockpit::sim::{Running, Settings, start};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);

async fn venue() -> Running {
    start(Settings { speed: 1.0, seed: 1, history: None, port: 0 }).await.expect("starts")
}

async fn get(running: &Running, path: &str) -> Value {
    let answer = reqwest::get(format!("{}{path}", running.endpoints.truth)).await.expect("answers");
    answer.json().await.expect("JSON")
}

async fn post(running: &Running, plan: &Value) -> (u16, Value) {
    let request = reqwest::Client::new().post(format!("{}/faults", running.endpoints.truth)).timeout(PATIENCE);
    let answer = request.body(plan.to_string()).send().await.expect("answers");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn a_plan_is_replaced_whole_shown_with_its_counts_and_refused_when_it_is_not_right() {
    let running = venue().await;
    assert_eq!(get(&running, "/faults").await, json!({ "seed": 0, "faults": [] }));

    let rule = json!({ "kind": "accept_then_drop_reply", "probability": 0.5, "limit": 3 });
    let (status, in_force) = post(&running, &json!({ "seed": 9, "faults": [rule] })).await;
    let shown = json!({ "kind": "accept_then_drop_reply", "on": ["orders"], "probability": 0.5, "limit": 3,
        "occasions": 0, "struck": 0 });
    assert_eq!((status, &in_force), (200, &json!({ "seed": 9, "faults": [shown] })));
    assert_eq!(get(&running, "/faults").await, in_force);

    let bad = json!({ "faults": [{ "kind": "accept_then_drop_reply", "probability": 2 }] });
    let (status, refusal) = post(&running, &bad).await;
    let words = "fault plan: faults[0].probability '2' is not a number from 0 to 1";
    assert_eq!((status, refusal), (400, json!({ "error": words })));
    assert_eq!(get(&running, "/faults").await, in_force, "a bad plan changes nothing");

    assert_eq!(post(&running, &json!({ "faults": [] })).await.1, json!({ "seed": 0, "faults": [] }));
    assert_eq!(running.faults.report().faults, []);
    running.stop().await;
}
