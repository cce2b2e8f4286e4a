//! The dead man's switch. Each beat carries the id that the one before was answered with; the venue refuses any other
//! and names the one that it expects. A refused beat does not feed its timer, so the right id is sent at once, once.

use reqwest::Method;
use serde::Deserialize;

use super::super::http::Reply;
use super::{Ask, Rest, held};
use crate::domain::CallClass;
use crate::exec::venue::VenueError;

/// The id that the next beat must carry; empty begins a new chain.
#[derive(Debug, Default)]
pub(super) struct Chain {
    id: String,
}

/// What an answer to a beat means.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// The timer was fed.
    Beaten,
    /// It was not, and the chain now has an id that may do.
    Again,
    Failed(VenueError),
}

#[derive(Deserialize)]
struct Beat {
    heartbeat_id: Option<String>,
}

impl Chain {
    /// Takes the answer in. 400 with an id: that one is expected. 400, 404 or 410 without one: ours is worth nothing any
    /// more (expired, or forgotten in a restart), so a new chain is begun.
    fn take(&mut self, reply: &Reply) -> Verdict {
        let named = serde_json::from_slice::<Beat>(&reply.body).ok().and_then(|beat| beat.heartbeat_id);
        match (reply.status, named) {
            (200, Some(id)) => {
                self.id = id;
                Verdict::Beaten
            }
            (200, None) => Verdict::Failed(VenueError::Unreadable("heartbeat: heartbeat_id is missing".to_owned())),
            (400, Some(expected)) => {
                self.id = expected;
                Verdict::Again
            }
            (400 | 404 | 410, None) if !self.id.is_empty() => {
                self.id.clear();
                Verdict::Again
            }
            _ => Verdict::Failed(reply.refusal()),
        }
    }
}

impl Rest {
    /// One beat, and at once a second one when the first shows that the chain had another id.
    pub(in super::super) async fn heartbeat(&self) -> Result<(), VenueError> {
        match self.beat().await? {
            (Verdict::Beaten, _) => return Ok(()),
            (Verdict::Failed(error), _) => return Err(error),
            (Verdict::Again, words) => tracing::info!(%words, "the heartbeat's chain was broken; sent again"),
        }
        match self.beat().await? {
            (Verdict::Beaten, _) => Ok(()),
            (Verdict::Failed(error), _) => Err(error),
            (Verdict::Again, words) => Err(VenueError::HeartbeatBroken(words)),
        }
    }

    /// Sends a beat; gives what its answer means, and the venue's words.
    async fn beat(&self) -> Result<(Verdict, String), VenueError> {
        let id = held(&self.heartbeat).id.clone();
        let body = serde_json::json!({ "heartbeat_id": id }).to_string().into();
        let ask = Ask { body, ..Ask::of(CallClass::Heartbeats, Method::POST, "/v1/heartbeats") };
        let reply = self.call(ask).await?;
        let verdict = held(&self.heartbeat).take(&reply);
        Ok((verdict, reply.refusal().to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status, retry_after: None, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn an_answer_moves_the_chain_or_fails() {
        let rows = [
            (200, r#"{"heartbeat_id":"b"}"#, "b", true),
            (400, r#"{"error_msg":"Invalid Heartbeat ID","heartbeat_id":"x"}"#, "x", true),
            (400, r#"{"error":"Invalid Heartbeat ID","heartbeat_id":""}"#, "", true),
            (400, r#"{"error":"Invalid Heartbeat ID"}"#, "", true),
            (400, r#"{"error":"Invalid Heartbeat ID","heartbeat_id":null}"#, "", true),
            (404, "not found", "", true),
            (410, "", "", true),
            (200, "{}", "a", false),
            (200, "{\"heartbeat_id\":", "a", false),
            (401, r#"{"error":"Unauthorized/Invalid api key"}"#, "a", false),
            (425, "", "a", false),
            (429, "", "a", false),
            (500, r#"{"heartbeat_id":"z"}"#, "a", false),
            (503, "", "a", false),
        ];
        for (status, body, id, goes_on) in rows {
            let mut chain = Chain { id: "a".into() };
            let verdict = chain.take(&reply(status, body));
            assert_eq!(chain.id, id, "{status} {body}");
            assert_eq!(!matches!(verdict, Verdict::Failed(_)), goes_on, "{status} {body}");
            assert_eq!(verdict == Verdict::Beaten, status == 200 && goes_on, "{status} {body}");
        }
    }

    #[test]
    fn a_new_chain_that_is_refused_is_not_begun_again() {
        let mut chain = Chain::default();
        let verdict = chain.take(&reply(400, r#"{"error":"no such account"}"#));
        assert!(matches!(verdict, Verdict::Failed(VenueError::Refused { status: 400, .. })), "{verdict:?}");
    }
}
