//! The public REST calls, in the venue's envelope. Errors are HTTP 200 with `error` filled, as at the venue.

use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Kraken;
use super::board::PairBoard;
use super::text::{Micros, utc};
use crate::clock;

/// `/0/public/{Time,SystemStatus,Ticker,AssetPairs}`.
pub(in crate::sim) fn router(kraken: Kraken) -> Router {
    Router::new()
        .route("/0/public/Time", get(time))
        .route("/0/public/SystemStatus", get(system_status))
        .route("/0/public/Ticker", get(ticker))
        .route("/0/public/AssetPairs", get(asset_pairs))
        .fallback(|| async { refuse("EGeneral:Unknown method") })
        .with_state(kraken)
}

#[derive(Debug, Deserialize)]
struct Asked {
    pair: Option<String>,
}

fn answer(result: impl Into<Value>) -> Json<Value> {
    Json(json!({"error": [], "result": result.into()}))
}

fn refuse(error: &str) -> Json<Value> {
    Json(json!({"error": [error]}))
}

async fn time() -> Json<Value> {
    let now = clock::now();
    let at = utc(now);
    let (weekday, month) = (at.weekday().to_string(), at.month().to_string());
    let rfc1123 = format!(
        "{}, {:02} {} {:02} {:02}:{:02}:{:02} +0000",
        weekday.get(..3).unwrap_or_default(),
        at.day(),
        month.get(..3).unwrap_or_default(),
        at.year().rem_euclid(100),
        at.hour(),
        at.minute(),
        at.second()
    );
    answer(json!({"unixtime": now.secs(), "rfc1123": rfc1123}))
}

async fn system_status() -> Json<Value> {
    let now = Micros(clock::now()).to_string();
    let seconds = now.split('.').next().unwrap_or_default();
    answer(json!({"status": "online", "timestamp": format!("{seconds}Z")}))
}

async fn ticker(State(kraken): State<Kraken>, Query(asked): Query<Asked>) -> Json<Value> {
    by_pair(&kraken, asked.pair.as_deref(), ticker_row)
}

async fn asset_pairs(State(kraken): State<Kraken>, Query(asked): Query<Asked>) -> Json<Value> {
    by_pair(&kraken, asked.pair.as_deref(), asset_pair)
}

/// One row for each pair asked for, or for all of them, keyed by the venue's own key.
fn by_pair(kraken: &Kraken, asked: Option<&str>, row: fn(&PairBoard) -> Value) -> Json<Value> {
    let board = kraken.board();
    let mut rows = Map::new();
    let names: Option<Vec<&str>> = asked.map(|asked| asked.split(',').collect());
    for pair in board.pairs.iter().filter(|pair| pair.is_ready()) {
        let wanted = names.as_ref().is_none_or(|names| names.iter().any(|name| is_called(pair, name)));
        if wanted {
            rows.insert(key(pair), row(pair));
        }
    }
    let all_found =
        names.is_none_or(|names| names.iter().all(|name| board.pairs.iter().any(|pair| is_called(pair, name))));
    if all_found { answer(rows) } else { refuse("EQuery:Unknown asset pair") }
}

/// Kraken's key of a pair: the oldest ones carry the prefixes X and Z, and bitcoin is XBT.
fn key(pair: &PairBoard) -> String {
    match pair.pair.symbol.as_str() {
        "BTC/USD" => "XXBTZUSD".to_owned(),
        "ETH/USD" => "XETHZUSD".to_owned(),
        other => other.replace('/', ""),
    }
}

fn altname(pair: &PairBoard) -> String {
    pair.pair.symbol.as_str().replace("BTC", "XBT").replace('/', "")
}

fn is_called(pair: &PairBoard, name: &str) -> bool {
    let symbol = pair.pair.symbol.as_str();
    name == symbol || name == key(pair) || name == altname(pair) || name == symbol.replace('/', "")
}

fn ticker_row(pair: &PairBoard) -> Value {
    let price = |units| pair.price(units).to_string();
    let (volume, vwap) = (pair.qty(pair.volume).to_string(), pair.vwap().to_string());
    let side = |units, qty: i64| {
        let qty = pair.qty(qty.into()).to_string();
        let whole = qty.split('.').next().unwrap_or_default().to_owned();
        json!([price(units), whole, qty])
    };
    json!({
        "a": side(pair.quote.ask, pair.quote.ask_qty),
        "b": side(pair.quote.bid, pair.quote.bid_qty),
        "c": [price(pair.last.price), pair.qty(pair.last.qty.into()).to_string()],
        "v": [volume, volume],
        "p": [vwap, vwap],
        "t": [pair.trades, pair.trades],
        "l": [price(pair.low), price(pair.low)],
        "h": [price(pair.high), price(pair.high)],
        "o": price(pair.open),
    })
}

fn asset_pair(pair: &PairBoard) -> Value {
    let symbol = pair.pair.symbol.as_str();
    let (base, quote) = symbol.split_once('/').unwrap_or((symbol, ""));
    json!({
        "altname": altname(pair),
        "wsname": symbol.replace("BTC", "XBT"),
        "base": base.replace("BTC", "XBT"),
        "quote": quote,
        "pair_decimals": pair.pair.price_decimals,
        "lot_decimals": 8,
        "tick_size": pair.price(1).to_string(),
        "status": "online",
    })
}
