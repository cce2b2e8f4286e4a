//! Faults on request: a plan that says what goes wrong and how often, and the dice that decide when.
//!
//! The plan is data and the dice are pure: whether an occasion is struck follows from the seed, the rule and how many
//! occasions it has had. What a fault does is done where it belongs: at the connection, the socket or the exchange.

mod fault;
mod plan;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

pub use fault::{Call, Fault};
pub use plan::{BadPlan, Plan, Rule};

use super::rolling::derived_seed;

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

    /// An occasion: the first rule that concerns it and strikes gives what `concerns` made of its fault.
    pub(super) fn strike<T>(&self, concerns: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        self.held().strike(concerns)
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
    /// How many of them it struck.
    pub struck: u64,
}

#[derive(Clone, Debug, Default)]
struct Tally {
    occasions: u64,
    struck: u64,
}

#[derive(Debug, Default)]
struct InForce {
    plan: Plan,
    tallies: Vec<Tally>,
}

impl InForce {
    fn strike<T>(&mut self, concerns: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        let seed = self.plan.seed;
        for (index, (rule, tally)) in self.plan.faults.iter().zip(&mut self.tallies).enumerate() {
            let Some(effect) = concerns(&rule.fault) else { continue };
            tally.occasions += 1;
            let is_left = rule.limit.is_none_or(|limit| tally.struck < limit);
            if is_left && drawn(seed, index, tally.occasions) < rule.probability {
                tally.struck += 1;
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

    fn struck(plan: Plan, occasions: usize) -> Vec<bool> {
        let faults = Faults::default();
        faults.set(plan);
        (0..occasions).map(|_| faults.strike(|fault| Some(fault.kind())).is_some()).collect()
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
        assert_eq!(faults.strike(|fault| Some(fault.kind())), None);
        faults.set(Plan { seed: 1, faults: vec![rule(1.0, Some(1)), rule(1.0, None)] });
        for _ in 0..3 {
            assert!(faults.strike(|fault| Some(fault.kind())).is_some());
        }
        let counts: Vec<_> = faults.report().faults.iter().map(|row| (row.occasions, row.struck)).collect();
        assert_eq!(counts, [(3, 1), (2, 2)], "the second rule is asked only where the first did not strike");
        assert_eq!(faults.struck("accept_then_drop_reply"), 3);
        faults.set(Plan::default());
        assert_eq!(faults.report(), Report { seed: 0, faults: Vec::new() });
    }
}
