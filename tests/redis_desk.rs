//! Three daemons in three processes over a real Redis, and a Hermes that is killed in the middle.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use serde_json::Value;

#[path = "support/desk.rs"]
mod desk;
#[path = "support/mod.rs"]
mod support;

use desk::{Home, Sim, assert_books_equal_truth, eventually};
use support::redis_server::{Data, RedisServer};

/// Longer than a roll of the market on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);

fn sent(status: &Value) -> u64 {
    status["orders"]["sent"].as_u64().expect("a count")
}

#[test]
fn three_processes_share_a_desk_and_a_killed_hermes_neither_repeats_nor_forgets() {
    let redis = RedisServer::start();
    let sim = Sim::start("3");
    let home = Home::new(&redis.url(), &sim);
    let mut argos = home.start("argos", &["run", "argos"]);
    let mut athena = home.start("athena", &["run", "athena"]);
    let mut hermes = home.start("hermes", &["run", "hermes"]);
    let status = home.wait_for("first orders", PATIENCE, |status| sent(status) >= 2);
    for daemon in ["argos", "athena", "hermes"] {
        assert_eq!(status["daemons"][daemon]["up"], true, "{status}");
    }

    hermes.kill_hard();
    let mut hermes = home.start("hermes-again", &["run", "hermes"]);
    let before = sent(&status);
    home.wait_for("orders after the restart", PATIENCE, |status| {
        sent(status) > before && status["orders"]["unknown"] == 0 && status["daemons"]["hermes"]["up"] == true
    });
    assert!(argos.is_running() && athena.is_running(), "the others went on");

    assert_eq!(athena.stop(), 0);
    assert_eq!(hermes.stop(), 0);
    let status = home.status().expect("the snapshots are still on the bus");
    assert_eq!(status["orders"]["open"], 0, "{status}");
    assert_books_equal_truth(&status, &sim);
    assert_eq!(argos.stop(), 0);
}

#[test]
fn a_malformed_entry_goes_to_the_dead_letters_and_the_line_behind_it_moves() {
    let redis = RedisServer::start();
    let sim = Sim::start("3");
    let home = Home::new(&redis.url(), &sim);
    let client = redis::Client::open(redis.url()).expect("an address");
    let mut connection = client.get_connection().expect("redis answers");
    for junk in [
        "not json",
        "{\"schema\":1}",
        "{\"schema\":9,\"source\":\"x\",\"boot\":\"x\",\"seq\":1,\"published_at\":0,\"body\":{}}",
    ] {
        let _: String =
            redis::cmd("XADD").arg("trade.signals").arg("*").arg("m").arg(junk).query(&mut connection).expect("XADD");
    }
    let mut desk = home.start("run", &["run"]);
    let status = home.wait_for("fills", PATIENCE, |status| status["fills"].as_u64() > Some(0));
    assert_eq!(status["dlq"], 3, "{status}");
    let entries: redis::streams::StreamRangeReply =
        redis::cmd("XRANGE").arg("trade.dlq").arg("-").arg("+").query(&mut connection).expect("XRANGE");
    let letter: String = entries.ids[0].get("m").expect("a payload");
    let letter: Value = serde_json::from_str(&letter).expect("JSON");
    assert_eq!(letter["body"]["reason"], "malformed", "{letter}");
    assert_eq!(letter["body"]["original"], "not json", "{letter}");
    assert_eq!(desk.stop(), 0);
}

#[test]
fn a_desk_started_before_redis_says_so_and_begins_when_it_comes() {
    let mut redis = RedisServer::start();
    let sim = Sim::start("3");
    let home = Home::new(&redis.url(), &sim);
    redis.kill();
    let mut desk = home.start("run", &["run"]);
    let log = home.dir.path().join("run.log");
    eventually("a word about Redis", PATIENCE, || {
        let text = std::fs::read_to_string(&log).ok()?;
        text.to_lowercase().contains("bus unreachable").then_some(())
    });
    assert!(desk.is_running(), "it keeps trying");
    redis.restart(Data::Kept);
    home.wait_for("orders", PATIENCE, |status| sent(status) > 0);
    assert_eq!(desk.stop(), 0);
}
