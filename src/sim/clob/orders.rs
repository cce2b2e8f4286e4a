//! Posting and cancelling. An order is taken only when its id, its signature, its owner and its amounts are right.

use std::collections::HashMap;

use alloy_primitives::{Address, B256, U256};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::auth::{CHAIN, Caller, account, authenticate};
use super::{Answer, Fail, wire};
use crate::clock;
use crate::domain::{Market, OrderId, Price, Side, Size, TimeInForce, Timestamp, TokenId, Usd};
use crate::sim::exchange::{Cancelled, Exchange, NewOrder, OrderStatus, Placed};
use crate::venues::polymarket::signing::{Contracts, Order, SignatureType, order_hash, verify_order};

/// Orders in one batch.
const BATCH: usize = 15;

/// A POST body.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    order: Value,
    owner: String,
    order_type: String,
    #[serde(default)]
    post_only: Option<bool>,
}

/// The signed order within it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    salt: u64,
    maker: Address,
    signer: Address,
    token_id: String,
    maker_amount: String,
    taker_amount: String,
    side: String,
    expiration: String,
    signature_type: u8,
    timestamp: String,
    metadata: B256,
    builder: B256,
    signature: String,
}

/// An order that is what it claims to be.
struct Checked {
    maker: Address,
    order: NewOrder,
    spend: Option<Usd>,
}

fn malformed() -> Fail {
    Fail::bad("Invalid order payload")
}

pub(super) async fn post_one(
    State(exchange): State<Exchange>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let caller = authenticate(&exchange, &method, &uri, &headers, &body)?;
    let posted: Posted = serde_json::from_slice(&body).map_err(|_| malformed())?;
    Ok(Json(place(&exchange, &caller, posted)?))
}

pub(super) async fn post_many(
    State(exchange): State<Exchange>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let caller = authenticate(&exchange, &method, &uri, &headers, &body)?;
    let posted: Vec<Posted> = serde_json::from_slice(&body).map_err(|_| malformed())?;
    if posted.is_empty() || posted.len() > BATCH {
        return Err(malformed());
    }
    let results = posted.into_iter().map(|posted| match place(&exchange, &caller, posted) {
        Ok(taken) => taken,
        Err(Fail(_, refused)) => json!({
            "success": false, "errorMsg": refused["error"], "orderID": "", "status": "",
            "makingAmount": "", "takingAmount": "", "tradeIDs": [], "transactionsHashes": [],
        }),
    });
    Ok(Json(Value::Array(results.collect())))
}

fn place(exchange: &Exchange, caller: &Caller, posted: Posted) -> Result<Value, Fail> {
    let now = clock::now();
    let checked = check(exchange, caller, posted)?;
    let maker = account(checked.maker);
    if !exchange.has_account(&maker) {
        return Err(Fail::bad("maker address not allowed, please use the deposit wallet flow"));
    }
    let side = checked.order.side;
    let placed = match checked.spend {
        Some(spend) => exchange.place_spending(&maker, checked.order, spend, now),
        None => exchange.place(&maker, checked.order, now),
    };
    placed.map(|placed| taken(side, &placed)).map_err(|refusal| Fail::bad(refusal.0))
}

fn taken(side: Side, placed: &Placed) -> Value {
    let (shares, money) = (wire::size(placed.matched), placed.value.0.normalize().to_string());
    let (making, taking) = if side == Side::Buy { (money, shares) } else { (shares, money) };
    let rests = placed.matched.is_zero();
    json!({
        "success": true,
        "errorMsg": "",
        "orderID": placed.order.order.id,
        "status": if placed.order.status == OrderStatus::Live && rests { "live" } else { "matched" },
        "makingAmount": if rests { String::new() } else { making },
        "takingAmount": if rests { String::new() } else { taking },
        "tradeIDs": placed.trades,
        "transactionsHashes": [],
    })
}

