//! Clients of the real venues. They know the wire and nothing of the desk.

pub mod kraken;
pub mod polymarket;
