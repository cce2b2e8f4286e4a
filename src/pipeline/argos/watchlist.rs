//! Which markets are watched, when the catalogue is asked about them, when they are told and when they are let go.
//!
//! `(event, now) -> effects`, no I/O. The next window is fetched ahead of the roll; after its end a market is asked about
//! until its result is known, told for a while with the result, then forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::pattern::{Pattern, Window};
use crate::domain::{Market, Price, Slug, Timestamp, TokenId};

/// How long before its start the next window is fetched.
const PRELOAD: Duration = Duration::from_secs(30);
/// Windows that ended this lately are looked at after a start: their result may have been missed.
const LOOK_BACK: Duration = Duration::from_mins(10);
/// A known market is asked about this often while it trades.
const REFRESH: Duration = Duration::from_secs(30);
/// A known market is told this often, for those who came late.
const REPEAT: Duration = Duration::from_secs(3);
/// A market with its result is told for this long: a message on the bus can get lost.
const LINGER: Duration = Duration::from_mins(1);
/// Pace of asking for a result, by the time since the end: markets resolve one to three minutes after it, seldom later.
const RESULT_PACES: [(Duration, Duration); 3] = [
    (Duration::from_mins(5), Duration::from_secs(3)),
    (Duration::from_hours(1), Duration::from_secs(15)),
    (GIVE_UP, Duration::from_mins(5)),
];
/// A market without a result this long after its end is given up.
const GIVE_UP: Duration = Duration::from_hours(24);
/// First pause after a failed or empty answer; doubles up to [`REFRESH`].
const RETRY: Duration = Duration::from_secs(2);
/// A question without any answer, not even a failure, is asked again after this.
const ANSWER_LOST: Duration = Duration::from_secs(30);

/// What happens.
#[derive(Debug)]
pub(super) enum Event {
    /// Time has passed.
    Timer,
    /// The catalogue answered.
    Fetched {
        /// About which market.
        slug: Slug,
        /// What it said, or why it did not.
        answer: Result<Option<Box<Market>>, String>,
    },
    /// The market socket told of a new price grid.
    TickSize {
        /// One of the market's tokens.
        token: TokenId,
        /// The new grid.
        tick_size: Price,
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Ask the catalogue.
    Fetch(Slug),
    /// Tell everybody.
    Publish(Box<Market>),
}

/// One market.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    /// Its slug.
    pub(super) slug: Slug,
    /// As known.
    pub(super) market: Option<Market>,
    /// Why the catalogue's last answer was no use.
    pub(super) reason: Option<String>,
    window_end: Option<Timestamp>,
    /// The grid by the catalogue, and by the socket when that spoke later.
    listed_tick: Option<Price>,
    told_tick: Option<Price>,
    /// Since when the catalogue's answer is awaited.
    asked_at: Option<Timestamp>,
    next_fetch: Timestamp,
    failures: u32,
    told_at: Option<Timestamp>,
    resolved_at: Option<Timestamp>,
    done: bool,
}

/// Every market that is watched.
#[derive(Debug)]
pub(super) struct Watchlist {
    patterns: Vec<Pattern>,
    watched: BTreeMap<Slug, Watched>,
}

impl Watchlist {
    /// Nothing known yet.
    pub(super) const fn new(patterns: Vec<Pattern>) -> Self {
        Self { patterns, watched: BTreeMap::new() }
    }

    /// Markets that are not let go.
    pub(super) fn watched(&self) -> impl Iterator<Item = &Watched> {
        self.watched.values().filter(|watched| !watched.done)
    }

    /// Tokens whose books are wanted.
    pub(super) fn tokens(&self, now: Timestamp) -> BTreeSet<TokenId> {
        let trading = self.watched().filter(|watched| watched.is_trading(now));
        let markets = trading.filter_map(|watched| watched.market.as_ref());
        markets.flat_map(|market| market.tokens.iter().map(|outcome| outcome.token.clone())).collect()
    }

    /// Takes an event and appends what is to be done.
    pub(super) fn on(&mut self, event: Event, now: Timestamp, out: &mut Vec<Effect>) {
        match event {
            Event::Timer => self.timer(now, out),
            Event::Fetched { slug, answer } => {
                if let Some(watched) = self.watched.get_mut(&slug) {
                    watched.fetched(answer, now, out);
                }
            }
            Event::TickSize { token, tick_size } => {
                let owner = self.watched.values_mut().find(|each| each.owns(&token));
                if let Some((watched, market)) = owner.and_then(|each| each.market.clone().map(|market| (each, market)))
                {
                    watched.told_tick = Some(tick_size);
                    watched.learn(Market { tick_size, ..market }, now, out);
                }
            }
        }
    }

