//! Commands that the loop answers. Arming lifts the latch: only when a person asks, only when everything is proved, and written
//! everywhere before it counts.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::super::desk::Step;
use super::super::kill::{Heard, KillSwitch, LatchFile};
use super::commands::{Asked, Reply, answer, conclude};
use super::effects::sign;
use super::runner::Runner;
use super::scribe::Waiting;
use crate::bus::{BusRef, Key, Origin, control};
use crate::clock;
use crate::domain::{
    Ack, AckVerdict, Action, Addressee, Command, DeadLetter, KillLatch, KillProof, KillState, Timestamp,
};
use crate::store::ledger::{Ledger, LedgerError, Write};

/// How long the latch may take to be written everywhere.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// What arming works on, beside the loop.
#[derive(Debug)]
pub(super) struct Arming {
    pub(super) places: Places,
    pub(super) tasks: TaskTracker,
    /// For the record of what came of it.
    pub(super) asks: mpsc::Sender<Asked>,
    pub(super) under_way: Option<JoinHandle<()>>,
}

/// Where the latch lies.
#[derive(Clone, Debug)]
pub(super) struct Places {
    pub(super) switch: Arc<KillSwitch>,
    pub(super) file: LatchFile,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) bus: BusRef,
    pub(super) origin: Arc<Origin>,
}

impl Runner {
    /// Answers a command that is not a kill. One about a dead letter that is not in memory waits until the ledger has told it.
    pub(super) fn command(&mut self, command: Command, reply: Reply) {
        if let Action::DlqRetry { id } | Action::DlqDrop { id, .. } = &command.action
            && !self.hands.desk.has_letter(id)
        {
            return self.hands.calls.letter(id.clone(), command, reply);
        }
        self.obey(command, reply);
    }

    /// The ledger has told, or not, the letter that a command is about.
    pub(super) fn on_letter(
        &mut self,
        command: Command,
        reply: Reply,
        told: Result<Option<Box<DeadLetter>>, LedgerError>,
    ) {
        match told {
            Ok(letter) => {
                if let Some(letter) = letter {
                    self.hands.desk.recall_letter(*letter);
                }
                self.obey(command, reply);
            }
            Err(error) => {
                let verdict = AckVerdict::Denied { reasons: vec![format!("the ledger does not tell it: {error}")] };
                self.refuse(&command, verdict, reply);
            }
        }
    }

    fn obey(&mut self, command: Command, reply: Reply) {
        let verdict = match &command.action {
            Action::Kill { .. } => AckVerdict::Applied,
            Action::Arm { .. } => match self.lifted(&command) {
                Ok((latch, heard)) => return self.arm(latch, heard, command, reply),
                Err(reasons) => AckVerdict::Denied { reasons },
            },
            Action::DlqRetry { .. } | Action::DlqDrop { .. } => match self.letter(&command) {
                Ok(step) => return self.settle_with(step, &command, reply),
                Err(reasons) => AckVerdict::Denied { reasons },
            },
            Action::SetParams { .. } | Action::RollbackParams { .. } => match self.limits(&command) {
                Ok(step) => return self.settle_with(step, &command, reply),
                Err(reasons) => AckVerdict::Denied { reasons },
            },
        };
        self.refuse(&command, verdict, reply);
    }

    /// Says at once what comes of a command that changes nothing.
    fn refuse(&mut self, command: &Command, verdict: AckVerdict, reply: Reply) {
        self.record(command, &verdict);
        let ack = self.ack(command, verdict);
        conclude(reply, ack, &self.hands.outbox.acks());
    }

    /// What a person wants of the limits. What tightens them is in force when this returns.
    fn limits(&mut self, command: &Command) -> Result<Step, Vec<String>> {
        if command.action.addressee() != Addressee::Hermes {
            return Err(vec!["the parameters of strategies are Athena's to change".to_owned()]);
        }
        self.dirty = true;
        self.hands.desk.change_limits(command, clock::now())
    }

    /// The answer to a command; one about the limits says their version.
    fn ack(&self, command: &Command, verdict: AckVerdict) -> Ack {
        let of_limits = matches!(command.action, Action::SetParams { .. } | Action::RollbackParams { .. });
        let version = of_limits.then(|| self.hands.desk.limits_version());
        Ack {
            id: command.id.clone(),
            by: "hermes".into(),
            not_heard_from: Vec::new(),
            verdict,
            version,
            at: clock::now(),
        }
    }

    /// What a person wants done about a dead letter.
    fn letter(&mut self, command: &Command) -> Result<Step, Vec<String>> {
        let (now, by) = (clock::now(), &command.actor);
        match &command.action {
            Action::DlqRetry { id } => {
                let venue = self.hands.calls.venue();
                self.hands.desk.retry_dead_letter(id, by, &|approved, market| sign(venue, approved, market), now)
            }
            Action::DlqDrop { id, why } => self.hands.desk.drop_dead_letter(id, by, why, now),
            Action::Kill { .. } | Action::Arm { .. } | Action::SetParams { .. } | Action::RollbackParams { .. } => {
                Ok(Step::default())
            }
        }
    }

