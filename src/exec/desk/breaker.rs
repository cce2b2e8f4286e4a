//! Circuit breaker: when the venue refuses orders of a kind one after the other, the next ones are not sent to be refused too.
//!
//! A refusal that concerns the whole account opens it at once, until a person arms or, for credentials, the account's event
//! socket is connected again. One that concerns a market opens it for that market at once; the others are counted by code, and
//! `rejections` of them within a minute open it. What concerns purchases alone, an account that may only close or one without funds,
//! holds back no sale. An open breaker denies; after its pause one order is let through as a probe: accepted closes it, refused opens it
//! for twice as long. An order that left before the refusal was heard is no probe: that it was accepted closes nothing.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::Key;
use crate::domain::{Control, Denial, MarketId, OrderIntent, RejectCode, RejectScope, Side, Timestamp};
use crate::risk::Refusals;
use crate::store::ledger::Barred;

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
    /// Whatever the account wants to buy.
    Purchases,
    Market(MarketId),
}

impl Reach {
    /// Those that an order meets.
    fn of(intent: &OrderIntent) -> impl Iterator<Item = Self> {
        let purchases = (intent.side == Side::Buy).then_some(Self::Purchases);
        [Self::Account, Self::Market(intent.market.clone())].into_iter().chain(purchases)
    }

