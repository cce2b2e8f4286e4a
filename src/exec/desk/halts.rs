//! Which strategies are halted, which the gate asks.

use std::collections::BTreeMap;

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

    /// By strategy the order that has been of unknown fate for the longest, in seconds, when that is too long.
    fn stuck(&self, now: Timestamp) -> BTreeMap<StrategyId, (u64, Key)> {
        let mut stuck: BTreeMap<StrategyId, (u64, Key)> = BTreeMap::new();
        if self.counts.unknown == 0 {
            return stuck;
        }
        for key in &self.active {
            let Some(tracked) = self.orders.get(key).filter(|tracked| tracked.state() == OrderState::Unknown) else {
                continue;
            };
            let times = tracked.row.order.times;
            let since = tracked.doubted.or(times.answered_at).or(times.sent_at).or(times.signed_at);
            let age = now.since(since.unwrap_or(now));
            if age <= self.gate.limits().unknown_halt {
                continue;
            }
            let longest = stuck.entry(tracked.row.order.intent.strategy.clone()).or_insert((0, key.clone()));
            if age.as_secs() > longest.0 {
                *longest = (age.as_secs(), key.clone());
            }
        }
        stuck
    }
}

fn words(key: &Key, age: u64) -> String {
    format!("the outcome of order {} is unknown for {age} s", key.0)
}