    /// What was decided is said to be done once it is durable, together with its record; until then, that it is being done.
    fn settle_with(&mut self, step: Step, command: &Command, reply: Reply) {
        let mut step = step;
        step.writes.push(self.recorded(command, &AckVerdict::Applied));
        let taken = self.ack(command, AckVerdict::Accepted);
        reply.taken(taken.clone());
        answer(&self.hands.outbox.acks(), taken);
        let ack = self.ack(command, AckVerdict::Applied);
        self.settle(step, Waiting { reply: Some((reply, ack)), ..Waiting::default() });
    }

    /// Keeps who asked for what and what came of it.
    pub(super) fn record(&mut self, command: &Command, verdict: &AckVerdict) {
        let write = self.recorded(command, verdict);
        self.perform(Step { writes: vec![write], ..Step::default() }, None);
    }

    fn recorded(&self, command: &Command, verdict: &AckVerdict) -> Write {
        tracing::info!(id = %command.id, actor = %command.actor, action = ?command.action, ?verdict, "command");
        let epoch = self.hands.switch.latch().epoch;
        Write::Command { command: Box::new(command.clone()), verdict: verdict.clone(), epoch, at: clock::now() }
    }

    /// The latch that arming would put in force, and which kills it lifts.
    fn lifted(&self, command: &Command) -> Result<(KillLatch, Heard), Vec<String>> {
        let (heard, killed) = (self.hands.switch.heard(), self.hands.switch.latch());
        if self.hands.switch.is_armed() {
            return Err(vec![format!("already armed in epoch {}", killed.epoch)]);
        }
        if self.hands.arming.under_way.as_ref().is_some_and(|task| !task.is_finished()) {
            return Err(vec!["another arming is under way".into()]);
        }
        let now = clock::now();
        let reasons = self.reasons_against(now);
        if !reasons.is_empty() {
            return Err(reasons);
        }
        let why = if let Action::Arm { why } = &command.action { why.clone() } else { String::new() };
        let latch = KillLatch {
            epoch: killed.epoch + 1,
            state: KillState::Armed,
            by: command.actor.clone(),
            why,
            // Later than the kills that it lifts, even when those were dated by a clock ahead of ours.
            at: now.max(heard.at),
        };
        Ok((latch, heard))
    }

    fn reasons_against(&self, now: Timestamp) -> Vec<String> {
        let mut reasons = match self.hands.switch.report().proof {
            KillProof::Proved { .. } => Vec::new(),
            KillProof::Incomplete { why } => vec![format!("the kill is not proved: {why}")],
            KillProof::Proving { zero_seen } => vec![format!("the kill is not proved yet: zero seen {zero_seen}/3")],
            KillProof::None => vec!["the kill is not proved yet".into()],
        };
        reasons.extend(self.hands.desk.objections(now));
        reasons
    }

    fn arm(&mut self, latch: KillLatch, heard: Heard, command: Command, reply: Reply) {
        let (places, asks) = (self.hands.arming.places.clone(), self.hands.arming.asks.clone());
        let answers = self.hands.outbox.acks();
        let task = self.hands.arming.tasks.spawn(async move {
            let verdict = match places.arm(latch, heard).await {
                Ok(()) => AckVerdict::Applied,
                Err(reason) => AckVerdict::Denied { reasons: vec![reason] },
            };
            let ack = Ack {
                id: command.id.clone(),
                by: "hermes".into(),
                not_heard_from: Vec::new(),
                verdict: verdict.clone(),
                version: None,
                at: clock::now(),
            };
            conclude(reply, ack, &answers);
            if asks.send(Asked::Answered { command, verdict }).await.is_err() {
                tracing::warn!("the loop ended before an arming was recorded");
            }
        });
        self.hands.arming.under_way = Some(task);
    }
}

impl Places {
    /// What keeps it from being begun leaves the kill as proved as it was; what comes in between kills anew.
    async fn arm(&self, latch: KillLatch, heard: Heard) -> Result<(), String> {
        let lying = tokio::time::timeout(WRITE_WITHIN, self.own_latch(&latch, &heard)).await;
        let lying = lying.unwrap_or_else(|_| Err(format!("the bus did not answer within {WRITE_WITHIN:?}")))?;
        let written = tokio::time::timeout(WRITE_WITHIN, self.write_everywhere(&latch, heard.trips, lying)).await;
        let armed = match written.unwrap_or_else(|_| Err(format!("not written everywhere within {WRITE_WITHIN:?}"))) {
            Ok(()) => self.switch.arm(latch.clone(), heard.trips),
            Err(error) => Err(error),
        };
        armed.map_err(|error| {
            let why = format!("arming failed: {error}");
            let at = clock::now().max(latch.at);
            self.switch.refuse_arming(KillLatch { why: why.clone(), by: "hermes".into(), at, ..latch });
            why
        })
    }

