//! Which of several Athenas an instrument belongs to.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::domain::Symbol;

/// Most Athenas that can share the instruments.
const MOST: u32 = 64;

/// One part of all instruments. They are dealt out by name: each part draws a number for the name, and the highest has it. So each
/// Athena knows her own without asking, and one more or less moves no others than those that it gains or loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    count: u32,
}

impl Shard {
    /// The only one.
    pub const WHOLE: Self = Self { index: 1, count: 1 };

    /// The `index`-th of `count`, counted from 1; nothing when there is no such part, or more than 64.
    #[must_use]
    pub const fn new(index: u32, count: u32) -> Option<Self> {
        if index >= 1 && index <= count && count <= MOST { Some(Self { index, count }) } else { None }
    }

    /// From words such as `2/3`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (index, count) = text.split_once('/')?;
        let number = |text: &str| text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        Self::new(number(index)?, number(count)?)
    }

    /// Whether this instrument is hers.
    #[must_use]
    pub fn owns(self, instrument: &Symbol) -> bool {
        let draw = |index: u32| {
            let mut hash = Sha256::new();
            hash.update(index.to_le_bytes());
            hash.update(instrument.as_str().as_bytes());
            (<[u8; 32]>::from(hash.finalize()), index)
        };
        (1..=self.count).max_by_key(|index| draw(*index)) == Some(self.index)
    }

    /// Her number, from 1.
    #[must_use]
    pub const fn index(self) -> u32 {
        self.index
    }

    /// Whether she speaks for all: decides on parameters and shows how all stand.
    #[must_use]
    pub const fn is_first(self) -> bool {
        self.index == 1
    }

    /// The others.
    pub fn others(self) -> impl Iterator<Item = Self> {
        (1..=self.count).filter(move |index| *index != self.index).map(move |index| Self { index, ..self })
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(name: &str, count: u32) -> u32 {
        let owners: Vec<_> = (1..=count).filter_map(|index| Shard::new(index, count)).collect();
        let owners: Vec<_> = owners.into_iter().filter(|shard| shard.owns(&Symbol::new(name))).collect();
        assert_eq!(owners.len(), 1, "{name} of {count}: {owners:?}");
        owners[0].index()
    }

    #[test]
    fn each_instrument_has_one_owner_and_the_parts_are_even() {
        for count in [1, 2, 3, 7] {
            let mut sizes = vec![0_u32; count as usize];
            for number in 0..3_000 {
                sizes[owner(&format!("X{number}/USD"), count) as usize - 1] += 1;
            }
            let fair = 3_000 / count;
            assert!(sizes.iter().all(|size| size.abs_diff(fair) < fair / 4), "{sizes:?}");
        }
    }

    #[test]
    fn one_more_takes_from_the_others_and_moves_nothing_between_them() {
        for number in 0..1_000 {
            let name = format!("X{number}/USD");
            let (before, after) = (owner(&name, 3), owner(&name, 4));
            assert!(after == before || after == 4, "{name}: {before} to {after}");
        }
    }

    #[test]
    fn what_is_no_part_is_refused() {
        assert_eq!(Shard::parse("2/3").map(|shard| shard.to_string()).as_deref(), Some("2/3"));
        for text in ["0/1", "2/1", "1", "", "1/65", "+1/2", "1/2/3", " 1/2", "-1/2"] {
            assert_eq!(Shard::parse(text), None, "{text}");
        }
    }
}
