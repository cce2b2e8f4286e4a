//! The real binary against the simulated venues: one process, no bus server.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use serde_json::Value;

#[path = "support/desk.rs"]
mod desk;

use desk::{Home, Sim, assert_books_equal_truth, decimal};

/// Longer than a roll of the market on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);

#[test]
fn a_headless_desk_trades_and_its_books_equal_the_venue() {
    let sim = Sim::start("3");
    let home = Home::new("memory://", &sim);
    desk::away_from_the_roll(Duration::from_secs(65));
    let output = home.run(&["run", "--for", "45s", "--json"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let status: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    let count = |path: &str| status.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("{path}: {status}"));
    assert!(count("/ticks/received") > 500, "{status}");
    assert_eq!(count("/ticks/rejected"), 0, "{status}");
    assert!(count("/signals/emitted") > 0, "{status}\n{stderr}");
    assert!(count("/fills") > 0, "{status}\n{stderr}");
    assert_eq!(count("/orders/rejected"), 0, "{status}\n{stderr}");
    assert_eq!(count("/orders/unknown"), 0, "{status}\n{stderr}");
    assert_eq!(count("/orders/open"), 0, "a graceful stop leaves nothing resting: {status}");
    assert_eq!(count("/dlq"), 0, "{status}\n{stderr}");
    assert_eq!(count("/kill/open_orders"), 0, "as the venue reported last: {status}");
    assert_eq!((&status["trading_state"], &status["kill"]["state"]), (&"active".into(), &"armed".into()), "{status}");
    let pnl = &status["pnl"];
    assert_eq!(
        decimal(&pnl["total"]),
        decimal(&pnl["realised"]) + decimal(&pnl["unrealised"]) - decimal(&pnl["fees"]),
        "{pnl}"
    );
    assert!(count("/latency_us/tick_to_order/p99") > 0, "{status}");
    assert_books_equal_truth(&status, &sim);
    an_order_tells_all_ten_stages(&home);
}

/// Of an order that the desk has just filled, and whose trade is confirmed.
fn an_order_tells_all_ten_stages(home: &Home) {
    const STAGES: [&str; 10] =
        ["tick", "signal", "consume", "gate", "sign", "commit", "sent", "answered", "matched", "confirmed"];
    let told = |args: &[&str]| -> Value {
        let output = home.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let orders = told(&["orders", "--state", "filled", "--json"]);
    let ids = orders.as_array().expect("a list").iter().filter_map(|order| order["order"].as_str());
    let whole = |waterfall: &Value| {
        let steps = waterfall.as_array().expect("a list");
        let mut names: Vec<_> = steps.iter().map(|step| step["step"].as_str().expect("a name")).collect();
        // The account's socket may tell the match before the answer has come.
        if let Some(at) = names.windows(2).position(|two| two == ["matched", "answered"]) {
            names.swap(at, at + 1);
        }
        names == STAGES && steps.iter().all(|step| step["took_us"].as_i64() >= Some(0))
    };
    let stories: Vec<_> = ids.map(|id| told(&["orders", "--why", id, "--json"])["waterfall"].clone()).collect();
    assert!(stories.iter().any(whole), "no filled order has all ten stages, in order: {stories:?}");
}

#[test]
fn a_kill_from_another_terminal_clears_the_venue_and_survives_a_restart() {
    let sim = Sim::start("3");
    let home = Home::new("memory://", &sim);
    // Larger than what rests at the best price, and no further: the rest of each order stays in the book.
    home.edit("\nsize = \"20\"", "\nsize = \"400\"");
    home.edit("slippage = \"0.01\"", "slippage = \"0\"");
    home.edit("rest_s = 15", "rest_s = 600");
    home.allow_everything();
    let mut running = home.start("run", &["run"]);
    home.wait_for("open orders", PATIENCE, |status| {
        status["orders"]["open"].as_u64() > Some(0) && sim.truth()["open_orders"].as_u64() > Some(0)
    });
    let output = home.run(&["kill", "--why", "test"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let killed = home.status().expect("the desk answers");
    assert_eq!(killed["kill"]["state"], "killed", "{killed}");
    assert_eq!(killed["kill"]["why"], "test", "{killed}");
    assert_eq!(killed["trading_state"], "halted", "{killed}");
    assert_eq!(killed["kill"]["open_orders"], 0, "{killed}");
    let truth = sim.truth();
    assert_eq!(truth["open_orders"], 0, "{truth}");

    running.kill_hard();
    let mut running = home.start("again", &["run"]);
    let status = home.wait_for("the restart", PATIENCE, |status| status["daemons"]["hermes"]["up"] == true);
    assert_eq!(status["kill"]["state"], "killed", "{status}");
    let before = status["orders"]["sent"].clone();
    home.wait_for("fresh ticks", PATIENCE, |status| status["ticks"]["received"].as_u64() > Some(500));
    let still = home.status().expect("the desk answers");
    assert_eq!(still["orders"]["sent"], before, "a killed desk sent an order: {still}");

    let armed = desk::eventually("arm to be allowed", PATIENCE, || {
        let output = home.run(&["arm", "--why", "test over"]);
        output.status.success().then_some(output)
    });
    assert!(armed.status.success());
    home.wait_for("trading", PATIENCE, |status| status["orders"]["sent"].as_u64() > before.as_u64());
    assert_eq!(running.stop(), 0);
}
