//! The bus over Redis (a single server, 6.2 or later).
//!
//! One multiplexed connection carries everything that does not wait; each blocking read uses a connection of its own, and so
//! does each subscription. A task owns the dialling, so that a call while the server is away fails at once instead of queueing.

mod commands;
mod link;
mod reply;
mod subscription;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo};
use tokio::sync::{Notify, watch};
use tokio_util::task::AbortOnDropHandle;

use super::{BusError, BusLink};

/// Longest that a connection attempt may take.
const DIAL_WITHIN: Duration = Duration::from_secs(2);
/// Longest that a call which does not wait may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// How much later than its own limit a blocking read is given up and its connection thrown away.
const BLOCK_GRACE: Duration = Duration::from_secs(2);
/// Blocking connections kept for the next read.
const IDLE_READERS: usize = 8;

/// The bus on a Redis server.
#[derive(Debug)]
pub struct RedisBus {
    client: Client,
    current: watch::Receiver<Option<MultiplexedConnection>>,
    link: watch::Receiver<BusLink>,
    broken: Arc<Notify>,
    readers: Mutex<Vec<MultiplexedConnection>>,
    _dialler: AbortOnDropHandle<()>,
}

impl RedisBus {
    /// A bus at this address: `redis://[user:password@]host[:port][/db]`, or `rediss://` for TLS. Dialling begins at once
    /// and goes on for as long as the bus lives; the server need not be up. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// [`BusError::Refused`] when the address cannot be read; the message never holds its password.
    pub fn new(url: &str) -> Result<Arc<Self>, BusError> {
        let info: ConnectionInfo = url.into_connection_info().map_err(|error| {
            BusError::Refused(format!("address is not redis://host:port/db: {}", reply::words(&error)))
        })?;
        let settings = redis::io::tcp::TcpSettings::default().set_nodelay(true);
        let client = Client::open(info.set_tcp_settings(settings))
            .map_err(|error| BusError::Refused(format!("address cannot be used: {}", reply::words(&error))))?;
        let broken = Arc::new(Notify::new());
        let (current, link, task) = link::start(client.clone(), Arc::clone(&broken));
        let readers = Mutex::default();
        Ok(Arc::new(Self { client, current, link, broken, readers, _dialler: AbortOnDropHandle::new(task) }))
    }

    /// The connection for calls that do not wait. Before the first attempt has ended it is waited for; after that a server
    /// that is away is an error at once.
    async fn connection(&self) -> Result<MultiplexedConnection, BusError> {
        if let Some(connection) = self.current.borrow().clone() {
            return Ok(connection);
        }
        let mut link = self.link.clone();
        let first = link.wait_for(|link| !link::is_first_attempt(link));
        let state = match tokio::time::timeout(DIAL_WITHIN + ANSWER_WITHIN, first).await {
            Ok(Ok(state)) => state.clone(),
            Ok(Err(_)) | Err(_) => BusLink::Down("no connection attempt has ended".to_owned()),
        };
        match (self.current.borrow().clone(), state) {
            (Some(connection), _) => Ok(connection),
            (None, BusLink::Down(why)) => Err(BusError::Unreachable(why)),
            (None, BusLink::Up) => Err(BusError::Unreachable("the connection has just been lost".to_owned())),
        }
    }

    /// Runs a command that does not wait.
    async fn call<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, BusError> {
        let mut connection = self.connection().await?;
        let answer = tokio::time::timeout(ANSWER_WITHIN, command.query_async(&mut connection)).await;
        match answer {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                let error = reply::error(&error, ANSWER_WITHIN);
                if matches!(error, BusError::Unreachable(_)) {
                    self.broken.notify_one();
                }
                Err(error)
            }
            Err(_) => {
                self.broken.notify_one();
                Err(BusError::Timeout(ANSWER_WITHIN))
            }
        }
    }

    /// Runs a command that may wait for `block`, on a connection of its own. While the server is away it waits that long for
    /// it to come back, so that a reader's loop does not spin.
    async fn call_blocking<T: redis::FromRedisValue>(
        &self,
        command: &redis::Cmd,
        block: Duration,
    ) -> Result<T, BusError> {
        let mut connection = self.reader(block).await?;
        let limit = block + BLOCK_GRACE;
        match tokio::time::timeout(limit, command.query_async(&mut connection)).await {
            Ok(Ok(value)) => {
                let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
                if readers.len() < IDLE_READERS {
                    readers.push(connection);
                }
                Ok(value)
            }
            Ok(Err(error)) => {
                let error = reply::error(&error, limit);
                if matches!(error, BusError::Unreachable(_)) {
                    self.forget_readers();
                    self.broken.notify_one();
                }
                Err(error)
            }
            Err(_) => {
                self.forget_readers();
                self.broken.notify_one();
                Err(BusError::Timeout(limit))
            }
        }
    }

    async fn reader(&self, block: Duration) -> Result<MultiplexedConnection, BusError> {
        let mut link = self.link.clone();
        let up = link.wait_for(|link| *link == BusLink::Up);
        if tokio::time::timeout(block.max(Duration::from_millis(100)), up).await.is_err() {
            self.forget_readers();
            let why = self.link.borrow().clone();
            return Err(BusError::Unreachable(match why {
                BusLink::Down(why) => why,
                BusLink::Up => "came back just now".to_owned(),
            }));
        }
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => dial(&self.client, None).await,
        }
    }

    fn forget_readers(&self) {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Dials once. Without a response timeout a call may wait for as long as its caller lets it.
async fn dial(client: &Client, response: Option<Duration>) -> Result<MultiplexedConnection, BusError> {
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(DIAL_WITHIN)).set_response_timeout(response);
    match tokio::time::timeout(DIAL_WITHIN, client.get_multiplexed_async_connection_with_config(&config)).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(reply::error(&error, DIAL_WITHIN)),
        Err(_) => Err(BusError::Timeout(DIAL_WITHIN)),
    }
}
