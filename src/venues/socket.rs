//! Dialling a WebSocket: bounded in time, without Nagle's delay, with a limit on what one message may weigh.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// A connected socket.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How long a handshake may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long one outgoing frame may take before the socket counts as dead.
pub const SEND_WITHIN: Duration = Duration::from_secs(5);
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
}

/// Opens `url`.
///
/// # Errors
/// When the address cannot be reached, the handshake fails or takes longer than ten seconds.
pub async fn dial(url: &str) -> Result<Socket, SocketError> {
    let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
    match tokio::time::timeout(CONNECT_WITHIN, connect_async_with_config(url, Some(config), true)).await {
        Ok(Ok((socket, _response))) => Ok(socket),
        Ok(Err(error)) => Err(SocketError::Dial { url: url.to_owned(), reason: error.to_string() }),
        Err(_elapsed) => Err(SocketError::Slow { url: url.to_owned() }),
    }
}
