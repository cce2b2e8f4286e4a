//! Posting and cancelling orders.

use alloy_primitives::{Address, B256, U256};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::amounts::{Terms, terms};
use super::auth::Caller;
use super::reply::{Failure, Reply};
use super::verify::{Domain, OrderTerms};
use crate::clock;
use crate::domain::{MarketId, OrderId, Side, TimeInForce, Timestamp, TokenId};
use crate::sim::exchange::{Cancelled, Exchange, NewOrder, Placed, Refusal, Submission};

const MALFORMED: &str = "Invalid order payload";
/// The largest integer that every JSON reader keeps exactly.
const MOST_SALT: u64 = (1 << 53) - 1;
/// Orders in one batch.
const MOST_ORDERS: usize = 15;
/// Ids in one cancel.
const MOST_CANCELS: usize = 3_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    order: WireOrder,
    owner: String,
    order_type: TimeInForce,
    #[serde(default)]
    post_only: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireOrder {
    salt: u64,
    maker: Address,
    signer: Address,
    token_id: String,
    maker_amount: String,
    taker_amount: String,
    side: WireSide,
    expiration: Option<String>,
    signature_type: u8,
    timestamp: String,
    metadata: B256,
    builder: B256,
    signature: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum WireSide {
    Buy,
    Sell,
}

impl From<WireSide> for Side {
    fn from(side: WireSide) -> Self {
        match side {
            WireSide::Buy => Self::Buy,
            WireSide::Sell => Self::Sell,
        }
    }
}

/// Only the dead first version of the order has these fields.
fn is_legacy(post: &Value) -> bool {
    post.get("order").is_some_and(|order| {
        order.get("timestamp").is_none()
            && ["taker", "nonce", "feeRateBps"].iter().any(|field| order.get(field).is_some())
    })
}

fn uint(text: &str) -> Result<U256, Failure> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    U256::from_str_radix(text, 10).ok().filter(|_| digits).ok_or_else(|| Failure::bad(MALFORMED))
}

impl WireOrder {
    fn signed(&self) -> Result<OrderTerms, Failure> {
        if self.salt > MOST_SALT || self.signature_type > 3 {
            return Err(Failure::bad(MALFORMED));
        }
        Ok(OrderTerms {
            salt: U256::from(self.salt),
            maker: self.maker,
            signer: self.signer,
            token: uint(&self.token_id)?,
            maker_amount: uint(&self.maker_amount)?,
            taker_amount: uint(&self.taker_amount)?,
            side: u8::from(matches!(self.side, WireSide::Sell)),
            signature_type: self.signature_type,
            timestamp: uint(&self.timestamp)?,
            metadata: self.metadata,
            builder: self.builder,
        })
    }

    /// Nothing for "0", which every order without an end carries.
    fn expires(&self) -> Result<Option<Timestamp>, Failure> {
        let text = self.expiration.as_deref().unwrap_or("0");
        let seconds: i64 = text.parse().map_err(|_| Failure::bad("invalid expiration"))?;
        Ok((seconds != 0).then(|| Timestamp::from_secs(seconds)))
    }
}

/// Checks one order and hands it to the engine.
fn place(exchange: &Exchange, caller: &Caller, post: Value, now: Timestamp) -> Result<Placed, Failure> {
    if is_legacy(&post) {
        return Err(Failure::bad("order_version_mismatch"));
    }
    let post: Envelope = serde_json::from_value(post).map_err(|_| Failure::bad(MALFORMED))?;
    if post.owner != caller.key {
        return Err(Failure::bad("the order owner has to be the owner of the API KEY"));
    }
    let order = &post.order;
    if order.signature_type != 3 && order.signer != caller.address {
        return Err(Failure::bad("the order signer address has to be the address of the API KEY"));
    }
    if post.post_only && matches!(post.order_type, TimeInForce::Fok | TimeInForce::Fak) {
        return Err(Failure::bad(MALFORMED));
    }
    let signed = order.signed()?;
    let token = TokenId::new(signed.token.to_string());
    let unknown = || Failure::bad(Refusal::UnknownToken { token: token.clone() }.to_string());
    let market = exchange.market_of(&token).ok_or_else(unknown)?;
    let domain = Domain::of(signed.token, market.neg_risk);
    let signature = alloy_primitives::hex::decode(&order.signature).map_err(|_| Failure::bad("invalid signature"))?;
    signed.verify(&signature, caller.address, domain).map_err(|bad| Failure::bad(bad.to_string()))?;
    let id = OrderId::new(signed.id(domain).to_string());
    let Terms { price, size, budget } = terms(&signed, post.order_type, market.tick_size)?;
    let new = NewOrder {
        id,
        token,
        side: order.side.into(),
        price,
        size,
        tif: post.order_type,
        post_only: post.post_only,
        expiration: order.expires()?,
    };
    let submission = Submission { order: new, budget, maker: order.maker.to_checksum(None), owner: caller.key.clone() };
    exchange.submit(&caller.account, submission, now).map_err(|refusal| refused(&refusal))
}

