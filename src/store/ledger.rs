//! The ledger port: what must be durable, in batches that are durable together, and what is read back at start.
//!
//! Invariant: when [`Ledger::commit`] returns `Ok`, every write of the batch survives power loss; when it returns an error,
//! either none or all of them are there, and committing the same batch again is harmless.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::domain::{
    AckVerdict, Alert, Checkpoint, Command, Counted, DeadLetter, DeadLetterState, Fill, IntentId, Journal, KillLatch,
    Market, MarketId, MismatchEvent, Order, OrderCounts, OrderId, OrderState, ParamBook, Price, RejectCode, Size,
    StrategyHalt, Timestamp, TokenId, Usd,
};

/// An intent as it was taken from the stream. It is committed together with what became of it: an order or a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxRow {
    /// Which intent.
    pub intent: IntentId,
    /// Which try of it.
    pub attempt: u32,
    /// The stream entry.
    pub entry: String,
    /// The run of Hermes that took it.
    pub boot: String,
    /// The entry's payload, whole.
    pub payload: String,
    /// When.
    pub at: Timestamp,
}

/// An order and what the ledger keeps beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRow {
    /// The order.
    pub order: Order,
    /// SHA-256 of the POST body in hex.
    pub digest: Option<String>,
    /// The venue has, or had, it.
    pub accepted: bool,
    /// It was not ours by intent: placed by hand or by another program, and taken into the books.
    pub adopted: bool,
    /// How often its bytes left, as far as the answers were written down; at least once when a crash lost the answer.
    #[serde(default)]
    pub posts: u32,
    /// What first kept it from the venue, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_error: Option<String>,
    /// Shares that its bytes ask for, when these are not those that were approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares: Option<Size>,
    /// The fencing token under which it was last written: stamped by the ledger, whatever is given. 0 before any lease.
    #[serde(skip)]
    pub token: u64,
}

/// The venue refused an order of the account in a way that only a person can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Barred {
    /// Why.
    pub code: RejectCode,
    /// The arm epoch that it was refused in; any later one lifts it.
    pub epoch: u64,
    /// When.
    pub at: Timestamp,
}

impl OrderRow {
    /// Shares that the order asks for at the venue.
    #[must_use]
    pub fn shares(&self) -> Size {
        self.shares.unwrap_or(self.order.intent.size)
    }

    /// What this order adds to the counters. An adopted one counts only while it is open.
    #[must_use]
    pub fn counts(&self) -> OrderCounts {
        let one = u64::from;
        let (state, ours) = (self.order.state, !self.adopted);
        let sent = self.order.times.sent_at.is_some();
        let ended_there = state == OrderState::Cancelled || (state == OrderState::Expired && sent);
        OrderCounts {
            sent: one(ours && sent),
            accepted: one(ours && self.accepted),
            open: one(state.is_open() && state != OrderState::Unknown),
            filled: one(ours && state == OrderState::Filled),
            cancelled: one(ours && ended_there),
            rejected: one(ours && state == OrderState::Rejected),
            unknown: one(state == OrderState::Unknown),
            denied: one(ours && state == OrderState::Denied),
        }
    }
}

/// A list of the account at the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VenueList {
    /// Open orders.
    Orders,
    /// Trades.
    Trades,
}

/// A row of such a list that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hole {
    /// Of which list.
    pub list: VenueList,
    /// Which order or trade, as far as that could be read.
    pub id: Option<String>,
    /// What is wrong with it.
    pub reason: String,
    /// When it was seen first.
    pub at: Timestamp,
}

