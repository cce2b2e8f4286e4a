//! The execution port: what Hermes asks of a venue. It takes nothing that the gate has not approved.
//!
//! Invariant: a [`SignedOrder`] is made from an [`Approved`] only, and [`ExecutionVenue::post`] takes nothing else.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use rust_decimal::Decimal;
use tokio::sync::mpsc;

use crate::domain::{
    CallClass, CallLimit, ClockSkew, FeeSchedule, FillStatus, Level, Market, MarketId, OrderId, OrderIntent, Price,
    RejectCode, Role, Side, Size, Timestamp, TokenId, TradeId, TransientCode, Usd,
};
use crate::risk::Approved;

/// An order with its identity and its exact bytes, ready to be posted. The bytes are a bearer instrument: never logged.
pub struct SignedOrder {
    intent: OrderIntent,
    order: OrderId,
    shares: Size,
    body: bytes::Bytes,
    digest: String,
}

impl SignedOrder {
    /// Binds identity and bytes to the approval that they were made for. `shares` is what the bytes ask for, `digest` their SHA-256 in
    /// hex.
    #[must_use]
    pub fn new(
        approved: &Approved<OrderIntent>,
        order: OrderId,
        shares: Size,
        body: bytes::Bytes,
        digest: String,
    ) -> Self {
        Self { intent: approved.inner().clone(), order, shares, body, digest }
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

    /// Shares that its bytes ask for: of a purchase that must match at once what its whole cents buy at the limit, which may be less
    /// than was approved.
    #[must_use]
    pub const fn shares(&self) -> Size {
        self.shares
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
    /// Refused for good; [`RejectCode::scope`] says whether the order, its market or the whole account.
    Rejected {
        /// Why.
        code: RejectCode,
        /// The venue's words.
        reason: String,
    },
    /// Not accepted, for now: the same bytes may be sent again.
    Transient {
        /// Why.
        code: TransientCode,
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
    /// Not sent: killed before the first byte.
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
    /// Price of our leg; of one that crosses, what it pays on average.
    pub price: Price,
    /// What a leg that crosses met, each at the price that it paid there; empty when the trade does not say.
    pub met: Vec<Level>,
    /// Resting or crossing.
    pub role: Role,
    /// Settlement.
    pub status: FillStatus,
    /// When it was matched.
    pub matched_at: Timestamp,
}

/// The account's trades as the venue lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TradeList {
    /// Our parts in all that can be read.
    pub fills: Vec<VenueFill>,
    /// What cannot be read: holes, each of which may hide a fill.
    pub unreadable: Vec<UnreadableRow<TradeId>>,
}

/// The account's open orders as the venue lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderList {
    /// All that can be read.
    pub orders: Vec<VenueOrder>,
    /// What cannot be read: each is an open order.
    pub unreadable: Vec<UnreadableRow<OrderId>>,
}

impl OrderList {
    /// How many orders are open.
    #[must_use]
    pub fn open(&self) -> u64 {
        (self.orders.len() + self.unreadable.len()) as u64
    }
}

/// A row of a list of the account that we cannot read.
#[derive(Clone, PartialEq, Eq)]
pub struct UnreadableRow<Id> {
    /// Which trade or order, as far as that can be read.
    pub id: Option<Id>,
    /// What is wrong with it.
    pub reason: String,
    /// The venue's text, in lower case. It may name the account's key: never shown.
    pub text: String,
}

impl<Id> UnreadableRow<Id> {
    /// Whether it may be about this order.
    #[must_use]
    pub fn names(&self, order: &OrderId) -> bool {
        self.text.contains(&order.as_str().to_ascii_lowercase())
    }
}

impl<Id: fmt::Debug> fmt::Debug for UnreadableRow<Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnreadableRow").field("id", &self.id).field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl VenueFill {
    /// What a taker pays: the fee is charged for each match, and its curve makes that less than the fee of the average.
    #[must_use]
    pub fn taker_fee(&self, fee: &FeeSchedule) -> Usd {
        if self.met.is_empty() {
            return fee.taker_fee(self.price, self.size);
        }
        self.met.iter().map(|met| fee.taker_fee(met.price, met.size)).sum()
    }
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
    /// Not sent: the budget of these calls is used up for longer than the call can wait.
    #[error("not sent: the budget of {class} is used up for another {wait:?}")]
    OverBudget {
        /// Which calls.
        class: CallClass,
        /// How long.
        wait: Duration,
    },
    /// The venue is not the one that this build and this configuration were made for: nothing may be sent to it.
    #[error("{what}: ours is {ours}, the venue's is {theirs}")]
    Mismatch {
        /// What differs.
        what: &'static str,
        /// What we have, and what to do about it.
        ours: String,
        /// What the venue says.
        theirs: String,
    },
    /// The account is refused: nothing of this kind can succeed until a person has done something about it.
    #[error("the account is refused ({code}): {reason}")]
    Barred {
        /// Why.
        code: RejectCode,
        /// The venue's words.
        reason: String,
    },
    /// The heartbeat was refused a second time at once, with the id that the venue itself had named: its timer runs on.
    #[error("the heartbeat chain is broken: {0}")]
    HeartbeatBroken(String),
}

