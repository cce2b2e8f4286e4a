//! Two Hermes processes on one ledger: one works, the other takes its place when it dies or stands still.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells its figures"
)]

use std::time::Duration;

use cockpit::clock;
use redis::Commands;
use serde_json::Value;

#[path = "support/desk.rs"]
mod desk;
#[path = "support/mod.rs"]
mod support;

use desk::{Home, Process, Sim, assert_books_equal_truth, eventually};
use support::redis_server::RedisServer;

/// From the death of one to the first word of the other. The promise is three seconds, which an optimised build keeps
/// (`cargo test --release --test standby`); in one that is not, beside other tests, that it happens at all is what counts.
const TAKEOVER: Duration = Duration::from_secs(if cfg!(debug_assertions) { 30 } else { 3 });
/// Longer than a roll of the market on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);

/// A desk of which Hermes is there twice.
struct Pair {
    redis: RedisServer,
    sim: Sim,
    ledger: String,
    first: Home,
    second: Home,
    argos: Process,
    athena: Process,
}

impl Pair {
    fn start(ledger: &str) -> Self {
        let redis = RedisServer::start();
        let sim = Sim::start("3");
        let home = || {
            let home = Home::new(&redis.url(), &sim);
            home.edit("url = \"sqlite://auto\"", &format!("url = \"{ledger}\""));
            home
        };
        let (first, second) = (home(), home());
        let argos = first.start("argos", &["run", "argos"]);
        let athena = first.start("athena", &["run", "athena"]);
        Self { redis, sim, ledger: ledger.to_owned(), first, second, argos, athena }
    }

    fn hermes(home: &Home) -> Process {
        home.start("hermes", &["run", "hermes"])
    }

    /// What whoever works says of itself.
    fn state(&self) -> Option<Value> {
        let client = redis::Client::open(self.redis.url()).expect("an address");
        let text: Option<String> = client.get_connection().expect("redis answers").get("state.hermes").expect("GET");
        text.map(|text| serde_json::from_str::<Value>(&text).expect("JSON")["body"].clone())
    }

    fn until(&self, what: &str, within: Duration, holds: impl Fn(&Value) -> bool) -> Value {
        eventually(what, within, || self.state().filter(|state| holds(state)))
    }

    /// Waits until the second waits, and follows the latch in force.
    fn second_waits(&self) {
        wait_for_log(&self.second, "has the lease of the account");
        let latch = self.second.dir.path().join("state/kill.latch");
        eventually("its own latch file", PATIENCE, || latch.exists().then_some(()));
    }

    /// The end: whoever works stops in good order, and its books are the venue's.
    fn finish(mut self, mut hermes: Process) {
        assert_eq!(self.athena.stop(), 0);
        assert_eq!(hermes.stop(), 0);
        let status = self.first.status().expect("the snapshots are still on the bus");
        assert_eq!(
            (&status["orders"]["open"], &status["orders"]["unknown"]),
            (&Value::from(0), &Value::from(0)),
            "{status}"
        );
        assert_books_equal_truth(&status, &self.sim);
        assert_eq!(self.argos.stop(), 0);
        println!("{}: {} orders, {} fills", self.ledger, status["orders"]["sent"], status["fills"]);
    }
}

fn log_of(home: &Home) -> String {
    std::fs::read_to_string(home.dir.path().join("hermes.log")).unwrap_or_default()
}

fn wait_for_log(home: &Home, words: &str) {
    eventually(&format!("'{words}' in the log"), PATIENCE, || log_of(home).contains(words).then_some(()));
}

fn sent(state: &Value) -> u64 {
    state["orders"]["sent"].as_u64().expect("a count")
}

fn works(token: u64) -> impl Fn(&Value) -> bool {
    move |state| state["fencing_token"] == token
}

/// The other one is there in time, with the books of the first.
fn taken_over(pair: &Pair, token: u64, since: std::time::Instant) -> Value {
    let state = pair.until("the other one", PATIENCE, works(token));
    let took = since.elapsed();
    println!("{}: taken over after {} ms", pair.ledger, took.as_millis());
    assert!(took <= TAKEOVER, "taken over only after {took:?}");
    state
}

fn a_killed_one_is_replaced(ledger: &str) {
    let pair = Pair::start(ledger);
    let mut first = Pair::hermes(&pair.first);
    pair.until("the first orders", PATIENCE, |state| works(1)(state) && sent(state) >= 2);
    let second = Pair::hermes(&pair.second);
    pair.second_waits();
    let before = sent(&pair.state().expect("a snapshot"));
    first.kill_hard();
    let state = taken_over(&pair, 2, clock::monotonic());
    assert!(sent(&state) >= before, "with the books of the first: {state}");
    pair.until("new orders", PATIENCE, |state| sent(state) > before && state["orders"]["unknown"] == 0);
    pair.finish(second);
}