    fn timer(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        self.watched.retain(|_, watched| {
            !(watched.done && watched.window_end.is_some_and(|end| now > end.plus(LOOK_BACK).plus(PRELOAD)))
        });
        for window in self.patterns.iter().flat_map(|pattern| pattern.windows(now, LOOK_BACK, PRELOAD)) {
            self.watched.entry(window.slug.clone()).or_insert_with(|| Watched::new(window, now));
        }
        for watched in self.watched.values_mut().filter(|watched| !watched.done) {
            watched.timer(now, out);
        }
    }
}

impl Watched {
    fn new(window: Window, now: Timestamp) -> Self {
        Self {
            slug: window.slug,
            market: None,
            reason: None,
            window_end: window.ends_at,
            listed_tick: None,
            told_tick: None,
            asked_at: None,
            next_fetch: now,
            failures: 0,
            told_at: None,
            resolved_at: None,
            done: false,
        }
    }

    /// When its window is over: a rolling market's slug says it, for others the catalogue does.
    fn ends_at(&self) -> Option<Timestamp> {
        self.window_end.or_else(|| self.market.as_ref().and_then(|market| market.closes_at))
    }

    /// Whether its window is over.
    pub(super) fn has_ended(&self, now: Timestamp) -> bool {
        self.ends_at().is_some_and(|end| now >= end)
    }

    /// Whether its result is known.
    pub(super) const fn is_resolved(&self) -> bool {
        self.resolved_at.is_some()
    }

    /// Whether its books are worth following.
    pub(super) fn is_trading(&self, now: Timestamp) -> bool {
        let open = |market: &Market| !self.has_ended(now) || market.accepting_orders;
        !self.is_resolved() && self.market.as_ref().is_some_and(open)
    }

    fn owns(&self, token: &TokenId) -> bool {
        self.market.as_ref().is_some_and(|market| market.outcome_of(token).is_some())
    }

    fn timer(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        if self.resolved_at.is_some_and(|at| now.since(at) >= LINGER) {
            self.done = true;
            return;
        }
        let waiting = self.asked_at.is_some_and(|at| now.since(at) < ANSWER_LOST);
        if !waiting && !self.is_resolved() && now >= self.next_fetch {
            self.asked_at = Some(now);
            out.push(Effect::Fetch(self.slug.clone()));
        }
        if self.told_at.is_some_and(|at| now.since(at) >= REPEAT)
            && let Some(market) = &self.market
        {
            self.told_at = Some(now);
            out.push(Effect::Publish(Box::new(market.clone())));
        }
    }

    fn fetched(&mut self, answer: Result<Option<Box<Market>>, String>, now: Timestamp, out: &mut Vec<Effect>) {
        self.asked_at = None;
        match answer {
            Ok(Some(market)) => {
                self.failures = 0;
                self.reason = None;
                if self.listed_tick != Some(market.tick_size) {
                    // The catalogue lags behind the socket, but what it newly says is news.
                    self.listed_tick = Some(market.tick_size);
                    self.told_tick = None;
                }
                let tick_size = self.told_tick.unwrap_or(market.tick_size);
                self.learn(Market { tick_size, ..*market }, now, out);
                self.plan(now);
            }
            Ok(None) if self.market.is_none() && self.has_ended(now) => self.done = true,
            Ok(None) => self.failed("the catalogue does not list it".to_owned(), now),
            Err(reason) => self.failed(reason, now),
        }
    }

    fn learn(&mut self, market: Market, now: Timestamp, out: &mut Vec<Effect>) {
        if market.payouts.is_some() {
            self.resolved_at.get_or_insert(now);
        }
        if self.market.as_ref() == Some(&market) {
            return;
        }
        self.told_at = Some(now);
        out.push(Effect::Publish(Box::new(market.clone())));
        self.market = Some(market);
    }

    fn plan(&mut self, now: Timestamp) {
        let Some(end) = self.ends_at() else {
            self.next_fetch = now.plus(REFRESH);
            return;
        };
        if now < end {
            self.next_fetch = now.plus(REFRESH).min(end.plus(Duration::from_secs(1)));
            return;
        }
        let since = now.since(end);
        match RESULT_PACES.iter().find(|(until, _)| since < *until) {
            Some((_, pace)) => self.next_fetch = now.plus(*pace),
            // Still taking orders: its end date was only nominal, as with long-lived markets.
            None if self.is_trading(now) => self.next_fetch = now.plus(REFRESH),
            None => {
                tracing::error!(slug = %self.slug, "no result a day after the end: given up");
                self.done = true;
            }
        }
    }

