//! The connection that ordinary calls share, and the task that keeps it: dials, watches over it, and reports what it sees.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, PushInfo, PushKind, Value};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::address::Address;
use super::backoff::Backoff;
use super::error::{Scope, is_answer, is_fatal, translate};
use crate::bus::{BusError, BusLink};

/// How long one dial may take, handshake included.
pub(super) const DIAL_LIMIT: Duration = Duration::from_secs(2);
/// How long an ordinary call may take.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(2);
/// An idle connection is tried this often, to find a server that fell silent.
pub(super) const PING_EVERY: Duration = Duration::from_secs(2);
/// A connection that lived this long ends a series of failures.
const LASTING: Duration = Duration::from_secs(5);

/// The shared connection as calls see it.
#[derive(Clone)]
enum State {
    /// The first attempt is under way.
    Connecting,
    Up(MultiplexedConnection),
    /// Attempts go on; calls are told this.
    Down(BusError),
}

/// What calls, blocking readers and the keeper share.
pub(super) struct Link {
    pub(super) address: Address,
    state: watch::Sender<State>,
    reported: watch::Sender<BusLink>,
    /// Somebody met a failure: look at the connection now.
    suspect: Notify,
    /// Connections of blocking readers that are between two reads.
    pub(super) idle_readers: Mutex<Vec<MultiplexedConnection>>,
}

impl Link {
    pub(super) fn new(address: Address) -> Self {
        let reported = watch::Sender::new(BusLink::Down(format!("{address}: connecting")));
        Self {
            address,
            state: watch::Sender::new(State::Connecting),
            reported,
            suspect: Notify::new(),
            idle_readers: Mutex::default(),
        }
    }

    pub(super) fn reported(&self) -> watch::Receiver<BusLink> {
        self.reported.subscribe()
    }

    /// Sends one command over the shared connection.
    pub(super) async fn call(&self, command: &Cmd, scope: Scope) -> Result<Value, BusError> {
        let mut connection = self.connection().await?;
        command.query_async(&mut connection).await.map_err(|error| self.failed(&error, CALL_LIMIT, scope))
    }

    /// Sends several commands in one exchange and gives an answer for each.
    pub(super) async fn call_all(&self, commands: &redis::Pipeline, scope: Scope) -> Result<Vec<Value>, BusError> {
        let mut connection = self.connection().await?;
        commands.query_async(&mut connection).await.map_err(|error| self.failed(&error, CALL_LIMIT, scope))
    }

    /// Words for a failed call; has the connection looked at when the call failed for want of an answer.
    pub(super) fn failed(&self, error: &redis::RedisError, limit: Duration, scope: Scope) -> BusError {
        if !is_answer(error) {
            self.suspect_now();
        }
        translate(error, limit, scope)
    }

    /// Has the connection looked at without delay.
    pub(super) fn suspect_now(&self) {
        self.suspect.notify_one();
    }

    /// A connection if there is one; waits only for the very first attempt.
    async fn connection(&self) -> Result<MultiplexedConnection, BusError> {
        let now = self.state.borrow().clone();
        let settled = match now {
            State::Connecting => self.settled().await,
            settled => settled,
        };
        match settled {
            State::Up(connection) => Ok(connection),
            State::Down(error) => Err(error),
            State::Connecting => Err(BusError::Unreachable(format!("{}: still connecting", self.address))),
        }
    }

    async fn settled(&self) -> State {
        let mut state = self.state.subscribe();
        let wait = state.wait_for(|state| !matches!(state, State::Connecting));
        match tokio::time::timeout(DIAL_LIMIT + CALL_LIMIT, wait).await {
            Ok(Ok(state)) => state.clone(),
            Ok(Err(_)) | Err(_) => State::Connecting,
        }
    }

    /// Waits up to `limit`, and for the very first attempt in any case, for the shared connection; then says why there is none.
    pub(super) async fn up_within(&self, limit: Duration) -> Result<(), BusError> {
        if self.connection().await.is_ok() {
            return Ok(());
        }
        let mut state = self.state.subscribe();
        let up = async {
            // Fails only when the bus is dropped, which the caller's borrow of it rules out.
            let _closed = state.wait_for(|state| matches!(state, State::Up(_))).await;
        };
        match tokio::time::timeout(limit, up).await {
            Ok(()) => Ok(()),
            Err(_elapsed) => match &*self.state.borrow() {
                State::Up(_) => Ok(()),
                State::Down(error) => Err(error.clone()),
                State::Connecting => Err(BusError::Unreachable(format!("{}: still connecting", self.address))),
            },
        }
    }

