//! Limits changed while the desk trades: tighter at once, wider only when it is confirmed, remembered by the ledger.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use serde_json::Value;

#[path = "support/desk.rs"]
mod desk;
#[path = "support/mod.rs"]
mod support;

use desk::{Home, Sim, eventually, json, ok};
use support::redis_server::RedisServer;

const PATIENCE: Duration = Duration::from_secs(90);

/// Standard error of a command that must be refused.
fn refused(home: &Home, args: &[&str]) -> String {
    let output = home.run(args);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(5), "{args:?}: {stderr}");
    stderr
}

/// Waits until a limit is shown with this value.
fn shown(home: &Home, name: &str, value: &str) {
    eventually(&format!("{name} = {value}"), PATIENCE, || {
        let output = home.run(&["params", "get", "risk", name]);
        (output.status.success() && output.stdout == format!("{value}\n").into_bytes()).then_some(())
    });
}

fn whys(home: &Home) -> Vec<String> {
    let history = json(home, &["params", "history", "risk", "--json"]);
    let versions = history.as_array().expect("versions");
    versions
        .iter()
        .map(|version| format!("{}: {}", version["by"].as_str().unwrap_or("?"), version["why"].as_str().unwrap_or("?")))
        .collect()
}

/// A desk that signals often.
fn eager(bus: &str, sim: &Sim) -> Home {
    let home = Home::new(bus, sim);
    home.edit("threshold = \"0.0001\"", "threshold = \"0.00002\"");
    home.edit("min_edge = \"0\"", "min_edge = \"-1\"");
    home.edit("cooldown_s = 5", "cooldown_s = 1");
    home
}

fn wait_until_it_trades(home: &Home) {
    home.wait_for("a signal", PATIENCE, |status| {
        status["signals"]["emitted"].as_u64() > Some(0) && status["daemons"]["hermes"]["up"] == true
    });
}

fn denied_with(home: &Home, limit: &str) {
    eventually(&format!("a denial by {limit}"), PATIENCE, || {
        let signals = json(home, &["signals", "--json", "--limit", "1000"]);
        let denied = |record: &Value| {
            record["kind"] == "denied" && record["why"].as_str().is_some_and(|why| why.contains(limit))
        };
        signals.as_array().expect("a list").iter().any(denied).then_some(())
    });
}

