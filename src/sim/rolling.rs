//! The rolling market: one window of five minutes after the other. Pure: (state, price, now) -> what to do at the exchange.

use std::collections::BTreeMap;
use std::time::Duration;

use alloy_primitives::U256;
use rust_decimal::{Decimal, dec};
use sha2::{Digest, Sha256};

use crate::domain::{FeeSchedule, Market, MarketId, OutcomeToken, Price, Protocol, Size, Slug, Timestamp, TokenId};

/// Length of a window in seconds; windows begin at its multiples.
pub(super) const WINDOW_SECS: i64 = 300;
/// Time from the end of a window to its resolution. The venue takes one to three minutes.
const RESOLVE_AFTER: Duration = Duration::from_secs(4);
/// How long a resolved window can still be asked for.
const FORGET_AFTER: Duration = Duration::from_hours(1);

/// What has to be done at the exchange and on the listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Roll {
    List(Box<Market>),
    Close(MarketId),
    Resolve(MarketId, [Price; 2]),
    Forget(MarketId),
}

/// One window.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) market: Market,
    pub(super) opens_at: Timestamp,
    pub(super) closes_at: Timestamp,
    /// The pair's price at the start; absent before it.
    pub(super) to_beat: Option<Price>,
    /// The pair's price at the end; absent before it.
    final_price: Option<Price>,
    resolved: bool,
}

impl Window {
    /// Whether it takes orders.
    pub(super) const fn is_open(&self) -> bool {
        self.final_price.is_none()
    }
}

/// All the windows that are listed, by their start in seconds.
#[derive(Debug)]
pub(super) struct Rolling {
    seed: u64,
    windows: BTreeMap<i64, Window>,
}

impl Rolling {
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed, windows: BTreeMap::new() }
    }

    pub(super) fn windows(&self) -> impl Iterator<Item = &Window> {
        self.windows.values()
    }

    /// Moves on to `now`, at which the pair trades at `price`. The running and the next window are always listed.
    ///
    /// A window that was already running when the simulator started has the price of that moment to beat.
    pub(super) fn advance(&mut self, price: Price, now: Timestamp) -> Vec<Roll> {
        let mut rolls = Vec::new();
        let running = now.secs().div_euclid(WINDOW_SECS) * WINDOW_SECS;
        for start in [running, running + WINDOW_SECS] {
            let seed = self.seed;
            self.windows.entry(start).or_insert_with(|| {
                let window = window(seed, start);
                rolls.push(Roll::List(Box::new(window.market.clone())));
                window
            });
        }
        for window in self.windows.values_mut() {
            let id = &window.market.market;
            if window.to_beat.is_none() && now >= window.opens_at {
                window.to_beat = Some(price);
            }
            if window.final_price.is_none() && now >= window.closes_at {
                window.final_price = Some(price);
                window.market.accepting_orders = false;
                rolls.push(Roll::Close(id.clone()));
            }
            if let (Some(to_beat), Some(last), false) = (window.to_beat, window.final_price, window.resolved)
                && now >= window.closes_at.plus(RESOLVE_AFTER)
            {
                window.resolved = true;
                let up = if last >= to_beat { Decimal::ONE } else { Decimal::ZERO };
                rolls.push(Roll::Resolve(id.clone(), [Price(up), Price(Decimal::ONE - up)]));
            }
        }
        self.windows.retain(|_, window| {
            let keep = !window.resolved || now < window.closes_at.plus(FORGET_AFTER);
            if !keep {
                rolls.push(Roll::Forget(window.market.market.clone()));
            }
            keep
        });
        rolls
    }
}

fn window(seed: u64, start: i64) -> Window {
    let (opens_at, closes_at) = (Timestamp::from_secs(start), Timestamp::from_secs(start.saturating_add(WINDOW_SECS)));
    let slug = format!("btc-updown-5m-{start}");
    let fee = FeeSchedule { rate: dec!(0.07), exponent: 1 };
    let mut market = market(seed, &slug, ["Up", "Down"], fee);
    market.opens_at = Some(opens_at);
    market.closes_at = Some(closes_at);
    Window { market, opens_at, closes_at, to_beat: None, final_price: None, resolved: false }
}

/// A market on a grid of one cent, with a minimum of five shares. Its ids derive from seed and slug alone.
pub(super) fn market(seed: u64, slug: &str, outcomes: [&str; 2], fee: FeeSchedule) -> Market {
    let token = |index: usize| OutcomeToken { token: token_id(seed, slug, index), outcome: outcomes[index].to_owned() };
    Market {
        slug: Slug::new(slug),
        market: MarketId::new(format!("0x{}", hex::encode(digest("condition", seed, slug, 0)))),
        tokens: [token(0), token(1)],
        tick_size: Price(dec!(0.01)),
        min_size: Size(dec!(5)),
        neg_risk: false,
        protocol: Protocol::V2,
        fee,
        opens_at: None,
        closes_at: None,
        accepting_orders: true,
        payouts: None,
        question: None,
        group: None,
    }
}

