//! What Athena writes besides signals: events in order, and the newest snapshot.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::{error, warn};

use super::sequence::UpTo;
use super::together::joined;
use crate::bus::{BusRef, Key, Origin, Stream, decode, encode};
use crate::clock;
use crate::domain::{AthenaState, StrategyId, Symbol, TradeEvent};
use crate::pipeline::athena::{SavedState, Shard};

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

/// What is kept under keys, all as of the same event.
pub(super) struct Snapshot {
    /// How she stands.
    pub(super) state: AthenaState,
    /// Up to where that goes.
    pub(super) heard: UpTo,
    /// What her strategies remember, as far as it has changed.
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
    pub(super) fn start(bus: &BusRef, boot: &str, shard: Shard) -> Self {
        let (snapshots, receiver) = mpsc::channel(1);
        let writer = Writer {
            bus: Arc::clone(bus),
            origin: Origin::new("athena", boot),
            shard,
            unwritten: HashMap::new(),
            up: true,
        };
        Self { snapshots, task: tokio::spawn(writer.run(receiver)) }
    }

    /// Room for a snapshot, unless one is waiting already. What is put there is written, however long that takes.
    pub(super) fn room(&self) -> Option<mpsc::OwnedPermit<Snapshot>> {
        self.snapshots.clone().try_reserve_owned().ok()
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

/// The writer. What could not be written waits, newer in the place of older: never more than every key once.
#[derive(Debug)]
struct Writer {
    bus: BusRef,
    origin: Origin,
    shard: Shard,
    unwritten: HashMap<Key, Bytes>,
    up: bool,
}

impl Writer {
    async fn run(mut self, mut snapshots: mpsc::Receiver<Snapshot>) {
        while let Some(snapshot) = snapshots.recv().await {
            let state = self.of_all(snapshot.state).await;
            self.put(if self.shard.is_first() { Key::ATHENA } else { Key::Shard(self.shard.index()) }, &state);
            self.put(Key::Heard(self.shard.index()), &snapshot.heard);
            for ((strategy, symbol), saved) in snapshot.saved {
                match saved() {
                    Ok((head, chunks)) => {
                        for (place, chunk) in chunks {
                            self.put(Key::Chunk(strategy.clone(), symbol.clone(), place), &chunk);
                        }
                        self.put(Key::Strategy(strategy, symbol), &head);
                    }
                    Err(error) => error!(%strategy, %symbol, %error, "its state cannot be written"),
                }
            }
            self.write().await;
        }
    }

    /// The first speaks for all: the cockpit reads one snapshot, however many Athenas there are.
    async fn of_all(&self, own: AthenaState) -> AthenaState {
        if !self.shard.is_first() {
            return own;
        }
        let others: Vec<Shard> = self.shard.others().collect();
        let keys: Vec<Key> = others.iter().map(|shard| Key::Shard(shard.index())).collect();
        // While the bus is away nothing is written either.
        let found = self.bus.get_all(&keys).await.unwrap_or_default();
        let readable = |payload: Option<Bytes>| Some(decode::<AthenaState>(&payload?).ok()?.body);
        let states = others.into_iter().zip(found.into_iter().map(readable));
        states.fold(own, |all, (shard, state)| match state {
            Some(state) => joined(all, state, shard, clock::now()),
            None => all,
        })
    }

    fn put<T: serde::Serialize>(&mut self, key: Key, value: &T) {
        match encode(&self.origin.wrap(value, clock::now())) {
            Ok(payload) => {
                self.unwritten.insert(key, payload);
            }
            Err(error) => error!(%key, %error, "it cannot be written"),
        }
    }

    async fn write(&mut self) {
        let values = self.unwritten.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        let written = self.bus.set_all(values).await;
        if let Err(error) = &written
            && self.up
        {
            warn!(%error, "snapshot could not be written; trying on");
        }
        self.up = written.is_ok();
        if self.up {
            self.unwritten.clear();
        }
    }
}
