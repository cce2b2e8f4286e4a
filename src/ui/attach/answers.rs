//! `control.acks`: what daemons answer to commands, from now on.

use tokio::sync::mpsc;

use super::refusals::Refusals;
use super::{READ_BLOCK, RETRY_AFTER};
use crate::bus::{BusRef, EntryId, Stream, decode};
use crate::domain::Ack;
use crate::ui::msg::Feed;

/// Follows the stream from its present end.
pub(super) async fn follow(bus: BusRef, news: mpsc::Sender<Feed>) {
    let mut refusals = Refusals::of(Stream::Acks.to_string(), news.clone());
    let mut after = loop {
        match bus.tail(Stream::Acks, 1).await {
            Ok(entries) => break entries.last().map_or(EntryId::START, |entry| entry.id),
            Err(error) => {
                if refusals.failed(error).await.is_err() {
                    return;
                }
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    };
    loop {
        match bus.read(Stream::Acks, after, 64, READ_BLOCK).await {
            Ok(entries) => {
                refusals.answered();
                for entry in entries {
                    after = entry.id;
                    let feed = match decode::<Ack>(&entry.payload) {
                        Ok(envelope) => Feed::Ack(envelope.body),
                        Err(error) => {
                            Feed::Unreadable { what: format!("{} {after}", Stream::Acks), error: error.to_string() }
                        }
                    };
                    if news.send(feed).await.is_err() {
                        return;
                    }
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
