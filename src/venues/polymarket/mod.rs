//! Polymarket: CLOB, Gamma, sockets and signing.

mod answer;
mod http;
mod intent;
mod parse;
mod rest;
mod settings;
pub mod signing;
#[cfg(test)]
mod test_server;
mod user_ws;
mod venue;

pub use settings::{Settings, SetupError};
pub use venue::PolymarketVenue;
