//! The limits of the gate: which version is in force, who changes them, and how much of them is used.
//!
//! Invariant: while a change waits for the ledger, the gate goes by the strictest of all that is durable and decided. So a tightening
//! counts at once, and a widening only when the history has it.

use std::collections::VecDeque;

use super::{Desk, Effect, Step};
use crate::domain::params::book::{self, Author, Outcome, Values};
use crate::domain::params::{Params, RISK, Table};
use crate::domain::{Action, Command, Control, Denial, LimitUse, ParamBook, ParamsInForce, Timestamp, TradeEvent};
use crate::risk::{Consequence, Limits, Measured, RiskGate, uses};
use crate::store::ledger::Write;

/// Changes that wait for the ledger at most.
const WAITING: usize = 16;
/// Of tokens and markets a snapshot shows this many at most.
const SHOWN: usize = 50;

/// The versions of the limits.
#[derive(Debug)]
pub(super) struct LimitBook {
    /// With everything that is decided.
    book: ParamBook,
    /// What the ledger has: version and values.
    durable: (u64, Values),
    /// What is decided and not durable yet, oldest first.
    waiting: VecDeque<(u64, Values)>,
}

fn table() -> Table {
    Table::of::<Limits>()
}

fn in_force(book: &ParamBook) -> (u64, Values) {
    book.in_force().map_or_else(|| (0, Values::new()), |latest| (latest.version, latest.values.clone()))
}

impl LimitBook {
    /// As the ledger has it, brought up to date with the configuration file. What that changed is to be written down and told.
    pub(super) fn open(stored: Option<&ParamBook>, gate: &mut RiskGate, now: Timestamp, step: &mut Step) -> Self {
        let book = book::open(stored.cloned(), &RISK.into(), &gate.limits().texts(), &table(), now);
        let durable = in_force(&book);
        match Limits::from_texts(&durable.1) {
            Ok(limits) => gate.set_limits(limits),
            Err(problems) => tracing::error!(?problems, "the limits of the configuration file stay in force"),
        }
        if stored != Some(&book) {
            step.writes.push(Write::Params(Box::new(book.clone())));
        }
        if let (Some(before), Some(version)) = (stored.and_then(ParamBook::in_force), book.in_force())
            && before != version
        {
            step.emit(TradeEvent::Params(version.clone()));
        }
        step.after.push(Effect::Mirror(Box::new(book.clone())));
        Self { book, durable, waiting: VecDeque::new() }
    }

    /// The newest version that was decided.
    fn version(&self) -> u64 {
        in_force(&self.book).0
    }

    fn strictest(&self) -> Values {
        let table = table();
        self.waiting.iter().fold(self.durable.1.clone(), |strict, (_, values)| table.strictest(&strict, values))
    }
}

impl Desk {
    /// The newest version of the limits.
    pub(in crate::exec) fn limits_version(&self) -> u64 {
        self.limits.version()
    }

    /// Changes the limits, or puts those of an earlier version in force again.
    ///
    /// # Errors
    /// The reasons against it. One that widens a limit and is not confirmed is refused with what it would widen.
    pub(in crate::exec) fn change_limits(&mut self, command: &Command, now: Timestamp) -> Result<Step, Vec<String>> {
        let known = &self.limits.book;
        if known.in_force().is_some_and(|version| version.command.as_ref() == Some(&command.id)) {
            return Ok(Step::default());
        }
        let author = |why| Author { by: &command.actor, why, command: Some(&command.id), at: now };
        let (outcome, confirm) = match &command.action {
            Action::SetParams { expected, changes, why, confirm, .. } => {
                (book::set(known, &table(), *expected, changes, &author(why))?, *confirm)
            }
            Action::RollbackParams { to, why, confirm, .. } => {
                (book::rollback(known, &table(), *to, &author(why))?, *confirm)
            }
            _ => return Err(vec!["this is no change of limits".to_owned()]),
        };
        let Outcome::New(book) = outcome else { return Ok(Step::default()) };
        let (version, values) = in_force(&book);
        self.may_change(&values, confirm)?;
        self.limits.book = book.clone();
        self.limits.waiting.push_back((version, values));
        self.enforce();
        let mut step = Step::default();
        step.writes.push(Write::Params(Box::new(book.clone())));
        self.narrowed = true;
        self.withdraw(now, &mut step);
        step.after.push(Effect::LimitsDurable(version));
        step.after.extend(book.in_force().cloned().map(|version| Effect::Emit(Box::new(TradeEvent::Params(version)))));
        step.after.push(Effect::Mirror(Box::new(book)));
        Ok(step)
    }

    fn may_change(&self, to: &Values, confirm: bool) -> Result<(), Vec<String>> {
        if self.limits.waiting.len() >= WAITING {
            return Err(vec![format!("{WAITING} changes of limits wait for the ledger already")]);
        }
        let widened = table().widened(&in_force(&self.limits.book).1, to);
        if widened.is_empty() {
            return Ok(());
        }
        if !confirm {
            let reason = |change| format!("{change} widens a limit; if that is meant, repeat it with --confirm");
            return Err(widened.iter().map(reason).collect());
        }
        match &self.health.ledger {
            Some(trouble) => Err(vec![format!("nothing is widened while the ledger does not commit: {trouble}")]),
            None => Ok(()),
        }
    }

    /// A version of the limits is in the ledger.
    pub(in crate::exec) fn limits_durable(&mut self, version: u64) {
        while let Some((waiting, _)) = self.limits.waiting.front()
            && *waiting <= version
        {
            self.limits.durable = self.limits.waiting.pop_front().unwrap_or_default();
        }
        self.enforce();
    }

    fn enforce(&mut self) {
        match Limits::from_texts(&self.limits.strictest()) {
            Ok(limits) => self.gate.set_limits(limits),
            Err(problems) => tracing::error!(?problems, "the limits before stay in force"),
        }
    }

    /// The limits as the gate has them.
    pub(super) fn limits_in_force(&self) -> ParamsInForce {
        ParamsInForce { strategy: RISK.into(), version: self.limits.durable.0, values: self.gate.limits().texts() }
    }

    /// Measures the use of every limit; what reached a level is written down and told.
    pub(super) fn measure(&mut self, now: Timestamp, step: &mut Step) {
        let holdings = self.holdings(None);
        let measured = Measured {
            holdings: &holdings,
            recent: &self.recent,
            equity: self.equity(now).ok(),
            markets: &self.markets,
            mismatch: (self.differing(), self.rules.mismatch_limit),
        };
        let mut uses = uses(self.gate.limits(), &measured, now);
        // While the ledger is gone everything waits in memory: an alert is told once it is back.
        if self.health.ledger.is_none() {
            for alert in self.alerts.observe(&uses, now) {
                step.writes.push(Write::Alert(alert.clone()));
                step.emit(TradeEvent::Alert(alert));
            }
        }
        let mut detail = 0;
        uses.retain(|used| {
            let of_one = matches!(used.control, Control::PositionCap | Control::MarketCap | Control::MarketLoss);
            detail += usize::from(of_one);
            !of_one || detail <= SHOWN
        });
        self.uses = uses;
    }

    /// How much of each limit is used, as it was measured last.
    pub(super) fn limit_uses(&self) -> Vec<LimitUse> {
        self.uses.clone()
    }

    /// A limit is exceeded: kills when that is what its control says.
    pub(super) fn exceeded(&self, denial: &Denial, step: &mut Step) {
        if Consequence::of(denial.control) == Consequence::Kill && self.latch.is_armed() {
            step.urgent.push(Effect::Kill(denial.to_string()));
        }
    }
}