/// A big number as decimal text. Clients take an id whose bits 40 to 103 are all zero for one of protocol V2, so one of
/// them is always set.
fn token_id(seed: u64, slug: &str, index: usize) -> TokenId {
    let id: U256 = U256::from_be_bytes(digest("token", seed, slug, index)) | (U256::from(1) << 40);
    TokenId::new(id.to_string())
}

fn digest(what: &str, seed: u64, slug: &str, index: usize) -> [u8; 32] {
    Sha256::digest(format!("cockpit sim {what} {seed} {slug} {index}")).into()
}

/// A seed of its own for each part that decides at random.
pub(super) fn derived_seed(seed: u64, part: &str) -> u64 {
    digest("seed", seed, part, 0).iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_795_348_800;

    fn price(value: i64) -> Price {
        Price(Decimal::from(value))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(START + second)
    }

    #[test]
    fn the_running_and_the_next_window_are_listed() {
        let mut rolling = Rolling::new(1);
        let listed: Vec<String> = rolling
            .advance(price(100), at(10))
            .iter()
            .map(|roll| match roll {
                Roll::List(market) => market.slug.to_string(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(listed, [format!("btc-updown-5m-{START}"), format!("btc-updown-5m-{}", START + 300)]);
        assert!(rolling.advance(price(100), at(299)).is_empty());
    }

    fn roll(to_beat: i64, last: i64) -> [Price; 2] {
        let mut rolling = Rolling::new(1);
        let Roll::List(first) = rolling.advance(price(to_beat), at(0)).remove(0) else { panic!("listed first") };
        rolling.advance(price(to_beat + 50), at(150));
        let rolls = rolling.advance(price(last), at(300));
        assert_eq!(rolls.len(), 2, "{rolls:?}");
        assert!(matches!(&rolls[0], Roll::List(market) if market.opens_at == Some(at(600))));
        assert_eq!(rolls[1], Roll::Close(first.market.clone()));
        assert!(rolling.advance(price(last + 100), at(303)).is_empty());
        let rolls = rolling.advance(price(last - 100), at(304));
        let [Roll::Resolve(id, payouts)] = rolls.as_slice() else { panic!("{rolls:?}") };
        assert_eq!(*id, first.market);
        assert!(rolling.advance(price(1), at(305)).is_empty(), "resolved once");
        assert_eq!(rolling.advance(price(1), at(300 + 3_600)).last(), Some(&Roll::Forget(first.market)));
        *payouts
    }

    #[test]
    fn a_window_closes_and_resolves_by_the_prices_at_its_ends() {
        let (one, zero) = (price(1), price(0));
        assert_eq!(roll(100, 101), [one, zero]);
        assert_eq!(roll(100, 100), [one, zero], "equal is Up");
        assert_eq!(roll(100, 99), [zero, one]);
    }

    #[test]
    fn after_a_long_sleep_every_window_is_brought_to_its_end() {
        let mut rolling = Rolling::new(1);
        rolling.advance(price(100), at(10));
        let rolls = rolling.advance(price(90), at(2_000));
        let count = |wanted: fn(&Roll) -> bool| rolls.iter().filter(|roll| wanted(roll)).count();
        assert_eq!(count(|roll| matches!(roll, Roll::List(_))), 2);
        assert_eq!(count(|roll| matches!(roll, Roll::Close(_))), 2);
        assert_eq!(count(|roll| matches!(roll, Roll::Resolve(..))), 2);
        assert_eq!(rolling.windows().filter(|window| window.is_open()).count(), 2);
    }

    #[test]
    fn ids_derive_from_seed_and_slug_and_are_not_of_protocol_v2() {
        let make = |seed, slug| market(seed, slug, ["Yes", "No"], FeeSchedule::FREE);
        assert_eq!(make(1, "a"), make(1, "a"));
        assert_ne!(make(1, "a").market, make(2, "a").market);
        assert_ne!(make(1, "a").market, make(1, "b").market);
        let market = make(1, "a");
        assert_eq!(market.market.as_str().len(), 66);
        assert_ne!(market.tokens[0].token, market.tokens[1].token);
        for outcome in &market.tokens {
            let id: U256 = outcome.token.as_str().parse().expect("decimal");
            let bits: U256 = (id >> 40) & U256::from(u64::MAX);
            assert!(!bits.is_zero());
        }
    }
}