    fn failed(&mut self, reason: String, now: Timestamp) {
        self.reason = Some(reason);
        let patience = if self.market.is_some() { GIVE_UP } else { LOOK_BACK };
        if self.ends_at().is_some_and(|end| now >= end.plus(patience)) && !self.is_trading(now) {
            tracing::error!(slug = %self.slug, reason = self.reason, "no answer long after the end: given up");
            self.done = true;
        }
        let pause = RETRY.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(REFRESH);
        self.failures = self.failures.saturating_add(1);
        self.next_fetch = now.plus(pause);
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::{FeeSchedule, MarketId, OutcomeToken, Protocol, Size};

    const START: i64 = 1_795_348_800;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(START + second)
    }

    fn slug(start: i64) -> Slug {
        Slug::new(format!("btc-updown-5m-{}", START + start))
    }

    fn market(start: i64) -> Market {
        let outcome =
            |name: &str| OutcomeToken { token: TokenId::new(format!("{start}{name}")), outcome: name.to_owned() };
        Market {
            slug: slug(start),
            market: MarketId::new(format!("0x{start}")),
            tokens: [outcome("Up"), outcome("Down")],
            tick_size: Price(dec!(0.01)),
            min_size: Size(dec!(5)),
            neg_risk: false,
            protocol: Protocol::V2,
            fee: FeeSchedule::FREE,
            opens_at: Some(at(start)),
            closes_at: Some(at(start + 300)),
            accepting_orders: true,
            payouts: None,
            question: None,
            group: None,
        }
    }

    fn rolling() -> Watchlist {
        Watchlist::new(vec![Pattern::parse("btc-updown-5m-{start}").expect("pattern")])
    }

    fn on(list: &mut Watchlist, event: Event, now: Timestamp) -> Vec<Effect> {
        let mut out = Vec::new();
        list.on(event, now, &mut out);
        out
    }

    fn answer(list: &mut Watchlist, market: Market, now: Timestamp) -> Vec<Effect> {
        on(list, Event::Fetched { slug: market.slug.clone(), answer: Ok(Some(Box::new(market))) }, now)
    }

    fn unlisted(list: &mut Watchlist, slug: Slug, now: Timestamp) -> Vec<Effect> {
        on(list, Event::Fetched { slug, answer: Ok(None) }, now)
    }

    fn fetched(effects: &[Effect]) -> Vec<Slug> {
        effects
            .iter()
            .filter_map(|effect| if let Effect::Fetch(slug) = effect { Some(slug.clone()) } else { None })
            .collect()
    }

    fn told(effects: &[Effect]) -> Vec<Market> {
        let told =
            effects.iter().filter_map(|effect| if let Effect::Publish(market) = effect { Some(market) } else { None });
        told.map(|market| Market::clone(market)).collect()
    }

    /// A list that knows the current window and nothing of those before.
    fn started(second: i64) -> Watchlist {
        let mut list = rolling();
        let asked = fetched(&on(&mut list, Event::Timer, at(second)));
        assert_eq!(asked, [slug(-600), slug(-300), slug(0)]);
        unlisted(&mut list, slug(-600), at(second));
        unlisted(&mut list, slug(-300), at(second));
        assert_eq!(told(&answer(&mut list, market(0), at(second))), [market(0)]);
        list
    }

    #[test]
    fn the_next_window_is_fetched_before_the_roll_and_both_are_followed() {
        let mut list = started(1);
        assert_eq!(list.tokens(at(1)).len(), 2);
        assert_eq!(fetched(&on(&mut list, Event::Timer, at(269))), [slug(0)], "a refresh, nothing else");
        answer(&mut list, market(0), at(269));
        assert_eq!(fetched(&on(&mut list, Event::Timer, at(270))), [slug(300)]);
        assert_eq!(told(&answer(&mut list, market(300), at(270))), [market(300)]);
        assert_eq!(list.tokens(at(270)).len(), 4);
        let closed = Market { accepting_orders: false, ..market(0) };
        on(&mut list, Event::Timer, at(301));
        answer(&mut list, closed, at(301));
        assert_eq!(list.tokens(at(301)).len(), 2, "the ended window's books are let go");
    }

