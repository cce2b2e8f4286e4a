//! The intents of a run: of every kind, in an order that a seed decides, each known at the venue by its size.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use cockpit::bus::{BusRef, Origin};
use cockpit::domain::{IntentId, Market, OrderIntent, Side, TimeInForce};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rust_decimal::{Decimal, dec};

use crate::support::scene::{self, Wish};

/// Long enough for every restart; what expires on purpose has its deadline behind it.
const SEND_WITHIN: Duration = Duration::from_mins(3);
/// How long the first order may rest, and how much longer each one after it, so that each is cancelled by itself; then from
/// the beginning again.
const REST: Duration = Duration::from_secs(1);
const REST_LONGER: Duration = Duration::from_millis(120);
const REST_LENGTHS: u32 = 64;

/// What an intent is made to lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Buys at the ask what is there, at once.
    Take,
    /// Buys at the ask all of it, at once.
    Fill,
    /// Buys at the ask, and would rest.
    Cross,
    /// Rests below everything until it is cancelled.
    Rest,
    /// Sells what earlier ones bought; refused by the venue while there is nothing.
    Sell,
    /// Its deadline has passed.
    Late,
}

/// Which kinds a run is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "each test binary uses a part of it")]
pub(crate) enum Mix {
    /// Some of everything.
    Everything,
    /// What ends as a dead letter, mostly.
    Dead,
    /// What rests and is cancelled, mostly.
    Resting,
    /// Only what is sent and accepted; few of them take, so that an account can pay for a thousand.
    Sent,
}

impl Mix {
    const fn kinds(self) -> &'static [Kind] {
        use Kind::{Cross, Fill, Late, Rest, Sell, Take};
        match self {
            Self::Everything => &[Take, Rest, Cross, Take, Rest, Late, Cross, Sell, Rest, Take],
            Self::Dead => &[Late, Take],
            Self::Resting => &[Rest, Cross, Rest, Rest],
            Self::Sent => &[Take, Rest, Rest, Cross, Rest, Rest, Fill, Rest, Rest, Rest],
        }
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
    /// `count` of them, in an order that the seed decides.
    #[allow(dead_code, reason = "each test binary uses a part of it")]
    pub(crate) fn new(market: &Market, count: usize, mix: Mix, seed: u64) -> Self {
        let mut kinds: Vec<Kind> = mix.kinds().iter().copied().cycle().take(count).collect();
        let mut rng = StdRng::seed_from_u64(seed);
        for index in (1..kinds.len()).rev() {
            kinds.swap(index, rng.random_range(0..=index));
        }
        Self::of(kinds.into_iter().enumerate().map(|(index, kind)| wish(index, kind).intent(market)).collect())
    }

    /// These, each of a size of its own.
    pub(crate) fn of(all: Vec<OrderIntent>) -> Self {
        let by_size: BTreeMap<Decimal, IntentId> =
            all.iter().map(|intent| (intent.size.decimal().normalize(), intent.intent.clone())).collect();
        assert_eq!(by_size.len(), all.len(), "each has a size of its own");
        Self { all, by_size }
    }

    /// Whose order this is, by its size alone.
    pub(crate) fn of_size(&self, size: Decimal) -> Option<&IntentId> {
        self.by_size.get(&size.normalize())
    }

    /// Puts all of them on the stream one after the other, as Athena would.
    #[allow(dead_code, reason = "each test binary uses a part of it")]
    pub(crate) async fn append(&self, bus: &BusRef, pause: Duration) {
        let origin = Origin::new("athena", "test");
        for intent in &self.all {
            scene::append(bus, &origin, intent).await;
            tokio::time::sleep(pause).await;
        }
    }
}

fn wish(index: usize, kind: Kind) -> Wish {
    let (side, price, tif) = match kind {
        Kind::Take | Kind::Late => (Side::Buy, dec!(0.60), TimeInForce::Fak),
        Kind::Fill => (Side::Buy, dec!(0.60), TimeInForce::Fok),
        Kind::Cross => (Side::Buy, dec!(0.60), TimeInForce::Gtc),
        Kind::Rest => (Side::Buy, dec!(0.35), TimeInForce::Gtc),
        Kind::Sell => (Side::Sell, dec!(0.40), TimeInForce::Fak),
    };
    // Sells are small, so that a few buys cover them.
    let base = if side == Side::Sell { dec!(5) } else { dec!(10) };
    let index = u32::try_from(index).expect("few intents");
    // Steps at which price times size is whole cents, as the venue demands of an order that takes.
    let step = Decimal::new(5 * i64::from(index), 2);
    Wish {
        name: format!("crash-{index:03}-{kind:?}"),
        outcome: 0,
        side,
        price,
        size: base + step,
        tif,
        send_within: (kind != Kind::Late).then_some(SEND_WITHIN),
        rest: REST + REST_LONGER * (index % REST_LENGTHS),
    }
}
