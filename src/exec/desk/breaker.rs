//! Circuit breaker: when the venue refuses orders of a kind one after the other, the next ones are not sent to be refused too.
//!
//! A refusal that concerns the whole account opens it at once, until a person arms or, for credentials, the account's event
//! socket is connected again. One that concerns a market opens it for that market at once; the others are counted by code, and
//! `rejections` of them within a minute open it. An open breaker denies; after its pause one order is let through as a probe:
//! accepted closes it, refused opens it for twice as long. An order that left before the refusal was heard is no probe: that it was
//! accepted closes nothing.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::Key;
use crate::domain::{Control, Denial, MarketId, RejectCode, RejectScope, Timestamp};
use crate::risk::Refusals;

/// Refusals are counted within this.
const WINDOW: Duration = Duration::from_mins(1);
/// How long an open breaker denies before a probe; doubles with every probe that is refused.
const PAUSE: Duration = Duration::from_secs(30);
const PAUSE_MOST: Duration = Duration::from_mins(15);
/// A probe of which nothing was heard for this long is followed by another.
const PROBE: Duration = Duration::from_secs(10);
/// A breaker of a market that was last opened this long ago is forgotten.
const KEPT: Duration = Duration::from_hours(1);

/// How far a breaker reaches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Account,
    Market(MarketId),
}

impl Reach {
    fn name(&self) -> String {
        match self {
            Self::Account => "the account".to_owned(),
            Self::Market(market) => format!("market {market}"),
        }
    }
}

#[derive(Clone, Debug)]
struct Open {
    code: RejectCode,
    count: u32,
    at: Timestamp,
    pause: Duration,
    /// Until when nothing is let through; without an end until a person has done something.
    until: Option<Timestamp>,
    probe: Option<(Key, Timestamp)>,
}

impl Open {
    fn denies(&mut self, key: &Key, now: Timestamp) -> bool {
        if self.stands(now) {
            return true;
        }
        let busy = self.probe.as_ref().is_some_and(|(probe, since)| probe != key && now.since(*since) < PROBE);
        if !busy {
            let since = self.probe.take().filter(|(probe, _)| probe == key).map_or(now, |(_, since)| since);
            self.probe = Some((key.clone(), since));
        }
        busy
    }

    /// Whether it denies, whoever asks.
    fn stands(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    fn denial(&self, reach: &Reach, rejections: u32) -> Denial {
        let value = format!("{} refused as {} for {}", self.count, self.code, reach.name());
        let limit = match self.until {
            None => "0 of the account's; open until a person arms".to_owned(),
            Some(until) if self.code.scope() == RejectScope::Market => format!("0 of the market's; open until {until}"),
            Some(until) => format!("fewer than {rejections} in {} s; open until {until}", WINDOW.as_secs()),
        };
        Denial { control: Control::CircuitBreaker, value, limit }
    }
}

/// All breakers of the account.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    recent: BTreeMap<(Reach, RejectCode), VecDeque<Timestamp>>,
    open: BTreeMap<Reach, Open>,
}

impl Breaker {
    /// Whether this order must not be sent now. Past the pause the first that asks becomes the probe.
    pub(super) fn check(&mut self, key: &Key, market: &MarketId, rejections: u32, now: Timestamp) -> Option<Denial> {
        for reach in [Reach::Account, Reach::Market(market.clone())] {
            if let Some(open) = self.open.get_mut(&reach)
                && open.denies(key, now)
            {
                return Some(open.denial(&reach, rejections));
            }
        }
        None
    }

    /// The venue refused an order for good; `rejections` of a kind within a minute open it.
    pub(super) fn refused(&mut self, market: &MarketId, code: RejectCode, rejections: u32, now: Timestamp) {
        let market = Reach::Market(market.clone());
        match code.scope() {
            RejectScope::Account => self.trip(Reach::Account, code, 1, true, now),
            RejectScope::Market => self.trip(market, code, 1, false, now),
            RejectScope::Order => match code {
                // The market's doing, or the strategy's wish.
                RejectCode::Expiration | RejectCode::PostOnlyCrosses | RejectCode::NotFilled => {}
                RejectCode::Tick | RejectCode::MinSize | RejectCode::Precision => {
                    self.count(market, code, rejections, now);
                }
                _ => self.count(Reach::Account, code, rejections, now),
            },
        }
    }

    /// The venue took an order that left at `begun`: what was wrong with the account and with this market before is over, but for
    /// what only a person or working credentials end.
    pub(super) fn accepted(&mut self, market: &MarketId, begun: Timestamp) {
        for reach in [Reach::Account, Reach::Market(market.clone())] {
            if self.open.get(&reach).is_some_and(|open| open.until.is_some() && open.at <= begun) {
                self.open.remove(&reach);
            }
            for (_, times) in self.recent.iter_mut().filter(|((recent, _), _)| *recent == reach) {
                times.retain(|at| *at > begun);
            }
        }
        self.recent.retain(|_, times| !times.is_empty());
    }

