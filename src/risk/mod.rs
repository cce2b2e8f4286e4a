//! The risk manager: the one gate between a wish and the venue.
//!
//! Invariant: only [`RiskGate::check`] can build an [`Approved`]; emitting a signal and signing an order both demand one.
//! The same gate runs in Athena, before a signal is emitted, and in Hermes, with fresher state, before bytes leave.

mod alerts;
mod approved;
pub mod checks;
mod consequence;
mod excess;
mod gate;
mod group;
mod holdings;
mod limits;
mod recent;
mod track;
mod uses;
mod worst;

pub use alerts::{Alerts, LEVELS};
pub use approved::{Approved, Denied};
pub use consequence::{Consequence, reducing};
pub(crate) use excess::{Resting, excess};
pub use gate::{RiskGate, RiskView};
pub use group::Group;
pub use holdings::{Commitment, Equity, Holdings, PositionStake, TokenHolding};
pub use limits::Limits;
pub use recent::Recent;
pub use track::{Day, Known, Total, Track};
pub use uses::{Measured, Refusals, seconds, uses};
pub use worst::{Wanted, worst_loss};
