//! A subscription: a connection of its own that is dialled again for as long as somebody listens.

use std::time::Duration;

use futures::StreamExt;
use redis::Client;
use tokio::sync::{broadcast, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::link::jittered;
use super::{ANSWER_WITHIN, DIAL_WITHIN, reply};
use crate::bus::{BusError, Channel, Delivery, Subscription};

/// How often a silent subscription is asked whether it is alive.
const PING_EVERY: Duration = Duration::from_secs(5);
/// First and longest pause between attempts.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Returns once the server has confirmed the subscription, or once the first attempt has failed: it then goes on trying.
pub(super) async fn start(client: Client, channels: &[Channel], capacity: usize) -> Subscription {
    let (sender, receiver) = broadcast::channel(capacity.max(1));
    let (settled_out, settled) = oneshot::channel();
    let channels = channels.to_vec();
    let task = tokio::spawn(async move {
        let mut settled_out = Some(settled_out);
        let mut gap = false;
        let mut pause = PAUSE.0;
        loop {
            match connect(&client, &channels).await {
                Ok(pubsub) => {
                    pause = PAUSE.0;
                    if gap {
                        // No listener at this moment is no error: the next delivery finds out whether there ever will be.
                        let _listeners = sender.send(Delivery::Resumed);
                    }
                    if let Some(settled) = settled_out.take() {
                        let _caller_gone = settled.send(());
                    }
                    forward(pubsub, &sender).await;
                }
                Err(error) => tracing::debug!("subscription: {error}"),
            }
            gap = true;
            if let Some(settled) = settled_out.take() {
                let _caller_gone = settled.send(());
            }
            tokio::time::sleep(jittered(pause)).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    });
    let _settled_or_task_gone = settled.await;
    Subscription::new(receiver, Some(AbortOnDropHandle::new(task)))
}

async fn connect(client: &Client, channels: &[Channel]) -> Result<redis::aio::PubSub, BusError> {
    let dial = async {
        let mut pubsub = client.get_async_pubsub().await?;
        for channel in channels {
            pubsub.subscribe(channel.name()).await?;
        }
        Ok(pubsub)
    };
    match tokio::time::timeout(DIAL_WITHIN + ANSWER_WITHIN, dial).await {
        Ok(result) => result.map_err(|error: redis::RedisError| reply::error(&error, ANSWER_WITHIN)),
        Err(_) => Err(BusError::Timeout(DIAL_WITHIN + ANSWER_WITHIN)),
    }
}

/// Hands on what arrives until the connection is gone.
async fn forward(pubsub: redis::aio::PubSub, sender: &broadcast::Sender<Delivery>) {
    let (mut sink, mut stream) = pubsub.split();
    loop {
        match tokio::time::timeout(PING_EVERY, stream.next()).await {
            Ok(Some(message)) => {
                if let Some(channel) = Channel::of(message.get_channel_name()) {
                    let payload = bytes::Bytes::copy_from_slice(message.get_payload_bytes());
                    // The subscription is dropped together with this task.
                    let _listeners = sender.send(Delivery::Message { channel, payload });
                }
            }
            Ok(None) => return,
            Err(_) => match tokio::time::timeout(ANSWER_WITHIN, sink.ping::<redis::Value>()).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) | Err(_) => return,
            },
        }
    }
}
