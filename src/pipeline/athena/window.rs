//! A rolling window of trade prices, by the time the venue gives them.
//!
//! Its oldest and its newest samples lie open; those between them are encoded in chunks of [`CHUNK`], about a quarter of their size. A
//! chunk never changes once it is closed, so that what is kept over restarts is written once.

mod chunk;
mod kept;

use std::collections::VecDeque;
use std::time::Duration;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use self::chunk::Chunk;
pub use self::chunk::ChunkError;
pub use self::kept::{ChunkDoc, Keep, KeptWindow, RestoreError};
use crate::domain::{Price, Size, Timestamp};

/// Most prices that a window holds: the longest, an hour, at 36 a second. Beyond that the oldest goes, so a burst shortens the window
/// instead of growing it; a window that has become too short to judge by is no longer warm, and says so.
const CAPACITY: usize = 131_072;
/// Samples in a closed chunk.
const CHUNK: usize = 256;
/// Most gaps remembered; beyond that the two oldest become one, which covers what lies between them too.
const GAPS: usize = 16;

/// One price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When the venue says it was traded.
    pub at: Timestamp,
    /// The venue's number of the trade.
    pub id: u64,
    /// The price.
    pub price: Price,
    /// How much was traded.
    pub qty: Size,
}

/// Where news come from that can go missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// `data.crypto`.
    Crypto,
    /// `data.weather`.
    Weather,
}

/// A time of which messages are missing: prices may have moved in it unseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The last that was heard before it.
    pub from: Timestamp,
    /// The first that was heard after it.
    pub to: Timestamp,
}

/// What became of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// It is the newest in the window.
    Taken,
    /// It had been seen, or is older than the newest: ignored, so that the window never goes back in time.
    Ignored,
}

/// Which way the price went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Up by at least the threshold.
    Up,
    /// Down by at least the threshold.
    Down,
}

/// A sample as the window holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    sample: Sample,
    /// The relative change from the sample before it, in units of 1e-9: a whole number, so that what is added is later taken away exactly.
    /// The first one's refers to nothing and is 0.
    change: i64,
}

/// The samples of the last `span`, oldest first. A push is O(1) amortised.
#[derive(Clone, Debug)]
pub struct Window {
    span: Duration,
    min_ticks: usize,
    /// What is left of the oldest chunk, once that is being used up.
    front: VecDeque<Held>,
    /// The number of that chunk, and how many of its samples are gone.
    front_of: (u64, usize),
    /// Chunks between oldest and newest, their numbers consecutive.
    closed: VecDeque<Chunk>,
    /// The newest samples; never empty unless the window is.
    back: VecDeque<Held>,
    /// The number of the chunk that the newest will be.
    next: u64,
    len: usize,
    /// Chunks that have not been handed out to be kept.
    fresh: Vec<Chunk>,
    /// Sum of the squared changes.
    squares: i128,
    volume: Size,
    newest: Option<(Timestamp, u64)>,
    floor: Timestamp,
    gaps: VecDeque<Gap>,
}

impl Window {
    /// An empty window of this length, judged by once it holds `min_ticks` and has seen half of its length.
    #[must_use]
    pub fn new(span: Duration, min_ticks: usize) -> Self {
        Self {
            span,
            min_ticks: min_ticks.max(2),
            front: VecDeque::new(),
            front_of: (0, 0),
            closed: VecDeque::new(),
            back: VecDeque::new(),
            next: 0,
            len: 0,
            fresh: Vec::new(),
            squares: 0,
            volume: Size::ZERO,
            newest: None,
            floor: Timestamp::from_micros(i64::MIN),
            gaps: VecDeque::new(),
        }
    }

    /// Takes a sample unless it is a repeat or late. Order is by time, then by the venue's number.
    pub fn push(&mut self, sample: Sample) -> Push {
        let place = (sample.at, sample.id);
        if self.newest.is_some_and(|newest| place <= newest) {
            return Push::Ignored;
        }
        self.newest = Some(place);
        if self.len == CAPACITY {
            self.pop();
        }
        if self.back.len() >= CHUNK {
            self.close();
        }
        let change = self.last().map_or(0, |before| change(before.price, sample.price));
        self.append(Held { sample, change });
        self.evict(sample.at.minus(self.span).max(self.floor));
        Push::Taken
    }

    fn append(&mut self, held: Held) {
        self.back.push_back(held);
        self.len += 1;
        self.squares += square(held.change);
        self.volume += held.sample.qty;
    }

    /// The newest samples become a chunk, but for the last one: that stays at hand.
    fn close(&mut self) {
        let Some(last) = self.back.pop_back() else { return };
        let chunk = Chunk::encode(self.next, self.back.make_contiguous());
        self.next += 1;
        self.back.clear();
        self.back.push_back(last);
        self.closed.push_back(chunk.clone());
        self.fresh.push(chunk);
        self.open_front();
    }

    /// Has the oldest samples lie open.
    fn open_front(&mut self) {
        if !self.front.is_empty() {
            return;
        }
        let Some(chunk) = self.closed.pop_front() else { return };
        self.front_of = (chunk.number(), 0);
        // Every chunk was either encoded here or read through once when it was restored.
        self.front = chunk.decode().map(VecDeque::from).unwrap_or_default();
    }

    /// Changes length and least number of samples. What is older than the new length goes; a longer window fills up from what it holds.
    pub fn resize(&mut self, span: Duration, min_ticks: usize) {
        self.span = span;
        self.min_ticks = min_ticks.max(2);
        if let Some(newest) = self.last() {
            self.evict(newest.at.minus(span).max(self.floor));
        }
    }

