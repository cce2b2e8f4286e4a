//! A bus in memory that can be made to fail.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, broadcast, watch};

use crate::bus::*;

#[derive(Debug, Default)]
struct Inner {
    streams: HashMap<Stream, Vec<(EntryId, Bytes)>>,
    keys: HashMap<String, Bytes>,
    group: Option<Members>,
    next: u64,
}

#[derive(Debug, Default)]
struct Members {
    last: EntryId,
    pending: BTreeMap<EntryId, String>,
}

#[derive(Debug)]
pub(super) struct TestBus {
    inner: Mutex<Inner>,
    push: broadcast::Sender<Delivery>,
    appended: Notify,
    link: watch::Sender<BusLink>,
    /// The kill key cannot be written.
    pub(super) refuse_latch: AtomicBool,
}

impl TestBus {
    pub(super) fn new() -> Self {
        Self {
            inner: Mutex::default(),
            push: broadcast::channel(1_024).0,
            appended: Notify::new(),
            link: watch::channel(BusLink::Up).0,
            refuse_latch: AtomicBool::new(false),
        }
    }

    pub(super) fn bodies<T: DeserializeOwned>(&self, stream: Stream) -> Vec<Envelope<T>> {
        let inner = self.inner.lock().expect("lock");
        let entries = inner.streams.get(&stream).into_iter().flatten();
        entries.map(|(_, payload)| decode(payload).expect("readable")).collect()
    }

    pub(super) fn key<T: DeserializeOwned>(&self, key: &Key) -> Option<T> {
        let payload = self.inner.lock().expect("lock").keys.get(&key.to_string()).cloned()?;
        Some(decode(&payload).expect("readable").body)
    }

    pub(super) fn unacknowledged(&self) -> usize {
        let inner = self.inner.lock().expect("lock");
        let all = inner.streams.get(&Stream::Signals).map_or(0, Vec::len);
        let group = inner.group.as_ref().map_or((0, EntryId::START), |group| (group.pending.len(), group.last));
        let unread = inner.streams.get(&Stream::Signals).into_iter().flatten().filter(|(id, _)| *id > group.1).count();
        assert!(unread + group.0 <= all);
        unread + group.0
    }

    /// The server lost its data: group and pending entries are gone.
    pub(super) fn lose_group(&self) {
        self.inner.lock().expect("lock").group = None;
    }
}

#[async_trait]
impl Bus for TestBus {
    async fn publish(&self, channel: Channel, payload: Bytes) -> Result<(), BusError> {
        // Nobody may be listening.
        let _ = self.push.send(Delivery::Message { channel, payload });
        Ok(())
    }

    async fn subscribe(&self, channels: &[Channel], capacity: usize) -> Result<Subscription, BusError> {
        let (to, from) = broadcast::channel(capacity);
        let (mut all, wanted) = (self.push.subscribe(), channels.to_vec());
        let task = tokio::spawn(async move {
            while let Ok(delivery) = all.recv().await {
                if matches!(&delivery, Delivery::Message { channel, .. } if wanted.contains(channel)) {
                    let _ = to.send(delivery);
                }
            }
        });
        Ok(Subscription::new(from, Some(tokio_util::task::AbortOnDropHandle::new(task))))
    }

    async fn append(&self, stream: Stream, payload: Bytes) -> Result<EntryId, BusError> {
        let id = {
            let mut inner = self.inner.lock().expect("lock");
            inner.next += 1;
            let id = EntryId { millis: inner.next, index: 0 };
            inner.streams.entry(stream).or_default().push((id, payload));
            id
        };
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
        let appended = self.appended.notified();
        let find = || {
            let inner = self.inner.lock().expect("lock");
            let entries = inner.streams.get(&stream).into_iter().flatten().filter(|(id, _)| *id > after).take(count);
            entries.map(|(id, payload)| Entry { id: *id, payload: payload.clone(), deliveries: 0 }).collect::<Vec<_>>()
        };
        let found = find();
        if found.is_empty() {
            let _ = tokio::time::timeout(block, appended).await;
            return Ok(find());
        }
        Ok(found)
    }

