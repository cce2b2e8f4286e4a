//! What anybody may ask.

use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Answer, Fail, wire};
use crate::clock;
use crate::domain::{Market, Protocol, Side, TokenId};
use crate::sim::exchange::Exchange;

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    token_id: TokenId,
    #[serde(default)]
    side: Option<String>,
}

pub(super) fn routes() -> Router<Exchange> {
    Router::new()
        .route("/", get(|| async { Json(json!("OK")) }))
        .route("/ok", get(|| async { Json(json!("OK")) }))
        .route("/time", get(|| async { Json(json!(clock::now().secs())) }))
        .route("/version", get(|| async { Json(json!({ "version": 2 })) }))
        .route("/book", get(book))
        .route("/books", post(books))
        .route("/midpoint", get(midpoint))
        .route("/midpoints", post(midpoints))
        .route("/price", get(price))
        .route("/prices", post(prices))
        .route("/spread", get(spread))
        .route("/spreads", post(spreads))
        .route("/last-trade-price", get(last_trade))
        .route("/tick-size", get(tick_size))
        .route("/neg-risk", get(neg_risk))
        .route("/fee-rate", get(fee_rate))
        .route("/clob-markets/{market}", get(clob_market))
        .route("/markets-by-token/{token}", get(by_token))
        .route("/markets/{market}", get(market))
}

fn find(exchange: &Exchange, token: &TokenId) -> Result<Market, Fail> {
    exchange.market_of(token).ok_or_else(|| Fail::not_found("No orderbook exists for the requested token id"))
}

async fn book(State(exchange): State<Exchange>, Query(asked): Query<Asked>) -> Answer {
    let market = find(&exchange, &asked.token_id)?;
    let book = wire::book(&exchange, &market, &asked.token_id, clock::now());
    book.map(Json).ok_or_else(|| Fail::not_found("No orderbook exists for the requested token id"))
}

async fn books(State(exchange): State<Exchange>, Json(asked): Json<Vec<Asked>>) -> Answer {
    let now = clock::now();
    let shown = asked.iter().filter_map(|asked| {
        let market = exchange.market_of(&asked.token_id)?;
        wire::book(&exchange, &market, &asked.token_id, now)
    });
    Ok(Json(Value::Array(shown.collect())))
}

fn best(exchange: &Exchange, token: &TokenId, side: Side) -> Option<Decimal> {
    let book = exchange.book(token)?;
    let level = match side {
        Side::Buy => book.best_bid(),
        Side::Sell => book.best_ask(),
    };
    level.map(|level| level.price.0)
}

fn mid(exchange: &Exchange, token: &TokenId) -> String {
    let mid = exchange.book(token).and_then(|book| book.mid());
    mid.map_or_else(|| "0".to_owned(), |mid| mid.0.normalize().to_string())
}

fn spread_of(exchange: &Exchange, token: &TokenId) -> String {
    match (best(exchange, token, Side::Buy), best(exchange, token, Side::Sell)) {
        (Some(bid), Some(ask)) => (ask - bid).normalize().to_string(),
        _ => "0".to_owned(),
    }
}

fn side_of(asked: &Asked) -> Result<Side, Fail> {
    match asked.side.as_deref().map(str::to_ascii_uppercase).as_deref() {
        Some("BUY") => Ok(Side::Buy),
        Some("SELL") => Ok(Side::Sell),
        _ => Err(Fail::bad("Invalid side")),
    }
}

fn best_text(exchange: &Exchange, token: &TokenId, side: Side) -> String {
    best(exchange, token, side).map_or_else(|| "0".to_owned(), |price| price.normalize().to_string())
}

async fn midpoint(State(exchange): State<Exchange>, Query(asked): Query<Asked>) -> Answer {
    find(&exchange, &asked.token_id)?;
    Ok(Json(json!({ "mid": mid(&exchange, &asked.token_id) })))
}

async fn midpoints(State(exchange): State<Exchange>, Json(asked): Json<Vec<Asked>>) -> Answer {
    Ok(Json(each(&asked, |asked| Ok(json!(mid(&exchange, &asked.token_id))))?))
}

async fn price(State(exchange): State<Exchange>, Query(asked): Query<Asked>) -> Answer {
    find(&exchange, &asked.token_id)?;
    Ok(Json(json!({ "price": best_text(&exchange, &asked.token_id, side_of(&asked)?) })))
}

async fn prices(State(exchange): State<Exchange>, Json(asked): Json<Vec<Asked>>) -> Answer {
    let priced = each(&asked, |asked| {
        let side = side_of(asked)?;
        Ok(json!({ wire::side(side): best_text(&exchange, &asked.token_id, side) }))
    })?;
    Ok(Json(priced))
}

