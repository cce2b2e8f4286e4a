//! Argos: watches the world, validates what it sees and puts it on the bus.
//!
//! - `daemon`: starts and stops the tasks.
//! - `crypto`: Kraken's ticks to `data.crypto`. `polymarket`: markets and books to `data.polymarket`.
//! - `rejected`: what validation refused to `data.rejected`. `state`: the snapshot under `state.argos`.
//! - `pattern`, `watchlist`, `conflate`, `throttle`: the pure parts.
//!
//! What is full is never waited for: ticks that find no room or no bus are dropped and counted, books are conflated.

mod conflate;
mod crypto;
mod daemon;
mod pattern;
mod polymarket;
mod publisher;
mod rejected;
mod settings;
mod state;
#[cfg(test)]
mod tests;
mod throttle;
mod watchlist;

pub use daemon::{ArgosError, run};
pub use settings::Settings;
