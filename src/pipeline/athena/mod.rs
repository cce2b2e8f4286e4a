//! Athena: rolling windows, strategies and sizing. Pure, except `daemon.rs`, which feeds it.

mod params;

pub use params::MomentumParams;
