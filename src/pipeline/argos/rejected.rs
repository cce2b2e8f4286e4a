//! What validation refused, on its way to `data.rejected`. A flood of bad payloads is bounded twice: the queue holds so many,
//! and the stream gets so many a second; the rest is counted.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;

use super::publisher::Publisher;
use super::state::Counts;
use super::throttle::Throttle;
use crate::bus::Stream;
use crate::clock;
use crate::domain::{RejectedPayload, Timestamp};
use crate::venues::strict::{Refusal, clip};

/// Refusals that wait for the bus.
const QUEUE: usize = 256;
/// Refusals that go to the stream: this many at once, then one each [`EVERY`].
const BURST: u32 = 200;
const EVERY: Duration = Duration::from_millis(20);
/// How much of a payload is kept.
const KEPT: usize = 2_048;
/// How often what was left out is told.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Where refusals are handed in.
#[derive(Clone, Debug)]
pub(super) struct Rejects {
    queue: mpsc::Sender<RejectedPayload>,
    counts: Arc<Counts>,
}

impl Rejects {
    /// The way in and the queue behind it.
    pub(super) fn new(counts: Arc<Counts>) -> (Self, mpsc::Receiver<RejectedPayload>) {
        let (queue, receiver) = mpsc::channel(QUEUE);
        (Self { queue, counts }, receiver)
    }

    /// Hands in a refusal; never waits.
    pub(super) fn refuse(&self, source: &str, refusal: Refusal, raw: &str, received_at: Timestamp) {
        self.counts.received.fetch_add(1, Ordering::Relaxed);
        self.counts.rejected.fetch_add(1, Ordering::Relaxed);
        let payload = RejectedPayload {
            source: source.to_owned(),
            field: clip(&refusal.field, 64).to_owned(),
            reason: refusal.reason,
            raw: clip(raw, KEPT).to_owned(),
            received_at,
        };
        if self.queue.try_send(payload).is_err() {
            self.counts.rejected_unkept.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Writes refusals to the stream until everybody who could hand one in is gone.
pub(super) async fn write(mut queue: mpsc::Receiver<RejectedPayload>, mut publisher: Publisher, counts: Arc<Counts>) {
    let mut pace = Throttle::new(EVERY, BURST);
    let mut tell = Throttle::new(TELL_EVERY, 1);
    while let Some(payload) = queue.recv().await {
        if pace.allow(clock::now()).is_some() {
            if !publisher.append(Stream::Rejected, &payload).await {
                counts.rejected_unkept.fetch_add(1, Ordering::Relaxed);
            }
        } else {
            counts.rejected_unkept.fetch_add(1, Ordering::Relaxed);
        }
        if tell.allow(clock::now()).is_some() {
            let unkept = counts.rejected_unkept.load(Ordering::Relaxed);
            tracing::warn!(source = payload.source, field = payload.field, reason = payload.reason, unkept, "refused");
        }
    }
}