/// One thing to be made durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// An intent is ours. The whole batch fails with [`LedgerError::Duplicate`] when it was taken before.
    Inbox(InboxRow),
    /// An order's new state, with the event that brought it.
    Order {
        /// The whole row.
        row: Box<OrderRow>,
        /// What happened, as a code: `signed`, `answered`, `seen` ...
        what: &'static str,
        /// When.
        at: Timestamp,
    },
    /// A fill's new state.
    Fill {
        /// The fill.
        fill: Box<Fill>,
        /// When it was learned.
        at: Timestamp,
    },
    /// A double entry, appended once: the same id again changes nothing. The whole batch fails with [`LedgerError::Refused`]
    /// when it is out of balance, or when its id was booked before with another content.
    Journal(Box<Journal>),
    /// A market that is traded.
    Market(Box<Market>),
    /// A change of the latch.
    Latch(KillLatch),
    /// The day's reference.
    Day {
        /// Days since the epoch, UTC.
        day: i64,
        /// Total `PnL` when it began.
        start: Usd,
        /// The highest total since.
        peak: Usd,
    },
    /// The highest equity of a span of the rolling window.
    Equity {
        /// When the span began.
        start: Timestamp,
        /// Total `PnL` at its highest.
        high: Usd,
    },
    /// A strategy may not trade until a person arms.
    Halt {
        /// Which, and why.
        halt: StrategyHalt,
        /// The arm epoch that it is halted in; any later one lifts it.
        epoch: u64,
        /// When.
        at: Timestamp,
    },
    /// The venue refuses the account's orders until a person arms.
    Barred(Barred),
    /// All rows of the venue's lists that cannot be read, in the place of those that were written before.
    Holes {
        /// The rows.
        holes: Vec<Hole>,
        /// When.
        at: Timestamp,
    },
    /// What a token that is held was last valued at.
    Mark {
        /// Which token.
        token: TokenId,
        /// At what.
        price: Price,
        /// When that was seen.
        at: Timestamp,
    },
    /// The fold of what can no longer change, so that a start need not read it.
    Checkpoint {
        /// The fold.
        checkpoint: Box<Checkpoint>,
        /// When.
        at: Timestamp,
    },
    /// A dead letter, not on the bus yet. The same id again changes nothing.
    DeadLetter(Box<DeadLetter>),
    /// That dead letter is on the bus.
    DeadLetterPublished {
        /// The letter's id.
        id: String,
    },
    /// Something was done about a dead letter; what it was before stays in its history. A letter that is not there is
    /// [`LedgerError::Refused`].
    DeadLetterState {
        /// The letter's id.
        id: String,
        /// Where it stands now.
        state: DeadLetterState,
    },
    /// A control action and what came of it, for the record: who, what, why, when, in which epoch, with what outcome.
    Command {
        /// What was asked. The actor of what the desk did by itself is the desk: `hermes`.
        command: Box<Command>,
        /// What was answered.
        verdict: AckVerdict,
        /// The arm epoch in force afterwards.
        epoch: u64,
        /// When it was answered.
        at: Timestamp,
    },
    /// A disagreement with the venue.
    Mismatch(MismatchEvent),
    /// A limit is used to one of the levels that are told.
    Alert(Alert),
    /// A book of parameters as it is now, its history included.
    Params(Box<ParamBook>),
    /// A fact about the ledger itself.
    Meta {
        /// Its name.
        key: &'static str,
        /// Its value.
        value: String,
    },
}

/// How many dead letters are read back at start.
pub const LETTERS_LOADED: u32 = 1_000;

/// How many of the newest fills are read back at start, whatever the checkpoint accounts for.
pub const FILLS_LOADED: u32 = 200;

/// From how long before the end of a checkpoint corrections are read back: those of a day count together.
pub const CORRECTIONS_LOADED: Duration = Duration::from_hours(24);

/// What the ledger knows of an order, however long ago it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Its row; nothing when it is in none.
    pub row: Option<OrderRow>,
    /// Its fills.
    pub fills: Vec<Fill>,
}

/// Everything that was ever booked of one token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Its market.
    pub market: Option<Market>,
    /// Its fills.
    pub fills: Vec<Fill>,
    /// Its journals that no fill accounts for.
    pub corrections: Vec<Journal>,
}

impl History {
    /// What it says of a fill.
    #[must_use]
    pub fn fill(&self, seen: &Fill) -> Option<&Fill> {
        self.fills.iter().find(|known| known.trade == seen.trade && known.order == seen.order)
    }
}

/// What is read back at start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Orders that have not ended or of which a trade is not settled, and the newest ended ones, oldest first.
    pub orders: Vec<OrderRow>,
    /// Counters over all orders, those not loaded included. Counted on from the newest checkpoint's.
    pub counted: Counted,
    /// Entry and payload of the orders that have not ended.
    pub entries: Vec<InboxRow>,
    /// The newest checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// The fills that it does not account for, those of `orders`, and the newest [`FILLS_LOADED`], by when they were matched. Some that
    /// it does account for may be among them. Every fill when there is none.
    pub fills: Vec<Fill>,
    /// Markets: of what the checkpoint has a token of, of `fills`, `corrections` and the orders that have not ended. Every market that was
    /// traded when there is no checkpoint.
    pub markets: Vec<Market>,
    /// The last mark of each token that was held, chosen likewise.
    pub marks: Vec<(TokenId, Price, Timestamp)>,
    /// The newest latch.
    pub latch: Option<KillLatch>,
    /// The newest day: day, start, peak.
    pub day: Option<(i64, Usd, Usd)>,
    /// The highest equity of each span that is still kept, by its start, oldest first.
    pub highs: Vec<(Timestamp, Usd)>,
    /// The newest halt of each strategy, with its epoch.
    pub halts: Vec<(StrategyHalt, u64)>,
    /// The newest of each code that the venue refused the account's orders for.
    pub barred: Vec<Barred>,
    /// Rows of the venue's lists that could not be read.
    pub holes: Vec<Hole>,
    /// Journals that no fill accounts for, what the account began with included; oldest first. Those of fills follow from the
    /// fills. Those that the checkpoint accounts for are missing, but for those of its last [`CORRECTIONS_LOADED`].
    pub corrections: Vec<Journal>,
    /// How many dead letters wait for somebody to do something about them.
    pub dead_letters: u64,
    /// The newest [`LETTERS_LOADED`] dead letters in whatever state, newest first.
    pub letters: Vec<DeadLetter>,
    /// Those that did not reach the bus, oldest first.
    pub unpublished: Vec<DeadLetter>,
    /// The mode that it was made in.
    pub mode: Option<String>,
    /// The book of the limits.
    pub limits: Option<ParamBook>,
    /// The books of strategies' parameters.
    pub params: Vec<ParamBook>,
}

