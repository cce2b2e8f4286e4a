use std::sync::PoisonError;

use reqwest::Method;
use rust_decimal::Decimal;
use serde::Deserialize;

use super::super::http::Reply;
use super::super::parse::{self, Text};
use super::{LIST_TIMEOUT, ORDER_TIMEOUT, Rest, read};
use crate::domain::{Timestamp, Usd};
use crate::exec::venue::{VenueError, VenueFill};

impl Rest {
    /// Our fills matched at or after `since`, which the venue counts in whole seconds.
    pub(in super::super) async fn fills(&self, since: Timestamp) -> Result<Vec<VenueFill>, VenueError> {
        let account = self.account(&*self.signer()?);
        // The venue's bound excludes its own second.
        let after = since.secs().saturating_sub(1).max(0).to_string();
        let mut fills = self
            .pages("/data/trades", &[("after", &after)], |row| {
                parse::fills(row, &account).map_err(|error| VenueError::Unreadable(error.to_string()))
            })
            .await?;
        fills.retain(|fill| fill.matched_at.secs() >= since.secs());
        Ok(fills)
    }

    /// Free pUSD.
    pub(in super::super) async fn collateral(&self) -> Result<Usd, VenueError> {
        #[derive(Deserialize)]
        struct Allowance {
            balance: Text,
        }
        let signature_type = self.signatory.signature_type.code().to_string();
        let query = [("asset_type", "COLLATERAL"), ("signature_type", signature_type.as_str())];
        let body = self.call(Method::GET, "/balance-allowance", &query, "", LIST_TIMEOUT).await?.success()?;
        let Allowance { balance } = read("balance-allowance", &body)?;
        let text = balance.get().unwrap_or_default();
        let units: i64 = text.parse().map_err(|_| {
            VenueError::Unreadable(format!("balance-allowance: balance '{text}' is not a whole number of millionths"))
        })?;
        Ok(Usd(Decimal::new(units, 6)))
    }

    /// One beat. A beat with a stale id does not reset the venue's timer, so it is repeated at once with the right one.
    pub(in super::super) async fn heartbeat(&self) -> Result<(), VenueError> {
        let id = self.heartbeat_id.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let first = self.beat(&id).await?;
        let Some(expected) = expected_id(&first) else { return self.beaten(first) };
        tracing::info!("the venue expects another heartbeat id; adopted and sent again");
        let second = self.beat(&expected).await?;
        if let Some(expected) = expected_id(&second) {
            self.keep_heartbeat_id(expected);
        }
        self.beaten(second)
    }

    async fn beat(&self, id: &str) -> Result<Reply, VenueError> {
        let body = serde_json::json!({ "heartbeat_id": id }).to_string();
        self.call(Method::POST, "/v1/heartbeats", &[], body, ORDER_TIMEOUT).await
    }

    fn beaten(&self, reply: Reply) -> Result<(), VenueError> {
        let Beat { heartbeat_id } = read("heartbeat", &reply.success()?)?;
        self.keep_heartbeat_id(heartbeat_id);
        Ok(())
    }

    fn keep_heartbeat_id(&self, id: String) {
        *self.heartbeat_id.lock().unwrap_or_else(PoisonError::into_inner) = id;
    }
}

#[derive(Deserialize)]
struct Beat {
    heartbeat_id: String,
}

/// The id that a refusal names.
fn expected_id(reply: &Reply) -> Option<String> {
    if reply.status != 400 {
        return None;
    }
    serde_json::from_slice::<Beat>(&reply.body).ok().map(|beat| beat.heartbeat_id)
}
