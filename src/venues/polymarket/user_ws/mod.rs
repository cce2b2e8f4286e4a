//! The account's event socket: subscribes, watches that it lives, reconnects for ever. It keeps no past: whenever
//! something may have been missed it says [`UserEvent::Connected`], and the reader reconciles.

mod frame;

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::Address;
use futures::{SinkExt, StreamExt};
use rand::Rng;
use tokio::net::TcpStream;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::parse::Account;
use super::rest::account_of;
use super::signing::L2Signer;
use crate::exec::venue::UserEvent;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Events that may wait for the reader. A full channel drops the socket, never an event unsaid.
const CAPACITY: usize = 1_024;
const PING: &str = "PING";
const PONG: &str = "PONG";
const MAX_MESSAGE: usize = 4 << 20;

/// How patient the socket is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    /// For the TCP, TLS and WebSocket handshakes together, and for every write.
    connect: Duration,
    /// Between two PINGs; the venue asks for one every 10 s.
    ping: Duration,
    /// Without any text from the venue, its PONGs included, the socket is dead.
    silence: Duration,
    /// First wait before connecting again; doubles.
    backoff_first: Duration,
    /// Longest such wait.
    backoff_most: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            ping: Duration::from_secs(10),
            silence: Duration::from_secs(30),
            backoff_first: Duration::from_millis(250),
            backoff_most: Duration::from_secs(15),
        }
    }
}

/// The socket of one account.
#[derive(Debug)]
pub(super) struct UserStream {
    pub(super) url: String,
    pub(super) session: watch::Receiver<Option<Arc<L2Signer>>>,
    pub(super) maker: Address,
    pub(super) timing: Timing,
}

impl UserStream {
    /// Starts the task that owns the socket, and `beside` with it; it ends when the receiver is dropped.
    pub(super) fn spawn(self, beside: impl Future<Output = ()> + Send + 'static) -> mpsc::Receiver<UserEvent> {
        let (events, receiver) = mpsc::channel(CAPACITY);
        tokio::spawn(async move {
            tokio::select! {
                () = self.run(events) => {}
                () = beside => {}
            }
        });
        receiver
    }

    async fn run(mut self, events: mpsc::Sender<UserEvent>) {
        let mut failures = 0_u32;
        loop {
            let ended = tokio::select! {
                () = events.closed() => return,
                ended = self.connection(&events, &mut failures) => ended,
            };
            let reason = match ended {
                Ended::ReaderGone => return,
                Ended::Lost(reason) => reason,
            };
            let wait = backoff(&self.timing, failures);
            failures = failures.saturating_add(1);
            tracing::warn!(%reason, ?wait, "the user channel is down");
            if events.send(UserEvent::Disconnected { reason }).await.is_err() {
                return;
            }
            tokio::select! {
                () = events.closed() => return,
                () = sleep(wait) => {}
            }
        }
    }

    /// One connection from the handshake to its end. `failures` is reset once the venue has answered.
    async fn connection(&mut self, events: &mpsc::Sender<UserEvent>, failures: &mut u32) -> Ended {
        let known = self.session.wait_for(Option::is_some).await.map(|session| session.clone());
        let Ok(Some(signer)) = known else { return Ended::ReaderGone };
        let account = account_of(&signer, self.maker);
        match self.subscribe(&signer).await {
            Ok(socket) => self.listen(socket, &account, events, failures).await,
            Err(reason) => Ended::Lost(reason),
        }
    }

    /// Connects and sends the subscription and a first PING, whose answer proves that the subscription was read.
    async fn subscribe(&self, signer: &L2Signer) -> Result<Socket, String> {
        let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
        let (mut socket, _) = timeout(self.timing.connect, connect_async_with_config(&self.url, Some(config), true))
            .await
            .map_err(|_| format!("no connection within {:?}", self.timing.connect))?
            .map_err(|error| format!("cannot connect: {error}"))?;
        let credentials = signer.credentials();
        let hello = serde_json::json!({
            "type": "user",
            "auth": {
                "apiKey": credentials.key(),
                "secret": credentials.secret(),
                "passphrase": credentials.passphrase(),
            },
        });
        self.write(&mut socket, hello.to_string()).await?;
        self.write(&mut socket, PING.to_owned()).await?;
        Ok(socket)
    }

    async fn write(&self, socket: &mut Socket, text: String) -> Result<(), String> {
        match timeout(self.timing.connect, socket.send(Message::text(text))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("write failed: {error}")),
            Err(_) => Err(format!("no write within {:?}", self.timing.connect)),
        }
    }

    async fn listen(
        &self,
        mut socket: Socket,
        account: &Account,
        events: &mpsc::Sender<UserEvent>,
        failures: &mut u32,
    ) -> Ended {
        let mut ping = interval_at(Instant::now() + self.timing.ping, self.timing.ping);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut session = self.session.clone();
        let mut dead_at = Instant::now() + self.timing.silence;
        // The reader is told that it may have missed something at first, and again with the next PONG after an event
        // that could not be read, so that a stream of such events does not become a stream of reconciliations.
        let (mut is_new, mut is_behind) = (true, true);
        loop {
            let text = tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => text,
                    Some(Ok(Message::Close(_))) | None => return Ended::Lost("closed by the venue".to_owned()),
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => return Ended::Lost(format!("read failed: {error}")),
                },
                Ok(()) = session.changed() => return Ended::Lost("the API credentials are renewed".to_owned()),
                () = tokio::time::sleep_until(dead_at) => {
                    return Ended::Lost(format!("silent for {:?}", self.timing.silence));
                }
                _ = ping.tick() => {
                    if let Err(reason) = self.write(&mut socket, PING.to_owned()).await {
                        return Ended::Lost(reason);
                    }
                    continue;
                }
            };
            dead_at = Instant::now() + self.timing.silence;
            *failures = 0;
            let frame = frame::read(&text, account);
            let is_told = is_behind && (is_new || text.as_str() == PONG);
            (is_new, is_behind) = (false, is_behind && !is_told);
            let told = is_told.then_some(UserEvent::Connected);
            for event in told.into_iter().chain(frame.events) {
                if let Err(ended) = offer(events, event) {
                    return ended;
                }
            }
            for reason in &frame.malformed {
                tracing::warn!(source = "polymarket user channel", %reason, "an event was refused");
                is_behind = true;
            }
        }
    }
}

/// Why a connection ended.
enum Ended {
    /// Nobody listens any more.
    ReaderGone,
    Lost(String),
}

fn offer(events: &mpsc::Sender<UserEvent>, event: UserEvent) -> Result<(), Ended> {
    events.try_send(event).map_err(|error| match error {
        TrySendError::Full(_) => Ended::Lost(format!("the reader is {CAPACITY} events behind")),
        TrySendError::Closed(_) => Ended::ReaderGone,
    })
}

/// Doubling, between half and whole of it at random, so that a venue that comes back is not met by everybody at once.
fn backoff(timing: &Timing, failures: u32) -> Duration {
    let whole = timing.backoff_first.saturating_mul(2_u32.saturating_pow(failures)).min(timing.backoff_most);
    whole.mul_f64(rand::rng().random_range(0.5..=1.0))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
