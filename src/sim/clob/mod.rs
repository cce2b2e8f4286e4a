//! A stand-in until the CLOB's HTTP and sockets are merged.

use std::io;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::exchange::Exchange;

pub async fn serve_clob(_exchange: Exchange, _listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
    shutdown.cancelled().await;
    Ok(())
}

pub async fn serve_clob_ws(_exchange: Exchange, _listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
    shutdown.cancelled().await;
    Ok(())
}
