//! The limits of the gate: which version is in force, who changes them, and how much of them is used.
//!
//! Invariant: while a change waits for the ledger, the gate goes by the strictest of all that is durable and decided. So a tightening
//! counts at once, and a widening only when the history has it.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Desk, Effect, Step};
use crate::domain::params::book::{self, Author, Opened, Outcome, Values};
use crate::domain::params::{Params, RISK, Table};
use crate::domain::{
    Action, Command, Control, Denial, LimitUse, ParamBook, ParamChange, ParamsInForce, Timestamp, TradeEvent,
};
use crate::risk::{Consequence, Limits, Measured, RiskGate, uses};
use crate::store::ledger::Write;

/// Changes that wait for the ledger at most.
const WAITING: usize = 16;
/// Of tokens and markets a snapshot shows this many at most.
const SHOWN: usize = 50;

/// What is measured by equity.
const LOSSES: [Control; 3] = [Control::DailyLoss, Control::DailyDrawdown, Control::RollingLoss];

/// The versions of the limits.
#[derive(Debug)]
pub(super) struct LimitBook {
    /// As the ledger has it.
    durable: ParamBook,
    /// With what is decided and not durable yet, a book for each version, oldest first.
    waiting: VecDeque<ParamBook>,
    /// What the configuration file says and would widen a limit.
    unconfirmed: Vec<ParamChange>,
}

fn table() -> Table {
    Table::of::<Limits>()
}

fn in_force(book: &ParamBook) -> (u64, Values) {
    book.in_force().map_or_else(|| (0, Values::new()), |latest| (latest.version, latest.values.clone()))
}

