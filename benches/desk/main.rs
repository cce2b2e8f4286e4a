//! The figures of the desk, measured on the real parts: the release binary, a real Redis, the simulated venue on loopback.
//!
//! `make bench` runs it and prints the tables; `docs/bench.md` holds what they were, and where.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "it measures, prints, and fails by panicking"
)]

#[path = "../../tests/support/desk.rs"]
mod desk;
mod floors;
mod restart;
mod stage;
mod sustained;
mod times;
mod waterfall;

#[path = "../../tests/support/mod.rs"]
mod support;

use floors::Floors;
use stage::Store;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure());
}

async fn measure() {
    machine();
    let only = std::env::args().nth(1).filter(|argument| !argument.starts_with('-'));
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    let store = Store::Sqlite;
    if wanted("waterfall") {
        let floors = Floors::measure().await;
        floors.print();
        waterfall::measure(store, &floors).await;
    }
    if wanted("sustained") {
        sustained::measure(store).await;
    }
    if wanted("restart") {
        restart::measure(store).await;
    }
}

/// Where this runs.
fn machine() {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let load = read("/proc/loadavg");
    let kernel = read("/proc/sys/kernel/osrelease");
    println!("cores {cores}, {}, Linux {}", model.trim_start_matches([':', ' ', '\t']), kernel.trim());
    println!("load before {}", load.split_whitespace().take(3).collect::<Vec<_>>().join(" "));
}
