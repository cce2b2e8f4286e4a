//! What Hermes stands on goes away while it works: its real database server is killed, the wire to the venue is cut. Nothing new is
//! sent, what rests is cancelled in time, and afterwards everything goes on with the right books.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use cockpit::bus::redis::RedisBus;
use cockpit::bus::{BusRef, Origin};
use cockpit::clock;
use cockpit::domain::{HermesState, Market, Side, TimeInForce, TradingState};
use rust_decimal::dec;
use tokio::sync::Mutex;

#[path = "support/bad_wire.rs"]
mod bad_wire;
#[path = "support/desk.rs"]
mod desk;
#[path = "support/mod.rs"]
mod support;

use bad_wire::{BadWire, Rates};
use desk::{Home, Process, Sim, assert_books_equal_truth, eventually};
use support::hermes;
use support::postgres::PostgresServer;
use support::redis_server::RedisServer;
use support::scene::{self, Feed, Wish};

const PATIENCE: Duration = Duration::from_mins(2);
/// How long an order may rest in these tests: long enough to be seen, and to outlive the beginning of an outage.
const REST: Duration = Duration::from_secs(4);

/// A Hermes, its venue behind a wire, and a market to trade in.
struct World {
    redis: Mutex<RedisServer>,
    sim: Arc<Sim>,
    wire: BadWire,
    home: Arc<Home>,
    bus: BusRef,
    origin: Origin,
    market: Market,
    feed: Mutex<Feed>,
}

impl World {
    async fn start(ledger: Option<String>) -> (Self, Process) {
        let servers = tokio::task::spawn_blocking(|| (RedisServer::start(), Sim::start("0.1")));
        let (redis, sim) = servers.await.expect("servers");
        let home = Home::new(&redis.url(), &sim);
        home.allow_everything();
        home.edit("reconcile_s = 30", "reconcile_s = 5");
        if let Some(ledger) = ledger {
            home.edit("url = \"sqlite://auto\"", &format!("url = \"{ledger}\""));
        }
        let wire = BadWire::to(sim.url("clob"), sim.url("clob_ws"), Rates::GOOD, 1).await;
        home.edit(&format!("clob = \"{}\"", sim.url("clob")), &format!("clob = \"{}\"", wire.clob()));
        home.edit(&format!("clob_ws = \"{}\"", sim.url("clob_ws")), &format!("clob_ws = \"{}\"", wire.sockets()));
        let bus: BusRef = RedisBus::new(&redis.url()).expect("an address");
        let market = scene::market(sim.url("gamma"), scene::QUIET).await;
        let feed = scene::feed(&bus, std::slice::from_ref(&market));
        let hermes = home.start("hermes", &["run", "hermes"]);
        let (sim, home, feed) = (Arc::new(sim), Arc::new(home), Mutex::new(feed));
        let origin = Origin::new("athena", "test");
        let redis = Mutex::new(redis);
        let world = Self { redis, sim, wire, home, bus, origin, market, feed };
        world.until("hermes to trade", |state| state.trading_state == TradingState::Active).await;
        world.feed.lock().await.heard().await;
        (world, hermes)
    }

    /// Wishes for an order that rests below everything.
    async fn wish(&self, name: &str, rest: Duration) {
        let wish = Wish {
            name: name.to_owned(),
            outcome: 0,
            side: Side::Buy,
            price: dec!(0.35),
            size: dec!(10),
            tif: TimeInForce::Gtc,
            send_within: Some(PATIENCE),
            rest,
        };
        scene::append(&self.bus, &self.origin, &wish.intent(&self.market)).await;
    }

    async fn until(&self, what: &str, holds: impl Fn(&HermesState) -> bool) -> HermesState {
        hermes::until(&self.bus, PATIENCE, what, holds).await
    }

    /// Orders that the venue has taken so far, and how many of them are open.
    async fn at_venue(&self) -> (usize, u64) {
        let sim = Arc::clone(&self.sim);
        let truth = tokio::task::spawn_blocking(move || sim.truth()).await.expect("the truth");
        let account = self.sim.hello["accounts"][0]["address"].as_str().expect("an address");
        let mine = |order: &&serde_json::Value| {
            order["account"].as_str().is_some_and(|owner| owner.eq_ignore_ascii_case(account))
        };
        let orders = truth["orders"].as_array().expect("orders").iter().filter(mine).count();
        (orders, truth["open_orders"].as_u64().expect("a count"))
    }

