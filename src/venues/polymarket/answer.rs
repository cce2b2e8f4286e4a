//! What the venue's answer to a POST of an order means: one table, one pure function. The rule behind every line: an
//! order counts as refused only when the venue has said so in words that it documents; everything else is unknown. Beside it the same
//! for a cancel.

use std::time::Duration;

use serde_json::{Map, Value};

use super::http::{MAX_RETRY_AFTER, Reply, TransportError};
use super::parse::order_id;
use crate::domain::{OrderId, RejectCode, TradeId, TransientCode};
use crate::exec::venue::{CancelAnswer, PostAnswer, VenueError};

/// Words of a 200 that mean "accepted". Source: order response model of `polymarket-client` 0.14.0.
const ACCEPTED: [&str; 4] = ["live", "matched", "delayed", "unmatched"];
/// Longest reason that is kept.
const REASON_CHARS: usize = 300;
/// Hex digits of an order id.
const ID_DIGITS: usize = 64;

/// What a text of the venue says about an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The venue has it already. It is ours: it has our hash.
    Duplicate,
    /// Refused for good.
    Refused(RejectCode),
    /// Refused for now.
    ForNow(TransientCode),
    /// Documented, but it does not say what became of the order.
    Unsaid,
}
use Meaning::{Duplicate, ForNow, Refused, Unsaid};

/// The venue's texts in lower case; the first that occurs in an answer decides. Source: the venue's page of error codes
/// and the texts that its clients' users report.
const WORDS: [(&str, Meaning); 36] = [
    ("duplicated", Duplicate),
    ("already exists", Duplicate),
    ("post-only mode", ForNow(TransientCode::PostOnlyMode)),
    ("trading is currently cancel-only", ForNow(TransientCode::CancelOnly)),
    ("trading is currently disabled", ForNow(TransientCode::TradingDisabled)),
    ("rate limit exceeded", ForNow(TransientCode::RateLimited)),
    ("too many requests", ForNow(TransientCode::RateLimited)),
    ("allowance is not enough", Refused(RejectCode::Allowance)),
    ("not enough balance", Refused(RejectCode::Balance)),
    ("breaks minimum tick size rule", Refused(RejectCode::Tick)),
    ("lower than the minimum", Refused(RejectCode::MinSize)),
    ("invalid amounts", Refused(RejectCode::Precision)),
    ("supports a max accuracy", Refused(RejectCode::Precision)),
    ("invalid expiration", Refused(RejectCode::Expiration)),
    ("invalid post-only order", Refused(RejectCode::PostOnlyCrosses)),
    ("crosses the book", Refused(RejectCode::PostOnlyCrosses)),
    ("couldn't be fully filled", Refused(RejectCode::NotFilled)),
    ("no orders found to match with fak order", Refused(RejectCode::NotFilled)),
    ("invalid order payload", Refused(RejectCode::Malformed)),
    ("invalid nonce", Refused(RejectCode::Malformed)),
    ("no orderbook exists", Refused(RejectCode::MarketUnknown)),
    ("does not exist", Refused(RejectCode::MarketUnknown)),
    ("market not found", Refused(RejectCode::MarketUnknown)),
    ("market is not yet ready", Refused(RejectCode::MarketNotAccepting)),
    ("market closed", Refused(RejectCode::MarketNotAccepting)),
    ("not accepting orders", Refused(RejectCode::MarketNotAccepting)),
    ("invalid signature", Refused(RejectCode::Signature)),
    ("order_version_mismatch", Refused(RejectCode::Version)),
    ("the order owner has to be", Refused(RejectCode::Owner)),
    ("the order signer address has to be", Refused(RejectCode::Owner)),
    ("maker address not allowed", Refused(RejectCode::MakerNotAllowed)),
    ("address banned", Refused(RejectCode::Banned)),
    ("closed only mode", Refused(RejectCode::ClosedOnly)),
    ("unauthorized/invalid api key", Refused(RejectCode::Unauthorized)),
    ("order canceled in the ctf exchange contract", Unsaid),
    ("order match delayed", Unsaid),
];

/// What the venue's words say, when they are known.
pub(super) fn meaning(text: &str) -> Option<Meaning> {
    let text = text.to_ascii_lowercase();
    WORDS.iter().find(|(words, _)| text.contains(words)).map(|(_, meaning)| *meaning)
}

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
        Err(TransportError::NotSent(reason)) => return transient(TransientCode::Unreachable, reason, None),
        Err(TransportError::Lost(reason)) => return unknown(reason),
    };
    let fields = Fields::of(&reply.body);
    let wait = reply.retry_after.or_else(|| fields.as_ref()?.wait());
    match (reply.status, fields.as_ref()) {
        (200, Some(fields)) => accepted(order, fields, wait),
        (200, None) => unknown(&format!("200 with an unreadable body of {} bytes", reply.body.len())),
        (_, fields) => refused(order, reply, fields, wait),
    }
}

