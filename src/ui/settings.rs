use std::path::PathBuf;

use crate::domain::Mode;

/// The place of a desk that runs in the cockpit's own process.
pub const EMBEDDED: &str = "embedded";

/// How the cockpit looks and listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which world is configured; shown before the first snapshot arrives.
    pub mode: Mode,
    /// Where the desk is: [`EMBEDDED`], or the bus address without its password.
    pub desk: String,
    /// Who asks for what is asked here, for the record: `cockpit:alice`.
    pub actor: String,
    /// The log file, into which goes what libraries print on standard error while the cockpit has the terminal.
    pub log: PathBuf,
    /// Extra key bindings, merged over the built-in ones.
    pub keymap: Option<PathBuf>,
    /// Most frames a second, 10 to 60.
    pub max_fps: u32,
    /// Whether the mouse is captured.
    pub mouse: bool,
    /// Whether to use colour; off for `NO_COLOR`.
    pub colour: bool,
}
