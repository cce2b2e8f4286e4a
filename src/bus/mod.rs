//! The message bus: one port, two adapters, typed names and a versioned codec.
//!
//! Pub/sub carries market data and is at most once: a slow subscriber loses messages and is told how many. Streams carry
//! what must not be lost: an entry stays until it is trimmed, and a group member's entry stays pending until it is acknowledged.
//!
//! Invariant: the bus is transport, never the truth. It may lose acknowledged writes; the ledger and the venue decide.

mod codec;
pub mod control;
pub mod memory;
mod names;
pub mod redis;
pub mod url;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::domain::Timestamp;

pub use codec::{CodecError, Envelope, Origin, SCHEMA_VERSION, decode, encode};
pub use names::{Channel, Group, Key, Stream};

/// The most that a subscription may hold for a slow reader.
const MAX_SUBSCRIPTION: usize = 1 << 20;

/// Any bus; adapters are named only in `wire.rs` and tests.
pub type BusRef = Arc<dyn Bus>;

/// Position of an entry in a stream, ordered; `0-0` is before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// Milliseconds of the writer's clock.
    pub millis: u64,
    /// Counter within the millisecond.
    pub index: u64,
}

impl EntryId {
    /// Before every entry.
    pub const START: Self = Self { millis: 0, index: 0 };

    /// Before every entry that is appended at this time or later.
    #[must_use]
    pub fn at(time: Timestamp) -> Self {
        Self { millis: u64::try_from(time.millis()).unwrap_or(0), index: 0 }
    }

    /// From `millis-index`, or nothing when it is not of that form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (millis, index) = text.split_once('-')?;
        Some(Self { millis: millis.parse().ok()?, index: index.parse().ok()? })
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.millis, self.index)
    }
}

/// One entry of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub id: EntryId,
    /// What it carries; empty when it was trimmed while pending.
    pub payload: Bytes,
    /// How often it was handed to a consumer of the group, this time included; 0 outside groups.
    pub deliveries: u64,
}

/// What a subscriber gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// A message.
    Message {
        /// On which channel.
        channel: Channel,
        /// What it carries.
        payload: Bytes,
    },
    /// This many messages were lost because the subscriber was slow.
    Lagged(u64),
    /// The connection was lost and is up again: an unknown number of messages is missing. Take a new snapshot.
    Resumed,
}

/// A subscription; dropping it ends it. Holds at most the capacity it was made with, rounded up to a power of two; beyond that
/// the oldest are lost and counted.
#[derive(Debug)]
pub struct Subscription {
    receiver: tokio::sync::broadcast::Receiver<Delivery>,
    _guard: Option<tokio_util::task::AbortOnDropHandle<()>>,
}

impl Subscription {
    /// From the receiving end of a bounded broadcast channel and the task that feeds it.
    #[must_use]
    pub const fn new(
        receiver: tokio::sync::broadcast::Receiver<Delivery>,
        guard: Option<tokio_util::task::AbortOnDropHandle<()>>,
    ) -> Self {
        Self { receiver, _guard: guard }
    }

    /// The next delivery; nothing once the bus is gone. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Delivery> {
        use tokio::sync::broadcast::error::RecvError;
        match self.receiver.recv().await {
            Ok(delivery) => Some(delivery),
            Err(RecvError::Lagged(missed)) => Some(Delivery::Lagged(missed)),
            Err(RecvError::Closed) => None,
        }
    }

    /// A delivery that is already here.
    pub fn try_recv(&mut self) -> Option<Delivery> {
        use tokio::sync::broadcast::error::TryRecvError;
        match self.receiver.try_recv() {
            Ok(delivery) => Some(delivery),
            Err(TryRecvError::Lagged(missed)) => Some(Delivery::Lagged(missed)),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}

/// What a group's reader asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFrom {
    /// This consumer's own entries that are not acknowledged, after the given one. Never waits.
    Pending(EntryId),
    /// Entries that nobody in the group has had.
    New,
}

/// What a claim brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// Entries that are this consumer's now.
    pub entries: Vec<Entry>,
    /// Entries that were trimmed while pending: lost, and to be reported.
    pub deleted: Vec<EntryId>,
    /// Where the next claim goes on; `EntryId::START` when the scan is complete.
    pub cursor: EntryId,
}

/// A group's unacknowledged entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PendingSummary {
    /// How many.
    pub count: u64,
    /// The oldest.
    pub oldest: Option<EntryId>,
}

/// What came of trimming.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trimmed {
    /// Entries that are gone.
    pub removed: u64,
    /// Everything from here on was kept. Before what was asked for when a group still needs older entries.
    pub kept_from: EntryId,
}

/// What can go wrong on the bus. No message holds a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// The address cannot be used; says what is wrong with it and what would be right.
    #[error("bus url: {0}")]
    Url(String),
    /// Not connected, or the connection broke; may work again later.
    #[error("bus unreachable: {0}")]
    Unreachable(String),
    /// The server did not answer in time; whether it acted is unknown.
    #[error("bus timeout after {0:?}")]
    Timeout(Duration),
    /// The group does not exist (never made, or lost with the server's data): create it and go on.
    #[error("no group '{group}' on {stream}")]
    NoGroup {
        /// The stream.
        stream: Stream,
        /// The group.
        group: Group,
    },
    /// The server answers but takes no writes for now: too few replicas, no memory, no disk. May work again later.
    #[error("bus degraded: {0}")]
    Degraded(String),
    /// The server refused: wrong type, no permission.
    #[error("bus refused: {0}")]
    Refused(String),
}