/// A 200 says yes only with our id, success, no error text and a known status.
fn accepted(order: &OrderId, fields: &Fields, wait: Option<Duration>) -> PostAnswer {
    let error = fields.text("errorMsg").or_else(|| fields.text("error"));
    let id = fields.text("orderID").map(order_id);
    match (id, error.map(|error| (error, meaning(error)))) {
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
        (_, Some((_, Some(Duplicate)))) => PostAnswer::Duplicate,
        (Some(_), Some((error, _))) => unknown(&format!("200 with our id and an error: {}", clip(error))),
        (None, Some((error, Some(ForNow(code))))) => transient(code, error, wait),
        (None, Some((error, Some(Refused(code))))) => PostAnswer::Rejected { code, reason: clip(error) },
        (None, Some((error, Some(Unsaid) | None))) => {
            unknown(&format!("200 without an id and with an error that does not decide: {}", clip(error)))
        }
        (None, None) => unknown("200 without an id and without a reason"),
    }
}

/// Any other status. The status says how far the words can be trusted.
fn refused(order: &OrderId, reply: &Reply, fields: Option<&Fields>, wait: Option<Duration>) -> PostAnswer {
    let words = fields.and_then(|fields| fields.text("error").or_else(|| fields.text("errorMsg")));
    let said = words.and_then(meaning);
    let reason = words.map_or_else(|| format!("{}: {}", reply.status, reply.excerpt()), str::to_owned);
    let for_good = |code| PostAnswer::Rejected { code, reason: clip(&reason) };
    if let Some(other) = other_order(order, fields, words) {
        return unknown(&format!("{} about another order, {other}: {reason}", reply.status));
    }
    match (reply.status, said) {
        (425, _) => transient(TransientCode::Restarting, &reason, wait),
        (429, _) => transient(TransientCode::RateLimited, &reason, wait),
        (400 | 401 | 403, Some(Duplicate)) => PostAnswer::Duplicate,
        (401, _) => for_good(RejectCode::Unauthorized),
        (400 | 403 | 404, Some(Refused(code))) => for_good(code),
        (403, _) => for_good(RejectCode::Forbidden),
        (400 | 503, Some(ForNow(code))) => transient(code, &reason, wait),
        (400, None) if words.is_some() => for_good(RejectCode::Other),
        (503, _) if fields.and_then(|fields| fields.text("code")) == Some("post_only_mode") => {
            transient(TransientCode::PostOnlyMode, &reason, wait)
        }
        (status, _) if words.is_some() => unknown(&format!("{status}: {reason}")),
        _ => unknown(&reason),
    }
}

/// Classifies the answer to a cancel. It is one only with a list of what was cancelled or was not: the venue gives both. An order
/// that is in neither, and whatever the reason is for one that was not cancelled, is for a lookup to settle.
pub(super) fn classify_cancel(reply: &Reply) -> Result<CancelAnswer, VenueError> {
    if reply.status != 200 {
        return Err(reply.refusal());
    }
    let unreadable = |what: &str| Err(VenueError::Unreadable(format!("a cancel's answer {what}: {}", reply.excerpt())));
    let Some(Fields(fields)) = Fields::of(&reply.body) else { return unreadable("is no JSON object") };
    let (cancelled, kept) = match (fields.get("canceled"), fields.get("not_canceled")) {
        (None, None) => return unreadable("names neither canceled nor not_canceled"),
        (cancelled, kept) => (cancelled.unwrap_or(&Value::Null), kept.unwrap_or(&Value::Null)),
    };
    let ids: Option<Vec<&str>> = match cancelled {
        Value::Null => Some(Vec::new()),
        Value::Array(ids) => ids.iter().map(Value::as_str).collect(),
        _ => None,
    };
    let Some(ids) = ids else { return unreadable("has no list of ids as canceled") };
    let kept = match kept {
        Value::Null => Vec::new(),
        Value::Object(kept) => kept.iter().map(|(id, why)| (order_id(id), words(why))).collect(),
        _ => return unreadable("has no ids with reasons as not_canceled"),
    };
    Ok(CancelAnswer { cancelled: ids.into_iter().map(order_id).collect(), not_cancelled: kept })
}

/// A reason as it is shown: the venue's text, or what else it gave as one.
fn words(reason: &Value) -> String {
    reason.as_str().map_or_else(|| clip(&reason.to_string()), clip)
}

/// The id of another order that a refusal names: then it is no answer to ours.
fn other_order(order: &OrderId, fields: Option<&Fields>, words: Option<&str>) -> Option<OrderId> {
    let stated = fields.and_then(|fields| fields.text("orderID"));
    let named = words.and_then(|words| {
        let from = words.split_once("order 0x")?.1;
        let digits = from.bytes().take_while(u8::is_ascii_hexdigit).count();
        (digits == ID_DIGITS).then(|| format!("0x{}", &from[..digits]))
    });
    [stated.map(order_id), named.as_deref().map(order_id)].into_iter().flatten().find(|id| id != order)
}

fn transient(code: TransientCode, reason: &str, retry_after: Option<Duration>) -> PostAnswer {
    PostAnswer::Transient { code, reason: clip(reason), retry_after }
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
