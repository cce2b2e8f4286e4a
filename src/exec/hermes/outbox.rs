//! What Hermes tells: events (sequenced, bounded), dead letters (lossless: the ledger keeps them until the bus has them),
//! acknowledgements of commands, and the snapshot (latest wins).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::commands::Asked;
use crate::bus::{BusError, BusRef, Key, Origin, Stream, encode};
use crate::clock;
use crate::domain::params::RISK;
use crate::domain::{Ack, DeadLetter, HermesState, ParamBook, TradeEvent};
use crate::failpoint::{self, Failpoint};

/// Events that wait for the bus. Beyond that the newest is lost; its number is used up, so a reader sees the gap and takes a
/// new snapshot.
const EVENTS: usize = 8_192;
const DEAD_LETTERS: usize = 1_024;
const ACKS: usize = 64;
/// How often the limits on the bus are compared with ours: it may have lost them, or somebody may have changed them there.
const MIRROR_EVERY: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(250);
/// How long the queues may take to empty at the end.
const FLUSH: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Outbox {
    events: Arc<Origin>,
    states: Origin,
    event_queue: mpsc::Sender<Bytes>,
    dead_queue: mpsc::Sender<Box<DeadLetter>>,
    ack_queue: mpsc::Sender<Ack>,
    state: watch::Sender<Bytes>,
    params: watch::Sender<Bytes>,
    lost: u64,
    /// Dead letters that found no room.
    left_out: u64,
}

impl Outbox {
    pub(super) fn start(
        bus: &BusRef,
        asks: &mpsc::Sender<Asked>,
        boot: &str,
        tasks: &TaskTracker,
        end: &CancellationToken,
    ) -> Self {
        let (event_queue, events) = mpsc::channel(EVENTS);
        let (dead_queue, dead) = mpsc::channel(DEAD_LETTERS);
        let (ack_queue, acks) = mpsc::channel(ACKS);
        let (state, states) = watch::channel(Bytes::new());
        let (params, books) = watch::channel(Bytes::new());
        let origin = || Origin::new("hermes", boot);
        tasks.spawn(until(end.clone(), publish_events(BusRef::clone(bus), events)));
        tasks.spawn(until(end.clone(), publish_dead(BusRef::clone(bus), asks.clone(), origin(), dead)));
        tasks.spawn(until(end.clone(), publish_acks(BusRef::clone(bus), origin(), acks)));
        tasks.spawn(until(end.clone(), publish_state(BusRef::clone(bus), states)));
        tasks.spawn(until(end.clone(), mirror_params(BusRef::clone(bus), books)));
        let events = Arc::new(origin());
        Self { events, states: origin(), event_queue, dead_queue, ack_queue, state, params, lost: 0, left_out: 0 }
    }

    /// The number of the last event.
    pub(super) fn seq(&self) -> u64 {
        self.events.last()
    }

    /// Where acknowledgements go.
    pub(super) fn acks(&self) -> mpsc::Sender<Ack> {
        self.ack_queue.clone()
    }

