//! A whole desk at the simulated venue while that goes wrong in each of the ways that it knows: the real binary over a real
//! Redis. After each fault it trades again; in the end its ledger is the venue's truth.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../support/books.rs"]
mod books;
#[path = "../support/desk.rs"]
mod desk;
mod ended;
#[path = "../support/intents.rs"]
mod intents;
mod markets;
mod money;
mod pauses;
mod payouts;
mod replies;
mod sockets;
#[path = "../support/store.rs"]
mod store;
mod storm;
#[path = "../support/mod.rs"]
mod support;
mod switch;
mod world;
