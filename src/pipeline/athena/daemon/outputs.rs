//! What Athena writes besides signals: events in order, and the newest snapshot.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::{error, warn};

use super::super::SavedState;
use crate::bus::{BusRef, Envelope, Key, Origin, Stream, encode};
use crate::clock;
use crate::domain::{AthenaState, StrategyId, Symbol, TradeEvent};

/// Events kept while the bus is down. Beyond that new ones are lost, counted and logged: trading never waits for its own story.
const OUTBOX_CAPACITY: usize = 1_024;
const RETRY_EVERY: Duration = Duration::from_millis(250);

/// How long leaving may take.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// Writes `trade.events`, in order, until each is written.
#[derive(Debug)]
pub(super) struct Outbox {
    events: mpsc::Sender<TradeEvent>,
    origin: Arc<Origin>,
    lost: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Outbox {
    /// Starts the writer.
    pub(super) fn start(bus: &BusRef, origin: Origin, lost: Arc<AtomicU64>) -> Self {
        let (events, receiver) = mpsc::channel(OUTBOX_CAPACITY);
        let origin = Arc::new(origin);
        let task = tokio::spawn(write_events(Arc::clone(bus), Arc::clone(&origin), receiver, Arc::clone(&lost)));
        Self { events, origin, lost, task }
    }

    /// Takes an event; never waits.
    pub(super) fn put(&self, event: TradeEvent) {
        if self.events.try_send(event).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            error!("trade.events: no room for another event while the bus is down; it is lost");
        }
    }

    /// The number of the last event.
    pub(super) fn seq(&self) -> u64 {
        self.origin.last()
    }

    /// Writes what is left, for as long as leaving may take.
    pub(super) async fn stop(self) {
        drop(self.events);
        finish("trade.events", self.task).await;
    }
}

async fn finish(what: &str, mut task: JoinHandle<()>) {
    if tokio::time::timeout(STOP_WITHIN, &mut task).await.is_err() {
        warn!(what, "not everything could be written before leaving");
        task.abort();
    }
}

async fn write_events(bus: BusRef, origin: Arc<Origin>, mut events: mpsc::Receiver<TradeEvent>, lost: Arc<AtomicU64>) {
    while let Some(event) = events.recv().await {
        let payload = match encode(&origin.wrap(event, clock::now())) {
            Ok(payload) => payload,
            Err(error) => {
                lost.fetch_add(1, Ordering::Relaxed);
                error!(%error, "event cannot be written");
                continue;
            }
        };
        while let Err(error) = bus.append(Stream::Events, payload.clone()).await {
            if !error.is_transient() {
                lost.fetch_add(1, Ordering::Relaxed);
                error!(%error, "event refused by the bus");
                break;
            }
            tokio::time::sleep(RETRY_EVERY).await;
        }
    }
}

/// What is kept under keys: how Athena stands, and what her strategies remember.
pub(super) struct Snapshot {
    /// `state.athena`.
    pub(super) state: AthenaState,
    /// `state.athena.<strategy>.<instrument>`.
    pub(super) saved: Vec<((StrategyId, Symbol), SavedState)>,
}

/// Writes snapshots, one at a time.
#[derive(Debug)]
pub(super) struct Keeper {
    snapshots: mpsc::Sender<Snapshot>,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Starts the writer.
    pub(super) fn start(bus: &BusRef, boot: &str) -> Self {
        let (snapshots, receiver) = mpsc::channel(1);
        let origin = Origin::new("athena", boot);
        let task = tokio::spawn(write_snapshots(Arc::clone(bus), origin, receiver));
        Self { snapshots, task }
    }

    /// Hands a snapshot over, unless one is waiting already: a newer one will follow.
    pub(super) fn offer(&self, snapshot: Snapshot) -> bool {
        self.snapshots.try_send(snapshot).is_ok()
    }

    /// Writes the last snapshot, for as long as leaving may take.
    pub(super) async fn stop(self, last: Snapshot) {
        let sent = tokio::time::timeout(STOP_WITHIN, self.snapshots.send(last)).await;
        if !matches!(sent, Ok(Ok(()))) {
            warn!("the last snapshot could not be handed over");
        }
        drop(self.snapshots);
        finish("state.athena", self.task).await;
    }
}

async fn write_snapshots(bus: BusRef, origin: Origin, mut snapshots: mpsc::Receiver<Snapshot>) {
    let mut up = true;
    while let Some(snapshot) = snapshots.recv().await {
        let mut result = set(&bus, &Key::ATHENA, &origin.wrap(&snapshot.state, clock::now())).await;
        for ((strategy, symbol), saved) in snapshot.saved {
            let kept = match saved() {
                Ok(kept) => set(&bus, &Key::Strategy(strategy, symbol), &origin.wrap(&kept, clock::now())).await,
                Err(error) => Err(error.to_string()),
            };
            result = result.and(kept);
        }
        if let Err(error) = &result
            && up
        {
            warn!(error, "snapshot could not be written; trying on");
        }
        up = result.is_ok();
    }
}

async fn set<T: serde::Serialize>(bus: &BusRef, key: &Key, value: &Envelope<T>) -> Result<(), String> {
    let payload = encode(value).map_err(|error| format!("{key}: {error}"))?;
    bus.set(key, payload).await.map_err(|error| format!("{key}: {error}"))
}
