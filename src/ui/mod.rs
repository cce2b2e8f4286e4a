//! The cockpit on the terminal: `Msg -> update(&mut Model) -> Effects`, and a pure `view`. A bus client like any other.
//!
//! One task owns the model. `attach` turns the bus into messages, `app` is the loop, `orders` carries out what is asked of
//! the desk, `terminal` takes and gives back the screen. Nothing here can place an order; it can stop the desk.

mod app;
mod attach;
mod effect;
mod format;
mod frame;
mod keymap;
mod layout;
mod model;
mod msg;
mod orders;
mod settings;
mod signals;
mod terminal;
#[cfg(test)]
mod testing;
mod theme;
mod update;
mod view;
mod widgets;

pub use app::{Cockpit, UiError};
pub use keymap::KeymapError;
pub use orders::KillPath;
pub use settings::{EMBEDDED, Settings};
