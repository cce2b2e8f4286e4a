//! What is traded in tests that put intents on the stream themselves: the quiet market, its books on the bus, intents.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use cockpit::bus::{BusRef, Channel, Origin, Stream, encode};
use cockpit::clock;
use cockpit::domain::{
    Book, IntentId, Level, Market, OrderIntent, PolymarketData, Price, Rationale, Side, SignalEntry, Size, StrategyId,
    Symbol, TimeInForce, Timestamp, TokenId,
};
use cockpit::venues::polymarket::gamma::GammaClient;
use rust_decimal::{Decimal, dec};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::task::AbortOnDropHandle;

/// The first of the simulator's books that rest at 0.40 and 0.60 and are refilled when they were taken.
pub(crate) const QUIET: &str = "quiet-sample-market";
/// How many such markets there are.
const QUIET_MARKETS: usize = 10;

/// The slugs of all of them.
pub(crate) fn quiet_slugs() -> impl Iterator<Item = String> {
    (1..=QUIET_MARKETS).map(|number| if number == 1 { QUIET.to_owned() } else { format!("{QUIET}-{number}") })
}

/// The epoch of a simulation that was never killed.
const EPOCH: u64 = 1;

/// An order to be wished for.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// Its name; makes the intent what it is.
    pub(crate) name: String,
    /// Which of the market's two outcomes.
    pub(crate) outcome: usize,
    /// Buy or sell.
    pub(crate) side: Side,
    /// Limit.
    pub(crate) price: Decimal,
    /// Shares.
    pub(crate) size: Decimal,
    /// How long the venue may keep it.
    pub(crate) tif: TimeInForce,
    /// Time to send it; nothing makes a deadline that has passed.
    pub(crate) send_within: Option<Duration>,
    /// How long it may rest.
    pub(crate) rest: Duration,
}

impl Wish {
    /// As an intent made now.
    pub(crate) fn intent(self, market: &Market) -> OrderIntent {
        let (now, outcome) = (clock::now(), &market.tokens[self.outcome]);
        OrderIntent {
            intent: IntentId::new(self.name),
            strategy: StrategyId::new("test"),
            market: market.market.clone(),
            slug: market.slug.clone(),
            token: outcome.token.clone(),
            outcome: outcome.outcome.clone(),
            side: self.side,
            price: Price(self.price),
            size: Size(self.size),
            tif: self.tif,
            post_only: false,
            tick_received_at: now,
            created_at: now,
            deadline: self.send_within.map_or_else(|| now.minus(Duration::from_secs(1)), |within| now.plus(within)),
            rest_until: now.plus(self.rest),
            epoch: EPOCH,
            attempt: 1,
        }
    }
}

/// A resting order of an hour ago, which had half a minute to be sent.
pub(crate) fn expired(market: &Market) -> OrderIntent {
    let wish = Wish {
        name: "too-late".to_owned(),
        outcome: 0,
        side: Side::Buy,
        price: dec!(0.40),
        size: dec!(5),
        tif: TimeInForce::Gtc,
        send_within: Some(Duration::from_secs(30)),
        rest: Duration::from_hours(2),
    };
    let intent = wish.intent(market);
    let earlier = |time: Timestamp| time.minus(Duration::from_hours(1));
    OrderIntent { created_at: earlier(intent.created_at), deadline: earlier(intent.deadline), ..intent }
}

/// Puts intents on the stream, as Athena would.
pub(crate) async fn append(bus: &BusRef, origin: &Origin, intent: &OrderIntent) {
    let entry = SignalEntry { intent: intent.clone(), rationale: rationale(), checks: Vec::new(), doubt: None };
    let payload = encode(&origin.wrap(&entry, clock::now())).expect("an entry");
    bus.append(Stream::Signals, payload).await.expect("the stream takes it");
}

/// Why an intent of a test exists.
pub(crate) fn rationale() -> Rationale {
    Rationale {
        source: Symbol::new("BTC/USD"),
        change: dec!(0.001),
        threshold: dec!(0.0005),
        measure: cockpit::domain::Measure::Relative,
        window_ms: 15_000,
        window_ticks: 10,
        first: Price(dec!(60000)),
        last: Price(dec!(60060)),
        reference: Price(dec!(0.60)),
        fair: None,
        edge: None,
        note: "made by a test".into(),
        params: 0,
        inputs: Vec::new(),
    }
}

/// A market as the catalogue tells it.
pub(crate) async fn market(gamma: &str, slug: &str) -> Market {
    let client = GammaClient::new(gamma).expect("an address");
    client.market_by_slug(&slug.into()).await.expect("the catalogue answers").expect("the market is listed")
}

/// Tells the markets and their books, as Argos would, until it is dropped; so often that a Hermes that has just started need
/// not refuse an intent for want of a book.
pub(crate) fn feed(bus: &BusRef, markets: &[Market]) -> Feed {
    feed_at(bus, markets, dec!(0.40))
}

/// The same with other bids.
pub(crate) fn feed_at(bus: &BusRef, markets: &[Market], bid: Decimal) -> Feed {
    let (bus, markets) = (BusRef::clone(bus), markets.to_vec());
    let (told, rounds) = watch::channel(0);
    let task = AbortOnDropHandle::new(tokio::spawn(async move {
        let origin = Origin::new("argos", "test");
        let mut due = tokio::time::interval(Duration::from_millis(40));
        // Rounds that follow each other at once would be counted as heard before anybody could hear them.
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            due.tick().await;
            told.send_modify(|rounds| *rounds += 1);
            for market in &markets {
                let books = market.tokens.iter().map(|outcome| PolymarketData::Book(book(market, &outcome.token, bid)));
                for data in std::iter::once(PolymarketData::Market(market.clone())).chain(books) {
                    let payload = encode(&origin.wrap(&data, clock::now())).expect("a message");
                    // While the bus is down nobody hears it anyway.
                    let _heard = bus.publish(Channel::Polymarket, payload).await;
                }
            }
        }
    }));
    Feed { rounds, _task: task }
}

/// The books being told.
#[derive(Debug)]
pub(crate) struct Feed {
    rounds: watch::Receiver<u64>,
    _task: AbortOnDropHandle<()>,
}

impl Feed {
    /// Waits until whoever listens now has heard everything.
    pub(crate) async fn heard(&mut self) {
        let now = *self.rounds.borrow();
        self.rounds.wait_for(|rounds| *rounds >= now + 5).await.expect("the feed goes on");
    }
}

fn book(market: &Market, token: &TokenId, bid: Decimal) -> Book {
    let level = |price| vec![Level { price: Price(price), size: Size(dec!(500)) }];
    let now = clock::now();
    Book {
        market: market.market.clone(),
        token: token.clone(),
        bids: level(bid),
        asks: level(dec!(0.60)),
        event_at: now,
        received_at: now,
        heard_at: None,
    }
}