fn refused(refusal: &Refusal) -> Failure {
    let failure = Failure::bad(refusal.to_string());
    match refusal {
        // The order is known from here on; the venue names it.
        Refusal::FokKilled { id } | Refusal::FakKilled { id } => failure.with("orderID", id.as_str()),
        _ => failure,
    }
}

fn accepted(placed: &Placed) -> Value {
    let amount = |amount: crate::domain::Usd| if placed.matched { amount.to_string() } else { String::new() };
    json!({
        "success": true,
        "errorMsg": "",
        "orderID": placed.id,
        "status": if placed.matched { "matched" } else { "live" },
        "makingAmount": amount(placed.making),
        "takingAmount": amount(placed.taking),
        "tradeIDs": placed.trades,
        "transactionsHashes": [],
    })
}

fn read(body: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(body).map_err(|_| Failure::bad(MALFORMED))
}

pub(super) async fn post_one(State(exchange): State<Exchange>, caller: Caller) -> Reply {
    let placed = place(&exchange, &caller, read(&caller.body)?, clock::now())?;
    Ok(Json(accepted(&placed)))
}

pub(super) async fn post_many(State(exchange): State<Exchange>, caller: Caller) -> Reply {
    let Value::Array(posts) = read(&caller.body)? else { return Err(Failure::bad(MALFORMED)) };
    if posts.is_empty() || posts.len() > MOST_ORDERS {
        return Err(Failure::bad(MALFORMED));
    }
    let now = clock::now();
    let answers = posts.into_iter().map(|post| match place(&exchange, &caller, post, now) {
        Ok(placed) => accepted(&placed),
        Err(failure) => json!({
            "success": false,
            "errorMsg": failure.text(),
            "orderID": "",
            "status": "",
            "makingAmount": "",
            "takingAmount": "",
            "tradeIDs": [],
            "transactionsHashes": [],
        }),
    });
    Ok(Json(Value::Array(answers.collect())))
}

fn gone(answer: Cancelled) -> Json<Value> {
    let kept = answer.not_cancelled.into_iter().map(|(id, reason)| (id.to_string(), Value::from(reason)));
    Json(json!({ "canceled": answer.cancelled, "not_canceled": Value::Object(kept.collect()) }))
}

pub(super) async fn cancel_one(State(exchange): State<Exchange>, caller: Caller) -> Reply {
    #[derive(Deserialize)]
    struct One {
        #[serde(rename = "orderID")]
        id: OrderId,
    }
    let one: One = serde_json::from_slice(&caller.body).map_err(|_| Failure::bad("Invalid order ID"))?;
    Ok(gone(exchange.cancel(&caller.account, &[one.id], clock::now())))
}

pub(super) async fn cancel_many(State(exchange): State<Exchange>, caller: Caller) -> Reply {
    let ids: Vec<OrderId> = serde_json::from_slice(&caller.body).map_err(|_| Failure::bad("Invalid order ID"))?;
    if ids.len() > MOST_CANCELS {
        return Err(Failure::bad(format!("{} orders in one cancel; at most {MOST_CANCELS}", ids.len())));
    }
    Ok(gone(exchange.cancel(&caller.account, &ids, clock::now())))
}

pub(super) async fn cancel_all(State(exchange): State<Exchange>, caller: Caller) -> Reply {
    Ok(gone(exchange.cancel_all(&caller.account, clock::now())))
}

pub(super) async fn cancel_market(State(exchange): State<Exchange>, caller: Caller) -> Reply {
    #[derive(Deserialize)]
    struct Scope {
        market: Option<MarketId>,
        asset_id: Option<TokenId>,
    }
    let scope: Scope = serde_json::from_slice(&caller.body).map_err(|_| Failure::bad("Invalid market"))?;
    // Without a scope this would silently be a cancel-all.
    if scope.market.is_none() && scope.asset_id.is_none() {
        return Err(Failure::bad("market or asset_id is required"));
    }
    let (market, token) = (scope.market.as_ref(), scope.asset_id.as_ref());
    Ok(gone(exchange.cancel_where(&caller.account, market, token, clock::now())))
}
