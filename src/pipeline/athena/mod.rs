//! Athena: rolling windows, strategies and sizing. Pure, except `daemon.rs` and the tasks below it, which feed it.
//!
//! An [`Event`] goes into the [`Engine`], which folds it into its view of the desk and hands it to every strategy. A strategy
//! answers with wishes; the engine makes each an intent, asks the risk gate, and answers with [`Effect`]s.
//!
//! Invariant: the same events at the same times give the same effects, intent ids included.

mod account;
mod daemon;
mod engine;
mod event;
mod fair;
mod intent;
mod markets;
mod momentum;
pub mod params;
mod rolling;
#[cfg(test)]
mod scene;
mod standing;
mod strategy;
mod window;
mod wishes;

pub use daemon::{AthenaError, Settings, StrategySettings, run};
pub use engine::Engine;
pub use event::{Effect, Emission, Event, Refusal};
pub use markets::Markets;
pub use momentum::{Momentum, MomentumParams};
pub use params::{ParamValue, Params, Table};
pub use rolling::Selector;
pub use strategy::{Cause, Desk, Runner, Running, SavedState, Strategy, Wish};
pub use window::{Direction, Push, Sample, Window};
pub use wishes::{News, Skipped, Wishes};
