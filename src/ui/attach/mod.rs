//! The cockpit as a client of the bus: snapshots first, then the events after them; market data folded to the latest.
//!
//! Each part is a task of its own, so that a slow one holds up no other: link, snapshots and latch, events, answers,
//! market data. They end when the attachment is dropped.

mod answers;
mod conflate;
mod events;
mod market;
mod params;
mod refusals;
mod snapshots;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::bus::{BusLink, BusRef};
use crate::ui::msg::{Feed, MarketBatch};

/// News waiting for the loop. Senders wait when it is full: nothing of it may be lost, and the streams keep the rest.
const NEWS_CAPACITY: usize = 1_024;
/// How long to wait before a failed call to the bus is made again.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// How long one blocking read waits.
const READ_BLOCK: Duration = Duration::from_secs(2);

/// The attachment: what arrives, and the wish for a new snapshot.
#[derive(Debug)]
pub(crate) struct Attachment {
    /// Lossless news, in order.
    pub(crate) news: mpsc::Receiver<Feed>,
    /// The latest market data, at most one batch waiting.
    pub(crate) market: mpsc::Receiver<MarketBatch>,
    snapshot_now: Arc<Notify>,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

impl Attachment {
    /// Starts to follow the desk. Market data comes at most once in `pace`.
    pub(crate) fn start(bus: &BusRef, pace: Duration) -> Self {
        let (news, receiver) = mpsc::channel(NEWS_CAPACITY);
        let (batches, market) = mpsc::channel(1);
        let snapshot_now = Arc::new(Notify::new());
        let (backfilled, ready) = watch::channel(false);
        let tasks = vec![
            spawn(link(bus.link(), news.clone())),
            spawn(events::follow(Arc::clone(bus), news.clone(), backfilled)),
            spawn(snapshots::poll(Arc::clone(bus), news.clone(), Arc::clone(&snapshot_now), ready)),
            spawn(snapshots::latch(Arc::clone(bus), news.clone())),
            spawn(answers::follow(Arc::clone(bus), news.clone())),
            spawn(market::follow(Arc::clone(bus), batches, news, pace)),
        ];
        Self { news: receiver, market, snapshot_now, _tasks: tasks }
    }

    /// Has the snapshots read at once.
    pub(crate) fn resnapshot(&self) {
        self.snapshot_now.notify_one();
    }
}

fn spawn(task: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(task))
}

/// Tells of every change of the link, the present state first. A bus that is not up yet when we come has not been tried: it is told
/// to be down when the first attempt has failed.
async fn link(mut link: watch::Receiver<BusLink>, news: mpsc::Sender<Feed>) {
    let mut state = link.borrow_and_update().clone();
    if matches!(state, BusLink::Down(_)) {
        if link.changed().await.is_err() {
            return;
        }
        state = link.borrow_and_update().clone();
    }
    loop {
        if news.send(Feed::Link(state)).await.is_err() || link.changed().await.is_err() {
            return;
        }
        state = link.borrow_and_update().clone();
    }
}

#[cfg(test)]
mod tests;
