//! What anybody may read: time, markets, books, prices.

use alloy_primitives::U256;
use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::reply::{Failure, Reply};
use super::wire;
use crate::clock;
use crate::domain::{Market, MarketId, Price, Protocol, TokenId};
use crate::sim::exchange::{BookView, Exchange};

/// How long the venue holds a marketable order on markets that have a taker delay, in seconds. The simulation has none.
const NO_DELAY: u32 = 0;

fn no_book() -> Failure {
    Failure::not_found("No orderbook exists for the requested token id")
}

fn no_market() -> Failure {
    Failure::not_found("market not found")
}

#[derive(Deserialize)]
pub(super) struct OfToken {
    token_id: TokenId,
    side: Option<String>,
}

fn view(exchange: &Exchange, token: &TokenId) -> Result<BookView, Failure> {
    exchange.book_view(token).ok_or_else(no_book)
}

pub(super) async fn ok() -> Json<Value> {
    Json(json!("OK"))
}

pub(super) async fn time() -> Json<Value> {
    Json(json!(clock::now().secs()))
}

pub(super) async fn version() -> Json<Value> {
    Json(json!({ "version": 2 }))
}

pub(super) async fn book(State(exchange): State<Exchange>, Query(of): Query<OfToken>) -> Reply {
    Ok(Json(json!(view(&exchange, &of.token_id)?.wire())))
}

pub(super) async fn books(State(exchange): State<Exchange>, Json(many): Json<Vec<OfToken>>) -> Reply {
    let found = many.iter().filter_map(|of| exchange.book_view(&of.token_id)).map(|view| json!(view.wire()));
    Ok(Json(Value::Array(found.collect())))
}

fn midpoint_of(view: &BookView) -> Option<String> {
    view.book.mid().map(|mid| mid.0.normalize().to_string())
}

fn spread_of(view: &BookView) -> Option<String> {
    let (bid, ask) = (view.book.best_bid()?, view.book.best_ask()?);
    Some((ask.price.0 - bid.price.0).normalize().to_string())
}

/// The best bid for BUY, the best ask for SELL.
fn price_of(view: &BookView, side: &str) -> Option<String> {
    let level = match side {
        "BUY" => view.book.best_bid()?,
        "SELL" => view.book.best_ask()?,
        _ => return None,
    };
    Some(level.price.to_string())
}

pub(super) async fn midpoint(State(exchange): State<Exchange>, Query(of): Query<OfToken>) -> Reply {
    Ok(Json(json!({ "mid": midpoint_of(&view(&exchange, &of.token_id)?).ok_or_else(no_book)? })))
}

pub(super) async fn spread(State(exchange): State<Exchange>, Query(of): Query<OfToken>) -> Reply {
    Ok(Json(json!({ "spread": spread_of(&view(&exchange, &of.token_id)?).ok_or_else(no_book)? })))
}

pub(super) async fn price(State(exchange): State<Exchange>, Query(of): Query<OfToken>) -> Reply {
    let side = of.side.as_deref().map(str::to_uppercase).filter(|side| ["BUY", "SELL"].contains(&side.as_str()));
    let side = side.ok_or_else(|| Failure::bad("Invalid side"))?;
    Ok(Json(json!({ "price": price_of(&view(&exchange, &of.token_id)?, &side).ok_or_else(no_book)? })))
}

/// Answers for many tokens at once; those without an answer are left out.
fn by_token(exchange: &Exchange, many: &[OfToken], of: impl Fn(&BookView) -> Option<String>) -> Json<Value> {
    let mut answer = Map::new();
    for token in many.iter().map(|of| &of.token_id) {
        if let Some(text) = exchange.book_view(token).as_ref().and_then(&of) {
            answer.insert(token.to_string(), Value::from(text));
        }
    }
    Json(Value::Object(answer))
}

pub(super) async fn midpoints(State(exchange): State<Exchange>, Json(many): Json<Vec<OfToken>>) -> Json<Value> {
    by_token(&exchange, &many, midpoint_of)
}

pub(super) async fn spreads(State(exchange): State<Exchange>, Json(many): Json<Vec<OfToken>>) -> Json<Value> {
    by_token(&exchange, &many, spread_of)
}

pub(super) async fn prices(State(exchange): State<Exchange>, Json(many): Json<Vec<OfToken>>) -> Json<Value> {
    let mut answer: Map<String, Value> = Map::new();
    for of in &many {
        let side = of.side.as_deref().unwrap_or_default();
        let price = exchange.book_view(&of.token_id).and_then(|view| price_of(&view, side));
        if let Some(price) = price {
            let sides = answer.entry(of.token_id.to_string()).or_insert_with(|| json!({}));
            if let Some(sides) = sides.as_object_mut() {
                sides.insert(side.to_owned(), Value::from(price));
            }
        }
    }
    Json(Value::Object(answer))
}

fn last_of(view: &BookView) -> (String, &'static str) {
    view.last.map_or_else(|| ("0.5".to_owned(), ""), |last| (last.price.to_string(), wire::side(last.side)))
}

/// Half a pUSD without a side when nothing was traded yet.
pub(super) async fn last_trade_price(State(exchange): State<Exchange>, Query(of): Query<OfToken>) -> Reply {
    let (price, side) = last_of(&view(&exchange, &of.token_id)?);
    Ok(Json(json!({ "price": price, "side": side })))
}

