//! Dialling a WebSocket: bounded in time, without Nagle's delay, with a limit on what one message may weigh.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// A connected socket.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How long a handshake may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long one outgoing frame may take before the socket counts as dead.
const SEND_WITHIN: Duration = Duration::from_secs(5);
/// How long a farewell may take.
const CLOSE_WITHIN: Duration = Duration::from_millis(200);
/// Largest message taken; the largest real one, a snapshot of many books, is far smaller.
const MAX_MESSAGE: usize = 8 * 1024 * 1024;

/// Why a socket could not be opened or went away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SocketError {
    /// The handshake failed.
    #[error("{url}: {reason}")]
    Dial {
        /// Address.
        url: String,
        /// What happened.
        reason: String,
    },
    /// It took too long.
    #[error("{url}: no connection within {CONNECT_WITHIN:?}")]
    Slow {
        /// Address.
        url: String,
    },
    /// The other side closed it.
    #[error("closed by the venue: {0}")]
    Closed(String),
    /// It broke.
    #[error("connection lost: {0}")]
    Lost(String),
    /// A frame could not be sent in time.
    #[error("a frame could not be sent within {SEND_WITHIN:?}")]
    Stuck,
}

/// Opens `url`.
///
/// # Errors
/// When the address cannot be reached, the handshake fails or takes longer than ten seconds.
pub async fn dial(url: &str) -> Result<Socket, SocketError> {
    let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
    match timeout(CONNECT_WITHIN, connect_async_with_config(url, Some(config), true)).await {
        Ok(Ok((socket, _response))) => Ok(socket),
        Ok(Err(error)) => Err(SocketError::Dial { url: url.to_owned(), reason: error.to_string() }),
        Err(_elapsed) => Err(SocketError::Slow { url: url.to_owned() }),
    }
}

/// The next text frame. Binary frames are not part of the protocols we speak; transport pings are answered by the library.
/// Cancel-safe.
///
/// # Errors
/// When the socket is closed or breaks.
pub async fn next_text(socket: &mut Socket) -> Result<Utf8Bytes, SocketError> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text),
            Some(Ok(Message::Close(frame))) => {
                return Err(SocketError::Closed(frame.map(|frame| frame.to_string()).unwrap_or_default()));
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(SocketError::Lost(error.to_string())),
            None => return Err(SocketError::Lost("the stream ended".to_owned())),
        }
    }
}

/// Sends text frames in order.
///
/// # Errors
/// When the socket breaks or does not take a frame in time.
pub async fn send_texts(socket: &mut Socket, texts: Vec<String>) -> Result<(), SocketError> {
    for text in texts {
        timeout(SEND_WITHIN, socket.send(Message::text(text)))
            .await
            .map_err(|_elapsed| SocketError::Stuck)?
            .map_err(|error| SocketError::Lost(error.to_string()))?;
    }
    Ok(())
}

/// Says farewell. The close frame is a courtesy: a dead peer is not waited for, and a failure means nothing.
pub async fn close(mut socket: Socket) {
    if let Ok(Err(error)) = timeout(CLOSE_WITHIN, socket.close(None)).await {
        tracing::debug!(%error, "closing a socket");
    }
}
