//! Parameters changed while the desk trades: two who race, the next signal, and a value out of range.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use serde_json::Value;

#[path = "support/desk.rs"]
mod desk;
#[path = "params/race.rs"]
mod race;
#[path = "support/mod.rs"]
mod support;

use desk::{Home, Sim, eventually, json, ok};
use support::redis_server::RedisServer;

const PATIENCE: Duration = Duration::from_secs(90);

/// Exit code and standard error of a command that must fail.
fn fails(home: &Home, args: &[&str]) -> (i32, String) {
    let output = home.run(args);
    assert!(!output.status.success(), "{args:?} succeeded: {}", String::from_utf8_lossy(&output.stdout));
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A desk whose threshold no move reaches, until it is lowered while it runs.
fn change_while_it_trades(home: &Home) {
    home.edit("threshold = \"0.0001\"", "threshold = \"0.4\"");
    home.edit("min_edge = \"0\"", "min_edge = \"-1\"");
    let mut running = home.start("run", &["run"]);
    home.wait_for("ticks", Duration::from_mins(1), |status| {
        status["ticks"]["received"].as_u64() > Some(300) && status["daemons"]["athena"]["up"] == true
    });
    assert_eq!(ok(home, &["params", "get", "momentum", "threshold"]), "0.4\n");
    assert_eq!(json(home, &["signals", "--json"]), Value::Array(Vec::new()), "nothing moves by 40 %");

    let (code, why) = fails(home, &["params", "set", "momentum", "threshold=0.6", "size=0", "--why", "test"]);
    assert_eq!(code, 5, "{why}");
    for told in
        ["threshold = 0.6: allowed: a decimal from 0.00001 to 0.5", "size = 0: allowed", "version 1 stays in force"]
    {
        assert!(why.contains(told), "{why}");
    }
    let ack =
        json(home, &["params", "set", "momentum", "threshold=0.00005", "--why", "calm day", "--expect", "1", "--json"]);
    assert_eq!(
        (&ack["verdict"]["verdict"], &ack["version"], &ack["by"]),
        (&"applied".into(), &2.into(), &"athena".into()),
        "{ack}"
    );
    let (code, why) = fails(home, &["params", "set", "momentum", "threshold=0.1", "--why", "late", "--expect", "1"]);
    assert!(code == 5 && why.contains("version 2 is in force, not 1"), "{code}: {why}");

    let signals = eventually("a signal of the new version", Duration::from_secs(90), || {
        let signals = json(home, &["signals", "--json", "--limit", "1000"]);
        let made =
            |record: &Value| record["kind"] == "signal" && record["params"] == 2 && record["threshold"] == "0.00005";
        signals.as_array().expect("a list").iter().any(made).then_some(signals)
    });
    let signals = signals.as_array().expect("a list");
    assert!(signals.iter().all(|record| record["params"] == 2), "{signals:?}");
    let first = signals.iter().find(|record| record["kind"] == "signal").expect("a signal");
    why_is_complete(home, first["id"].as_str().expect("an id"));

    let (code, why) = fails(home, &["params", "rollback", "momentum", "1", "--why", "late", "--expect", "1"]);
    assert!(code == 5 && why.contains("version 2 is in force, not 1"), "{code}: {why}");
    assert_eq!(
        ok(home, &["params", "rollback", "momentum", "1", "--why", "enough", "--expect", "2"]),
        "momentum: version 3 is in force at athena\n"
    );
    let history = json(home, &["params", "history", "momentum", "--json"]);
    let told: Vec<_> = history.as_array().expect("versions").iter().map(|version| version["why"].as_str()).collect();
    assert_eq!(told, [Some("the first start"), Some("calm day"), Some("enough")], "{history}");
    in_the_ledger(home, &history);
    assert_eq!(running.stop(), 0);
}

fn why_is_complete(home: &Home, id: &str) {
    let text = ok(home, &["signals", "--why", id]);
    for told in [
        "momentum version 2",
        "threshold 0.005 %",
        "book Up",
        "volatility",
        "order_size",
        "daily_drawdown",
        "tick received",
    ] {
        assert!(text.contains(told), "no '{told}' in\n{text}");
    }
    for line in text.lines().filter(|line| !line.contains(id)) {
        assert!(line.chars().count() <= 80, "wider than 80 columns: {line}");
    }
    let events = json(home, &["signals", "--why", id, "--json"]);
    assert_eq!(events[0]["event"], "signal", "{events}");
    assert_eq!(events[0]["rationale"]["params"], 2, "{events}");
    assert_eq!(fails(home, &["signals", "--why", "no-such-id"]).0, 2);
}

#[test]
fn a_threshold_changes_while_an_embedded_desk_trades() {
    let sim = Sim::start("3");
    let home = Home::new("memory://", &sim);
    change_while_it_trades(&home);
    // Its bus went with the process; the ledger did not.
    let mut again = home.start("again", &["run"]);
    let whys = eventually("the history to be back", PATIENCE, || {
        let output = home.run(&["params", "history", "momentum", "--json"]);
        let history: Value = serde_json::from_slice(&output.stdout).ok()?;
        let whys: Vec<_> = history.as_array()?.iter().map(|version| version["why"].clone()).collect();
        (whys.len() > 1).then_some(whys)
    });
    assert_eq!(whys, ["the first start", "calm day", "enough"]);
    assert_eq!(again.stop(), 0);
}

#[test]
fn a_threshold_changes_while_a_desk_on_redis_trades_and_outlives_it() {
    let redis = RedisServer::start();
    let sim = Sim::start("3");
    let home = Home::new(&redis.url(), &sim);
    change_while_it_trades(&home);

    assert_eq!(ok(&home, &["params", "get", "momentum", "threshold"]), "0.4\n", "read while no daemon runs");
    let (code, why) = fails(&home, &["params", "set", "momentum", "threshold=0.1", "--why", "nobody there"]);
    assert!(code == 3 && why.contains("no athena answered"), "{code}: {why}");
    home.edit("cooldown_s = 5", "cooldown_s = 7");
    let mut again = home.start("again", &["run"]);
    let history = eventually("the changed file to be noticed", Duration::from_secs(30), || {
        let history = json(&home, &["params", "history", "momentum", "--json"]);
        (history.as_array().expect("versions").len() == 4).then_some(history)
    });
    assert_eq!(
        (&history[3]["by"], &history[3]["changed"][0]["name"]),
        (&"config file".into(), &"cooldown_s".into()),
        "{history}"
    );
    assert_eq!(history[3]["changed"].as_array().map(Vec::len), Some(1), "{history}");
    in_the_ledger(&home, &history);
    assert_eq!(again.stop(), 0);

    redis.command("FLUSHALL");
    home.edit("cooldown_s = 7", "cooldown_s = 8");
    let mut last = home.start("last", &["run"]);
    let joined = eventually("the history to be back, and the file to be heard", PATIENCE, || {
        let output = home.run(&["params", "history", "momentum", "--json"]);
        let joined: Value = serde_json::from_slice(&output.stdout).ok()?;
        (joined.as_array().map(Vec::len) == Some(5)).then_some(joined)
    });
    assert_eq!(joined.as_array().expect("versions")[..4], history.as_array().expect("versions")[..]);
    assert_eq!(joined[4]["changed"], serde_json::json!([{ "name": "cooldown_s", "from": "7", "to": "8" }]), "{joined}");
    let ack = json(&home, &["params", "set", "momentum", "size=10", "--why", "go on", "--expect", "5", "--json"]);
    assert_eq!((&ack["version"], &ack["by"]), (&6.into(), &"athena".into()), "she goes on from there: {ack}");
    in_the_ledger(&home, &json(&home, &["params", "history", "momentum", "--json"]));
    assert_eq!(last.stop(), 0);
    let audit = json(&home, &["audit", "verify", "--json"]);
    assert_eq!(audit["differences"], Value::Array(Vec::new()), "{audit}");
}

/// Waits until the ledger has these versions, and no others, of momentum.
fn in_the_ledger(home: &Home, versions: &Value) {
    eventually("the ledger to have the versions", PATIENCE, || {
        (json(home, &["audit", "params", "momentum", "--json"]) == *versions).then_some(())
    });
    let told = ok(home, &["audit", "params"]);
    assert!(told.contains("momentum version 2  ") && told.contains("threshold 0.4 -> 0.00005"), "{told}");
    assert!(told.contains("risk version 1  "), "{told}");
    values_come_back_from_the_ledger(home);
}

/// What `audit params` prints of a version is what `params set` takes.
fn values_come_back_from_the_ledger(home: &Home) {
    let values = |version: &str| ok(home, &["audit", "params", "momentum", version]);
    let second = values("2");
    assert!(second.lines().any(|line| line == "threshold=0.00005"), "{second}");
    assert!(values("1").lines().any(|line| line == "threshold=0.4"));
    let (code, why) = fails(home, &["audit", "params", "momentum", "99"]);
    assert!(code == 2 && why.contains("no version 99"), "{code}: {why}");
    // As it is in force: nothing is changed, and nothing refused.
    let in_force = ok(home, &["params", "get", "momentum"]);
    let set: Vec<&str> = ["params", "set", "momentum", "--why", "again"].into_iter().chain(in_force.lines()).collect();
    assert!(ok(home, &set).ends_with("is in force at athena\n"));
}

#[test]
fn without_a_desk_the_command_line_says_so() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let state = dir.path().to_str().expect("UTF-8");
    for args in [&["params", "list"][..], &["signals"], &["params", "set", "momentum", "size=1", "--why", "x"]] {
        let output = std::process::Command::new(desk::COCKPIT).args(args).args(["--state-dir", state]).output();
        let output = output.expect("the binary runs");
        assert_eq!(output.status.code(), Some(3), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
