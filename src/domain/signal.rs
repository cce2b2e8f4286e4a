use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    CheckResult, FeeSchedule, IntentId, MarketId, Measure, Price, Side, Size, Slug, StrategyId, Symbol, Text,
    TimeInForce, Timestamp, TokenId, Usd,
};

/// One figure that a decision rested on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Figure {
    /// What it is: `volume`, `book Up`.
    pub name: Text,
    /// What it was, with its unit and, where there is one, what it was held against.
    pub value: Text,
}

/// Why a strategy wants to trade: its inputs, kept with every signal and order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rationale {
    /// The instrument that was watched.
    pub source: Symbol,
    /// Relative change over the window: `last / first - 1`. A strategy without a window says 0 here and in what tells of one.
    #[serde(with = "rust_decimal::serde::str")]
    #[schemars(with = "String")]
    pub change: Decimal,
    /// The threshold that it passed, as configured, in its own unit.
    #[serde(with = "rust_decimal::serde::str")]
    #[schemars(with = "String")]
    pub threshold: Decimal,
    /// In what change and threshold are measured.
    #[serde(default)]
    pub measure: Measure,
    /// Configured length of the window, in milliseconds; 0 without one.
    pub window_ms: u64,
    /// How many ticks the window held.
    pub window_ticks: u64,
    /// First price in the window.
    pub first: Price,
    /// Last price in the window.
    pub last: Price,
    /// The book price it was priced against.
    pub reference: Price,
    /// What a share is worth by the strategy's reckoning; absent when it does not reckon one.
    pub fair: Option<Price>,
    /// What of that price and fee leave, as a price difference.
    pub edge: Option<Price>,
    /// The decision in one sentence for a person.
    pub note: Text,
    /// The version of the strategy's parameters that made it; 0 when it is not known.
    #[serde(default)]
    pub params: u64,
    /// Everything else that was looked at.
    #[serde(default)]
    pub inputs: Vec<Figure>,
}

/// A strategy's wish, before sizing against risk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Signal {
    /// Whose wish.
    pub strategy: StrategyId,
    /// Market to trade.
    pub market: MarketId,
    /// Its readable name.
    pub slug: Slug,
    /// Token to trade.
    pub token: TokenId,
    /// The outcome it stands for.
    pub outcome: String,
    /// Buy or sell.
    pub side: Side,
    /// Shares.
    pub size: Size,
    /// Worst acceptable price.
    pub price: Price,
    /// Why.
    pub rationale: Rationale,
}

/// A sized and priced wish with a deadline: what the risk gate judges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderIntent {
    /// Identity, derived from its cause.
    pub intent: IntentId,
    /// Which strategy.
    pub strategy: StrategyId,
    /// Market to trade.
    pub market: MarketId,
    /// Its readable name.
    pub slug: Slug,
    /// Token to trade.
    pub token: TokenId,
    /// The outcome it stands for.
    pub outcome: String,
    /// Buy or sell.
    pub side: Side,
    /// Limit price.
    pub price: Price,
    /// Shares.
    pub size: Size,
    /// How long the venue may keep it.
    pub tif: TimeInForce,
    /// Refuse rather than take liquidity.
    pub post_only: bool,
    /// When the tick that caused it was received.
    pub tick_received_at: Timestamp,
    /// When the strategy decided. Salt and venue timestamp derive from `intent` and this.
    pub created_at: Timestamp,
    /// Not to be sent after this.
    pub deadline: Timestamp,
    /// Cancelled by us when it still rests at this time.
    pub rest_until: Timestamp,
    /// Arm epoch it was made in; worthless in any other.
    pub epoch: u64,
    /// 1 for the first try; a dead-letter retry counts up.
    pub attempt: u32,
}

impl OrderIntent {
    /// The strategy under which orders of the account are in the books that no intent asked for.
    pub const ADOPTED: &'static str = "adopted";

    /// Whether somebody else placed this order: a person by hand, or another program.
    #[must_use]
    pub fn is_adopted(&self) -> bool {
        self.strategy.as_str() == Self::ADOPTED
    }

