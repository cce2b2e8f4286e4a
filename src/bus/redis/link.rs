//! The connection that ordinary calls share, and the task that keeps it: dials, watches over it, and reports what it sees.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, PushInfo, PushKind, Value};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::backoff::Backoff;
use super::error::{Scope, is_suspect, translate};
use super::health::{self, Health};
use super::node::Node;
use super::target::Target;
use crate::bus::{BusError, BusLink};
use crate::clock;

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

/// Where the server is; nothing until the sentinels have told. A change is a failover: what is connected to the former place is to
/// be given up.
pub(super) type Place = watch::Receiver<Option<Arc<Node>>>;

/// What calls, blocking readers and the keeper share.
pub(super) struct Link {
    target: Target,
    place: watch::Sender<Option<Arc<Node>>>,
    state: watch::Sender<State>,
    reported: watch::Sender<BusLink>,
    /// Somebody met a failure: look at the connection now.
    suspect: Notify,
    /// A sentinel has news: ask for the master now.
    news: Notify,
    /// Connections of blocking readers that are between two reads.
    pub(super) idle_readers: Mutex<Vec<MultiplexedConnection>>,
    /// What is wrong with the server's settings.
    concerns: Mutex<Vec<String>>,
    /// The last failover, in words.
    failover: Mutex<Option<String>>,
}

/// A connection that answers, to a server that may be used.
struct Dialled {
    node: Arc<Node>,
    connection: MultiplexedConnection,
    /// Fires when the connection is lost.
    lost: Arc<Notify>,
    health: Health,
}

impl Link {
    pub(super) fn new(target: Target) -> Self {
        let reported = watch::Sender::new(BusLink::Down(format!("{target}: connecting")));
        Self {
            place: watch::Sender::new(target.server()),
            target,
            state: watch::Sender::new(State::Connecting),
            reported,
            suspect: Notify::new(),
            news: Notify::new(),
            idle_readers: Mutex::default(),
            concerns: Mutex::default(),
            failover: Mutex::default(),
        }
    }

    pub(super) fn place(&self) -> Place {
        self.place.subscribe()
    }

    /// The sentinels to listen to.
    pub(super) fn sentinels(&self) -> Vec<Arc<Node>> {
        self.target.sentinels().map(|sentinels| sentinels.each().cloned().collect()).unwrap_or_default()
    }

