//! Hermes: signs and posts approved intents, follows every order to its end, reconciles and keeps the books.

mod settings;
pub mod venue;

pub use settings::Settings;
