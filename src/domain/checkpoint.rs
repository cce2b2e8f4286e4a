//! What is left of fills that can no longer change: sums in their place, from which the fold goes on.

use std::ops::{AddAssign, SubAssign};

use serde::{Deserialize, Serialize};

use super::{Held, Holding, MarketId, OrderCounts, Price, StrategyId, Timestamp, TokenId, Usd};

/// Decimals of pUSD in sums over many tokens: few enough that they are exact, and do not depend on the order of adding.
const SUM_DECIMALS: u32 = 12;

/// The fold of all journals up to a time. Average cost depends on the order, so that only what comes first can be folded up: of each
/// token everything before its own `to`, all of it settled for good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Everything that was matched or corrected before this is in the sums, but for what `tokens` tells otherwise.
    pub to: Timestamp,
    /// How many fills that are, failed ones included.
    pub fills: u64,
    /// pUSD that they moved.
    pub cash: Usd,
    /// Since when what the account began with is part of it; absent when it is not.
    pub opened_at: Option<Timestamp>,
    /// What is known of tokens whose end is long past.
    pub retired: Retired,
    /// Every other token, in the order of their ids.
    pub tokens: Vec<FoldedToken>,
    /// Counters of orders, from which a start goes on counting; absent in checkpoints of before they were kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Counted>,
}

/// Counters over all orders, as they stood behind one row of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Which row; 0 is before the first.
    pub seq: i64,
    /// The counters.
    pub orders: OrderCounts,
}

/// What one token's first journals add up to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoldedToken {
    /// Which token.
    pub token: TokenId,
    /// Its market.
    pub market: MarketId,
    /// Its outcome; empty when no fill told it.
    pub outcome: String,
    /// What was matched before this is in the sums. Earlier than the checkpoint's own while a fill is not settled.
    pub to: Timestamp,
    /// Over all strategies.
    pub whole: Holding,
    /// By strategy.
    pub parts: Vec<(Option<StrategyId>, Holding)>,
}

impl FoldedToken {
    /// The part of a fold that is this token's.
    #[must_use]
    pub fn of(token: &TokenId, market: &MarketId, outcome: &str, to: Timestamp, held: &Held) -> Self {
        let parts = held.parts.iter().filter(|((of, _), _)| of == token);
        Self {
            token: token.clone(),
            market: market.clone(),
            outcome: outcome.to_owned(),
            to,
            whole: held.tokens.get(token).copied().unwrap_or_default(),
            parts: parts.map(|((_, strategy), part)| (strategy.clone(), *part)).collect(),
        }
    }

    /// From where a fold goes on; its cash counts from here.
    #[must_use]
    pub fn held(&self) -> Held {
        let mut held = Held::default();
        if self.whole != Holding::default() {
            held.tokens.insert(self.token.clone(), self.whole);
        }
        held.parts.extend(self.parts.iter().map(|(strategy, part)| ((self.token.clone(), strategy.clone()), *part)));
        held
    }
}

/// What tokens add to profit for which nothing can change any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// How many.
    pub tokens: u64,
    /// Profit on shares sold, fees apart.
    pub realised: Usd,
    /// Fees paid.
    pub fees: Usd,
    /// What the shares that are left pay, less what they cost.
    pub unrealised: Usd,
}

impl Retired {
    /// One token at its payout; without one what is left of it counts at cost.
    #[must_use]
    pub fn of(holding: &Holding, payout: Option<Price>) -> Self {
        let sum = |amount: Usd| Usd(amount.0.round_dp(SUM_DECIMALS).normalize());
        let left = payout.map_or(Usd::ZERO, |payout| payout.notional(holding.shares) - holding.cost);
        Self {
            tokens: 1,
            realised: sum(holding.realised),
            fees: sum(holding.fees),
            unrealised: if holding.shares.is_zero() { Usd::ZERO } else { sum(left) },
        }
    }

    /// Total profit.
    #[must_use]
    pub fn total(&self) -> Usd {
        self.realised + self.unrealised - self.fees
    }
}

impl AddAssign for Retired {
    fn add_assign(&mut self, more: Self) {
        self.tokens += more.tokens;
        self.realised += more.realised;
        self.fees += more.fees;
        self.unrealised += more.unrealised;
    }
}

impl SubAssign for Retired {
    fn sub_assign(&mut self, less: Self) {
        self.tokens = self.tokens.saturating_sub(less.tokens);
        self.realised = self.realised - less.realised;
        self.fees = self.fees - less.fees;
        self.unrealised = self.unrealised - less.unrealised;
    }
}
