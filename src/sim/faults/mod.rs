//! Faults on request: a plan that says what goes wrong and how often, and the dice that decide when.
//!
//! The plan is data and the dice are pure: whether an occasion is struck follows from the seed, the rule and how many
//! occasions it has had. What a fault does is done where it belongs: at the connection, the socket or the exchange.

mod calls;
mod fault;
mod frames;
mod plan;
mod trading;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use std::time::Duration;

use super::rolling::derived_seed;
use crate::domain::Timestamp;
pub(in crate::sim) use calls::{After, BeatFault, Before, Substitute};
pub use fault::{Call, Channel, Fault};
pub(in crate::sim) use frames::Delivery;
pub use plan::{BadPlan, Plan, Rule};
pub(in crate::sim) use trading::{MarketFault, Resettling};

/// The faults in force. A cheap handle: clones share one plan.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<InForce>>);

impl Faults {
    /// Replaces the plan; every count begins anew.
    pub fn set(&self, plan: Plan) {
        *self.held() = InForce { tallies: vec![Tally::default(); plan.faults.len()], plan };
    }

    /// The plan and how often each rule struck.
    #[must_use]
    pub fn report(&self) -> Report {
        let held = self.held();
        let rows = held.plan.faults.iter().zip(&held.tallies);
        let report = |(rule, tally): (&Rule, &Tally)| RuleReport {
            rule: rule.clone(),
            occasions: tally.occasions,
            struck: tally.struck,
        };
        Report { seed: held.plan.seed, faults: rows.map(report).collect() }
    }

    /// How often a kind struck, by its name.
    #[must_use]
    pub fn struck(&self, kind: &str) -> u64 {
        self.report().faults.iter().filter(|row| row.rule.fault.kind() == kind).map(|row| row.struck).sum()
    }

    /// Whether nothing can strike.
    pub(super) fn is_idle(&self) -> bool {
        self.held().plan.faults.is_empty()
    }

    /// An occasion: the first rule that concerns it and strikes, or still goes on, gives what `concerns` made of its fault
    /// and of how long that has been going on.
    fn strike<T>(&self, now: Timestamp, concerns: impl Fn(&Fault, Duration) -> Option<T>) -> Option<T> {
        self.held().strike(now, concerns)
    }

    fn held(&self) -> MutexGuard<'_, InForce> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is in force, for whoever asks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The plan's seed.
    pub seed: u64,
    /// Its rules in their order.
    pub faults: Vec<RuleReport>,
}

/// A rule and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleReport {
    /// The rule.
    #[serde(flatten)]
    pub rule: Rule,
    /// How many occasions it has had.
    pub occasions: u64,
    /// How many of them it struck. What goes on for a while counts once.
    pub struck: u64,
}

#[derive(Clone, Debug, Default)]
struct Tally {
    occasions: u64,
    struck: u64,
    /// When it struck last.
    struck_at: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct InForce {
    plan: Plan,
    tallies: Vec<Tally>,
}

impl InForce {
    fn strike<T>(&mut self, now: Timestamp, concerns: impl Fn(&Fault, Duration) -> Option<T>) -> Option<T> {
        let seed = self.plan.seed;
        for (index, (rule, tally)) in self.plan.faults.iter().zip(&mut self.tallies).enumerate() {
            let going_on = tally.struck_at.zip(rule.fault.lasts());
            let since = going_on.map(|(at, lasts)| (now.since(at), lasts)).filter(|(since, lasts)| since < lasts);
            let Some(effect) = concerns(&rule.fault, since.map_or(Duration::ZERO, |(since, _)| since)) else {
                continue;
            };
            if since.is_some() {
                return Some(effect);
            }
            tally.occasions += 1;
            let is_left = rule.limit.is_none_or(|limit| tally.struck < limit);
            if is_left && drawn(seed, index, tally.occasions) < rule.probability {
                tally.struck += 1;
                tally.struck_at = Some(now);
                return Some(effect);
            }
        }
        None
    }
}

/// A number from 0 up to, but never, 1: the same for the same occasion of the same rule.
fn drawn(seed: u64, rule: usize, occasion: u64) -> f64 {
    let bits = derived_seed(seed, &format!("fault {rule} {occasion}")) >> 11;
    bits as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(probability: f64, limit: Option<u64>) -> Rule {
        Rule { fault: Fault::AcceptThenDropReply { on: vec![Call::Orders] }, probability, limit }
    }

    fn strikes(faults: &Faults, at: i64) -> bool {
        faults.strike(Timestamp::from_secs(at), |fault, _| Some(fault.kind())).is_some()
    }

    #[test]
    fn what_lasts_goes_on_without_a_draw_and_can_strike_again_afterwards() {
        let faults = Faults::default();
        let disabled = |limit| Rule { fault: Fault::TradingDisabled { for_ms: 10_000 }, probability: 1.0, limit };
        faults.set(Plan { seed: 1, faults: vec![disabled(Some(1))] });
        let seen = [100, 105, 109, 110, 111].map(|at| strikes(&faults, at));
        assert_eq!(seen, [true, true, true, false, false]);
        let row = faults.report().faults.remove(0);
        assert_eq!((row.occasions, row.struck), (3, 1), "two occasions came after it was over");
        faults.set(Plan { seed: 1, faults: vec![disabled(None)] });
        assert!([100, 110, 130].map(|at| strikes(&faults, at)).iter().all(|struck| *struck));
        assert_eq!(faults.struck("trading_disabled"), 3);
    }

    fn struck(plan: Plan, occasions: usize) -> Vec<bool> {
        let faults = Faults::default();
        faults.set(plan);
        (0..occasions).map(|_| strikes(&faults, 0)).collect()
    }

    #[test]
    fn the_same_seed_strikes_the_same_occasions_and_another_seed_others() {
        let plan = |seed| Plan { seed, faults: vec![rule(0.1, None)] };
        let first = struck(plan(1), 2_000);
        assert_eq!(first, struck(plan(1), 2_000));
        assert_ne!(first, struck(plan(2), 2_000));
        let count = first.iter().filter(|struck| **struck).count();
        assert!((140..260).contains(&count), "{count} of 2,000 at one in ten");
    }

    #[test]
    fn zero_never_strikes_one_always_and_a_limit_ends_it() {
        let one = |rule| Plan { seed: 3, faults: vec![rule] };
        assert!(struck(one(rule(0.0, None)), 500).iter().all(|struck| !struck));
        assert!(struck(one(rule(1.0, None)), 500).iter().all(|struck| *struck));
        assert_eq!(struck(one(rule(1.0, Some(2))), 4), [true, true, false, false]);
    }

    #[test]
    fn a_new_plan_begins_to_count_anew_and_the_report_adds_up() {
        let faults = Faults::default();
        assert!(!strikes(&faults, 0));
        faults.set(Plan { seed: 1, faults: vec![rule(1.0, Some(1)), rule(1.0, None)] });
        for _ in 0..3 {
            assert!(strikes(&faults, 0));
        }
        let counts: Vec<_> = faults.report().faults.iter().map(|row| (row.occasions, row.struck)).collect();
        assert_eq!(counts, [(3, 1), (2, 2)], "the second rule is asked only where the first did not strike");
        assert_eq!(faults.struck("accept_then_drop_reply"), 3);
        faults.set(Plan::default());
        assert_eq!(faults.report(), Report { seed: 0, faults: Vec::new() });
    }
}
