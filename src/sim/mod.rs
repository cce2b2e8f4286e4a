//! The venues on loopback, speaking the real protocols: Kraken WebSocket v2 and REST, Polymarket CLOB, its sockets, Gamma.
//!
//! Their wire types and their signature checks are their own on purpose: sharing them with the clients would hide an error
//! made on both sides. Published vectors pin both.

pub mod clob;
pub mod exchange;
mod fair;
pub mod faults;
mod gamma;
mod kraken;
mod listing;
mod makers;
mod noise;
mod quiet;
mod rolling;
mod running;
mod settings;
mod tape;
mod trader;
mod truth;
mod world;

use std::io;

pub use running::{DESK_KEY, Endpoints, ListedMarket, ListedToken, Running, SimAccount, start};
pub use settings::Settings;
pub use tape::{HistoryError, TapeError};

/// Why the simulated venues cannot run.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The speed is out of range.
    #[error("sim speed {speed} is not above 0 and at most 1000")]
    Speed {
        /// What was given.
        speed: f64,
    },
    /// There is no room for all ports.
    #[error("sim port {port} is not 0 (free ports) or at most 65530 (six ports from there on)")]
    Port {
        /// What was given.
        port: u16,
    },
    /// A port cannot be had.
    #[error("sim {what}: port {port} of 127.0.0.1 cannot be had: {reason}; choose another --port, or 0 for free ones")]
    Listen {
        /// Which service wanted it.
        what: &'static str,
        /// The port.
        port: u16,
        /// Why.
        reason: io::Error,
    },
    /// The history file is not right.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The embedded recording is not right.
    #[error(transparent)]
    Tape(#[from] TapeError),
    /// A development account cannot be made.
    #[error("sim account {index}: {reason}")]
    Account {
        /// Which one.
        index: usize,
        /// Why.
        reason: String,
    },
    /// A service ended by itself.
    #[error("sim {what} ended: {reason}")]
    Ended {
        /// Which one.
        what: &'static str,
        /// Why.
        reason: String,
    },
}
