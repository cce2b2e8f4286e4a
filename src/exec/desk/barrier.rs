//! What stands before single orders besides the risk gate: a purchase that would buy more than is wanted, and the circuit
//! breaker; and which strategies are halted, which the gate asks.

use std::collections::BTreeMap;

use super::{Desk, Key};
use crate::domain::{
    Book, Control, Denial, OrderIntent, OrderState, Side, Size, StrategyHalt, StrategyId, TimeInForce, Timestamp,
};

impl Desk {
    /// Why this order must not be sent although the desk trades.
    pub(super) fn barrier(&mut self, intent: &OrderIntent, now: Timestamp) -> Option<Denial> {
        if let Some(denial) = self.books.get(&intent.token).and_then(|book| chased(intent, book)) {
            return Some(denial);
        }
        let key: Key = (intent.intent.clone(), intent.attempt);
        self.breaker.check(&key, &intent.market, now)
    }

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

/// A purchase that must match at once is one for an amount of pUSD at the venue: where the book is cheaper than its limit, it
/// buys more shares than are wanted, and than the gate has counted.
fn chased(intent: &OrderIntent, book: &Book) -> Option<Denial> {
    if intent.side == Side::Sell || matches!(intent.tif, TimeInForce::Gtc | TimeInForce::Gtd) {
        return None;
    }
    let amount = intent.price.notional(intent.size);
    let (mut left, mut bought) = (amount, Size::ZERO);
    for level in book.asks.iter().take_while(|level| level.price <= intent.price) {
        let all = level.price.notional(level.size);
        if all >= left {
            // A price of zero is none that anybody sells at.
            bought += Size(left.0.checked_div(level.price.0).unwrap_or_default());
            break;
        }
        (left, bought) = (left - all, bought + level.size);
    }
    let bought = bought.floor_dp(2);
    (bought > intent.size).then(|| Denial {
        control: Control::OrderSize,
        value: format!("{bought} shares for {amount} pUSD, as the book is"),
        limit: format!("{} wanted; FOK and FAK spend all of their pUSD, so name the best price", intent.size),
    })
}

fn words(key: &Key, age: u64) -> String {
    format!("the outcome of order {} is unknown for {age} s", key.0)
}
