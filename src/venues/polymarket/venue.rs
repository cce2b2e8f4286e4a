//! Polymarket behind the execution port.

use std::fmt;
use std::sync::Arc;

use alloy_primitives::{Address, B256, U256};
use async_trait::async_trait;
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use url::Url;

use super::answer;
use super::http::{Http, TransportError};
use super::rest::Rest;
use super::signing::{
    self, AmountError, Amounts, Contracts, Exchange, LocalKey, MARKET_TAKER_DECIMALS, Order, OrderTerms, SignatureType,
    TickGrid, derive_salt, derive_wallets,
};
use super::user_ws::{Timing, UserStream};
use crate::domain::{Market, OrderId, OrderIntent, Protocol, Side, TimeInForce, Timestamp, Usd};
use crate::exec::venue::{
    CancelAnswer, ExecutionVenue, PostAnswer, SignError, SignedOrder, UserEvent, VenueError, VenueFill, VenueOrder,
};
use crate::risk::Approved;

/// The venue ends a GTD order this long before its stated expiry.
const GTD_EARLY_SECS: i64 = 60;
/// And refuses one whose expiry is nearer than this.
const GTD_LEAST_SECS: i64 = 180;

/// Where the venue is and whose money is traded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// REST host: `https://clob.polymarket.com`.
    pub clob: String,
    /// WebSocket host, without `/ws/user`: `wss://ws-subscriptions-clob.polymarket.com`.
    pub clob_ws: String,
    /// 137 (Polygon) or 80002 (Amoy).
    pub chain_id: u64,
    /// Which kind of wallet holds the money.
    pub signature_type: SignatureType,
    /// The wallet, when it is not the one that new accounts of this kind get; it must be derived from the key.
    pub wallet: Option<String>,
}

/// Why there can be no venue with these settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// An address of a host that is none.
    #[error("{field} '{value}' is not a URL that begins with {expected}")]
    Url {
        /// Which setting.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it should begin with.
        expected: &'static str,
    },
    /// A chain without Polymarket.
    #[error("chain_id {0} is not 137 (Polygon) or 80002 (Amoy)")]
    Chain(u64),
    /// A wallet that the key has no power over.
    #[error("wallet '{wallet}' is not the {kind} of the key with address {owner}; expected {expected}")]
    Wallet {
        /// What was given.
        wallet: String,
        /// Which kind it ought to be.
        kind: SignatureType,
        /// The key's address.
        owner: Address,
        /// What would be right.
        expected: Address,
    },
    /// The HTTP client could not be made.
    #[error("HTTP client: {0}")]
    Http(String),
}

/// Polymarket's CLOB for one account.
pub struct PolymarketVenue {
    rest: Rest,
    contracts: &'static Contracts,
    signature_type: SignatureType,
    user_url: String,
}

impl fmt::Debug for PolymarketVenue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolymarketVenue")
            .field("maker", &self.rest.maker())
            .field("user_url", &self.user_url)
            .finish_non_exhaustive()
    }
}

impl PolymarketVenue {
    /// A client of the venue for `key`; nothing is sent yet.
    ///
    /// # Errors
    /// [`SetupError`]: which setting is wrong.
    pub fn new(settings: &Settings, key: LocalKey) -> Result<Arc<Self>, SetupError> {
        Self::with(settings, key).map(Arc::new)
    }

    fn with(settings: &Settings, key: LocalKey) -> Result<Self, SetupError> {
        let contracts = Contracts::of(settings.chain_id).ok_or(SetupError::Chain(settings.chain_id))?;
        let base = host("clob", &settings.clob, &["http", "https"], "http:// or https://")?;
        let socket = host("clob_ws", &settings.clob_ws, &["ws", "wss"], "ws:// or wss://")?;
        let maker = maker(settings, key.address())?;
        let http = Http::new(base).map_err(|error| SetupError::Http(error.to_string()))?;
        Ok(Self {
            rest: Rest::new(http, key, settings.chain_id, maker, settings.signature_type),
            contracts,
            signature_type: settings.signature_type,
            user_url: format!("{}/ws/user", socket.as_str().trim_end_matches('/')),
        })
    }

    /// The wallet that the orders are made for.
    #[must_use]
    pub const fn maker(&self) -> Address {
        self.rest.maker()
    }

