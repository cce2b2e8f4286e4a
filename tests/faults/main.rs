//! Every fault of the simulated venue, over real connections, and what the venue client makes of it.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../support/approved.rs"]
mod approved;
#[path = "../polymarket_with_sim/bench.rs"]
#[allow(dead_code, reason = "what it offers is used by two tests, each a part")]
mod bench;
mod command;
mod endpoint;
mod heartbeats;
mod replies;
mod sockets;
mod table;
mod trading;
