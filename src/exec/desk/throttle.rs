//! Repeated executions: a strategy that has sent the same over and over is halted until a person arms. The gate counts and denies
//! (`risk/checks/repeated_execution.rs`); here it is remembered, and the ledger keeps it.

use std::collections::BTreeMap;

use crate::domain::{Control, Denial, StrategyHalt, StrategyId};

/// The strategies that were halted, each with the epoch that it is halted in.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    halted: BTreeMap<StrategyId, (String, u64)>,
}

impl Throttle {
    /// As the ledger has them.
    pub(super) fn of(halts: &[(StrategyHalt, u64)]) -> Self {
        let halts = halts.iter().map(|(halt, epoch)| (halt.strategy.clone(), (halt.why.clone(), *epoch)));
        Self { halted: halts.collect() }
    }

    /// The gate has denied: gives the halt that follows from it, once.
    pub(super) fn denied(&mut self, strategy: &StrategyId, denial: &Denial, epoch: u64) -> Option<StrategyHalt> {
        if denial.control != Control::RepeatedExecution || self.halts(epoch).any(|halt| halt.strategy == *strategy) {
            return None;
        }
        let why = format!("{denial}; halted until a person arms");
        self.halted.insert(strategy.clone(), (why.clone(), epoch));
        Some(StrategyHalt { strategy: strategy.clone(), why })
    }

    /// The strategies that are halted in this epoch.
    pub(super) fn halts(&self, epoch: u64) -> impl Iterator<Item = StrategyHalt> {
        let now = self.halted.iter().filter(move |(_, (_, halted_in))| *halted_in == epoch);
        now.map(|(strategy, (why, _))| StrategyHalt { strategy: strategy.clone(), why: why.clone() })
    }
}
