//! The execution port: what Hermes asks of a venue. It takes nothing that the gate has not approved.
//!
//! Invariant: a [`SignedOrder`] is made from an [`Approved`] only, and [`ExecutionVenue::post`] takes nothing else.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use rust_decimal::Decimal;
use tokio::sync::mpsc;

use crate::domain::{
    FillStatus, Market, MarketId, OrderId, OrderIntent, Price, Role, Side, Size, Timestamp, TokenId, TradeId, Usd,
};
use crate::risk::Approved;

/// An order with its identity and its exact bytes, ready to be posted. The bytes are a bearer instrument: never logged.
pub struct SignedOrder {
    intent: OrderIntent,
    order: OrderId,
    body: bytes::Bytes,
    digest: String,
}

impl SignedOrder {
    /// Binds identity and bytes to the approval that they were made for. `digest` is the SHA-256 of `body` in hex.
    #[must_use]
    pub fn new(approved: &Approved<OrderIntent>, order: OrderId, body: bytes::Bytes, digest: String) -> Self {
        Self { intent: approved.inner().clone(), order, body, digest }
    }

    /// What was approved.
    #[must_use]
    pub const fn intent(&self) -> &OrderIntent {
        &self.intent
    }

    /// The venue's id of it, known before it is sent.
    #[must_use]
    pub const fn order(&self) -> &OrderId {
        &self.order
    }

    /// The POST body.
    #[must_use]
    pub const fn body(&self) -> &bytes::Bytes {
        &self.body
    }

    /// SHA-256 of the body in hex: what the ledger keeps of it.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

impl fmt::Debug for SignedOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedOrder").field("order", &self.order).field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// What the venue's answer to a POST means; the table is `reference C2` of the design, in `venues/polymarket/answer.rs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostAnswer {
    /// Accepted under our id: resting, matched or held.
    Accepted {
        /// The venue's word: `live`, `matched`, `delayed`, `unmatched`.
        status: String,
        /// Trades it names.
        trades: Vec<TradeId>,
    },
    /// Accepted under an id that is not ours: we do not understand the venue. Kill.
    ForeignId {
        /// The id it gave.
        got: OrderId,
    },
    /// Already there: look it up, never send again.
    Duplicate,
    /// Refused for good.
    Rejected {
        /// The venue's words.
        reason: String,
    },
    /// Not accepted, for now: the same bytes may be sent again.
    Transient {
        /// The venue's words.
        reason: String,
        /// How long it asks us to wait.
        retry_after: Option<Duration>,
    },
    /// Nobody knows. Only evidence may settle it.
    Unknown {
        /// What happened instead of an answer.
        reason: String,
    },
    /// Not sent: the gate was closed before the first byte.
    NotSent {
        /// Why.
        reason: String,
    },
}

/// How the venue lists an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VenueOrderStatus {
    /// Resting.
    Live,
    /// Held before matching.
    Delayed,
    /// Nothing left of it.
    Matched,
    /// Ended without (more) matches.
    Cancelled,
    /// A word that we do not know; treated as still open.
    Other,
}

/// An order as the venue sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VenueOrder {
    /// Id.
    pub order: OrderId,
    /// Status.
    pub status: VenueOrderStatus,
    /// The status in the venue's words.
    pub status_text: String,
    /// Market.
    pub market: MarketId,
    /// Token.
    pub token: TokenId,
    /// Outcome.
    pub outcome: String,
    /// Side.
    pub side: Side,
    /// Limit price.
    pub price: Price,
    /// Shares asked for.
    pub size: Size,
    /// Shares matched; absent when the frame does not say.
    pub matched: Option<Size>,
}

/// Our part in a trade of the venue: one for each of our orders in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VenueFill {
    /// The trade.
    pub trade: TradeId,
    /// Our order in it.
    pub order: OrderId,
    /// Market.
    pub market: MarketId,
    /// Token of our leg.
    pub token: TokenId,
    /// Outcome of our leg.
    pub outcome: String,
    /// Our side.
    pub side: Side,
    /// Shares of our leg.
    pub size: Size,
    /// Price of our leg.
    pub price: Price,
    /// Resting or crossing.
    pub role: Role,
    /// Settlement.
    pub status: FillStatus,
    /// When it was matched.
    pub matched_at: Timestamp,
}

