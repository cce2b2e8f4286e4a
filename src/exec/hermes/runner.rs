//! The loop that owns the desk.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::super::desk::{Desk, Effect, Signed, Step};
use super::super::kill::{KillSwitch, LatchFile};
use super::super::venue::{ExecutionVenue, SignError, UserEvent};
use super::commands::Ask;
use super::consumer::{Acks, Consumed};
use super::feed::Feed;
use super::outbox::Outbox;
use super::venue_calls::{Calls, Report};
use crate::bus::{BusLink, BusRef, Entry, Origin};
use crate::clock;
use crate::domain::{Action, KillLatch, KillState, KillStep, Market, OrderIntent, TradeEvent};
use crate::risk::Approved;
use crate::store::ledger::{Ledger, LedgerError, Write};

const TICK: Duration = Duration::from_millis(50);
/// A snapshot follows a change within this, and is renewed at least every second.
const STATE_AFTER: Duration = Duration::from_millis(200);
const STATE_EVERY: Duration = Duration::from_secs(1);
const LEDGER_AGAIN: Duration = Duration::from_millis(500);
/// Orders being sent at one time; more wait in the stream.
const IN_FLIGHT: usize = 8;

/// What the loop works with.
pub(super) struct Hands {
    pub(super) desk: Desk,
    pub(super) switch: Arc<KillSwitch>,
    pub(super) file: LatchFile,
    pub(super) bus: BusRef,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) calls: Calls,
    pub(super) outbox: Outbox,
    pub(super) acks: Acks,
    pub(super) feed: Feed,
    pub(super) control: Arc<Origin>,
}

/// Where news comes from.
pub(super) struct Inputs {
    pub(super) entries: mpsc::Receiver<Consumed>,
    pub(super) reports: mpsc::Receiver<Report>,
    pub(super) events: mpsc::Receiver<UserEvent>,
    pub(super) asked: mpsc::Receiver<Ask>,
}

/// What waits for the ledger.
struct Waiting {
    writes: Vec<Write>,
    after: Vec<Effect>,
    entry: Option<Entry>,
}

pub(super) struct Runner {
    pub(super) desk: Desk,
    pub(super) switch: Arc<KillSwitch>,
    pub(super) file: LatchFile,
    pub(super) bus: BusRef,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) control: Arc<Origin>,
    calls: Calls,
    outbox: Outbox,
    acks: Acks,
    feed: Feed,
    link: watch::Receiver<BusLink>,
    backlog: VecDeque<Waiting>,
    ledger_again_at: Instant,
    dirty: bool,
    told_at: Option<Instant>,
}

impl Runner {
    pub(super) fn new(hands: Hands) -> Self {
        let Hands { desk, switch, file, bus, ledger, calls, outbox, acks, feed, control } = hands;
        let link = bus.link();
        Self {
            desk,
            switch,
            file,
            bus,
            ledger,
            control,
            calls,
            outbox,
            acks,
            feed,
            link,
            backlog: VecDeque::new(),
            ledger_again_at: Instant::now(),
            dirty: true,
            told_at: None,
        }
    }

    /// Works until shutdown, then brings what is under way to an end within `drain`.
    pub(super) async fn run(
        mut self,
        recovery: Step,
        mut inputs: Inputs,
        drain: Duration,
        shutdown: CancellationToken,
    ) {
        self.perform(recovery, None).await;
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut kills = self.switch.changes();
        let mut drain_until: Option<Instant> = None;
        let mut last_look = false;
        self.tell_kill();
        loop {
            let room = self.has_room(drain_until.is_some());
            tokio::select! {
                biased;
                () = shutdown.cancelled(), if drain_until.is_none() => {
                    drain_until = Some(Instant::now() + drain);
                    self.desk.health.stopping = Some("hermes is ending".into());
                    let step = self.desk.cancel_resting(clock::now());
                    self.perform(step, None).await;
                }
                Ok(()) = kills.changed() => self.on_kill().await,
                Some(report) = inputs.reports.recv() => self.on_report(report).await,
                Some(event) = inputs.events.recv() => {
                    let step = self.desk.on_user_event(event, clock::now());
                    self.perform(step, None).await;
                }
                Some(ask) = inputs.asked.recv() => {
                    let ack = self.command(ask.command).await;
                    if ask.reply.send(ack).is_err() {
                        tracing::warn!("a command was answered after its sender had gone");
                    }
                }
                _ = ticks.tick() => self.on_tick().await,
                Some(consumed) = inputs.entries.recv(), if room => self.on_consumed(consumed).await,
            }
            let (open, unknown) = self.desk.open_and_unknown();
            self.switch.set_orders(open, unknown);
            if drain_until.is_some_and(|until| Instant::now() >= until || self.is_finished(&mut last_look)) {
                break;
            }
        }
        self.flush_ledger().await;
        self.tell_state();
    }

