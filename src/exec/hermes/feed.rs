//! Markets and books for the gate and the marks, conflated: of each market and each token only the latest waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bus::{BusError, BusRef, Channel, Delivery, Envelope, decode};
use crate::domain::PolymarketData;

const KEPT: usize = 1_024;
const PAUSE: Duration = Duration::from_millis(250);

/// The latest of everything since it was last taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Feed(Arc<Mutex<HashMap<String, PolymarketData>>>);

impl Feed {
    /// Takes what has arrived; markets first, so that a book finds its market.
    pub(super) fn take(&self) -> Vec<PolymarketData> {
        let taken = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut data: Vec<PolymarketData> = taken.into_values().collect();
        data.sort_by_key(|item| matches!(item, PolymarketData::Book(_)));
        data
    }

    fn put(&self, data: PolymarketData) {
        let name = match &data {
            PolymarketData::Market(market) => format!("market {}", market.market),
            PolymarketData::Book(book) => format!("book {}", book.token),
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name, data);
    }
}

pub(super) fn start(bus: &BusRef, tasks: &TaskTracker, end: &CancellationToken) -> Feed {
    let feed = Feed::default();
    let (bus, end, filled) = (BusRef::clone(bus), end.clone(), feed.clone());
    tasks.spawn(async move {
        tokio::select! {
            () = listen(&bus, &filled) => {}
            () = end.cancelled() => {}
        }
    });
    feed
}

async fn listen(bus: &BusRef, feed: &Feed) {
    loop {
        if let Err(error) = fill(bus, feed).await {
            tracing::warn!(%error, "data.polymarket cannot be heard, trying again");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn fill(bus: &BusRef, feed: &Feed) -> Result<(), BusError> {
    let mut subscription = bus.subscribe(&[Channel::Polymarket], KEPT).await?;
    while let Some(delivery) = subscription.recv().await {
        match delivery {
            Delivery::Message { payload, .. } => match decode::<PolymarketData>(&payload) {
                Ok(Envelope { body, .. }) => feed.put(body),
                Err(error) => tracing::warn!(%error, "a message on data.polymarket cannot be read"),
            },
            Delivery::Lagged(lost) => tracing::warn!(lost, "market data was lost on its way to hermes"),
            Delivery::Resumed => tracing::info!("market data is back after a gap"),
        }
    }
    Ok(())
}
