//! What a strategy answers with: wishes, and crossings that it skips. Of skips only news is told.

use std::collections::VecDeque;
use std::time::Duration;

use super::strategy::{Cause, Wish};
use crate::domain::{Figure, Side, Slug, Timestamp};

/// The same reason on the same market is told again after this long, and no earlier, so that two reasons that alternate are no flood.
const TELL_AGAIN_AFTER: Duration = Duration::from_mins(1);
/// Reasons remembered, each with its market; a strategy has fewer at a time.
const KEPT: usize = 64;

/// A crossing that a strategy skips, as the strategy sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The market that would have been traded; absent when none was open.
    pub slug: Option<Slug>,
    /// Why, in words with its figures.
    pub note: String,
    /// Everything that was looked at.
    pub inputs: Vec<Figure>,
    /// The observation that crossed.
    pub cause: Cause,
}

/// A skip that is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Why, in one word.
    pub reason: &'static str,
    /// The crossing.
    pub skipped: Skipped,
    /// Crossings skipped since the last that was told.
    pub untold: u64,
}

/// A strategy's answers to one event. Skips are counted over all events.
#[derive(Debug, Default)]
pub struct Wishes {
    made: VecDeque<Wish>,
    news: Vec<News>,
    /// Each reason with the market that it was told of, and when.
    told: Vec<(&'static str, Option<Slug>, Timestamp)>,
    untold: u64,
    skips: u64,
}

impl Wishes {
    /// The strategy wants this.
    pub fn push(&mut self, wish: Wish) {
        self.made.push_back(wish);
    }

    /// The strategy's price moved as it waits for, and it does not wish. `tell` is called only for news: a reason that was not told of
    /// this market within the last minute.
    pub fn skip(&mut self, reason: &'static str, slug: Option<&Slug>, now: Timestamp, tell: impl FnOnce() -> Skipped) {
        self.skips += 1;
        let same = |told: &(&'static str, Option<Slug>, Timestamp)| told.0 == reason && told.1.as_ref() == slug;
        if self.told.iter().any(|told| same(told) && now.since(told.2) < TELL_AGAIN_AFTER) {
            self.untold += 1;
            return;
        }
        self.told.retain(|told| !same(told));
        if self.told.len() == KEPT {
            self.told.remove(0);
        }
        self.told.push((reason, slug.cloned(), now));
        self.news.push(News { reason, skipped: tell(), untold: std::mem::take(&mut self.untold) });
    }

    /// Whether the strategy wants something.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.made.is_empty()
    }

    /// The oldest wish, taken away.
    pub(super) fn next(&mut self) -> Option<Wish> {
        self.made.pop_front()
    }

    /// What is new of the skips, taken away.
    pub(super) fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// Forgets what was not taken: nobody is told while trading is halted, and what is skipped after that is news again.
    pub(super) fn hush(&mut self) {
        self.untold += self.made.drain(..).count() as u64;
        self.untold += self.news.iter().map(|news| news.untold + 1).sum::<u64>();
        self.news.clear();
        self.told.clear();
    }

    /// While only sales are let through: leaves one purchase to be denied, unless one was already, and no other; those are counted as not
    /// told. Whether one is left.
    pub(super) fn hold_buys(&mut self, known: bool) -> bool {
        let (mut left, before) = (known, self.made.len());
        self.made.retain(|wish| wish.signal.side == Side::Sell || !std::mem::replace(&mut left, true));
        self.untold += (before - self.made.len()) as u64;
        left && !known
    }

    /// Crossings skipped so far.
    #[must_use]
    pub const fn skips(&self) -> u64 {
        self.skips
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Price;

    fn skipped() -> Skipped {
        Skipped {
            slug: None,
            note: String::new(),
            inputs: Vec::new(),
            cause: Cause {
                source: "BTC/USD".into(),
                event_at: Timestamp::from_secs(0),
                received_at: Timestamp::from_secs(0),
                trade_id: 1,
                price: Price::ZERO,
            },
        }
    }

    fn told(wishes: &mut Wishes, reason: &'static str, second: i64) -> Option<u64> {
        told_of(wishes, reason, "btc-updown-5m-0", second)
    }

    fn told_of(wishes: &mut Wishes, reason: &'static str, slug: &str, second: i64) -> Option<u64> {
        wishes.skip(reason, Some(&slug.into()), Timestamp::from_secs(second), skipped);
        wishes.take_news().pop().map(|news| news.untold)
    }

    #[test]
    fn only_another_reason_or_market_is_news_for_a_minute_and_the_rest_is_counted() {
        let mut wishes = Wishes::default();
        assert_eq!(told(&mut wishes, "no_edge", 0), Some(0));
        assert_eq!(told(&mut wishes, "no_edge", 1), None);
        assert_eq!(told(&mut wishes, "no_edge", 59), None, "the same reason goes on");
        assert_eq!(told(&mut wishes, "no_edge", 60), Some(2), "and is told again after a minute");
        assert_eq!(told(&mut wishes, "no_edge", 61), None);
        assert_eq!(told(&mut wishes, "closing", 61), Some(1));
        assert_eq!(told_of(&mut wishes, "no_edge", "btc-updown-5m-300", 62), Some(0), "another market");
        assert_eq!(told(&mut wishes, "no_edge", 63), None, "and back");
        assert_eq!(wishes.skips(), 8);
    }

    #[test]
    fn reasons_that_alternate_are_no_flood() {
        let mut wishes = Wishes::default();
        let news = (0..240).filter(|second| {
            let reason = if second % 2 == 0 { "no_edge" } else { "closing" };
            told(&mut wishes, reason, *second).is_some()
        });
        assert_eq!(news.count(), 8, "each once a minute, for four minutes");
    }

    #[test]
    fn what_is_hushed_is_counted_and_news_afterwards() {
        let mut wishes = Wishes::default();
        wishes.skip("no_edge", None, Timestamp::from_secs(0), skipped);
        wishes.skip("no_edge", None, Timestamp::from_secs(1), skipped);
        wishes.hush();
        assert!(wishes.is_empty() && wishes.take_news().is_empty());
        assert_eq!(told(&mut wishes, "no_edge", 2), Some(2));
    }

    #[test]
    fn what_is_held_back_while_reducing_is_counted() {
        let mut wishes = Wishes::default();
        let mut held = |known: bool, purchases: usize| {
            (0..purchases).for_each(|_| {
                let mut wish = crate::pipeline::athena::intent::tests::wish();
                wish.signal.side = Side::Buy;
                wishes.push(wish);
            });
            let tells = wishes.hold_buys(known);
            (
                tells,
                std::iter::from_fn(|| wishes.next()).count(),
                told(&mut wishes, if known { "closing" } else { "no_edge" }, 0),
            )
        };
        assert_eq!(held(false, 3), (true, 1, Some(2)), "one is left to be denied");
        assert_eq!(held(true, 2), (false, 0, Some(2)));
    }
}
