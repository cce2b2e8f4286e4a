//! Polymarket: CLOB, Gamma, sockets and signing.

mod answer;
mod http;
mod parse;
mod rest;
pub mod signing;
#[cfg(test)]
mod test_server;
mod user_ws;
mod venue;

pub use venue::{PolymarketVenue, Settings, SetupError};
