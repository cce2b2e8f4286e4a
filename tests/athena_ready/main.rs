//! How long a restart takes with a thousand instruments, an hour of ticks each. A binary of its own, so that no other test runs beside it.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells its figures"
)]

#[path = "../support/an_hour.rs"]
mod an_hour;
#[path = "../athena/child.rs"]
mod child;
#[path = "../support/desk.rs"]
mod desk;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use cockpit::bus::BusRef;
use cockpit::bus::redis::RedisBus;
use cockpit::clock;

use crate::an_hour::{SECONDS, an_hour, keep};
use crate::child::{Athena, Cast, PATIENCE, key};
use crate::desk::eventually;
use crate::support::redis_server::RedisServer;

/// Resident memory of a process in bytes.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1_024
}

/// From the start of the process to its first snapshot, with every window whole, and its memory then.
fn restart(redis: &RedisServer, connection: &mut redis::Connection) -> (Duration, u64) {
    redis::cmd("DEL").arg("state.athena").exec(connection).expect("redis answers");
    let begun = clock::monotonic();
    let athena = Athena::start(redis, Cast::Thousand, "1/1");
    let state = eventually("athena to be up", PATIENCE, || key(connection, "state.athena"));
    let took = begun.elapsed();
    let strategies = state["strategies"].as_array().expect("a list");
    assert_eq!(strategies.len(), 1_000);
    assert!(strategies.iter().all(|strategy| strategy["window_ticks"] == SECONDS), "{}", strategies[0]);
    let memory = resident(athena.id());
    athena.kill();
    (took, memory)
}

#[test]
fn a_thousand_instruments_are_there_again_with_their_hour() {
    let redis = RedisServer::start();
    let client = redis::Client::open(redis.url()).expect("an address");
    let mut connection = client.get_connection().expect("redis answers");
    let kept = an_hour(&Cast::Thousand.momentum());
    let bytes: usize = kept.values().map(|(_, payload)| payload.len()).sum();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let bus: BusRef = RedisBus::new(&redis.url()).expect("an address");
        keep(&bus, &kept).await;
    });

    // Other work on the machine makes a start slower, nothing makes it faster: the best of a few is what it takes.
    let starts = if cfg!(debug_assertions) { 1 } else { 5 };
    let starts: Vec<_> = (0..starts).map(|_| restart(&redis, &mut connection)).collect();
    let took = starts.iter().map(|(took, _)| *took).min().expect("at least one");
    let memory = starts.iter().map(|(_, memory)| *memory).max().expect("at least one");
    println!(
        "1,000 instruments x {SECONDS} ticks: {} keys, {} MB on the bus; ready {} ms after the process began (all starts: {:?}); {} MB resident",
        kept.len(),
        bytes / 1_000_000,
        took.as_millis(),
        starts.iter().map(|(took, _)| took.as_millis()).collect::<Vec<_>>(),
        memory / 1_000_000
    );
    assert!(memory < 200_000_000, "{memory} bytes");
    // What the figure is about is the optimised binary; the other one is only to come up at all.
    let limit = if cfg!(debug_assertions) { PATIENCE } else { Duration::from_secs(1) };
    assert!(took < limit, "ready only after {took:?}");
}