/// Shape, owner, market, id, signature, amounts; in the venue's order and words.
fn check(exchange: &Exchange, caller: &Caller, posted: Posted) -> Result<Checked, Fail> {
    if posted.order.get("feeRateBps").is_some() || posted.order.get("nonce").is_some() {
        return Err(Fail::bad("order_version_mismatch"));
    }
    let signed: Signed = serde_json::from_value(posted.order).map_err(|_| malformed())?;
    if posted.owner != caller.key {
        return Err(Fail::bad("the order owner has to be the owner of the API KEY"));
    }
    let token = TokenId::from(signed.token_id.as_str());
    let market =
        exchange.market_of(&token).ok_or_else(|| Fail::bad(format!("the orderbook {token} does not exist")))?;
    let side = match signed.side.as_str() {
        "BUY" => Side::Buy,
        "SELL" => Side::Sell,
        _ => return Err(malformed()),
    };
    let id = verified(&signed, side, &market, caller)?;
    let tif = match posted.order_type.as_str() {
        "GTC" => TimeInForce::Gtc,
        "GTD" => TimeInForce::Gtd,
        "FOK" => TimeInForce::Fok,
        "FAK" => TimeInForce::Fak,
        _ => return Err(malformed()),
    };
    let (price, size, spend) = amounts(&signed, side, tif, &market)?;
    let expiration: i64 = signed.expiration.parse().map_err(|_| malformed())?;
    let order = NewOrder {
        id,
        token,
        side,
        price,
        size,
        tif,
        post_only: posted.post_only.unwrap_or(false),
        expiration: (tif == TimeInForce::Gtd).then(|| Timestamp::from_secs(expiration)),
    };
    Ok(Checked { maker: signed.maker, order, spend })
}

/// The order's id, when its signature was made by the caller's key.
fn verified(signed: &Signed, side: Side, market: &Market, caller: &Caller) -> Result<OrderId, Fail> {
    let number = |text: &str| U256::from_str_radix(text, 10).map_err(|_| malformed());
    let order = Order {
        salt: U256::from(signed.salt),
        maker: signed.maker,
        signer: signed.signer,
        tokenId: number(&signed.token_id)?,
        makerAmount: number(&signed.maker_amount)?,
        takerAmount: number(&signed.taker_amount)?,
        side: u8::from(side == Side::Sell),
        signatureType: signed.signature_type,
        timestamp: number(&signed.timestamp)?,
        metadata: signed.metadata,
        builder: signed.builder,
    };
    let contracts = Contracts::of(CHAIN).ok_or_else(malformed)?;
    let exchange = contracts.exchange(market.protocol, market.neg_risk);
    let id = OrderId::from(order_hash(&order, &exchange).to_string());
    let invalid = || Fail::bad("invalid signature");
    let signature = hex::decode(signed.signature.trim_start_matches("0x")).map_err(|_| invalid())?;
    let by = verify_order(&order, &exchange, &signature).map_err(|_| invalid())?;
    let wallet = signed.signature_type == SignatureType::DepositWallet.code();
    if by != caller.address || (!wallet && signed.signer != caller.address) {
        return Err(Fail::bad("the order signer address has to be the address of the API KEY"));
    }
    Ok(id)
}

/// Price and shares from the two amounts; for a market buy also the money that it spends.
fn amounts(signed: &Signed, side: Side, tif: TimeInForce, market: &Market) -> Result<(Price, Size, Option<Usd>), Fail> {
    let amount = |text: &str| -> Result<Decimal, Fail> {
        let micro: i64 = text.parse().map_err(|_| malformed())?;
        if micro <= 0 { Err(malformed()) } else { Ok(Decimal::new(micro, 6).normalize()) }
    };
    let (maker, taker) = (amount(&signed.maker_amount)?, amount(&signed.taker_amount)?);
    let (money, shares) = if side == Side::Buy { (maker, taker) } else { (taker, maker) };
    let ratio = money.checked_div(shares).ok_or_else(malformed)?;
    let market_order = matches!(tif, TimeInForce::Fok | TimeInForce::Fak);
    let (kind, maker_most, taker_most) = match (market_order, side) {
        (true, Side::Buy) => ("market buy", 2, 4),
        (true, Side::Sell) => ("market sell", 2, 4),
        (false, Side::Buy) => ("buy", market.tick_size.0.normalize().scale() + 2, 2),
        (false, Side::Sell) => ("sell", 2, market.tick_size.0.normalize().scale() + 2),
    };
    if maker.scale() > maker_most || taker.scale() > taker_most {
        return Err(Fail::bad(format!(
            "invalid amounts, the {kind} orders maker amount supports a max accuracy of {maker_most} decimals, taker \
             amount a max of {taker_most} decimals"
        )));
    }
    if market_order {
        let spend = (side == Side::Buy).then_some(Usd(money));
        return Ok((Price(ratio), Size(shares), spend));
    }
    let price = Price(ratio.round_dp(6).normalize());
    if price.notional(Size(shares)) != Usd(money) {
        let tick = market.tick_size;
        return Err(Fail::bad(format!("order is invalid. Price ({ratio}) breaks minimum tick size rule: {tick}")));
    }
    Ok((price, Size(shares), None))
}

