//! What is traded: the market and its books on the bus, and intents of every kind, each known by its size.

use std::collections::BTreeMap;
use std::time::Duration;

use cockpit::bus::{BusRef, Channel, Origin, Stream, encode};
use cockpit::clock;
use cockpit::domain::{
    Book, IntentId, Level, Market, OrderIntent, PolymarketData, Price, Rationale, Side, SignalEntry, Size, StrategyId,
    Symbol, TimeInForce, Timestamp,
};
use cockpit::failpoint::Failpoint;
use cockpit::venues::polymarket::gamma::GammaClient;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rust_decimal::{Decimal, dec};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// The simulator's book that rests at 0.40 and 0.60 and is refilled when it was taken.
const SLUG: &str = "quiet-sample-market";
/// Long enough for every restart; what expires on purpose has its deadline behind it.
const SEND_WITHIN: Duration = Duration::from_mins(3);
/// How long the first order may rest, and how much longer each one after it: each is cancelled by itself.
const REST: Duration = Duration::from_millis(1_000);
const REST_LONGER: Duration = Duration::from_millis(120);
/// The epoch of a simulation that was never killed.
const EPOCH: u64 = 1;

/// What an intent is made to lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Buys at the ask, at once.
    Take,
    /// Buys at the ask, and would rest.
    Cross,
    /// Rests below everything until it is cancelled.
    Rest,
    /// Sells what earlier ones bought; refused by the venue while there is nothing.
    Sell,
    /// Its deadline has passed.
    Late,
}

/// Of ten intents, how many of each kind.
const MIX: [Kind; 10] = [
    Kind::Take,
    Kind::Rest,
    Kind::Cross,
    Kind::Take,
    Kind::Rest,
    Kind::Late,
    Kind::Cross,
    Kind::Sell,
    Kind::Rest,
    Kind::Take,
];
/// The same where dead letters are what matters.
const MOSTLY_LATE: [Kind; 2] = [Kind::Late, Kind::Take];
/// The same where cancels and lookups are.
const MOSTLY_RESTING: [Kind; 4] = [Kind::Rest, Kind::Cross, Kind::Rest, Kind::Rest];

const fn mix(point: Failpoint) -> &'static [Kind] {
    match point {
        Failpoint::DeadLetterCommitted | Failpoint::DeadLetterPublished => &MOSTLY_LATE,
        Failpoint::Cancelling | Failpoint::CancelAnswered | Failpoint::LookedUp => &MOSTLY_RESTING,
        _ => &MIX,
    }
}

/// Intents and how to tell them apart at the venue, which knows nothing of them but their orders.
#[derive(Debug)]
pub(crate) struct Intents {
    pub(crate) all: Vec<OrderIntent>,
    /// No two have the same size.
    by_size: BTreeMap<Decimal, IntentId>,
}

impl Intents {
    /// `count` of them, of the kinds that come past `point`, in an order that the seed decides.
    pub(crate) fn new(market: &Market, count: usize, point: Failpoint, seed: u64) -> Self {
        let mut kinds: Vec<Kind> = mix(point).iter().copied().cycle().take(count).collect();
        let mut rng = StdRng::seed_from_u64(seed);
        for index in (1..kinds.len()).rev() {
            kinds.swap(index, rng.random_range(0..=index));
        }
        let all: Vec<OrderIntent> =
            kinds.into_iter().enumerate().map(|(index, kind)| intent(market, index, kind, clock::now())).collect();
        let by_size: BTreeMap<Decimal, IntentId> =
            all.iter().map(|intent| (intent.size.decimal().normalize(), intent.intent.clone())).collect();
        assert_eq!(by_size.len(), count, "each has a size of its own");
        Self { all, by_size }
    }

    /// Whose order this is, by its size alone.
    pub(crate) fn of_size(&self, size: Decimal) -> Option<&IntentId> {
        self.by_size.get(&size.normalize())
    }

