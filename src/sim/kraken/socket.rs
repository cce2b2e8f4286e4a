//! The WebSocket side: one task a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::Kraken;
use super::session::Session;
use crate::clock;

/// Unconditional, as measured at the venue.
const HEARTBEAT: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
struct Venue {
    kraken: Kraken,
    connections: Arc<AtomicU64>,
    shutdown: CancellationToken,
}

/// `/v2`, as at the venue.
pub(in crate::sim) fn router(kraken: Kraken, shutdown: CancellationToken) -> Router {
    let connections = Arc::new(AtomicU64::new(kraken.first_connection));
    Router::new().route("/v2", any(upgrade)).with_state(Venue { kraken, connections, shutdown })
}

async fn upgrade(State(venue): State<Venue>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.max_message_size(128 * 1024).on_upgrade(move |socket| serve(socket, venue))
}

/// A connection that is over.
struct Over;

async fn serve(mut socket: WebSocket, venue: Venue) {
    let id = venue.connections.fetch_add(1, Ordering::Relaxed);
    tracing::debug!(connection = id, "kraken: connected");
    let shutdown = venue.shutdown.clone();
    tokio::select! {
        () = shutdown.cancelled() => {
            // The peer may be gone already; there is nobody left to tell.
            let _ = timeout(Duration::from_millis(200), socket.send(Message::Close(None))).await;
        }
        _ = converse(&mut socket, &venue.kraken, id) => {}
    }
    tracing::debug!(connection = id, "kraken: disconnected");
}

async fn converse(socket: &mut WebSocket, kraken: &Kraken, id: u64) -> Result<(), Over> {
    let within = kraken.send_within;
    let mut session = Session::default();
    let mut updates = kraken.updates.subscribe();
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heartbeat.tick().await;
    send(socket, within, status(id)).await?;
    loop {
        tokio::select! {
            message = socket.recv() => {
                let Some(Ok(message)) = message else { return Err(Over) };
                if let Message::Text(text) = message {
                    let answers = session.request(text.as_str(), &kraken.board(), clock::now());
                    for answer in answers {
                        send(socket, within, answer).await?;
                    }
                }
            }
            update = updates.recv() => match update {
                Ok(update) if session.wants(&update) => send(socket, within, update.text).await?,
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(connection = id, missed, "kraken: connection too slow, dropped");
                    return Err(Over);
                }
                Err(RecvError::Closed) => return Err(Over),
            },
            _ = heartbeat.tick() => send(socket, within, Utf8Bytes::from_static(r#"{"channel":"heartbeat"}"#)).await?,
        }
    }
}

async fn send(socket: &mut WebSocket, within: Duration, text: Utf8Bytes) -> Result<(), Over> {
    match timeout(within, socket.send(Message::Text(text))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Over),
    }
}

fn status(id: u64) -> Utf8Bytes {
    format!(
        concat!(
            r#"{{"channel":"status","type":"update","data":[{{"version":"2.0.10","system":"online","api_version":"v2","#,
            r#""connection_id":{},"upcoming_maintenance":[],"emergency":[]}}]}}"#
        ),
        id
    )
    .into()
}

#[cfg(test)]
mod tests {
    use futures::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message as Frame;

    use super::super::board::tests::{pairs, trade};
    use super::*;
    use crate::domain::Timestamp;

    #[tokio::test]
    async fn a_peer_that_does_not_read_is_dropped_and_nobody_waits_for_it() {
        let kraken = Kraken { send_within: Duration::from_millis(200), ..Kraken::new(&pairs(), 1) };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("an address");
        let shutdown = CancellationToken::new();
        let server = axum::serve(listener, router(kraken.clone(), shutdown.clone()));
        let server = tokio::spawn(server.with_graceful_shutdown(shutdown.clone().cancelled_owned()).into_future());
        let (mut peer, _) = tokio_tungstenite::connect_async(format!("ws://{address}/v2")).await.expect("connects");
        let request = r#"{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD"]}}"#;
        peer.send(Frame::text(request)).await.expect("sends");
        for _ in ["status", "ack"] {
            peer.next().await.expect("a frame").expect("readable");
        }
        let burst: Vec<_> = (1..=2_000).map(|price| (0, trade(price, 1))).collect();
        let published = async {
            while kraken.updates.receiver_count() > 0 {
                kraken.publish(&burst, Timestamp::from_secs(1));
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(30), published).await.expect("the slow peer is dropped");
        shutdown.cancel();
        server.await.expect("joins").expect("serves");
    }
}
