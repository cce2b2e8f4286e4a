//! The bus in one process: the same promises as Redis, nothing to install, lost with the process.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::Instant;

use super::{
    Bus, BusError, BusLink, Channel, Claimed, Delivery, Entry, EntryId, Group, Key, PendingSummary, ReadFrom, Stream,
    Subscription,
};
use crate::clock;

/// The bus of an embedded desk.
#[derive(Debug)]
pub struct MemoryBus {
    state: Mutex<State>,
    appended: Notify,
    link: watch::Sender<BusLink>,
}

#[derive(Debug, Default)]
struct State {
    keys: HashMap<String, Bytes>,
    streams: HashMap<Stream, Log>,
    subscribers: HashMap<Channel, Vec<broadcast::Sender<Delivery>>>,
}

#[derive(Debug, Default)]
struct Log {
    entries: VecDeque<(EntryId, Bytes)>,
    last: EntryId,
    groups: HashMap<Group, GroupState>,
}

#[derive(Debug, Default)]
struct GroupState {
    delivered: EntryId,
    pending: BTreeMap<EntryId, Pending>,
}

#[derive(Debug)]
struct Pending {
    consumer: String,
    since: Instant,
    deliveries: u64,
}

impl Log {
    fn append(&mut self, now_millis: u64, payload: Bytes, cap: Option<usize>) -> EntryId {
        let id = if now_millis > self.last.millis {
            EntryId { millis: now_millis, index: 0 }
        } else {
            EntryId { millis: self.last.millis, index: self.last.index + 1 }
        };
        self.last = id;
        self.entries.push_back((id, payload));
        if let Some(cap) = cap {
            while self.entries.len() > cap {
                self.entries.pop_front();
            }
        }
        id
    }

    fn find(&self, id: EntryId) -> Option<&Bytes> {
        let at = self.entries.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.entries.get(at).map(|(_, payload)| payload)
    }

    fn after(&self, after: EntryId, count: usize) -> Vec<(EntryId, Bytes)> {
        let from = self.entries.partition_point(|(id, _)| *id <= after);
        self.entries.range(from..).take(count).cloned().collect()
    }
}

impl MemoryBus {
    /// An empty bus.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), appended: Notify::new(), link: watch::channel(BusLink::Up).0 })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries until there is something or the time is over; woken by every append.
    async fn wait<T>(
        &self,
        block: Duration,
        mut attempt: impl FnMut(&mut State) -> Result<Vec<T>, BusError> + Send,
    ) -> Result<Vec<T>, BusError> {
        let end = Instant::now() + block;
        loop {
            let woken = self.appended.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            let found = attempt(&mut self.state())?;
            if !found.is_empty() || block.is_zero() {
                return Ok(found);
            }
            if tokio::time::timeout_at(end, woken).await.is_err() {
                return Ok(Vec::new());
            }
        }
    }
}

type Entries = VecDeque<(EntryId, Bytes)>;

fn group(state: &mut State, stream: Stream, group: Group) -> Result<(&Entries, &mut GroupState), BusError> {
    let missing = BusError::NoGroup { stream, group };
    let Log { entries, groups, .. } = state.streams.get_mut(&stream).ok_or_else(|| missing.clone())?;
    Ok((entries, groups.get_mut(&group).ok_or(missing)?))
}

#[async_trait]
impl Bus for MemoryBus {
    async fn publish(&self, channel: Channel, payload: Bytes) -> Result<(), BusError> {
        if let Some(subscribers) = self.state().subscribers.get_mut(&channel) {
            subscribers.retain(|sender| sender.send(Delivery::Message { channel, payload: payload.clone() }).is_ok());
        }
        Ok(())
    }

    async fn subscribe(&self, channels: &[Channel], capacity: usize) -> Result<Subscription, BusError> {
        let (sender, receiver) = broadcast::channel(capacity.max(1));
        let mut state = self.state();
        for channel in channels {
            state.subscribers.entry(*channel).or_default().push(sender.clone());
        }
        Ok(Subscription::new(receiver, None))
    }

    async fn append(&self, stream: Stream, payload: Bytes) -> Result<EntryId, BusError> {
        let millis = u64::try_from(clock::now().millis()).unwrap_or_default();
        let id = self.state().streams.entry(stream).or_default().append(millis, payload, stream.cap());
        self.appended.notify_waiters();
        Ok(id)
    }

    async fn read(
        &self,
        stream: Stream,
        after: EntryId,
        count: usize,
        block: Duration,
    ) -> Result<Vec<Entry>, BusError> {
        self.wait(block, |state| {
            let log = state.streams.entry(stream).or_default();
            Ok(log.after(after, count).into_iter().map(|(id, payload)| Entry { id, payload, deliveries: 0 }).collect())
        })
        .await
    }

