//! Argos: watches the world, validates what it sees and puts it on the bus.

mod settings;

pub use settings::Settings;