    /// The fee to reckon with for `shares` of it. Whatever better price they trade at, a purchase costs no more than their notional and
    /// this, and a sale brings no less than their notional without it: a cheaper share saves more than its fee may be higher. What
    /// can only rest pays none. A purchase at once spends its amount whole, and more shares for it cost more fee.
    #[must_use]
    pub fn worst_fee(&self, shares: Size, schedule: FeeSchedule) -> Usd {
        let at_limit = schedule.taker_fee(self.price, shares);
        match (self.tif, self.side) {
            _ if self.post_only => Usd::ZERO,
            (TimeInForce::Fok | TimeInForce::Fak, Side::Buy) => {
                at_limit.max(Usd(self.price.notional(shares).0.saturating_mul(schedule.rate)))
            }
            (_, _) => at_limit,
        }
    }

    /// The most that buying `shares` of it may cost.
    #[must_use]
    pub fn cost(&self, shares: Size, schedule: FeeSchedule) -> Usd {
        self.price.notional(shares) + self.worst_fee(shares, schedule)
    }
}

/// What `trade.signals` carries: an approved intent, why it exists and what every check measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SignalEntry {
    /// The intent. Reading it back does not make it approved: the executor asks its own gate.
    pub intent: OrderIntent,
    /// Why.
    pub rationale: Rationale,
    /// Each check's value against its limit at the time of approval.
    pub checks: Vec<CheckResult>,
    /// Why it is not known whether the stream has it; absent when it has, and in the stream itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
}

/// A crossing that did not become a wish, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Skip {
    /// Identity, derived from its cause.
    pub id: IntentId,
    /// Which strategy.
    pub strategy: StrategyId,
    /// The instrument that was watched.
    pub source: Symbol,
    /// The market that would have been traded; absent when none was open.
    pub slug: Option<Slug>,
    /// The version of the strategy's parameters in force; 0 when it is not known.
    pub params: u64,
    /// Why, in one word of the strategy's: `no_edge`, `closing`.
    pub reason: String,
    /// Why, in words with its figures.
    pub note: String,
    /// Everything that was looked at.
    pub inputs: Vec<Figure>,
    /// When the venue says that the crossing happened.
    pub event_at: Timestamp,
    /// When it reached us.
    pub received_at: Timestamp,
    /// When the strategy decided.
    pub at: Timestamp,
    /// Crossings that were skipped since the last one that was told.
    pub untold: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::dec;

    use super::*;
    use crate::risk::checks::bench::{buy, sell};

    const CRYPTO: FeeSchedule = FeeSchedule { rate: dec!(0.07), exponent: 1 };

    #[test]
    fn a_purchase_may_cost_its_taker_fee_unless_it_can_only_rest() {
        let intent = buy("0.50", "100");
        let cost = |intent: &OrderIntent| intent.cost(intent.size, CRYPTO);
        assert_eq!(cost(&intent), Usd(dec!(51.75)));
        assert_eq!(intent.cost(Size(dec!(10)), CRYPTO), Usd(dec!(5.175)));
        assert_eq!(intent.cost(intent.size, FeeSchedule::FREE), Usd(dec!(50)));
        assert_eq!(cost(&OrderIntent { post_only: true, ..intent.clone() }), Usd(dec!(50)));
        assert_eq!(cost(&OrderIntent { tif: TimeInForce::Fak, ..intent }), Usd(dec!(53.5)));
    }

    proptest! {
        #[test]
        fn no_better_price_costs_more_or_brings_less(
            limit in 1_i64..1_000,
            better in 1_i64..1_000,
            hundredths in 100_i64..100_000,
            tif in prop::sample::select(vec![TimeInForce::Gtc, TimeInForce::Fak]),
        ) {
            let price = |mils: i64| Price(Decimal::new(mils, 3));
            let (limit, better) = (price(limit), price(better));
            let shares = Size(Decimal::new(hundredths, 2));
            let rounding = Usd(dec!(0.00001));
            let brings = |price: Price| price.notional(shares) - CRYPTO.taker_fee(price, shares);
            if better >= limit {
                let sale = OrderIntent { price: limit, tif, ..sell("0.5", "5") };
                prop_assert!(brings(better) + rounding >= limit.notional(shares) - sale.worst_fee(shares, CRYPTO));
            } else {
                let purchase = OrderIntent { price: limit, tif, ..buy("0.5", "5") };
                // What can be had at once for the amount, or the shares.
                let bought = match tif {
                    TimeInForce::Fak => Size(limit.notional(shares).0 / better.0),
                    _ => shares,
                };
                let cost = better.notional(bought) + CRYPTO.taker_fee(better, bought);
                prop_assert!(cost <= purchase.cost(shares, CRYPTO) + rounding, "{} at {}", cost, better);
            }
        }
    }
}