    async fn tail(&self, stream: Stream, count: usize) -> Result<Vec<Entry>, BusError> {
        let mut all = self.read(stream, EntryId::START, usize::MAX, Duration::ZERO).await?;
        Ok(all.split_off(all.len().saturating_sub(count)))
    }

    async fn len(&self, stream: Stream) -> Result<u64, BusError> {
        Ok(self.inner.lock().expect("lock").streams.get(&stream).map_or(0, Vec::len) as u64)
    }

    async fn create_group(&self, _: Stream, _: Group) -> Result<(), BusError> {
        self.inner.lock().expect("lock").group.get_or_insert_default();
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
        let appended = self.appended.notified();
        for round in 0..2 {
            let after = {
                let inner = self.inner.lock().expect("lock");
                let Some(members) = &inner.group else { return Err(BusError::NoGroup { stream, group }) };
                match from {
                    ReadFrom::Pending(after) => {
                        let entries = inner.streams.get(&stream).into_iter().flatten();
                        let mine = |id: &EntryId| members.pending.get(id).is_some_and(|owner| owner == consumer);
                        let own = entries.filter(|(id, _)| *id > after && mine(id)).take(count);
                        return Ok(own
                            .map(|(id, payload)| Entry { id: *id, payload: payload.clone(), deliveries: 2 })
                            .collect());
                    }
                    ReadFrom::New => members.last,
                }
            };
            let new = self.read(stream, after, count, Duration::ZERO).await?;
            if !new.is_empty() || round == 1 {
                let mut inner = self.inner.lock().expect("lock");
                let Some(members) = &mut inner.group else { return Err(BusError::NoGroup { stream, group }) };
                for entry in &new {
                    members.last = members.last.max(entry.id);
                    members.pending.insert(entry.id, consumer.to_owned());
                }
                return Ok(new);
            }
            break;
        }
        let _ = tokio::time::timeout(block.min(Duration::from_millis(20)), appended).await;
        Ok(Vec::new())
    }

    async fn claim(
        &self,
        stream: Stream,
        _: Group,
        consumer: &str,
        _: Duration,
        _: EntryId,
        _: usize,
    ) -> Result<Claimed, BusError> {
        let all = self.read(stream, EntryId::START, usize::MAX, Duration::ZERO).await?;
        let mut inner = self.inner.lock().expect("lock");
        let Some(members) = &mut inner.group else { return Ok(Claimed::default()) };
        let mut claimed = Claimed::default();
        for (id, owner) in &mut members.pending {
            if owner != consumer {
                consumer.clone_into(owner);
                claimed.entries.extend(all.iter().find(|entry| entry.id == *id).cloned());
            }
        }
        Ok(claimed)
    }

    async fn ack(&self, stream: Stream, group: Group, ids: &[EntryId]) -> Result<u64, BusError> {
        let mut inner = self.inner.lock().expect("lock");
        let Some(members) = &mut inner.group else { return Err(BusError::NoGroup { stream, group }) };
        Ok(ids.iter().filter(|id| members.pending.remove(id).is_some()).count() as u64)
    }

    async fn pending(&self, _: Stream, _: Group) -> Result<PendingSummary, BusError> {
        let inner = self.inner.lock().expect("lock");
        let pending = inner.group.as_ref().map(|group| &group.pending);
        Ok(PendingSummary {
            count: pending.map_or(0, BTreeMap::len) as u64,
            oldest: pending.and_then(|pending| pending.keys().next().copied()),
        })
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>, BusError> {
        Ok(self.inner.lock().expect("lock").keys.get(&key.to_string()).cloned())
    }

    async fn set(&self, key: &Key, value: Bytes) -> Result<(), BusError> {
        if *key == Key::Kill && self.refuse_latch.load(Ordering::SeqCst) {
            return Err(BusError::Refused("scripted".into()));
        }
        self.inner.lock().expect("lock").keys.insert(key.to_string(), value);
        Ok(())
    }

    fn link(&self) -> watch::Receiver<BusLink> {
        self.link.subscribe()
    }
}
