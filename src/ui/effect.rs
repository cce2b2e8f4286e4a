//! What `update` wants done in the world; it does nothing itself.

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
    /// Ask the desk to arm.
    Arm {
        /// Why, as the command will say.
        why: String,
    },
    /// Read the daemons' snapshots now.
    Resnapshot,
}
