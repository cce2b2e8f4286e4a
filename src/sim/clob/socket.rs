//! What both sockets share.

use axum::extract::ws::{Message, WebSocket};
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;

use crate::sim::exchange::ExchangeEvent;

/// Frames of a client are small.
pub(super) const MOST_BYTES: usize = 1 << 20;

/// Why a socket ends.
pub(super) struct Ended;

/// What came from the client.
pub(super) enum Incoming {
    /// A frame to be understood.
    Frame(Value),
    /// Nothing to do: a ping that was answered, a control frame, something unreadable.
    Handled,
}

/// Reads what the client sent; answers the text PING itself. A frame that is not JSON is ignored, as the venue does.
pub(super) async fn incoming(
    socket: &mut WebSocket,
    message: Option<Result<Message, axum::Error>>,
) -> Result<Incoming, Ended> {
    match message {
        Some(Ok(Message::Text(text))) if text.trim() == "PING" => {
            send_text(socket, "PONG").await?;
            Ok(Incoming::Handled)
        }
        Some(Ok(Message::Text(text))) => Ok(serde_json::from_str(&text).map_or_else(
            |error| {
                tracing::debug!(%error, "sim: a frame that is no JSON");
                Incoming::Handled
            },
            Incoming::Frame,
        )),
        Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => Ok(Incoming::Handled),
        Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Ended),
    }
}

/// The next event; a reader that fell behind is cut off, so that it never misses something without knowing.
pub(super) fn event(received: Result<ExchangeEvent, RecvError>) -> Result<ExchangeEvent, Ended> {
    received.map_err(|error| {
        if let RecvError::Lagged(missed) = error {
            tracing::warn!(missed, "sim: a socket fell behind and is closed");
        }
        Ended
    })
}

pub(super) async fn send(socket: &mut WebSocket, value: &Value) -> Result<(), Ended> {
    send_text(socket, &value.to_string()).await
}

pub(super) async fn send_text(socket: &mut WebSocket, text: &str) -> Result<(), Ended> {
    socket.send(Message::text(text)).await.map_err(|_| Ended)
}
