//! What Athena reads besides market data: the latch and the snapshots by polling, `trade.events` by following.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::sync::{Notify, mpsc};
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use super::{Engine, Event};
use crate::bus::{BusError, BusRef, Channel, EntryId, Key, Stream, Subscription, control, decode};
use crate::clock;
use crate::domain::{ArgosState, HermesState, PolymarketData, SignalEntry, TradeEvent};

/// The backstop behind every push.
const POLL_EVERY: Duration = Duration::from_secs(1);
const RETRY_EVERY: Duration = Duration::from_millis(250);
const BLOCK: Duration = Duration::from_secs(1);
const BATCH: usize = 256;

/// Events on their way to the engine; a reader waits when it is full.
const CAPACITY: usize = 256;

/// Signals of an earlier run that may still be in the stream unread.
const RECENT_SIGNALS: usize = 256;

/// Events from the tasks that poll and follow; dropping it ends them.
#[derive(Debug)]
pub(super) struct Inputs {
    events: mpsc::Receiver<Event>,
    refresh: Arc<Notify>,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl Inputs {
    /// Notes where `trade.events` ends, then starts to poll and to follow from there: what happens between the two is in both and
    /// counted once, by its number.
    pub(super) async fn start(bus: &BusRef, lost: Arc<AtomicU64>) -> Self {
        let (sender, events) = mpsc::channel(CAPACITY);
        let refresh = Arc::new(Notify::new());
        let newest = retry("trade.events", || bus.tail(Stream::Events, 1)).await;
        let after = newest.last().map_or(EntryId::START, |entry| entry.id);
        let poll = tokio::spawn(poll(Arc::clone(bus), sender.clone(), Arc::clone(&refresh)));
        let follow = tokio::spawn(follow(Arc::clone(bus), after, sender, lost));
        let tasks = [AbortOnDropHandle::new(poll), AbortOnDropHandle::new(follow)];
        Self { events, refresh, _tasks: tasks }
    }

    /// The next event. Cancel-safe.
    pub(super) async fn recv(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Polls at once: something was missed.
    pub(super) fn refresh(&self) {
        self.refresh.notify_one();
    }
}

/// Repeats a call until the bus answers; says so once.
pub(super) async fn retry<T, F>(what: &str, mut call: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, BusError>>,
{
    let mut told = false;
    loop {
        match call().await {
            Ok(value) => return value,
            Err(error) => {
                if !told {
                    warn!(what, %error, "waiting for the bus");
                    told = true;
                }
                tokio::time::sleep(RETRY_EVERY).await;
            }
        }
    }
}

/// Subscribes, waiting for the bus as long as it takes.
pub(super) async fn subscribe(bus: &BusRef, channels: &[Channel], capacity: usize) -> Subscription {
    retry("subscription", || bus.subscribe(channels, capacity)).await
}

/// Gives the engine what an earlier run left: the strategies' windows, and the signals that may still be unread.
pub(super) async fn restore(bus: &BusRef, engine: &mut Engine) {
    for key in engine.keys() {
        let name = Key::Strategy(key.0.clone(), key.1.clone());
        let Some(payload) = retry("strategy state", || bus.get(&name)).await else { continue };
        let restored = match decode::<Box<RawValue>>(&payload) {
            Ok(envelope) => engine.restore(&key, &envelope.body, clock::now()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = restored {
            warn!(%name, why, "the window starts cold");
        }
    }
    let mut effects = Vec::new();
    for entry in retry("trade.signals", || bus.tail(Stream::Signals, RECENT_SIGNALS)).await {
        match decode::<SignalEntry>(&entry.payload) {
            Ok(envelope) => {
                engine.on_event(&Event::OnItsWay(Box::new(envelope.body.intent)), clock::now(), &mut effects);
            }
            Err(error) => warn!(entry = %entry.id, %error, "unreadable signal"),
        }
    }
}

async fn poll(bus: BusRef, events: mpsc::Sender<Event>, refresh: Arc<Notify>) {
    let mut trouble = Trouble::default();
    loop {
        let latch = match control::latch(&bus).await {
            Ok(Some(latch)) => Event::Latch(latch),
            Ok(None) => Event::LatchAbsent,
            Err(error) => Event::LatchUnreadable(error.to_string()),
        };
        if events.send(latch).await.is_err() {
            return;
        }
        if let Some(state) = trouble.read::<HermesState>(&bus, &Key::HERMES).await
            && events.send(Event::Hermes(Box::new(state))).await.is_err()
        {
            return;
        }
        let markets = trouble.read::<ArgosState>(&bus, &Key::ARGOS).await.map_or_else(Vec::new, |state| state.markets);
        for market in markets {
            if events.send(Event::Polymarket(PolymarketData::Market(market))).await.is_err() {
                return;
            }
        }
        tokio::select! {
            () = refresh.notified() => {}
            () = tokio::time::sleep(POLL_EVERY) => {}
        }
    }
}

/// Says what cannot be read once, not every second.
#[derive(Debug, Default)]
struct Trouble {
    last: String,
}

impl Trouble {
    async fn read<T: DeserializeOwned>(&mut self, bus: &BusRef, key: &Key) -> Option<T> {
        let why = match bus.get(key).await {
            Ok(None) => return None,
            Ok(Some(payload)) => match decode::<T>(&payload) {
                Ok(envelope) => return Some(envelope.body),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        let trouble = format!("{key}: {why}");
        if trouble != self.last {
            warn!(trouble, "snapshot cannot be read");
            self.last = trouble;
        }
        None
    }
}

async fn follow(bus: BusRef, mut after: EntryId, events: mpsc::Sender<Event>, lost: Arc<AtomicU64>) {
    loop {
        for entry in retry("trade.events", || bus.read(Stream::Events, after, BATCH, BLOCK)).await {
            after = entry.id;
            match decode::<TradeEvent>(&entry.payload) {
                Ok(envelope) if &*envelope.source == "hermes" => {
                    let event = Event::Trade { boot: envelope.boot, seq: envelope.seq, event: Box::new(envelope.body) };
                    if events.send(event).await.is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    lost.fetch_add(1, Ordering::Relaxed);
                    warn!(entry = %entry.id, %error, "unreadable event");
                }
            }
        }
    }
}
