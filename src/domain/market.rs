use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GroupId, MarketId, Price, Size, Slug, Timestamp, TokenId, Usd};

/// Which exchange contract a market trades on; decides the EIP-712 domain version of its orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// CTF tokens on the V2 exchanges, domain version "2".
    V2,
    /// Position ids on `ExchangeV3`, domain version "3".
    V3,
}

/// One outcome of a market and the token that pays 1 when it comes true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutcomeToken {
    /// The token.
    pub token: TokenId,
    /// Its outcome as the venue names it: `Up`, `Yes`.
    pub outcome: String,
}

impl OutcomeToken {
    /// Whether its outcome has this name, in whatever case.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        if self.outcome.is_ascii() && name.is_ascii() {
            return self.outcome.eq_ignore_ascii_case(name);
        }
        self.outcome.chars().flat_map(char::to_lowercase).eq(name.chars().flat_map(char::to_lowercase))
    }
}

/// The taker fee: `shares * rate * (p * (1 - p)) ^ exponent`. Makers pay none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FeeSchedule {
    /// The rate, e.g. 0.07 for crypto markets.
    #[serde(with = "rust_decimal::serde::str")]
    #[schemars(with = "String")]
    pub rate: Decimal,
    /// The exponent, 1 on every market known.
    pub exponent: u32,
}

impl FeeSchedule {
    /// No fee at all.
    pub const FREE: Self = Self { rate: Decimal::ZERO, exponent: 1 };
    /// What the venue's dearest markets charge: for a market whose description is missing.
    pub const DEAREST: Self = Self { rate: Decimal::from_parts(7, 0, 0, false, 2), exponent: 1 };

    /// What a taker pays for `size` shares at `price`: five decimals, rounded half up, at least 0.00001 unless the rate
    /// is zero.
    #[must_use]
    pub fn taker_fee(&self, price: Price, size: Size) -> Usd {
        if self.rate.is_zero() || size.is_zero() {
            return Usd::ZERO;
        }
        let spread = price.0.saturating_mul(Decimal::ONE - price.0);
        let shape = (0..self.exponent).fold(Decimal::ONE, |product, _| product.saturating_mul(spread));
        let fee = size.0.saturating_mul(self.rate).saturating_mul(shape);
        let rounded = fee.round_dp_with_strategy(5, rust_decimal::RoundingStrategy::MidpointAwayFromZero);
        Usd(rounded.max(Decimal::new(1, 5)).normalize())
    }
}

/// A binary market as the venue describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Market {
    /// Readable name.
    pub slug: Slug,
    /// Condition id.
    pub market: MarketId,
    /// Its two outcomes, in the venue's order.
    pub tokens: [OutcomeToken; 2],
    /// Price grid.
    pub tick_size: Price,
    /// Smallest order, in shares.
    pub min_size: Size,
    /// Whether it belongs to a neg-risk event.
    pub neg_risk: bool,
    /// Which contract set it trades on.
    pub protocol: Protocol,
    /// Taker fee.
    pub fee: FeeSchedule,
    /// When the window it asks about opens.
    pub opens_at: Option<Timestamp>,
    /// When the window it asks about closes.
    pub closes_at: Option<Timestamp>,
    /// Whether the venue takes orders for it now.
    pub accepting_orders: bool,
    /// After resolution: what each outcome pays a share, in the order of `tokens`.
    #[schemars(with = "Option<[String; 2]>")]
    pub payouts: Option<[Price; 2]>,
    /// What it asks, in the venue's words; a temperature market names its bucket there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// The neg-risk event that it is part of: of all markets of a group exactly one pays YES.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
}

impl Market {
    /// The outcome of this name, in whatever case, and the other one; nothing when neither has it.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<[&OutcomeToken; 2]> {
        let [one, other] = &self.tokens;
        if one.is_called(name) { Some([one, other]) } else { other.is_called(name).then_some([other, one]) }
    }

    /// The outcome that comes true when what is asked does, or when the price rises, and the other one: `Up` or `Yes`, wherever the venue
    /// lists it. Of outcomes with other names, such as two teams, it is the first.
    #[must_use]
    pub fn yes_no(&self) -> [&OutcomeToken; 2] {
        let [one, other] = &self.tokens;
        self.rising().unwrap_or([one, other])
    }

    /// `Up` or `Yes`, and the other one; nothing when no outcome is called so.
    #[must_use]
    pub fn rising(&self) -> Option<[&OutcomeToken; 2]> {
        ["up", "yes"].into_iter().find_map(|name| self.named(name))
    }

    /// The outcome that `token` stands for.
    #[must_use]
    pub fn outcome_of(&self, token: &TokenId) -> Option<&OutcomeToken> {
        self.tokens.iter().find(|outcome| outcome.token == *token)
    }

    /// The token of the other outcome.
    #[must_use]
    pub fn opposite(&self, token: &TokenId) -> Option<&TokenId> {
        match self.tokens.iter().position(|outcome| outcome.token == *token)? {
            0 => Some(&self.tokens[1].token),
            _ => Some(&self.tokens[0].token),
        }
    }

    /// What a share of `token` pays, once the market is resolved.
    #[must_use]
    pub fn payout_of(&self, token: &TokenId) -> Option<Price> {
        let index = self.tokens.iter().position(|outcome| outcome.token == *token)?;
        self.payouts.as_ref().map(|payouts| payouts[index])
    }
}

