//! Blocking reads. Each has a connection to itself while it lasts, so that none waits behind another; between two reads the
//! connection is kept.

use std::sync::PoisonError;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Value};
use tokio::time::Instant;

use super::error::{Scope, is_answer, translate};
use super::link::{DIAL_LIMIT, Link, Place, pause};
use super::node::Node;
use crate::bus::BusError;

/// No read blocks longer, whatever was asked: the server cannot count to the end of time.
const LONGEST: Duration = Duration::from_hours(1);
/// How much later than its own limit the server may answer before the connection is given up.
const GRACE: Duration = Duration::from_secs(2);
/// How long to hold back after a failed dial while the shared connection still seems sound.
const AFTER_FAILED_DIAL: Duration = Duration::from_millis(250);
/// Idle connections beyond this many are closed.
const KEPT: usize = 8;

impl Link {
    /// Sends a command that may wait `block` at the server. `command` is given the milliseconds for its BLOCK option.
    ///
    /// A dropped call closes its connection: the server then forgets the wait.
    pub(super) async fn call_blocking(
        &self,
        block: Duration,
        scope: Scope,
        command: impl Fn(u64) -> Cmd + Send,
    ) -> Result<Value, BusError> {
        let begun = Instant::now();
        self.up_within(block).await?;
        let mut place = self.place();
        let node = place.borrow_and_update().clone();
        let mut connection = match (self.idle_reader(), node) {
            (Some(connection), _) => connection,
            (None, Some(node)) => self.dial_reader(&node, block).await?,
            (None, None) => return Err(self.about_server(BusError::Unreachable("the master is not known yet".into()))),
        };
        let left = block.saturating_sub(begun.elapsed()).min(LONGEST);
        // Zero would mean for ever.
        let millis = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1);
        let limit = Duration::from_millis(millis).saturating_add(GRACE);
        let command = command(millis);
        let answered = tokio::select! {
            answered = tokio::time::timeout(limit, command.query_async(&mut connection)) => answered,
            // An old master may go on answering for ever.
            _moved = place.changed() => {
                return Err(self.about_server(BusError::Unreachable("the master is another server now".into())));
            }
        };
        match answered {
            Ok(Ok(answer)) => {
                self.put_back(connection, &place);
                Ok(answer)
            }
            Ok(Err(error)) => {
                if is_answer(&error) {
                    self.put_back(connection, &place);
                }
                Err(self.failed(&error, limit, scope))
            }
            Err(_elapsed) => {
                self.suspect_now();
                Err(BusError::Timeout(limit))
            }
        }
    }

    fn idle_reader(&self) -> Option<MultiplexedConnection> {
        self.idle_readers.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Keeps a connection for the next read, unless the server is another one now.
    fn put_back(&self, connection: MultiplexedConnection, place: &Place) {
        let mut idle = self.idle_readers.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT && place.has_changed().is_ok_and(|changed| !changed) {
            idle.push(connection);
        }
    }

    async fn dial_reader(&self, node: &Node, block: Duration) -> Result<MultiplexedConnection, BusError> {
        // The limit on an answer is set per read: it depends on how long the read may block.
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(DIAL_LIMIT)).set_response_timeout(None);
        match node.plain.get_multiplexed_async_connection_with_config(&config).await {
            Ok(connection) => Ok(connection),
            Err(error) => {
                self.suspect_now();
                pause(&mut self.reported(), block.min(AFTER_FAILED_DIAL)).await;
                Err(self.about_server(translate(&error, DIAL_LIMIT, None)))
            }
        }
    }
}
