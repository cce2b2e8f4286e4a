//! A Hermes, the venue that goes wrong, and the markets that they trade in.

use std::sync::Arc;
use std::time::Duration;

use cockpit::bus::redis::RedisBus;
use cockpit::bus::{BusRef, Group, Origin, Stream, decode};
use cockpit::clock;
use cockpit::domain::{
    Fill, HermesState, JournalKind, Market, Order, OrderIntent, OrderState, Price, Side, TimeInForce, TradeEvent,
    TradingState,
};
use cockpit::store::books::Books;
use rust_decimal::{Decimal, dec};
use serde_json::{Value, json};

use crate::books;
use crate::desk::{Home, Process, Sim};
use crate::ended::Ended;
use crate::intents::Intents;
use crate::store::Store;
use crate::support::hermes;
use crate::support::redis_server::RedisServer;
use crate::support::scene::{self, Feed, Wish};

/// Longer than anything here takes, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_mins(3);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Time to be sent; nothing here is to end for want of it.
const SEND_WITHIN: Duration = Duration::from_mins(1);
/// Who rests does so until the desk ends, unless the test says otherwise.
pub(crate) const LONG: Duration = Duration::from_mins(10);

/// A limit that no test reaches.
pub(crate) const ALWAYS: u64 = 1_000_000;

/// What an order is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Rest below everything.
    Rest,
    /// The same, and never take.
    PostOnly,
    /// Buy at the ask, at once.
    Take,
    /// Sell at the bid, at once.
    Sell,
}

/// How often a rule of the plan in force could strike, and did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) occasions: u64,
    pub(crate) struck: u64,
}

pub(crate) struct World {
    pub(crate) markets: Vec<Market>,
    pub(crate) home: Home,
    sim: Arc<Sim>,
    bus: BusRef,
    origin: Origin,
    feed: Feed,
    hermes: Process,
    http: reqwest::Client,
    /// Everything that was wished for.
    all: Vec<OrderIntent>,
    _redis: RedisServer,
}

impl World {
    /// Starts a desk that trades in so many quiet markets, with these changes of its configuration.
    pub(crate) async fn start(markets: usize, edits: &[(&str, &str)]) -> Self {
        let servers = tokio::task::spawn_blocking(|| (RedisServer::start(), Sim::start("0.1")));
        let (redis, sim) = servers.await.expect("servers");
        let home = Home::new(&redis.url(), &sim);
        home.allow_everything();
        for (from, to) in edits {
            home.edit(from, to);
        }
        let bus: BusRef = RedisBus::new(&redis.url()).expect("an address");
        let mut listed = Vec::new();
        for slug in scene::quiet_slugs().take(markets) {
            listed.push(scene::market(sim.url("gamma"), &slug).await);
        }
        let feed = scene::feed(&bus, &listed);
        let hermes = home.start("hermes", &["run", "hermes"]);
        let mut world = Self {
            markets: listed,
            home,
            sim: Arc::new(sim),
            bus,
            origin: Origin::new("athena", "test"),
            feed,
            hermes,
            http: reqwest::Client::new(),
            all: Vec::new(),
            _redis: redis,
        };
        world.until("hermes to trade", |state| state.trading_state == TradingState::Active).await;
        world.until_money_is_counted().await;
        world.feed.heard().await;
        world
    }

