use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::domain::{IntentId, Map, OrderIntent, Price, Side, Size, StrategyId, Timestamp, TokenId};

/// How far back approvals count for the order rates and as twins.
const RATE_SPAN: Duration = Duration::from_mins(1);
/// How far back approvals are remembered at all: the longest span that repeats may be counted over.
const KEPT: Duration = Duration::from_hours(1);
/// Most approvals remembered, far above any rate that a limit allows. Beyond it the oldest goes.
const CAPACITY: usize = 16_384;

/// What repeats are counted by.
type Want = (StrategyId, TokenId, Side);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Passed {
    intent: IntentId,
    attempt: u32,
    price: Price,
    size: Size,
    at: Timestamp,
}

/// What a gate let through lately. Whoever asks the gate notes what it approved; each attempt counts once. Every list is in the
/// order of time, and a question costs the same however much is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    /// When each attempt passed.
    known: Map<(IntentId, u32), Timestamp>,
    by_time: VecDeque<(Timestamp, Want)>,
    by_strategy: Map<StrategyId, VecDeque<Timestamp>>,
    by_want: Map<Want, VecDeque<Passed>>,
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
        while self.by_time.front().is_some_and(|(oldest, _)| at.since(*oldest) > KEPT) {
            self.forget();
        }
        let attempt = (intent.intent.clone(), intent.attempt);
        if self.known.contains_key(&attempt) {
            return;
        }
        if self.by_time.len() == CAPACITY {
            self.forget();
        }
        self.known.insert(attempt, at);
        let want = want(intent);
        let passed = Passed {
            intent: intent.intent.clone(),
            attempt: intent.attempt,
            price: intent.price,
            size: intent.size,
            at,
        };
        put(self.by_strategy.entry(intent.strategy.clone()).or_default(), at, |at| *at);
        put(self.by_want.entry(want.clone()).or_default(), passed, |passed| passed.at);
        put(&mut self.by_time, (at, want), |(at, _)| *at);
    }

    /// Forgets the oldest.
    fn forget(&mut self) {
        let Some((_, want)) = self.by_time.pop_front() else { return };
        let passed = take(&mut self.by_want, &want);
        take(&mut self.by_strategy, &want.0);
        if let Some(passed) = passed {
            self.known.remove(&(passed.intent, passed.attempt));
        }
    }

    /// How many were let through within the minute before `now`, `intent` itself apart: of its strategy, and of all.
    #[must_use]
    pub fn rates(&self, intent: &OrderIntent, now: Timestamp) -> (u32, u32) {
        let lately = |at: Timestamp| now.since(at) <= RATE_SPAN;
        let itself = u32::from(self.passed_at(intent).is_some_and(lately));
        let of_strategy = self.by_strategy.get(&intent.strategy).map_or(0, |of| newest(of, |at| lately(*at)));
        (of_strategy.saturating_sub(itself), newest(&self.by_time, |(at, _)| lately(*at)).saturating_sub(itself))
    }

    /// How many were let through within the minute before `now`, by strategy.
    #[must_use]
    pub fn by_strategy(&self, now: Timestamp) -> BTreeMap<StrategyId, u32> {
        let lately = |at: &Timestamp| now.since(*at) <= RATE_SPAN;
        let counts = self.by_strategy.iter().map(|(strategy, of)| (strategy.clone(), newest(of, lately)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// How many of its strategy on its token and side were let through within `window` before `now`, `intent` itself apart.
    #[must_use]
    pub fn repeats(&self, intent: &OrderIntent, window: Duration, now: Timestamp) -> u32 {
        let counts = |at: Timestamp| now.since(at) < window && self.absolved.is_none_or(|absolved| at > absolved);
        let itself = u32::from(self.passed_at(intent).is_some_and(counts));
        let like = self.by_want.get(&want(intent));
        like.map_or(0, |like| newest(like, |passed| counts(passed.at))).saturating_sub(itself)
    }

    /// How many were let through within `window` before `now`, by strategy, token and side, where there are any.
    pub fn repeated(
        &self,
        window: Duration,
        now: Timestamp,
    ) -> impl Iterator<Item = (&StrategyId, &TokenId, Side, u32)> {
        let absolved = self.absolved;
        let counts = move |at: Timestamp| now.since(at) < window && absolved.is_none_or(|absolved| at > absolved);
        let counted = self.by_want.iter().map(move |((strategy, token, side), like)| {
            (strategy, token, *side, newest(like, |passed| counts(passed.at)))
        });
        counted.filter(|(.., count)| *count > 0)
    }

    /// A person has given the word: what was let through before it counts as no repeat any more, but still for the rates.
    pub fn absolve(&mut self, at: Timestamp) {
        self.absolved = Some(at);
    }

    /// How long ago, within the last minute, the youngest other intent with the same strategy, token, side, price and size was let
    /// through.
    #[must_use]
    pub fn twin(&self, intent: &OrderIntent, now: Timestamp) -> Option<Duration> {
        let lately = self.by_want.get(&want(intent))?.iter().rev().take_while(|known| now.since(known.at) <= RATE_SPAN);
        let mut twins = lately
            .filter(|known| known.intent != intent.intent && (known.price, known.size) == (intent.price, intent.size));
        twins.next().map(|known| now.since(known.at))
    }

    fn passed_at(&self, intent: &OrderIntent) -> Option<Timestamp> {
        self.known.get(&(intent.intent.clone(), intent.attempt)).copied()
    }
}

fn want(intent: &OrderIntent) -> Want {
    (intent.strategy.clone(), intent.token.clone(), intent.side)
}

/// Adds it where its time belongs: nearly always at the end.
fn put<T>(list: &mut VecDeque<T>, new: T, at: impl Fn(&T) -> Timestamp) {
    let place = list.partition_point(|known| at(known) <= at(&new));
    list.insert(place, new);
}

/// How many at the end of the list hold; none before the first that does not.
fn newest<T>(list: &VecDeque<T>, holds: impl Fn(&T) -> bool) -> u32 {
    u32::try_from(list.len() - list.partition_point(|known| !holds(known))).unwrap_or(u32::MAX)
}

/// Takes the oldest of one list, and the list when it was the last.
fn take<K: std::hash::Hash + Eq, T>(lists: &mut Map<K, VecDeque<T>>, of: &K) -> Option<T> {
    let list = lists.get_mut(of)?;
    let oldest = list.pop_front();
    if list.is_empty() {
        lists.remove(of);
    }
    oldest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        assert_eq!((recent.known.len(), recent.by_time.len()), (1, 1), "the old are forgotten");
        assert_eq!((recent.by_strategy.len(), recent.by_want.len()), (1, 1));
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
        let repeated = |recent: &Recent, now| -> BTreeMap<String, u32> {
            let named = recent.repeated(window, at(now));
            named.map(|(strategy, token, side, count)| (format!("{strategy} {side} {token}"), count)).collect()
        };
        let all = [("momentum buy down", 1), ("momentum buy up", 2), ("momentum sell up", 1), ("weather buy up", 1)];
        assert_eq!(repeated(&recent, 400), all.map(|(want, count)| (want.to_owned(), count)).into());
        assert!(repeated(&recent, 600).is_empty());
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
        assert_eq!(recent.twin(&named("b"), at(161)), None, "no limit reaches further back");
        for other in [
            OrderIntent { size: "21".parse().expect("a size"), ..named("b") },
            OrderIntent { side: Side::Sell, ..named("b") },
            OrderIntent { token: "down".into(), ..named("b") },
        ] {
            assert_eq!(recent.twin(&other, at(101)), None);
        }
    }

    proptest! {
        /// Against a plain list, for approvals that come in any order of time.
        #[test]
        fn every_count_is_that_of_a_plain_list(
            noted in prop::collection::vec((0_u8..30, 1_u32..3, 0_u8..2, 0_u8..2, 0_i64..400), 0..60),
            (id, strategy, token, now) in (0_u8..30, 0_u8..2, 0_u8..2, 300_i64..500),
            window in 10_u64..400,
        ) {
            let intent = |id: u8, attempt, strategy: u8, token: u8| OrderIntent {
                attempt,
                strategy: format!("s{strategy}").as_str().into(),
                token: format!("t{token}").as_str().into(),
                ..named(&format!("i{id}"))
            };
            let (mut recent, mut plain) = (Recent::new(), Vec::<(OrderIntent, i64)>::new());
            for (id, attempt, strategy, token, at) in noted {
                let intent = intent(id, attempt, strategy, token);
                recent.note(&intent, Timestamp::from_secs(at));
                if plain.iter().all(|(known, _)| (&known.intent, known.attempt) != (&intent.intent, intent.attempt)) {
                    plain.push((intent, at));
                }
            }
            let asked = intent(id, 1, strategy, token);
            // An attempt is never of another strategy or token than it was.
            prop_assume!(plain.iter().all(|(known, _)| known.intent != asked.intent || known.attempt != 1 || *known == asked));
            let count = |span: u64, like: &dyn Fn(&OrderIntent) -> bool| {
                let others = plain.iter().filter(|(known, _)| *known != asked && like(known));
                others.filter(|(_, at)| now.saturating_sub(*at).max(0).unsigned_abs() <= span).fold(0_u32, |count, _| count + 1)
            };
            let same = |known: &OrderIntent| known.strategy == asked.strategy;
            let at = Timestamp::from_secs(now);
            prop_assert_eq!(recent.rates(&asked, at), (count(60, &same), count(60, &|_| true)));
            let like = |known: &OrderIntent| same(known) && known.token == asked.token;
            prop_assert_eq!(recent.repeats(&asked, Duration::from_secs(window), at), count(window - 1, &like));
        }
    }
}
