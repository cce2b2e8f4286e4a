//! `trade.events`: the recent ones, then every new one, in order and without loss.

use tokio::sync::{mpsc, watch};

use super::refusals::Refusals;
use super::{READ_BLOCK, RETRY_AFTER};
use crate::bus::{BusRef, Entry, EntryId, Stream, decode};
use crate::domain::TradeEvent;
use crate::ui::msg::{Event, Feed};

/// Events read on attaching, for signals and denials, which no snapshot holds.
const BACKFILL: usize = 1_000;
/// Events taken at once.
const BATCH: usize = 256;

/// Follows the stream; says through `backfilled` when the past has been told, so that snapshots come after it.
pub(super) async fn follow(bus: BusRef, news: mpsc::Sender<Feed>, backfilled: watch::Sender<bool>) {
    let mut refusals = Refusals::of(Stream::Events.to_string(), news.clone());
    let mut after = loop {
        match bus.tail(Stream::Events, BACKFILL).await {
            Ok(entries) => {
                let last = entries.last().map_or(EntryId::START, |entry| entry.id);
                if tell(entries, &news).await.is_err() {
                    return;
                }
                break last;
            }
            Err(error) => {
                if refusals.failed(error).await.is_err() {
                    return;
                }
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    };
    backfilled.send_replace(true);
    loop {
        match bus.read(Stream::Events, after, BATCH, READ_BLOCK).await {
            Ok(entries) => {
                refusals.answered();
                after = entries.last().map_or(after, |entry| entry.id);
                if tell(entries, &news).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                if refusals.failed(error).await.is_err() {
                    return;
                }
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    }
}

async fn tell(entries: Vec<Entry>, news: &mpsc::Sender<Feed>) -> Result<(), mpsc::error::SendError<Feed>> {
    for entry in entries {
        let feed = match decode::<TradeEvent>(&entry.payload) {
            Ok(envelope) => Feed::Event(Event {
                source: envelope.source.to_string(),
                boot: envelope.boot.to_string(),
                seq: envelope.seq,
                at: envelope.published_at,
                body: Box::new(envelope.body),
            }),
            Err(error) => {
                Feed::Unreadable { what: format!("{} {}", Stream::Events, entry.id), error: error.to_string() }
            }
        };
        news.send(feed).await?;
    }
    Ok(())
}
