//! A table for tests.

use std::time::Duration;

use rust_decimal::{Decimal, dec};

use super::ParamKind;
use crate::domain::{Instruments, Size};

parameters! {
    /// Some thresholds.
    pub(super) struct Sample {
        /// The pairs that are watched and the markets that are traded.
        on: Instruments = ParamKind::Instruments, "on", "";
        /// Length of the window.
        window: Duration = ParamKind::Seconds { low: 1, high: 3_600 }, "window_s", "s";
        /// What makes a signal.
        threshold: Decimal = ParamKind::Decimal { low: "0.00001", high: "0.5" }, "threshold", "";
        /// Fewest ticks.
        min_ticks: usize = ParamKind::Integer { low: 2, high: 10_000 }, "min_ticks", "ticks";
        /// Least time between two signals.
        cooldown: Duration = ParamKind::Seconds { low: 0, high: 3_600 }, "cooldown_s", "s";
        /// Least edge.
        min_edge: Decimal = ParamKind::Decimal { low: "-1", high: "1" }, "min_edge", "";
        /// Shares per signal.
        size: Size = ParamKind::Decimal { low: "0.01", high: "1000000000" }, "size", "shares";
        /// Time within which it must be sent.
        send_within: Duration = ParamKind::Millis { low: 10, high: 60_000 }, "send_within_ms", "ms";
    }
}

pub(super) fn params() -> Sample {
    Sample {
        on: Instruments::one("BTC/USD", "btc-updown-5m-{start}"),
        window: Duration::from_secs(15),
        threshold: dec!(0.0001),
        min_ticks: 10,
        cooldown: Duration::from_secs(5),
        min_edge: dec!(-1),
        size: Size(dec!(20)),
        send_within: Duration::from_secs(2),
    }
}