impl LimitBook {
    /// As the ledger has it, tightened by what is new in the configuration file; who takes over from another one at work has no news,
    /// only another file. What that changed is to be written down and told. What would widen a limit waits for a person.
    pub(super) fn open(
        stored: Option<&ParamBook>,
        takeover: bool,
        gate: &mut RiskGate,
        now: Timestamp,
        step: &mut Step,
    ) -> Self {
        let mut file = gate.limits().texts();
        if let Some(stored) = stored.filter(|_| takeover) {
            file.extend(stored.file.clone());
        }
        let Opened { book, unconfirmed } = book::open(stored.cloned(), &RISK.into(), &file, &table(), now);
        for change in &unconfirmed {
            tracing::warn!(%change, "the configuration file widens a limit: it waits for cockpit params set --confirm");
        }
        match Limits::from_texts(&in_force(&book).1) {
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
        Self { durable: book, waiting: VecDeque::new(), unconfirmed }
    }

    /// With everything that is decided.
    fn decided(&self) -> &ParamBook {
        self.waiting.back().unwrap_or(&self.durable)
    }

    /// What of the file would widen a limit, in words, as long as the version in force does not allow as much.
    pub(super) fn concerns(&self) -> Vec<String> {
        let in_force = in_force(&self.durable).1;
        let waits = |change: &&ParamChange| {
            let mut file = in_force.clone();
            file.insert(change.name.clone(), change.to.clone());
            !table().widened(&in_force, &file).is_empty()
        };
        let told = |ParamChange { name, to, .. }: &ParamChange| {
            let value = in_force.get(name).map_or("-", String::as_str);
            format!(
                "the configuration file widens {name} from {value} to {to}: to have it, cockpit params set risk {name}={to} --confirm"
            )
        };
        self.unconfirmed.iter().filter(waits).map(told).collect()
    }

    /// The newest version that was decided.
    fn version(&self) -> u64 {
        in_force(self.decided()).0
    }

    fn strictest(&self) -> Values {
        let table = table();
        let durable = in_force(&self.durable).1;
        self.waiting.iter().fold(durable, |strict, waiting| table.strictest(&strict, &in_force(waiting).1))
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
        let known = self.limits.decided();
        if known.in_force().is_some_and(|version| version.command.as_ref() == Some(&command.id)) {
            return Ok(Step::default());
        }
        let author = |why| Author { by: &command.actor, why, command: Some(&command.id), at: now };
        let (outcome, confirm) = match &command.action {
            Action::SetParams { expected, changes, why, confirm, .. } => {
                (book::set(known, &table(), *expected, changes, &author(why))?, *confirm)
            }
            Action::RollbackParams { to, expected, why, confirm, .. } => {
                (book::rollback(known, &table(), *expected, *to, &author(why))?, *confirm)
            }
            _ => return Err(vec!["this is no change of limits".to_owned()]),
        };
        let Outcome::New(book) = outcome else { return Ok(Step::default()) };
        self.may_change(&in_force(&book).1, confirm)?;
        Ok(self.decide(book, now))
    }

    /// A new version is decided: what is tighter in it counts at once.
    fn decide(&mut self, book: ParamBook, now: Timestamp) -> Step {
        let version = in_force(&book).0;
        self.limits.waiting.push_back(book.clone());
        self.enforce();
        let mut step = Step::default();
        step.writes.push(Write::Params(Box::new(book.clone())));
        self.narrowed = true;
        self.withdraw(now, &mut step);
        step.after.push(Effect::LimitsDurable(version));
        step.after.extend(book.in_force().cloned().map(|version| Effect::Emit(Box::new(TradeEvent::Params(version)))));
        step.after.push(Effect::Mirror(Box::new(book)));
        step
    }

    /// Of what the ledger refuses for good, a version of the limits is none: nothing is built on it any more. One that was built on it and
    /// waits behind it has its values, so those before it are put in force again by another version.
    pub(in crate::exec) fn limits_refused(&mut self, after: &[Effect], now: Timestamp) -> Step {
        let refused = after.iter().find_map(|effect| match effect {
            Effect::LimitsDurable(version) => Some(*version),
            _ => None,
        });
        let known = |version: &u64| self.limits.waiting.iter().any(|waiting| in_force(waiting).0 == *version);
        let Some(refused) = refused.filter(known) else { return Step::default() };
        self.limits.waiting.retain(|waiting| in_force(waiting).0 != refused);
        self.enforce();
        let before = self.limits.waiting.iter().rev().find(|waiting| in_force(waiting).0 < refused);
        let before = in_force(before.unwrap_or(&self.limits.durable)).0;
        if self.limits.version() < refused {
            return Step::default();
        }
        let why = format!("the ledger refused version {refused}, on which the ones after it were built");
        let author = Author { by: "hermes", why: &why, command: None, at: now };
        match book::rollback(self.limits.decided(), &table(), None, before, &author) {
            Ok(Outcome::New(book)) => self.decide(book, now),
            Ok(Outcome::Same(_)) => Step::default(),
            Err(reasons) => {
                tracing::error!(
                    refused,
                    ?reasons,
                    "limits that the ledger refused may come into force with later ones"
                );
                Step::default()
            }
        }
    }

    fn may_change(&self, to: &Values, confirm: bool) -> Result<(), Vec<String>> {
        if self.limits.waiting.len() >= WAITING {
            return Err(vec![format!("{WAITING} changes of limits wait for the ledger already")]);
        }
        let widened = table().widened(&in_force(self.limits.decided()).1, to);
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
        while self.limits.waiting.front().is_some_and(|waiting| in_force(waiting).0 <= version)
            && let Some(durable) = self.limits.waiting.pop_front()
        {
            self.limits.durable = durable;
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
        ParamsInForce {
            strategy: RISK.into(),
            version: in_force(&self.limits.durable).0,
            values: self.gate.limits().texts(),
        }
    }

    /// Measures the use of every limit; what reached a level is written down and told.
    pub(super) fn measure(&mut self, now: Timestamp, step: &mut Step) {
        let holdings = self.holdings(None);
        let unknown = self.unknown_for(now).into_iter().map(|(strategy, (age, _))| (strategy, age));
        let measured = Measured {
            holdings: &holdings,
            recent: &self.recent,
            losses: self.losses(now),
            markets: &self.markets,
            mismatch: (self.differing(now), self.gate.limits().mismatch_limit),
            mute: self.mute(now),
            unknown: self.longest_unknown(now).map_or(Duration::ZERO, |(age, _)| age),
            unknown_by_strategy: &unknown.collect::<Vec<_>>(),
            refusals: &self.breaker.counted(self.gate.limits().breaker_rejections, now),
        };
        let mut uses = uses(self.gate.limits(), &measured, now);
        let doubtful: &[Control] = if self.equity(now).is_ok() { &[] } else { &LOSSES };
        // While the ledger is gone everything waits in memory: an alert is told once it is back.
        if self.health.ledger.is_none() {
            for alert in self.alerts.observe(&uses, doubtful, now) {
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

    /// What a person should know of the limits although they hold.
    pub(super) fn limit_concerns(&self) -> Vec<String> {
        self.limits.concerns()
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
