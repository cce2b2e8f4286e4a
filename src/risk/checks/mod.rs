//! One file a check: a pure function of intent, view, limits and time that says what it measured and what is allowed.

pub mod allow_list;
pub mod arm_epoch;
pub mod blackout;
pub mod daily_drawdown;
pub mod daily_loss;
pub mod deadline;
pub mod duplicate;
pub mod gross_exposure;
pub mod market;
pub mod market_loss;
pub mod open_orders;
pub mod order_notional;
pub mod order_rate;
pub mod order_size;
pub mod position_cap;
pub mod price_collar;
pub mod self_match;
pub mod stale_data;
pub mod trading_state;

use std::time::Duration;

use super::{Limits, RiskView};
use crate::domain::{CheckResult, Control, OrderIntent, Side, Size, Timestamp};

/// The shape of every check.
pub type Check = fn(&OrderIntent, &RiskView<'_>, &Limits, Timestamp) -> CheckResult;

/// Whether the intent can only lower what is at stake: a sale of shares that are held and not on sale already.
#[must_use]
pub fn is_reducing(intent: &OrderIntent, view: &RiskView<'_>) -> bool {
    intent.side == Side::Sell && intent.size <= view.holdings.token(&intent.token).sellable()
}

fn verdict(control: Control, value: impl Into<String>, limit: impl Into<String>, passed: bool) -> CheckResult {
    CheckResult { control, value: value.into(), limit: limit.into(), passed }
}

fn shares(size: Size) -> String {
    format!("{} shares", size.decimal().normalize())
}

/// Milliseconds to the microsecond, so that a limit missed by one microsecond is seen to be missed.
fn millis(duration: Duration) -> String {
    let micros = duration.as_micros();
    if micros.is_multiple_of(1_000) {
        format!("{} ms", micros / 1_000)
    } else {
        format!("{}.{:03} ms", micros / 1_000, micros % 1_000)
    }
}

/// Distance in time either way: data from the future is as doubtful as data from the past.
fn age(at: Timestamp, now: Timestamp) -> Duration {
    now.since(at).max(at.since(now))
}

#[cfg(test)]
pub(crate) mod bench;