    /// Until the books begin with what the account has: then every later correction is one too many.
    async fn until_money_is_counted(&self) {
        let begun = clock::monotonic();
        loop {
            let journals = self.read().journals().await.expect("the ledger is read");
            if journals.iter().any(|journal| journal.kind == JournalKind::Opening) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "the account's money is never counted");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The ledger, for looking at it while Hermes works.
    pub(crate) fn read(&self) -> Books {
        Books::sqlite(&self.home.dir.path().join("state/ledger.db")).expect("a ledger")
    }

    /// Replaces the plan of faults.
    pub(crate) async fn inject(&self, faults: &[Value]) {
        let request = self.http.post(format!("{}/faults", self.sim.url("truth")));
        let plan = json!({ "seed": 1, "faults": faults }).to_string();
        let answer = request.body(plan).send().await.expect("the venue answers");
        assert!(answer.status().is_success(), "{faults:?}: {}", answer.text().await.expect("words"));
    }

    /// What the rules in force have done.
    pub(crate) async fn tallies(&self) -> Vec<Tally> {
        let answer =
            self.http.get(format!("{}/faults", self.sim.url("truth"))).send().await.expect("the venue answers");
        let report: Value = serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON");
        let count = |rule: &Value, name: &str| rule[name].as_u64().expect("a count");
        let tally = |rule| Tally { occasions: count(rule, "occasions"), struck: count(rule, "struck") };
        report["faults"].as_array().expect("rules").iter().map(tally).collect()
    }

    /// Waits until the rules in force have done enough.
    pub(crate) async fn until_struck(&self, what: &str, enough: impl Fn(&[Tally]) -> bool) -> Vec<Tally> {
        let begun = clock::monotonic();
        loop {
            let tallies = self.tallies().await;
            if enough(&tallies) {
                return tallies;
            }
            assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}: {tallies:?}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Wishes for an order in the market of this index, of a size that no other has.
    pub(crate) async fn wish(&mut self, name: &str, market: usize, kind: Kind, rest: Duration) {
        self.wish_at(name, market, kind, price(kind), rest).await;
    }

    /// The same at another price than the usual one.
    pub(crate) async fn wish_at(&mut self, name: &str, market: usize, kind: Kind, price: Decimal, rest: Duration) {
        // Steps at which price times size is whole cents, as the venue demands of an order that takes; sales are smaller
        // than any purchase.
        let base = if kind == Kind::Sell { dec!(5) } else { dec!(20) };
        let step = Decimal::new(5 * i64::try_from(self.all.len()).expect("few"), 2);
        let wish = Wish {
            name: name.to_owned(),
            outcome: 0,
            side: if kind == Kind::Sell { Side::Sell } else { Side::Buy },
            price,
            size: base + step,
            tif: if matches!(kind, Kind::Rest | Kind::PostOnly) { TimeInForce::Gtc } else { TimeInForce::Fak },
            send_within: Some(SEND_WITHIN),
            rest,
        };
        let intent = OrderIntent { post_only: kind == Kind::PostOnly, ..wish.intent(&self.markets[market]) };
        scene::append(&self.bus, &self.origin, &intent).await;
        self.all.push(intent);
    }

    /// Ends every fault and has an order filled: the desk trades as before.
    pub(crate) async fn trades(&mut self, name: &str, market: usize) {
        self.inject(&[]).await;
        self.wish(name, market, Kind::Take, LONG).await;
        self.order(name, "filled", |order| order.state == OrderState::Filled).await;
    }

    /// Has the desk hear of this market as the catalogue lists it now.
    pub(crate) async fn renew(&mut self, market: usize) {
        let slug = self.markets[market].slug.to_string();
        self.markets[market] = scene::market(self.sim.url("gamma"), &slug).await;
        self.feed = scene::feed(&self.bus, &self.markets);
        self.feed.heard().await;
    }

    /// Has the venue resolve a market and pay out everybody's shares, and the desk hear of the result.
    pub(crate) async fn resolve(&mut self, market: usize, payouts: [Decimal; 2]) {
        let body = json!({ "market": self.markets[market].market, "payouts": payouts.map(Price) }).to_string();
        let request = self.http.post(format!("{}/resolve", self.sim.url("truth"))).body(body);
        let answer = request.send().await.expect("the venue answers");
        assert!(answer.status().is_success(), "{}", answer.text().await.expect("words"));
        let of = &mut self.markets[market];
        (of.payouts, of.accepting_orders) = (Some(payouts.map(Price)), false);
        self.feed = scene::feed(&self.bus, &self.markets);
        self.feed.heard().await;
    }

    /// Hermes' snapshot once it is as it should be.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&HermesState) -> bool) -> HermesState {
        hermes::until(&self.bus, PATIENCE, what, holds).await
    }

    /// The order of this name once it is as it should be.
    pub(crate) async fn order(&self, name: &str, what: &str, holds: impl Fn(&Order) -> bool) -> Order {
        let found = |state: &HermesState| find(state, name).filter(|order| holds(order)).cloned();
        let state = self.until(&format!("{name} to be {what}"), |state| found(state).is_some()).await;
        found(&state).expect("it was just there")
    }

    /// Waits until the intent of this name is a dead letter.
    pub(crate) async fn buried(&self, name: &str) {
        let is = |letter: &cockpit::domain::DeadLetter| letter.intent.as_ref().is_some_and(|id| id.as_str() == name);
        self.until(&format!("{name} to be a dead letter"), |state| state.dead_letters.iter().any(is)).await;
    }

    /// The venue's own view of the order of this name; nothing when it does not have it.
    pub(crate) async fn at_venue(&self, name: &str) -> Option<Value> {
        let size = self.all.iter().find(|intent| intent.intent.as_str() == name).expect("wished for").size;
        let sim = Arc::clone(&self.sim);
        let truth = tokio::task::spawn_blocking(move || sim.truth()).await.expect("the truth");
        let orders = truth["orders"].as_array().expect("orders");
        orders.iter().find(|order| crate::desk::decimal(&order["size"]) == size.decimal()).cloned()
    }

    /// Stops Hermes in good order and takes its books beside the truth.
    pub(crate) async fn finish(mut self) -> Ended {
        self.inject(&[]).await;
        let settled = |fill: &Fill| fill.status.is_final();
        let quiet = |state: &HermesState| state.orders.unknown == 0 && state.recent_fills.iter().all(settled);
        self.until("everything to be known and settled", quiet).await;
        let code = tokio::task::spawn_blocking(move || self.hermes.stop()).await.expect("hermes stops");
        assert_eq!(code, 0, "an orderly end");
        let state = hermes::state(&self.bus).await.expect("a last snapshot");
        let memory = Store::Sqlite.read(&self.home).await;
        let sim = Arc::clone(&self.sim);
        let truth = tokio::task::spawn_blocking(move || sim.truth()).await.expect("the truth");
        let account = self.sim.hello["accounts"][0]["address"].as_str().expect("an address").to_owned();
        let intents = Intents::of(self.all.clone());
        let verdict = books::compare(&intents, &memory, &state, &truth, &account, &self.bus).await;
        let pending = self.bus.pending(Stream::Signals, Group::Hermes).await.expect("the group").count;
        let books = Books::sqlite(&self.home.dir.path().join("state/ledger.db")).expect("a ledger");
        let journals = books.journals().await.expect("journals");
        let mut stories = Vec::new();
        for intent in &intents.all {
            stories.extend(books.story(&intent.intent, 1).await.expect("a story"));
        }
        let letters = books.letters(1_000).await.expect("letters");
        let events = self.bus.tail(Stream::Events, 100_000).await.expect("events");
        let events = events.iter().map(|entry| decode::<TradeEvent>(&entry.payload).expect("an event").body).collect();
        Ended { intents, verdict, pending, state, truth, account, journals, stories, letters, events }
    }
}

/// The order of this name in a snapshot.
pub(crate) fn find<'a>(state: &'a HermesState, name: &str) -> Option<&'a Order> {
    state.recent_orders.iter().find(|order| order.intent.intent.as_str() == name)
}

const fn price(kind: Kind) -> Decimal {
    match kind {
        Kind::Rest | Kind::PostOnly => dec!(0.35),
        Kind::Take => dec!(0.60),
        Kind::Sell => dec!(0.40),
    }
}

/// A rule that always strikes, so many times at most.
pub(crate) fn rule(limit: u64, mut fault: Value) -> Value {
    let fields = fault.as_object_mut().expect("an object");
    fields.extend([("probability".to_owned(), json!(1)), ("limit".to_owned(), json!(limit))]);
    fault
}

/// A rule that never strikes; its occasions are the posts of orders that come past it.
pub(crate) fn counts_posts() -> Value {
    json!({ "kind": "overloaded", "for_ms": 0, "probability": 0 })
}
