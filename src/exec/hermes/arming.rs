//! Lifting the latch: only when a person asks, only when everything is proved, and written everywhere before it counts.

use super::runner::Runner;
use crate::bus::control;
use crate::clock;
use crate::domain::{Ack, AckVerdict, Action, Command, KillLatch, KillProof, KillState, Timestamp};
use crate::store::ledger::Write;

impl Runner {
    /// Answers a command that is not a kill.
    pub(super) async fn command(&mut self, command: Command) -> Ack {
        let verdict = match &command.action {
            Action::Arm { why } => match self.arm(&command.actor, why).await {
                Ok(()) => AckVerdict::Applied,
                Err(reasons) => AckVerdict::Denied { reasons },
            },
            Action::Kill { .. } => AckVerdict::Applied,
            Action::SetParams { .. } | Action::RollbackParams { .. } => {
                AckVerdict::Denied { reasons: vec!["parameters are Athena's to change".to_owned()] }
            }
            Action::DlqRetry { .. } | Action::DlqDrop { .. } => {
                match self.letter(&command.action, &command.actor).await {
                    Ok(()) => AckVerdict::Applied,
                    Err(reasons) => AckVerdict::Denied { reasons },
                }
            }
        };
        Ack { id: command.id, by: "hermes".into(), verdict, version: None, at: clock::now() }
    }

    async fn arm(&mut self, by: &str, why: &str) -> Result<(), Vec<String>> {
        if self.switch.is_armed() {
            return Ok(());
        }
        let now = clock::now();
        let trips = self.switch.trips();
        let killed = self.switch.latch();
        let reasons = self.reasons_against(now);
        if !reasons.is_empty() {
            return Err(reasons);
        }
        let latch = KillLatch {
            epoch: killed.epoch + 1,
            state: KillState::Armed,
            by: by.to_owned(),
            why: why.to_owned(),
            // Later than the kill that it lifts, even when that was dated by a clock ahead of ours.
            at: now.max(killed.at),
        };
        let armed = match self.write_everywhere(&latch).await {
            Ok(()) => self.switch.arm(latch.clone(), trips),
            Err(error) => Err(error),
        };
        armed.map_err(|error| {
            let why = format!("arming failed: {error}");
            let at = clock::now().max(latch.at);
            self.switch.refuse_arming(KillLatch { why: why.clone(), by: "hermes".into(), at, ..latch });
            vec![why]
        })
    }

    fn reasons_against(&self, now: Timestamp) -> Vec<String> {
        let mut reasons = match self.switch.report().proof {
            KillProof::Proved { .. } => Vec::new(),
            KillProof::Incomplete { why } => vec![format!("the kill is not proved: {why}")],
            KillProof::Proving { zero_seen } => vec![format!("the kill is not proved yet: zero seen {zero_seen}/3")],
            KillProof::None => vec!["the kill is not proved yet".into()],
        };
        reasons.extend(self.desk.objections(now));
        reasons
    }

    async fn write_everywhere(&self, latch: &KillLatch) -> Result<(), String> {
        self.ledger.commit(&[Write::Latch(latch.clone())]).await.map_err(|error| error.to_string())?;
        let (file, copy) = (self.file.clone(), latch.clone());
        let written = tokio::task::spawn_blocking(move || file.write(&copy)).await;
        written.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        control::put_latch(&self.bus, &self.control, latch, clock::now()).await.map_err(|error| error.to_string())
    }
}
