//! Plays a recording for ever. Levels are joined: each pass goes on from the price at which the last one ended.
//!
//! Every second pass is played upside down (each price replaced by its reciprocal, bid and ask swapped). Otherwise the
//! drift of a few minutes would compound without end, and "Up" would win most windows.

use super::{EventKind, Quote, Recording, Trade};

/// How a pass maps recorded prices onto the running level. Both numbers are sums of bid and ask.
#[derive(Clone, Copy, Debug)]
struct Join {
    recorded: i64,
    level: i64,
    mirrored: bool,
}

impl Join {
    fn price(self, recorded: i64) -> i64 {
        let (recorded, first, level) = (i128::from(recorded), i128::from(self.recorded), i128::from(self.level));
        // Mirrored: level/2 * (first/2) / recorded; straight: recorded * level / first. Rounded to the nearest unit.
        let (numerator, denominator) =
            if self.mirrored { (level * first, 4 * recorded) } else { (recorded * level, first) };
        let rounded = (numerator + denominator / 2) / denominator.max(1);
        i64::try_from(rounded).unwrap_or(i64::MAX).max(1)
    }

    fn quote(self, quote: Quote) -> Quote {
        let (bid, bid_qty, ask, ask_qty) = if self.mirrored {
            (quote.ask, quote.ask_qty, quote.bid, quote.bid_qty)
        } else {
            (quote.bid, quote.bid_qty, quote.ask, quote.ask_qty)
        };
        let bid = self.price(bid);
        Quote { bid, bid_qty, ask: self.price(ask).max(bid.saturating_add(1)), ask_qty }
    }

    fn trade(self, trade: Trade) -> Trade {
        let side = if self.mirrored { trade.side.opposite() } else { trade.side };
        Trade { price: self.price(trade.price), qty: trade.qty, side }
    }
}

/// The player. Pure: what it gives depends on the tape time alone.
#[derive(Debug)]
pub(crate) struct Playback {
    recording: Recording,
    /// First quote of each pair; nothing for a pair that never quotes.
    first: Vec<Option<Quote>>,
    joins: Vec<Join>,
    levels: Vec<Option<Quote>>,
    next: usize,
    /// Tape time at which this pass began; the first began before zero when the recording starts late.
    pass_began_ms: i128,
    passes: u64,
}

impl Playback {
    pub(crate) fn new(recording: Recording) -> Self {
        let mut first = vec![None; recording.pairs.len()];
        for event in &recording.events {
            if let (EventKind::Quote(quote), slot @ None) = (event.kind, &mut first[event.pair]) {
                *slot = Some(quote);
            }
        }
        let joins = first
            .iter()
            .map(|quote| {
                let sum = quote.map_or(2, |quote| quote.bid.saturating_add(quote.ask));
                Join { recorded: sum, level: sum, mirrored: false }
            })
            .collect();
        let pass_began_ms = -i128::from(recording.start_ms);
        Self { levels: vec![None; first.len()], first, joins, recording, next: 0, pass_began_ms, passes: 0 }
    }

    pub(crate) const fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Best bid and ask of a pair as last played.
    pub(crate) fn level(&self, pair: usize) -> Option<Quote> {
        self.levels.get(pair).copied().flatten()
    }

    /// Everything up to and including this tape time that has not been played yet, oldest first.
    pub(crate) fn play_to(&mut self, tape_ms: u64, mut emit: impl FnMut(usize, EventKind)) {
        if self.recording.events.is_empty() {
            return;
        }
        loop {
            let Some(event) = self.recording.events.get(self.next).copied() else {
                if self.pass_began_ms + i128::from(self.recording.length_ms) > i128::from(tape_ms) {
                    return;
                }
                self.begin_pass();
                continue;
            };
            if self.pass_began_ms + i128::from(event.at_ms) > i128::from(tape_ms) {
                return;
            }
            self.next += 1;
            let join = self.joins[event.pair];
            let kind = match event.kind {
                EventKind::Quote(quote) => {
                    let quote = join.quote(quote);
                    self.levels[event.pair] = Some(quote);
                    EventKind::Quote(quote)
                }
                EventKind::Trade(trade) => EventKind::Trade(join.trade(trade)),
            };
            emit(event.pair, kind);
        }
    }

