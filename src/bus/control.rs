//! How the desk is stopped and armed over the bus. Killing writes the latch where every daemon looks; arming asks Hermes.

use std::time::Duration;

use uuid::Uuid;

use super::{BusError, BusRef, Channel, CodecError, EntryId, Envelope, Key, Origin, Stream, decode, encode};
use crate::domain::{Ack, AckVerdict, Action, Command, KillLatch, KillState, Timestamp};

/// How long a command may wait for a daemon before it is worthless.
pub const COMMAND_LIFE: Duration = Duration::from_secs(10);
/// Acknowledgements read at a time.
const ACKS: usize = 100;

/// Why a control message did not get through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The bus failed.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The latch on the bus cannot be read; it counts as killed.
    #[error("control.kill: {0}")]
    Codec(#[from] CodecError),
}

/// Reads the latch that lies on the bus.
///
/// # Errors
/// When the bus fails or the latch cannot be read; both mean: do not trade.
pub async fn latch(bus: &BusRef) -> Result<Option<KillLatch>, ControlError> {
    let Some(payload) = bus.get(&Key::Kill).await? else { return Ok(None) };
    Ok(Some(read_latch(&payload)?))
}

/// The latch in what [`Key::Kill`] holds.
///
/// # Errors
/// When it cannot be read; it counts as killed.
pub fn read_latch(payload: &[u8]) -> Result<KillLatch, CodecError> {
    let envelope: Envelope<KillLatch> = decode(payload)?;
    Ok(envelope.body)
}

/// As [`put_latch`], but only in the place of `before`, which is what [`Key::Kill`] held when it was looked at: says whether it was so. A
/// kill that was put there since is not overwritten.
///
/// # Errors
/// When it is not known whether it was written, or it could not be pushed.
pub async fn replace_latch(
    bus: &BusRef,
    origin: &Origin,
    before: Option<&[u8]>,
    latch: &KillLatch,
    now: Timestamp,
) -> Result<bool, ControlError> {
    let payload = encode(&origin.wrap(latch, now))?;
    if !bus.replace(&Key::Kill, before, payload.clone()).await? {
        return Ok(false);
    }
    bus.publish(Channel::Kill, payload).await?;
    Ok(true)
}

/// Puts a latch on the bus: the key first, which lasts, then the push, which is fast.
///
/// # Errors
/// When either could not be written.
pub async fn put_latch(bus: &BusRef, origin: &Origin, latch: &KillLatch, now: Timestamp) -> Result<(), ControlError> {
    let payload = encode(&origin.wrap(latch, now))?;
    let kept = bus.set(&Key::Kill, payload.clone()).await;
    bus.publish(Channel::Kill, payload).await?;
    Ok(kept?)
}

/// Kills over the bus: in the epoch in force, whatever can be learned of it.
///
/// # Errors
/// When the latch could not be written.
pub async fn kill(
    bus: &BusRef,
    origin: &Origin,
    by: &str,
    why: &str,
    now: Timestamp,
) -> Result<KillLatch, ControlError> {
    let epoch = match latch(bus).await {
        Ok(Some(latch)) => latch.epoch,
        Ok(None) | Err(_) => 0,
    };
    let latch = KillLatch { epoch, state: KillState::Killed, by: by.to_owned(), why: why.to_owned(), at: now };
    put_latch(bus, origin, &latch, now).await?;
    Ok(latch)
}

/// A command, not sent yet.
#[must_use]
pub fn make(actor: &str, action: Action, now: Timestamp) -> Command {
    Command {
        id: Uuid::new_v4().to_string(),
        actor: actor.to_owned(),
        issued_at: now,
        expires_at: now.plus(COMMAND_LIFE),
        action,
    }
}

/// Puts a command on `control.commands`; its acknowledgement appears on `control.acks` under the returned id.
///
/// # Errors
/// When it could not be written.
pub async fn command(
    bus: &BusRef,
    origin: &Origin,
    actor: &str,
    action: Action,
    now: Timestamp,
) -> Result<Command, ControlError> {
    let command = make(actor, action, now);
    bus.append(Stream::Commands, encode(&origin.wrap(&command, now))?).await?;
    Ok(command)
}

/// Puts a command on `control.commands` and waits for its final acknowledgement. When none comes within `patience`, gives the one that it
/// is being done, if that came.
///
/// # Errors
/// When the bus fails. The command may have been taken all the same.
pub async fn ask(
    bus: &BusRef,
    origin: &Origin,
    command: &Command,
    patience: Duration,
    now: Timestamp,
) -> Result<Option<Ack>, ControlError> {
    // Noted before the command is sent, or its answer could come before we look.
    let mut after = bus.tail(Stream::Acks, 1).await?.last().map_or(EntryId::START, |entry| entry.id);
    bus.append(Stream::Commands, encode(&origin.wrap(command, now))?).await?;
    let mut taken = None;
    let answered = tokio::time::timeout(patience, async {
        loop {
            for entry in bus.read(Stream::Acks, after, ACKS, patience).await? {
                after = entry.id;
                // What cannot be read is not the answer to a command of this version.
                if let Ok(Envelope::<Ack> { body, .. }) = decode(&entry.payload)
                    && body.id == command.id
                {
                    if body.verdict != AckVerdict::Accepted {
                        return Ok(body);
                    }
                    taken = Some(body);
                }
            }
        }
    })
    .await;
    answered.map_or(Ok(taken), |answer| answer.map(Some))
}
