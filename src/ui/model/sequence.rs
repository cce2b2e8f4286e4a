//! Each writer numbers its messages: what is missing shows as a jump.

use std::collections::HashMap;

/// What a number tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The one that was due, or the first ever seen of this writer.
    Next,
    /// Seen before, or part of a snapshot already read.
    Old,
    /// This many are missing before it.
    Gap(u64),
}

/// Most writers that are followed; further ones are taken as they come.
const WRITERS_MAX: usize = 64;

/// The last number of every writer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sequence {
    last: HashMap<String, (String, u64)>,
}

impl Sequence {
    /// Where a message stands; it becomes the last of its writer unless it is old.
    pub(crate) fn place(&mut self, source: &str, boot: &str, seq: u64) -> Place {
        let place = match self.last.get(source) {
            None => Place::Next,
            Some((known, last)) if known == boot => match seq.checked_sub(*last) {
                None | Some(0) => Place::Old,
                Some(1) => Place::Next,
                Some(jump) => Place::Gap(jump - 1),
            },
            Some(_) if seq <= 1 => Place::Next,
            Some(_) => Place::Gap(seq - 1),
        };
        if place != Place::Old {
            self.set(source, boot, seq);
        }
        place
    }

    /// Takes over a snapshot that includes everything up to `seq`. False when newer messages of that run were already seen.
    pub(crate) fn snapshot(&mut self, source: &str, boot: &str, seq: u64) -> bool {
        if self.last.get(source).is_some_and(|(known, last)| known == boot && *last > seq) {
            return false;
        }
        self.set(source, boot, seq);
        true
    }

    fn set(&mut self, source: &str, boot: &str, seq: u64) {
        if let Some(entry) = self.last.get_mut(source) {
            if entry.0 != boot {
                boot.clone_into(&mut entry.0);
            }
            entry.1 = seq;
        } else if self.last.len() < WRITERS_MAX {
            self.last.insert(source.to_owned(), (boot.to_owned(), seq));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_are_gaps_repeats_are_old_and_a_new_run_starts_again() {
        let mut sequence = Sequence::default();
        assert_eq!(sequence.place("hermes", "a", 7), Place::Next);
        assert_eq!(sequence.place("hermes", "a", 8), Place::Next);
        assert_eq!(sequence.place("hermes", "a", 8), Place::Old);
        assert_eq!(sequence.place("hermes", "a", 11), Place::Gap(2));
        assert_eq!(sequence.place("athena", "x", 3), Place::Next);
        assert_eq!(sequence.place("hermes", "b", 1), Place::Next);
        assert_eq!(sequence.place("hermes", "c", 3), Place::Gap(2));
    }

    #[test]
    fn a_snapshot_covers_what_it_includes_and_an_older_one_does_not_go_back() {
        let mut sequence = Sequence::default();
        assert!(sequence.snapshot("hermes", "a", 5));
        assert_eq!(sequence.place("hermes", "a", 5), Place::Old);
        assert_eq!(sequence.place("hermes", "a", 6), Place::Next);
        assert!(!sequence.snapshot("hermes", "a", 5));
        assert_eq!(sequence.place("hermes", "a", 7), Place::Next);
    }
}