    /// Dials and asks for a sign of life. The notification fires when the connection is lost.
    async fn dial(&self) -> Result<(MultiplexedConnection, Arc<Notify>), BusError> {
        let lost = Arc::new(Notify::new());
        let teller = Arc::clone(&lost);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(DIAL_LIMIT))
            .set_response_timeout(Some(CALL_LIMIT))
            .set_push_sender(move |push: PushInfo| -> Result<(), std::convert::Infallible> {
                if push.kind == PushKind::Disconnection {
                    teller.notify_one();
                }
                Ok(())
            });
        let dialled = self.address.pushing.get_multiplexed_async_connection_with_config(&config).await;
        let mut connection = dialled.map_err(|error| self.about_server(translate(&error, DIAL_LIMIT, None)))?;
        self.ping(&mut connection).await?;
        Ok((connection, lost))
    }

    async fn ping(&self, connection: &mut MultiplexedConnection) -> Result<(), BusError> {
        match redis::cmd("PING").query_async::<Value>(connection).await {
            Err(error) if is_fatal(&error) => Err(self.about_server(translate(&error, CALL_LIMIT, None))),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// The same error, saying which server it was.
    pub(super) fn about_server(&self, error: BusError) -> BusError {
        let address = &self.address;
        match error {
            BusError::Unreachable(reason) => BusError::Unreachable(format!("{address}: {reason}")),
            BusError::Refused(reason) => BusError::Refused(format!("{address}: {reason}")),
            BusError::Timeout(limit) => BusError::Unreachable(format!("{address}: no answer within {limit:?}")),
            other => other,
        }
    }

    /// Watches over a connection until it is lost; says how.
    async fn lost(&self, mut connection: MultiplexedConnection, lost: &Notify) -> BusError {
        loop {
            tokio::select! {
                () = lost.notified() => {
                    return BusError::Unreachable(format!("{}: the connection was closed", self.address));
                }
                () = self.suspect.notified() => {}
                () = tokio::time::sleep(PING_EVERY) => {}
            }
            if let Err(error) = self.ping(&mut connection).await {
                return error;
            }
        }
    }

    fn set_up(&self, connection: MultiplexedConnection) {
        self.state.send_replace(State::Up(connection));
        self.reported.send_replace(BusLink::Up);
        tracing::info!(server = %self.address, "bus up");
    }

    fn set_down(&self, error: BusError) {
        let reason = error.to_string();
        self.state.send_replace(State::Down(error));
        // What idled through the loss of the shared connection is most likely dead as well.
        self.idle_readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let news = self.reported.send_if_modified(|link| {
            let down = BusLink::Down(reason.clone());
            let changed = *link != down;
            *link = down;
            changed
        });
        if news {
            tracing::warn!(server = %self.address, reason, "bus down; trying again");
        }
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("address", &self.address)
            .field("reported", &*self.reported.borrow())
            .finish_non_exhaustive()
    }
}

/// Keeps the shared connection for as long as the bus lives.
pub(super) async fn keep(link: Arc<Link>) {
    let mut backoff = Backoff::new();
    loop {
        match link.dial().await {
            Ok((connection, lost)) => {
                let since = Instant::now();
                link.set_up(connection.clone());
                link.set_down(link.lost(connection, &lost).await);
                if since.elapsed() >= LASTING {
                    backoff.reset();
                }
            }
            Err(error) => link.set_down(error),
        }
        tokio::time::sleep(backoff.next()).await;
    }
}

/// Sleeps for `pause`, or less when the bus comes up meanwhile. False when the bus is gone.
pub(super) async fn pause(link: &mut watch::Receiver<BusLink>, pause: Duration) -> bool {
    link.borrow_and_update();
    let news = async {
        loop {
            if link.changed().await.is_err() {
                return false;
            }
            if *link.borrow_and_update() == BusLink::Up {
                return true;
            }
        }
    };
    tokio::time::timeout(pause, news).await.unwrap_or(true)
}
