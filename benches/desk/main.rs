//! The figures of the desk, measured on the real parts: the binary as it is put on a trading box, a real Redis, the simulated venue on loopback.
//!
//! `make bench` runs it and prints the tables; `docs/bench.md` holds what was measured, and where.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "it measures, prints, and fails by panicking"
)]

#[path = "../../tests/support/an_hour.rs"]
mod an_hour;
mod decide;
#[path = "../../tests/support/desk.rs"]
mod desk;
mod floors;
mod hour;
mod restart;
mod stage;
#[path = "../../tests/support/store.rs"]
mod store;
mod sustained;
mod tick;
mod times;
mod waterfall;

#[path = "../../tests/support/mod.rs"]
mod support;

use std::sync::Arc;

use floors::Floors;
use store::Store;
use support::postgres::PostgresServer;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [first, redis, ..] if first == hour::ATHENA => runtime.block_on(hour::be_athena(redis)),
        _ => runtime.block_on(measure(&arguments)),
    }
}

/// Everything, or what the arguments name.
async fn measure(arguments: &[String]) {
    machine();
    let only: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|only| *only == name);
    if wanted("tick") {
        tick::measure().await;
    }
    if wanted("decide") {
        decide::measure().await;
    }
    if wanted("instruments") {
        decide::instruments().await;
    }
    if wanted("hour") {
        hour::measure().await;
    }
    if !["waterfall", "sustained", "restart"].into_iter().any(wanted) {
        return;
    }
    let server = Arc::new(tokio::task::spawn_blocking(PostgresServer::start).await.expect("a server"));
    let stores = |what: &str| [Store::Sqlite, Store::on(&server, what)];
    if wanted("waterfall") {
        let floors = Floors::measure(&server).await;
        floors.print();
        for store in stores("waterfall") {
            waterfall::measure(&store, &floors).await;
        }
    }
    if wanted("sustained") {
        for store in stores("sustained") {
            sustained::measure(&store).await;
        }
    }
    if wanted("restart") {
        for store in stores("restart") {
            restart::measure(&store).await;
        }
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
