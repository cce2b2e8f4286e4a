//! Cockpit: a terminal from which one person runs an automated trading desk on prediction markets.
//!
//! The map of the crate. Arrows of knowledge point down this list; `tests/architecture.rs` checks them.
//!
//! - [`domain`]: the trading vocabulary, plain values. Uses nothing of ours.
//! - [`clock`]: the only reader of time.
//! - [`bus`]: ports, typed names and codec of the message bus; `memory` and `redis` adapters.
//! - [`risk`]: the gate through which every order passes. `domain` only.
//! - [`pipeline`]: Argos (collect, validate, publish) and Athena (decide).
//! - [`exec`]: Hermes (sign, post, follow, reconcile, keep the books) and the kill switch.
//! - [`store`]: the SQL ledger.
//! - [`venues`]: clients of the real venues (Kraken, Polymarket).
//! - [`sim`]: the same venues on loopback, speaking their real protocols.
//! - [`ui`]: the cockpit on the terminal; a bus client like any other.
//! - [`failpoint`]: where a test may kill the process; nothing in an ordinary build.
//! - [`config`], [`cli`], [`telemetry`]: arguments and settings in, exit codes and logs out.
//! - [`wire`]: the composition root, the only place that names adapters and starts tasks.

/// A decision takes nearly a hundred small pieces of memory. This allocator takes half as long for them as the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod bus;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod exec;
pub mod failpoint;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod pipeline;
pub mod risk;
pub mod sim;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod ui;
pub mod venues;
pub mod wire;
