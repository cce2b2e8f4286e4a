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