    fn begin_pass(&mut self) {
        self.pass_began_ms += i128::from(self.recording.length_ms);
        self.passes += 1;
        self.next = 0;
        let mirrored = self.passes % 2 == 1;
        for (pair, join) in self.joins.iter_mut().enumerate() {
            let (Some(first), Some(level)) = (self.first[pair], self.levels[pair]) else { continue };
            *join = Join {
                recorded: first.bid.saturating_add(first.ask),
                level: level.bid.saturating_add(level.ask),
                mirrored,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Side, Symbol};
    use crate::sim::tape::{Event, Pair};

    fn recording(prices: &[i64]) -> Recording {
        let events = prices
            .iter()
            .zip(0_u64..)
            .map(|(&bid, second)| Event {
                at_ms: second * 1_000,
                pair: 0,
                kind: EventKind::Quote(Quote { bid, bid_qty: 1, ask: bid + 1, ask_qty: 2 }),
            })
            .collect();
        let pairs = vec![Pair { symbol: Symbol::new("BTC/USD"), price_decimals: 2, qty_decimals: 5 }];
        Recording { pairs, events, start_ms: 0, length_ms: prices.len() as u64 * 1_000 }
    }

    fn bids(playback: &mut Playback, to_ms: u64) -> Vec<i64> {
        let mut bids = Vec::new();
        playback.play_to(to_ms, |_, kind| {
            if let EventKind::Quote(quote) = kind {
                assert!(quote.bid < quote.ask);
                bids.push(quote.bid);
            }
        });
        bids
    }

    #[test]
    fn the_first_pass_is_as_recorded_and_the_next_goes_on_from_its_end() {
        let mut playback = Playback::new(recording(&[100_000, 100_100, 100_400]));
        assert_eq!(bids(&mut playback, 2_999), [100_000, 100_100, 100_400]);
        let second = bids(&mut playback, 5_999);
        assert_eq!(second.len(), 3);
        assert!((second[0] - 100_400).abs() <= 1, "{second:?}");
        assert!(second[2] < second[0], "the second pass is upside down: {second:?}");
        assert!((second[2] - 100_000).abs() <= 2, "{second:?}");
    }

    #[test]
    fn a_hundred_passes_join_and_do_not_drift() {
        let mut playback = Playback::new(recording(&[8_723_200, 8_724_000, 8_721_000, 8_725_700]));
        let mut last: Option<i64> = None;
        for pass in 1..=100_u64 {
            let bids = bids(&mut playback, pass * 4_000 - 1);
            if let Some(last) = last {
                assert!(
                    (bids[0] - last).abs() <= 2,
                    "pass {pass} begins at {}, the one before ended at {last}",
                    bids[0]
                );
            }
            last = bids.last().copied();
        }
        let level = playback.level(0).expect("a level").bid;
        assert!((level - 8_723_200).abs() < 500, "{level}");
    }

    #[test]
    fn a_late_start_gives_what_lies_before_it_at_once() {
        let mut late = recording(&[100, 200, 300, 400]);
        late.start_ms = 2_500;
        let mut playback = Playback::new(late);
        assert_eq!(bids(&mut playback, 0), [100, 200, 300]);
        assert_eq!(bids(&mut playback, 499), Vec::<i64>::new());
        assert_eq!(bids(&mut playback, 500), [400]);
    }

    #[test]
    fn upside_down_a_buyer_becomes_a_seller() {
        let join = Join { recorded: 200, level: 200, mirrored: true };
        let trade = join.trade(Trade { price: 50, qty: 7, side: Side::Buy });
        assert_eq!(trade, Trade { price: 200, qty: 7, side: Side::Sell });
    }

    #[test]
    fn the_embedded_recording_joins_within_a_few_units() {
        let mut playback = Playback::new(Recording::embedded().expect("reads"));
        let length = playback.recording().length_ms;
        let start = playback.recording().start_ms;
        playback.play_to(length - start - 1, |_, _| {});
        let before: Vec<i64> = (0..3).map(|pair| playback.level(pair).expect("a level").bid).collect();
        let mut first = [None; 3];
        playback.play_to(length - start + 3_000, |pair, kind| {
            if let (EventKind::Quote(quote), None) = (kind, first[pair]) {
                first[pair] = Some(quote.bid);
            }
        });
        for pair in 0..3 {
            let joined = first[pair].expect("a quote within three seconds");
            assert!((joined - before[pair]).abs() <= 2, "pair {pair}: {} then {joined}", before[pair]);
        }
    }
}
