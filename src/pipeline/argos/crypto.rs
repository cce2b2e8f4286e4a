//! Kraken's ticks on their way to `data.crypto`.
//!
//! The socket's task hands ticks over without waiting, so that a slow bus never looks like a silent venue; a tick that finds
//! the queue full, or the bus down, is dropped and counted once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;

use super::publisher::Publisher;
use super::rejected::Rejects;
use super::state::Shared;
use crate::bus::Channel;
use crate::domain::Tick;
use crate::venues::kraken::SOURCE;
use crate::venues::kraken::client::Output;

/// Ticks that wait for the bus: several seconds of a very busy market.
pub(super) const QUEUE: usize = 8_192;

/// Ticks put on the bus in one exchange.
const BURST: usize = 256;

/// What the Kraken client calls with everything that it has to tell.
pub(super) fn sink(shared: Arc<Shared>, rejects: Rejects, queue: mpsc::Sender<Tick>) -> impl FnMut(Output) + Send {
    move |output| match output {
        Output::Tick(tick) => {
            shared.counts.received.fetch_add(1, Ordering::Relaxed);
            if queue.try_send(tick).is_err() {
                shared.counts.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        Output::Refused { refusal, raw, at } => rejects.refuse(SOURCE, refusal, &raw, at),
        Output::Report { subscriptions, changed } => shared.crypto_reported(subscriptions, changed),
    }
}

/// Publishes ticks in order, those of a burst together, until the collector is gone and the queue is empty.
pub(super) async fn publish(mut queue: mpsc::Receiver<Tick>, mut publisher: Publisher, shared: Arc<Shared>) {
    let mut burst = Vec::with_capacity(BURST);
    while queue.recv_many(&mut burst, BURST).await > 0 {
        let count = if publisher.publish(Channel::Crypto, &burst).await {
            &shared.counts.published
        } else {
            &shared.counts.dropped
        };
        count.fetch_add(burst.len() as u64, Ordering::Relaxed);
        burst.clear();
    }
}
