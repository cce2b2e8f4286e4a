//! The loop that owns the desk. It waits for nothing but news: commits, calls and arming are done beside it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::super::desk::{Desk, Step};
use super::super::kill::KillSwitch;
use super::super::venue::UserEvent;
use super::arming::Arming;
use super::commands::Asked;
use super::consumer::{Acks, Consumed};
use super::feed::Feed;
use super::lease::{Pulse, Tenure};
use super::news::{Inputs, News, Open};
use super::outbox::Outbox;
use super::passage;
use super::scribe::{Outcome, Scribe};
use super::venue_calls::{Calls, Report};
use crate::bus::{BusLink, BusRef};
use crate::clock;
use crate::domain::{KillStep, TradeEvent};
use crate::failpoint::{self, Failpoint};
use crate::store::ledger::{LedgerError, Write};

/// A snapshot follows a change within this, and is renewed at least every second.
const STATE_AFTER: Duration = Duration::from_millis(200);
const STATE_EVERY: Duration = Duration::from_secs(1);
/// Orders being sent at one time; more wait in the stream.
const IN_FLIGHT: usize = 32;
/// How long what is decided may take to become durable at the end.
pub(super) const LAST_COMMITS: Duration = Duration::from_secs(5);

/// What the loop works with.
pub(super) struct Hands {
    pub(super) desk: Desk,
    pub(super) switch: Arc<KillSwitch>,
    pub(super) tenure: Arc<Tenure>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) scribe: Scribe,
    pub(super) arming: Arming,
    pub(super) calls: Calls,
    pub(super) outbox: Outbox,
    pub(super) acks: Acks,
    pub(super) feed: Feed,
    pub(super) bus: BusRef,
    pub(super) link: watch::Receiver<BusLink>,
}

/// How a turn at the account ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// In good order.
    Stopped,
    /// Another has the account.
    Displaced,
}

pub(super) struct Runner {
    pub(super) hands: Hands,
    pub(super) dirty: bool,
    told_at: Option<Instant>,
}

impl Runner {
    pub(super) const fn new(hands: Hands) -> Self {
        Self { hands, dirty: true, told_at: None }
    }

    /// Works until shutdown, then brings what is under way to an end within `drain`; or until another has the account, and then
    /// leaves everything as it is.
    pub(super) async fn run(mut self, recovery: Step, mut inputs: Inputs, drain: Duration) -> Ended {
        self.perform(recovery, None);
        let mut drain_until: Option<Instant> = None;
        let mut last_look = false;
        self.tell_kill();
        loop {
            let ending = drain_until.is_some();
            let (room, listens) = (self.has_room(ending), !self.hands.scribe.is_full());
            match inputs.next(&mut self.hands.scribe, Open { listens, room, lasts: !ending }).await {
                News::Displaced => {
                    tracing::warn!(unwritten = self.hands.scribe.len(), "another hermes has the account");
                    return Ended::Displaced;
                }
                News::Stop => {
                    drain_until = Some(Instant::now() + drain);
                    self.hands.desk.health.stopping = Some("hermes is ending".into());
                    let step = self.hands.desk.cancel_resting(clock::now());
                    self.perform(step, None);
                }
                News::Kill => self.on_kill(),
                News::Tick => self.on_tick(),
                News::Commit(outcome) => self.on_commit(outcome),
                News::Report(report) => self.on_report(report),
                News::Event(event) => self.on_event(event),
                News::Asked(asked) => self.on_asked(asked),
                News::Entry(consumed) => self.on_consumed(consumed),
            }
            let (open, unknown) = self.hands.desk.open_and_unknown();
            self.hands.switch.set_orders(open, unknown);
            if drain_until.is_some_and(|until| Instant::now() >= until || self.is_finished(&mut last_look)) {
                break;
            }
        }
        self.finish_commits().await;
        self.tell_state();
        Ended::Stopped
    }

    /// Whether a new entry may be taken: to be executed, or, while killed, to be buried.
    fn has_room(&self, ending: bool) -> bool {
        if ending || self.hands.scribe.is_full() {
            return false;
        }
        let (desk, now) = (&self.hands.desk, clock::now());
        let ready = || desk.sending() < IN_FLIGHT && desk.trouble(now).is_none() && !desk.awaits_funds(now);
        !self.hands.switch.is_armed() || ready()
    }

    /// Nothing is under way, and the books were compared with the venue once more after that.
    fn is_finished(&mut self, last_look: &mut bool) -> bool {
        let desk = &mut self.hands.desk;
        if desk.is_posting() || desk.open_and_unknown().0 > 0 || !self.hands.scribe.is_empty() {
            return false;
        }
        if !*last_look {
            *last_look = true;
            desk.reconcile_now(clock::now());
        }
        desk.is_compared()
    }

    /// What was decided last becomes durable, when the ledger is there.
    async fn finish_commits(&mut self) {
        let end = Instant::now() + LAST_COMMITS;
        while !self.hands.scribe.is_empty() {
            match tokio::time::timeout_at(end, self.hands.scribe.next()).await {
                Ok(Outcome::Failed(error)) => {
                    self.ledger_failed(&error);
                    break;
                }
                Ok(outcome) => self.on_commit(outcome),
                Err(_) => break,
            }
        }
        if !self.hands.scribe.is_empty() {
            tracing::warn!(
                unwritten = self.hands.scribe.len(),
                "the ledger lacks the last news; the next start asks the venue"
            );
        }
    }

