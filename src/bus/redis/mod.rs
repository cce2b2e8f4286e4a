//! The bus over Redis, version 7 or later.
//!
//! Ordinary calls share one connection. Each blocking read has one to itself, and so has each subscription: market data never delays
//! a kill. A task keeps the shared connection and reports what it sees through [`Bus::link`].
//!
//! Behind sentinels that task also finds the master, asks it for its role, and moves every connection when another server becomes
//! the master.

mod backoff;
mod error;
mod health;
mod link;
mod node;
mod reader;
mod reply;
mod resume;
mod retire;
mod sentinel;
mod subscription;
mod target;
mod trim;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::{Cmd, FromRedisValue, Value};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use self::error::Scope;
use self::link::Link;
use self::resume::Resumes;
use self::target::Target;
use super::{
    Bus, BusError, BusLink, Channel, Claimed, Entry, EntryId, Group, Key, PendingSummary, ReadFrom, Stream,
    Subscription, Trimmed,
};

/// The server counts in signed numbers and reserves room for what a claim may take: no call asks for more entries than this.
const MOST: usize = 1_000_000;

/// Runs as a whole at the server. `KEYS[1]` is the key, `ARGV[1]` what to write, `ARGV[2]` what it must hold; without it the key must
/// not exist, which the server's scripts see as `false`.
const REPLACE: &str = r"
if redis.call('GET', KEYS[1]) ~= (ARGV[2] or false) then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
return 1
";

/// A bus on a Redis server.
#[derive(Debug)]
pub struct RedisBus {
    link: Arc<Link>,
    resumes: Resumes,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

impl RedisBus {
    /// Begins to connect to the server that the address names, or to the master that the sentinels in it know; see
    /// [`RedisUrl`](super::url::RedisUrl). A server that is down is no error: attempts go on for as long as the bus lives. Must be
    /// called within a Tokio runtime.
    ///
    /// # Errors
    /// [`BusError::Url`] when the address cannot be used.
    pub fn new(url: &str) -> Result<Arc<Self>, BusError> {
        let link = Arc::new(Link::new(Target::parse(url)?));
        let listeners =
            link.sentinels().into_iter().map(|node| tokio::spawn(sentinel::listen(Arc::clone(&link), node)));
        let mut tasks: Vec<_> = listeners.map(AbortOnDropHandle::new).collect();
        tasks.push(AbortOnDropHandle::new(tokio::spawn(link::keep(Arc::clone(&link)))));
        Ok(Arc::new(Self { link, resumes: Resumes::default(), _tasks: tasks }))
    }

    async fn typed<T: FromRedisValue>(&self, command: &Cmd, name: &str) -> Result<T, BusError> {
        let answer = self.link.call(command, None).await?;
        T::from_redis_value(answer).map_err(|_mismatch| reply::unexpected(name))
    }

    /// The same entries with how often each was handed out, which the server tells only when asked for one by one.
    async fn counted(&self, mut entries: Vec<Entry>, stream: Stream, group: Group) -> Result<Vec<Entry>, BusError> {
        if entries.is_empty() {
            return Ok(entries);
        }
        let mut questions = redis::pipe();
        for Entry { id, .. } in &entries {
            let id = id.to_string();
            questions.cmd("XPENDING").arg(stream.name()).arg(group.name()).arg(&id).arg(&id).arg(1);
        }
        let answers = self.link.call_all(&questions, Some((stream, group))).await?;
        for (entry, answer) in entries.iter_mut().zip(answers) {
            // No count: acknowledged by another since. It was handed out at least this once.
            entry.deliveries = reply::deliveries(answer).unwrap_or(1);
        }
        Ok(entries)
    }

    /// A read that waits has a connection to itself; one that does not shares.
    async fn waiting(
        &self,
        block: Duration,
        scope: Scope,
        command: impl Fn(Option<u64>) -> Cmd + Send + Sync,
    ) -> Result<Value, BusError> {
        if block.is_zero() {
            self.link.call(&command(None), scope).await
        } else {
            self.link.call_blocking(block, scope, |millis| command(Some(millis))).await
        }
    }

    async fn own_pending(
        &self,
        stream: Stream,
        group: Group,
        consumer: &str,
        after: EntryId,
        count: usize,
    ) -> Result<Vec<Entry>, BusError> {
        let mut command = group_command(group, consumer, count);
        command.arg("STREAMS").arg(stream.name()).arg(after.to_string());
        let answer = self.link.call(&command, Some((stream, group))).await?;
        self.counted(reply::streams("XREADGROUP", answer)?, stream, group).await
    }
}

fn group_command(group: Group, consumer: &str, count: usize) -> Cmd {
    let mut command = redis::cmd("XREADGROUP");
    command.arg("GROUP").arg(group.name()).arg(consumer).arg("COUNT").arg(count.min(MOST));
    command
}

#[async_trait]
impl Bus for RedisBus {
    async fn publish(&self, channel: Channel, payload: Bytes) -> Result<(), BusError> {
        let mut command = redis::cmd("PUBLISH");
        command.arg(channel.name()).arg(&payload[..]);
        self.link.call(&command, None).await.map(drop)
    }

