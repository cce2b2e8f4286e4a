//! A Hermes over a real Redis with two dead letters: an entry that is no signal, and an intent that came too late.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use cockpit::bus::redis::RedisBus;
use cockpit::bus::{BusRef, Origin, Stream};

use crate::desk::{Home, Process, Sim};
use crate::support::redis_server::RedisServer;
use crate::support::scene::{self, Feed};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// What must live as long as the test.
pub(crate) struct Buried {
    pub(crate) home: Home,
    pub(crate) sim: Sim,
    pub(crate) hermes: Process,
    _feed: Feed,
    _redis: RedisServer,
}

/// Starts everything, and waits until both letters are there and Hermes trades.
pub(crate) async fn two() -> Buried {
    let servers = tokio::task::spawn_blocking(|| (RedisServer::start(), Sim::start("0.1")));
    let (redis, sim) = servers.await.expect("servers");
    let home = Home::new(&redis.url(), &sim);
    home.allow_everything();
    let bus: BusRef = RedisBus::new(&redis.url()).expect("an address");
    let market = scene::market(sim.url("gamma"), scene::QUIET).await;
    let feed = scene::feed(&bus, std::slice::from_ref(&market));
    let hermes = home.start("hermes", &["run", "hermes"]);
    bus.append(Stream::Signals, "{\"not\": \"a signal\u{1b}[2J\"}".into()).await.expect("taken");
    scene::append(&bus, &Origin::new("athena", "test"), &scene::expired(&market)).await;
    let buried = Buried { home, sim, hermes, _feed: feed, _redis: redis };
    let waiting = move || {
        buried
            .home
            .wait_for("two dead letters", PATIENCE, |status| status["dlq"] == 2 && status["trading_state"] == "active");
        buried
    };
    tokio::task::spawn_blocking(waiting).await.expect("two letters")
}