pub(super) async fn last_trades_prices(State(exchange): State<Exchange>, Json(many): Json<Vec<OfToken>>) -> Reply {
    let found = many.iter().filter_map(|of| exchange.book_view(&of.token_id)).filter(|view| view.last.is_some());
    let shown = found.map(|view| {
        let (price, side) = last_of(&view);
        json!({ "token_id": view.book.token, "price": price, "side": side })
    });
    Ok(Json(Value::Array(shown.collect())))
}

fn market_of(exchange: &Exchange, token: &TokenId) -> Result<std::sync::Arc<Market>, Failure> {
    exchange.market_of(token).ok_or_else(no_market)
}

pub(super) async fn tick_size(State(exchange): State<Exchange>, Query(of): Query<OfToken>) -> Reply {
    Ok(Json(json!({ "minimum_tick_size": wire::number(market_of(&exchange, &of.token_id)?.tick_size.0) })))
}

pub(super) async fn neg_risk(State(exchange): State<Exchange>, Query(of): Query<OfToken>) -> Reply {
    Ok(Json(json!({ "neg_risk": market_of(&exchange, &of.token_id)?.neg_risk })))
}

pub(super) async fn fee_rate(State(exchange): State<Exchange>, Query(of): Query<OfToken>) -> Reply {
    Ok(Json(json!({ "base_fee": wire::legacy_fee_bps(market_of(&exchange, &of.token_id)?.as_ref()) })))
}

/// The primary token is the numerically smaller id, whichever outcome that is.
pub(super) async fn market_by_token(State(exchange): State<Exchange>, Path(token): Path<TokenId>) -> Reply {
    let market = market_of(&exchange, &token)?;
    let number = |index: usize| U256::from_str_radix(market.tokens[index].token.as_str(), 10).unwrap_or(U256::MAX);
    let (first, second) = if number(0) <= number(1) { (0, 1) } else { (1, 0) };
    Ok(Json(json!({
        "condition_id": market.market,
        "primary_token_id": market.tokens[first].token,
        "secondary_token_id": market.tokens[second].token,
    })))
}

pub(super) async fn clob_market(State(exchange): State<Exchange>, Path(id): Path<MarketId>) -> Reply {
    let market = exchange.market(&id).ok_or_else(no_market)?;
    let fee = || json!({ "r": wire::number(market.fee.rate), "e": market.fee.exponent, "to": true });
    let bps = wire::legacy_fee_bps(&market);
    Ok(Json(json!({
        "c": market.market,
        "v": if market.protocol == Protocol::V3 { "v2" } else { "v1" },
        "t": market.tokens.iter().map(|outcome| json!({ "t": outcome.token, "o": outcome.outcome })).collect::<Vec<_>>(),
        "mts": wire::number(market.tick_size.0),
        "mos": wire::number(market.min_size.0),
        "mbf": bps,
        "tbf": bps,
        "nr": market.neg_risk,
        "fd": (!market.fee.rate.is_zero()).then(fee),
        "itode": false,
        "sd": NO_DELAY,
        "ao": market.accepting_orders,
        "aot": null,
        "gst": market.opens_at.map(|at| at.to_string()),
        "r": { "mi": 0, "ma": 0, "moas": 0 },
    })))
}

fn described(exchange: &Exchange, market: &Market) -> Value {
    let token = |index: usize| {
        let outcome = &market.tokens[index];
        let mid = exchange.book(&outcome.token).and_then(|book| book.mid()).unwrap_or(Price::ZERO);
        let winner = market.payouts.is_some_and(|payouts| payouts[index] == Price(rust_decimal::Decimal::ONE));
        json!({ "token_id": outcome.token, "outcome": outcome.outcome, "price": wire::number(mid.0), "winner": winner })
    };
    let bps = wire::legacy_fee_bps(market);
    json!({
        "condition_id": market.market,
        "question_id": market.market,
        "question": market.slug,
        "market_slug": market.slug,
        "active": true,
        "closed": !market.accepting_orders,
        "archived": false,
        "accepting_orders": market.accepting_orders,
        "enable_order_book": true,
        "minimum_order_size": wire::number(market.min_size.0),
        "minimum_tick_size": wire::number(market.tick_size.0),
        "neg_risk": market.neg_risk,
        "maker_base_fee": bps,
        "taker_base_fee": bps,
        "end_date_iso": market.closes_at.map(|at| at.to_string()),
        "game_start_time": null,
        "seconds_delay": NO_DELAY,
        "tokens": [token(0), token(1)],
        "tags": [],
        "rewards": { "rates": null, "min_size": 0, "max_spread": 0 },
    })
}

pub(super) async fn market(State(exchange): State<Exchange>, Path(id): Path<MarketId>) -> Reply {
    let market = exchange.market(&id).ok_or_else(no_market)?;
    Ok(Json(described(&exchange, &market)))
}

#[derive(Deserialize)]
pub(super) struct From {
    next_cursor: Option<String>,
}

pub(super) async fn markets(State(exchange): State<Exchange>, Query(from): Query<From>) -> Reply {
    let after = wire::position(from.next_cursor.as_deref()).ok_or_else(|| Failure::bad("invalid next_cursor"))?;
    let listed = exchange.markets();
    let numbered = (1..).zip(listed.iter()).filter(|(number, _)| *number > after).take(wire::PAGE + 1);
    Ok(Json(wire::page(numbered.map(|(number, market)| (number, described(&exchange, market))).collect())))
}
