//! One run: a Hermes that dies at one step again and again, and is started again at once, until every intent has ended.

use std::sync::Arc;
use std::time::Duration;

use cockpit::bus::redis::RedisBus;
use cockpit::bus::{BusRef, Group, Stream};
use cockpit::clock;
use cockpit::domain::{HermesState, TradingState};
use cockpit::failpoint::{Failpoint, VARIABLE};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::bad_wire::{BadWire, Injected, Rates};
use super::books::{self, Verdict};
use super::desk::{Home, Process, Sim};
use super::intents::{Intents, Mix};
use super::resigned;
use super::store::Store;
use super::support::hermes::state;
use super::support::redis_server::RedisServer;
use super::support::scene;

/// Longer than every search for an order that never arrived, many times over.
const PATIENCE: Duration = Duration::from_mins(8);
/// Between two intents: little enough that several are under way when Hermes dies.
const BETWEEN: Duration = Duration::from_millis(15);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A snapshot older than this is of a Hermes that has died.
const FRESH: Duration = Duration::from_secs(3);

/// How much is asked of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) intents: usize,
    /// After so many deaths Hermes may live.
    pub(crate) crashes: usize,
}

/// A run's line in the table.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) point: Failpoint,
    pub(crate) store: &'static str,
    pub(crate) crashes: usize,
    /// What the wire did to answers and events.
    pub(crate) wire: Injected,
    pub(crate) verdict: Verdict,
    pub(crate) took: Duration,
}

/// Hermes and how often it died.
struct Supervised<'a> {
    home: &'a Home,
    point: Failpoint,
    rng: StdRng,
    most: usize,
    crashes: usize,
    asked_to_end: bool,
    hermes: Process,
}

impl<'a> Supervised<'a> {
    fn start(home: &'a Home, point: Failpoint, most: usize, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let hermes = launch(home, point, most > 0, 0, &mut rng);
        Self { home, point, rng, most, crashes: 0, asked_to_end: false, hermes }
    }

    /// Starts it again when it has died; an end of any other kind is an error.
    fn look_after(&mut self) {
        let Some(status) = self.hermes.ended() else { return };
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        // One that has just begun does not hear yet that it is to end: the signal kills it.
        let deaf = self.asked_to_end && signal == Some(15);
        assert!(deaf || signal == Some(9), "{:?}: hermes ended by itself: {status}; {}", self.point, self.log());
        self.crashes += usize::from(!deaf);
        self.hermes = launch(self.home, self.point, self.crashes < self.most, self.crashes, &mut self.rng);
    }

    fn log(&self) -> String {
        let path = self.home.dir.path().join(format!("hermes-{}.log", self.crashes));
        std::fs::read_to_string(path).unwrap_or_default()
    }
}

/// A life of Hermes: it ends at some passage of the step, which the seed decides, unless it may live.
fn launch(home: &Home, point: Failpoint, mortal: bool, life: usize, rng: &mut StdRng) -> Process {
    let hit = rng.random_range(1..=passages(point));
    let fatal = format!("{}:{hit}", point.name());
    let variables = [(VARIABLE, fatal.as_str())];
    home.start_with(&format!("hermes-{life}"), &["run", "hermes"], if mortal { &variables } else { &[] })
}

/// The intents that come past a step often.
const fn mix(point: Failpoint) -> Mix {
    match point {
        Failpoint::DeadLetterCommitted | Failpoint::DeadLetterPublished => Mix::Dead,
        Failpoint::Cancelling | Failpoint::CancelAnswered | Failpoint::LookedUp => Mix::Resting,
        _ => Mix::Everything,
    }
}

/// How often a life may come past a step before it ends there. What one step does for many orders at once is passed rarely.
const fn passages(point: Failpoint) -> u32 {
    match point {
        Failpoint::Leased
        | Failpoint::Acknowledged
        | Failpoint::LookedUp
        | Failpoint::Cancelling
        | Failpoint::CancelAnswered
        | Failpoint::DeadLetterCommitted
        | Failpoint::DeadLetterPublished => 3,
        _ => 6,
    }
}

