//! From the server's answers to entries. An answer of another shape is an error that names the command, never a panic.

use bytes::Bytes;
use redis::{FromRedisValue, Value};

use crate::bus::{BusError, Claimed, Entry, EntryId, PendingSummary};

/// The one field that our entries have.
pub(super) const FIELD: &str = "m";

/// Entries of an answer to XREAD or XREADGROUP on one stream; none when the wait was in vain.
pub(super) fn streams(command: &str, answer: Value) -> Result<Vec<Entry>, BusError> {
    let listed = match answer {
        Value::Nil => return Ok(Vec::new()),
        Value::Map(pairs) => pairs.into_iter().next().map(|(_, listed)| listed),
        Value::Array(streams) => match streams.into_iter().next() {
            Some(Value::Array(pair)) => pair.into_iter().nth(1),
            _ => None,
        },
        _ => None,
    };
    entries(command, listed.ok_or_else(|| unexpected(command))?)
}

/// Entries of an answer to XRANGE or XREVRANGE, in its order.
pub(super) fn entries(command: &str, answer: Value) -> Result<Vec<Entry>, BusError> {
    let Value::Array(listed) = answer else { return Err(unexpected(command)) };
    listed.into_iter().map(|item| entry(item).ok_or_else(|| unexpected(command))).collect()
}

/// The answer to XAUTOCLAIM. Servers before 7.0 leave out the list of deleted ids.
pub(super) fn claimed(answer: Value) -> Result<Claimed, BusError> {
    const COMMAND: &str = "XAUTOCLAIM";
    let Value::Array(parts) = answer else { return Err(unexpected(COMMAND)) };
    let mut parts = parts.into_iter();
    let cursor = parts.next().and_then(id).ok_or_else(|| unexpected(COMMAND))?;
    let entries = entries(COMMAND, parts.next().ok_or_else(|| unexpected(COMMAND))?)?;
    let deleted = match parts.next() {
        None => Vec::new(),
        Some(Value::Array(ids)) => {
            ids.into_iter().map(|value| id(value).ok_or_else(|| unexpected(COMMAND))).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(unexpected(COMMAND)),
    };
    Ok(Claimed { entries, deleted, cursor })
}

/// The answer to XPENDING without a range.
pub(super) fn summary(answer: Value) -> Result<PendingSummary, BusError> {
    let Value::Array(parts) = answer else { return Err(unexpected("XPENDING")) };
    let mut parts = parts.into_iter();
    let count = parts.next().and_then(number).ok_or_else(|| unexpected("XPENDING"))?;
    Ok(PendingSummary { count, oldest: parts.next().and_then(id) })
}

/// The delivery count in the answer to XPENDING for one id; nothing when it is no longer pending.
pub(super) fn deliveries(answer: Value) -> Option<u64> {
    let Value::Array(rows) = answer else { return None };
    let Some(Value::Array(row)) = rows.into_iter().next() else { return None };
    row.into_iter().nth(3).and_then(number)
}

/// The id that XADD answered with.
pub(super) fn entry_id(command: &str, answer: Value) -> Result<EntryId, BusError> {
    id(answer).ok_or_else(|| unexpected(command))
}

fn entry(item: Value) -> Option<Entry> {
    let Value::Array(pair) = item else { return None };
    let mut pair = pair.into_iter();
    let id = id(pair.next()?)?;
    let payload = match pair.next()? {
        Value::Nil => Bytes::new(),
        Value::Array(flat) => payload(flat),
        _ => return None,
    };
    Some(Entry { id, payload, deliveries: 0 })
}

/// What our field holds. An entry that somebody else wrote without it keeps its fields, as a list of texts that no decoder takes:
/// it is then refused with what it said, and the line behind it moves.
fn payload(flat: Vec<Value>) -> Bytes {
    let mut fields = flat.into_iter();
    let mut foreign = Vec::new();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        match (name, value) {
            (Value::BulkString(name), Value::BulkString(value)) if name == FIELD.as_bytes() => {
                return Bytes::from(value);
            }
            (name, value) => foreign.extend([name, value].map(text)),
        }
    }
    Bytes::from(serde_json::Value::from(foreign).to_string())
}

fn text(value: Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other => format!("{other:?}"),
    }
}

fn id(value: Value) -> Option<EntryId> {
    EntryId::parse(&String::from_redis_value(value).ok()?)
}

fn number(value: Value) -> Option<u64> {
    u64::from_redis_value(value).ok()
}

pub(super) fn unexpected(command: &str) -> BusError {
    BusError::Refused(format!("{command}: an answer of unexpected form"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn item(id: &str, fields: &[&str]) -> Value {
        Value::Array(vec![bulk(id), Value::Array(fields.iter().map(|text| bulk(text)).collect())])
    }

    #[test]
    fn both_protocols_give_the_same_entries() {
        let listed = || Value::Array(vec![item("7-1", &["m", "hello"])]);
        let two = Value::Array(vec![Value::Array(vec![bulk("s"), listed()])]);
        let three = Value::Map(vec![(bulk("s"), listed())]);
        let expected =
            vec![Entry { id: EntryId { millis: 7, index: 1 }, payload: Bytes::from("hello"), deliveries: 0 }];
        assert_eq!(streams("XREAD", two), Ok(expected.clone()));
        assert_eq!(streams("XREAD", three), Ok(expected));
        assert_eq!(streams("XREAD", Value::Nil), Ok(Vec::new()));
    }

    #[test]
    fn a_foreign_entry_keeps_what_it_said() {
        let read = entries("XRANGE", Value::Array(vec![item("1-0", &["price", "0.5"])])).expect("entries");
        assert_eq!(read[0].payload, r#"["price","0.5"]"#);
    }

    #[test]
    fn a_trimmed_entry_has_no_payload() {
        let trimmed = Value::Array(vec![Value::Array(vec![bulk("1-0"), Value::Nil])]);
        assert_eq!(entries("XREADGROUP", trimmed).expect("entries")[0].payload, Bytes::new());
    }

    #[test]
    fn an_answer_of_another_form_is_named() {
        for answer in [Value::Okay, Value::Int(3), Value::Array(vec![Value::Int(1)])] {
            assert_eq!(streams("XREAD", answer.clone()), Err(unexpected("XREAD")));
            assert_eq!(claimed(answer.clone()), Err(unexpected("XAUTOCLAIM")));
        }
        assert_eq!(summary(Value::Nil), Err(unexpected("XPENDING")));
        assert_eq!(deliveries(Value::Nil), None);
    }
}
