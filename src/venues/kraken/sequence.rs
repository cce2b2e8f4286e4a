//! Trade numbers of one pair: what is new, what was seen before, what is missing.

use crate::domain::Timestamp;

/// A jump wider than this is another numbering, not that many lost trades.
const WIDEST_GAP: u64 = 1_000_000;

/// Where a pair's trades stand. Lives on across connections, so that a snapshot does not repeat what was published.
#[derive(Clone, Debug, Default)]
pub(super) struct Sequence {
    last: Option<(u64, Timestamp)>,
}

/// What a number says about its trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// New; this many before it are missing.
    New {
        /// Trades between the last seen and this one.
        missing: u64,
    },
    /// Seen before.
    Duplicate,
}

impl Sequence {
    /// Takes the next trade. A lower number at a later time means that the venue counts anew, as after its restart.
    pub(super) fn take(&mut self, id: u64, at: Timestamp) -> Verdict {
        let (missing, latest) = match self.last {
            Some((last, last_at)) if id <= last && at <= last_at => return Verdict::Duplicate,
            // Numbers and times need not agree to the microsecond: the latest time seen decides.
            Some((last, last_at)) if id > last => (id - last - 1, at.max(last_at)),
            _ => (0, at),
        };
        self.last = Some((id, latest));
        Verdict::New { missing: if missing > WIDEST_GAP { 0 } else { missing } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(sequence: &mut Sequence, id: u64, second: i64) -> Verdict {
        sequence.take(id, Timestamp::from_secs(second))
    }

    #[test]
    fn gaps_are_counted_and_repeats_dropped() {
        let mut sequence = Sequence::default();
        assert_eq!(take(&mut sequence, 10, 1), Verdict::New { missing: 0 });
        assert_eq!(take(&mut sequence, 10, 1), Verdict::Duplicate);
        assert_eq!(take(&mut sequence, 9, 1), Verdict::Duplicate);
        assert_eq!(take(&mut sequence, 14, 1), Verdict::New { missing: 3 });
    }

    #[test]
    fn a_snapshot_whose_times_wobble_is_not_published_twice() {
        let mut sequence = Sequence::default();
        take(&mut sequence, 11, 3);
        take(&mut sequence, 12, 2);
        assert_eq!(take(&mut sequence, 11, 3), Verdict::Duplicate);
        assert_eq!(take(&mut sequence, 12, 2), Verdict::Duplicate);
    }

    #[test]
    fn a_new_numbering_is_taken_over_and_a_wild_number_does_not_silence_the_pair() {
        let mut sequence = Sequence::default();
        take(&mut sequence, 1_000, 10);
        assert_eq!(take(&mut sequence, 1, 11), Verdict::New { missing: 0 });
        assert_eq!(take(&mut sequence, u64::MAX, 12), Verdict::New { missing: 0 });
        assert_eq!(take(&mut sequence, 2, 13), Verdict::New { missing: 0 });
        assert_eq!(take(&mut sequence, 3, 13), Verdict::New { missing: 0 });
    }
}