    /// The order that an intent is, wholly derived from it.
    fn order_of(&self, intent: &OrderIntent, market: &Market) -> Result<(Order, Exchange), SignError> {
        let token = token_of(intent, market)?;
        check_size(intent, market)?;
        if intent.post_only && matches!(intent.tif, TimeInForce::Fok | TimeInForce::Fak) {
            return Err(field("post_only", "true", "false for an order that never rests"));
        }
        let amounts = amounts_of(intent, market)?;
        let millis = u64::try_from(intent.created_at.millis())
            .map_err(|_| field("created_at", &intent.created_at.to_string(), "a time after 1970"))?;
        let signer = match self.signature_type {
            SignatureType::DepositWallet => self.maker(),
            SignatureType::Eoa | SignatureType::Proxy | SignatureType::Safe => self.rest.key().address(),
        };
        let salt = derive_salt(self.maker(), &intent.strategy, &intent.intent, intent.attempt);
        let order = Order {
            salt: U256::from(salt),
            maker: self.maker(),
            signer,
            tokenId: token,
            makerAmount: U256::from(amounts.maker),
            takerAmount: U256::from(amounts.taker),
            side: u8::from(intent.side == Side::Sell),
            signatureType: self.signature_type.code(),
            timestamp: U256::from(millis),
            metadata: B256::ZERO,
            builder: B256::ZERO,
        };
        Ok((order, self.contracts.exchange(market.protocol, market.neg_risk)))
    }
}

#[async_trait]
impl ExecutionVenue for PolymarketVenue {
    fn sign(&self, approved: &Approved<OrderIntent>, market: &Market) -> Result<SignedOrder, SignError> {
        let intent = approved.inner();
        let session =
            self.rest.session().ok_or_else(|| SignError::Signer("no API credentials yet: connect first".to_owned()))?;
        let (order, exchange) = self.order_of(intent, market)?;
        let signature = signing::sign_order(&order, &exchange, self.rest.key())?;
        let terms = OrderTerms {
            owner: session.credentials().key(),
            tif: intent.tif,
            expiration: expiration(intent),
            post_only: intent.post_only,
            defer_exec: false,
        };
        let body = signing::post_body(&order, &signature, &terms)
            .map_err(|error| SignError::Signer(format!("order body: {error}")))?;
        let digest = hex::encode(Sha256::digest(&body));
        Ok(SignedOrder::new(approved, hash_id(&order, &exchange), body.into(), digest))
    }

    fn identify(&self, intent: &OrderIntent, market: &Market) -> Result<OrderId, SignError> {
        let (order, exchange) = self.order_of(intent, market)?;
        Ok(hash_id(&order, &exchange))
    }

    async fn connect(&self) -> Result<(), VenueError> {
        self.rest.connect().await
    }

    async fn post(&self, order: &SignedOrder, may_send: &(dyn Fn() -> Result<(), String> + Send + Sync)) -> PostAnswer {
        let request = match self.rest.prepare_order(order.body().clone()) {
            Ok(request) => request,
            Err(TransportError::NotSent(reason) | TransportError::Lost(reason)) => {
                return PostAnswer::NotSent { reason };
            }
        };
        if let Err(reason) = may_send() {
            return PostAnswer::NotSent { reason };
        }
        answer::classify(order.order(), &self.rest.send(request).await)
    }

    async fn cancel(&self, orders: &[OrderId]) -> Result<CancelAnswer, VenueError> {
        self.rest.cancel(orders).await
    }

    async fn cancel_all(&self) -> Result<CancelAnswer, VenueError> {
        self.rest.cancel_all().await
    }

    async fn open_orders(&self) -> Result<Vec<VenueOrder>, VenueError> {
        self.rest.open_orders().await
    }

    async fn order(&self, order: &OrderId) -> Result<Option<VenueOrder>, VenueError> {
        self.rest.order(order).await
    }

    async fn fills(&self, since: Timestamp) -> Result<Vec<VenueFill>, VenueError> {
        self.rest.fills(since).await
    }

    async fn collateral(&self) -> Result<Usd, VenueError> {
        self.rest.collateral().await
    }

    async fn heartbeat(&self) -> Result<(), VenueError> {
        self.rest.heartbeat().await
    }

    fn user_events(&self) -> mpsc::Receiver<UserEvent> {
        let stream = UserStream {
            url: self.user_url.clone(),
            session: self.rest.subscribe(),
            maker: self.maker(),
            timing: Timing::default(),
        };
        stream.spawn()
    }
}

fn host(field: &'static str, value: &str, schemes: &[&str], expected: &'static str) -> Result<Url, SetupError> {
    Url::parse(value)
        .ok()
        .filter(|url| schemes.contains(&url.scheme()) && url.has_host())
        .ok_or_else(|| SetupError::Url { field, value: value.to_owned(), expected })
}

