//! `cockpit sim --faults FILE`.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

const PATIENCE: Duration = Duration::from_mins(1);

fn sim(folder: &std::path::Path, plan: &Value) -> Child {
    let file = folder.join("faults.json");
    std::fs::write(&file, plan.to_string()).expect("written");
    Command::new(env!("CARGO_BIN_EXE_cockpit"))
        .args(["sim", "--json", "--faults"])
        .arg(&file)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("starts")
}

#[tokio::test]
async fn the_plan_in_the_file_is_in_force_from_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = sim(folder.path(), &json!({ "seed": 4, "faults": [{ "kind": "ws_gap", "probability": 0.01 }] }));
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let line =
        tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("in time").expect("read").expect("a line");
    let document: Value = serde_json::from_str(&line).expect("JSON");
    let truth = document["truth"].as_str().expect("an address");
    let report: Value = reqwest::get(format!("{truth}/faults")).await.expect("answers").json().await.expect("JSON");
    assert_eq!((&report["seed"], &report["faults"][0]["kind"]), (&json!(4), &json!("ws_gap")));
    child.kill().await.expect("ended");
}

#[tokio::test]
async fn a_plan_that_is_not_right_is_refused_before_anything_is_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = sim(folder.path(), &json!({ "faults": [{ "kind": "ws_gap", "probability": -1 }] }));
    let status = tokio::time::timeout(PATIENCE, child.wait()).await.expect("in time").expect("waited for");
    let (mut said, mut printed) = (String::new(), String::new());
    child.stderr.take().expect("piped").read_to_string(&mut said).await.expect("read");
    child.stdout.take().expect("piped").read_to_string(&mut printed).await.expect("read");
    assert!(!status.success() && printed.is_empty(), "{status}: {printed}");
    assert!(said.contains("faults.json") && said.contains("faults[0].probability '-1'"), "{said}");
}
