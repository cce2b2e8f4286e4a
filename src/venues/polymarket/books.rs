//! Books as the venue's REST side shows them now: the second witness for what the market socket told.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;

use super::http::{Call, Http, TransportError};
use super::settings::{SetupError, host};
use crate::domain::TokenId;
use crate::exec::venue::VenueError;

/// Half of what a book may be old by default: a later answer would prove too little.
const TIMEOUT: Duration = Duration::from_millis(1_500);

/// Asks for books. Cheap to clone.
#[derive(Clone, Debug)]
pub struct BookReader {
    http: Http,
}

impl BookReader {
    /// Of the CLOB at `base`, such as `https://clob.polymarket.com`.
    ///
    /// # Errors
    /// When that is no address, or no client can be made.
    pub fn new(base: &str) -> Result<Self, SetupError> {
        let base = host("clob", base, &["http", "https"], "http:// or https://")?;
        let http = Http::new(base).map_err(|error| SetupError::Http(error.to_string()))?;
        Ok(Self { http })
    }

    /// The books of these tokens, in one text as a market socket would send them; those that the venue has none of are left out.
    ///
    /// # Errors
    /// When there is no answer within 1.5 s, or the venue refuses.
    pub async fn read(&self, tokens: &[TokenId]) -> Result<String, VenueError> {
        let wanted: Vec<_> = tokens.iter().map(|token| serde_json::json!({ "token_id": token })).collect();
        let call = Call {
            method: Method::POST,
            path: "/books",
            query: &[],
            headers: &[],
            body: Bytes::from(serde_json::Value::Array(wanted).to_string()),
            timeout: TIMEOUT,
        };
        let request = self.http.prepare(call)?;
        let body = self.http.send(request).await?.success()?;
        String::from_utf8(body).map_err(|error| TransportError::Lost(error.to_string()).into())
    }
}