    /// Our latch as it lies on the bus. A further kill that lies there, of which had been heard before the arming was accepted, is lifted
    /// with it: ours is put in its place first.
    async fn own_latch(&self, arming: &KillLatch, heard: &Heard) -> Result<Option<Bytes>, String> {
        loop {
            let lying = self.bus.get(&Key::Kill).await.map_err(|error| error.to_string())?;
            let found = lying.as_deref().map(control::read_latch).transpose().map_err(|error| error.to_string())?;
            let ours = self.switch.latch();
            let Some(other) = found.filter(|found| *found != ours) else { return Ok(lying) };
            if heard.on_bus.as_ref() != Some(&other) || other.is_armed() || !arming.lifts(&other) {
                let KillLatch { by, at, why, .. } = other;
                return Err(format!(
                    "another latch has come onto the bus, by {by} at {at}: {why}; if the desk is to trade all the same, arm again in a \
                     second, when hermes has taken notice of it"
                ));
            }
            let now = clock::now();
            let replaced = control::replace_latch(&self.bus, &self.origin, lying.as_deref(), &ours, now).await;
            replaced.map_err(|error| error.to_string())?;
        }
    }

    /// The file comes last: as long as it says killed, whoever starts from it starts killed. On the bus the arming takes the place of
    /// `lying`, our own latch, and of no other.
    async fn write_everywhere(&self, latch: &KillLatch, trips: u64, lying: Option<Bytes>) -> Result<(), String> {
        self.ledger.commit(&[Write::Latch(latch.clone())]).await.map_err(|error| error.to_string())?;
        self.undisturbed(trips)?;
        let replaced = control::replace_latch(&self.bus, &self.origin, lying.as_deref(), latch, clock::now()).await;
        if !replaced.map_err(|error| error.to_string())? {
            return Err("another latch was put on the bus meanwhile".to_owned());
        }
        self.undisturbed(trips)?;
        let (file, copy) = (self.file.clone(), latch.clone());
        let written = tokio::task::spawn_blocking(move || file.write(&copy)).await;
        written.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    fn undisturbed(&self, trips: u64) -> Result<(), String> {
        if self.switch.trips() == trips { Ok(()) } else { Err("killed again meanwhile".to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::memory::MemoryBus;
    use crate::exec::kill::watch::obey_bus;
    use crate::store::sqlite::SqliteLedger;

    fn latch(epoch: u64, state: KillState, by: &str, secs: i64) -> KillLatch {
        KillLatch { epoch, state, by: by.into(), why: "test".into(), at: Timestamp::from_secs(secs) }
    }

    /// A desk that was killed in epoch 3, whose latch lies on the bus.
    async fn killed(dir: &std::path::Path) -> Places {
        let latch = latch(3, KillState::Killed, "hermes", 100);
        let (bus, origin): (BusRef, _) = (MemoryBus::new(), Arc::new(Origin::new("hermes", "h")));
        control::put_latch(&bus, &origin, &latch, latch.at).await.expect("written");
        let switch = Arc::new(KillSwitch::new(latch.clone()));
        obey_bus(&switch, latch);
        let ledger = Arc::new(SqliteLedger::open(&dir.join("ledger.db")).await.expect("opens"));
        Places { switch, file: LatchFile::in_dir(dir), ledger, bus, origin }
    }

    /// As `cockpit kill` does it: the bus is written beside the socket, which may be quicker.
    #[tokio::test]
    async fn a_desk_that_was_killed_again_is_armed_at_the_first_attempt_once_that_was_heard_of() {
        let dir = tempfile::tempdir().expect("dir");
        let places = killed(dir.path()).await;
        let switch = &places.switch;
        switch.trip(latch(3, KillState::Killed, "cli:bob", 102));
        let cli = Origin::new("cli", "c");
        let again = control::kill(&places.bus, &cli, "cli:bob", "test", Timestamp::from_secs(101)).await;
        let again = again.expect("written");
        let arming = latch(4, KillState::Armed, "cli:alice", 103);

        let (report, heard) = (switch.report(), switch.heard());
        let refused = places.arm(arming.clone(), heard.clone()).await.expect_err("nobody has heard of it");
        assert!(refused.contains("by cli:bob") && refused.contains("arm again"), "{refused}");
        obey_bus(switch, again);
        places.arm(arming.clone(), heard).await.expect_err("it was heard of after the arming was accepted");
        assert_eq!((switch.report(), switch.trips()), (report, 2), "as proved as before");
        places.arm(arming.clone(), switch.heard()).await.expect("armed");
        assert_eq!((switch.latch(), control::latch(&places.bus).await), (arming.clone(), Ok(Some(arming))));
    }

    #[tokio::test]
    async fn a_latch_of_a_later_epoch_is_not_lifted_though_it_was_heard_of() {
        let dir = tempfile::tempdir().expect("dir");
        let places = killed(dir.path()).await;
        for state in [KillState::Killed, KillState::Armed] {
            let other = latch(9, state, "hermes", 101);
            control::put_latch(&places.bus, &places.origin, &other, other.at).await.expect("written");
            obey_bus(&places.switch, other.clone());
            let arming = latch(4, KillState::Armed, "cli:alice", 103);
            places.arm(arming, places.switch.heard()).await.expect_err("another desk's");
            assert_eq!(control::latch(&places.bus).await, Ok(Some(other)), "it lies where it lay");
        }
    }
}
