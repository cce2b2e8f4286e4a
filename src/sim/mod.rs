//! The venues on loopback, speaking the real protocols: Kraken WebSocket v2 and REST, Polymarket CLOB, its sockets, Gamma.
//!
//! Their wire types are their own on purpose: sharing them with the clients would hide an error made on both sides. What is
//! shared is the signing scheme, which published vectors pin.

mod settings;

pub use settings::Settings;
pub mod clob;
pub mod exchange;
