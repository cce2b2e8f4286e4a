//! The bus in one process: the whole port without a server, with the semantics of the Redis adapter. Nothing outlives it.

mod log;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Notify, broadcast, watch};

use self::log::Log;
use super::{
    Bus, BusError, BusLink, Channel, Claimed, Delivery, Entry, EntryId, Group, Key, MAX_SUBSCRIPTION, PendingSummary,
    ReadFrom, Stream, Subscription, Trimmed,
};
use crate::clock;

/// A bus within this process.
#[derive(Debug)]
pub struct MemoryBus {
    cells: [Cell; Stream::ALL.len()],
    subscribers: Mutex<Vec<Subscriber>>,
    keys: Mutex<HashMap<Key, Bytes>>,
    link: watch::Sender<BusLink>,
}

#[derive(Debug, Default)]
struct Cell {
    log: Mutex<Log>,
    appended: Notify,
}

#[derive(Debug)]
struct Subscriber {
    channels: Vec<Channel>,
    sender: broadcast::Sender<Delivery>,
}

impl MemoryBus {
    /// An empty bus.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            cells: Default::default(),
            subscribers: Mutex::default(),
            keys: Mutex::default(),
            link: watch::Sender::new(BusLink::Up),
        })
    }

    const fn cell(&self, stream: Stream) -> &Cell {
        &self.cells[stream as usize]
    }

    fn log(&self, stream: Stream) -> MutexGuard<'_, Log> {
        lock(&self.cell(stream).log)
    }

    /// Tries until there is something or the time is over.
    async fn wait_for(
        &self,
        stream: Stream,
        block: Duration,
        mut attempt: impl FnMut(&mut Log) -> Result<Vec<Entry>, BusError> + Send,
    ) -> Result<Vec<Entry>, BusError> {
        let cell = self.cell(stream);
        let search = async {
            loop {
                let mut appended = std::pin::pin!(cell.appended.notified());
                // Registered before looking, or an entry appended in between would wake nobody.
                appended.as_mut().enable();
                let found = attempt(&mut lock(&cell.log))?;
                if !found.is_empty() {
                    return Ok(found);
                }
                appended.await;
            }
        };
        tokio::time::timeout(block, search).await.unwrap_or_else(|_elapsed| Ok(Vec::new()))
    }
}

/// A panic while a lock was held leaves plain data behind, which is still usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Bus for MemoryBus {
    async fn publish(&self, channel: Channel, payload: Bytes) -> Result<(), BusError> {
        lock(&self.subscribers).retain(|subscriber| {
            if subscriber.channels.contains(&channel) {
                // Fails only when the subscription was dropped; it is then removed.
                subscriber.sender.send(Delivery::Message { channel, payload: payload.clone() }).is_ok()
            } else {
                subscriber.sender.receiver_count() > 0
            }
        });
        Ok(())
    }

    async fn subscribe(&self, channels: &[Channel], capacity: usize) -> Result<Subscription, BusError> {
        if channels.is_empty() {
            return Err(BusError::Refused("subscribe needs at least one channel".into()));
        }
        let (sender, receiver) = broadcast::channel(capacity.clamp(1, MAX_SUBSCRIPTION));
        lock(&self.subscribers).push(Subscriber { channels: channels.to_vec(), sender });
        Ok(Subscription::new(receiver, None))
    }

    async fn append(&self, stream: Stream, payload: Bytes) -> Result<EntryId, BusError> {
        let millis = u64::try_from(clock::now().millis()).unwrap_or(0);
        let id = self.log(stream).append(payload, stream.cap(), millis);
        self.cell(stream).appended.notify_waiters();
        Ok(id)
    }

    async fn read(
        &self,
        stream: Stream,
        after: EntryId,
        count: usize,
        block: Duration,
    ) -> Result<Vec<Entry>, BusError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        self.wait_for(stream, block, |log| Ok(log.after(after, count))).await
    }

    async fn tail(&self, stream: Stream, count: usize) -> Result<Vec<Entry>, BusError> {
        Ok(self.log(stream).tail(count))
    }

    async fn len(&self, stream: Stream) -> Result<u64, BusError> {
        Ok(self.log(stream).len())
    }

    async fn create_group(&self, stream: Stream, group: Group) -> Result<(), BusError> {
        self.log(stream).create_group(group);
        Ok(())
    }

    async fn read_group(
        &self,
        stream: Stream,
        group: Group,
        consumer: &str,
        from: ReadFrom,
        count: usize,
        block: Duration,
    ) -> Result<Vec<Entry>, BusError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let missing = BusError::NoGroup { stream, group };
        let consumer: Arc<str> = Arc::from(consumer);
        match from {
            ReadFrom::Pending(after) => {
                self.log(stream).redeliver(group, &consumer, after, count, clock::monotonic()).ok_or(missing)
            }
            ReadFrom::New => {
                self.wait_for(stream, block, |log| {
                    log.deliver(group, &consumer, count, clock::monotonic()).ok_or_else(|| missing.clone())
                })
                .await
            }
        }
    }

    async fn claim(
        &self,
        stream: Stream,
        group: Group,
        consumer: &str,
        min_idle: Duration,
        cursor: EntryId,
        count: usize,
    ) -> Result<Claimed, BusError> {
        if count == 0 {
            return Ok(Claimed { cursor, ..Claimed::default() });
        }
        self.log(stream)
            .claim(group, &Arc::from(consumer), min_idle, cursor, count, clock::monotonic())
            .ok_or(BusError::NoGroup { stream, group })
    }

    async fn ack(&self, stream: Stream, group: Group, ids: &[EntryId]) -> Result<u64, BusError> {
        Ok(self.log(stream).ack(group, ids))
    }

    async fn pending(&self, stream: Stream, group: Group) -> Result<PendingSummary, BusError> {
        self.log(stream).pending(group).ok_or(BusError::NoGroup { stream, group })
    }

    async fn trim(&self, stream: Stream, keep_from: EntryId) -> Result<Trimmed, BusError> {
        self.log(stream).trim(keep_from, stream.group()).map_err(|group| BusError::NoGroup { stream, group })
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>, BusError> {
        Ok(lock(&self.keys).get(key).cloned())
    }

    async fn set(&self, key: &Key, value: Bytes) -> Result<(), BusError> {
        lock(&self.keys).insert(key.clone(), value);
        Ok(())
    }

    async fn replace(&self, key: &Key, before: Option<&[u8]>, after: Bytes) -> Result<bool, BusError> {
        let mut keys = lock(&self.keys);
        let unchanged = keys.get(key).map(|held| &held[..]) == before;
        if unchanged {
            keys.insert(key.clone(), after);
        }
        Ok(unchanged)
    }

    fn link(&self) -> watch::Receiver<BusLink> {
        self.link.subscribe()
    }
}
