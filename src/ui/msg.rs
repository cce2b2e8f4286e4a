//! Everything that can happen to the cockpit.

use crossterm::event::{KeyEvent, MouseEvent};

use crate::bus::BusLink;
use crate::domain::{
    Ack, Action, ArgosState, AthenaState, Book, HermesState, KillLatch, Market, ParamBook, Tick, TradeEvent,
};

/// One thing that happened. `update` folds it into the model.
#[derive(Clone, Debug)]
pub(crate) enum Msg {
    /// A key went down or repeats.
    Key(KeyEvent),
    /// The mouse did something.
    Mouse(MouseEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has a new size.
    Resize(u16, u16),
    /// A second has passed: ages move on, waits run out.
    Second,
    /// The outside asks to suspend (SIGTSTP).
    SuspendAsked,
    /// The process runs again after a stop (SIGCONT).
    Continued,
    /// The process was suspended for this long.
    Slept(std::time::Duration),
    /// Suspending is not possible, and why.
    SuspendRefused(String),
    /// The terminal is slow to take a frame, or is not any more.
    SlowTerminal(bool),
    /// What an attempt to kill came to.
    KillSent(Result<Delivered, String>),
    /// What an attempt to put a command on the bus came to.
    CommandSent {
        /// What was asked.
        action: Action,
        /// The command's id.
        outcome: Result<String, String>,
    },
    /// News of the desk.
    Feed(Box<Feed>),
}

/// How a kill got through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// Over the bus, as this latch.
    Bus(KillLatch),
    /// Past the bus: Hermes has taken it over his socket. What he makes of it shows when he can tell.
    Beside,
}

/// News of the desk, from the bus.
#[derive(Clone, Debug)]
pub(crate) enum Feed {
    /// Whether the bus can be reached and takes writes.
    Link(BusLink),
    /// Argos' snapshot.
    Argos(ArgosState),
    /// Athena's snapshot.
    Athena(AthenaState),
    /// Hermes' snapshot.
    Hermes(Box<HermesState>),
    /// What each parameter of a strategy means, or each limit, and its versions.
    Params(ParamBook),
    /// One entry of `trade.events`.
    Event(Event),
    /// Market data since the last batch.
    Market(MarketBatch),
    /// The latch that lies on the bus.
    Latch(KillLatch),
    /// A daemon answered a command.
    Ack(Ack),
    /// A message could not be read: which, and why.
    Unreadable {
        /// Where it lay.
        what: String,
        /// Why, naming the field.
        error: String,
    },
    /// Something the attachment wants said, such as a refusal of the bus.
    Trouble(String),
}

/// One entry of `trade.events` with its place in its writer's sequence.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// The daemon that wrote it.
    pub(crate) source: String,
    /// That daemon's run.
    pub(crate) boot: String,
    /// Its number within the run.
    pub(crate) seq: u64,
    /// When it was written.
    pub(crate) at: crate::domain::Timestamp,
    /// What happened.
    pub(crate) body: Box<TradeEvent>,
}

/// Market data, the latest of each instrument: what came in between was folded away, and counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct MarketBatch {
    /// The latest tick of each symbol.
    pub(crate) ticks: Vec<Tick>,
    /// The latest book of each token.
    pub(crate) books: Vec<Book>,
    /// The latest description of each market.
    pub(crate) markets: Vec<Market>,
    /// Messages received for this batch.
    pub(crate) received: u64,
    /// Messages known to be lost on the way: slow reading, gaps in the numbering, no room for another instrument.
    pub(crate) lost: u64,
    /// Messages that could not be read.
    pub(crate) unreadable: u64,
    /// Why the last of them could not, naming channel and field.
    pub(crate) error: Option<String>,
    /// Whether the subscription was interrupted, so that an unknown number is missing.
    pub(crate) resumed: bool,
}
