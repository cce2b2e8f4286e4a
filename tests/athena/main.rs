//! Athena as a process of her own on a real Redis: killed at any point she goes on as if nothing had happened; several share the
//! instruments without breaching a limit together.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells its figures"
)]

#[path = "../support/an_hour.rs"]
mod an_hour;
mod child;
#[path = "../support/desk.rs"]
mod desk;
mod restart;
mod shards;
#[path = "../support/mod.rs"]
mod support;
mod tape;
