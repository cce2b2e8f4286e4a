//! Listening for the kill: the push on the bus, changes of the latch file, and polls of key and file as a backstop. Each in its
//! own task, never behind market data, orders or one another.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::changes::Changes;
use super::{FileLatch, KillSwitch, LatchFile};
use crate::bus::{BusError, BusRef, Channel, Delivery, Envelope, Key, Origin, control, decode};
use crate::clock;
use crate::domain::{KillLatch, KillState};

const POLL_EVERY: Duration = Duration::from_millis(500);
const RESUBSCRIBE_AFTER: Duration = Duration::from_millis(500);
/// Latches kept for us while we are busy; only the newest matters.
const PUSHES_KEPT: usize = 16;

/// Obeys what is pushed on `control.kill`.
pub(in crate::exec) async fn pushes(switch: Arc<KillSwitch>, bus: BusRef, shutdown: CancellationToken) {
    loop {
        let listened = tokio::select! {
            listened = listen(&switch, &bus) => listened,
            () = shutdown.cancelled() => return,
        };
        if let Err(error) = listened {
            tracing::warn!(%error, "no kill pushes, the key is polled meanwhile");
        }
        tokio::time::sleep(RESUBSCRIBE_AFTER).await;
    }
}

async fn listen(switch: &KillSwitch, bus: &BusRef) -> Result<(), BusError> {
    let mut subscription = bus.subscribe(&[Channel::Kill], PUSHES_KEPT).await?;
    while let Some(delivery) = subscription.recv().await {
        let Delivery::Message { payload, .. } = delivery else { continue };
        match decode::<KillLatch>(&payload) {
            Ok(Envelope { body, .. }) => obey_bus(switch, body),
            Err(error) => doubt(switch, &format!("a push on control.kill cannot be read: {error}")),
        }
    }
    Ok(())
}

/// Reads the latch file whenever it changes, and now and then in case that was not told; in a task of its own: a bus that does
/// not answer delays nothing here.
pub(in crate::exec) async fn follows_file(switch: Arc<KillSwitch>, file: LatchFile, shutdown: CancellationToken) {
    let mut changes = watched(&file);
    let mut every = tokio::time::interval(POLL_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            told = next(changes.as_ref()) => if let Err(error) = told {
                tracing::warn!(%error, "changes of the latch file are not told any more, it is polled");
                changes = None;
            },
            _ = every.tick() => {}
            () = shutdown.cancelled() => return,
        }
        read_file(&switch, &file).await;
    }
}

fn watched(file: &LatchFile) -> Option<Changes> {
    let watched = Changes::of(file.path());
    watched.inspect_err(|error| tracing::warn!(%error, "the latch file cannot be watched, it is polled")).ok()
}

async fn next(changes: Option<&Changes>) -> std::io::Result<()> {
    match changes {
        Some(changes) => changes.next().await,
        None => std::future::pending().await,
    }
}

async fn read_file(switch: &KillSwitch, file: &LatchFile) {
    let reader = file.clone();
    // The gate is looked at first: a latch written by an arming after our read must not be judged by the old state.
    let trips = switch.trips();
    match tokio::task::spawn_blocking(move || reader.read()).await {
        Ok(FileLatch::Present(latch)) => obey(switch, latch),
        Ok(FileLatch::Absent) if switch.is_armed() && switch.trips() == trips => {
            doubt(switch, "the latch file is gone");
        }
        Ok(FileLatch::Unreadable(why)) => doubt(switch, &format!("latch file unreadable: {why}")),
        Ok(FileLatch::Absent) => {}
        Err(error) => doubt(switch, &format!("latch file unreadable: {error}")),
    }
}

/// Polls the key; puts our latch where it is missing or milder than ours, unless another speaks for the account.
pub(in crate::exec) async fn polls_key(
    switch: Arc<KillSwitch>,
    bus: BusRef,
    origin: Arc<Origin>,
    may_speak: impl Fn() -> bool + Send + Sync,
    shutdown: CancellationToken,
) {
    let mut every = tokio::time::interval(POLL_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = shutdown.cancelled() => return,
        }
        tokio::select! {
            () = poll_key(&switch, &bus, &origin, &may_speak) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

async fn poll_key(switch: &KillSwitch, bus: &BusRef, origin: &Origin, may_speak: &(impl Fn() -> bool + Sync)) {
    // An unreachable bus is shown as such by the runner; it brings no orders either.
    let Ok(lying) = bus.get(&Key::Kill).await else { return };
    let found = match lying.as_deref().map(control::read_latch).transpose() {
        Ok(found) => found,
        Err(error) => {
            doubt(switch, &format!("the latch on the bus cannot be read: {error}"));
            None
        }
    };
    if let Some(latch) = &found {
        obey_bus(switch, latch.clone());
    }
    let ours = switch.latch();
    if found.as_ref() == Some(&ours) {
        return switch.bus_is_known();
    }
    if !may_speak() {
        return;
    }
    match control::replace_latch(bus, origin, lying.as_deref(), &ours, clock::now()).await {
        // Written while a kill came: the next poll puts that one.
        Ok(true) => switch.bus_is_known(),
        // Somebody else was quicker: the next poll obeys him.
        Ok(false) => {}
        Err(error) => tracing::warn!(%error, "the latch could not be put on the bus"),
    }
}

/// A latch from elsewhere can only make ours stricter. While ours is killed, one that was killed later overrules an arming that is
/// under way.
fn obey(switch: &KillSwitch, seen: KillLatch) {
    if !seen.is_armed() && !switch.latch().stricter(seen.clone()).is_armed() {
        switch.trip(seen);
    }
}

/// An arming that is accepted after this lifts it, if it was a kill.
pub(in crate::exec) fn obey_bus(switch: &KillSwitch, seen: KillLatch) {
    obey(switch, seen.clone());
    switch.seen_on_bus(seen);
}

fn doubt(switch: &KillSwitch, why: &str) {
    let latch = switch.latch();
    if latch.is_armed() {
        switch.trip(KillLatch {
            state: KillState::Killed,
            by: "hermes".into(),
            why: why.to_owned(),
            at: clock::now().max(latch.at),
            ..latch
        });
    }
}
