//! Equity over time: where the day began and how high it was, the highest of a rolling window, and which loss is beyond its limit. Pure.
//!
//! Invariant: one phantom price moves nothing, since a total is told as each of the last looks at prices saw it: a figure counts as high
//! when all of them were at least as high and every price was heard anew, and a loss counts when all of them are beyond its limit. While equity is not known no
//! reference moves, and a loss counts on only as far as it is certain.

use std::collections::VecDeque;
use std::time::Duration;

use crate::domain::{Control, Denial, Timestamp, Usd};

use super::{Equity, Limits};

/// The rolling window is kept as the highest of each span of this length.
const SPAN: Duration = Duration::from_mins(5);
/// The longest window there is: as much is kept, so that a window that was narrowed can be widened again.
const LONGEST: Duration = Duration::from_hours(168);

/// A UTC day: its beginning and its peak, as total `PnL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// Days since the epoch, UTC.
    pub day: i64,
    /// When it began.
    pub start: Usd,
    /// The highest since.
    pub peak: Usd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: Timestamp,
    high: Usd,
    kept: bool,
}

/// Total profit, as the last looks at prices saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    /// As peaks and the day's start are measured by it; absent while something that is held cannot be valued.
    pub known: Option<Known>,
    /// What losses are measured by, the most that any look saw: what cannot be valued counts at the most it may pay, what is offered and
    /// nobody bids for as nothing.
    pub for_losses: Usd,
}

/// A total that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The least that any of the looks saw.
    pub least: Usd,
    /// The middle one of them, the lower of two.
    pub middle: Usd,
    /// When the oldest price was heard of what trades; absent when nothing does.
    pub heard: Option<Timestamp>,
}

/// What losses are measured by.
#[derive(Clone, Debug, Default)]
pub struct Track {
    day: Option<Day>,
    day_kept: bool,
    /// The day began with this run, and so many measurements settle its beginning yet.
    settling: usize,
    /// What was known last.
    last: Option<Known>,
    spans: VecDeque<Span>,
    /// The highest of the window has risen since the spans were last taken.
    risen: bool,
    /// The drawdown and the rolling loss: it was told, and has not been within its limit since.
    told: [bool; 2],
}

impl Track {
    /// As it was kept: the day, and the highest of each span by its start, oldest first. A day that begins meanwhile begins with the
    /// newest of them.
    #[must_use]
    pub fn restore(day: Option<Day>, highs: impl IntoIterator<Item = (Timestamp, Usd)>) -> Self {
        let spans: VecDeque<Span> = highs.into_iter().map(|(start, high)| Span { start, high, kept: true }).collect();
        let last = spans.back().map(|span| Known { least: span.high, middle: span.high, heard: None });
        Self { day, day_kept: true, last, spans, ..Self::default() }
    }

    /// Takes a measurement; to be told once a second. Gives the losses that are beyond their limits from now on, each once.
    pub fn observe(&mut self, now: Timestamp, total: Total, limits: &Limits) -> Vec<Denial> {
        let before = self.last.and_then(|last| last.heard);
        // While a token is silent the others' rise may be its fall.
        if let Some(known) = total.known.filter(|known| known.heard.is_none() || known.heard > before) {
            self.measure(now, known, limits);
        }
        let losses = self.losses(now, total.for_losses, total.known.is_some(), limits);
        let mut breaches = Vec::new();
        for (told, loss) in self.told.iter_mut().zip(losses) {
            match loss {
                Some(loss) if !*told => {
                    *told = true;
                    breaches.push(loss);
                }
                // What is not known ends no loss.
                None if total.known.is_some() => *told = false,
                _ => {}
            }
        }
        breaches
    }

    fn measure(&mut self, now: Timestamp, known: Known, limits: &Limits) {
        self.turn(now, known, limits.looks());
        self.last = Some(known);
        self.raise(known);
        self.roll(now, known.least, limits.rolling_window());
    }

    /// At midnight the day begins anew, with what was measured last before it.
    fn turn(&mut self, now: Timestamp, known: Known, looks: usize) {
        if self.day.is_some_and(|day| day.day >= now.utc_day()) {
            return;
        }
        self.settling = if self.last.is_none() { looks } else { 0 };
        self.day = Some(self.begun(now, known.middle));
        self.day_kept = false;
    }

    /// The day of `now`, if it begins with the next measurement.
    fn begun(&self, now: Timestamp, total: Usd) -> Day {
        let start = self.last.map_or(total, |last| last.middle);
        Day { day: now.utc_day(), start, peak: start }
    }

