//! Polymarket behind the execution port.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::Address;
use async_trait::async_trait;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::answer;
use super::http::{Http, TransportError};
use super::intent::{self, Signatory};
use super::rest::Rest;
use super::settings::{Settings, SetupError, host, maker};
use super::signing::{self, Contracts, Exchange, LocalKey, Order, OrderTerms};
use super::user_ws::{Timing, UserStream};
use crate::clock;
use crate::domain::{CallLimit, ClockSkew, Market, OrderId, OrderIntent, Timestamp, TokenId, TradeId, TransientCode};
use crate::exec::venue::{
    Balances, CancelAnswer, ExecutionVenue, OrderList, PostAnswer, SignError, SignedOrder, TradeList, UserEvent,
    VenueError, VenueFill, VenueOrder,
};
use crate::risk::Approved;

/// Between two measurements of the venue's clock.
const MEASURE_EVERY: Duration = Duration::from_mins(1);

/// Polymarket's CLOB for one account.
pub struct PolymarketVenue {
    rest: Arc<Rest>,
    user_url: String,
}

impl fmt::Debug for PolymarketVenue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolymarketVenue")
            .field("maker", &self.rest.signatory().maker)
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
        let contracts = Contracts::of(settings.chain_id).ok_or(SetupError::Chain(settings.chain_id))?;
        let base = host("clob", &settings.clob, &["http", "https"], "http:// or https://")?;
        let socket = host("clob_ws", &settings.clob_ws, &["ws", "wss"], "ws:// or wss://")?;
        let signatory = Signatory {
            maker: maker(settings, key.address())?,
            owner: key.address(),
            signature_type: settings.signature_type,
        };
        let http = Http::new(base).map_err(|error| SetupError::Http(error.to_string()))?;
        let rest = Arc::new(Rest::new(http, key, contracts, signatory, settings.rates));
        let user_url = format!("{}/ws/user", socket.as_str().trim_end_matches('/'));
        Ok(Arc::new(Self { rest, user_url }))
    }

    /// The wallet that the orders are made for.
    #[must_use]
    pub fn maker(&self) -> Address {
        self.rest.signatory().maker
    }

    fn order_of(&self, intent: &OrderIntent, market: &Market) -> Result<(Order, Exchange), SignError> {
        let order = intent::order_of(intent, market, self.rest.signatory())?;
        Ok((order, self.rest.contracts().exchange(market.protocol, market.neg_risk)))
    }

    /// Nothing is signed for a contract that the venue has not named as its own.
    fn check_exchange(&self, exchange: &Exchange) -> Result<(), SignError> {
        match self.rest.is_confirmed(exchange.address()) {
            Some(true) => Ok(()),
            Some(false) => Err(SignError::Field {
                field: "exchange",
                value: exchange.address().to_checksum(None),
                expected: "one of the contracts that the venue names as its own",
            }),
            None => Err(SignError::Signer("the venue has not passed every check: connect first".to_owned())),
        }
    }
}

#[async_trait]
impl ExecutionVenue for PolymarketVenue {
    fn sign(&self, approved: &Approved<OrderIntent>, market: &Market) -> Result<SignedOrder, SignError> {
        let intent = approved.inner();
        let session =
            self.rest.session().ok_or_else(|| SignError::Signer("no API credentials yet: connect first".to_owned()))?;
        let (order, exchange) = self.order_of(intent, market)?;
        self.check_exchange(&exchange)?;
        let signature = signing::sign_order(&order, &exchange, self.rest.key())?;
        let terms = OrderTerms {
            owner: session.credentials().key(),
            tif: intent.tif,
            expiration: intent::expiration(intent),
            post_only: intent.post_only,
            defer_exec: false,
        };
        let body = signing::post_body(&order, &signature, &terms)
            .map_err(|error| SignError::Signer(format!("order body: {error}")))?;
        let digest = hex::encode(Sha256::digest(&body));
        let shares = intent::shares_of(&order);
        Ok(SignedOrder::new(approved, hash_id(&order, &exchange), shares, body.into(), digest))
    }

    fn identify(&self, intent: &OrderIntent, market: &Market) -> Result<OrderId, SignError> {
        let (order, exchange) = self.order_of(intent, market)?;
        Ok(hash_id(&order, &exchange))
    }

    async fn connect(&self) -> Result<(), VenueError> {
        self.rest.connect().await
    }

    async fn post(&self, order: &SignedOrder, may_send: &(dyn Fn() -> Result<(), String> + Send + Sync)) -> PostAnswer {
        let unsent = |code, reason, retry_after| PostAnswer::Transient { code, reason, retry_after };
        let time_left = order.intent().deadline.since(clock::now());
        if let Err(wait) = self.rest.admit_order(time_left).await {
            let reason = format!("not sent: the budget of orders is used up for another {wait:?}");
            return unsent(TransientCode::OverBudget, reason, Some(wait));
        }
        let request = match self.rest.prepare_order(order.body().clone()) {
            Ok(request) => request,
            Err(TransportError::NotSent(reason) | TransportError::Lost(reason)) => {
                return unsent(TransientCode::Unreachable, reason, None);
            }
        };
        if let Err(reason) = may_send() {
            return PostAnswer::NotSent { reason };
        }
        answer::classify(order.order(), &self.rest.send_order(request).await)
    }

    async fn cancel(&self, orders: &[OrderId]) -> Result<CancelAnswer, VenueError> {
        self.rest.cancel(orders).await
    }

    async fn cancel_all(&self) -> Result<CancelAnswer, VenueError> {
        self.rest.cancel_all().await
    }

    async fn open_orders(&self) -> Result<OrderList, VenueError> {
        self.rest.open_orders().await
    }

    async fn order(&self, order: &OrderId) -> Result<Option<VenueOrder>, VenueError> {
        self.rest.order(order).await
    }

    async fn fills(&self, since: Timestamp) -> Result<TradeList, VenueError> {
        self.rest.fills(since).await
    }

    async fn trade(&self, trade: &TradeId) -> Result<Vec<VenueFill>, VenueError> {
        self.rest.trade(trade).await
    }

    async fn balances(&self, tokens: &[TokenId]) -> Result<Balances, VenueError> {
        self.rest.balances(tokens).await
    }

    async fn refresh_balances(&self, tokens: &[TokenId]) -> Result<(), VenueError> {
        self.rest.refresh_balances(tokens).await
    }

    async fn heartbeat(&self) -> Result<(), VenueError> {
        self.rest.heartbeat().await
    }

    fn skew(&self) -> Option<ClockSkew> {
        self.rest.skew()
    }

    fn limits(&self) -> Vec<CallLimit> {
        self.rest.limits()
    }

    fn user_events(&self) -> mpsc::Receiver<UserEvent> {
        let stream = UserStream {
            url: self.user_url.clone(),
            session: self.rest.subscribe(),
            maker: self.maker(),
            timing: Timing::default(),
        };
        let rest = Arc::clone(&self.rest);
        stream.spawn(async move {
            tokio::join!(rest.keep_time(MEASURE_EVERY), rest.keep_authorized());
        })
    }
}

fn hash_id(order: &Order, exchange: &Exchange) -> OrderId {
    OrderId::new(signing::order_hash(order, exchange).to_string())
}

#[cfg(test)]
#[path = "venue_tests.rs"]
mod tests;
