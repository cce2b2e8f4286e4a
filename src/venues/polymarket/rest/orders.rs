use std::collections::BTreeMap;

use reqwest::Method;
use serde::Deserialize;

use super::super::parse;
use super::{LIST_TIMEOUT, ORDER_TIMEOUT, Rest, read};
use crate::domain::OrderId;
use crate::exec::venue::{CancelAnswer, VenueError, VenueOrder};

/// Ids in one cancel. The venue's documents name 1,000 and 3,000 as its bound; half of the lower one is safe.
const CANCEL_CHUNK: usize = 500;
const CANCEL_REASON_CHARS: usize = 200;

#[derive(Deserialize)]
struct Cancelled {
    #[serde(default)]
    canceled: Vec<String>,
    #[serde(default)]
    not_canceled: BTreeMap<String, serde_json::Value>,
}

impl Rest {
    /// Cancels these, all chunks even when one of them fails; then the first failure is the answer.
    pub(in super::super) async fn cancel(&self, orders: &[OrderId]) -> Result<CancelAnswer, VenueError> {
        let (mut all, mut failure) = (CancelAnswer::default(), None);
        for chunk in orders.chunks(CANCEL_CHUNK) {
            let body = serde_json::to_vec(chunk).map_err(|error| VenueError::Unreadable(error.to_string()))?;
            match self.delete("/orders", body).await {
                Ok(mut part) => {
                    all.cancelled.append(&mut part.cancelled);
                    all.not_cancelled.append(&mut part.not_cancelled);
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(all), Err)
    }

    /// Cancels everything that rests.
    pub(in super::super) async fn cancel_all(&self) -> Result<CancelAnswer, VenueError> {
        self.delete("/cancel-all", Vec::new()).await
    }

    async fn delete(&self, path: &str, body: Vec<u8>) -> Result<CancelAnswer, VenueError> {
        let body = self.call(Method::DELETE, path, &[], body, ORDER_TIMEOUT).await?.success()?;
        let answer: Cancelled = read(path, &body)?;
        let reason = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text.chars().take(CANCEL_REASON_CHARS).collect(),
            other => other.to_string().chars().take(CANCEL_REASON_CHARS).collect(),
        };
        Ok(CancelAnswer {
            cancelled: answer.canceled.iter().map(|id| parse::order_id(id)).collect(),
            not_cancelled: answer
                .not_canceled
                .into_iter()
                .map(|(id, why)| (parse::order_id(&id), reason(why)))
                .collect(),
        })
    }

    /// Every open order.
    pub(in super::super) async fn open_orders(&self) -> Result<Vec<VenueOrder>, VenueError> {
        self.pages("/data/orders", &[], |row| Ok(vec![order(row)?])).await
    }

    /// One order in whatever state.
    pub(in super::super) async fn order(&self, id: &OrderId) -> Result<Option<VenueOrder>, VenueError> {
        let reply = self.call(Method::GET, &format!("/data/order/{id}"), &[], "", LIST_TIMEOUT).await?;
        if reply.status == 404 {
            return Ok(None);
        }
        let body = reply.success()?;
        let text = str::from_utf8(&body).map_err(|error| VenueError::Unreadable(format!("order {id}: {error}")))?;
        if matches!(text.trim(), "" | "null" | "{}" | "\"\"") {
            return Ok(None);
        }
        let found = order(text)?;
        if found.order == *id {
            Ok(Some(found))
        } else {
            Err(VenueError::Unreadable(format!("asked for order {id} and got {}", found.order)))
        }
    }
}

fn order(json: &str) -> Result<VenueOrder, VenueError> {
    parse::order(json).map_err(|error| VenueError::Unreadable(error.to_string()))
}
