//! The world around the exchange, moved on in steps of fixed length: tape, windows, makers, strangers.
//!
//! What it decides depends on the seed, the tape and the step alone; the clock only says how many steps are due.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use alloy_primitives::Address;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use sha2::{Digest, Sha256};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::exchange::{AccountId, AccountKind, Exchange};
use super::fair::{SIGMA, probability_up};
use super::kraken::Kraken;
use super::listing::{Listing, Listings};
use super::makers::Makers;
use super::noise::Noise;
use super::quiet;
use super::rolling::{Roll, Rolling, Window, derived_seed};
use super::tape::{EventKind, Playback};
use super::trader::{Trader, shown};
use crate::clock;
use crate::domain::{Market, MarketId, OutcomeToken, Price, TimeInForce, Timestamp, Usd};

/// Length of a step.
const STEP: Duration = Duration::from_millis(25);
/// A gap longer than this (a suspended machine) is jumped over: the tape pauses, the windows do not.
const MAX_CATCH_UP: Duration = Duration::from_secs(5);
/// How late the makers see the pair's price.
const LAG: Duration = Duration::from_millis(250);
/// Time between two looks at the quiet market.
const QUIET_EVERY: Duration = Duration::from_millis(250);
/// The pair that the rolling market follows.
pub(super) const PAIR: &str = "BTC/USD";
/// Gamma's series of the rolling market.
const SERIES: (&str, &str) = ("10684", "btc-up-or-down-5m");

/// Makers and strangers of one window.
#[derive(Debug)]
struct Desk {
    makers: Makers,
    noise: Noise,
    tick: Price,
}

/// What the world is made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) exchange: Exchange,
    pub(super) kraken: Kraken,
    pub(super) listings: Listings,
    pub(super) playback: Playback,
    /// Index of [`PAIR`] on the tape.
    pub(super) pair: usize,
    pub(super) seed: u64,
    pub(super) speed: f64,
}

/// The world.
#[derive(Debug)]
pub(super) struct World {
    parts: Parts,
    /// Time of the last step.
    at: Timestamp,
    /// Tape time of the last step.
    tape_us: f64,
    /// The pair's mid price of the last moments, oldest first.
    mids: VecDeque<(Timestamp, f64)>,
    rolling: Rolling,
    desks: BTreeMap<MarketId, Desk>,
    quiet: Vec<Market>,
    quiet_at: Timestamp,
    house: AccountId,
    strangers: AccountId,
    orders: u64,
    events: Vec<(usize, EventKind)>,
}

impl World {
    /// Lists the quiet market and takes the first step, so that every book is quoted when this returns.
    pub(super) fn new(parts: Parts, now: Timestamp) -> Self {
        let account = |name: &str| {
            let digest: [u8; 32] = Sha256::digest(format!("cockpit sim account {name}")).into();
            AccountId::new(Address::from_slice(&digest[12..]).to_checksum(None))
        };
        let (house, strangers) = (account("makers"), account("strangers"));
        for account in [&house, &strangers] {
            parts.exchange.open_account(account, AccountKind::House, Usd::ZERO);
        }
        let quiet = list_quiet(&parts, now);
        let rolling = Rolling::new(parts.seed);
        let mut world = Self {
            parts,
            at: now,
            tape_us: 0.0,
            mids: VecDeque::new(),
            rolling,
            desks: BTreeMap::new(),
            quiet,
            quiet_at: now,
            house,
            strangers,
            orders: 0,
            events: Vec::new(),
        };
        world.step(now);
        world
    }

    /// The rolling window that runs at the time of the last step.
    pub(super) fn running(&self) -> Option<&Market> {
        self.rolling.windows().filter(|window| window.is_open()).map(|window| &window.market).next()
    }

    /// The quiet market that is shown.
    pub(super) fn quiet(&self) -> Option<&Market> {
        self.quiet.first()
    }

    /// Takes every step that is due at `now`.
    fn catch_up(&mut self, now: Timestamp) {
        let behind = now.since(self.at);
        if behind > MAX_CATCH_UP {
            tracing::warn!(?behind, "sim: time jumped, the tape goes on from where it was");
            self.at = now.minus(STEP);
        }
        while self.at.plus(STEP) <= now {
            self.tape_us += STEP.as_secs_f64() * 1e6 * self.parts.speed;
            self.step(self.at.plus(STEP));
        }
    }

    fn step(&mut self, now: Timestamp) {
        self.at = now;
        self.play(now);
        let Some(mid) = self.mid() else { return };
        self.mids.push_back((now, mid.decimal().to_f64().unwrap_or_default()));
        while self.mids.get(1).is_some_and(|(at, _)| now.since(*at) >= LAG) {
            self.mids.pop_front();
        }
        for roll in self.rolling.advance(mid, now) {
            self.roll(roll, now);
        }
        self.quote(now);
        if now >= self.quiet_at {
            self.quiet_at = now.plus(QUIET_EVERY);
            self.refill_quiet(now);
        }
        self.parts.exchange.advance(now);
    }

