//! A desk that trades, whose limits are tightened one after the other: each control denies, and `cockpit signals --why` tells of it
//! with value and limit. At the end a loss beyond its limit kills.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;

#[path = "support/desk.rs"]
mod desk;

use desk::{Home, Sim, eventually, json, ok};

/// Longer than a roll of the market on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);

/// Which limit is set to what, which control denies by it, and what it says is allowed.
const ROWS: [(&str, &str, &str); 13] = [
    ("order_size=5", "order_size", "up to 5 shares"),
    ("order_notional=1", "order_notional", "1 pUSD"),
    ("price_collar=0", "price_collar", "0"),
    ("position_cap=1", "position_cap", "1 shares"),
    ("market_cap=1", "market_cap", "1 shares"),
    ("market_loss=0.01", "market_loss", "0.01 pUSD"),
    ("strategy_exposure=0.01", "strategy_exposure", "0.01 pUSD"),
    ("gross_exposure=0.01", "gross_exposure", "0.01 pUSD"),
    ("strategy_rate=1", "order_rate", "1"),
    ("blackout_s=3600", "blackout", "3600"),
    ("data_age_ms=100", "stale_data", "100 ms"),
    ("reduce_only=true", "trading_state", "active"),
    ("repeated_executions=1", "repeated_execution", "1"),
];

/// What was denied lately, by id and in words.
fn denied(home: &Home) -> Vec<(String, String)> {
    let records = json(home, &["signals", "--denied", "--json", "--limit", "1000"]);
    let text = |record: &Value, field: &str| record[field].as_str().unwrap_or_default().to_owned();
    records.as_array().expect("a list").iter().map(|record| (text(record, "id"), text(record, "why"))).collect()
}

/// Sets a limit, waits for a denial by `control` that was not there before, and reads why; then the limit is as before.
fn denies(home: &Home, change: &str, control: &str, allowed: &str) {
    let name = change.split('=').next().expect("a name");
    let before = ok(home, &["params", "get", "risk", name]);
    let known: HashSet<String> = denied(home).into_iter().map(|(id, _)| id).collect();
    ok(home, &["params", "set", "risk", change, "--why", "to be denied"]);
    let (id, words) = eventually(&format!("a denial by {control}"), PATIENCE, || {
        denied(home).into_iter().find(|(id, why)| !known.contains(id) && why.contains(&format!(" {control}: ")))
    });
    assert!(words.contains(allowed), "'{allowed}' is allowed: {words}");
    let why = ok(home, &["signals", "--why", &id]);
    assert!(why.contains(control) && why.contains("threshold") && why.contains("momentum"), "{why}");
    ok(home, &["params", "set", "risk", &format!("{name}={}", before.trim()), "--why", "as before", "--confirm"]);
}

#[test]
fn each_control_denies_with_value_and_limit_and_a_loss_beyond_its_limit_kills() {
    let sim = Sim::start("3");
    let home = Home::new("memory://", &sim);
    home.edit("threshold = \"0.0001\"", "threshold = \"0.00002\"");
    home.edit("min_edge = \"0\"", "min_edge = \"-1\"");
    home.edit("cooldown_s = 5", "cooldown_s = 1");
    // Each limit in its turn is the only one that is near.
    home.allow_everything();
    let mut running = home.start("run", &["run"]);
    home.wait_for("a fill", PATIENCE, |status| status["fills"].as_u64() > Some(0));
    for (change, control, allowed) in ROWS {
        denies(&home, change, control, allowed);
    }
    // The last one has halted the strategy: only a person's arming lets it go on. The taker fees alone are a loss.
    ok(&home, &["params", "set", "risk", "daily_drawdown=0.01", "--why", "to be killed"]);
    let status = home.wait_for("the kill", PATIENCE, |status| status["kill"]["state"] == "killed");
    let why = status["kill"]["why"].as_str().expect("words");
    assert!(why.starts_with("daily_drawdown: ") && why.contains("limit 0.01 pUSD below the day's peak"), "{why}");
    let refused = eventually("the arming to be refused for the loss alone", PATIENCE, || {
        let output = home.run(&["arm", "--why", "too early"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "armed although the loss lasts");
        told.contains("daily_drawdown").then_some(told)
    });
    assert!(refused.contains("widen the limit"), "{refused}");
    assert_eq!(running.stop(), 0);
}