/// What a cancel brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CancelAnswer {
    /// Ids that the venue says it cancelled.
    pub cancelled: Vec<OrderId>,
    /// Ids that it did not, and its reasons; none of them says *filled*: read the order.
    pub not_cancelled: Vec<(OrderId, String)>,
}

/// What the account's event socket tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserEvent {
    /// Connected and subscribed: everything before may have been missed, so reconcile now.
    Connected,
    /// Not connected.
    Disconnected {
        /// Why.
        reason: String,
    },
    /// An order of ours changed.
    Order(VenueOrder),
    /// A trade of ours appeared or settled.
    Fill(VenueFill),
}

/// Why a call other than a POST of an order failed. None of them says that nothing happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VenueError {
    /// No answer: unreachable, reset or too slow.
    #[error("venue unreachable: {0}")]
    Unreachable(String),
    /// Refused: credentials, rate limit, maintenance.
    #[error("venue refused with {status}: {reason}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Its words.
        reason: String,
        /// How long it asks us to wait.
        retry_after: Option<Duration>,
    },
    /// An answer that we cannot read.
    #[error("venue answer unreadable: {0}")]
    Unreadable(String),
}

/// Why an intent could not be signed: permanent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The price is off the market's grid.
    #[error("price {price} is not on the grid of {tick}")]
    OffTick {
        /// The price.
        price: Price,
        /// The grid.
        tick: Price,
    },
    /// The size is below the minimum or has too many decimals.
    #[error("size {size}: {reason}")]
    Size {
        /// The size.
        size: Size,
        /// What is wrong.
        reason: String,
    },
    /// The token id or an address is not what it should be.
    #[error("{field} '{value}' is not {expected}")]
    Field {
        /// Which field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The signer failed.
    #[error("signer: {0}")]
    Signer(String),
}

/// The account's money at the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// pUSD, or shares for a token.
    pub balance: Decimal,
}

/// The port. Every call carries its own timeout; none retries by itself.
#[async_trait]
pub trait ExecutionVenue: Send + Sync + fmt::Debug {
    /// Derives salt and timestamp from the intent, hashes and signs. The same intent gives the same bytes, always.
    ///
    /// # Errors
    /// [`SignError`]: the intent can never be sent as it is.
    fn sign(&self, approved: &Approved<OrderIntent>, market: &Market) -> Result<SignedOrder, SignError>;

    /// The order id that [`Self::sign`] would give, without an approval and without bytes: for looking up after a crash.
    ///
    /// # Errors
    /// [`SignError`] as for signing.
    fn identify(&self, intent: &OrderIntent, market: &Market) -> Result<OrderId, SignError>;

    /// Fetches or creates API credentials and checks version and clock; to be called until it succeeds.
    async fn connect(&self) -> Result<(), VenueError>;

    /// Posts the bytes once. `may_send` is asked at the last moment before the first byte leaves.
    async fn post(&self, order: &SignedOrder, may_send: &(dyn Fn() -> Result<(), String> + Send + Sync)) -> PostAnswer;

    /// Cancels these.
    async fn cancel(&self, orders: &[OrderId]) -> Result<CancelAnswer, VenueError>;

    /// Cancels everything that the account has resting.
    async fn cancel_all(&self) -> Result<CancelAnswer, VenueError>;

    /// Every open order, all pages; a page that cannot be read fails the whole.
    async fn open_orders(&self) -> Result<Vec<VenueOrder>, VenueError>;

    /// One order in whatever state; nothing when the venue does not know it.
    async fn order(&self, order: &OrderId) -> Result<Option<VenueOrder>, VenueError>;

    /// Our fills, all pages, matched at or after `since`; every token and market.
    async fn fills(&self, since: Timestamp) -> Result<Vec<VenueFill>, VenueError>;

    /// Free pUSD as the venue sees it.
    async fn collateral(&self) -> Result<Usd, VenueError>;

    /// Sends one heartbeat; the id chain is kept inside and repaired at once when the venue names another id.
    async fn heartbeat(&self) -> Result<(), VenueError>;

    /// Opens the account's event socket; reconnects by itself. The channel is bounded: a reader that stalls makes the
    /// socket reconnect, never lose events silently.
    fn user_events(&self) -> mpsc::Receiver<UserEvent>;
}
