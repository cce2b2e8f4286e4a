use std::path::PathBuf;
use std::time::Duration;

use crate::domain::Mode;

/// How Hermes works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which world it trades in.
    pub mode: Mode,
    /// Where the latch file and the socket lie.
    pub state_dir: PathBuf,
    /// How often the venue's order and trade lists are compared with the books.
    pub reconcile_every: Duration,
    /// How often a heartbeat is sent; the venue sweeps after 10 s of silence.
    pub heartbeat_every: Duration,
    /// How old another consumer's unacknowledged entry must be before it is taken over.
    pub claim_after: Duration,
    /// How long an intent stays on `trade.signals` after it was delivered and acknowledged.
    pub signals_kept: Duration,
    /// How long a dead letter stays on `trade.dlq`; the ledger keeps it for ever.
    pub dead_letters_kept: Duration,
}