    fn name(&self) -> String {
        match self {
            Self::Account => "the account".to_owned(),
            Self::Purchases => "the account's purchases".to_owned(),
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
    fn denies(&self, key: &Key, now: Timestamp) -> bool {
        self.stands(now) || self.probe.as_ref().is_some_and(|(probe, since)| probe != key && now.since(*since) < PROBE)
    }

    /// Whether it denies, whoever asks.
    fn stands(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    fn denial(&self, reach: &Reach, rejections: u32) -> Denial {
        let value = format!("{} refused as {} for {}", self.count, self.code, reach.name());
        let limit = match self.until {
            None => format!("0 of {}; open until a person arms", reach.name()),
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
    /// As it was left: what holds it open until a person arms, unless one has since.
    pub(super) fn restore(kept: &[Barred], epoch: u64) -> Self {
        let mut breaker = Self::default();
        for barred in kept.iter().filter(|barred| barred.epoch == epoch) {
            let reach = if barred.code == RejectCode::ClosedOnly { Reach::Purchases } else { Reach::Account };
            breaker.trip(reach, barred.code, 1, true, barred.at);
        }
        breaker
    }

    /// Whether this order must not be sent now.
    pub(super) fn check(&self, intent: &OrderIntent, rejections: u32, now: Timestamp) -> Option<Denial> {
        if self.open.is_empty() {
            return None;
        }
        let key = key(intent);
        let mut open = Reach::of(intent).filter_map(|reach| self.open.get_key_value(&reach));
        let (reach, open) = open.find(|(_, open)| open.denies(&key, now))?;
        Some(open.denial(reach, rejections))
    }

    /// This order passes: of what is open and past its pause it is the probe from now on.
    pub(super) fn passes(&mut self, intent: &OrderIntent, now: Timestamp) {
        if self.open.is_empty() {
            return;
        }
        let key = key(intent);
        for reach in Reach::of(intent) {
            if let Some(open) = self.open.get_mut(&reach)
                && open.probe.as_ref().is_none_or(|(probe, _)| *probe != key)
            {
                open.probe = Some((key.clone(), now));
            }
        }
    }

    /// It does not leave: it is no probe.
    pub(super) fn stays(&mut self, intent: &OrderIntent) {
        for open in self.open.values_mut() {
            open.probe.take_if(|((probe, attempt), _)| *probe == intent.intent && *attempt == intent.attempt);
        }
    }

    /// The venue refused an order for good; `rejections` of a kind within a minute open it. Gives the code by which it is open until a
    /// person arms from now on, to be kept.
    pub(super) fn refused(
        &mut self,
        intent: &OrderIntent,
        code: RejectCode,
        rejections: u32,
        now: Timestamp,
    ) -> Option<RejectCode> {
        let (market, buys) = (Reach::Market(intent.market.clone()), intent.side == Side::Buy);
        match code {
            RejectCode::ClosedOnly => {
                let kept = self.trip(Reach::Purchases, code, 1, true, now);
                if !buys {
                    self.count(Reach::Account, code, rejections, now);
                }
                return kept;
            }
            RejectCode::Balance | RejectCode::Allowance if buys => {
                self.count(Reach::Purchases, code, rejections, now);
            }
            RejectCode::Tick | RejectCode::MinSize | RejectCode::Precision => self.count(market, code, rejections, now),
            // The market's doing, or the strategy's wish.
            RejectCode::Expiration | RejectCode::PostOnlyCrosses | RejectCode::NotFilled => {}
            _ => match code.scope() {
                RejectScope::Account => return self.trip(Reach::Account, code, 1, true, now),
                RejectScope::Market => drop(self.trip(market, code, 1, false, now)),
                RejectScope::Order => self.count(Reach::Account, code, rejections, now),
            },
        }
        None
    }

    /// The venue took an order that left at `begun`: what was wrong with orders like it before is over, but for what only a person or
    /// working credentials end.
    pub(super) fn accepted(&mut self, intent: &OrderIntent, begun: Timestamp) {
        for reach in Reach::of(intent) {
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

    /// Refusals of a kind: those that opened something which is not closed yet, the pause over or not, and those within the window that
    /// have not opened anything.
    pub(super) fn counted(&self, rejections: u32, now: Timestamp) -> Vec<Refusals> {
        let refusals = |reach: &Reach, code: RejectCode, count: u32, most: u32| Refusals {
            of: format!("{} as {code}", reach.name()),
            count,
            most,
        };
        let lasts = |open: &Open| open.until.is_none() || now.since(open.at) < KEPT;
        let open = self.open.iter().filter(|(_, open)| lasts(open)).map(|(reach, open)| {
            let counted = open.until.is_some() && open.code.scope() != RejectScope::Market;
            let most = if counted { rejections.min(open.count) } else { 1 };
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

    /// Opens it, or holds it open. Gives the code by which it is open for good from now on, unless it was before or credentials end it.
    fn trip(
        &mut self,
        reach: Reach,
        code: RejectCode,
        count: u32,
        for_good: bool,
        now: Timestamp,
    ) -> Option<RejectCode> {
        self.open.retain(|_, open| open.until.is_none() || now.since(open.at) < KEPT);
        let before = self.open.get(&reach);
        let lasting = before.filter(|open| open.until.is_none()).map(|open| open.code);
        // Credentials that work again end no ban, and what else is refused is none.
        let code = lasting.filter(|code| !for_good || *code != RejectCode::Unauthorized).unwrap_or(code);
        let for_good = for_good || lasting.is_some();
        let probed =
            before.filter(|open| open.probe.is_some()).map(|open| open.pause.saturating_mul(2).min(PAUSE_MOST));
        let pause = probed.or_else(|| before.map(|open| open.pause)).unwrap_or(PAUSE);
        let count = before.filter(|open| open.code == code).map_or(count, |open| count.max(open.count));
        let until = (!for_good).then(|| now.plus(pause));
        self.open.insert(reach, Open { code, count, at: now, pause, until, probe: None });
        (for_good && lasting != Some(code) && code != RejectCode::Unauthorized).then_some(code)
    }
}

fn key(intent: &OrderIntent) -> Key {
    (intent.intent.clone(), intent.attempt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::checks::bench::buy;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_000 + secs)
    }

    fn wish(name: &str, market: &str) -> OrderIntent {
        OrderIntent { intent: name.into(), market: market.into(), ..buy("0.50", "5") }
    }

    /// Whether a purchase passes.
    fn passes(breaker: &mut Breaker, name: &str, market: &str, secs: i64) -> bool {
        asks(breaker, &wish(name, market), secs)
    }

    fn sells(breaker: &mut Breaker, name: &str, secs: i64) -> bool {
        asks(breaker, &OrderIntent { side: Side::Sell, ..wish(name, "m") }, secs)
    }

    fn asks(breaker: &mut Breaker, intent: &OrderIntent, secs: i64) -> bool {
        let passes = breaker.check(intent, 5, at(secs)).is_none();
        if passes {
            breaker.passes(intent, at(secs));
        }
        passes
    }

    /// A purchase in this market was refused.
    fn refuse(breaker: &mut Breaker, market: &str, code: RejectCode, rejections: u32, secs: i64) -> Option<RejectCode> {
        breaker.refused(&wish("refused", market), code, rejections, at(secs))
    }

    #[test]
    fn as_many_refusals_as_the_limit_within_a_minute_open_it_and_one_fewer_does_not() {
        let mut breaker = Breaker::default();
        for secs in [0, 1] {
            refuse(&mut breaker, "m", RejectCode::Balance, 3, secs);
        }
        assert!(passes(&mut breaker, "a", "m", 2));
        refuse(&mut breaker, "other", RejectCode::Balance, 3, 60);
        assert!(passes(&mut breaker, "a", "m", 60), "the first is a minute old");
        refuse(&mut breaker, "other", RejectCode::Balance, 3, 60);
        let denial = breaker.check(&wish("a", "m"), 3, at(61)).expect("open for the account");
        assert_eq!(denial.control, Control::CircuitBreaker);
        assert_eq!(denial.value, "3 refused as balance for the account's purchases");
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
            refuse(&mut breaker, "m", RejectCode::Balance, 3, secs);
        }
        assert_eq!(told(&breaker, 59), ["the account's purchases as balance: 2 of 3"]);
        assert_eq!(told(&breaker, 60), ["the account's purchases as balance: 1 of 3"], "the first is a minute old");
        assert!(told(&breaker, 90).is_empty());
        for secs in [90, 91, 92] {
            refuse(&mut breaker, "m", RejectCode::Balance, 3, secs);
        }
        assert_eq!(told(&breaker, 93), ["the account's purchases as balance: 3 of 3"], "open");
        assert_eq!(
            told(&breaker, 122),
            ["the account's purchases as balance: 3 of 3"],
            "a probe may leave, and nothing is closed"
        );
        refuse(&mut breaker, "m", RejectCode::Tick, 1, 122);
        assert_eq!(told(&breaker, 122).len(), 2);
        assert_eq!(told(&breaker, 122 + 3_600), [""; 0], "an hour later nobody asks any more");
        refuse(&mut breaker, "m", RejectCode::ClosedOnly, 3, 123);
        assert_eq!(
            told(&breaker, 1_000_000),
            ["the account's purchases as closed_only: 1 of 1"],
            "until a person arms"
        );
    }

    #[test]
    fn after_the_pause_one_probe_decides() {
        let mut breaker = Breaker::default();
        refuse(&mut breaker, "m", RejectCode::Tick, 1, 0);
        assert!(!passes(&mut breaker, "a", "m", 29) && passes(&mut breaker, "a", "elsewhere", 29));
        assert!(passes(&mut breaker, "a", "m", 30), "the probe");
        assert!(passes(&mut breaker, "a", "m", 31), "asked again right before it leaves");
        assert!(!passes(&mut breaker, "b", "m", 31), "one at a time");
        assert!(passes(&mut breaker, "b", "m", 40), "the first was never heard of");
        refuse(&mut breaker, "m", RejectCode::Tick, 1, 41);
        assert!(!passes(&mut breaker, "c", "m", 100) && passes(&mut breaker, "c", "m", 101), "twice as long");
        breaker.accepted(&wish("accepted", "m"), at(101));
        assert!(passes(&mut breaker, "d", "m", 102) && passes(&mut breaker, "e", "m", 102));
    }

    #[test]
    fn what_is_denied_for_something_else_is_no_probe() {
        let mut breaker = Breaker::default();
        refuse(&mut breaker, "m", RejectCode::Tick, 1, 0);
        assert!(breaker.check(&wish("a", "m"), 1, at(30)).is_none(), "it may be denied by another control");
        assert!(passes(&mut breaker, "b", "m", 31));
        breaker.stays(&wish("b", "m"));
        assert!(passes(&mut breaker, "c", "m", 32), "the one before did not leave after all");
        assert!(!passes(&mut breaker, "d", "m", 33));
    }

    #[test]
    fn what_concerns_purchases_holds_back_no_sale_and_no_sale_that_was_taken_ends_it() {
        for (code, times, purchase_at) in [(RejectCode::ClosedOnly, 1, None), (RejectCode::Balance, 3, Some(60))] {
            let mut breaker = Breaker::default();
            for secs in 0..times {
                refuse(&mut breaker, "m", code, 3, secs);
            }
            assert!(!passes(&mut breaker, "a", "elsewhere", 10) && sells(&mut breaker, "b", 10), "{code}");
            breaker.accepted(&OrderIntent { side: Side::Sell, ..wish("b", "m") }, at(11));
            assert!(!passes(&mut breaker, "a", "m", 12), "{code}");
            if let Some(probed) = purchase_at {
                assert!(passes(&mut breaker, "a", "m", probed));
                breaker.accepted(&wish("a", "m"), at(probed));
                assert!(passes(&mut breaker, "c", "m", probed));
            }
        }
        let mut breaker = Breaker::default();
        let sale = OrderIntent { side: Side::Sell, ..wish("s", "m") };
        for secs in 0..3 {
            assert!(sells(&mut breaker, "b", secs));
            breaker.refused(&sale, RejectCode::ClosedOnly, 3, at(secs));
        }
        assert!(!sells(&mut breaker, "b", 4), "the venue takes no sales either");
    }

    #[test]
    fn what_only_a_person_ends_is_told_once_and_stands_after_a_restart_until_somebody_arms() {
        let mut breaker = Breaker::default();
        assert_eq!(refuse(&mut breaker, "m", RejectCode::Unauthorized, 5, 0), None, "credentials end it");
        assert_eq!(refuse(&mut breaker, "m", RejectCode::Banned, 5, 1), Some(RejectCode::Banned));
        assert_eq!(refuse(&mut breaker, "m", RejectCode::Forbidden, 5, 2), None, "it is open already");
        assert_eq!(refuse(&mut breaker, "m", RejectCode::Tick, 1, 3), None);
        assert_eq!(refuse(&mut breaker, "m", RejectCode::ClosedOnly, 5, 3), Some(RejectCode::ClosedOnly));
        let kept = |code| [Barred { code, epoch: 7, at: at(1) }];
        for (code, sale) in [(RejectCode::Banned, false), (RejectCode::ClosedOnly, true)] {
            let mut after = Breaker::restore(&kept(code), 7);
            assert!(!passes(&mut after, "a", "m", 1_000_000), "{code}");
            assert_eq!(sells(&mut after, "b", 1_000_000), sale, "{code}");
            assert!(passes(&mut Breaker::restore(&kept(code), 8), "a", "m", 2), "{code}: a person has armed");
        }
    }

    #[test]
    fn an_acceptance_of_what_left_before_the_refusal_closes_nothing_whichever_is_heard_first() {
        for code in [RejectCode::ClosedOnly, RejectCode::Banned, RejectCode::Unauthorized] {
            for begun in [-1, 0, 1] {
                let mut breaker = Breaker::default();
                breaker.accepted(&wish("accepted", "m"), at(begun));
                refuse(&mut breaker, "m", code, 5, 0);
                assert!(!passes(&mut breaker, "a", "m", 2), "{code}: accepted first");
                breaker.accepted(&wish("accepted", "m"), at(begun));
                assert!(!passes(&mut breaker, "a", "m", 2), "{code}: accepted at last");
                breaker.reset();
                assert!(passes(&mut breaker, "a", "m", 2), "{code}");
            }
        }
        for (begun, closes) in [(-1, false), (0, true)] {
            let mut breaker = Breaker::default();
            refuse(&mut breaker, "m", RejectCode::Tick, 1, 0);
            breaker.accepted(&wish("accepted", "m"), at(begun));
            assert_eq!(passes(&mut breaker, "a", "m", 1), closes, "left at {begun}");
            let mut breaker = Breaker::default();
            refuse(&mut breaker, "m", RejectCode::Tick, 2, 0);
            breaker.accepted(&wish("accepted", "m"), at(begun));
            refuse(&mut breaker, "m", RejectCode::Tick, 2, 1);
            assert_eq!(passes(&mut breaker, "a", "m", 2), closes, "the first counts on: left at {begun}");
        }
    }

    #[test]
    fn what_else_is_refused_does_not_turn_a_ban_into_something_that_credentials_end() {
        let mut breaker = Breaker::default();
        refuse(&mut breaker, "m", RejectCode::Banned, 5, 0);
        refuse(&mut breaker, "m", RejectCode::Unauthorized, 5, 1);
        breaker.authorized();
        assert!(!passes(&mut breaker, "a", "m", 2));
        let mut breaker = Breaker::default();
        refuse(&mut breaker, "m", RejectCode::Unauthorized, 5, 0);
        refuse(&mut breaker, "m", RejectCode::Malformed, 5, 1);
        breaker.authorized();
        assert!(passes(&mut breaker, "a", "m", 2), "what was on its way and refused for itself is no ban");
    }

    #[test]
    fn the_account_stays_closed_until_a_person_arms_and_credentials_until_they_work() {
        let mut breaker = Breaker::default();
        refuse(&mut breaker, "m", RejectCode::Banned, 5, 0);
        assert!(!passes(&mut breaker, "a", "elsewhere", 1_000_000));
        breaker.authorized();
        assert!(!passes(&mut breaker, "a", "m", 1_000_000));
        breaker.reset();
        assert!(passes(&mut breaker, "a", "m", 1));
        refuse(&mut breaker, "m", RejectCode::Unauthorized, 5, 2);
        assert!(!passes(&mut breaker, "a", "m", 3));
        breaker.authorized();
        assert!(passes(&mut breaker, "a", "m", 3));
    }

    #[test]
    fn what_is_no_fault_does_not_count() {
        let mut breaker = Breaker::default();
        for code in [RejectCode::NotFilled, RejectCode::PostOnlyCrosses, RejectCode::Expiration] {
            refuse(&mut breaker, "m", code, 1, 0);
        }
        assert!(passes(&mut breaker, "a", "m", 0));
    }
}