    /// The last failover and what is wrong with the server's settings, in words.
    pub(super) fn concerns(&self) -> Vec<String> {
        let failover = self.failover.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let settings = self.concerns.lock().unwrap_or_else(PoisonError::into_inner).clone();
        failover.into_iter().chain(settings).collect()
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

    /// Words for a failed call; has the connection looked at when other calls will fail in the same way.
    pub(super) fn failed(&self, error: &redis::RedisError, limit: Duration, scope: Scope) -> BusError {
        if is_suspect(error) {
            self.suspect_now();
        }
        translate(error, limit, scope)
    }

    /// Has the connection looked at without delay.
    pub(super) fn suspect_now(&self) {
        self.suspect.notify_one();
    }

    /// Has the sentinels asked for the master without delay.
    pub(super) fn master_may_have_changed(&self) {
        self.news.notify_one();
    }

    /// Waits, within limits, for the outcome of the very first attempt.
    pub(super) async fn first_attempt(&self) {
        if matches!(*self.state.borrow(), State::Connecting) {
            self.settled().await;
        }
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
            State::Connecting => Err(BusError::Unreachable(format!("{}: still connecting", self.target))),
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
                State::Connecting => Err(BusError::Unreachable(format!("{}: still connecting", self.target))),
            },
        }
    }

    /// Finds the server, dials it and makes sure that it may be used.
    async fn dial(&self) -> Result<Dialled, BusError> {
        let node = self.target.find().await?;
        match self.reach(&node).await {
            Ok((connection, lost, health)) => Ok(Dialled { node, connection, lost, health }),
            Err(error) => Err(about(&node, error)),
        }
    }

    async fn reach(&self, node: &Node) -> Result<(MultiplexedConnection, Arc<Notify>, Health), BusError> {
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
        let dialled = node.pushing.get_multiplexed_async_connection_with_config(&config).await;
        let mut connection = dialled.map_err(|error| translate(&error, DIAL_LIMIT, None))?;
        let health = self.look(&mut connection).await?;
        let found = health::concerns(&mut connection, self.target.sentinels().is_some()).await;
        self.note_concerns(node, found);
        Ok((connection, lost, health))
    }

    /// Fails when the server cannot be used, or, where sentinels name it, when it is not the master.
    async fn look(&self, connection: &mut MultiplexedConnection) -> Result<Health, BusError> {
        if self.target.sentinels().is_some() {
            health::must_be_master(connection).await?;
        }
        health::look(connection).await
    }

    /// Remembers what is wrong with the settings; says each thing once, until the list changes.
    fn note_concerns(&self, node: &Node, found: Vec<String>) {
        let mut known = self.concerns.lock().unwrap_or_else(PoisonError::into_inner);
        for concern in found.iter().filter(|concern| !known.contains(concern)) {
            tracing::warn!(server = %node, concern, "unsafe setting");
        }
        *known = found;
    }

    /// The same error, saying which server it was: the one in use, else what the address names.
    pub(super) fn about_server(&self, error: BusError) -> BusError {
        let place = self.place.borrow().clone();
        match (place, error) {
            (Some(node), error) => about(&node, error),
            (None, BusError::Unreachable(reason)) => BusError::Unreachable(format!("{}: {reason}", self.target)),
            (None, other) => other,
        }
    }

    /// The same error, saying that it happened on the way to a new master, when there was one before.
    fn in_failover(&self, error: BusError) -> BusError {
        match error {
            BusError::Unreachable(reason) if self.has_failed_over() => {
                BusError::Unreachable(format!("failover: {reason}"))
            }
            other => other,
        }
    }

    fn has_failed_over(&self) -> bool {
        self.target.sentinels().is_some() && self.place.borrow().is_some()
    }

    /// Watches over a connection until it is lost; says how.
    async fn lost(&self, mut dialled: Dialled) -> BusError {
        loop {
            tokio::select! {
                () = dialled.lost.notified() => {
                    return about(&dialled.node, BusError::Unreachable("the connection was closed".into()));
                }
                () = self.news.notified() => if let Some(other) = self.other_master(&dialled.node).await {
                    return BusError::Unreachable(format!("{other} is the master now, no longer {}", dialled.node.host));
                },
                () = self.suspect.notified() => {}
                () = tokio::time::sleep(PING_EVERY) => {}
            }
            match self.look(&mut dialled.connection).await {
                Ok(health) => self.report(&dialled.node, &health),
                Err(error) => return about(&dialled.node, error),
            }
        }
    }

    /// The master that the sentinels name, when it is another one. Without an answer the present one is kept.
    async fn other_master(&self, present: &Node) -> Option<Arc<Node>> {
        match self.target.find().await {
            Ok(found) => (found.host != present.host).then_some(found),
            Err(error) => {
                tracing::debug!(%error, "the sentinels do not name a master; keeping the present one");
                None
            }
        }
    }

    fn set_up(&self, dialled: &Dialled, outage: Duration) {
        let former = self.move_to(&dialled.node);
        self.state.send_replace(State::Up(dialled.connection.clone()));
        if let Some(former) = former {
            let (old, new, outage_ms) = (&former.host, &dialled.node.host, outage.as_millis());
            tracing::warn!(%old, %new, outage_ms, "the bus has failed over to a new master; its newest writes may be lost");
            let words = format!(
                "failed over from {old} to {new} at {}, after {outage_ms} ms without a master: the newest writes may be lost",
                clock::now()
            );
            *self.failover.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
        }
        self.report(&dialled.node, &dialled.health);
    }

    /// Makes this the server in use; gives the one before when it was another.
    fn move_to(&self, node: &Arc<Node>) -> Option<Arc<Node>> {
        // Held throughout, so that no connection to the former server is kept or taken in between.
        let mut idle = self.idle_readers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut former = None;
        let moved = self.place.send_if_modified(|place| {
            let moves = place.as_ref().is_none_or(|place| place.host != node.host);
            if moves {
                former = place.replace(Arc::clone(node));
            }
            moves
        });
        if moved {
            idle.clear();
        }
        former
    }

    /// Tells of an answering server; logs when that is news.
    fn report(&self, node: &Node, health: &Health) {
        let now = match health {
            Health::Sound => BusLink::Up,
            Health::Degraded(error) => BusLink::Degraded(about(node, error.clone()).to_string()),
        };
        if self.change_report(&now) {
            if let BusLink::Degraded(reason) = now {
                tracing::warn!(server = %node, reason, "bus degraded");
            } else {
                tracing::info!(server = %node, "bus up");
            }
        }
    }

    fn set_down(&self, error: BusError) {
        let error = self.in_failover(error);
        let reason = error.to_string();
        // Reported first: whoever is told by a failed call finds the reason there.
        if self.change_report(&BusLink::Down(reason.clone())) {
            tracing::warn!(server = %self.target, reason, "bus down; trying again");
        }
        self.state.send_replace(State::Down(error));
        // What idled through the loss of the shared connection is most likely dead as well.
        self.idle_readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether it was news.
    fn change_report(&self, now: &BusLink) -> bool {
        self.reported.send_if_modified(|link| {
            let changed = link != now;
            if changed {
                link.clone_from(now);
            }
            changed
        })
    }
}

/// The same error, saying which server it was.
fn about(node: &Node, error: BusError) -> BusError {
    match error {
        BusError::Unreachable(reason) => BusError::Unreachable(format!("{node}: {reason}")),
        BusError::Refused(reason) => BusError::Refused(format!("{node}: {reason}")),
        BusError::Degraded(reason) => BusError::Degraded(format!("{node}: {reason}")),
        BusError::Timeout(limit) => BusError::Unreachable(format!("{node}: no answer within {limit:?}")),
        other => other,
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("target", &self.target.to_string())
            .field("reported", &*self.reported.borrow())
            .finish_non_exhaustive()
    }
}

/// Keeps the shared connection for as long as the bus lives.
pub(super) async fn keep(link: Arc<Link>) {
    let mut backoff = Backoff::new();
    let mut down_since = Instant::now();
    loop {
        match link.dial().await {
            Ok(dialled) => {
                let since = Instant::now();
                link.set_up(&dialled, since.duration_since(down_since));
                let error = link.lost(dialled).await;
                down_since = Instant::now();
                link.set_down(error);
                if since.elapsed() >= LASTING {
                    backoff.reset();
                }
            }
            Err(error) => link.set_down(error),
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.next()) => {}
            // A sentinel names a new master: the wait was for the old one.
            () = link.news.notified() => backoff.reset(),
        }
    }
}

/// Sleeps for `pause`, or less when the server answers meanwhile. False when the bus is gone.
pub(super) async fn pause(link: &mut watch::Receiver<BusLink>, pause: Duration) -> bool {
    link.borrow_and_update();
    let news = async {
        loop {
            if link.changed().await.is_err() {
                return false;
            }
            if !matches!(*link.borrow_and_update(), BusLink::Down(_)) {
                return true;
            }
        }
    };
    tokio::time::timeout(pause, news).await.unwrap_or(true)
}