    fn on_kill(&mut self) {
        let step = self.hands.desk.on_latch(self.hands.switch.latch(), clock::now());
        self.perform(step, None);
        self.tell_kill();
    }

    fn tell_kill(&mut self) {
        self.hands.outbox.event(&TradeEvent::Kill(self.hands.switch.report()));
        self.dirty = true;
    }

    fn on_commit(&mut self, outcome: Outcome) {
        self.dirty = true;
        match outcome {
            Outcome::Durable(batches) => {
                if self.hands.desk.health.ledger.take().is_some() {
                    tracing::info!(waiting = self.hands.scribe.len(), "the ledger commits again");
                }
                for done in batches {
                    self.finish(done);
                }
            }
            Outcome::Taken(refused, error) => self.on_taken(refused, &error),
            Outcome::Refused(refused, error) => self.on_refused(refused, &error),
            Outcome::Failed(error) => self.ledger_failed(&error),
        }
    }

    fn ledger_failed(&mut self, error: &LedgerError) {
        if matches!(error, LedgerError::Fenced { .. }) {
            self.hands.tenure.lose(error.to_string());
        }
        tracing::error!(%error, waiting = self.hands.scribe.len(), "the ledger does not commit: no new orders");
        self.hands.desk.health.ledger = Some(error.to_string());
    }

    fn on_report(&mut self, report: Report) {
        failpoint::hit_any(|| passage::arrival(&report));
        let now = clock::now();
        let desk = &mut self.hands.desk;
        let step = match report {
            Report::Letter { command, reply, result } => return self.on_letter(*command, reply, result),
            Report::Posted { key, answer, begun } => desk.on_posted(&key, answer, begun, now),
            Report::Cancelled { orders, result } => desk.on_cancelled(&orders, &result, now),
            Report::Recalled { order, result } => desk.on_recalled(&order, result.map(|known| *known), now),
            Report::History { token, result } => desk.on_history(&token, result.map(|history| *history), now),
            Report::Counted(result) => desk.on_counted(result, now),
            Report::LookedUp { order, begun, result } => desk.on_lookup(&order, begun, result, now),
            Report::Snapshot { begun, result } => desk.on_snapshot(begun, result, now),
            Report::Balances(result) => desk.on_balances(result, now),
            Report::Heartbeat(result) => desk.on_heartbeat(result.map_err(|error| error.to_string()), now),
        };
        self.dirty = true;
        self.perform(step, None);
    }

    fn on_event(&mut self, event: UserEvent) {
        failpoint::hit_any(|| matches!(event, UserEvent::Fill(_)).then_some(Failpoint::FillSeen));
        let step = self.hands.desk.on_user_event(event, clock::now());
        self.perform(step, None);
    }

    fn on_tick(&mut self) {
        self.hands.pulse.beat();
        let link = self.hands.link.borrow().clone();
        let health = &mut self.hands.desk.health;
        health.lease = self.hands.tenure.trouble();
        health.bus = match link {
            BusLink::Down(why) => Some(format!("bus unreachable: {why}")),
            BusLink::Degraded(why) => Some(why),
            BusLink::Up if self.hands.switch.is_bus_known() => None,
            BusLink::Up => Some("the latch on the bus is not known yet".into()),
        };
        self.take_data();
        if let Some(skew) = self.hands.calls.venue().skew() {
            self.hands.desk.on_skew(skew);
        }
        let now = clock::now();
        self.hands.desk.on_set_back(clock::set_back());
        let step = self.hands.desk.on_tick(now);
        self.perform(step, None);
        let due = if self.dirty { STATE_AFTER } else { STATE_EVERY };
        if self.told_at.is_none_or(|told| told.elapsed() >= due) {
            self.tell_state();
        }
    }

    pub(super) fn take_data(&mut self) {
        for data in self.hands.feed.take() {
            let step = self.hands.desk.on_data(data, clock::now());
            self.perform(step, None);
        }
    }

    fn on_consumed(&mut self, consumed: Consumed) {
        match consumed {
            Consumed::Idle => {
                if !self.hands.switch.is_armed() {
                    self.hands.switch.step(KillStep::QueueDrained);
                }
            }
            Consumed::Entry(entry) => self.take_in(entry),
        }
    }

    fn on_asked(&mut self, asked: Asked) {
        match asked {
            Asked::Question { command, reply } => self.command(command, reply),
            Asked::Answered { command, verdict } => self.record(&command, &verdict),
            Asked::Published(id) => self.write(Write::DeadLetterPublished { id }),
            Asked::Params(book) => self.write(Write::Params(book)),
        }
    }

    fn write(&mut self, write: Write) {
        self.perform(Step { writes: vec![write], ..Step::default() }, None);
    }

    fn tell_state(&mut self) {
        // Whoever has the account speaks for it.
        if !self.hands.tenure.may_speak() {
            return;
        }
        self.hands.desk.bus_concerns = self.hands.bus.concerns();
        self.hands.desk.bus_concerns.extend(self.hands.outbox.concern());
        let (report, seq) = (self.hands.switch.report(), self.hands.outbox.seq());
        self.hands.outbox.state(&self.hands.desk.snapshot(report, seq, clock::now()));
        self.dirty = false;
        self.told_at = Some(Instant::now());
    }
}