fn maker(settings: &Settings, owner: Address) -> Result<Address, SetupError> {
    let wallets = derive_wallets(owner);
    let allowed = match settings.signature_type {
        SignatureType::Eoa => [owner; 2],
        SignatureType::Proxy => [wallets.proxy; 2],
        SignatureType::Safe => [wallets.safe; 2],
        SignatureType::DepositWallet => [wallets.deposit_beacon, wallets.deposit_uups],
    };
    let Some(wallet) = &settings.wallet else { return Ok(allowed[0]) };
    wallet.parse().ok().filter(|wallet| allowed.contains(wallet)).ok_or_else(|| SetupError::Wallet {
        wallet: wallet.clone(),
        kind: settings.signature_type,
        owner,
        expected: allowed[0],
    })
}

fn hash_id(order: &Order, exchange: &Exchange) -> OrderId {
    OrderId::new(signing::order_hash(order, exchange).to_string())
}

/// The token, when it belongs to the market and the market to the exchange that it claims.
fn token_of(intent: &OrderIntent, market: &Market) -> Result<U256, SignError> {
    if intent.market != market.market {
        return Err(field("market", market.market.as_str(), "the intent's market"));
    }
    if market.outcome_of(&intent.token).is_none() {
        return Err(field("token", intent.token.as_str(), "a token of the intent's market"));
    }
    let token = U256::from_str_radix(intent.token.as_str(), 10)
        .ok()
        .filter(|token| token.to_string() == intent.token.as_str())
        .ok_or_else(|| field("token", intent.token.as_str(), "a decimal token id"))?;
    if signing::is_position_id(&token) == (market.protocol == Protocol::V3) {
        Ok(token)
    } else {
        Err(field("token", intent.token.as_str(), "of the protocol that the market is said to be on"))
    }
}

fn check_size(intent: &OrderIntent, market: &Market) -> Result<(), SignError> {
    let refused = |reason: String| SignError::Size { size: intent.size, reason };
    if intent.size < market.min_size {
        return Err(refused(format!("below the market's minimum of {}", market.min_size)));
    }
    if intent.size.floor_dp(2) != intent.size {
        return Err(refused("has more than two decimals".to_owned()));
    }
    Ok(())
}

fn amounts_of(intent: &OrderIntent, market: &Market) -> Result<Amounts, SignError> {
    let off_tick = SignError::OffTick { price: intent.price, tick: market.tick_size };
    let refused = |error: AmountError| match error {
        AmountError::Price(_) | AmountError::Tick(_) => off_tick.clone(),
        AmountError::Quantity(_) => SignError::Size { size: intent.size, reason: error.to_string() },
    };
    let grid = TickGrid::of(market.tick_size).map_err(refused)?;
    if !intent.price.is_on_tick(market.tick_size) {
        return Err(off_tick);
    }
    let decimals = grid.amount_decimals.min(MARKET_TAKER_DECIMALS);
    let amounts = match (intent.tif, intent.side) {
        (TimeInForce::Gtc | TimeInForce::Gtd, side) => signing::limit(side, intent.price, intent.size),
        (TimeInForce::Fok | TimeInForce::Fak, Side::Buy) => {
            signing::market_buy(intent.price.notional(intent.size), intent.price, decimals)
        }
        (TimeInForce::Fok | TimeInForce::Fak, Side::Sell) => signing::market_sell(intent.size, intent.price, decimals),
    }
    .map_err(refused)?;
    check_bought(intent, market, amounts)?;
    Ok(amounts)
}

/// A market buy spends whole cents, which may buy a little less than was asked for; not less than the minimum.
fn check_bought(intent: &OrderIntent, market: &Market, amounts: Amounts) -> Result<(), SignError> {
    let millionths = |units: u64| (Decimal::from(units) / Decimal::from(1_000_000)).normalize();
    let bought = millionths(amounts.taker);
    if intent.side == Side::Sell || bought >= market.min_size.0 {
        return Ok(());
    }
    let (spent, price, min) = (millionths(amounts.maker), intent.price, market.min_size);
    let reason = format!("{spent} pUSD, in whole cents, buys {bought} shares at {price}; the minimum is {min}");
    Err(SignError::Size { size: intent.size, reason })
}

/// Expiry in Unix seconds; none but for GTD. We cancel at `rest_until` ourselves, so the venue's expiry is the backstop:
/// not before that, and never so near at the deadline for sending that the venue would refuse it.
fn expiration(intent: &OrderIntent) -> i64 {
    match intent.tif {
        TimeInForce::Gtc | TimeInForce::Fok | TimeInForce::Fak => 0,
        TimeInForce::Gtd => {
            let (rest, send) = (intent.rest_until.secs(), intent.deadline.secs());
            rest.saturating_add(1 + GTD_EARLY_SECS).max(send.saturating_add(1 + GTD_LEAST_SECS))
        }
    }
}

fn field(name: &'static str, value: &str, expected: &'static str) -> SignError {
    SignError::Field { field: name, value: value.to_owned(), expected }
}

#[cfg(test)]
#[path = "venue_tests.rs"]
mod tests;
