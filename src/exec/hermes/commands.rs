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

/// A command on its way to the loop.
#[derive(Debug)]
pub(in crate::exec) struct Ask {
    /// What is asked.
    pub(in crate::exec) command: Command,
    /// Where the answer goes.
    pub(in crate::exec) reply: oneshot::Sender<Ack>,
}

/// Obeys what is appended from now on, until the end.
pub(super) async fn tail(
    bus: BusRef,
    switch: Arc<KillSwitch>,
    asks: mpsc::Sender<Ask>,
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
    asks: &mpsc::Sender<Ask>,
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
pub(in crate::exec) async fn obey(command: Command, switch: &KillSwitch, asks: &mpsc::Sender<Ask>) -> Ack {
    let id = command.id.clone();
    let ack = |verdict| Ack { id: id.clone(), by: "hermes".into(), verdict, version: None, at: clock::now() };
    let denied = |reason: &str| ack(AckVerdict::Denied { reasons: vec![reason.to_owned()] });
    if let Action::Kill { why } = &command.action {
        let latch = switch.latch();
        let at = clock::now().max(latch.at);
        switch.trip(KillLatch { state: KillState::Killed, by: command.actor.clone(), why: why.clone(), at, ..latch });
        return ack(AckVerdict::Applied);
    }
    if command.expires_at < clock::now() {
        return denied("it has expired");
    }
    let (reply, answer) = oneshot::channel();
    if asks.try_send(Ask { command, reply }).is_err() {
        return denied("hermes is too busy or is ending");
    }
    match tokio::time::timeout(ANSWER, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) | Err(_) => denied("hermes did not answer in time"),
    }
}
