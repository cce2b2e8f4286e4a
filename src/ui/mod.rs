//! The cockpit on the terminal: `Msg -> update(&mut Model) -> Effects`, and a pure `view`. A bus client like any other.

mod settings;

pub use settings::Settings;
