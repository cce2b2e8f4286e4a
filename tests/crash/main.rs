//! Hermes is killed with SIGKILL at every step of an order's way, many times, while the venue loses replies and repeats,
//! delays and reorders events. Afterwards: at most one accepted order an intent, venue and ledger equal in orders, fills
//! and positions, nothing unacknowledged, every intent ended in exactly one way, and each order signed once more gives the bytes of
//! which the ledger has the digest.
//!
//! `make ci` runs every step with a few intents; `make crash` runs the full table.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking; it prints its table"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use cockpit::failpoint::Failpoint;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

#[path = "../support/bad_wire.rs"]
mod bad_wire;
#[path = "../support/books.rs"]
mod books;
#[path = "../support/desk.rs"]
mod desk;
#[path = "../support/intents.rs"]
mod intents;
#[path = "../support/resigned.rs"]
mod resigned;
mod run;
#[path = "../support/store.rs"]
mod store;
#[path = "../support/mod.rs"]
mod support;

use bad_wire::Injected;
use run::{Line, Size};
use store::Store;
use support::postgres::PostgresServer;

/// Set to 1: fifty intents a step and many crashes.
const FULL: &str = "COCKPIT_CRASH_FULL";
/// How many runs at one time; most of each is waiting.
const TOGETHER: usize = 8;

fn size() -> Size {
    if std::env::var(FULL).is_ok_and(|full| full == "1") {
        Size { intents: 50, crashes: 10 }
    } else {
        Size { intents: 16, crashes: 3 }
    }
}

fn table(size: Size, lines: &[Line]) {
    println!(
        "| step | ledger | intents | crashes | replies lost | accepted | duplicates | dead letters | denied | lost | seconds |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for Line { point, store, crashes, wire, verdict, took } in lines {
        println!(
            "| {} | {store} | {} | {crashes} | {} | {} | {} | {} | {} | {} | {:.0} |",
            point.name(),
            size.intents,
            wire.lost,
            verdict.accepted,
            verdict.duplicates,
            verdict.dead,
            verdict.denied,
            verdict.lost,
            took.as_secs_f64()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_step_no_order_is_lost_or_doubled() {
    let size = size();
    let server = Arc::new(tokio::task::spawn_blocking(PostgresServer::start).await.expect("a server"));
    let permits = Arc::new(Semaphore::new(TOGETHER));
    let mut runs = JoinSet::new();
    for (index, point) in Failpoint::ALL.into_iter().enumerate() {
        for store in [Store::Sqlite, Store::on(&server, point.name())] {
            let permits = Arc::clone(&permits);
            let seed = u64::try_from(index).expect("few steps") + 1;
            runs.spawn(async move {
                let _permit = permits.acquire_owned().await.expect("never closed");
                let line = run::run(point, &store, size, seed).await;
                ((line.store, index), line)
            });
        }
    }
    let mut lines = BTreeMap::new();
    while let Some(line) = runs.join_next().await {
        lines.extend([line.expect("a run")]);
    }
    let lines: Vec<Line> = lines.into_values().collect();
    table(size, &lines);
    for line in &lines {
        let (point, store) = (line.point, line.store);
        assert!(line.verdict.wrong.is_empty(), "{point:?} over {store}: {:#?}", line.verdict.wrong);
        assert!(line.crashes > 0, "{point:?} over {store}: hermes never came past that step");
        assert_eq!((line.verdict.duplicates, line.verdict.lost), (0, 0), "{point:?} over {store}");
        assert!(line.wire.lost > 0, "{point:?} over {store}: every answer arrived");
    }
    let all = |count: fn(&Injected) -> u64| lines.iter().map(|line| count(&line.wire)).sum::<u64>();
    let (late, repeated, overtaken) =
        (all(|wire| wire.replies_late), all(|wire| wire.repeated), all(|wire| wire.overtaken));
    println!("answers late: {late}; events repeated: {repeated}, overtaken: {overtaken}");
    assert!(late > 0 && repeated > 0 && overtaken > 0, "the wire did not delay, repeat and reorder");
}