/// What can go wrong with the ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// It cannot be reached or did not answer in time; whether it committed is not known. May work later.
    #[error("ledger unavailable: {0}")]
    Unavailable(String),
    /// Another wrote at the same moment: nothing was committed, and the same works at once.
    #[error("ledger written by another at the same time: {0}")]
    Busy(String),
    /// The intent was taken before. Permanent.
    #[error("intent {intent} attempt {attempt} was taken before")]
    Duplicate {
        /// Which intent.
        intent: IntentId,
        /// Which try.
        attempt: u32,
    },
    /// Another has had the lease since: nothing of the batch was committed. Permanent for this turn.
    #[error("the ledger is written under lease {newest}, ours is {ours}: nothing was committed")]
    Fenced {
        /// The token of our last turn; 0 when we never had one.
        ours: u64,
        /// The newest.
        newest: u64,
    },
    /// This can never be stored as it is: nothing of the batch was, other batches are not concerned. Permanent.
    #[error("ledger refuses {what}: {reason}")]
    Refused {
        /// What was to be stored.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What is stored cannot be read, or the database is not ours to write. Permanent.
    #[error("ledger {what}: {reason}")]
    Corrupt {
        /// Which row.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl LedgerError {
    /// Whether the same may work later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Busy(_))
    }
}

/// What asking for the lease of an account brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lease {
    /// We have it, for the time asked for.
    Ours {
        /// The fencing token: grows with every turn, whoever has it.
        token: u64,
    },
    /// Another has it.
    Theirs {
        /// Its name.
        holder: String,
        /// For how long at the most, unless it is renewed.
        expires_in: Duration,
    },
}

/// The port.
///
/// Fencing: a ledger value has the token of its last turn, 0 before the first. A commit compares it, in its own transaction,
/// with the newest token there is, and fails as a whole with [`LedgerError::Fenced`] when they differ.
#[async_trait]
pub trait Ledger: Send + Sync + fmt::Debug {
    /// Makes a batch durable, all of it or nothing. Bounded in time.
    async fn commit(&self, writes: &[Write]) -> Result<(), LedgerError>;

    /// Reads back what is needed at start: the newest checkpoint and what came after it; of the orders that have ended only the
    /// newest `ended`.
    async fn load(&self, ended: u32) -> Result<Memory, LedgerError>;

    /// The order of this id, however long ago it ended, and its fills.
    async fn order(&self, order: &OrderId) -> Result<Known, LedgerError>;

    /// The dead letter of this id as it stands now, however old it is.
    async fn letter(&self, id: &str) -> Result<Option<DeadLetter>, LedgerError>;

    /// Everything about a token of a market.
    async fn history(&self, market: &MarketId, token: &TokenId) -> Result<History, LedgerError>;

    /// Counters over all orders, counted on from those of the newest checkpoint: the first of them are counted in full.
    async fn count_orders(&self) -> Result<Counted, LedgerError>;

    /// Takes or renews the lease of the account for `ttl`, by the database's own clock. A turn that is renewed keeps its token,
    /// also after it ran out, as long as nobody else had one; every other turn raises it. Whoever gets a new token must load
    /// before he commits: another may have written meanwhile.
    async fn lease(&self, holder: &str, ttl: Duration) -> Result<Lease, LedgerError>;

    /// Gives the lease up so that a standby need not wait for its expiry; without one it does nothing.
    async fn release_lease(&self) -> Result<(), LedgerError>;

    /// Flushes and closes; the ledger is of no use afterwards.
    async fn close(&self);
}
