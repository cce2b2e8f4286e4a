//! Commands from `control.commands`. A kill is obeyed here, without waiting for the loop; the rest is asked of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::super::kill::KillSwitch;
use crate::bus::{BusError, BusRef, EntryId, Envelope, Stream, decode};
use crate::clock;
use crate::domain::{Ack, AckVerdict, Action, Addressee, Command, KillLatch, KillState};

const BLOCK: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(250);
const BATCH: usize = 16;
/// How long the loop may take to answer.
const ANSWER: Duration = Duration::from_secs(20);

/// What reaches the loop of a command.
#[derive(Debug)]
pub(in crate::exec) enum Asked {
    /// It is to be carried out.
    Question {
        /// What is asked.
        command: Command,
        /// Where the answer goes.
        reply: oneshot::Sender<Ack>,
    },
    /// It was answered without the loop, and is to be kept for the record.
    Answered {
        /// What was asked.
        command: Command,
        /// What was answered.
        verdict: AckVerdict,
    },
    /// The dead letter of this id is on the bus, which is to be kept.
    Published(String),
}

/// Obeys what is appended from now on, until the end.
pub(super) async fn tail(
    bus: BusRef,
    switch: Arc<KillSwitch>,
    asks: mpsc::Sender<Asked>,
    answers: mpsc::Sender<Ack>,
    end: CancellationToken,
) {
    let mut after: Option<EntryId> = None;
    loop {
        let followed = tokio::select! {
            followed = follow(&bus, &switch, &asks, &answers, &mut after) => followed,
            () = end.cancelled() => return,
        };
        if let Err(error) = followed {
            tracing::warn!(%error, "control.commands cannot be read, trying again");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn follow(
    bus: &BusRef,
    switch: &KillSwitch,
    asks: &mpsc::Sender<Asked>,
    answers: &mpsc::Sender<Ack>,
    after: &mut Option<EntryId>,
) -> Result<(), BusError> {
    loop {
        let from = match *after {
            Some(from) => from,
            // What was asked before this run was asked of another.
            None => bus.tail(Stream::Commands, 1).await?.last().map_or(EntryId::START, |entry| entry.id),
        };
        *after = Some(from);
        for entry in bus.read(Stream::Commands, from, BATCH, BLOCK).await? {
            *after = Some(entry.id);
            let command = match decode::<Command>(&entry.payload) {
                Ok(Envelope { body, .. }) => body,
                Err(error) => {
                    tracing::warn!(entry = %entry.id, %error, "a command cannot be read");
                    continue;
                }
            };
            if command.action.addressee() != Addressee::Hermes {
                continue;
            }
            let ack = obey(command, switch, asks).await;
            if let Err(error) = answers.try_send(ack) {
                tracing::warn!(%error, "an acknowledgement was lost");
            }
        }
    }
}

/// Carries a command out and says what came of it.
pub(super) async fn obey(command: Command, switch: &KillSwitch, asks: &mpsc::Sender<Asked>) -> Ack {
    let id = command.id.clone();
    let ack = |verdict| Ack { id: id.clone(), by: "hermes".into(), verdict, version: None, at: clock::now() };
    let denied = |reason: &str| AckVerdict::Denied { reasons: vec![reason.to_owned()] };
    if let Action::Kill { why } = &command.action {
        trip(switch, &command.actor, why);
        return ack(answered(asks, command, AckVerdict::Applied));
    }
    if command.expires_at < clock::now() {
        return ack(answered(asks, command, denied("it has expired")));
    }
    let (reply, answer) = oneshot::channel();
    if asks.try_send(Asked::Question { command, reply }).is_err() {
        return ack(denied("hermes is too busy or is ending"));
    }
    match tokio::time::timeout(ANSWER, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) | Err(_) => ack(denied("hermes did not answer in time")),
    }
}

/// Closes the gate, in the epoch in force.
pub(super) fn trip(switch: &KillSwitch, by: &str, why: &str) {
    let latch = switch.latch();
    let at = clock::now().max(latch.at);
    switch.trip(KillLatch { state: KillState::Killed, by: by.to_owned(), why: why.to_owned(), at, ..latch });
}

/// Has the loop keep the record. A loop that is too busy for it leaves it to the log: no command waits for its record.
fn answered(asks: &mpsc::Sender<Asked>, command: Command, verdict: AckVerdict) -> AckVerdict {
    let told = format!("{:?} of {} by {}: {verdict:?}", command.action, command.id, command.actor);
    if asks.try_send(Asked::Answered { command, verdict: verdict.clone() }).is_err() {
        tracing::error!(%told, "a command is only recorded here");
    }
    verdict
}