    fn raise(&mut self, known: Known) {
        let Some(day) = &mut self.day else { return };
        let before = *day;
        if self.settling > 0 {
            // The first look of all may have seen the phantom.
            self.settling -= 1;
            (day.start, day.peak) = (known.middle, known.middle);
        }
        day.peak = day.peak.max(known.least);
        self.day_kept &= *day == before;
    }

    fn roll(&mut self, now: Timestamp, high: Usd, window: Duration) {
        let length = i64::try_from(SPAN.as_secs()).unwrap_or(i64::MAX);
        let start = Timestamp::from_secs(now.secs() - now.secs().rem_euclid(length));
        self.risen |= self.rolling_high(now, window).is_none_or(|before| high > before);
        match self.spans.back_mut() {
            Some(span) if span.start >= start => {
                span.kept &= high <= span.high;
                span.high = span.high.max(high);
            }
            _ => self.spans.push_back(Span { start, high, kept: false }),
        }
        while self.spans.front().is_some_and(|span| !span.is_within(LONGEST, now)) {
            self.spans.pop_front();
        }
    }

    /// The drawdown and the rolling loss, where they are beyond their limits.
    fn losses(&self, now: Timestamp, total: Usd, known: bool, limits: &Limits) -> [Option<Denial>; 2] {
        let Some(equity) = self.equity(now, total, limits) else { return [None, None] };
        let hours = limits.rolling_window().as_secs() / 3600;
        let at_least = if known { "" } else { "at least " };
        let beyond = |control, loss: Usd, limit: Usd, below: String| {
            let value = format!("{at_least}{} pUSD", loss.0.normalize());
            (loss > limit).then(|| Denial {
                control,
                value,
                limit: format!("{} pUSD below {below}", limit.0.normalize()),
            })
        };
        let (drawdown, rolling) = (equity.drawdown(), equity.rolling_loss());
        [
            beyond(Control::DailyDrawdown, drawdown, limits.daily_drawdown, "the day's peak".into()),
            beyond(Control::RollingLoss, rolling, limits.rolling_loss, format!("the highest of {hours} h")),
        ]
    }

    /// The losses that are beyond their limits with what the total is now. While that is not known, it is at most this, and what was
    /// known last has not got better.
    pub fn beyond(
        &self,
        now: Timestamp,
        known: Option<Usd>,
        at_most: Usd,
        limits: &Limits,
    ) -> impl Iterator<Item = Denial> {
        let last = self.last.map_or(at_most, |last| at_most.min(last.least));
        self.losses(now, known.unwrap_or(last), known.is_some(), limits).into_iter().flatten()
    }

    /// A person has armed: what is beyond its limit is told again.
    pub const fn rearm(&mut self) {
        self.told = [false; 2];
    }

    /// A total against its references; nothing before the first measurement.
    #[must_use]
    pub fn equity(&self, now: Timestamp, total: Usd, limits: &Limits) -> Option<Equity> {
        let day = self.day?;
        let day = if day.day < now.utc_day() { self.begun(now, total) } else { day };
        let high = self.rolling_high(now, limits.rolling_window()).unwrap_or(total);
        Some(Equity { current: total, peak: day.peak, day_start: day.start, rolling_high: high })
    }

    /// The day as it stands.
    #[must_use]
    pub const fn day(&self) -> Option<Day> {
        self.day
    }

    /// The highest of the window before `now`, a span that has only partly left it included.
    #[must_use]
    pub fn rolling_high(&self, now: Timestamp, window: Duration) -> Option<Usd> {
        self.spans.iter().filter(|span| span.is_within(window, now)).map(|span| span.high).max()
    }

    /// The day, if it changed since it was last taken.
    pub fn take_day(&mut self) -> Option<Day> {
        let changed = !std::mem::replace(&mut self.day_kept, true);
        self.day.filter(|_| changed)
    }

    /// Whether the highest of the window has risen since the spans were last taken.
    #[must_use]
    pub const fn has_risen(&self) -> bool {
        self.risen
    }

    /// The spans that changed since they were last taken.
    pub fn take_highs(&mut self) -> Vec<(Timestamp, Usd)> {
        self.risen = false;
        let changed = self.spans.iter_mut().filter(|span| !span.kept);
        changed
            .map(|span| {
                span.kept = true;
                (span.start, span.high)
            })
            .collect()
    }
}

impl Span {
    fn is_within(&self, window: Duration, now: Timestamp) -> bool {
        self.start.plus(SPAN) > now.minus(window)
    }
}

#[cfg(test)]
mod tests;
