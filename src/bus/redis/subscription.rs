//! Pub/sub: each subscription has its own connection and a task that renews it for as long as the subscription lives.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Msg, RedisError, Value};
use tokio::sync::{broadcast, watch};
use tokio_util::task::AbortOnDropHandle;

use super::backoff::Backoff;
use super::error::{is_fatal, translate};
use super::link::{CALL_LIMIT, DIAL_LIMIT, Link, PING_EVERY, Place, pause};
use crate::bus::{BusError, BusLink, Channel, Delivery, MAX_SUBSCRIPTION, Subscription};

/// Both ends of a connection that is subscribed.
pub(super) type Feed = (PubSubSink, PubSubStream);

/// Begins a subscription. It is in force when this returns, unless the server is out of reach.
pub(super) async fn subscribe(link: &Link, channels: &[Channel], capacity: usize) -> Result<Subscription, BusError> {
    if channels.is_empty() {
        return Err(BusError::Refused("subscribe needs at least one channel".into()));
    }
    link.first_attempt().await;
    let mut dialler = Dialler { place: link.place(), channels: channels.into() };
    let first = match dialler.dial().await {
        Ok(feed) => Some(feed),
        Err(BusError::Refused(reason)) => return Err(link.about_server(BusError::Refused(reason))),
        Err(_transient) => None,
    };
    let (sender, receiver) = broadcast::channel(capacity.clamp(1, MAX_SUBSCRIPTION));
    let task = tokio::spawn(feed(dialler, first, sender, link.reported()));
    Ok(Subscription::new(receiver, Some(AbortOnDropHandle::new(task))))
}

struct Dialler {
    /// Where the server is; changes with a failover.
    place: Place,
    channels: Arc<[Channel]>,
}

impl Dialler {
    async fn dial(&mut self) -> Result<Feed, BusError> {
        let Some(node) = self.place.borrow_and_update().clone() else {
            return Err(BusError::Unreachable("the master is not known yet".into()));
        };
        let names: Vec<&str> = self.channels.iter().map(|channel| channel.name()).collect();
        dial(&node.plain, &names).await
    }
}

/// A connection that is subscribed to channels of those names.
pub(super) async fn dial(client: &redis::Client, names: &[&str]) -> Result<Feed, BusError> {
    let attempt = async {
        let (mut sink, stream) = client.get_async_pubsub().await?.split();
        sink.subscribe(names).await?;
        Ok::<_, RedisError>((sink, stream))
    };
    match tokio::time::timeout(DIAL_LIMIT, attempt).await {
        Ok(dialled) => dialled.map_err(|error| translate(&error, DIAL_LIMIT, None)),
        Err(_elapsed) => Err(BusError::Timeout(DIAL_LIMIT)),
    }
}

/// Hands on messages, renewing the connection after each loss. Ends with the bus.
async fn feed(
    mut dialler: Dialler,
    mut current: Option<Feed>,
    sender: broadcast::Sender<Delivery>,
    mut link: watch::Receiver<BusLink>,
) {
    let mut backoff = Backoff::new();
    loop {
        if let Some(feed) = current.take() {
            let begun = tokio::time::Instant::now();
            if !hand_on(feed, &sender, &mut link, &mut dialler.place).await {
                return;
            }
            tracing::warn!(channels = ?dialler.channels, "subscription lost; trying again");
            if begun.elapsed() > PING_EVERY {
                backoff.reset();
            }
        }
        if !pause(&mut link, backoff.next()).await {
            return;
        }
        if let Ok(feed) = dialler.dial().await {
            // Fails only when the subscription was dropped, and then this task is being aborted.
            let _nobody = sender.send(Delivery::Resumed);
            current = Some(feed);
        }
    }
}

/// Until the connection is lost or the server is another one (true), or the bus is gone (false).
async fn hand_on(
    (sink, mut stream): Feed,
    sender: &broadcast::Sender<Delivery>,
    link: &mut watch::Receiver<BusLink>,
    place: &mut Place,
) -> bool {
    let mut silent = std::pin::pin!(until_silent(sink));
    loop {
        tokio::select! {
            message = stream.next() => match message {
                Some(message) => deliver(&message, sender),
                None => return true,
            },
            () = &mut silent => return true,
            moved = place.changed() => return moved.is_ok(),
            changed = link.changed() => if changed.is_err() { return false },
        }
    }
}

fn deliver(message: &Msg, sender: &broadcast::Sender<Delivery>) {
    let Some(channel) = Channel::of(message.get_channel_name()) else { return };
    let payload = Bytes::copy_from_slice(message.get_payload_bytes());
    // Fails only when the subscription was dropped, and then this task is being aborted.
    let _nobody = sender.send(Delivery::Message { channel, payload });
}

/// Returns when the server no longer answers.
pub(super) async fn until_silent(mut sink: PubSubSink) {
    loop {
        tokio::time::sleep(PING_EVERY).await;
        match tokio::time::timeout(CALL_LIMIT, sink.ping::<Value>()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) if !is_fatal(&error) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}