    fn play(&mut self, now: Timestamp) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and far below 2^53")]
        let tape_ms = (self.tape_us / 1e3) as u64;
        let events = &mut self.events;
        events.clear();
        self.parts.playback.play_to(tape_ms, |pair, kind| events.push((pair, kind)));
        self.parts.kraken.publish(events, now);
    }

    /// Halfway between best bid and ask of the pair that the windows follow.
    fn mid(&self) -> Option<Price> {
        let quote = self.parts.playback.level(self.parts.pair)?;
        let decimals = self.parts.playback.recording().pairs.get(self.parts.pair)?.price_decimals;
        Some(Price(Decimal::new(quote.bid.saturating_add(quote.ask), decimals) / Decimal::TWO))
    }

    fn roll(&mut self, roll: Roll, now: Timestamp) {
        match roll {
            Roll::List(market) => self.list(*market, now),
            Roll::Close(market) => {
                self.desks.remove(&market);
                self.parts.exchange.close_market(&market, now);
                self.parts.listings.close(&market, now);
            }
            Roll::Resolve(market, payouts) => {
                self.parts.exchange.resolve_market(&market, payouts, now);
                self.parts.listings.resolve(&market, payouts, now);
            }
            Roll::Forget(market) => {
                self.parts.exchange.forget_market(&market);
                self.parts.listings.forget(&market);
            }
        }
    }

    fn list(&mut self, market: Market, now: Timestamp) {
        let slug = market.slug.as_str();
        let desk = Desk {
            makers: Makers::new(
                &market.tokens,
                market.tick_size,
                derived_seed(self.parts.seed, &format!("makers {slug}")),
            ),
            noise: Noise::new(derived_seed(self.parts.seed, &format!("noise {slug}"))),
            tick: market.tick_size,
        };
        self.desks.insert(market.market.clone(), desk);
        self.parts.exchange.list_market(market.clone(), now);
        let at = |at: Option<Timestamp>| at.unwrap_or_default();
        self.parts.listings.add(Listing {
            number: u64::try_from(at(market.opens_at).secs() / super::rolling::WINDOW_SECS).unwrap_or_default(),
            question: format!("Bitcoin Up or Down, {} to {}", at(market.opens_at), at(market.closes_at)),
            description: format!(
                "Resolves to \"Up\" if the simulated price of {PAIR} at the end of the window is greater than or equal to the \
                 price at its beginning, otherwise to \"Down\"."
            ),
            series: Some(SERIES),
            listed_at: now,
            updated_at: now,
            market,
        });
    }

    /// Makers and strangers of every open window.
    fn quote(&mut self, now: Timestamp) {
        let seen = self.mids.front().map_or(0.0, |(_, mid)| *mid);
        let sigma = SIGMA * self.parts.speed.sqrt();
        for window in self.rolling.windows().filter(|window| window.is_open()) {
            let Some(desk) = self.desks.get_mut(&window.market.market) else { continue };
            let mut trader = Trader::new(&self.parts.exchange, &mut self.orders, self.parts.seed, now);
            if desk.makers.look(fair(window, seen, sigma, now), now) {
                trader.requote(&mut desk.makers, &self.house);
            }
            if window.to_beat.is_some()
                && let Some(take) = desk.noise.decide(now)
            {
                let token = desk.makers.token(take.token).clone();
                let limit = self.parts.exchange.book(&token).and_then(|book| take.limit(&book, desk.tick));
                if let Some(limit) = limit {
                    trader.place(&self.strangers, token, take.side, limit, take.size, TimeInForce::Fak);
                }
            }
        }
    }

    fn refill_quiet(&mut self, now: Timestamp) {
        let mut trader = Trader::new(&self.parts.exchange, &mut self.orders, self.parts.seed, now);
        for market in &self.quiet {
            for (OutcomeToken { token, .. }, (side, price)) in
                market.tokens.iter().flat_map(|token| quiet::PLACES.map(|place| (token, place)))
            {
                let shown = shown(self.parts.exchange.book(token).as_ref(), side, price);
                if let Some(size) = quiet::missing(shown, market) {
                    trader.place(&self.house, token.clone(), side, price, size, TimeInForce::Gtc);
                }
            }
        }
    }
}

fn list_quiet(parts: &Parts, now: Timestamp) -> Vec<Market> {
    let list = |(number, market): (u64, Market)| {
        parts.exchange.list_market(market.clone(), now);
        parts.listings.add(Listing {
            number,
            market: market.clone(),
            question: "Does the quiet book move?".to_owned(),
            description: "A book that rests at 0.40 and 0.60 and is refilled when it was taken. Never resolved."
                .to_owned(),
            series: None,
            listed_at: now,
            updated_at: now,
        });
        market
    };
    quiet::markets(parts.seed).map(list).collect()
}

/// The fair value of "Up". Before its window begins nobody knows more than one half.
fn fair(window: &Window, seen: f64, sigma: f64, now: Timestamp) -> f64 {
    window.to_beat.map_or(0.5, |to_beat| {
        probability_up(seen, to_beat.decimal().to_f64().unwrap_or_default(), sigma, window.closes_at.since(now))
    })
}

/// Moves the world on until it is told to stop.
pub(super) async fn run(mut world: World, shutdown: CancellationToken) {
    let mut origin = world.at;
    let started = clock::monotonic();
    let mut interval = tokio::time::interval(STEP);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = interval.tick() => {}
        }
        // Monotonic time does not count a suspended machine's sleep; the wall clock does. It is never followed backwards.
        let (elapsed, wall) = (started.elapsed(), clock::now());
        if wall.since(origin.plus(elapsed)) > MAX_CATCH_UP {
            origin = wall.minus(elapsed);
        }
        world.catch_up(origin.plus(elapsed));
    }
}

#[cfg(test)]
#[path = "world_tests.rs"]
mod tests;
