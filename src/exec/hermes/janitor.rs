//! Keeps the order streams from growing for ever. Nothing that a group still needs goes, and nothing is cut by count: only what
//! is older than it need be kept. The ledger has every intent that was taken and every dead letter.

use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::super::Settings;
use crate::bus::{BusError, BusRef, EntryId, Stream};
use crate::clock;

const EVERY: Duration = Duration::from_mins(1);

/// Trims until the end.
pub(super) async fn run(bus: BusRef, settings: Settings, end: CancellationToken) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = end.cancelled() => return,
        }
        tokio::select! {
            () = sweep(&bus, &settings) => {}
            () = end.cancelled() => return,
        }
    }
}

async fn sweep(bus: &BusRef, settings: &Settings) {
    for (stream, kept) in [(Stream::Signals, settings.signals_kept), (Stream::Dlq, settings.dead_letters_kept)] {
        match bus.trim(stream, EntryId::at(clock::now().minus(kept))).await {
            Ok(trimmed) if trimmed.removed > 0 => tracing::info!(%stream, removed = trimmed.removed, "trimmed"),
            // The consumer makes the group again, and then it is known what was delivered.
            Ok(_) | Err(BusError::NoGroup { .. }) => {}
            Err(error) => tracing::warn!(%stream, %error, "not trimmed; tried again in a minute"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::memory::MemoryBus;
    use crate::bus::{Group, ReadFrom};
    use crate::domain::Mode;
    use bytes::Bytes;

    #[tokio::test]
    async fn what_is_old_and_done_with_goes_and_nothing_else() {
        let settings = Settings {
            mode: Mode::Sim,
            state_dir: std::path::PathBuf::new(),
            reconcile_every: Duration::ZERO,
            heartbeat_every: Duration::ZERO,
            claim_after: Duration::ZERO,
            signals_kept: Duration::ZERO,
            dead_letters_kept: Duration::from_hours(1),
        };
        let bus: BusRef = MemoryBus::new();
        let (stream, group) = (Stream::Signals, Group::Hermes);
        sweep(&bus, &settings).await;
        bus.create_group(stream, group).await.expect("made");
        let mut ids = Vec::new();
        for payload in ["acked", "pending", "new"] {
            ids.push(bus.append(stream, Bytes::from(payload)).await.expect("appended"));
            bus.append(Stream::Dlq, Bytes::from(payload)).await.expect("appended");
        }
        bus.read_group(stream, group, "c", ReadFrom::New, 2, Duration::ZERO).await.expect("read");
        bus.ack(stream, group, &ids[..1]).await.expect("acked");
        // Ids are milliseconds: what was appended in this one is not older than now.
        tokio::time::sleep(Duration::from_millis(2)).await;
        sweep(&bus, &settings).await;
        let left: Vec<_> = bus.tail(stream, 9).await.expect("read").into_iter().map(|entry| entry.payload).collect();
        assert_eq!(left, ["pending", "new"]);
        assert_eq!(bus.len(Stream::Dlq).await, Ok(3), "letters are kept for an hour here");
    }
}
