//! Bounded histories for the charts. Values are integers in millionths, so that no float ever stands for money.

use std::collections::VecDeque;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::domain::Timestamp;

/// A decimal in millionths; saturates.
pub(crate) fn millionths(value: Decimal) -> i64 {
    let scaled = value.saturating_mul(Decimal::from(1_000_000));
    scaled.to_i64().unwrap_or(if scaled.is_sign_negative() { i64::MIN } else { i64::MAX })
}

/// The last seconds: one value a second, the oldest dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recent {
    values: VecDeque<i64>,
    second: i64,
}

impl Recent {
    /// Seconds kept.
    pub(crate) const CAPACITY: usize = 240;

    /// Notes the value at `now`; the last one within a second counts, seconds without news repeat the value before.
    pub(crate) fn push(&mut self, value: i64, now: Timestamp) {
        let second = now.secs();
        match self.values.back().copied() {
            Some(last) => {
                let passed = usize::try_from(second.saturating_sub(self.second)).unwrap_or(0);
                if passed == 0 {
                    self.values.pop_back();
                }
                for _ in 1..passed.min(Self::CAPACITY) {
                    self.values.push_back(last);
                }
            }
            None => self.second = second,
        }
        self.values.push_back(value);
        self.second = self.second.max(second);
        while self.values.len() > Self::CAPACITY {
            self.values.pop_front();
        }
    }

    /// The newest `count` values, oldest first.
    pub(crate) fn newest(&self, count: usize) -> impl Iterator<Item = i64> + Clone + '_ {
        self.values.iter().skip(self.values.len().saturating_sub(count)).copied()
    }
}

/// The whole session in bounded room: when it is full, every other value goes and the spacing doubles.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    values: Vec<i64>,
    step_secs: i64,
    slot: Option<i64>,
}

impl Default for Session {
    fn default() -> Self {
        Self { values: Vec::new(), step_secs: 1, slot: None }
    }
}

impl Session {
    /// Values kept.
    pub(crate) const CAPACITY: usize = 512;

    /// Notes the value at `now`; the last one within a step counts.
    pub(crate) fn push(&mut self, value: i64, now: Timestamp) {
        let slot = now.secs().div_euclid(self.step_secs);
        if self.slot.is_some_and(|last| slot <= last) {
            self.values.pop();
        }
        self.values.push(value);
        self.slot = Some(slot.max(self.slot.unwrap_or(slot)));
        if self.values.len() > Self::CAPACITY {
            let mut index = 0;
            self.values.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.step_secs = self.step_secs.saturating_mul(2);
            self.slot = Some(now.secs().div_euclid(self.step_secs));
        }
    }

    /// All values, oldest first.
    pub(crate) fn values(&self) -> &[i64] {
        &self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holds_one_value_and_silence_repeats_the_last() {
        let mut recent = Recent::default();
        for (value, millis) in [(1, 0), (2, 500), (3, 1_200), (9, 4_000)] {
            recent.push(value, Timestamp::from_millis(millis));
        }
        assert_eq!(recent.newest(99).collect::<Vec<_>>(), [2, 3, 3, 3, 9]);
        assert_eq!(recent.newest(2).collect::<Vec<_>>(), [3, 9]);
    }

    #[test]
    fn memory_is_bounded_and_the_clock_may_jump_either_way() {
        let (mut recent, mut session) = (Recent::default(), Session::default());
        for index in 0..5_000 {
            recent.push(index, Timestamp::from_secs(index));
            session.push(index, Timestamp::from_secs(index));
        }
        recent.push(1, Timestamp::from_secs(i64::MAX / 4_000_000));
        recent.push(2, Timestamp::from_secs(0));
        session.push(2, Timestamp::from_secs(0));
        assert!(recent.newest(usize::MAX).count() <= Recent::CAPACITY);
        assert!(session.values().len() <= Session::CAPACITY);
        assert!(session.values().starts_with(&[0]), "the session's beginning stays");
    }

    #[test]
    fn millionths_saturate() {
        assert_eq!(millionths(rust_decimal::dec!(-1.25)), -1_250_000);
        assert_eq!(millionths(Decimal::MAX), i64::MAX);
        assert_eq!(millionths(Decimal::MIN), i64::MIN);
    }
}
