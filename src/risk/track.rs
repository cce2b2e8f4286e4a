//! Equity over time: where the day began and how high it was, the highest of a rolling window, and which loss has been beyond its
//! limit for long enough. Pure.
//!
//! Invariant: one phantom price moves nothing. A figure counts as high once that many measurements in a row have been at least as
//! high, and a loss counts once as many in a row are beyond its limit. While equity is not known no reference moves, and a loss counts
//! on only as far as it is certain. A measurement by the prices of the one before is none: it neither counts nor ends anything.

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

/// Total profit, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    /// What it is, as peaks are measured by it; absent while something that is held cannot be valued.
    pub known: Option<Usd>,
    /// What losses are measured by: what cannot be valued counts at the most it may pay, what is offered and nobody bids for as nothing.
    pub for_losses: Usd,
    /// When the oldest price that it rests on was heard last; absent when it rests on none.
    pub heard: Option<Timestamp>,
}

/// A loss against its limit.
#[derive(Clone, Copy, Debug, Default)]
struct Beyond {
    /// How many measurements in a row it has been beyond.
    count: usize,
    /// It was told, and has not been within its limit since.
    told: bool,
}

/// What losses are measured by.
#[derive(Clone, Debug, Default)]
pub struct Track {
    day: Option<Day>,
    day_kept: bool,
    /// The day began with this run, and its beginning is not confirmed yet.
    settling: bool,
    /// The latest measurements, the newest last, as many as must agree.
    latest: VecDeque<Usd>,
    /// What losses were measured by in the latest measurements, the newest last, as many as must agree.
    at_most: VecDeque<Usd>,
    spans: VecDeque<Span>,
    /// The highest of the window has risen since the spans were last taken.
    risen: bool,
    /// The drawdown and the rolling loss.
    beyond: [Beyond; 2],
    /// When the oldest price of the last measurement that counted was heard.
    heard: Option<Timestamp>,
}

impl Track {
    /// As it was kept: the day, and the highest of each span by its start, oldest first.
    #[must_use]
    pub fn restore(day: Option<Day>, highs: impl IntoIterator<Item = (Timestamp, Usd)>) -> Self {
        let spans = highs.into_iter().map(|(start, high)| Span { start, high, kept: true });
        Self { day, day_kept: true, spans: spans.collect(), ..Self::default() }
    }

    /// Takes a measurement; to be told once a second. Gives the losses that are beyond their limits for long enough from now on, each
    /// once. One that rests on a price which was not heard anew since the last one that counted is not taken.
    pub fn observe(&mut self, now: Timestamp, total: Total, limits: &Limits) -> Vec<Denial> {
        if total.heard.is_some() && total.heard <= self.heard {
            return Vec::new();
        }
        self.heard = total.heard.or(self.heard);
        let needed = limits.looks();
        self.at_most.push_back(total.for_losses);
        while self.at_most.len() > needed {
            self.at_most.pop_front();
        }
        if let Some(known) = total.known {
            self.measure(now, known, limits, needed);
        }
        let losses = self.losses(now, total, limits);
        let mut breaches = Vec::new();
        for (beyond, loss) in self.beyond.iter_mut().zip(losses) {
            let Some(loss) = loss else {
                // What is not known ends no loss.
                if total.known.is_some() {
                    *beyond = Beyond::default();
                }
                continue;
            };
            beyond.count = beyond.count.saturating_add(1);
            // As many as are asked for now: their number may have been lowered meanwhile.
            if beyond.count >= needed && !beyond.told {
                beyond.told = true;
                breaches.push(loss);
            }
        }
        breaches
    }

    fn measure(&mut self, now: Timestamp, total: Usd, limits: &Limits, needed: usize) {
        self.turn(now, total);
        self.latest.push_back(total);
        while self.latest.len() > needed {
            self.latest.pop_front();
        }
        let confirmed = self.latest.iter().min().copied().filter(|_| self.latest.len() == needed);
        self.raise(confirmed, needed);
        self.roll(now, confirmed, limits.rolling_window());
    }

    /// At midnight the day begins anew, with what was measured last before it.
    fn turn(&mut self, now: Timestamp, total: Usd) {
        if self.day.is_some_and(|day| day.day >= now.utc_day()) {
            return;
        }
        self.settling = self.latest.is_empty();
        self.day = Some(self.begun(now, total));
        self.day_kept = false;
    }

    /// The day of `now`, if it begins with the next measurement.
    fn begun(&self, now: Timestamp, total: Usd) -> Day {
        let start = middle(&self.latest).unwrap_or(total);
        Day { day: now.utc_day(), start, peak: start }
    }

    fn raise(&mut self, confirmed: Option<Usd>, needed: usize) {
        let Some(day) = &mut self.day else { return };
        let before = *day;
        if self.settling {
            // The very first measurement may be the phantom.
            let start = middle(&self.latest).unwrap_or(day.start);
            (day.start, day.peak) = (start, start);
            self.settling = self.latest.len() < needed;
        }
        day.peak = day.peak.max(confirmed.unwrap_or(day.peak));
        self.day_kept &= *day == before;
    }

    fn roll(&mut self, now: Timestamp, confirmed: Option<Usd>, window: Duration) {
        let Some(high) = confirmed else { return };
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
    fn losses(&self, now: Timestamp, total: Total, limits: &Limits) -> [Option<Denial>; 2] {
        let Some(equity) = self.equity(now, total.for_losses, limits) else { return [None, None] };
        let hours = limits.rolling_window().as_secs() / 3600;
        let at_least = if total.known.is_some() { "" } else { "at least " };
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

    /// The losses that are beyond their limits with this total. While it is not known, what was known last has not got better.
    pub fn beyond(&self, now: Timestamp, total: Total, limits: &Limits) -> impl Iterator<Item = Denial> {
        let last = self.latest.back().filter(|_| total.known.is_none());
        let for_losses = last.map_or(total.for_losses, |last| total.for_losses.min(*last));
        self.losses(now, Total { for_losses, ..total }, limits).into_iter().flatten()
    }

    /// A person has armed: what was beyond its limit must be seen anew.
    pub const fn rearm(&mut self) {
        self.beyond = [Beyond { count: 0, told: false }; 2];
    }

    /// A total against its references; nothing before the first measurement.
    #[must_use]
    pub fn equity(&self, now: Timestamp, total: Usd, limits: &Limits) -> Option<Equity> {
        let day = self.day?;
        let day = if day.day < now.utc_day() { self.begun(now, total) } else { day };
        let high = self.rolling_high(now, limits.rolling_window()).unwrap_or(total);
        Some(Equity { current: total, peak: day.peak, day_start: day.start, rolling_high: high })
    }

    /// Equity as the mildest of the latest measurements has it by which losses are measured: none of them alone is acted upon. Nothing
    /// before as many were taken as must agree.
    #[must_use]
    pub fn confirmed(&self, now: Timestamp, limits: &Limits) -> Option<Equity> {
        let agreed = self.at_most.iter().max().copied().filter(|_| self.at_most.len() >= limits.looks())?;
        self.equity(now, agreed, limits)
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

/// The middle one by size, the lower of two.
fn middle(of: &VecDeque<Usd>) -> Option<Usd> {
    let mut sorted: Vec<Usd> = of.iter().copied().collect();
    sorted.sort_unstable();
    sorted.get(sorted.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests;