    /// Waits until the venue has nothing open; gives how many of the orders its dead man's switch has cancelled.
    async fn until_none_open(&self) -> usize {
        let begun = clock::monotonic();
        while self.at_venue().await.1 > 0 {
            assert!(begun.elapsed() < PATIENCE, "orders stay open at the venue");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let sim = Arc::clone(&self.sim);
        let truth = tokio::task::spawn_blocking(move || sim.truth()).await.expect("the truth");
        truth["orders"].as_array().expect("orders").iter().filter(|order| order["swept"] == true).count()
    }

    /// Stops Hermes in good order; then its books are the venue's.
    async fn finish(self, mut hermes: Process) {
        let code = tokio::task::spawn_blocking(move || hermes.stop()).await.expect("hermes stops");
        assert_eq!(code, 0, "an orderly end");
        let (home, sim) = (Arc::clone(&self.home), Arc::clone(&self.sim));
        let checked = tokio::task::spawn_blocking(move || {
            let status = eventually("a status", PATIENCE, || home.status());
            assert_eq!(status["orders"]["unknown"], 0, "{status}");
            assert_books_equal_truth(&status, &sim);
        });
        checked.await.expect("books and truth are equal");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgresql_nothing_new_is_sent_and_what_rests_is_still_cancelled() {
    let server = tokio::task::spawn_blocking(PostgresServer::start).await.expect("a server");
    let url = server.url();
    let (world, hermes) = World::start(Some(url)).await;
    world.wish("rests", REST).await;
    world.until("it rests", |state| state.orders.open == 1).await;

    let mut server = tokio::task::spawn_blocking(move || {
        let mut server = server;
        server.kill();
        server
    })
    .await
    .expect("killed");
    world.wish("waits", PATIENCE).await;
    let state = world.until("it says so", |state| state.trading_state == TradingState::Halted).await;
    let why = state.trouble.expect("words");
    assert!(why.contains("ledger") || why.contains("lease"), "{why}");
    assert_eq!(world.until_none_open().await, 0, "cancelled by hermes, not by the venue");
    assert_eq!(world.at_venue().await, (1, 0), "nothing new was sent");

    server = tokio::task::spawn_blocking(move || {
        server.up();
        server
    })
    .await
    .expect("up");
    let state = world
        .until("it goes on", |state| (state.orders.open, state.orders.cancelled, state.orders.accepted) == (1, 1, 2))
        .await;
    assert_eq!(state.trading_state, TradingState::Active);
    assert_eq!(world.at_venue().await, (2, 1));
    world.finish(hermes).await;
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_venue_nothing_is_sent_and_afterwards_its_sweep_is_in_the_books() {
    let (world, hermes) = World::start(None).await;
    world.wish("swept", PATIENCE).await;
    world.until("it rests", |state| state.orders.open == 1).await;

    world.wire.set_whole(false);
    let state = world.until("it says so", |state| state.trading_state == TradingState::Halted).await;
    assert!(state.trouble.is_some(), "{state:?}");
    world.wish("waits", PATIENCE).await;
    // Without heartbeats the venue clears the book; Hermes cannot know, and keeps the order in its books.
    assert_eq!(world.until_none_open().await, 1, "the dead man's switch");
    let doubt = |state: &HermesState| {
        let reason = state.recent_orders.iter().find_map(|order| order.reason.clone());
        state.orders.unknown == 1 && reason.is_some_and(|reason| reason.contains("heartbeat"))
    };
    let state = world.until("the order is of unknown outcome", doubt).await;
    assert!(!state.exposure.gross.is_zero(), "what is in doubt stays reserved");
    assert_eq!(world.at_venue().await, (1, 0), "nothing new was sent");

    world.wire.set_whole(true);
    let state = world
        .until("it goes on", |state| (state.orders.open, state.orders.cancelled, state.orders.accepted) == (1, 1, 2))
        .await;
    assert_eq!(state.trading_state, TradingState::Active);
    assert_eq!(world.at_venue().await, (2, 1));
    world.finish(hermes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_that_neither_the_bus_nor_the_socket_takes_reaches_hermes_through_the_latch_file() {
    let (world, mut hermes) = World::start(None).await;
    world.wish("rests", PATIENCE).await;
    world.until("it rests", |state| state.orders.open == 1).await;
    world.redis.lock().await.kill();
    std::fs::remove_file(world.home.dir.path().join("state/hermes.sock")).expect("the socket");

    let home = Arc::clone(&world.home);
    let kill = tokio::task::spawn_blocking(move || home.run(&["kill", "--why", "all is lost"])).await.expect("it runs");
    let said = String::from_utf8_lossy(&kill.stderr);
    assert_eq!(kill.status.code(), Some(3), "{said}");
    assert!(said.contains("latch file") && said.contains("is written"), "{said}");
    assert_eq!(world.until_none_open().await, 0, "cancelled by hermes, not by the venue");
    let latch = std::fs::read_to_string(world.home.dir.path().join("state/kill.latch")).expect("the latch file");
    assert!(latch.contains("killed") && latch.contains("all is lost"), "{latch}");
    let stopped = tokio::task::spawn_blocking(move || hermes.stop()).await.expect("hermes stops");
    assert_eq!(stopped, 0, "an orderly end");
}
