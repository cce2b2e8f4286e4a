//! Which strategies are halted, which the gate asks.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Desk, Key};
use crate::domain::{OrderState, StrategyHalt, StrategyId, Timestamp};

impl Desk {
    /// Strategies whose orders are refused, each with its reason.
    pub(super) fn halted(&self, now: Timestamp) -> Vec<StrategyHalt> {
        let halt = |(strategy, (age, key))| StrategyHalt { strategy, why: words(&key, age) };
        let stuck = self.stuck(now).into_iter().map(halt);
        stuck.chain(self.throttle.halts(self.latch.epoch)).collect()
    }

    /// Why this strategy is halted, if it is.
    pub(super) fn halt_of(&self, strategy: &StrategyId, now: Timestamp) -> Option<String> {
        let latched = || self.throttle.halts(self.latch.epoch).find(|halt| halt.strategy == *strategy);
        let stuck = self.stuck(now).remove(strategy).map(|(age, key)| words(&key, age));
        stuck.or_else(|| latched().map(|halt| halt.why))
    }

    /// By strategy the order that has been of unknown fate for the longest, when that is too long.
    fn stuck(&self, now: Timestamp) -> BTreeMap<StrategyId, (Duration, Key)> {
        let mut unknown = self.unknown_for(now);
        unknown.retain(|_, (age, _)| *age > self.gate.limits().unknown_halt);
        unknown
    }

    /// By strategy how long the outcome of an order has been unknown, of the one for the longest.
    pub(super) fn unknown_for(&self, now: Timestamp) -> BTreeMap<StrategyId, (Duration, Key)> {
        let mut unknown: BTreeMap<StrategyId, (Duration, Key)> = BTreeMap::new();
        if self.counts.unknown == 0 {
            return unknown;
        }
        for key in self.active.iter() {
            let Some(tracked) = self.orders.get(key).filter(|tracked| tracked.state() == OrderState::Unknown) else {
                continue;
            };
            let times = tracked.row.order.times;
            let since = tracked.doubted.or(times.answered_at).or(times.sent_at).or(times.signed_at);
            let age = now.since(since.unwrap_or(now));
            let strategy = tracked.row.order.intent.strategy.clone();
            let longest = unknown.entry(strategy).or_insert((Duration::ZERO, key.clone()));
            if age > longest.0 {
                *longest = (age, key.clone());
            }
        }
        unknown
    }
}

fn words(key: &Key, age: Duration) -> String {
    format!("the outcome of order {} is unknown for {} s", key.0, age.as_secs())
}
