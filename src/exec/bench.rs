//! What the tests of Hermes trade, and why.

use rust_decimal::dec;

use crate::domain::{FeeSchedule, Market, Measure, OutcomeToken, Price, Protocol, Rationale, Size, Text};

/// A market without an end that takes a fee, of the tokens `1` and `2`.
pub(super) fn market() -> Market {
    let token = |token: &str, outcome: &str| OutcomeToken { token: token.into(), outcome: outcome.into() };
    Market {
        slug: "btc-updown-5m-0".into(),
        market: "0xm".into(),
        tokens: [token("1", "Up"), token("2", "Down")],
        tick_size: Price(dec!(0.01)),
        min_size: Size(dec!(5)),
        neg_risk: false,
        protocol: Protocol::V2,
        fee: FeeSchedule { rate: dec!(0.07), exponent: 1 },
        opens_at: None,
        closes_at: None,
        accepting_orders: true,
        payouts: None,
        question: None,
        group: None,
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
