//! Athena: rolling windows, strategies and sizing. Pure, except `daemon.rs` and the tasks below it, which feed it.
//!
//! An [`Event`] goes into the [`Engine`], which folds it into its view of the desk and hands it to every strategy. A strategy
//! answers with wishes; the engine makes each an intent, asks the risk gate, and answers with [`Effect`]s.
//!
//! Invariant: the same events at the same times give the same effects, intent ids included.

mod account;
mod audience;
mod authority;
mod daemon;
mod engine;
mod event;
mod fair;
mod intent;
mod kept;
mod markets;
mod momentum;
mod registry;
mod reversion;
mod rolling;
#[cfg(test)]
mod scene;
mod shard;
mod standing;
mod strategy;
mod updown;
mod weather;
mod window;
mod wishes;

pub use daemon::{AthenaError, Settings, run};
pub use engine::Engine;
pub use event::{Effect, Emission, Event, Refusal};
pub use kept::{Documents, KeptState, SavedState};
pub use markets::Markets;
pub use momentum::{Momentum, MomentumParams};
pub use registry::{KINDS, Kind, StrategySettings};
pub use reversion::{Reversion, ReversionParams};
pub use rolling::Selector;
pub use shard::Shard;
pub use strategy::{Cause, Desk, Runner, Running, Strategy, Wish};
pub use weather::{Weather, WeatherParams};
pub use window::{ChunkDoc, ChunkError, Direction, Feed, Gap, Keep, KeptWindow, Push, RestoreError, Sample, Window};
pub use wishes::{News, Skipped, Wishes};