#[test]
fn limits_change_while_a_desk_on_redis_trades_and_outlive_its_death() {
    let redis = RedisServer::start();
    let sim = Sim::start("3");
    let home = eager(&redis.url(), &sim);
    let mut running = home.start("run", &["run"]);
    wait_until_it_trades(&home);

    let ack =
        json(&home, &["params", "set", "risk", "order_size=5", "--why", "a quiet night", "--expect", "1", "--json"]);
    assert_eq!(
        (&ack["verdict"]["verdict"], &ack["version"], &ack["by"]),
        (&"applied".into(), &2.into(), &"hermes".into()),
        "{ack}"
    );
    denied_with(&home, "order_size: 20 shares (limit above 0, up to 5 shares)");
    shown(&home, "order_size", "5");

    let why = refused(&home, &["params", "set", "risk", "order_size=50", "open_orders=10", "--why", "back"]);
    for told in ["order_size 5 -> 50 widens a limit", "--confirm", "version 2 stays in force"] {
        assert!(why.contains(told), "no '{told}' in {why}");
    }
    let why = refused(&home, &["params", "rollback", "risk", "1", "--why", "back"]);
    assert!(why.contains("order_size 5 -> 100 widens a limit"), "{why}");
    let why = refused(&home, &["params", "set", "risk", "open_orders=0", "--why", "none"]);
    assert!(why.contains("open_orders = 0: allowed: a whole number from 1 to 10000"), "{why}");
    let set = ["params", "set", "risk", "order_size=50", "--why", "back", "--confirm"];
    assert_eq!(ok(&home, &set), "risk: version 3 is in force at hermes\n");
    shown(&home, "order_size", "50");

    ok(&home, &["params", "set", "risk", "reduce_only=true", "--why", "off for lunch"]);
    home.wait_for("the desk to reduce", PATIENCE, |status| status["trading_state"] == "reducing");
    assert!(
        refused(&home, &["params", "set", "risk", "reduce_only=false", "--why", "x"])
            .contains("reduce_only true -> false")
    );

    running.kill_hard();
    let mut again = home.start("again", &["run"]);
    home.wait_for("the desk to reduce still", PATIENCE, |status| {
        status["trading_state"] == "reducing" && status["daemons"]["athena"]["up"] == true
    });
    shown(&home, "reduce_only", "true");
    // The one that died still has the lease for a moment; asked again, the same change makes no second version.
    eventually("the next Hermes to answer", PATIENCE, || {
        let output = home.run(&["params", "set", "risk", "reduce_only=false", "--why", "back again", "--confirm"]);
        output.status.success().then_some(())
    });
    home.wait_for("the desk to trade", PATIENCE, |status| status["trading_state"] == "active");
    assert_eq!(again.stop(), 0);

    home.edit("market_loss = \"150\"", "market_loss = \"140\"");
    home.edit("daily_loss = \"150\"", "daily_loss = \"170\"");
    let mut last = home.start("last", &["run"]);
    shown(&home, "market_loss", "140");
    shown(&home, "order_size", "50");
    // What would widen a limit waits for a person, in the file as well.
    shown(&home, "daily_loss", "150");
    let confirm = ["params", "set", "risk", "daily_loss=170", "--why", "as in the file", "--confirm"];
    assert_eq!(ok(&home, &confirm), "risk: version 7 is in force at hermes\n");
    shown(&home, "daily_loss", "170");
    let told = whys(&home);
    let by_people: Vec<&str> = told.iter().filter_map(|why| why.split_once(": ").map(|(_, why)| why)).collect();
    assert_eq!(
        by_people,
        [
            "the first start",
            "a quiet night",
            "back",
            "off for lunch",
            "back again",
            "the configuration file changed",
            "as in the file",
        ]
    );
    assert!(told[0].starts_with("config file") && told[1].starts_with("cli:"), "{told:?}");
    assert_eq!(last.stop(), 0);
    let audit = json(&home, &["audit", "verify", "--json"]);
    assert_eq!(audit["differences"], Value::Array(Vec::new()), "{audit}");
}

#[test]
fn limits_change_over_the_socket_of_an_embedded_desk() {
    let sim = Sim::start("3");
    let home = eager("memory://", &sim);
    let mut running = home.start("run", &["run"]);
    wait_until_it_trades(&home);
    let list = ok(&home, &["params", "list", "risk"]);
    assert!(list.contains("reduce_only") && list.contains("lower is tighter"), "{list}");
    assert_eq!(
        ok(&home, &["params", "set", "risk", "gross_exposure=0", "--why", "stop buying"]),
        "risk: version 2 is in force at hermes\n"
    );
    denied_with(&home, "(limit 0 pUSD)");
    assert!(refused(&home, &["params", "rollback", "risk", "1", "--why", "x"]).contains("gross_exposure 0 -> 500"));
    assert_eq!(
        ok(&home, &["params", "rollback", "risk", "1", "--why", "x", "--confirm"]),
        "risk: version 3 is in force at hermes\n"
    );
    assert_eq!(
        ok(&home, &["params", "set", "risk", "markets=", "--why", "stop"]),
        "risk: version 4 is in force at hermes\n",
        "the tightest list there is"
    );
    shown(&home, "markets", "");
    denied_with(&home, "(limit no market may be traded)");
    let why = refused(&home, &["params", "set", "risk", "order_size=", "--why", "x"]);
    assert!(why.contains("order_size = : allowed: a decimal"), "{why}");
    assert_eq!(running.stop(), 0);
}
