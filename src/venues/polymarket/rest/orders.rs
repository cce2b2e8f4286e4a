use std::time::Duration;

use reqwest::Method;

use super::super::{answer, parse};
use super::{Ask, ORDER_TIMEOUT, Rest};
use crate::clock;
use crate::domain::{CallClass, OrderId};
use crate::exec::venue::{CancelAnswer, OrderList, UnreadableRow, VenueError, VenueOrder};

impl Rest {
    /// Cancels these, all chunks even when one of them fails; then the first failure is the answer. The venue counts ids,
    /// and takes a chunk whole or not at all.
    pub(in super::super) async fn cancel(&self, orders: &[OrderId]) -> Result<CancelAnswer, VenueError> {
        let (mut all, mut failure) = (CancelAnswer::default(), None);
        for chunk in orders.chunks(self.budget.cancel_chunk()) {
            match self.cancel_chunk(chunk).await {
                Ok(mut part) => {
                    all.cancelled.append(&mut part.cancelled);
                    all.not_cancelled.append(&mut part.not_cancelled);
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(all), Err)
    }

    async fn cancel_chunk(&self, chunk: &[OrderId]) -> Result<CancelAnswer, VenueError> {
        let body = serde_json::to_vec(chunk).map_err(|error| VenueError::Unreadable(error.to_string()))?;
        let timeout = self.admit(CallClass::Cancels, u32::try_from(chunk.len()).unwrap_or(u32::MAX)).await?;
        self.delete("/orders", body, timeout).await
    }

    /// Cancels everything that rests. It never waits for a budget: whoever asks for it means now. What it costs at the
    /// venue, one and one more for each order that it cancelled, is noted afterwards.
    pub(in super::super) async fn cancel_all(&self) -> Result<CancelAnswer, VenueError> {
        self.budget.charge(CallClass::Cancels, 1, clock::monotonic());
        let answer = self.delete("/cancel-all", Vec::new(), ORDER_TIMEOUT).await?;
        let cancelled = u32::try_from(answer.cancelled.len()).unwrap_or(u32::MAX);
        self.budget.charge(CallClass::Cancels, cancelled, clock::monotonic());
        Ok(answer)
    }

    async fn delete(&self, path: &str, body: Vec<u8>, timeout: Duration) -> Result<CancelAnswer, VenueError> {
        let ask = Ask { body: body.into(), ..Ask::of(CallClass::Cancels, Method::DELETE, path) };
        answer::classify_cancel(&self.call_now(&*self.signer()?, &ask, timeout).await?)
    }

    /// Every open order.
    pub(in super::super) async fn open_orders(&self) -> Result<OrderList, VenueError> {
        let rows = |row: &str| {
            let hole = |error: parse::ParseError| UnreadableRow {
                id: parse::id(row).map(|id| parse::order_id(&id)),
                reason: error.to_string(),
                text: row.to_ascii_lowercase(),
            };
            vec![parse::order(row).map_err(hole)]
        };
        let (orders, unreadable) = self.pages("/data/orders", &[], rows).await?;
        Ok(OrderList { orders, unreadable })
    }

    /// One order in whatever state.
    pub(in super::super) async fn order(&self, id: &OrderId) -> Result<Option<VenueOrder>, VenueError> {
        let reply = self.call(Ask::of(CallClass::Lists, Method::GET, &format!("/data/order/{id}"))).await?;
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