    pub(super) fn event(&mut self, event: &TradeEvent) {
        let wrapped = self.events.wrap(event, clock::now());
        let sent = match encode(&wrapped) {
            Ok(payload) => self.event_queue.try_send(payload).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = sent {
            self.lost += 1;
            tracing::warn!(%error, lost = self.lost, "an event was lost, its number leaves a gap");
        }
    }

    /// One that finds no room stays unpublished in the ledger and is published at the next start, which is told.
    pub(super) fn dead_letter(&mut self, letter: Box<DeadLetter>) {
        if let Err(error) = self.dead_queue.try_send(letter) {
            self.left_out += 1;
            tracing::error!(%error, left_out = self.left_out, "a dead letter waits in the ledger for the next start");
        }
    }

    /// What a person should know of what is not told.
    pub(super) fn concern(&self) -> Option<String> {
        let (count, most) = (self.left_out, DEAD_LETTERS);
        (count > 0).then(|| {
            format!(
                "{count} dead letters are not on trade.dlq: more than {most} waited for the bus; they are in the ledger \
                 (cockpit dlq list), the next start of hermes publishes them"
            )
        })
    }

    /// The book of the limits, to be read like those of the strategies. The ledger has it.
    pub(super) fn params(&self, book: &ParamBook) {
        match encode(&self.states.wrap(book, clock::now())) {
            Ok(payload) => {
                self.params.send_replace(payload);
            }
            Err(error) => tracing::error!(%error, "the limits cannot be shown on the bus"),
        }
    }

    pub(super) fn state(&self, state: &HermesState) {
        match encode(&self.states.wrap(state, clock::now())) {
            Ok(payload) => {
                self.state.send_replace(payload);
            }
            Err(error) => tracing::error!(%error, "the snapshot cannot be written"),
        }
    }
}

/// Runs a publisher to the end of its queue; once `end` comes, only for a while longer.
async fn until(end: CancellationToken, publisher: impl Future<Output = ()>) {
    tokio::select! {
        () = publisher => {}
        () = async { end.cancelled().await; tokio::time::sleep(FLUSH).await } => {}
    }
}

/// Appends until the bus takes it; what it refuses for good is given up.
async fn append(bus: &BusRef, stream: Stream, payload: &Bytes) -> bool {
    loop {
        match bus.append(stream, payload.clone()).await {
            Ok(_) => return true,
            Err(error) if error.is_transient() => tokio::time::sleep(PAUSE).await,
            Err(error) => {
                tracing::error!(%error, %stream, "the bus refused a message");
                return false;
            }
        }
    }
}

async fn publish_events(bus: BusRef, mut events: mpsc::Receiver<Bytes>) {
    while let Some(payload) = events.recv().await {
        append(&bus, Stream::Events, &payload).await;
    }
}

async fn publish_dead(
    bus: BusRef,
    asks: mpsc::Sender<Asked>,
    origin: Origin,
    mut letters: mpsc::Receiver<Box<DeadLetter>>,
) {
    while let Some(letter) = letters.recv().await {
        let payload = match encode(&origin.wrap(letter.as_ref(), clock::now())) {
            Ok(payload) => payload,
            Err(error) => {
                tracing::error!(%error, entry = %letter.entry, "a dead letter cannot be written");
                continue;
            }
        };
        if append(&bus, Stream::Dlq, &payload).await {
            failpoint::hit(Failpoint::DeadLetterPublished);
            // Kept in the order of everything else that is written. Without it the letter is published again at the next start,
            // which a reader of dead letters must bear.
            if asks.send(Asked::Published(letter.id.clone())).await.is_err() {
                tracing::warn!(entry = %letter.entry, "a dead letter will be published again: hermes is ending");
            }
        }
    }
}

async fn publish_acks(bus: BusRef, origin: Origin, mut acks: mpsc::Receiver<Ack>) {
    while let Some(ack) = acks.recv().await {
        match encode(&origin.wrap(&ack, clock::now())) {
            Ok(payload) => {
                append(&bus, Stream::Acks, &payload).await;
            }
            Err(error) => tracing::error!(%error, "an acknowledgement cannot be written"),
        }
    }
}

async fn publish_state(bus: BusRef, mut states: watch::Receiver<Bytes>) {
    while states.changed().await.is_ok() {
        let payload = states.borrow_and_update().clone();
        if let Err(error) = bus.set(&Key::HERMES, payload).await {
            tracing::debug!(%error, "the snapshot was not put on the bus; a newer one follows");
        }
    }
}

/// Keeps `params.risk` as it is here.
async fn mirror_params(bus: BusRef, mut books: watch::Receiver<Bytes>) {
    let key = Key::Params(RISK.into());
    loop {
        let payload = books.borrow_and_update().clone();
        if !payload.is_empty()
            && let Err(error) = mirror(&bus, &key, payload).await
        {
            tracing::debug!(%key, %error, "the limits are not on the bus; trying on");
        }
        if let Ok(Err(_closed)) = tokio::time::timeout(MIRROR_EVERY, books.changed()).await {
            return;
        }
    }
}

async fn mirror(bus: &BusRef, key: &Key, payload: Bytes) -> Result<(), BusError> {
    if bus.get(key).await?.as_ref() == Some(&payload) {
        return Ok(());
    }
    bus.set(key, payload).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::memory::MemoryBus;
    use crate::domain::{DeadLetterReason, DeadLetterState};

    fn letter(number: usize) -> Box<DeadLetter> {
        Box::new(DeadLetter {
            id: format!("{number}-0.expired"),
            entry: format!("{number}-0"),
            intent: None,
            attempt: 0,
            reason: DeadLetterReason::Expired,
            first_error: "late".into(),
            last_error: "late".into(),
            original: String::new(),
            posts: 0,
            first_at: clock::now(),
            last_at: clock::now(),
            build: "test".into(),
            state: DeadLetterState::Waiting,
        })
    }

    #[tokio::test]
    async fn letters_that_find_no_room_are_told() {
        let (bus, tasks): (BusRef, _) = (MemoryBus::new(), TaskTracker::new());
        let (asks, _asked) = mpsc::channel(1);
        // Nothing is published while this test does not wait.
        let mut outbox = Outbox::start(&bus, &asks, "boot", &tasks, &CancellationToken::new());
        for number in 0..DEAD_LETTERS {
            outbox.dead_letter(letter(number));
        }
        assert_eq!(outbox.concern(), None);
        outbox.dead_letter(letter(DEAD_LETTERS));
        outbox.dead_letter(letter(DEAD_LETTERS + 1));
        let told = outbox.concern().expect("a concern");
        assert!(told.starts_with("2 dead letters are not on trade.dlq: more than 1024 waited"), "{told}");
    }
}
