//! The bus in memory, with faults on demand.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, watch};

use crate::bus::memory::MemoryBus;
use crate::bus::*;

#[derive(Debug)]
pub(super) struct TestBus {
    inner: Arc<MemoryBus>,
    /// `trade.signals` lives apart, so that its group can be lost.
    signals: Mutex<Arc<MemoryBus>>,
    acknowledged: AtomicU64,
    /// The kill key cannot be written.
    pub(super) refuse_latch: AtomicBool,
    /// Right before the next exchange of the latch somebody kills.
    pub(super) kill_first: AtomicBool,
    /// The next exchange of the latch begins and does not go on before `released`.
    pub(super) hold_latch: AtomicBool,
    pub(super) released: Notify,
}

impl TestBus {
    pub(super) fn new() -> Self {
        let signals = Mutex::new(MemoryBus::new());
        let acknowledged = AtomicU64::new(0);
        Self {
            inner: MemoryBus::new(),
            signals,
            acknowledged,
            refuse_latch: AtomicBool::new(false),
            kill_first: AtomicBool::new(false),
            hold_latch: AtomicBool::new(false),
            released: Notify::new(),
        }
    }

    pub(super) fn bodies<T: DeserializeOwned>(&self, stream: Stream) -> Vec<Envelope<T>> {
        let entries = self.of(stream).tail(stream, usize::MAX).now_or_never().expect("at once").expect("reads");
        entries.iter().map(|entry| decode(&entry.payload).expect("readable")).collect()
    }

    pub(super) fn key<T: DeserializeOwned>(&self, key: &Key) -> Option<T> {
        let payload = self.inner.get(key).now_or_never().expect("at once").expect("reads")?;
        Some(decode(&payload).expect("readable").body)
    }

    /// Signals that were not acknowledged yet, delivered or not.
    pub(super) fn unacknowledged(&self) -> u64 {
        let all = self.of(Stream::Signals).len(Stream::Signals).now_or_never().expect("at once").expect("reads");
        all - self.acknowledged.load(Ordering::SeqCst)
    }

    /// The server lost the group: every entry will be delivered again.
    pub(super) async fn lose_group(&self) {
        let fresh = MemoryBus::new();
        for entry in self.of(Stream::Signals).tail(Stream::Signals, usize::MAX).await.expect("reads") {
            fresh.append(Stream::Signals, entry.payload).await.expect("appends");
        }
        *self.signals.lock().expect("lock") = fresh;
        self.acknowledged.store(0, Ordering::SeqCst);
    }

    fn of(&self, stream: Stream) -> Arc<MemoryBus> {
        match stream {
            Stream::Signals => Arc::clone(&self.signals.lock().expect("lock")),
            _ => Arc::clone(&self.inner),
        }
    }
}

#[async_trait]
impl Bus for TestBus {
    async fn publish(&self, channel: Channel, payload: Bytes) -> Result<(), BusError> {
        self.inner.publish(channel, payload).await
    }

    async fn subscribe(&self, channels: &[Channel], capacity: usize) -> Result<Subscription, BusError> {
        self.inner.subscribe(channels, capacity).await
    }

    async fn append(&self, stream: Stream, payload: Bytes) -> Result<EntryId, BusError> {
        self.of(stream).append(stream, payload).await
    }

    async fn read(
        &self,
        stream: Stream,
        after: EntryId,
        count: usize,
        block: Duration,
    ) -> Result<Vec<Entry>, BusError> {
        self.of(stream).read(stream, after, count, block).await
    }

    async fn tail(&self, stream: Stream, count: usize) -> Result<Vec<Entry>, BusError> {
        self.of(stream).tail(stream, count).await
    }

    async fn len(&self, stream: Stream) -> Result<u64, BusError> {
        self.of(stream).len(stream).await
    }

    async fn create_group(&self, stream: Stream, group: Group) -> Result<(), BusError> {
        self.of(stream).create_group(stream, group).await
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
        let block = block.min(Duration::from_millis(50));
        self.of(stream).read_group(stream, group, consumer, from, count, block).await
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
        self.of(stream).claim(stream, group, consumer, min_idle, cursor, count).await
    }

    async fn ack(&self, stream: Stream, group: Group, ids: &[EntryId]) -> Result<u64, BusError> {
        let acknowledged = self.of(stream).ack(stream, group, ids).await?;
        self.acknowledged.fetch_add(acknowledged, Ordering::SeqCst);
        Ok(acknowledged)
    }

    async fn pending(&self, stream: Stream, group: Group) -> Result<PendingSummary, BusError> {
        self.of(stream).pending(stream, group).await
    }

    async fn trim(&self, stream: Stream, keep_from: EntryId) -> Result<Trimmed, BusError> {
        self.of(stream).trim(stream, keep_from).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>, BusError> {
        self.inner.get(key).await
    }

    async fn set(&self, key: &Key, value: Bytes) -> Result<(), BusError> {
        if *key == Key::Kill && self.refuse_latch.load(Ordering::SeqCst) {
            return Err(BusError::Refused("scripted".into()));
        }
        self.inner.set(key, value).await
    }

    async fn replace(&self, key: &Key, before: Option<&[u8]>, after: Bytes) -> Result<bool, BusError> {
        if *key == Key::Kill {
            if self.refuse_latch.load(Ordering::SeqCst) {
                return Err(BusError::Refused("scripted".into()));
            }
            if self.hold_latch.swap(false, Ordering::SeqCst) {
                self.released.notified().await;
            }
            if self.kill_first.swap(false, Ordering::SeqCst) {
                let bus: BusRef = self.inner.clone();
                let origin = Origin::new("cockpit", "b");
                control::kill(&bus, &origin, "cockpit:bob", "no", crate::clock::now()).await.expect("written");
            }
        }
        self.inner.replace(key, before, after).await
    }

    fn link(&self) -> watch::Receiver<BusLink> {
        self.inner.link()
    }
}