    /// Whether a new entry may be taken: to be executed, or, while killed, to be buried.
    fn has_room(&self, ending: bool) -> bool {
        if ending || !self.backlog.is_empty() {
            return false;
        }
        !self.switch.is_armed() || (self.desk.sending() < IN_FLIGHT && self.desk.trouble(clock::now()).is_none())
    }

    /// Nothing is under way, and the books were compared with the venue once more after that.
    fn is_finished(&mut self, last_look: &mut bool) -> bool {
        if self.desk.is_posting() || self.desk.open_and_unknown().0 > 0 || !self.backlog.is_empty() {
            return false;
        }
        if !*last_look {
            *last_look = true;
            self.desk.reconcile_now(clock::now());
        }
        self.desk.is_compared()
    }

    async fn on_kill(&mut self) {
        let step = self.desk.on_latch(self.switch.latch(), clock::now());
        self.perform(step, None).await;
        self.tell_kill();
    }

    fn tell_kill(&mut self) {
        self.outbox.event(&TradeEvent::Kill(self.switch.report()));
        self.dirty = true;
    }

    async fn on_report(&mut self, report: Report) {
        let now = clock::now();
        let step = match report {
            Report::Posted { key, answer, begun } => self.desk.on_posted(&key, answer, begun, now),
            Report::Cancelled { orders, result } => self.desk.on_cancelled(&orders, &result, now),
            Report::LookedUp { order, begun, result } => self.desk.on_lookup(&order, begun, result, now),
            Report::Snapshot { begun, result } => self.desk.on_snapshot(begun, result, now),
            Report::Balances(result) => self.desk.on_balances(result, now),
            Report::Heartbeat(result) => {
                self.desk.on_heartbeat(result.map_err(|error| error.to_string()), now);
                Step::default()
            }
        };
        self.dirty = true;
        self.perform(step, None).await;
    }

    async fn on_tick(&mut self) {
        let link = self.link.borrow().clone();
        self.desk.health.bus = match link {
            BusLink::Down(why) => Some(format!("bus unreachable: {why}")),
            BusLink::Degraded(why) => Some(why),
            BusLink::Up if self.switch.is_bus_known() => None,
            BusLink::Up => Some("the latch on the bus is not known yet".into()),
        };
        if !self.backlog.is_empty() && Instant::now() >= self.ledger_again_at {
            self.flush_ledger().await;
        }
        self.take_data().await;
        if let Some(skew) = self.calls.venue().skew() {
            self.desk.on_skew(skew);
        }
        let step = self.desk.on_tick(clock::now());
        self.perform(step, None).await;
        let due = if self.dirty { STATE_AFTER } else { STATE_EVERY };
        if self.told_at.is_none_or(|told| told.elapsed() >= due) {
            self.tell_state();
        }
    }

    async fn take_data(&mut self) {
        for data in self.feed.take() {
            let step = self.desk.on_data(data, clock::now());
            self.perform(step, None).await;
        }
    }

    async fn on_consumed(&mut self, consumed: Consumed) {
        match consumed {
            Consumed::Idle => {
                if !self.switch.is_armed() {
                    self.switch.step(KillStep::QueueDrained);
                }
            }
            Consumed::Entry(entry) => {
                self.take_data().await;
                let venue = self.calls.venue();
                let step = self.desk.on_entry(&entry, &|approved, market| sign(venue, approved, market), clock::now());
                self.perform(step, Some(entry)).await;
            }
        }
    }

    /// Does what was decided: at once what is urgent, the rest once its writes are durable.
    async fn perform(&mut self, step: Step, entry: Option<Entry>) {
        let mut steps = VecDeque::from([(step, entry)]);
        while let Some((step, entry)) = steps.pop_front() {
            let Step { writes, urgent, after } = step;
            for effect in urgent {
                steps.extend(self.act(effect).map(|step| (step, None)));
            }
            let waiting = Waiting { writes, after, entry };
            for step in self.settle(waiting).await {
                steps.push_back((step, None));
            }
        }
    }

