//! Books, orders and trades as the venue writes them.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::domain::{FillStatus, Level, Market, Price, Side, Size, TimeInForce, Timestamp, TokenId};
use crate::sim::exchange::{Exchange, Leg, OrderView, Trade};
use crate::venues::polymarket::signing::{BookText, LevelText, book_hash, side_word, tif_word};

/// A token's book with its hash; best price last on both sides.
pub(super) fn book(exchange: &Exchange, market: &Market, token: &TokenId, now: Timestamp) -> Option<Value> {
    let book = exchange.book(token)?;
    let texts = |levels: &[Level]| -> Vec<(String, String)> {
        levels.iter().rev().map(|level| (level.price.to_string(), level.size.to_string())).collect()
    };
    let (bids, asks) = (texts(&book.bids), texts(&book.asks));
    let (timestamp, min_size) = (now.millis().to_string(), market.min_size.to_string());
    let (tick, last) = (market.tick_size.to_string(), last_trade(exchange, token));
    let borrowed = |levels: &'_ [(String, String)]| -> Vec<(String, String)> { levels.to_vec() };
    let (bid_texts, ask_texts) = (borrowed(&bids), borrowed(&asks));
    let hash = book_hash(&BookText {
        market: market.market.as_str(),
        asset_id: token.as_str(),
        timestamp: &timestamp,
        bids: bid_texts.iter().map(|(price, size)| LevelText { price, size }).collect(),
        asks: ask_texts.iter().map(|(price, size)| LevelText { price, size }).collect(),
        min_order_size: &min_size,
        tick_size: &tick,
        neg_risk: market.neg_risk,
        last_trade_price: &last,
    })
    .ok()?;
    let shown = |levels: &[(String, String)]| -> Vec<Value> {
        levels.iter().map(|(price, size)| json!({ "price": price, "size": size })).collect()
    };
    Some(json!({
        "market": market.market,
        "asset_id": token,
        "timestamp": timestamp,
        "hash": hash,
        "bids": shown(&bids),
        "asks": shown(&asks),
        "min_order_size": min_size,
        "tick_size": tick,
        "neg_risk": market.neg_risk,
        "last_trade_price": last,
    }))
}

/// Empty before the first trade.
pub(super) fn last_trade(exchange: &Exchange, token: &TokenId) -> String {
    exchange.last_trade(token).map(|price| price.0.normalize().to_string()).unwrap_or_default()
}

pub(super) fn side(side: Side) -> &'static str {
    side_word(side)
}

pub(super) fn tif(tif: TimeInForce) -> &'static str {
    tif_word(tif)
}

pub(super) const fn status(status: FillStatus) -> &'static str {
    match status {
        FillStatus::Matched => "MATCHED",
        FillStatus::Mined => "MINED",
        FillStatus::Retrying => "RETRYING",
        FillStatus::Confirmed => "CONFIRMED",
        FillStatus::Failed => "FAILED",
    }
}

fn text(number: Decimal) -> String {
    number.normalize().to_string()
}

pub(super) fn size(size: Size) -> String {
    text(size.0)
}

pub(super) fn price(price: Price) -> String {
    text(price.0)
}

/// An order as `/data/orders` lists it.
pub(super) fn order(view: &OrderView) -> Value {
    json!({
        "id": view.order.id,
        "status": view.status.word(),
        "owner": view.owner,
        "maker_address": view.account,
        "market": view.market,
        "asset_id": view.order.token,
        "side": side(view.order.side),
        "original_size": size(view.order.size),
        "size_matched": size(view.matched),
        "price": price(view.order.price),
        "outcome": view.outcome,
        "expiration": view.order.expiration.map_or(0, Timestamp::secs).to_string(),
        "order_type": tif(view.order.tif),
        "associate_trades": view.trades,
        "created_at": view.created_at.secs(),
    })
}

fn maker(leg: &Leg) -> Value {
    json!({
        "order_id": leg.order,
        "owner": leg.owner,
        "maker_address": leg.account,
        "matched_amount": size(leg.size),
        "price": price(leg.price),
        "fee_rate_bps": "0",
        "asset_id": leg.token,
        "outcome": leg.outcome,
        "side": side(leg.side),
    })
}

/// A trade as `/data/trades` lists it for one owner.
pub(super) fn trade(trade: &Trade, owner: &str) -> Value {
    let taker = &trade.taker;
    let takes = taker.owner == owner;
    let own = if takes { Some(taker) } else { trade.makers.iter().find(|leg| leg.owner == owner) };
    json!({
        "id": trade.id,
        "taker_order_id": taker.order,
        "market": trade.market,
        "asset_id": taker.token,
        "side": side(taker.side),
        "size": size(taker.size),
        "fee_rate_bps": "0",
        "price": price(taker.price),
        "status": status(trade.status),
        "match_time": trade.matched_at.secs().to_string(),
        "last_update": trade.updated_at.secs().to_string(),
        "outcome": taker.outcome,
        "bucket_index": 0,
        "owner": taker.owner,
        "maker_address": own.map_or(&taker.account, |leg| &leg.account),
        "transaction_hash": trade.transaction,
        "maker_orders": trade.makers.iter().map(maker).collect::<Vec<_>>(),
        "trader_side": if takes { "TAKER" } else { "MAKER" },
    })
}
