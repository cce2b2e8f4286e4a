//! Kraken: WebSocket v2, public channels `ticker` and `trade`.
//!
//! [`frame`] reads one text frame, [`check`] judges its values, [`session`] is the pure state of a connection, [`client`] is
//! the socket.

pub mod check;
pub mod client;
pub mod frame;
mod sequence;
pub mod session;
#[cfg(test)]
mod tests;

/// What this venue is called on the bus.
pub const SOURCE: &str = "kraken";
