//! One file a check: a pure function of intent, view, limits and time that says what it measured and what is allowed.

pub mod allow_list;
pub mod arm_epoch;
pub mod balance;
pub mod blackout;
pub mod circuit_breaker;
pub mod daily_drawdown;
pub mod daily_loss;
pub mod deadline;
pub mod duplicate;
pub mod gross_exposure;
pub mod group_loss;
pub mod market;
pub mod market_cap;
pub mod market_loss;
pub mod open_orders;
pub mod order_notional;
pub mod order_rate;
pub mod order_size;
pub mod overbuy;
pub mod position_cap;
pub mod price_collar;
pub mod repeated_execution;
pub mod rolling_loss;
pub mod self_match;
pub mod stale_data;
pub mod strategy_exposure;
pub mod strategy_halt;
pub mod trading_state;

use std::time::Duration;

use rust_decimal::Decimal;

use super::{Equity, Limits, RiskView, worst_loss};
use crate::domain::{CheckResult, Control, Market, OrderIntent, Side, Size, Text, Timestamp, Usd};

/// The shape of every check.
pub type Check = fn(&OrderIntent, &RiskView<'_>, &Limits, Timestamp) -> CheckResult;

/// Whether the intent can only lower what is at stake: a sale of shares that are held and not on sale already, and that hedge
/// nothing: the worst loss of market and group is none the worse for it.
#[must_use]
pub fn is_reducing(intent: &OrderIntent, view: &RiskView<'_>) -> bool {
    let held = intent.side == Side::Sell && intent.size <= view.holdings.token(&intent.token).sellable();
    let wanted = Some(view.wanted(intent));
    let hedge = |market: &Market| {
        worst_loss(market, view.holdings, wanted) > worst_loss(market, view.holdings, None)
            || view
                .group
                .is_some_and(|group| group.worst_loss(view.holdings, wanted) > group.worst_loss(view.holdings, None))
    };
    held && !view.market.is_some_and(hedge)
}

/// Equity as a check measures it: the figure as text, and whether it is within the limit. What is not known is not within.
fn of_equity(view: &RiskView<'_>, limit: Usd, measure: impl Fn(Equity) -> Usd) -> (Text, bool) {
    match view.equity {
        Ok(equity) => (pusd(measure(equity)), measure(equity) <= limit),
        Err(why) => (format!("equity is not known: {why}").into(), false),
    }
}

fn verdict(control: Control, value: impl Into<Text>, limit: impl Into<Text>, passed: bool) -> CheckResult {
    CheckResult { control, value: value.into(), limit: limit.into(), passed }
}

fn shares(size: Size) -> Text {
    Text::amount(size.decimal(), "shares")
}

fn unknown(intent: &OrderIntent) -> Text {
    format!("market {} is not known", intent.market).into()
}

fn pusd(amount: Usd) -> Text {
    Text::amount(amount.decimal(), "pUSD")
}

/// Milliseconds to the microsecond, so that a limit missed by one microsecond is seen to be missed.
fn millis(duration: Duration) -> Text {
    millis_and(duration, "ms")
}

/// The same with more to say behind it; `unit` begins with the unit.
fn millis_and(duration: Duration, unit: &'static str) -> Text {
    let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    Text::amount(Decimal::new(micros, 3), unit)
}

fn orders(count: u64) -> Text {
    Text::amount(count.into(), "orders")
}

/// Distance in time either way: data from the future is as doubtful as data from the past.
fn age(at: Timestamp, now: Timestamp) -> Duration {
    now.since(at).max(at.since(now))
}

#[cfg(test)]
pub(crate) mod bench;