    /// Puts all of them on the stream, as Athena would.
    pub(crate) async fn append(&self, bus: &BusRef) {
        let origin = Origin::new("athena", "crash-test");
        for intent in &self.all {
            let entry = SignalEntry { intent: intent.clone(), rationale: rationale(), checks: Vec::new() };
            let payload = encode(&origin.wrap(&entry, clock::now())).expect("an entry");
            bus.append(Stream::Signals, payload).await.expect("the stream takes it");
        }
    }
}

fn intent(market: &Market, index: usize, kind: Kind, now: Timestamp) -> OrderIntent {
    let (side, price, tif) = match kind {
        Kind::Take | Kind::Late => (Side::Buy, dec!(0.60), TimeInForce::Fak),
        Kind::Cross => (Side::Buy, dec!(0.60), TimeInForce::Gtc),
        Kind::Rest => (Side::Buy, dec!(0.35), TimeInForce::Gtc),
        Kind::Sell => (Side::Sell, dec!(0.40), TimeInForce::Fak),
    };
    // Sells are small, so that a few buys cover them.
    let base = if side == Side::Sell { dec!(5) } else { dec!(10) };
    // Steps at which price times size is whole cents, as the venue demands of an order that takes.
    let step = Decimal::new(5 * i64::try_from(index).expect("few intents"), 2);
    let deadline = if kind == Kind::Late { now.minus(Duration::from_secs(1)) } else { now.plus(SEND_WITHIN) };
    OrderIntent {
        intent: IntentId::new(format!("crash-{index:03}-{kind:?}")),
        strategy: StrategyId::new("crash"),
        market: market.market.clone(),
        slug: market.slug.clone(),
        token: market.tokens[0].token.clone(),
        outcome: market.tokens[0].outcome.clone(),
        side,
        price: Price(price),
        size: Size(base + step),
        tif,
        post_only: false,
        tick_received_at: now,
        created_at: now,
        deadline,
        rest_until: now.plus(REST + REST_LONGER * u32::try_from(index).expect("few intents")),
        epoch: EPOCH,
        attempt: 1,
    }
}

fn rationale() -> Rationale {
    Rationale {
        source: Symbol::new("BTC/USD"),
        change: dec!(0.001),
        threshold: dec!(0.0005),
        window_ms: 15_000,
        window_ticks: 10,
        first: Price(dec!(60000)),
        last: Price(dec!(60060)),
        reference: Price(dec!(0.60)),
        note: "made by a test".to_owned(),
    }
}

/// The market as the catalogue tells it.
pub(crate) async fn market(gamma: &str) -> Market {
    let client = GammaClient::new(gamma).expect("an address");
    client.market_by_slug(&SLUG.into()).await.expect("the catalogue answers").expect("the market is listed")
}

/// Tells the market and its books, as Argos would, until it is dropped; so often that a Hermes that has just started need
/// not refuse an intent for want of a book.
pub(crate) fn feed(bus: &BusRef, market: &Market) -> Feed {
    let (bus, market) = (BusRef::clone(bus), market.clone());
    let (told, rounds) = watch::channel(0);
    let task = AbortOnDropHandle::new(tokio::spawn(async move {
        let origin = Origin::new("argos", "crash-test");
        let mut due = tokio::time::interval(Duration::from_millis(40));
        loop {
            due.tick().await;
            told.send_modify(|rounds| *rounds += 1);
            let books = market.tokens.iter().map(|outcome| PolymarketData::Book(book(&market, &outcome.token)));
            for data in std::iter::once(PolymarketData::Market(market.clone())).chain(books) {
                let payload = encode(&origin.wrap(&data, clock::now())).expect("a message");
                // While the bus is down nobody hears it anyway.
                let _heard = bus.publish(Channel::Polymarket, payload).await;
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

fn book(market: &Market, token: &cockpit::domain::TokenId) -> Book {
    let level = |price| vec![Level { price: Price(price), size: Size(dec!(500)) }];
    let now = clock::now();
    Book {
        market: market.market.clone(),
        token: token.clone(),
        bids: level(dec!(0.40)),
        asks: level(dec!(0.60)),
        event_at: now,
        received_at: now,
    }
}
