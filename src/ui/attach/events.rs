//! `trade.events`: the recent ones, then every new one, in order and without loss.

use tokio::sync::{mpsc, watch};

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
                tracing::debug!(%error, "trade.events not read");
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    };
    backfilled.send_replace(true);
    loop {
        match bus.read(Stream::Events, after, BATCH, READ_BLOCK).await {
            Ok(entries) => {
                after = entries.last().map_or(after, |entry| entry.id);
                if tell(entries, &news).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                // The link task tells the reader that the bus is down; here it is only tried again.
                tracing::debug!(%error, "trade.events not read");
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
                body: envelope.body,
            }),
            Err(error) => {
                Feed::Unreadable { what: format!("{} {}", Stream::Events, entry.id), error: error.to_string() }
            }
        };
        news.send(feed).await?;
    }
    Ok(())
}
