//! What the tests of Hermes trade, and why.

use rust_decimal::dec;

use crate::domain::{Market, Measure, OutcomeToken, Price, Rationale, Text};
use crate::risk::checks::bench;

/// A market without an end that takes a fee, of the tokens `1` and `2`.
pub(super) fn market() -> Market {
    let token = |token: &str, outcome: &str| OutcomeToken { token: token.into(), outcome: outcome.into() };
    Market {
        slug: "btc-updown-5m-0".into(),
        market: "0xm".into(),
        tokens: [token("1", "Up"), token("2", "Down")],
        opens_at: None,
        closes_at: None,
        ..bench::charging()
    }
}

pub(super) fn rationale() -> Rationale {
    Rationale {
        source: "BTC/USD".into(),
        change: dec!(0.001),
        threshold: dec!(0.0005),
        measure: Measure::Relative,
        window_ms: 1000,
        window_ticks: 3,
        first: Price(dec!(1)),
        last: Price(dec!(2)),
        reference: Price(dec!(0.5)),
        fair: None,
        edge: None,
        note: Text::default(),
        params: 0,
        inputs: Vec::new(),
    }
}
