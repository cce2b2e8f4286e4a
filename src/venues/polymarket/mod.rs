//! Polymarket: CLOB, Gamma, sockets and signing.

mod answer;
mod http;
mod parse;
mod rest;
pub mod signing;
mod user_ws;
mod venue;

pub use venue::{PolymarketVenue, Settings, SetupError};
