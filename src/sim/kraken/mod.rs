//! Kraken on loopback: WebSocket v2 (`status`, `ticker`, `trade`, `heartbeat`, `ping`) and the public REST calls.

mod board;
mod rest;
mod session;
mod socket;
mod text;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;

pub(super) use rest::router as rest_router;
pub(super) use socket::router as socket_router;

use crate::domain::Timestamp;
use crate::sim::rolling::derived_seed;
use crate::sim::tape::{EventKind, Pair};
use board::{Board, Update};

/// Updates that a connection may lag behind before it is dropped: several seconds at the speed of the recording.
const BACKLOG: usize = 1_024;
/// How long a peer may take no byte.
const SEND_WITHIN: Duration = Duration::from_secs(5);

/// The venue: its board, and the channel by which updates reach the connections.
#[derive(Clone, Debug)]
pub(super) struct Kraken {
    board: Arc<Mutex<Board>>,
    updates: broadcast::Sender<Update>,
    /// Connection ids count up from here.
    first_connection: u64,
    /// A peer that takes no byte for this long is dropped.
    send_within: Duration,
}

impl Kraken {
    pub(super) fn new(pairs: &[Pair], seed: u64) -> Self {
        let (updates, _) = broadcast::channel(BACKLOG);
        Self {
            board: Arc::new(Mutex::new(Board::new(pairs))),
            updates,
            // Above 2^53, as at the venue: a float no longer holds it exactly.
            first_connection: derived_seed(seed, "kraken connections") >> 2 | 1 << 60,
            send_within: SEND_WITHIN,
        }
    }

    /// Takes in what happened and tells whoever listens. Never waits: a connection that lags too far is dropped.
    pub(super) fn publish(&self, events: &[(usize, EventKind)], now: Timestamp) {
        if events.is_empty() {
            return;
        }
        let mut board = self.board();
        for update in board.apply(events, now) {
            // An error means that nobody is connected.
            let _ = self.updates.send(update);
        }
    }

    /// A panic elsewhere leaves the board as it was between two events, so it stays usable.
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
