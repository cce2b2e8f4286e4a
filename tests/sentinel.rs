//! A desk over a real Redis behind real sentinels, whose master is killed in the middle: no order is lost or doubled, the books
//! equal the venue's, and the log says what happened.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking; it shows the log"
)]

use std::time::Duration;

use cockpit::bus::redis::RedisBus;
use cockpit::bus::{BusRef, Group, Origin, Stream, encode};
use cockpit::clock;
use cockpit::domain::{HermesState, SignalEntry, TradingState};
use cockpit::store::ledger::Ledger;
use cockpit::store::sqlite::SqliteLedger;

#[path = "support/books.rs"]
mod books;
#[path = "support/desk.rs"]
mod desk;
#[path = "support/intents.rs"]
mod intents;
#[path = "support/mod.rs"]
mod support;

use desk::{Home, Sim};
use intents::{Intents, Mix};
use support::sentinel_cluster::SentinelCluster;
use support::{hermes, scene};

const INTENTS: usize = 60;
/// The master dies when so many are on the stream.
const BEFORE: usize = 30;
const PATIENCE: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn the_master_dies_in_the_middle_and_no_order_is_lost_or_doubled() {
    let servers = tokio::task::spawn_blocking(|| (SentinelCluster::start(), Sim::start("0.1")));
    let (mut cluster, sim) = servers.await.expect("servers");
    let home = Home::new(&cluster.url(), &sim);
    home.allow_everything();
    home.edit("claim_after_s = 30", "claim_after_s = 1");
    let bus: BusRef = RedisBus::new(&cluster.url()).expect("an address");
    let market = scene::market(sim.url("gamma"), scene::QUIET).await;
    let mut feed = scene::feed(&bus, std::slice::from_ref(&market));
    let mut hermes = home.start("hermes", &["run", "hermes"]);
    hermes::until(&bus, PATIENCE, "hermes to trade", |state| state.trading_state == TradingState::Active).await;
    feed.heard().await;

    let intents = Intents::new(&market, INTENTS, Mix::Everything, 1);
    let origin = Origin::new("athena", "test");
    for intent in &intents.all[..BEFORE] {
        append(&bus, &origin, intent).await;
    }
    let (mut cluster, killed) = tokio::task::spawn_blocking(move || {
        let killed = cluster.kill_master();
        (cluster, killed)
    })
    .await
    .expect("the master dies");
    // The rest while it is gone: whoever decides goes on deciding, and repeats what the bus has not taken.
    for intent in &intents.all[BEFORE..] {
        append(&bus, &origin, intent).await;
    }
    let (cluster_back, promoted) = tokio::task::spawn_blocking(move || {
        let promoted = cluster.until_failed_over(killed);
        (cluster, promoted)
    })
    .await
    .expect("a failover");
    cluster = cluster_back;
    assert_ne!(promoted, killed);

    // A failover may lose what the old master had acknowledged and not yet replicated: a careful sender repeats what it has no
    // receipt for. Here it repeats everything, which must change nothing for what had arrived.
    for intent in &intents.all {
        append(&bus, &origin, intent).await;
    }

    let done = u64::try_from(INTENTS).expect("few intents");
    let state = hermes::until(&bus, PATIENCE, "every intent to end", |state| {
        let settled = state.recent_fills.iter().all(|fill| fill.status.is_final());
        let ended = state.orders.accepted + state.orders.denied + state.dlq >= done;
        settled && ended && state.orders.open == 0 && state.orders.unknown == 0
    })
    .await;
    wait_acknowledged(&bus).await;
    let code = tokio::task::spawn_blocking(move || hermes.stop()).await.expect("hermes stops");
    assert_eq!(code, 0, "an orderly end");
    drop(feed);

    let ledger = SqliteLedger::open(&home.dir.path().join("state/ledger.db")).await.expect("the ledger opens");
    let memory = ledger.load(u32::MAX).await.expect("the ledger is read");
    let account = sim.hello["accounts"][0]["address"].as_str().expect("an address");
    let verdict = books::compare(&intents, &memory, &state, &sim.truth(), account, &bus).await;
    println!("{verdict:#?}");
    let log = std::fs::read_to_string(home.dir.path().join("hermes.log")).expect("a log");
    println!("--- what hermes said\n{log}");
    assert!(verdict.wrong.is_empty(), "{:#?}\n{}", verdict.wrong, cluster.logs());
    assert_eq!((verdict.duplicates, verdict.lost), (0, 0), "{verdict:?}");
    assert!(verdict.accepted >= INTENTS / 2, "most of them were accepted: {verdict:?}");
    assert_told(&state, &log);
}

/// Snapshot and log say what happened.
fn assert_told(state: &HermesState, log: &str) {
    let told = state.bus_concerns.iter().any(|concern| concern.starts_with("failed over from"));
    assert!(told, "the snapshot says what happened: {:?}", state.bus_concerns);
    for word in ["bus down", "bus up", "failed over to a new master"] {
        assert!(log.contains(word), "the log does not say '{word}':\n{log}");
    }
}

/// Appends until the bus takes it. When the bus dies before it answers, the entry may be there twice; it is one intent.
async fn append(bus: &BusRef, origin: &Origin, intent: &cockpit::domain::OrderIntent) {
    let entry = SignalEntry { intent: intent.clone(), rationale: scene::rationale(), checks: Vec::new(), doubt: None };
    let payload = encode(&origin.wrap(&entry, clock::now())).expect("an entry");
    let begun = clock::monotonic();
    while let Err(error) = bus.append(Stream::Signals, payload.clone()).await {
        assert!(begun.elapsed() < PATIENCE, "the bus does not come back: {error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn wait_acknowledged(bus: &BusRef) {
    let begun = clock::monotonic();
    while bus.pending(Stream::Signals, Group::Hermes).await.map_or(1, |pending| pending.count) > 0 {
        assert!(begun.elapsed() < PATIENCE, "entries are not acknowledged");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