    async fn subscribe(&self, channels: &[Channel], capacity: usize) -> Result<Subscription, BusError> {
        subscription::subscribe(&self.link, channels, capacity).await
    }

    async fn append(&self, stream: Stream, payload: Bytes) -> Result<EntryId, BusError> {
        let mut command = redis::cmd("XADD");
        command.arg(stream.name());
        if let Some(cap) = stream.cap() {
            command.arg("MAXLEN").arg("~").arg(cap);
        }
        command.arg("*").arg(reply::FIELD).arg(&payload[..]);
        reply::entry_id("XADD", self.link.call(&command, None).await?)
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
        if after == EntryId::START {
            self.read_from(stream, after, count, block).await
        } else {
            self.read_on(stream, after, count, block).await
        }
    }

    async fn tail(&self, stream: Stream, count: usize) -> Result<Vec<Entry>, BusError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut command = redis::cmd("XREVRANGE");
        command.arg(stream.name()).arg("+").arg("-").arg("COUNT").arg(count.min(MOST));
        let mut entries = reply::entries("XREVRANGE", self.link.call(&command, None).await?)?;
        entries.reverse();
        Ok(entries)
    }

    async fn len(&self, stream: Stream) -> Result<u64, BusError> {
        self.typed(redis::cmd("XLEN").arg(stream.name()), "XLEN").await
    }

    async fn create_group(&self, stream: Stream, group: Group) -> Result<(), BusError> {
        let mut command = redis::cmd("XGROUP");
        command.arg("CREATE").arg(stream.name()).arg(group.name()).arg("0").arg("MKSTREAM");
        match self.link.call(&command, None).await {
            Err(BusError::Refused(reason)) if reason.starts_with("BUSYGROUP") => Ok(()),
            made => made.map(drop),
        }
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
        if let ReadFrom::Pending(after) = from {
            return self.own_pending(stream, group, consumer, after, count).await;
        }
        let command = |wait: Option<u64>| {
            let mut command = group_command(group, consumer, count);
            if let Some(millis) = wait {
                command.arg("BLOCK").arg(millis);
            }
            command.arg("STREAMS").arg(stream.name()).arg(">");
            command
        };
        let mut entries = reply::streams("XREADGROUP", self.waiting(block, Some((stream, group)), command).await?)?;
        for entry in &mut entries {
            entry.deliveries = 1;
        }
        Ok(entries)
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
        let mut command = redis::cmd("XAUTOCLAIM");
        command.arg(stream.name()).arg(group.name()).arg(consumer);
        command.arg(i64::try_from(min_idle.as_millis()).unwrap_or(i64::MAX)).arg(cursor.to_string());
        command.arg("COUNT").arg(count.min(MOST));
        let mut claimed = reply::claimed(self.link.call(&command, Some((stream, group))).await?)?;
        claimed.entries = self.counted(claimed.entries, stream, group).await?;
        Ok(claimed)
    }

    async fn ack(&self, stream: Stream, group: Group, ids: &[EntryId]) -> Result<u64, BusError> {
        if ids.is_empty() {
            return Ok(0);
        }
        let mut command = redis::cmd("XACK");
        command.arg(stream.name()).arg(group.name());
        for id in ids {
            command.arg(id.to_string());
        }
        self.typed(&command, "XACK").await
    }

    async fn pending(&self, stream: Stream, group: Group) -> Result<PendingSummary, BusError> {
        let mut command = redis::cmd("XPENDING");
        command.arg(stream.name()).arg(group.name());
        reply::summary(self.link.call(&command, Some((stream, group))).await?)
    }

    async fn retire(&self, stream: Stream, group: Group, keep: &str) -> Result<u64, BusError> {
        let answer = self.link.call(&retire::command(stream, group, keep), Some((stream, group))).await?;
        redis::from_redis_value(answer).map_err(|_mismatch| reply::unexpected("EVAL of XGROUP DELCONSUMER"))
    }

    async fn trim(&self, stream: Stream, keep_from: EntryId) -> Result<Trimmed, BusError> {
        let scope = stream.group().map(|group| (stream, group));
        trim::trimmed(self.link.call(&trim::command(stream, keep_from), scope).await?)
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>, BusError> {
        let kept: Option<Vec<u8>> = self.typed(redis::cmd("GET").arg(key.to_string()), "GET").await?;
        Ok(kept.map(Bytes::from))
    }

    async fn set(&self, key: &Key, value: Bytes) -> Result<(), BusError> {
        self.link.call(redis::cmd("SET").arg(key.to_string()).arg(&value[..]), None).await.map(drop)
    }

    async fn replace(&self, key: &Key, before: Option<&[u8]>, after: Bytes) -> Result<bool, BusError> {
        let mut command = redis::cmd("EVAL");
        command.arg(REPLACE).arg(1).arg(key.to_string()).arg(&after[..]);
        if let Some(before) = before {
            command.arg(before);
        }
        self.typed::<u64>(&command, "EVAL of SET").await.map(|replaced| replaced == 1)
    }

    fn link(&self) -> watch::Receiver<BusLink> {
        self.link.reported()
    }

    fn concerns(&self) -> Vec<String> {
        self.link.concerns()
    }
}
