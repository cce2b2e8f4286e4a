//! Reading the account's trades for many who ask at one time. The venue lists them by time, page by page, not by order: a hundred
//! orders of unknown outcome that each read the list would use up what the venue allows. So one read is under way at a time,
//! and it answers everybody who asked before it began.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::venue::{ExecutionVenue, TradeList, VenueError};
use super::venue_calls::within;
use crate::domain::Timestamp;

/// The longest that a whole list may take: each page has a limit of its own.
const LIST_WITHIN: Duration = Duration::from_secs(45);

#[derive(Debug)]
pub(super) struct Trades {
    venue: Arc<dyn ExecutionVenue>,
    tasks: TaskTracker,
    end: CancellationToken,
    queue: Mutex<Queue>,
}

/// As many as there are calls that wait: each is a lookup of an order or a snapshot.
#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Asked>,
    reading: bool,
}

#[derive(Debug)]
struct Asked {
    since: Timestamp,
    reply: oneshot::Sender<Result<Arc<TradeList>, VenueError>>,
}

impl Trades {
    pub(super) fn new(venue: Arc<dyn ExecutionVenue>, tasks: TaskTracker, end: CancellationToken) -> Arc<Self> {
        Arc::new(Self { venue, tasks, end, queue: Mutex::default() })
    }

    /// At least every fill that was matched at or after `since`, by a read that begins after this call; bounded in time by the
    /// read before it and its own.
    pub(super) async fn since(self: &Arc<Self>, since: Timestamp) -> Result<Arc<TradeList>, VenueError> {
        let (reply, answer) = oneshot::channel();
        let is_first = {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.waiting.push(Asked { since, reply });
            !std::mem::replace(&mut queue.reading, true)
        };
        if is_first {
            self.tasks.spawn(Arc::clone(self).serve());
        }
        answer.await.unwrap_or_else(|_| Err(VenueError::Unreachable("hermes is ending".into())))
    }

    /// Reads until nobody waits.
    async fn serve(self: Arc<Self>) {
        while let Some(batch) = self.next() {
            let since = batch.iter().map(|asked| asked.since).min().unwrap_or_default();
            let venue = Arc::clone(&self.venue);
            // A task of its own, so that a defect in the adapter ends this read and not all of them.
            let read = tokio::spawn(async move { within(LIST_WITHIN, venue.fills(since)).await });
            let read = tokio::select! {
                read = read => read.unwrap_or_else(|error| Err(VenueError::Unreachable(error.to_string()))),
                () = self.end.cancelled() => Err(VenueError::Unreachable("hermes is ending".into())),
            };
            let read: Result<Arc<TradeList>, VenueError> = read.map(Arc::new);
            for asked in batch {
                // Whoever has given up meanwhile asks again.
                let _gone = asked.reply.send(read.clone());
            }
        }
    }

    fn next(&self) -> Option<Vec<Asked>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.reading = !queue.waiting.is_empty();
        queue.reading.then(|| std::mem::take(&mut queue.waiting))
    }
}
