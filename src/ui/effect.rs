//! What `update` wants done in the world; it does nothing itself.

use crate::domain::Action;

/// Something to do outside the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Leave.
    Quit,
    /// Give the terminal back and stop until SIGCONT.
    Suspend,
    /// Draw every cell again.
    Redraw,
    /// Put the killed latch on the bus.
    Kill {
        /// Why, as the latch will say.
        why: String,
    },
    /// Put a command on the bus.
    Command(Action),
    /// Read the daemons' snapshots now.
    Resnapshot,
}