/// Kills Hermes at `point`, over a Redis and a venue of its own.
pub(crate) async fn run(point: Failpoint, store: &Store, size: Size, seed: u64) -> Line {
    let begun = clock::monotonic();
    let servers = tokio::task::spawn_blocking(|| (RedisServer::start(), Sim::start("0.1")));
    let (redis, sim) = servers.await.expect("servers");
    let home = &Home::new(&redis.url(), &sim);
    store.configure(home);
    let wire = BadWire::to(sim.url("clob"), sim.url("clob_ws"), Rates::BAD, seed).await;
    home.edit(&format!("clob = \"{}\"", sim.url("clob")), &format!("clob = \"{}\"", wire.clob()));
    home.edit(&format!("clob_ws = \"{}\"", sim.url("clob_ws")), &format!("clob_ws = \"{}\"", wire.sockets()));
    allow_everything(home);
    let bus: BusRef = RedisBus::new(&redis.url()).expect("an address");
    let market = scene::market(sim.url("gamma"), scene::QUIET).await;
    let mut feed = scene::feed(&bus, std::slice::from_ref(&market));
    let intents = Intents::new(&market, size.intents, mix(point), seed);
    let mut supervised = Supervised::start(home, point, size.crashes, seed);
    while !state(&bus).await.is_some_and(|state| state.trading_state == TradingState::Active) {
        assert!(begun.elapsed() < PATIENCE, "{point:?}: hermes does not trade: {}", supervised.log());
        // Some steps lie before the first order.
        supervised.look_after();
        tokio::time::sleep(LOOK_EVERY).await;
    }
    feed.heard().await;
    let intents = Arc::new(intents);
    let (appended, to) = (Arc::clone(&intents), BusRef::clone(&bus));
    let feeding = tokio::spawn(async move { appended.append(&to, BETWEEN).await });
    loop {
        while !feeding.is_finished() || !is_quiet(&bus, size.intents).await {
            assert!(
                begun.elapsed() < PATIENCE,
                "{point:?}: not at rest after {PATIENCE:?} and {} crashes; last of the log: {}",
                supervised.crashes,
                supervised.log()
            );
            supervised.look_after();
            tokio::time::sleep(LOOK_EVERY).await;
        }
        supervised.asked_to_end = true;
        if tokio::task::block_in_place(|| supervised.hermes.stop()) == 0 {
            break;
        }
        // It came past the step once more on its way out.
        supervised.look_after();
    }
    feeding.await.expect("every intent is on the stream");
    let crashes = supervised.crashes;
    drop(feed);
    let (memory, state, truth) = (store.read(home).await, state(&bus).await.expect("a last snapshot"), sim.truth());
    let account = sim.hello["accounts"][0]["address"].as_str().expect("an address");
    let mut verdict = books::compare(&intents, &memory, &state, &truth, account, &bus).await;
    resigned::compare(&memory, home, &sim, &mut verdict.wrong).await;
    let pending = bus.pending(Stream::Signals, Group::Hermes).await.expect("the group");
    if pending.count > 0 {
        verdict.wrong.push(format!("{} entries are not acknowledged", pending.count));
    }
    Line { point, store: store.name(), crashes, wire: wire.injected(), verdict, took: begun.elapsed() }
}

/// Limits that no intent comes near, and the shortest waits that a configuration allows.
fn allow_everything(home: &Home) {
    home.allow_everything();
    for (from, to) in [("claim_after_s = 30", "claim_after_s = 1"), ("reconcile_s = 30", "reconcile_s = 5")] {
        home.edit(from, to);
    }
}

/// Every intent was handed out and acknowledged, nothing is open or unknown, every fill is settled.
async fn is_quiet(bus: &BusRef, intents: usize) -> bool {
    let Ok(pending) = bus.pending(Stream::Signals, Group::Hermes).await else { return false };
    let Some(state) = state(bus).await else { return false };
    let fresh = clock::now().since(state.at) < FRESH;
    let settled = state.recent_fills.iter().all(|fill| fill.status.is_final());
    let done = fates(&state) >= u64::try_from(intents).expect("few intents");
    pending.count == 0 && fresh && settled && done && state.orders.open == 0 && state.orders.unknown == 0
}

/// How many intents have led to something.
fn fates(state: &HermesState) -> u64 {
    state.orders.accepted + state.orders.denied + state.dlq
}
