//! What the server says, in our words. No error text of ours ever holds a password: the library's do not repeat the address.

use std::time::Duration;

use bytes::Bytes;
use redis::{ErrorKind, RedisError, Value};

use crate::bus::{BusError, Entry, EntryId};

pub(super) fn words(error: &RedisError) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.category()),
        None => error.to_string(),
    }
}

pub(super) fn error(error: &RedisError, within: Duration) -> BusError {
    if error.is_timeout() {
        return BusError::Timeout(within);
    }
    let gone = error.is_io_error() || error.is_connection_dropped() || error.is_connection_refusal();
    match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension if !gone => {
            let code = error.code().unwrap_or_default();
            BusError::Refused(format!("{code} {}", error.detail().unwrap_or_default()).trim().to_owned())
        }
        ErrorKind::AuthenticationFailed => BusError::Refused(words(error)),
        _ => BusError::Unreachable(words(error)),
    }
}

/// The entries of a reply `[[id, [field, payload]], ...]`; one that was trimmed while pending has an empty payload.
pub(super) fn entries(value: &Value, deliveries: u64) -> Result<Vec<Entry>, BusError> {
    let Value::Array(rows) = value else { return if *value == Value::Nil { Ok(Vec::new()) } else { Err(odd(value)) } };
    rows.iter().filter(|row| **row != Value::Nil).map(|row| entry(row, deliveries)).collect()
}

/// The entries of one stream in a reply `[[stream, entries]]`; nothing when the wait was over.
pub(super) fn of_one_stream(value: &Value, deliveries: u64) -> Result<Vec<Entry>, BusError> {
    match value {
        Value::Nil => Ok(Vec::new()),
        Value::Array(streams) => match streams.first() {
            Some(Value::Array(pair)) if pair.len() == 2 => entries(&pair[1], deliveries),
            _ => Err(odd(value)),
        },
        Value::Map(streams) => streams.first().map_or(Ok(Vec::new()), |(_, rows)| entries(rows, deliveries)),
        _ => Err(odd(value)),
    }
}

fn entry(row: &Value, deliveries: u64) -> Result<Entry, BusError> {
    let Value::Array(parts) = row else { return Err(odd(row)) };
    let [id, fields] = parts.as_slice() else { return Err(odd(row)) };
    let payload = match fields {
        Value::Array(fields) => match fields.get(1) {
            Some(Value::BulkString(bytes)) => Bytes::copy_from_slice(bytes),
            _ => Bytes::new(),
        },
        _ => Bytes::new(),
    };
    Ok(Entry { id: self::id(id)?, payload, deliveries })
}

pub(super) fn id(value: &Value) -> Result<EntryId, BusError> {
    let text = match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text.as_str()),
        _ => None,
    };
    text.and_then(EntryId::parse).ok_or_else(|| odd(value))
}

pub(super) fn odd(value: &Value) -> BusError {
    BusError::Refused(format!(
        "an answer of an unexpected shape: {}",
        format!("{value:?}").chars().take(80).collect::<String>()
    ))
}
