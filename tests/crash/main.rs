//! Hermes is killed with SIGKILL at every step of an order's way, many times, while the venue loses replies and repeats,
//! delays and reorders events. Afterwards: at most one accepted order an intent, venue and ledger equal in orders, fills
//! and positions, nothing unacknowledged, and every intent ended in exactly one way.
//!
//! `make ci` runs every step with a few intents; `make crash` runs the full table.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking; it prints its table"
)]

use std::sync::Arc;

use cockpit::failpoint::Failpoint;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

#[path = "../support/books.rs"]
mod books;
#[path = "../support/desk.rs"]
mod desk;
#[path = "../support/intents.rs"]
mod intents;
mod run;
#[path = "../support/mod.rs"]
mod support;

use run::{Line, Size};

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

fn table(store: &str, size: Size, lines: &[Line]) {
    println!("| step | store | intents | crashes | accepted | duplicates | dead letters | denied | lost | seconds |");
    println!("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|");
    for Line { point, crashes, verdict, took } in lines {
        println!(
            "| {} | {store} | {} | {crashes} | {} | {} | {} | {} | {} | {:.0} |",
            point.name(),
            size.intents,
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
async fn over_sqlite_and_redis_no_order_is_lost_or_doubled() {
    let size = size();
    let permits = Arc::new(Semaphore::new(TOGETHER));
    let mut runs = JoinSet::new();
    for (index, point) in Failpoint::ALL.into_iter().enumerate() {
        let permits = Arc::clone(&permits);
        let seed = u64::try_from(index).expect("few steps") + 1;
        runs.spawn(async move {
            let _permit = permits.acquire_owned().await.expect("never closed");
            (index, run::over_sqlite(point, size, seed).await)
        });
    }
    let mut lines = Vec::new();
    while let Some(line) = runs.join_next().await {
        lines.push(line.expect("a run"));
    }
    lines.sort_by_key(|(index, _)| *index);
    let lines: Vec<Line> = lines.into_iter().map(|(_, line)| line).collect();
    table("sqlite", size, &lines);
    for line in &lines {
        assert!(line.verdict.wrong.is_empty(), "{:?}: {:#?}", line.point, line.verdict.wrong);
        assert!(line.crashes > 0, "{:?}: hermes never came past that step", line.point);
        assert_eq!((line.verdict.duplicates, line.verdict.lost), (0, 0), "{:?}", line.point);
    }
}
