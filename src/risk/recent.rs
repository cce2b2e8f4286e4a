use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::domain::{IntentId, OrderIntent, Price, Side, Size, StrategyId, Timestamp, TokenId};

/// How far back approvals are remembered: the span that the order rates are counted over.
const RATE_SPAN: Duration = Duration::from_mins(1);
/// How far back approvals are remembered at all: the longest span that repeats may be counted over.
const KEPT: Duration = Duration::from_hours(1);
/// Most approvals remembered, far above any rate that a limit allows. Beyond it the oldest goes.
const CAPACITY: usize = 16_384;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Passed {
    intent: IntentId,
    attempt: u32,
    strategy: StrategyId,
    token: TokenId,
    side: Side,
    price: Price,
    size: Size,
    at: Timestamp,
}

/// What a gate let through lately, oldest first. Whoever asks the gate notes what it approved; each attempt counts once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    passed: VecDeque<Passed>,
    /// Repeats up to here do not count any more.
    absolved: Option<Timestamp>,
}

impl Recent {
    /// Nothing let through.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers an approval, and forgets what is older than an hour.
    pub fn note(&mut self, intent: &OrderIntent, at: Timestamp) {
        while self.passed.front().is_some_and(|oldest| at.since(oldest.at) > KEPT) {
            self.passed.pop_front();
        }
        if self.passed.iter().any(|known| known.is(intent)) {
            return;
        }
        if self.passed.len() == CAPACITY {
            self.passed.pop_front();
        }
        self.passed.push_back(Passed {
            intent: intent.intent.clone(),
            attempt: intent.attempt,
            strategy: intent.strategy.clone(),
            token: intent.token.clone(),
            side: intent.side,
            price: intent.price,
            size: intent.size,
            at,
        });
    }

    /// How many were let through within the minute before `now`, `intent` itself apart: of its strategy, and of all.
    #[must_use]
    pub fn rates(&self, intent: &OrderIntent, now: Timestamp) -> (u32, u32) {
        let lately = self.passed.iter().rev().take_while(|known| now.since(known.at) <= RATE_SPAN);
        let lately = lately.filter(|known| !known.is(intent));
        lately.fold((0, 0), |(of_strategy, of_all), known| {
            (of_strategy + u32::from(known.strategy == intent.strategy), of_all + 1)
        })
    }

    /// How many were let through within the minute before `now`, by strategy.
    #[must_use]
    pub fn by_strategy(&self, now: Timestamp) -> BTreeMap<StrategyId, u32> {
        let mut counts = BTreeMap::new();
        for known in self.passed.iter().filter(|known| now.since(known.at) <= RATE_SPAN) {
            *counts.entry(known.strategy.clone()).or_insert(0) += 1;
        }
        counts
    }

    /// How many of its strategy on its token and side were let through within `window` before `now`, `intent` itself apart.
    #[must_use]
    pub fn repeats(&self, intent: &OrderIntent, window: Duration, now: Timestamp) -> u32 {
        let counts = |known: &&Passed| now.since(known.at) < window && self.absolved.is_none_or(|at| known.at > at);
        let lately = self.passed.iter().rev().take_while(counts);
        let like = lately.filter(|known| {
            (known.side, &known.token, &known.strategy) == (intent.side, &intent.token, &intent.strategy)
        });
        u32::try_from(like.filter(|known| !known.is(intent)).count()).unwrap_or(u32::MAX)
    }

    /// A person has given the word: what was let through before it counts as no repeat any more, but still for the rates.
    pub fn absolve(&mut self, at: Timestamp) {
        self.absolved = Some(at);
    }

    /// How long ago the youngest other intent with the same strategy, token, side, price and size was let through.
    #[must_use]
    pub fn twin(&self, intent: &OrderIntent, now: Timestamp) -> Option<Duration> {
        let twin = self.passed.iter().rev().find(|known| known.intent != intent.intent && known.is_like(intent));
        twin.map(|known| now.since(known.at))
    }
}

impl Passed {
    fn is(&self, intent: &OrderIntent) -> bool {
        self.intent == intent.intent && self.attempt == intent.attempt
    }

    fn is_like(&self, intent: &OrderIntent) -> bool {
        self.strategy == intent.strategy
            && self.token == intent.token
            && (self.side, self.price, self.size) == (intent.side, intent.price, intent.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::checks::bench::buy;

    fn named(id: &str) -> OrderIntent {
        OrderIntent { intent: id.into(), ..buy("0.50", "20") }
    }

    #[test]
    fn an_attempt_counts_once_and_no_longer_than_the_span() {
        let at = Timestamp::from_secs;
        let mut recent = Recent::new();
        recent.note(&named("a"), at(100));
        recent.note(&named("a"), at(101));
        recent.note(&OrderIntent { attempt: 2, ..named("a") }, at(102));
        recent.note(&OrderIntent { strategy: "weather".into(), ..named("b") }, at(103));
        assert_eq!(recent.rates(&named("c"), at(103)), (2, 3));
        assert_eq!(recent.rates(&named("a"), at(103)), (1, 2), "what is asked about is not counted");
        assert_eq!(recent.rates(&named("c"), at(160)), (2, 3));
        assert_eq!(recent.rates(&named("c"), at(161)), (1, 2));
        recent.note(&named("d"), at(3_704));
        assert_eq!(recent.passed.len(), 1, "the old are forgotten");
    }

    #[test]
    fn repeats_are_of_the_same_strategy_token_and_side_within_the_window_and_since_the_last_word() {
        let (at, window) = (Timestamp::from_secs, Duration::from_mins(5));
        let mut recent = Recent::new();
        for (id, secs) in [("a", 100), ("b", 200), ("c", 300)] {
            recent.note(&named(id), at(secs));
        }
        recent.note(&OrderIntent { token: "down".into(), ..named("d") }, at(300));
        recent.note(&OrderIntent { side: Side::Sell, ..named("e") }, at(300));
        recent.note(&OrderIntent { strategy: "weather".into(), ..named("f") }, at(300));
        assert_eq!(recent.repeats(&named("x"), window, at(399)), 3);
        assert_eq!(recent.repeats(&named("c"), window, at(399)), 2, "what is asked about is not counted");
        assert_eq!(recent.repeats(&named("x"), window, at(400)), 2, "the first has left the window");
        recent.absolve(at(250));
        assert_eq!((recent.repeats(&named("x"), window, at(400)), recent.rates(&named("x"), at(300)).1), (1, 4));
    }

    #[test]
    fn a_twin_is_another_intent_that_wants_the_same() {
        let at = Timestamp::from_secs;
        let mut recent = Recent::new();
        recent.note(&named("a"), at(100));
        assert_eq!(recent.twin(&named("a"), at(101)), None, "a retry is not a twin");
        assert_eq!(recent.twin(&named("b"), at(101)), Some(Duration::from_secs(1)));
        for other in [
            OrderIntent { size: "21".parse().expect("a size"), ..named("b") },
            OrderIntent { side: Side::Sell, ..named("b") },
            OrderIntent { token: "down".into(), ..named("b") },
        ] {
            assert_eq!(recent.twin(&other, at(101)), None);
        }
    }
}
