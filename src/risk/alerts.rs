//! Which uses of limits are worth telling: each level once when it is reached, and again only after the use has fallen well below it.

use std::collections::HashMap;

use crate::domain::{Alert, Control, LimitUse, Timestamp};

/// The levels that are told, in percent of a limit.
pub const LEVELS: [u32; 4] = [50, 80, 95, 100];
/// So many points below a level a use must fall before reaching the level is news again.
const HYSTERESIS: u32 = 5;
/// Most alerts at one time; the others follow at the next look.
const AT_ONCE: usize = 32;

/// What was told of each limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alerts {
    /// How many of the levels were told and stand.
    told: HashMap<(Control, String), usize>,
}

impl Alerts {
    /// What is news of these uses. They are all there are: what is not among them is forgotten. Of the controls in `doubtful` only a
    /// lower bound is known, or nothing: a level that was told of them stands.
    pub fn observe(&mut self, uses: &[LimitUse], doubtful: &[Control], now: Timestamp) -> Vec<Alert> {
        let before = std::mem::take(&mut self.told);
        let stands = |(control, _): &(Control, String)| doubtful.contains(control);
        self.told.extend(before.iter().filter(|(key, _)| stands(key)).map(|(key, told)| (key.clone(), *told)));
        let mut alerts = Vec::new();
        for used in uses {
            let key = (used.control, used.subject.clone());
            let mut told = before.get(&key).copied().unwrap_or(0);
            while told > 0 && !stands(&key) && used.percent <= LEVELS[told - 1] - HYSTERESIS {
                told -= 1;
            }
            while let Some(level) = LEVELS.get(told).copied().filter(|level| used.percent >= *level) {
                if alerts.len() == AT_ONCE {
                    break;
                }
                told += 1;
                alerts.push(Alert {
                    control: used.control,
                    subject: used.subject.clone(),
                    level,
                    value: used.value,
                    limit: used.limit,
                    unit: used.unit.clone(),
                    at: now,
                });
            }
            if told > 0 {
                self.told.insert(key, told);
            }
        }
        alerts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1);
    const NONE: [u32; 0] = [];

    fn used(subject: &str, percent: u32) -> LimitUse {
        LimitUse::new(Control::GrossExposure, subject, (Decimal::from(percent), Decimal::ONE_HUNDRED), "pUSD")
    }

    fn told(alerts: &mut Alerts, percent: u32) -> Vec<u32> {
        alerts.observe(&[used("account", percent)], &[], NOW).iter().map(|alert| alert.level).collect()
    }

    #[test]
    fn each_level_is_told_once_on_the_way_up() {
        let mut alerts = Alerts::default();
        for (percent, levels) in [
            (49, vec![]),
            (50, vec![50]),
            (79, vec![]),
            (80, vec![80]),
            (96, vec![95]),
            (100, vec![100]),
            (250, vec![]),
        ] {
            assert_eq!(told(&mut alerts, percent), levels, "{percent} %");
        }
    }

    #[test]
    fn a_jump_tells_every_level_that_it_passes() {
        assert_eq!(told(&mut Alerts::default(), 97), [50, 80, 95]);
    }

    #[test]
    fn it_is_news_again_only_from_five_points_below() {
        let mut alerts = Alerts::default();
        assert_eq!(told(&mut alerts, 81), [50, 80]);
        assert_eq!(told(&mut alerts, 76), NONE);
        assert_eq!(told(&mut alerts, 82), NONE, "it wavers");
        assert_eq!(told(&mut alerts, 75), NONE);
        assert_eq!(told(&mut alerts, 80), [80], "it fell, and is back");
        assert_eq!(told(&mut alerts, 0), NONE);
        assert_eq!(told(&mut alerts, 60), [50]);
    }

    #[test]
    fn what_is_gone_is_forgotten_and_many_at_once_follow_one_another() {
        let mut alerts = Alerts::default();
        let all: Vec<LimitUse> = (0..100).map(|index| used(&index.to_string(), 55)).collect();
        let counts: Vec<usize> = (0..5).map(|_| alerts.observe(&all, &[], NOW).len()).collect();
        assert_eq!(counts, [32, 32, 32, 4, 0]);
        assert_eq!(alerts.observe(&[], &[], NOW), []);
        assert_eq!(alerts, Alerts::default());
    }

    #[test]
    fn what_is_in_doubt_for_a_moment_is_not_told_again() {
        let mut alerts = Alerts::default();
        assert_eq!(told(&mut alerts, 96), [50, 80, 95]);
        let doubtful = [Control::GrossExposure];
        let mut seen = |uses: &[LimitUse]| alerts.observe(uses, &doubtful, NOW).len();
        assert_eq!((seen(&[]), seen(&[used("account", 10)])), (0, 0));
        assert_eq!(seen(&[used("account", 100)]), 1, "what is certain is news");
        assert_eq!(told(&mut alerts, 97), NONE, "it is known again, where it was");
        assert_eq!(told(&mut alerts, 10), NONE);
        assert_eq!(told(&mut alerts, 96), [50, 80, 95], "it has fallen");
    }

    proptest! {
        #[test]
        fn no_level_is_told_twice_without_a_fall_below_it(steps in prop::collection::vec(0_u32..130, 1..200)) {
            let mut alerts = Alerts::default();
            let mut armed = [true; LEVELS.len()];
            for percent in steps {
                let levels = told(&mut alerts, percent);
                for (armed, level) in armed.iter_mut().zip(LEVELS) {
                    *armed |= percent <= level - HYSTERESIS;
                    let expected = *armed && percent >= level;
                    prop_assert_eq!(levels.contains(&level), expected, "{} at {}", level, percent);
                    *armed &= !expected;
                }
            }
        }
    }
}
