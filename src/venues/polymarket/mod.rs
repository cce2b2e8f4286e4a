//! Polymarket: CLOB, Gamma, sockets and signing.

pub mod gamma;
pub mod market_ws;

/// What this venue is called on the bus.
pub const SOURCE: &str = "polymarket";
