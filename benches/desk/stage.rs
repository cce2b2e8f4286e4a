//! A desk to measure: the real binary, a Redis and a simulated venue of its own, and intents put on the stream.

use std::collections::BTreeSet;
use std::time::Duration;

use cockpit::bus::redis::RedisBus;
use cockpit::bus::{BusRef, Group, Key, Origin, Stream, decode};
use cockpit::clock;
use cockpit::domain::{HermesState, Market, OrderIntent, Side, TimeInForce, TradingState};
use cockpit::store::ledger::Memory;
use rust_decimal::{Decimal, dec};

use super::desk::{Home, Process, Sim};
use super::store::Store;
use super::support::redis_server::RedisServer;
use super::support::scene::{self, Feed, Wish};

/// From one order to the next, and from one sample of a floor to the next: both find the machine idle, its caches cold.
pub(crate) const PACE: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_mins(1);

/// As a desk runs it: what was written is on disk a second later at most. The ledger is what must not lose anything.
pub(crate) fn redis() -> RedisServer {
    RedisServer::start_with(&["--appendfsync", "everysec"])
}

/// Everything that runs; gone with the value.
pub(crate) struct Stage {
    pub(crate) store: Store,
    pub(crate) sim: Sim,
    pub(crate) home: Home,
    pub(crate) bus: BusRef,
    /// The quiet ones.
    pub(crate) markets: Vec<Market>,
    pub(crate) hermes: Process,
    pub(crate) origin: Origin,
    feed: Feed,
    redis: RedisServer,
}

impl Stage {
    /// Starts it and waits until it trades.
    pub(crate) async fn start(store: Store) -> Self {
        let servers = tokio::task::spawn_blocking(|| (redis(), Sim::start("0.1")));
        let (redis, sim) = servers.await.expect("servers");
        let home = Home::new(&redis.url(), &sim);
        home.allow_everything();
        home.edit("orders_per_s = 40", "orders_per_s = 400");
        home.edit("cancels_per_s = 80", "cancels_per_s = 300");
        store.configure(&home);
        let bus: BusRef = RedisBus::new(&redis.url()).expect("an address");
        let mut markets = Vec::new();
        for slug in scene::quiet_slugs() {
            markets.push(scene::market(sim.url("gamma"), &slug).await);
        }
        let mut feed = scene::feed(&bus, &markets);
        let hermes = home.start("hermes", &["run", "hermes"]);
        wait(&bus, "hermes to trade", |state| state.trading_state == TradingState::Active && state.funds.is_some())
            .await;
        feed.heard().await;
        let origin = Origin::new("athena", "bench");
        Self { store, sim, home, bus, markets, hermes, origin, feed, redis }
    }

    /// An order that is filled at once. The markets take turns, so that none's book runs dry.
    pub(crate) async fn take(&self, name: String, index: usize) {
        self.buy(name, index, dec!(0.60), TimeInForce::Fak, Duration::from_mins(1)).await;
    }

    /// An order that rests at the best bid for a second and is then cancelled.
    pub(crate) async fn rest(&self, name: String, index: usize) {
        self.buy(name, index, dec!(0.40), TimeInForce::Gtc, Duration::from_secs(1)).await;
    }

    async fn buy(&self, name: String, index: usize, price: Decimal, tif: TimeInForce, rest: Duration) {
        let market = &self.markets[index % self.markets.len()];
        let send_within = Some(Duration::from_mins(1));
        let wish = Wish { name, outcome: 0, side: Side::Buy, price, size: dec!(5), tif, send_within, rest };
        self.append(&wish.intent(market)).await;
    }

    pub(crate) async fn append(&self, intent: &OrderIntent) {
        scene::append(&self.bus, &self.origin, intent).await;
    }

    /// Waits until this many intents have led to something and everything that was begun is at its end.
    pub(crate) async fn quiet(&self, intents: u64) {
        wait(&self.bus, "every order to end", |state| {
            let settled = state.recent_fills.iter().all(|fill| fill.status.is_final());
            state.orders.accepted + state.orders.denied + state.dlq >= intents
                && state.orders.open == 0
                && state.orders.unknown == 0
                && settled
        })
        .await;
        let begun = clock::monotonic();
        while self.bus.pending(Stream::Signals, Group::Hermes).await.expect("the group").count > 0 {
            assert!(begun.elapsed() < PATIENCE, "entries are not acknowledged");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops Hermes and whoever told the books; what he wrote on the bus stays there. The home and the bus's server are left.
    pub(crate) async fn without_hermes(self) -> (Home, RedisServer) {
        let Self { mut hermes, home, feed, redis, .. } = self;
        drop(feed);
        let code = tokio::task::spawn_blocking(move || hermes.stop()).await.expect("hermes stops");
        assert_eq!(code, 0, "an orderly end");
        (home, redis)
    }

    /// Stops Hermes and reads its ledger.
    pub(crate) async fn end(self) -> Memory {
        let Self { store, mut hermes, home, .. } = self;
        let code = tokio::task::spawn_blocking(move || hermes.stop()).await.expect("hermes stops");
        assert_eq!(code, 0, "an orderly end");
        store.read(&home).await
    }
}

/// Waits until Hermes' snapshot says so, and gives it.
pub(crate) async fn wait(bus: &BusRef, what: &str, holds: impl Fn(&HermesState) -> bool) -> HermesState {
    let begun = clock::monotonic();
    loop {
        let state = state(bus).await;
        if let Some(state) = state.clone().filter(|state| holds(state)) {
            return state;
        }
        let last = state.map(|state| {
            let reasons: BTreeSet<_> = state.recent_orders.into_iter().filter_map(|order| order.reason).collect();
            (state.orders, state.fills, state.dlq, state.trouble, reasons)
        });
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}: {last:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Hermes' snapshot.
pub(crate) async fn state(bus: &BusRef) -> Option<HermesState> {
    let payload = bus.get(&Key::HERMES).await.ok().flatten()?;
    Some(decode::<HermesState>(&payload).expect("a snapshot").body)
}