impl VenueError {
    /// Whether asking again cannot help: a person must change something first.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        matches!(self, Self::Mismatch { .. } | Self::Barred { .. })
    }

    /// How long it is better not to ask again: the venue's own word, or until the budget suffices.
    #[must_use]
    pub const fn wait(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            Self::OverBudget { wait, .. } => Some(*wait),
            Self::Unreachable(_)
            | Self::Unreadable(_)
            | Self::Mismatch { .. }
            | Self::Barred { .. }
            | Self::HeartbeatBroken(_) => None,
        }
    }
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

/// What may be moved of an asset on the account's behalf, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The contract, checksummed.
    pub spender: String,
    /// How much, in pUSD or shares; nothing when it is more than there can ever be.
    pub amount: Option<Decimal>,
}

/// What the account has of an asset, exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetBalance {
    /// pUSD or shares.
    pub balance: Decimal,
    /// By spender.
    pub allowances: Vec<Allowance>,
}

/// The account's money and tokens at the venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balances {
    /// pUSD.
    pub collateral: AssetBalance,
    /// Shares, in the order in which they were asked for.
    pub tokens: Vec<(TokenId, AssetBalance)>,
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

    /// Fetches or creates API credentials and checks clock, version, contracts and account; to be called until it
    /// succeeds, and nothing can be signed before. Cancels and lists work as soon as there are credentials, even when a
    /// check fails: a desk that must not trade can still stop.
    ///
    /// # Errors
    /// [`VenueError::is_permanent`] tells what a person must put right from what passes by itself.
    async fn connect(&self) -> Result<(), VenueError>;

    /// Posts the bytes once. `may_send` is asked at the last moment before the first byte leaves.
    async fn post(&self, order: &SignedOrder, may_send: &(dyn Fn() -> Result<(), String> + Send + Sync)) -> PostAnswer;

    /// Cancels these.
    async fn cancel(&self, orders: &[OrderId]) -> Result<CancelAnswer, VenueError>;

    /// Cancels everything that the account has resting.
    async fn cancel_all(&self) -> Result<CancelAnswer, VenueError>;

    /// Every open order, all pages; a page that cannot be read fails the whole. An order that cannot be read is named in the list, and
    /// spoils nothing else of it.
    async fn open_orders(&self) -> Result<OrderList, VenueError>;

    /// One order in whatever state; nothing when the venue does not know it.
    async fn order(&self, order: &OrderId) -> Result<Option<VenueOrder>, VenueError>;

    /// Our fills, all pages, matched at or after `since`; every token and market. A trade that cannot be read is named in the list,
    /// and spoils nothing else of it.
    async fn fills(&self, since: Timestamp) -> Result<TradeList, VenueError>;

    /// Our parts in one trade, however old; none when the venue does not know it.
    async fn trade(&self, trade: &TradeId) -> Result<Vec<VenueFill>, VenueError>;

    /// pUSD and the shares of `tokens`, with allowances, as the venue's cache has them.
    async fn balances(&self, tokens: &[TokenId]) -> Result<Balances, VenueError>;

    /// Makes the venue read pUSD and `tokens` from the chain again: its cache lags, and a sell right after a buy is
    /// refused until it has caught up.
    async fn refresh_balances(&self, tokens: &[TokenId]) -> Result<(), VenueError>;

    /// Free pUSD as the venue sees it.
    async fn collateral(&self) -> Result<Usd, VenueError> {
        self.balances(&[]).await.map(|balances| Usd(balances.collateral.balance))
    }

    /// Sends one heartbeat; the id chain is kept inside and repaired at once when the venue names another id.
    ///
    /// # Errors
    /// [`VenueError::HeartbeatBroken`] when the repair was refused too; every failure leaves the venue's timer running.
    async fn heartbeat(&self) -> Result<(), VenueError>;

    /// The last measurement of the venue's clock; nothing before the first. It is renewed by [`Self::connect`], and every
    /// minute while somebody reads [`Self::user_events`].
    fn skew(&self) -> Option<ClockSkew>;

    /// The budgets of calls, by class.
    fn limits(&self) -> Vec<CallLimit>;

    /// Opens the account's event socket; reconnects by itself. The channel is bounded: a reader that stalls makes the
    /// socket reconnect, never lose events silently.
    fn user_events(&self) -> mpsc::Receiver<UserEvent>;
}