async fn spread(State(exchange): State<Exchange>, Query(asked): Query<Asked>) -> Answer {
    find(&exchange, &asked.token_id)?;
    Ok(Json(json!({ "spread": spread_of(&exchange, &asked.token_id) })))
}

async fn spreads(State(exchange): State<Exchange>, Json(asked): Json<Vec<Asked>>) -> Answer {
    Ok(Json(each(&asked, |asked| Ok(json!(spread_of(&exchange, &asked.token_id))))?))
}

/// One value a token, by token.
fn each(asked: &[Asked], value: impl Fn(&Asked) -> Result<Value, Fail>) -> Result<Value, Fail> {
    let mut shown = Map::new();
    for one in asked {
        shown.insert(one.token_id.to_string(), value(one)?);
    }
    Ok(Value::Object(shown))
}

async fn last_trade(State(exchange): State<Exchange>, Query(asked): Query<Asked>) -> Answer {
    find(&exchange, &asked.token_id)?;
    let price = wire::last_trade(&exchange, &asked.token_id);
    let side = if price.is_empty() { "" } else { "BUY" };
    Ok(Json(json!({ "price": if price.is_empty() { "0.5".to_owned() } else { price }, "side": side })))
}

async fn tick_size(State(exchange): State<Exchange>, Query(asked): Query<Asked>) -> Answer {
    let market = find(&exchange, &asked.token_id)?;
    Ok(Json(json!({ "minimum_tick_size": number(market.tick_size.0) })))
}

async fn neg_risk(State(exchange): State<Exchange>, Query(asked): Query<Asked>) -> Answer {
    Ok(Json(json!({ "neg_risk": find(&exchange, &asked.token_id)?.neg_risk })))
}

async fn fee_rate(State(exchange): State<Exchange>, Query(asked): Query<Asked>) -> Answer {
    find(&exchange, &asked.token_id)?;
    Ok(Json(json!({ "base_fee": 1000 })))
}

/// The venue writes these as JSON numbers; no decision of the simulator rests on them.
fn number(value: Decimal) -> Value {
    json!(value.to_f64())
}

async fn clob_market(State(exchange): State<Exchange>, Path(market): Path<String>) -> Answer {
    let market = exchange.market(&market.as_str().into()).ok_or_else(|| Fail::not_found("market not found"))?;
    let tokens: Vec<Value> =
        market.tokens.iter().map(|token| json!({ "t": token.token, "o": token.outcome })).collect();
    Ok(Json(json!({
        "c": market.market,
        "v": if market.protocol == Protocol::V3 { "v2" } else { "v1" },
        "t": tokens,
        "mts": number(market.tick_size.0),
        "mos": number(market.min_size.0),
        "mbf": 1000,
        "tbf": 1000,
        "nr": market.neg_risk,
        "fd": { "r": number(market.fee.rate), "e": market.fee.exponent, "to": true },
        "itode": false,
        "sd": 0,
        "ao": market.accepting_orders,
        "aot": null,
        "gst": null,
        "r": { "mi": 0, "ma": 0, "moas": 0 },
    })))
}

async fn by_token(State(exchange): State<Exchange>, Path(token): Path<String>) -> Answer {
    let market = find(&exchange, &token.as_str().into())?;
    let mut ids = [market.tokens[0].token.to_string(), market.tokens[1].token.to_string()];
    // The numerically smaller id is the primary one, whatever its outcome.
    ids.sort_by_key(|id| (id.len(), id.clone()));
    let [primary, secondary] = ids;
    Ok(Json(json!({
        "condition_id": market.market,
        "primary_token_id": primary,
        "secondary_token_id": secondary,
    })))
}

async fn market(State(exchange): State<Exchange>, Path(market): Path<String>) -> Answer {
    let market = exchange.market(&market.as_str().into()).ok_or_else(|| Fail::not_found("market not found"))?;
    let tokens = market.tokens.iter().map(|token| {
        let price = exchange.book(&token.token).and_then(|book| book.mid()).map(|mid| number(mid.0));
        json!({ "token_id": token.token, "outcome": token.outcome, "price": price, "winner": false })
    });
    Ok(Json(json!({
        "condition_id": market.market,
        "market_slug": market.slug,
        "question": market.slug,
        "minimum_order_size": number(market.min_size.0),
        "minimum_tick_size": number(market.tick_size.0),
        "neg_risk": market.neg_risk,
        "active": true,
        "closed": market.payouts.is_some(),
        "accepting_orders": market.accepting_orders,
        "enable_order_book": true,
        "tokens": tokens.collect::<Vec<_>>(),
    })))
}
