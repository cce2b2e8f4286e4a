//! The daemons' snapshots, read once a second and on request, with the books of parameters that they name; the latch, as it is pushed and as it lies.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, mpsc, watch};

use super::RETRY_AFTER;
use super::params::Books;
use super::refusals::Refusals;
use crate::bus::{BusRef, Channel, Delivery, Key, decode};
use crate::domain::{ArgosState, AthenaState, HermesState, KillLatch};
use crate::ui::msg::Feed;

/// How often the keys are read.
const EVERY: Duration = Duration::from_secs(1);

/// Reads the snapshots for ever, first when the events of the past have been told.
pub(super) async fn poll(
    bus: BusRef,
    news: mpsc::Sender<Feed>,
    now_please: Arc<Notify>,
    mut backfilled: watch::Receiver<bool>,
) {
    if backfilled.wait_for(|done| *done).await.is_err() {
        return;
    }
    let keys = [Key::ARGOS, Key::ATHENA, Key::HERMES, Key::Kill];
    let mut refusals = keys.clone().map(|key| Refusals::of(key.to_string(), news.clone()));
    let mut known: [Option<Bytes>; 4] = Default::default();
    let mut books = Books::new(news.clone());
    loop {
        for ((key, known), refusals) in keys.iter().zip(&mut known).zip(&mut refusals) {
            let found = match bus.get(key).await {
                Ok(found) => found,
                Err(error) => {
                    if refusals.failed(error).await.is_err() {
                        return;
                    }
                    continue;
                }
            };
            refusals.answered();
            let Some(payload) = found else { continue };
            if known.as_ref() == Some(&payload) {
                continue;
            }
            let feed = read(key, &payload);
            books.heard(&feed);
            if news.send(feed).await.is_err() {
                return;
            }
            *known = Some(payload);
        }
        if books.tell(&bus).await.is_err() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = now_please.notified() => known = Default::default(),
        }
    }
}

fn read(key: &Key, payload: &[u8]) -> Feed {
    fn body<T: DeserializeOwned>(key: &Key, payload: &[u8], feed: impl Fn(T) -> Feed) -> Feed {
        match decode::<T>(payload) {
            Ok(envelope) => feed(envelope.body),
            Err(error) => Feed::Unreadable { what: key.to_string(), error: error.to_string() },
        }
    }
    if *key == Key::ARGOS {
        body::<ArgosState>(key, payload, Feed::Argos)
    } else if *key == Key::ATHENA {
        body::<AthenaState>(key, payload, Feed::Athena)
    } else if *key == Key::HERMES {
        body::<HermesState>(key, payload, |state| Feed::Hermes(Box::new(state)))
    } else {
        body::<KillLatch>(key, payload, Feed::Latch)
    }
}

/// Hears the latch when it is pushed, on a connection of its own.
pub(super) async fn latch(bus: BusRef, news: mpsc::Sender<Feed>) {
    let mut refusals = Refusals::of(Channel::Kill.to_string(), news.clone());
    loop {
        match bus.subscribe(&[Channel::Kill], 64).await {
            Ok(mut subscription) => {
                refusals.answered();
                while let Some(delivery) = subscription.recv().await {
                    // What was missed is in the key, which is read once a second.
                    let Delivery::Message { payload, .. } = delivery else { continue };
                    if news.send(read(&Key::Kill, &payload)).await.is_err() {
                        return;
                    }
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