    async fn tail(&self, stream: Stream, count: usize) -> Result<Vec<Entry>, BusError> {
        let mut state = self.state();
        let log = state.streams.entry(stream).or_default();
        let from = log.entries.len().saturating_sub(count);
        let entry = |(id, payload): &(EntryId, Bytes)| Entry { id: *id, payload: payload.clone(), deliveries: 0 };
        Ok(log.entries.range(from..).map(entry).collect())
    }

    async fn len(&self, stream: Stream) -> Result<u64, BusError> {
        Ok(self.state().streams.get(&stream).map_or(0, |log| log.entries.len() as u64))
    }

    async fn create_group(&self, stream: Stream, group: Group) -> Result<(), BusError> {
        self.state().streams.entry(stream).or_default().groups.entry(group).or_default();
        Ok(())
    }

    async fn read_group(
        &self,
        stream: Stream,
        name: Group,
        consumer: &str,
        from: ReadFrom,
        count: usize,
        block: Duration,
    ) -> Result<Vec<Entry>, BusError> {
        let block = if from == ReadFrom::New { block } else { Duration::ZERO };
        self.wait(block, |state| {
            if let ReadFrom::Pending(after) = from {
                return own_pending(state, stream, name, consumer, after, count);
            }
            let delivered = group(state, stream, name)?.1.delivered;
            let fresh = state.streams.get(&stream).map(|log| log.after(delivered, count)).unwrap_or_default();
            let (_, members) = group(state, stream, name)?;
            for (id, _) in &fresh {
                members.delivered = *id;
                let pending = Pending { consumer: consumer.to_owned(), since: Instant::now(), deliveries: 1 };
                members.pending.insert(*id, pending);
            }
            Ok(fresh.into_iter().map(|(id, payload)| Entry { id, payload, deliveries: 1 }).collect())
        })
        .await
    }

    async fn claim(
        &self,
        stream: Stream,
        name: Group,
        consumer: &str,
        min_idle: Duration,
        cursor: EntryId,
        count: usize,
    ) -> Result<Claimed, BusError> {
        let mut state = self.state();
        let now = Instant::now();
        let (entries, members) = group(&mut state, stream, name)?;
        let idle: Vec<EntryId> = members
            .pending
            .range(cursor..)
            .filter(|(_, pending)| now.duration_since(pending.since) >= min_idle)
            .map(|(id, _)| *id)
            .take(count + 1)
            .collect();
        let mut claimed = Claimed { cursor: idle.get(count).copied().unwrap_or(EntryId::START), ..Claimed::default() };
        for id in idle.into_iter().take(count) {
            let Ok(at) = entries.binary_search_by_key(&id, |(id, _)| *id) else {
                members.pending.remove(&id);
                claimed.deleted.push(id);
                continue;
            };
            if let (Some(pending), Some((_, payload))) = (members.pending.get_mut(&id), entries.get(at)) {
                consumer.clone_into(&mut pending.consumer);
                pending.since = now;
                pending.deliveries += 1;
                claimed.entries.push(Entry { id, payload: payload.clone(), deliveries: pending.deliveries });
            }
        }
        Ok(claimed)
    }

    async fn ack(&self, stream: Stream, name: Group, ids: &[EntryId]) -> Result<u64, BusError> {
        let mut state = self.state();
        let Ok((_, members)) = group(&mut state, stream, name) else { return Ok(0) };
        Ok(ids.iter().filter(|id| members.pending.remove(id).is_some()).count() as u64)
    }

    async fn pending(&self, stream: Stream, name: Group) -> Result<PendingSummary, BusError> {
        let mut state = self.state();
        let (_, members) = group(&mut state, stream, name)?;
        let oldest = members.pending.first_key_value().map(|(id, _)| *id);
        Ok(PendingSummary { count: members.pending.len() as u64, oldest })
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>, BusError> {
        Ok(self.state().keys.get(&key.to_string()).cloned())
    }

    async fn set(&self, key: &Key, value: Bytes) -> Result<(), BusError> {
        self.state().keys.insert(key.to_string(), value);
        Ok(())
    }

    fn link(&self) -> watch::Receiver<BusLink> {
        self.link.subscribe()
    }
}

/// A consumer's unacknowledged entries after one of them; what was trimmed meanwhile comes with an empty payload.
fn own_pending(
    state: &mut State,
    stream: Stream,
    name: Group,
    consumer: &str,
    after: EntryId,
    count: usize,
) -> Result<Vec<Entry>, BusError> {
    let mut own = Vec::new();
    {
        let (_, members) = group(state, stream, name)?;
        for (id, pending) in &mut members.pending {
            if *id > after && pending.consumer == consumer && own.len() < count {
                pending.since = Instant::now();
                pending.deliveries += 1;
                own.push((*id, pending.deliveries));
            }
        }
    }
    let log = state.streams.get(&stream);
    let entry = |(id, deliveries)| {
        let payload = log.and_then(|log| log.find(id)).cloned().unwrap_or_default();
        Entry { id, payload, deliveries }
    };
    Ok(own.into_iter().map(entry).collect())
}