fn one_that_stood_still_sends_nothing_more(ledger: &str) {
    let pair = Pair::start(ledger);
    let first = Pair::hermes(&pair.first);
    pair.until("the first orders", PATIENCE, |state| works(1)(state) && sent(state) >= 2);
    let mut second = Pair::hermes(&pair.second);
    pair.second_waits();
    first.signal("STOP");
    let state = taken_over(&pair, 2, clock::monotonic());
    let before = sent(&state);
    pair.until("orders of the other", PATIENCE, |state| sent(state) > before && state["orders"]["unknown"] == 0);

    first.signal("CONT");
    wait_for_log(&pair.first, "another hermes has the account");
    eventually("it waits", PATIENCE, || {
        let log = log_of(&pair.first);
        log.rsplit("another hermes has the account").next()?.contains("has the lease of the account").then_some(())
    });
    let state = pair.state().expect("a snapshot");
    assert_eq!(state["fencing_token"], 2, "the other one speaks for the account: {state}");

    // Its turn comes again, in good order.
    let before = sent(&state);
    assert_eq!(second.stop(), 0);
    taken_over(&pair, 3, clock::monotonic());
    pair.until("orders of the first again", PATIENCE, |state| sent(state) > before);
    pair.finish(first);
}

mod postgres {
    use crate::support::postgres::PostgresServer;

    #[test]
    fn a_killed_one_is_replaced() {
        let server = PostgresServer::start();
        super::a_killed_one_is_replaced(&server.url());
    }

    #[test]
    fn one_that_stood_still_sends_nothing_more() {
        let server = PostgresServer::start();
        super::one_that_stood_still_sends_nothing_more(&server.url());
    }

    /// The server is gone, then silent: nothing is sent, the kill is proved, and afterwards everything is caught up.
    #[test]
    fn without_the_server_nothing_is_sent_and_a_kill_is_proved() {
        let mut server = PostgresServer::start();
        let pair = super::Pair::start(&server.url());
        let hermes = super::Pair::hermes(&pair.first);
        let orders = |least: u64| move |state: &super::Value| super::sent(state) >= least;
        pair.until("the first orders", super::PATIENCE, orders(2));
        server.kill();
        let halted = |state: &super::Value| state["trading_state"] == "halted";
        let state = pair.until("it says so", super::PATIENCE, halted);
        let why = state["trouble"].as_str().expect("words");
        assert!(why.contains("ledger") || why.contains("lease"), "{why}");
        server.up();
        let before = super::sent(&pair.state().expect("a snapshot"));
        pair.until("it goes on", super::PATIENCE, orders(before + 1));

        server.signal("STOP");
        pair.until("it says so again", super::PATIENCE, halted);
        assert!(pair.first.run(&["kill", "--why", "the ledger is silent"]).status.success(), "proved without it");
        server.signal("CONT");
        let kept = |state: &super::Value| state["kill"]["steps"].to_string().contains("latch_ledger");
        pair.until("the latch is in the ledger", super::PATIENCE, kept);
        pair.until("nothing is open", super::PATIENCE, |state| state["orders"]["open"] == 0);
        pair.finish(hermes);
    }
}

mod sqlite {
    fn ledger(dir: &tempfile::TempDir) -> String {
        format!("sqlite://{}", dir.path().join("ledger.db").display())
    }

    #[test]
    fn a_killed_one_is_replaced() {
        let dir = tempfile::tempdir().expect("dir");
        super::a_killed_one_is_replaced(&ledger(&dir));
    }

    #[test]
    fn one_that_stood_still_sends_nothing_more() {
        let dir = tempfile::tempdir().expect("dir");
        super::one_that_stood_still_sends_nothing_more(&ledger(&dir));
    }
}

#[test]
fn sigusr2_kills_whether_it_works_or_waits() {
    let dir = tempfile::tempdir().expect("dir");
    let pair = Pair::start(&format!("sqlite://{}", dir.path().join("ledger.db").display()));
    let mut first = Pair::hermes(&pair.first);
    let active = |state: &Value| state["trading_state"] == "active";
    pair.until("it trades", PATIENCE, active);
    first.signal("USR2");
    let killed =
        |state: &Value| state["kill"]["latch"]["state"] == "killed" && state["kill"]["latch"]["by"] == "signal";
    pair.until("killed", PATIENCE, killed);
    pair.until("proved", PATIENCE, |state| state["kill"]["proof"]["proof"] == "proved");
    eventually("armed", PATIENCE, || pair.first.run(&["arm"]).status.success().then_some(()));
    let mut second = Pair::hermes(&pair.second);
    pair.second_waits();
    pair.until("it trades again", PATIENCE, active);
    second.signal("USR2");
    pair.until("the one at work is killed", PATIENCE, killed);
    assert!(second.is_running() && first.is_running());
    assert_eq!((first.stop(), second.stop()), (0, 0));
}
