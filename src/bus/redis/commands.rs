//! The port, one Redis command a method.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::{Value, cmd};
use tokio::sync::watch;

use super::{RedisBus, reply, subscription};
use crate::bus::{
    Bus, BusError, BusLink, Channel, Claimed, Entry, EntryId, Group, Key, PendingSummary, ReadFrom, Stream,
    Subscription,
};

/// The one field of a stream entry.
const FIELD: &str = "m";

/// Redis takes `BLOCK 0` for ever; a read that may not wait leaves the word out.
fn block_ms(block: Duration) -> Option<u64> {
    u64::try_from(block.as_millis()).ok().filter(|ms| *ms > 0)
}

/// Turns the server's NOGROUP into the error of its own that callers act on.
fn no_group(error: BusError, stream: Stream, group: Group) -> BusError {
    match error {
        BusError::Refused(words) if words.starts_with("NOGROUP") => BusError::NoGroup { stream, group },
        other => other,
    }
}

#[async_trait]
impl Bus for RedisBus {
    async fn publish(&self, channel: Channel, payload: Bytes) -> Result<(), BusError> {
        self.call(cmd("PUBLISH").arg(channel.name()).arg(payload.as_ref())).await
    }

    async fn subscribe(&self, channels: &[Channel], capacity: usize) -> Result<Subscription, BusError> {
        Ok(subscription::start(self.client.clone(), channels, capacity).await)
    }

    async fn append(&self, stream: Stream, payload: Bytes) -> Result<EntryId, BusError> {
        let mut command = cmd("XADD");
        command.arg(stream.name());
        if let Some(cap) = stream.cap() {
            command.arg("MAXLEN").arg("~").arg(cap);
        }
        let value: Value = self.call(command.arg("*").arg(FIELD).arg(payload.as_ref())).await?;
        reply::id(&value)
    }

    async fn read(
        &self,
        stream: Stream,
        after: EntryId,
        count: usize,
        block: Duration,
    ) -> Result<Vec<Entry>, BusError> {
        let mut command = cmd("XREAD");
        command.arg("COUNT").arg(count);
        let waits = block_ms(block);
        if let Some(ms) = waits {
            command.arg("BLOCK").arg(ms);
        }
        command.arg("STREAMS").arg(stream.name()).arg(after.to_string());
        let value: Value = match waits {
            Some(_) => self.call_blocking(&command, block).await?,
            None => self.call(&command).await?,
        };
        reply::of_one_stream(&value, 0)
    }

    async fn tail(&self, stream: Stream, count: usize) -> Result<Vec<Entry>, BusError> {
        let value: Value =
            self.call(cmd("XREVRANGE").arg(stream.name()).arg("+").arg("-").arg("COUNT").arg(count)).await?;
        let mut entries = reply::entries(&value, 0)?;
        entries.reverse();
        Ok(entries)
    }

    async fn len(&self, stream: Stream) -> Result<u64, BusError> {
        self.call(cmd("XLEN").arg(stream.name())).await
    }

    async fn create_group(&self, stream: Stream, group: Group) -> Result<(), BusError> {
        let mut command = cmd("XGROUP");
        command.arg("CREATE").arg(stream.name()).arg(group.name()).arg("0").arg("MKSTREAM");
        match self.call::<()>(&command).await {
            Err(BusError::Refused(words)) if words.starts_with("BUSYGROUP") => Ok(()),
            other => other,
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
        let mut command = cmd("XREADGROUP");
        command.arg("GROUP").arg(group.name()).arg(consumer).arg("COUNT").arg(count);
        let (waits, after, deliveries) = match from {
            ReadFrom::New => (block_ms(block), ">".to_owned(), 1),
            // The server does not say how often a pending entry was delivered; this is a repeat at least.
            ReadFrom::Pending(after) => (None, after.to_string(), 2),
        };
        if let Some(ms) = waits {
            command.arg("BLOCK").arg(ms);
        }
        command.arg("STREAMS").arg(stream.name()).arg(after);
        let value: Result<Value, BusError> = match waits {
            Some(_) => self.call_blocking(&command, block).await,
            None => self.call(&command).await,
        };
        reply::of_one_stream(&value.map_err(|error| no_group(error, stream, group))?, deliveries)
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
        let mut command = cmd("XAUTOCLAIM");
        let idle = u64::try_from(min_idle.as_millis()).unwrap_or(u64::MAX);
        command.arg(stream.name()).arg(group.name()).arg(consumer).arg(idle).arg(cursor.to_string());
        let value: Value =
            self.call(command.arg("COUNT").arg(count)).await.map_err(|error| no_group(error, stream, group))?;
        let Value::Array(parts) = &value else { return Err(reply::odd(&value)) };
        let [next, rows, rest @ ..] = parts.as_slice() else { return Err(reply::odd(&value)) };
        let deleted = match rest.first() {
            Some(Value::Array(ids)) => ids.iter().map(reply::id).collect::<Result<_, _>>()?,
            _ => Vec::new(),
        };
        Ok(Claimed { cursor: reply::id(next)?, entries: reply::entries(rows, 2)?, deleted })
    }

    async fn ack(&self, stream: Stream, group: Group, ids: &[EntryId]) -> Result<u64, BusError> {
        if ids.is_empty() {
            return Ok(0);
        }
        let mut command = cmd("XACK");
        command.arg(stream.name()).arg(group.name());
        for id in ids {
            command.arg(id.to_string());
        }
        self.call(&command).await
    }

    async fn pending(&self, stream: Stream, group: Group) -> Result<PendingSummary, BusError> {
        let mut command = cmd("XPENDING");
        command.arg(stream.name()).arg(group.name());
        let value: Value = self.call(&command).await.map_err(|error| no_group(error, stream, group))?;
        match &value {
            Value::Array(parts) => match parts.as_slice() {
                [Value::Int(count), oldest, ..] => Ok(PendingSummary {
                    count: u64::try_from(*count).unwrap_or_default(),
                    oldest: if *oldest == Value::Nil { None } else { Some(reply::id(oldest)?) },
                }),
                _ => Err(reply::odd(&value)),
            },
            _ => Err(reply::odd(&value)),
        }
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>, BusError> {
        let value: Option<Vec<u8>> = self.call(cmd("GET").arg(key.to_string())).await?;
        Ok(value.map(Bytes::from))
    }

    async fn set(&self, key: &Key, value: Bytes) -> Result<(), BusError> {
        self.call(cmd("SET").arg(key.to_string()).arg(value.as_ref())).await
    }

    fn link(&self) -> watch::Receiver<BusLink> {
        self.link.clone()
    }
}