impl BusError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Timeout(_) | Self::Degraded(_) | Self::NoGroup { .. })
    }
}

/// The port. Every call is bounded in time; blocking reads use a connection of their own. While the server cannot be reached a
/// call fails at once, but a blocking read waits out its `block` first, so that a loop around it does not spin.
#[async_trait]
pub trait Bus: Send + Sync + fmt::Debug {
    /// Sends to whoever listens now.
    async fn publish(&self, channel: Channel, payload: Bytes) -> Result<(), BusError>;

    /// Listens to channels; reconnects by itself for as long as it lives, reporting [`Delivery::Resumed`] after each gap.
    /// `capacity` is how many messages are kept for a slow reader. When this returns, the subscription is in force, or the server
    /// cannot be reached and the first delivery will be [`Delivery::Resumed`]. Refused when `channels` is empty.
    async fn subscribe(&self, channels: &[Channel], capacity: usize) -> Result<Subscription, BusError>;

    /// Appends an entry; a capped stream loses its oldest beyond [`Stream::cap`].
    async fn append(&self, stream: Stream, payload: Bytes) -> Result<EntryId, BusError>;

    /// Entries after `after`, oldest first, at most `count`; waits up to `block` for the first one. When the server has lost the
    /// entry `after` (a failover or a restart can take the newest ones), reading goes on behind the newest entry before it that is
    /// left: what is appended from then on arrives, even with lower ids; what was lost shows in [`Envelope::seq`].
    async fn read(&self, stream: Stream, after: EntryId, count: usize, block: Duration)
    -> Result<Vec<Entry>, BusError>;

    /// The newest `count` entries, oldest first.
    async fn tail(&self, stream: Stream, count: usize) -> Result<Vec<Entry>, BusError>;

    /// How many entries the stream holds.
    async fn len(&self, stream: Stream) -> Result<u64, BusError>;

    /// Makes the group, reading from the stream's beginning; does nothing when it exists.
    async fn create_group(&self, stream: Stream, group: Group) -> Result<(), BusError>;

    /// Entries for one consumer of a group; with [`ReadFrom::New`] waits up to `block`. After an error, or when the call is dropped
    /// before it ends, entries may have been handed over that never arrived: read [`ReadFrom::Pending`] from the start again.
    async fn read_group(
        &self,
        stream: Stream,
        group: Group,
        consumer: &str,
        from: ReadFrom,
        count: usize,
        block: Duration,
    ) -> Result<Vec<Entry>, BusError>;

    /// Takes over entries that other consumers have left unacknowledged for `min_idle`, scanning from `cursor`.
    async fn claim(
        &self,
        stream: Stream,
        group: Group,
        consumer: &str,
        min_idle: Duration,
        cursor: EntryId,
        count: usize,
    ) -> Result<Claimed, BusError>;

    /// Acknowledges entries; returns how many were pending, 0 when there is no such group.
    async fn ack(&self, stream: Stream, group: Group, ids: &[EntryId]) -> Result<u64, BusError>;

    /// The group's unacknowledged entries.
    async fn pending(&self, stream: Stream, group: Group) -> Result<PendingSummary, BusError>;

    /// Removes the members of a group other than `keep` that have nothing pending: consumers of runs that are over. One that still
    /// has entries stays until they were claimed: they would be lost with it. Done as a whole; returns how many went. A bus that
    /// keeps no list of members has none to remove.
    async fn retire(&self, _stream: Stream, _group: Group, _keep: &str) -> Result<u64, BusError> {
        Ok(0)
    }

    /// Removes the entries before `keep_from`, except those that a group still needs: whatever is pending, or not yet delivered, in
    /// any group stays, and all behind it. A stream that is read by a group ([`Stream::group`]) is not trimmed while that group is
    /// missing ([`BusError::NoGroup`]): nobody knows then what was delivered. Done as a whole: no entry can be handed out
    /// between the look and the cut.
    async fn trim(&self, stream: Stream, keep_from: EntryId) -> Result<Trimmed, BusError>;

    /// Reads a key.
    async fn get(&self, key: &Key) -> Result<Option<Bytes>, BusError>;

    /// Writes a key.
    async fn set(&self, key: &Key, value: Bytes) -> Result<(), BusError>;

    /// Writes a key only if it still holds `before`, absent meaning that it does not exist; says whether it did. No other write
    /// comes between the look and the write. After [`BusError::Timeout`] read the key to learn what became of it.
    async fn replace(&self, key: &Key, before: Option<&[u8]>, after: Bytes) -> Result<bool, BusError>;

    /// Whether the server can be reached, in words when it cannot; changes are seen at once.
    fn link(&self) -> tokio::sync::watch::Receiver<BusLink>;

    /// What is wrong with the server's settings, each with the right value: under them it may lose what it was given. Checked with
    /// every connection; nothing when all is well or the settings may not be read.
    fn concerns(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Whether the bus can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusLink {
    /// It answers.
    Up,
    /// It answers but takes no writes, and why; reading, publishing and a kill that needs no bus go on.
    Degraded(String),
    /// It does not, and why; attempts go on.
    Down(String),
}