    /// Commits and then acts; while the ledger fails, order is kept and everything waits.
    async fn settle(&mut self, waiting: Waiting) -> Vec<Step> {
        if !self.backlog.is_empty() {
            if !waiting.writes.is_empty() || !waiting.after.is_empty() {
                self.backlog.push_back(waiting);
            }
            return Vec::new();
        }
        self.dirty |= !waiting.writes.is_empty();
        let committed = if waiting.writes.is_empty() { Ok(()) } else { self.ledger.commit(&waiting.writes).await };
        match committed {
            Ok(()) => waiting.after.into_iter().filter_map(|effect| self.act(effect)).collect(),
            Err(LedgerError::Duplicate { .. }) if waiting.entry.is_some() => {
                waiting.entry.map(|entry| self.desk.on_taken_before(&entry)).into_iter().collect()
            }
            Err(LedgerError::Duplicate { intent, attempt }) => vec![self.desk.on_duplicate(&intent, attempt)],
            Err(error) => {
                self.ledger_failed(&error);
                self.backlog.push_back(waiting);
                Vec::new()
            }
        }
    }

    fn ledger_failed(&mut self, error: &LedgerError) {
        tracing::error!(%error, waiting = self.backlog.len(), "the ledger does not commit: no new orders");
        self.desk.health.ledger = Some(error.to_string());
        self.ledger_again_at = Instant::now() + LEDGER_AGAIN;
        self.dirty = true;
    }

    /// Tries what waits for the ledger, oldest first.
    async fn flush_ledger(&mut self) {
        let mut waiting = std::mem::take(&mut self.backlog);
        while let Some(next) = waiting.pop_front() {
            let steps = self.settle(next).await;
            if !self.backlog.is_empty() {
                // Failed again: what it was, and everything behind it, keeps its place.
                self.backlog.append(&mut waiting);
                return;
            }
            for step in steps {
                Box::pin(self.perform(step, None)).await;
            }
        }
        if self.desk.health.ledger.take().is_some() {
            tracing::info!("the ledger commits again");
        }
    }

    /// One effect; what follows from it is a step of its own.
    fn act(&mut self, effect: Effect) -> Option<Step> {
        match effect {
            Effect::Post(key) => match self.desk.clear_to_send(&key, clock::now()) {
                Ok((signed, step)) => {
                    self.calls.post(key, signed);
                    return Some(step);
                }
                Err(step) => return Some(step),
            },
            Effect::Cancel(orders) => self.calls.cancel(orders),
            Effect::Lookup { order, since } => self.calls.lookup(order, since),
            Effect::Snapshot { since } => self.calls.snapshot(since),
            Effect::Balances { tokens, refresh } => self.calls.balances(tokens, refresh),
            Effect::Heartbeat => self.calls.heartbeat(),
            Effect::Emit(event) => {
                self.outbox.event(&event);
                self.dirty = true;
            }
            Effect::DeadLetter(letter) => {
                self.outbox.dead_letter(letter);
            }
            Effect::Ack(id) => {
                if let Err(error) = self.acks.try_send(id) {
                    tracing::warn!(%error, "an entry was not acknowledged; it comes again and is known then");
                }
            }
            Effect::Kill(why) => {
                let latch = self.switch.latch();
                let at = clock::now().max(latch.at);
                self.switch.trip(KillLatch { state: KillState::Killed, by: "hermes".into(), why, at, ..latch });
            }
            Effect::Disturb(why) => self.switch.disturb(&why),
        }
        None
    }

    /// Does what a person wants done about a dead letter.
    pub(super) async fn letter(&mut self, action: &Action, by: &str) -> Result<(), Vec<String>> {
        let now = clock::now();
        let step = match action {
            Action::DlqRetry { id } => {
                let venue = self.calls.venue();
                self.desk.retry_dead_letter(id, by, &|approved, market| sign(venue, approved, market), now)?
            }
            Action::DlqDrop { id, why } => self.desk.drop_dead_letter(id, by, why, now)?,
            Action::Kill { .. } | Action::Arm { .. } | Action::SetParams { .. } | Action::RollbackParams { .. } => {
                Step::default()
            }
        };
        self.perform(step, None).await;
        Ok(())
    }

    fn tell_state(&mut self) {
        let state = self.desk.snapshot(self.switch.report(), self.outbox.seq(), clock::now());
        self.outbox.state(&state);
        self.dirty = false;
        self.told_at = Some(Instant::now());
    }
}

/// Signs, and says how long that took.
fn sign(venue: &dyn ExecutionVenue, approved: &Approved<OrderIntent>, market: &Market) -> Result<Signed, SignError> {
    let begun = clock::now();
    venue.sign(approved, market).map(|order| Signed { order, begun, done: clock::now() })
}