    #[test]
    fn a_known_market_is_repeated_and_changes_are_told_at_once() {
        let mut list = started(1);
        assert!(told(&on(&mut list, Event::Timer, at(3))).is_empty());
        assert_eq!(told(&on(&mut list, Event::Timer, at(4))), [market(0)]);
        assert!(told(&on(&mut list, Event::Timer, at(5))).is_empty());

        let fine = Price(dec!(0.001));
        let event = || Event::TickSize { token: TokenId::new("0Up"), tick_size: fine };
        let news = told(&on(&mut list, event(), at(6)));
        assert_eq!(news, [Market { tick_size: fine, ..market(0) }]);
        assert!(on(&mut list, event(), at(6)).is_empty(), "known already");
        on(&mut list, Event::Timer, at(31));
        assert!(told(&answer(&mut list, market(0), at(31))).is_empty(), "the catalogue lags behind the socket");
        let coarse = Market { tick_size: Price(dec!(0.1)), ..market(0) };
        assert_eq!(told(&answer(&mut list, coarse.clone(), at(62))), [coarse], "but its own news count");
    }

    #[test]
    fn after_the_end_the_result_is_asked_for_told_for_a_while_and_let_go() {
        let mut list = started(1);
        on(&mut list, Event::Timer, at(290));
        answer(&mut list, market(0), at(290));
        let mut asked = 0;
        for second in 301..360 {
            let effects = on(&mut list, Event::Timer, at(second));
            if fetched(&effects).contains(&slug(0)) {
                asked += 1;
                answer(&mut list, Market { accepting_orders: false, ..market(0) }, at(second));
            }
        }
        assert!((18..=20).contains(&asked), "every three seconds: {asked}");
        let paid = Market { payouts: Some([Price(dec!(1)), Price(dec!(0))]), accepting_orders: false, ..market(0) };
        assert_eq!(told(&answer(&mut list, paid.clone(), at(360))), std::slice::from_ref(&paid));
        let mut repeated = 0;
        for second in 361..500 {
            let effects = on(&mut list, Event::Timer, at(second));
            assert!(!fetched(&effects).contains(&slug(0)), "the result is known");
            repeated += told(&effects).iter().filter(|market| market.slug == paid.slug).count();
        }
        assert!((18..=20).contains(&repeated), "{repeated}");
        assert!(list.watched().all(|watched| watched.slug != slug(0)));
        for second in 500..1_000 {
            assert!(!fetched(&on(&mut list, Event::Timer, at(second))).contains(&slug(0)), "never again");
        }
    }

    #[test]
    fn a_failing_catalogue_is_asked_again_with_growing_pauses_one_question_at_a_time() {
        let mut list = Watchlist::new(vec![Pattern::Fixed(Slug::new("quiet"))]);
        let mut asked = Vec::new();
        for second in 0..120 {
            let effects = on(&mut list, Event::Timer, at(second));
            if !fetched(&effects).is_empty() {
                asked.push(second);
                assert!(fetched(&on(&mut list, Event::Timer, at(second))).is_empty(), "one question at a time");
                let answer = Err("down".to_owned());
                on(&mut list, Event::Fetched { slug: Slug::new("quiet"), answer }, at(second));
            }
        }
        assert_eq!(asked, [0, 2, 6, 14, 30, 60, 90]);
        assert_eq!(list.watched().next().and_then(|watched| watched.reason.clone()).as_deref(), Some("down"));
    }

    #[test]
    fn a_question_whose_answer_got_lost_is_asked_again() {
        let mut list = Watchlist::new(vec![Pattern::Fixed(Slug::new("quiet"))]);
        let asked: Vec<i64> =
            (0..70).filter(|second| !fetched(&on(&mut list, Event::Timer, at(*second))).is_empty()).collect();
        assert_eq!(asked, [0, 30, 60]);
    }

    #[test]
    fn a_fixed_market_that_is_resolved_is_not_taken_up_again() {
        let mut list = Watchlist::new(vec![Pattern::Fixed(slug(0))]);
        on(&mut list, Event::Timer, at(400));
        answer(&mut list, Market { payouts: Some([Price(dec!(0)), Price(dec!(1))]), ..market(0) }, at(400));
        for second in (401..5_000).step_by(7) {
            assert!(fetched(&on(&mut list, Event::Timer, at(second))).is_empty());
        }
        assert_eq!(list.watched().count(), 0);
    }

    #[test]
    fn an_outage_of_days_does_not_pile_up_markets() {
        let mut list = rolling();
        for second in (0..200_000).step_by(5) {
            for slug in fetched(&on(&mut list, Event::Timer, at(second))) {
                on(&mut list, Event::Fetched { slug, answer: Err("down".to_owned()) }, at(second));
            }
        }
        assert!(list.watched.len() < 10, "{}", list.watched.len());
    }
}
