//! Hermes: signs and posts approved intents, follows every order to its end, reconciles and keeps the books.

#[cfg(test)]
mod bench;
mod desk;
mod hermes;
pub mod kill;
pub mod lifecycle;
pub mod portfolio;
mod settings;
pub mod socket;
pub mod venue;

pub use hermes::{HermesError, Parts, STOPS_WITHIN, run};
pub use settings::Settings;