/// Size resting at one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Level {
    /// The price.
    pub price: Price,
    /// All the shares resting at it.
    pub size: Size,
}

/// What shares come to that trade through these levels, best first, and how many of them find none.
#[must_use]
pub fn walk(levels: &[Level], shares: Size) -> (Usd, Size) {
    levels.iter().fold((Usd::ZERO, shares), |(sum, left), level| {
        let taken = left.min(level.size);
        (sum + level.price.notional(taken), left - taken)
    })
}

/// The order book of one token, best price first on both sides, at most ten levels a side on the bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Book {
    /// Condition id of its market.
    pub market: MarketId,
    /// The token.
    pub token: TokenId,
    /// Buyers, highest price first.
    pub bids: Vec<Level>,
    /// Sellers, lowest price first.
    pub asks: Vec<Level>,
    /// When the venue says it was so.
    pub event_at: Timestamp,
    /// When its last change reached us.
    pub received_at: Timestamp,
    /// Since then found to be so still: the venue was asked then, and showed the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<Timestamp>,
}

impl Book {
    /// The latest instant of which it is known to be true: the age of a book counts from then.
    #[must_use]
    pub fn known_at(&self) -> Timestamp {
        self.heard_at.map_or(self.received_at, |heard| heard.max(self.received_at))
    }

    /// The highest price somebody pays.
    #[must_use]
    pub fn best_bid(&self) -> Option<Level> {
        self.bids.first().copied()
    }

    /// The lowest price somebody sells at.
    #[must_use]
    pub fn best_ask(&self) -> Option<Level> {
        self.asks.first().copied()
    }

    /// Halfway between best bid and best ask; nothing for a one-sided book.
    #[must_use]
    pub fn mid(&self) -> Option<Price> {
        let (bid, ask) = (self.best_bid()?, self.best_ask()?);
        Some(Price(bid.price.0.saturating_add(ask.price.0) / Decimal::TWO))
    }
}

/// What `data.polymarket` carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PolymarketData {
    /// A market's description, repeated every few seconds while it is watched.
    Market(Market),
    /// A token's order book.
    Book(Book),
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::risk::checks::bench;

    #[test]
    fn yes_is_found_by_its_name_and_else_by_its_place() {
        let market = |outcomes: [&str; 2]| Market {
            tokens: outcomes.map(|outcome| OutcomeToken { token: outcome.into(), outcome: outcome.into() }),
            ..bench::market()
        };
        for (outcomes, yes) in [
            (["Up", "Down"], "Up"),
            (["Down", "Up"], "Up"),
            (["Yes", "No"], "Yes"),
            (["no", "YES"], "YES"),
            (["Lions", "Bears"], "Lions"),
            (["Bears", "Lions"], "Bears"),
        ] {
            let market = market(outcomes);
            let [found, other] = market.yes_no();
            assert_eq!(found.outcome, yes, "{outcomes:?}");
            assert_ne!(found.outcome, other.outcome, "{outcomes:?}");
        }
        let market = market(["São Paulo", "Bears"]);
        let names = |name| market.named(name).map(|[one, other]| (one.outcome.as_str(), other.outcome.as_str()));
        assert_eq!(names("bears"), Some(("Bears", "São Paulo")));
        assert_eq!(names("SÃO PAULO"), Some(("São Paulo", "Bears")));
        assert_eq!((names("Bear"), names("Bears ")), (None, None));
    }

    #[test]
    fn the_taker_fee_is_the_venues_formula() {
        let crypto = FeeSchedule { rate: dec!(0.07), exponent: 1 };
        assert_eq!(crypto.taker_fee(Price(dec!(0.5)), Size(dec!(100))), Usd(dec!(1.75)));
        assert_eq!(crypto.taker_fee(Price(dec!(0.001)), Size(dec!(0.01))), Usd(dec!(0.00001)));
        assert_eq!(FeeSchedule::DEAREST, crypto);
        assert_eq!(FeeSchedule::FREE.taker_fee(Price(dec!(0.5)), Size(dec!(100))), Usd::ZERO);
    }
}