    /// Forgets what is older than `floor`, now and from now on: a market's window begins with the market.
    pub fn keep_from(&mut self, floor: Timestamp) {
        if floor != self.floor {
            self.floor = floor;
            self.evict(floor);
        }
    }

    fn evict(&mut self, before: Timestamp) {
        while self.first().is_some_and(|oldest| oldest.at < before) {
            self.pop();
        }
        while let (Some(gap), Some(oldest)) = (self.gaps.front(), self.first())
            && gap.to <= oldest.at
        {
            self.gaps.pop_front();
        }
    }

    /// Drops the oldest; the one after it becomes the first, whose own change then has nothing to refer to.
    fn pop(&mut self) {
        let oldest = self.front.pop_front();
        let Some(oldest) = oldest.inspect(|_| self.front_of.1 += 1).or_else(|| self.back.pop_front()) else { return };
        self.len -= 1;
        self.volume -= oldest.sample.qty;
        self.squares -= square(oldest.change);
        self.open_front();
        if let Some(first) = self.front.front_mut().or_else(|| self.back.front_mut()) {
            self.squares -= square(std::mem::take(&mut first.change));
        }
    }

    /// Messages are missing: what happened between these two times was not seen.
    pub fn note_gap(&mut self, gap: Gap) {
        if self.gaps.len() == GAPS
            && let Some(oldest) = self.gaps.pop_front()
            && let Some(next) = self.gaps.front_mut()
        {
            next.from = next.from.min(oldest.from);
        }
        self.gaps.push_back(gap);
    }

    /// The times of which messages are missing, oldest first: those that reach into the window, and any after its newest sample.
    pub fn gaps(&self) -> impl Iterator<Item = Gap> {
        self.gaps.iter().copied()
    }

    /// How much of the time between its oldest and its newest sample was not seen.
    #[must_use]
    pub fn unseen(&self) -> Duration {
        let (Some(first), Some(last)) = (self.first(), self.last()) else { return Duration::ZERO };
        let mut seen_from = first.at;
        let mut unseen = Duration::ZERO;
        for gap in &self.gaps {
            let (from, to) = (gap.from.max(seen_from), gap.to.min(last.at));
            unseen += to.since(from);
            seen_from = seen_from.max(to);
        }
        unseen
    }

    /// How many samples it holds.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Oldest sample.
    #[must_use]
    pub fn first(&self) -> Option<Sample> {
        self.front.front().or_else(|| self.back.front()).map(|held| held.sample)
    }

    /// Newest sample.
    #[must_use]
    pub fn last(&self) -> Option<Sample> {
        self.back.back().map(|held| held.sample)
    }

    /// How much of its length was seen. What is missing was not.
    #[must_use]
    pub fn seen(&self) -> Duration {
        let (Some(first), Some(last)) = (self.first(), self.last()) else { return Duration::ZERO };
        last.at.since(first.at).saturating_sub(self.unseen())
    }

    /// Whether it can hold no more samples, so that each new one shortens it.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.len == CAPACITY
    }

    /// Whether it holds enough samples and has seen half of its length: then it can be judged by.
    #[must_use]
    pub fn is_warm(&self) -> bool {
        self.len >= self.min_ticks && self.seen() * 2 >= self.span
    }

    /// How much was traded in it.
    #[must_use]
    pub const fn volume(&self) -> Size {
        self.volume
    }

    /// Realised volatility: the root of the mean squared relative change a second. Nothing while the window is not warm or when
    /// nothing moved.
    #[must_use]
    pub fn volatility(&self) -> Option<f64> {
        if !self.is_warm() || self.squares <= 0 {
            return None;
        }
        let covered = self.last()?.at.since(self.first()?.at).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a volatility needs few digits")]
        let squares = self.squares as f64 * 1e-18;
        (covered > 0.0).then(|| (squares / covered).sqrt())
    }

    /// Relative change, `last / first - 1`; nothing while it is not warm or when the first price is zero.
    #[must_use]
    pub fn change(&self) -> Option<Decimal> {
        let (first, last) = self.ends()?;
        last.checked_div(first).map(|ratio| ratio - Decimal::ONE)
    }

    /// Whether a warm window's change reaches the threshold, itself included. Compared without a division, so nothing is rounded.
    #[must_use]
    pub fn crossing(&self, threshold: Decimal) -> Option<Direction> {
        let (first, last) = self.ends()?;
        let (moved, needed) = (last.checked_sub(first)?, first.checked_mul(threshold)?);
        if moved >= needed {
            Some(Direction::Up)
        } else if moved <= -needed {
            Some(Direction::Down)
        } else {
            None
        }
    }

    fn ends(&self) -> Option<(Decimal, Decimal)> {
        let (first, last) = (self.first()?.price.decimal(), self.last()?.price.decimal());
        (self.is_warm() && first > Decimal::ZERO).then_some((first, last))
    }

    /// Its samples, oldest first.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        let between = self.closed.iter().flat_map(|chunk| chunk.decode().unwrap_or_default());
        let open = |held: &VecDeque<Held>| held.iter().copied().collect::<Vec<_>>();
        let all = open(&self.front).into_iter().chain(between).chain(open(&self.back));
        all.map(|held| held.sample).collect()
    }
}

/// `after / before - 1` in units of 1e-9; a change beyond a thousandfold counts as that.
fn change(before: Price, after: Price) -> i64 {
    let change = after.decimal().checked_div(before.decimal()).map_or(Decimal::ZERO, |ratio| ratio - Decimal::ONE);
    let nano = (change * Decimal::from(1_000_000_000)).round().to_i64().unwrap_or_default();
    nano.clamp(-1_000_000_000_000, 1_000_000_000_000)
}

fn square(change: i64) -> i128 {
    i128::from(change) * i128::from(change)
}

#[cfg(test)]
mod tests;
