//! Polymarket: CLOB, Gamma, sockets and signing.

mod answer;
pub mod books;
mod budget;
pub mod gamma;
mod http;
mod intent;
pub mod market_ws;
mod parse;
mod rest;
mod settings;
pub mod signing;
#[cfg(test)]
mod test_server;
mod user_ws;
mod venue;

/// What this venue is called on the bus.
pub const SOURCE: &str = "polymarket";

pub use budget::Rates;
pub use settings::{Settings, SetupError};
pub use venue::PolymarketVenue;
