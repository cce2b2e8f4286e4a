//! Clients of the real venues. They know the wire and nothing of the desk.

pub mod backoff;
pub mod kraken;
pub mod polymarket;
pub mod socket;
pub mod strict;
