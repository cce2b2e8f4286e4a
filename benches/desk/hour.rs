//! A thousand instruments with an hour of a tick a second each: what that takes of memory, and how long a restart with it takes.
//!
//! The Athena is a process of its own, this binary once more.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cockpit::bus::redis::RedisBus;
use cockpit::bus::{BusRef, Key, decode};
use cockpit::clock;
use cockpit::config::Config;
use cockpit::domain::AthenaState;
use cockpit::pipeline::athena::{self, Momentum, Settings, Shard, StrategySettings};
use tokio_util::sync::CancellationToken;

use super::an_hour::{SECONDS, an_hour, keep, momentum};
use super::stage;

/// The argument that makes this binary that Athena; the address of her bus follows.
pub(crate) const ATHENA: &str = "athena-with-an-hour";
const INSTRUMENTS: usize = 1_000;
const MEMORY: u64 = 200_000_000;
const READY: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_mins(1);
/// Restarts; the worst counts.
const RESTARTS: usize = 5;

/// Gone with the value.
struct Athena(Child);

impl Drop for Athena {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

pub(crate) async fn measure() {
    let redis = tokio::task::spawn_blocking(stage::redis).await.expect("a server");
    let bus: BusRef = RedisBus::new(&redis.url()).expect("an address");
    let kept = an_hour(&momentum(INSTRUMENTS));
    let bytes: usize = kept.values().map(|(_, payload)| payload.len()).sum();
    keep(&bus, &kept).await;
    let (mut slowest, mut most, mut before) = (Duration::ZERO, 0, String::new());
    for _ in 0..RESTARTS {
        let begun = clock::monotonic();
        let athena = Athena(
            Command::new(std::env::current_exe().expect("a path"))
                .args([ATHENA, &redis.url()])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("the binary starts"),
        );
        let state = until_ready(&bus, &before).await;
        slowest = slowest.max(begun.elapsed());
        assert!(state.strategies.iter().all(|strategy| strategy.window_ticks == SECONDS), "{:?}", state.strategies[0]);
        most = most.max(peak(athena.0.id()));
        before = state.boot;
    }
    println!(
        "\n{INSTRUMENTS} instruments, an hour of a tick a second each: {} MB kept on the bus\n",
        bytes / 1_000_000
    );
    let met = |holds: bool| if holds { "met" } else { "NOT met" };
    println!(
        "SIGKILL to ready, worst of {RESTARTS}: {} ms (< {} ms): {}",
        slowest.as_millis(),
        READY.as_millis(),
        met(slowest < READY)
    );
    println!(
        "memory of the whole process, peak: {} MB (< {} MB): {}",
        most / 1_000_000,
        MEMORY / 1_000_000,
        met(most < MEMORY)
    );
}

async fn until_ready(bus: &BusRef, before: &str) -> AthenaState {
    let begun = clock::monotonic();
    loop {
        if let Some(payload) = bus.get(&Key::Daemon("athena")).await.expect("the bus is up") {
            let state = decode::<AthenaState>(&payload).expect("a snapshot").body;
            if state.boot != before && state.strategies.len() == INSTRUMENTS {
                return state;
            }
        }
        assert!(begun.elapsed() < PATIENCE, "athena does not come up");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// The most that a process had resident so far, in bytes.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1_024
}

/// Is that Athena, until whoever started it has gone.
pub(crate) async fn be_athena(redis: &str) {
    let settings = Settings {
        strategies: vec![StrategySettings::of::<Momentum>(true, &momentum(INSTRUMENTS))],
        shard: Shard::parse("1/1").expect("a shard"),
        limits: Config::builtin().limits,
    };
    let stop = CancellationToken::new();
    let parent_is_gone = stop.clone();
    std::thread::spawn(move || {
        // However it ends, nobody waits any more.
        let _ended = std::io::stdin().read_to_end(&mut Vec::new());
        parent_is_gone.cancel();
    });
    let bus = RedisBus::new(redis).expect("an address");
    athena::run(settings, bus, stop).await.expect("she runs until she is stopped");
}
