//! How several Athenas stand, as one.

use std::time::Duration;

use crate::domain::{AthenaState, Latency, SignalCounts, Timestamp};
use crate::pipeline::athena::Shard;

/// An Athena that has not written her snapshot for this long is taken for dead.
pub(super) const SILENT_AFTER: Duration = Duration::from_secs(5);

/// `all` with what another one says. Of latencies the slower counts, of parameters the older version: that one is in force everywhere.
pub(super) fn joined(mut all: AthenaState, other: AthenaState, shard: Shard, now: Timestamp) -> AthenaState {
    let silent = now.since(other.at);
    all.signals = SignalCounts {
        emitted: all.signals.emitted + other.signals.emitted,
        denied: all.signals.denied + other.signals.denied,
        skipped: all.signals.skipped + other.signals.skipped,
        in_doubt: all.signals.in_doubt + other.signals.in_doubt,
    };
    all.dropped += other.dropped;
    all.tick_to_signal = Latency {
        p50: all.tick_to_signal.p50.max(other.tick_to_signal.p50),
        p99: all.tick_to_signal.p99.max(other.tick_to_signal.p99),
    };
    for mut strategy in other.strategies {
        if silent > SILENT_AFTER {
            strategy.idle = Some(format!("athena {shard} has been silent for {} s", silent.as_secs()));
        }
        all.strategies.push(strategy);
    }
    for params in other.params {
        match all.params.iter_mut().find(|known| known.strategy == params.strategy) {
            Some(known) if known.version > params.version => *known = params,
            Some(_) => {}
            None => all.params.push(params),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ParamsInForce, Price, StrategyState};

    fn state(symbol: &str, version: u64, at: Timestamp) -> AthenaState {
        let strategy = StrategyState {
            strategy: "momentum".into(),
            symbol: symbol.into(),
            slug: None,
            change: None,
            threshold: rust_decimal::Decimal::ZERO,
            measure: crate::domain::Measure::Relative,
            window_ms: 0,
            window_ticks: 0,
            last: Some(Price::ZERO),
            signal_at: None,
            idle: None,
        };
        let params = ParamsInForce { strategy: "momentum".into(), version, values: std::collections::BTreeMap::new() };
        AthenaState {
            at,
            boot: symbol.into(),
            seq: 1,
            signals: SignalCounts { emitted: 1, denied: 2, skipped: 3, in_doubt: 4 },
            dropped: 4,
            tick_to_signal: Latency { p50: Some(version), p99: None },
            strategies: vec![strategy],
            params: vec![params],
        }
    }

    #[test]
    fn two_are_shown_as_one_and_a_silent_one_is_named() {
        let now = Timestamp::from_secs(1_000);
        let second = Shard::new(2, 2).expect("a part");
        let all = joined(state("A/USD", 7, now), state("B/USD", 6, now), second, now);
        assert_eq!(all.signals, SignalCounts { emitted: 2, denied: 4, skipped: 6, in_doubt: 8 });
        assert_eq!((all.dropped, all.boot.as_str(), all.tick_to_signal.p50), (8, "A/USD", Some(7)));
        assert_eq!((all.params.len(), all.params[0].version), (1, 6), "in force everywhere");
        let idle = |all: &AthenaState| all.strategies.iter().map(|s| s.idle.clone()).collect::<Vec<_>>();
        assert_eq!(idle(&all), [None, None]);
        let later = now.plus(Duration::from_secs(6));
        let all = joined(state("A/USD", 7, later), state("B/USD", 7, now), second, later);
        assert_eq!(idle(&all), [None, Some("athena 2/2 has been silent for 6 s".to_owned())]);
    }
}
