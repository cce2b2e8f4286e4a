//! What a strategy answers with: wishes, and crossings that it skips. Of skips only news is told.

use std::collections::VecDeque;
use std::time::Duration;

use super::strategy::{Cause, Wish};
use crate::domain::{Figure, Side, Slug, Timestamp};

/// The same reason is told again after this long at the earliest, so that two reasons that alternate are no flood.
const TELL_AGAIN_AFTER: Duration = Duration::from_mins(1);
/// Reasons remembered; a strategy has fewer.
const REASONS: usize = 32;

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
    last: Option<&'static str>,
    told: Vec<(&'static str, Timestamp)>,
    untold: u64,
    skips: u64,
}

impl Wishes {
    /// The strategy wants this.
    pub fn push(&mut self, wish: Wish) {
        self.last = None;
        self.made.push_back(wish);
    }

    /// The strategy's price moved as it waits for, and it does not wish. `tell` is called only for news: a reason other than the last
    /// one, and not told within the last minute.
    pub fn skip(&mut self, reason: &'static str, now: Timestamp, tell: impl FnOnce() -> Skipped) {
        self.skips += 1;
        let told_at = self.told.iter().find(|(known, _)| *known == reason).map(|(_, at)| *at);
        let lately = told_at.is_some_and(|at| now.since(at) < TELL_AGAIN_AFTER);
        if self.last == Some(reason) || lately {
            self.untold += 1;
            return;
        }
        self.last = Some(reason);
        self.told.retain(|(known, _)| *known != reason);
        if self.told.len() == REASONS {
            self.told.remove(0);
        }
        self.told.push((reason, now));
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
        self.made.clear();
        self.untold += self.news.iter().map(|news| news.untold + 1).sum::<u64>();
        self.news.clear();
        self.told.clear();
        self.last = None;
    }

    /// While only sales are let through: leaves one purchase to be denied, unless one was already, and no other. Whether one is left.
    pub(super) fn hold_buys(&mut self, known: bool) -> bool {
        let mut left = known;
        self.made.retain(|wish| wish.signal.side == Side::Sell || !std::mem::replace(&mut left, true));
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
        wishes.skip(reason, Timestamp::from_secs(second), skipped);
        wishes.take_news().pop().map(|news| news.untold)
    }

    #[test]
    fn only_another_reason_is_news_and_the_rest_is_counted() {
        let mut wishes = Wishes::default();
        assert_eq!(told(&mut wishes, "no_edge", 0), Some(0));
        assert_eq!(told(&mut wishes, "no_edge", 1), None);
        assert_eq!(told(&mut wishes, "no_edge", 100), None, "the same reason goes on");
        assert_eq!(told(&mut wishes, "closing", 101), Some(2));
        assert_eq!(wishes.skips(), 4);
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
        wishes.skip("no_edge", Timestamp::from_secs(0), skipped);
        wishes.skip("no_edge", Timestamp::from_secs(1), skipped);
        wishes.hush();
        assert!(wishes.is_empty() && wishes.take_news().is_empty());
        assert_eq!(told(&mut wishes, "no_edge", 2), Some(2));
    }
}