    /// A person has armed.
    pub(super) fn reset(&mut self) {
        self.open.clear();
        self.recent.clear();
    }

    /// The account's credentials work.
    pub(super) fn authorized(&mut self) {
        self.open.retain(|_, open| open.code != RejectCode::Unauthorized);
    }

    /// What is open now, in words.
    pub(super) fn words(&self, rejections: u32, now: Timestamp) -> Option<String> {
        let (reach, open) = self.open.iter().find(|(_, open)| open.stands(now))?;
        let denial = open.denial(reach, rejections);
        Some(format!("circuit breaker: {} ({})", denial.value, denial.limit))
    }

    /// Refusals of a kind: those that hold something open, and those within the window that have not opened anything yet.
    pub(super) fn counted(&self, rejections: u32, now: Timestamp) -> Vec<Refusals> {
        let refusals = |reach: &Reach, code: RejectCode, count: u32, most: u32| Refusals {
            of: format!("{} as {code}", reach.name()),
            count,
            most,
        };
        let open = self.open.iter().filter(|(_, open)| open.stands(now)).map(|(reach, open)| {
            let most = if open.code.scope() == RejectScope::Order { rejections.min(open.count) } else { 1 };
            refusals(reach, open.code, open.count, most)
        });
        let recent = self.recent.iter().filter_map(|((reach, code), times)| {
            let lately = times.iter().filter(|at| now.since(**at) < WINDOW).count();
            (lately > 0).then(|| refusals(reach, *code, u32::try_from(lately).unwrap_or(u32::MAX), rejections))
        });
        open.chain(recent).collect()
    }

    fn count(&mut self, reach: Reach, code: RejectCode, rejections: u32, now: Timestamp) {
        self.recent.retain(|_, times| times.back().is_some_and(|last| now.since(*last) < WINDOW));
        let times = self.recent.entry((reach.clone(), code)).or_default();
        times.push_back(now);
        times.retain(|at| now.since(*at) < WINDOW);
        let count = u32::try_from(times.len()).unwrap_or(u32::MAX);
        if count >= rejections || self.open.contains_key(&reach) {
            self.recent.remove(&(reach.clone(), code));
            self.trip(reach, code, count, false, now);
        }
    }

