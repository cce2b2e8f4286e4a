//! Market data: subscribed, folded to the latest, handed over when the loop has room and the pace allows.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::RETRY_AFTER;
use super::conflate::Conflater;
use super::refusals::Refusals;
use crate::bus::{BusRef, Channel, Subscription};
use crate::clock::monotonic;
use crate::ui::msg::{Feed, MarketBatch};

/// Messages that the bus keeps for us while we are busy.
const CAPACITY: usize = 8_192;

/// Follows market data for ever.
pub(super) async fn follow(bus: BusRef, batches: mpsc::Sender<MarketBatch>, news: mpsc::Sender<Feed>, pace: Duration) {
    let mut refusals = Refusals::of("market data".to_owned(), news);
    let mut conflater = Conflater::default();
    loop {
        match bus.subscribe(&[Channel::Crypto, Channel::Polymarket], CAPACITY).await {
            Ok(subscription) => {
                refusals.answered();
                if pump(subscription, &batches, &mut conflater, pace).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                if refusals.failed(error).await.is_err() {
                    return;
                }
            }
        }
        tokio::time::sleep(RETRY_AFTER).await;
    }
}

struct Closed;

/// Until the subscription ends; `Closed` when nobody wants batches any more.
async fn pump(
    mut subscription: Subscription,
    batches: &mpsc::Sender<MarketBatch>,
    conflater: &mut Conflater,
    pace: Duration,
) -> Result<(), Closed> {
    let mut next = Instant::from_std(monotonic());
    loop {
        tokio::select! {
            biased;
            permit = due(batches, next), if !conflater.is_empty() => {
                let Ok(permit) = permit else { return Err(Closed) };
                permit.send(conflater.take());
                next = Instant::from_std(monotonic()) + pace;
            }
            delivery = subscription.recv() => {
                let Some(delivery) = delivery else { return Ok(()) };
                conflater.fold(delivery);
                // What is already here is folded in one go: one wake-up for a burst.
                while let Some(delivery) = subscription.try_recv() {
                    conflater.fold(delivery);
                }
            }
        }
    }
}

async fn due(
    batches: &mpsc::Sender<MarketBatch>,
    next: Instant,
) -> Result<mpsc::Permit<'_, MarketBatch>, mpsc::error::SendError<()>> {
    tokio::time::sleep_until(next).await;
    batches.reserve().await
}
