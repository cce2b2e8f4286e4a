//! What the venue's answer to a POST of an order means: one table, one pure function. The rule behind every line: an
//! order counts as refused only when the venue has said so in words that it documents; everything else is unknown.

use std::time::Duration;

use serde_json::{Map, Value};

use super::http::{MAX_RETRY_AFTER, Reply, TransportError};
use super::parse::order_id;
use crate::domain::{OrderId, TradeId};
use crate::exec::venue::PostAnswer;

/// Words of a 200 that mean "accepted". Source: order response model of `polymarket-client` 0.14.0.
const ACCEPTED: [&str; 4] = ["live", "matched", "delayed", "unmatched"];
/// Texts of an order that the venue already has. It is ours: it has our hash.
const DUPLICATE: [&str; 3] = ["duplicated", "already exists", "order_duplicated"];
/// Texts that refuse an order for now, with whatever status they come.
const FOR_NOW: [&str; 5] = [
    "post-only mode",
    "trading is currently disabled",
    "trading is currently cancel-only",
    "rate limit exceeded",
    "too many requests",
];
/// Texts that refuse an order for good, as the venue documents them; asked for only where the status alone says nothing.
const FOR_GOOD: [&str; 20] = [
    "invalid order payload",
    "the order owner has to be the owner of the api key",
    "the order signer address has to be the address of the api key",
    "invalid signature",
    "order_version_mismatch",
    "breaks minimum tick size rule",
    "lower than the minimum",
    "invalid expiration",
    "invalid nonce",
    "invalid post-only order",
    "not enough balance",
    "invalid amounts",
    "couldn't be fully filled",
    "no orders found to match with fak order",
    "maker address not allowed",
    "address banned",
    "closed only mode",
    "no orderbook exists",
    "does not exist",
    "the market is not yet ready",
];
/// Longest reason that is kept.
const REASON_CHARS: usize = 300;

/// An answer's JSON object. A field of another type than documented counts as missing, which never makes an acceptance.
struct Fields(Map<String, Value>);

impl Fields {
    fn of(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok().map(Self)
    }

    /// A text that is not empty.
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty())
    }

    fn is_success(&self) -> bool {
        self.0.get("success") == Some(&Value::Bool(true))
    }

    fn trades(&self) -> Vec<TradeId> {
        let ids = self.0.get("tradeIDs").and_then(Value::as_array);
        ids.into_iter().flatten().filter_map(Value::as_str).filter(|id| !id.is_empty()).map(TradeId::new).collect()
    }

    fn wait(&self) -> Option<Duration> {
        self.0.get("retry_after_seconds")?.as_u64().map(|seconds| Duration::from_secs(seconds.min(MAX_RETRY_AFTER)))
    }
}

/// Classifies the answer to posting `order`, or the way in which none came.
#[must_use]
pub(super) fn classify(order: &OrderId, outcome: &Result<Reply, TransportError>) -> PostAnswer {
    let reply = match outcome {
        Ok(reply) => reply,
        Err(TransportError::NotSent(reason)) => return transient(reason, None),
        Err(TransportError::Lost(reason)) => return unknown(reason),
    };
    let fields = Fields::of(&reply.body);
    let wait = reply.retry_after.or_else(|| fields.as_ref()?.wait());
    let words = fields.as_ref().and_then(|fields| fields.text("error"));
    match (reply.status, fields.as_ref()) {
        (200, Some(fields)) => accepted(order, fields, wait),
        (200, None) => unknown(&format!("200 with an unreadable body of {} bytes", reply.body.len())),
        (425, _) => transient(words.unwrap_or("the matching engine is restarting (425)"), wait),
        (429, _) => transient(words.unwrap_or("rate limited (429)"), wait),
        (401 | 403, _) => refused(reply, words),
        (400 | 404, _) if words.is_some() => refused(reply, words),
        (503, Some(fields)) if is_for_now(words) || fields.text("code") == Some("post_only_mode") => {
            transient(words.unwrap_or("post-only mode"), wait)
        }
        (status, _) => unknown(&format!("{status}: {}", words.map_or_else(|| reply.excerpt(), clip))),
    }
}

/// A 200 says yes only with our id, success, no error text and a known status.
fn accepted(order: &OrderId, fields: &Fields, wait: Option<Duration>) -> PostAnswer {
    let error = fields.text("errorMsg").or_else(|| fields.text("error"));
    let id = fields.text("orderID").map(order_id);
    match (id, error) {
        (Some(got), _) if got != *order => PostAnswer::ForeignId { got },
        (Some(_), None) if fields.is_success() => {
            let status = fields.text("status").unwrap_or_default().to_ascii_lowercase();
            if status.is_empty() || ACCEPTED.contains(&status.as_str()) {
                PostAnswer::Accepted { status, trades: fields.trades() }
            } else {
                unknown(&format!("200 with our id and the status '{}', which is not known", clip(&status)))
            }
        }
        (Some(_), None) => unknown("200 with our id, but without success"),
        (Some(_), Some(error)) if contains(error, &DUPLICATE) => PostAnswer::Duplicate,
        (Some(_), Some(error)) => unknown(&format!("200 with our id and an error: {}", clip(error))),
        (None, Some(error)) if contains(error, &DUPLICATE) => PostAnswer::Duplicate,
        (None, Some(error)) if contains(error, &FOR_NOW) => transient(error, wait),
        (None, Some(error)) if contains(error, &FOR_GOOD) => PostAnswer::Rejected { reason: clip(error) },
        (None, Some(error)) => unknown(&format!("200 without an id and with an unknown error: {}", clip(error))),
        (None, None) => unknown("200 without an id and without a reason"),
    }
}

fn refused(reply: &Reply, words: Option<&str>) -> PostAnswer {
    match words {
        Some(words) if contains(words, &DUPLICATE) => PostAnswer::Duplicate,
        Some(words) => PostAnswer::Rejected { reason: clip(words) },
        None => PostAnswer::Rejected { reason: format!("{}: {}", reply.status, reply.excerpt()) },
    }
}

fn is_for_now(words: Option<&str>) -> bool {
    words.is_some_and(|words| contains(words, &FOR_NOW))
}

fn contains(text: &str, needles: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    needles.iter().any(|needle| text.contains(needle))
}

fn transient(reason: &str, retry_after: Option<Duration>) -> PostAnswer {
    PostAnswer::Transient { reason: clip(reason), retry_after }
}

fn unknown(reason: &str) -> PostAnswer {
    PostAnswer::Unknown { reason: clip(reason) }
}

fn clip(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(REASON_CHARS).collect()
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