#[derive(Debug, Deserialize)]
struct CancelOne {
    #[serde(rename = "orderID")]
    order: OrderId,
}

#[derive(Debug, Default, Deserialize)]
struct CancelMarket {
    #[serde(default)]
    market: String,
    #[serde(default)]
    asset_id: String,
}

fn cancelled(result: Cancelled) -> Value {
    let refused: Map<String, Value> =
        result.not_cancelled.into_iter().map(|(id, reason)| (id.to_string(), json!(reason))).collect();
    json!({ "canceled": result.cancelled, "not_canceled": refused })
}

/// Cancels orders of the caller, whichever of its wallets placed them.
fn cancel(exchange: &Exchange, caller: &Caller, ids: &[OrderId]) -> Value {
    let now = clock::now();
    let mut by_account: HashMap<_, Vec<OrderId>> = HashMap::new();
    for id in ids {
        let own = exchange.order(id).filter(|view| view.owner == caller.key);
        let whose = own.map_or_else(|| caller.account(), |view| view.account);
        by_account.entry(whose).or_default().push(id.clone());
    }
    let mut all = Cancelled::default();
    for (account, ids) in by_account {
        let part = exchange.cancel(&account, &ids, now);
        all.cancelled.extend(part.cancelled);
        all.not_cancelled.extend(part.not_cancelled);
    }
    cancelled(all)
}

pub(super) async fn cancel_one(
    State(exchange): State<Exchange>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let caller = authenticate(&exchange, &method, &uri, &headers, &body)?;
    let asked: CancelOne = serde_json::from_slice(&body).map_err(|_| Fail::bad("Invalid order payload"))?;
    Ok(Json(cancel(&exchange, &caller, &[asked.order])))
}

pub(super) async fn cancel_many(
    State(exchange): State<Exchange>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let caller = authenticate(&exchange, &method, &uri, &headers, &body)?;
    let ids: Vec<OrderId> = serde_json::from_slice(&body).map_err(|_| Fail::bad("Invalid order payload"))?;
    if ids.len() > 1_000 {
        return Err(Fail::bad("Too many orders: at most 1000"));
    }
    Ok(Json(cancel(&exchange, &caller, &ids)))
}

fn open_ids(exchange: &Exchange, caller: &Caller, wanted: impl Fn(&str, &str) -> bool) -> Vec<OrderId> {
    exchange
        .orders_of(&caller.key, |view| {
            view.status == OrderStatus::Live && wanted(view.market.as_str(), view.order.token.as_str())
        })
        .into_iter()
        .map(|view| view.order.id)
        .collect()
}

pub(super) async fn cancel_all(
    State(exchange): State<Exchange>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let caller = authenticate(&exchange, &method, &uri, &headers, &body)?;
    let ids = open_ids(&exchange, &caller, |_, _| true);
    Ok(Json(cancel(&exchange, &caller, &ids)))
}

pub(super) async fn cancel_market(
    State(exchange): State<Exchange>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let caller = authenticate(&exchange, &method, &uri, &headers, &body)?;
    let asked: CancelMarket = serde_json::from_slice(&body).map_err(|_| malformed())?;
    let ids = open_ids(&exchange, &caller, |market, token| {
        (asked.market.is_empty() || asked.market == market) && (asked.asset_id.is_empty() || asked.asset_id == token)
    });
    Ok(Json(cancel(&exchange, &caller, &ids)))
}

#[derive(Debug, Deserialize)]
struct Beat {
    heartbeat_id: Option<String>,
}

pub(super) async fn heartbeat(
    State(exchange): State<Exchange>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let caller = authenticate(&exchange, &method, &uri, &headers, &body)?;
    let beat: Beat = serde_json::from_slice(&body).map_err(|_| Fail::bad("Invalid payload"))?;
    match exchange.heartbeat(&caller.account(), &beat.heartbeat_id.unwrap_or_default(), clock::now()) {
        Ok(id) => Ok(Json(json!({ "heartbeat_id": id }))),
        Err(expected) => {
            Err(Fail(StatusCode::BAD_REQUEST, json!({ "error_msg": "Invalid Heartbeat ID", "heartbeat_id": expected })))
        }
    }
}
