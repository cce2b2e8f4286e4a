use crate::domain::{Book, Denial, FeeSchedule, Funds, Market, OrderIntent, Timestamp, TradingState, Usd};

use super::checks::{self, Check};
use super::{Approved, Denied, Equity, Group, Holdings, Limits, Recent, Wanted};

/// The order in which the checks run: what stops everything first, then what is wrong with the intent itself, then what it
/// would do to the account.
const CHECKS: [Check; 28] = [
    checks::trading_state::check,
    checks::arm_epoch::check,
    checks::strategy_halt::check,
    checks::circuit_breaker::check,
    checks::deadline::check,
    checks::market::check,
    checks::allow_list::check,
    checks::blackout::check,
    checks::stale_data::check,
    checks::order_size::check,
    checks::order_notional::check,
    checks::overbuy::check,
    checks::price_collar::check,
    checks::duplicate::check,
    checks::self_match::check,
    checks::order_rate::check,
    checks::repeated_execution::check,
    checks::open_orders::check,
    checks::position_cap::check,
    checks::market_cap::check,
    checks::market_loss::check,
    checks::group_loss::check,
    checks::strategy_exposure::check,
    checks::gross_exposure::check,
    checks::balance::check,
    checks::daily_loss::check,
    checks::daily_drawdown::check,
    checks::rolling_loss::check,
];

/// All that the gate looks at besides the intent.
#[derive(Clone, Copy, Debug)]
pub struct RiskView<'a> {
    /// What may be sent.
    pub trading_state: TradingState,
    /// The arm epoch in force.
    pub epoch: u64,
    /// The intent's market, when known.
    pub market: Option<&'a Market>,
    /// The freshest book of the intent's token.
    pub book: Option<&'a Book>,
    /// When the source that the decision rests on was last heard; Hermes passes the book's.
    pub source_at: Option<Timestamp>,
    /// What is at stake, without this intent.
    pub holdings: &'a Holdings,
    /// What this gate let through lately.
    pub recent: &'a Recent,
    /// Equity against its peaks, or why it is not known, which denies.
    pub equity: Result<Equity, &'a str>,
    /// The event group that the intent's market is in, if it is in one.
    pub group: Option<&'a Group<'a>>,
    /// Why the intent's strategy is halted, if it is.
    pub halted: Option<&'a str>,
    /// Why the venue is asked nothing of the kind for now, if so; Hermes alone hears what it refuses.
    pub breaker: Option<&'a Denial>,
    /// Orders of its strategy on the same token and side within the limit's window, this one apart. Hermes counts, because he
    /// sees every Athena's; Athena passes none and learns of the halt.
    pub repeats: u32,
    /// pUSD at the venue; absent when it is not known, which denies.
    pub funds: Option<Funds>,
    /// What the intent may cost in fees at most; see [`fee_of`](Self::fee_of).
    pub fee: Usd,
}

impl RiskView<'_> {
    /// What an intent may cost in fees at most, by what its market charges: the most that any does while it is not known.
    #[must_use]
    pub fn fee_of(intent: &OrderIntent, market: Option<&Market>) -> Usd {
        intent.worst_fee(intent.size, market.map_or(FeeSchedule::DEAREST, |market| market.fee))
    }

    /// The most that the intent may cost when it buys.
    #[must_use]
    pub fn cost(&self, intent: &OrderIntent) -> Usd {
        intent.price.notional(intent.size) + self.fee
    }

    /// The intent as what is not counted yet.
    #[must_use]
    pub const fn wanted<'b>(&self, intent: &'b OrderIntent) -> Wanted<'b> {
        Wanted { intent, fee: self.fee }
    }
}

/// The gate: limits, and the order in which the checks run.
#[derive(Clone, Debug)]
pub struct RiskGate {
    limits: Limits,
}

impl RiskGate {
    /// A gate with these limits.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self { limits }
    }

    /// The limits in force.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Puts other limits in force: the next intent is judged by them.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Runs every check; the first failure denies.
    ///
    /// # Errors
    /// [`Denied`] with control, value and limit.
    pub fn check(
        &self,
        intent: OrderIntent,
        view: &RiskView<'_>,
        now: Timestamp,
    ) -> Result<Approved<OrderIntent>, Box<Denied>> {
        let mut measured = Vec::with_capacity(CHECKS.len());
        for check in CHECKS {
            let result = check(&intent, view, &self.limits, now);
            let denial = (!result.passed).then(|| Denial {
                control: result.control,
                value: result.value.to_string(),
                limit: result.limit.to_string(),
            });
            measured.push(result);
            if let Some(denial) = denial {
                return Err(Box::new(Denied { intent, denial, checks: measured }));
            }
        }
        Ok(Approved::new(intent, measured))
    }
}

#[cfg(test)]
mod tests;
