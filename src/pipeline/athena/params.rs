use std::time::Duration;

use rust_decimal::Decimal;

use crate::domain::{Size, Symbol};

/// Thresholds of crypto momentum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MomentumParams {
    /// The pair that is watched.
    pub symbol: Symbol,
    /// The market that is traded: a slug, or a rolling pattern such as `btc-updown-5m-{start}`.
    pub market: String,
    /// Length of the rolling window.
    pub window: Duration,
    /// Relative change over the window that makes a signal, either way.
    pub threshold: Decimal,
    /// Fewest ticks that a window must hold.
    pub min_ticks: usize,
    /// Least time between two signals.
    pub cooldown: Duration,
    /// Shares per signal.
    pub size: Size,
    /// How far beyond the best opposite price it may pay, as a price difference.
    pub slippage: Decimal,
    /// Time from the tick within which an order must be sent.
    pub send_within: Duration,
    /// How long an order may rest before it is cancelled.
    pub rest_for: Duration,
    /// No new position later than this before the market closes.
    pub cutoff: Duration,
}
