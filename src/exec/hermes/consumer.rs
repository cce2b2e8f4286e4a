//! Reading `trade.signals` as a member of the group `hermes`: own pending entries first, then what others left behind, then
//! new ones. A lost group is made again. Entries stay pending until [`Acks`] are sent for them.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bus::{BusError, BusRef, Entry, EntryId, Group, ReadFrom, Stream};
use crate::failpoint::{self, Failpoint};

const STREAM: Stream = Stream::Signals;
const GROUP: Group = Group::Hermes;
const BATCH: usize = 16;
const BLOCK: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(250);
/// Entries on their way to the loop.
const QUEUE: usize = 32;
/// Acknowledgements on their way to the bus: more than can be pending, so that none is refused in practice.
const ACKS: usize = 4_096;

/// What the loop gets.
#[derive(Debug)]
pub(super) enum Consumed {
    /// An entry.
    Entry(Entry),
    /// Nothing is left in the stream.
    Idle,
}

/// The way back: entries that are done with.
pub(super) type Acks = mpsc::Sender<EntryId>;

#[derive(Debug)]
pub(super) struct Consumer {
    bus: BusRef,
    name: String,
    claim_after: Duration,
}

impl Consumer {
    /// A member of the group with a name that no other boot has.
    pub(super) fn new(bus: BusRef, boot: &str, claim_after: Duration) -> Self {
        Self { bus, name: super::holder(boot), claim_after }
    }

    pub(super) fn start(self, tasks: &TaskTracker, end: &CancellationToken) -> (mpsc::Receiver<Consumed>, Acks) {
        let (entries, consumed) = mpsc::channel(QUEUE);
        let (acks, done) = mpsc::channel(ACKS);
        tasks.spawn(acknowledge(self.bus.clone(), done, end.clone()));
        let end = end.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = self.run(entries) => {}
                () = end.cancelled() => {}
            }
        });
        (consumed, acks)
    }

    async fn run(self, entries: mpsc::Sender<Consumed>) {
        loop {
            match self.read(&entries).await {
                Ok(()) => return,
                Err(BusError::NoGroup { .. }) => {
                    if let Err(error) = self.bus.create_group(STREAM, GROUP).await {
                        tracing::warn!(%error, "the consumer group cannot be made, trying again");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "trade.signals cannot be read, trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Ends only with an error, or when nobody listens any more.
    async fn read(&self, entries: &mpsc::Sender<Consumed>) -> Result<(), BusError> {
        // After an error a reply may have been lost on its way: what it carried is pending now.
        let mut after = EntryId::START;
        loop {
            let own = self.group(ReadFrom::Pending(after)).await?;
            let Some(last) = own.last() else { break };
            after = last.id;
            if !deliver(entries, own).await {
                return Ok(());
            }
        }
        // Whoever has the lease is the only one at work: what others have in hand was left behind, however fresh it is.
        if !self.claim(entries, Duration::ZERO).await? {
            return Ok(());
        }
        let mut claim_at = Instant::now() + self.claim_after / 2;
        loop {
            if Instant::now() >= claim_at {
                claim_at = Instant::now() + self.claim_after / 2;
                if !self.claim(entries, self.claim_after).await? {
                    return Ok(());
                }
            }
            let new = self.group(ReadFrom::New).await?;
            let idle = new.is_empty();
            if !deliver(entries, new).await || (idle && entries.send(Consumed::Idle).await.is_err()) {
                return Ok(());
            }
        }
    }

    async fn group(&self, from: ReadFrom) -> Result<Vec<Entry>, BusError> {
        self.bus.read_group(STREAM, GROUP, &self.name, from, BATCH, BLOCK).await
    }

    /// Takes over what others have left for `idle`, and removes those who have nothing left.
    async fn claim(&self, entries: &mpsc::Sender<Consumed>, idle: Duration) -> Result<bool, BusError> {
        let mut cursor = EntryId::START;
        loop {
            let claimed = self.bus.claim(STREAM, GROUP, &self.name, idle, cursor, BATCH).await?;
            let trimmed =
                claimed.deleted.into_iter().map(|id| Entry { id, payload: bytes::Bytes::new(), deliveries: 0 });
            let found: Vec<Entry> = trimmed.chain(claimed.entries).collect();
            if !deliver(entries, found).await {
                return Ok(false);
            }
            cursor = claimed.cursor;
            if cursor == EntryId::START {
                break;
            }
        }
        let retired = self.bus.retire(STREAM, GROUP, &self.name).await?;
        if retired > 0 {
            tracing::info!(retired, "consumers of earlier runs are removed; nothing of theirs is left");
        }
        Ok(true)
    }
}

async fn deliver(to: &mpsc::Sender<Consumed>, entries: Vec<Entry>) -> bool {
    for entry in entries {
        if to.send(Consumed::Entry(entry)).await.is_err() {
            return false;
        }
    }
    true
}

/// Acknowledges in batches, again and again until the bus takes it.
async fn acknowledge(bus: BusRef, mut done: mpsc::Receiver<EntryId>, end: CancellationToken) {
    let mut waiting: BTreeSet<EntryId> = BTreeSet::new();
    loop {
        let more = if waiting.is_empty() {
            tokio::select! {
                more = done.recv() => more,
                () = end.cancelled() => None,
            }
        } else {
            tokio::time::timeout(PAUSE, done.recv()).await.unwrap_or(None)
        };
        let closing = more.is_none() && (end.is_cancelled() || done.is_closed());
        waiting.extend(more);
        while let Ok(id) = done.try_recv() {
            waiting.insert(id);
        }
        let ids: Vec<EntryId> = waiting.iter().copied().collect();
        if !ids.is_empty() {
            match bus.ack(STREAM, GROUP, &ids).await {
                // Without the group its pending entries are gone too: nothing is left to acknowledge.
                Ok(_) | Err(BusError::NoGroup { .. }) => {
                    failpoint::hit(Failpoint::Acknowledged);
                    waiting.clear();
                }
                Err(error) => tracing::warn!(%error, entries = ids.len(), "acknowledging failed, trying again"),
            }
        }
        if closing {
            return;
        }
    }
}