    fn trip(&mut self, reach: Reach, code: RejectCode, count: u32, for_good: bool, now: Timestamp) {
        self.open.retain(|_, open| open.until.is_none() || now.since(open.at) < KEPT);
        let before = self.open.get(&reach);
        let lasting = before.filter(|open| open.until.is_none());
        // Credentials that work again end no ban.
        let code = lasting.filter(|open| open.code != RejectCode::Unauthorized).map_or(code, |open| open.code);
        let for_good = for_good || lasting.is_some();
        let probed =
            before.filter(|open| open.probe.is_some()).map(|open| open.pause.saturating_mul(2).min(PAUSE_MOST));
        let pause = probed.or_else(|| before.map(|open| open.pause)).unwrap_or(PAUSE);
        let count = before.filter(|open| open.code == code).map_or(count, |open| count.max(open.count));
        let until = (!for_good).then(|| now.plus(pause));
        self.open.insert(reach, Open { code, count, at: now, pause, until, probe: None });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_000 + secs)
    }

    fn key(name: &str) -> Key {
        (name.into(), 1)
    }

    fn passes(breaker: &mut Breaker, name: &str, market: &str, secs: i64) -> bool {
        breaker.check(&key(name), &market.into(), 5, at(secs)).is_none()
    }

    #[test]
    fn as_many_refusals_as_the_limit_within_a_minute_open_it_and_one_fewer_does_not() {
        let mut breaker = Breaker::default();
        for secs in [0, 1] {
            breaker.refused(&"m".into(), RejectCode::Balance, 3, at(secs));
        }
        assert!(passes(&mut breaker, "a", "m", 2));
        breaker.refused(&"other".into(), RejectCode::Balance, 3, at(60));
        assert!(passes(&mut breaker, "a", "m", 60), "the first is a minute old");
        breaker.refused(&"other".into(), RejectCode::Balance, 3, at(60));
        let denial = breaker.check(&key("a"), &"m".into(), 3, at(61)).expect("open for the account");
        assert_eq!(denial.control, Control::CircuitBreaker);
        assert_eq!(denial.value, "3 refused as balance for the account");
        assert!(denial.limit.contains("fewer than 3 in 60 s; open until 1970-01-01T00:18:10"), "{}", denial.limit);
        assert!(breaker.words(3, at(61)).expect("said").contains("balance"));
    }

    #[test]
    fn what_is_counted_and_what_holds_it_open_is_told() {
        let mut breaker = Breaker::default();
        let told = |breaker: &Breaker, secs| {
            let counted = breaker.counted(3, at(secs)).into_iter();
            counted.map(|Refusals { of, count, most }| format!("{of}: {count} of {most}")).collect::<Vec<_>>()
        };
        for secs in [0, 30] {
            breaker.refused(&"m".into(), RejectCode::Balance, 3, at(secs));
        }
        assert_eq!(told(&breaker, 59), ["the account as balance: 2 of 3"]);
        assert_eq!(told(&breaker, 60), ["the account as balance: 1 of 3"], "the first is a minute old");
        assert!(told(&breaker, 90).is_empty());
        for secs in [90, 91, 92] {
            breaker.refused(&"m".into(), RejectCode::Balance, 3, at(secs));
        }
        assert_eq!(told(&breaker, 93), ["the account as balance: 3 of 3"], "open");
        assert!(told(&breaker, 122).is_empty(), "a probe may leave");
        breaker.refused(&"m".into(), RejectCode::ClosedOnly, 3, at(123));
        assert_eq!(told(&breaker, 1_000_000), ["the account as closed_only: 1 of 1"], "until a person arms");
    }

    #[test]
    fn after_the_pause_one_probe_decides() {
        let mut breaker = Breaker::default();
        breaker.refused(&"m".into(), RejectCode::Tick, 1, at(0));
        assert!(!passes(&mut breaker, "a", "m", 29) && passes(&mut breaker, "a", "elsewhere", 29));
        assert!(passes(&mut breaker, "a", "m", 30), "the probe");
        assert!(passes(&mut breaker, "a", "m", 31), "asked again right before it leaves");
        assert!(!passes(&mut breaker, "b", "m", 31), "one at a time");
        assert!(passes(&mut breaker, "b", "m", 40), "the first was never heard of");
        breaker.refused(&"m".into(), RejectCode::Tick, 1, at(41));
        assert!(!passes(&mut breaker, "c", "m", 100) && passes(&mut breaker, "c", "m", 101), "twice as long");
        breaker.accepted(&"m".into(), at(101));
        assert!(passes(&mut breaker, "d", "m", 102) && passes(&mut breaker, "e", "m", 102));
    }

    #[test]
    fn an_acceptance_of_what_left_before_the_refusal_closes_nothing_whichever_is_heard_first() {
        for code in [RejectCode::ClosedOnly, RejectCode::Banned, RejectCode::Unauthorized] {
            for begun in [-1, 0, 1] {
                let mut breaker = Breaker::default();
                breaker.accepted(&"m".into(), at(begun));
                breaker.refused(&"m".into(), code, 5, at(0));
                assert!(!passes(&mut breaker, "a", "m", 2), "{code}: accepted first");
                breaker.accepted(&"m".into(), at(begun));
                assert!(!passes(&mut breaker, "a", "m", 2), "{code}: accepted at last");
                breaker.reset();
                assert!(passes(&mut breaker, "a", "m", 2), "{code}");
            }
        }
        for (begun, closes) in [(-1, false), (0, true)] {
            let mut breaker = Breaker::default();
            breaker.refused(&"m".into(), RejectCode::Tick, 1, at(0));
            breaker.accepted(&"m".into(), at(begun));
            assert_eq!(passes(&mut breaker, "a", "m", 1), closes, "left at {begun}");
            let mut breaker = Breaker::default();
            breaker.refused(&"m".into(), RejectCode::Tick, 2, at(0));
            breaker.accepted(&"m".into(), at(begun));
            breaker.refused(&"m".into(), RejectCode::Tick, 2, at(1));
            assert_eq!(passes(&mut breaker, "a", "m", 2), closes, "the first counts on: left at {begun}");
        }
    }

    #[test]
    fn what_else_is_refused_does_not_turn_a_ban_into_something_that_credentials_end() {
        let mut breaker = Breaker::default();
        breaker.refused(&"m".into(), RejectCode::Banned, 5, at(0));
        breaker.refused(&"m".into(), RejectCode::Unauthorized, 5, at(1));
        breaker.authorized();
        assert!(!passes(&mut breaker, "a", "m", 2));
    }

    #[test]
    fn the_account_stays_closed_until_a_person_arms_and_credentials_until_they_work() {
        let mut breaker = Breaker::default();
        breaker.refused(&"m".into(), RejectCode::Banned, 5, at(0));
        assert!(!passes(&mut breaker, "a", "elsewhere", 1_000_000));
        breaker.authorized();
        assert!(!passes(&mut breaker, "a", "m", 1_000_000));
        breaker.reset();
        assert!(passes(&mut breaker, "a", "m", 1));
        breaker.refused(&"m".into(), RejectCode::Unauthorized, 5, at(2));
        assert!(!passes(&mut breaker, "a", "m", 3));
        breaker.authorized();
        assert!(passes(&mut breaker, "a", "m", 3));
    }

    #[test]
    fn what_is_no_fault_does_not_count() {
        let mut breaker = Breaker::default();
        for code in [RejectCode::NotFilled, RejectCode::PostOnlyCrosses, RejectCode::Expiration] {
            breaker.refused(&"m".into(), code, 1, at(0));
        }
        assert!(passes(&mut breaker, "a", "m", 0));
    }
}
