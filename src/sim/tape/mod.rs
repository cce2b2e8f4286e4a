//! The tape: recorded best bids, best asks and trades, played as if they happened now.
//!
//! Prices and quantities are integers in units of the pair's last decimal, so that nothing is rounded on the way.

mod compact;
mod history;
mod playback;

use std::path::Path;

pub use history::HistoryError;
pub(crate) use playback::Playback;

use crate::domain::{Side, Symbol};

/// Where the embedded recording begins to play: its first 38 seconds of BTC are flat.
const EMBEDDED_START_MS: u64 = 40_000;

/// Origin and licence are in the README beside it.
static EMBEDDED: &[u8] = include_bytes!("binance_spot_20250325.tape");

/// A pair on the tape and its scales.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    /// As Kraken v2 writes it.
    pub(crate) symbol: Symbol,
    /// Decimals of a price.
    pub(crate) price_decimals: u32,
    /// Decimals of a quantity.
    pub(crate) qty_decimals: u32,
}

/// Best bid and ask in integer units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quote {
    pub(crate) bid: i64,
    pub(crate) bid_qty: i64,
    pub(crate) ask: i64,
    pub(crate) ask_qty: i64,
}

/// A trade in integer units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trade {
    pub(crate) price: i64,
    pub(crate) qty: i64,
    /// The taker's side.
    pub(crate) side: Side,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    Quote(Quote),
    Trade(Trade),
}

/// One event of the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Milliseconds since the recording began.
    pub(crate) at_ms: u64,
    /// Index into [`Recording::pairs`].
    pub(crate) pair: usize,
    pub(crate) kind: EventKind,
}

/// A recording, in the order of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recording {
    pub(crate) pairs: Vec<Pair>,
    pub(crate) events: Vec<Event>,
    /// Where the first pass begins.
    pub(crate) start_ms: u64,
    /// Length of a pass; longer than the time of the last event.
    pub(crate) length_ms: u64,
}

/// The embedded recording cannot be read: the build is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the embedded recording is damaged at byte {at}: {what}")]
pub struct TapeError {
    /// Offset of the fault.
    at: usize,
    /// What is wrong there.
    what: &'static str,
}

impl Recording {
    /// The recording that is part of the program.
    pub(crate) fn embedded() -> Result<Self, TapeError> {
        let mut recording = compact::decode(EMBEDDED)?;
        recording.start_ms = EMBEDDED_START_MS.min(recording.length_ms.saturating_sub(1));
        Ok(recording)
    }

    /// A CSV of the user's own.
    pub(crate) fn from_csv(path: &Path) -> Result<Self, HistoryError> {
        history::read(path)
    }

    /// The index of a pair.
    pub(crate) fn pair(&self, symbol: &str) -> Option<usize> {
        self.pairs.iter().position(|pair| pair.symbol.as_str() == symbol)
    }
}
