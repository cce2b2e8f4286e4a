//! How orders, trades and pages look on the wire.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rust_decimal::Decimal;
use serde_json::{Map, Number, Value, json};

use crate::domain::{FillStatus, Market, Side, TimeInForce, Timestamp};
use crate::sim::exchange::{AccountId, Leg, OrderView, Trade};

/// Rows on a page.
pub(super) const PAGE: usize = 100;
/// The cursor that says that there is no more.
const END: &str = "LTE=";

pub(super) const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

pub(super) const fn tif(tif: TimeInForce) -> &'static str {
    match tif {
        TimeInForce::Gtc => "GTC",
        TimeInForce::Gtd => "GTD",
        TimeInForce::Fok => "FOK",
        TimeInForce::Fak => "FAK",
    }
}

pub(super) const fn trade_status(status: FillStatus) -> &'static str {
    match status {
        FillStatus::Matched => "MATCHED",
        FillStatus::Mined => "MINED",
        FillStatus::Retrying => "RETRYING",
        FillStatus::Confirmed => "CONFIRMED",
        FillStatus::Failed => "FAILED",
    }
}

/// A decimal as a JSON number, where the venue has one.
pub(super) fn number(value: Decimal) -> Value {
    value.normalize().to_string().parse::<Number>().map_or(Value::Null, Value::Number)
}

/// The flat rate that the venue still names beside the real schedule; nobody should compute with it.
pub(super) fn legacy_fee_bps(market: &Market) -> u32 {
    if market.fee.rate.is_zero() { 0 } else { 1_000 }
}

fn seconds(at: Timestamp) -> String {
    at.secs().to_string()
}

/// An order in REST.
pub(super) fn order(order: &OrderView) -> Map<String, Value> {
    let fields = json!({
        "id": order.id,
        "status": order.status.text(),
        "owner": *order.owner,
        "maker_address": *order.maker,
        "market": order.market.market,
        "asset_id": order.token(),
        "side": side(order.side),
        "original_size": order.size,
        "size_matched": order.matched,
        "price": order.price,
        "outcome": order.market.tokens[order.index].outcome,
        "expiration": order.expiration.map_or_else(|| "0".to_owned(), seconds),
        "order_type": tif(order.tif),
        "associate_trades": order.trades,
        "created_at": order.created_at.secs(),
    });
    object(fields)
}

fn maker(trade: &Trade, leg: &Leg) -> Value {
    json!({
        "order_id": leg.order,
        "owner": *leg.owner,
        "maker_address": *leg.maker,
        "matched_amount": leg.size,
        "price": leg.price,
        "fee_rate_bps": "0",
        "asset_id": trade.token(leg),
        "outcome": trade.outcome(leg),
        "outcome_index": leg.index,
        "side": side(leg.side),
    })
}

/// A trade as `viewer` sees it. Its head is always the incoming order's, also for the one that was resting.
pub(super) fn trade(trade: &Trade, viewer: &AccountId) -> Map<String, Value> {
    let taker = &trade.taker;
    let fields = json!({
        "id": trade.id,
        "taker_order_id": taker.order,
        "market": trade.market.market,
        "asset_id": trade.token(taker),
        "side": side(taker.side),
        "size": taker.size,
        "fee_rate_bps": legacy_fee_bps(&trade.market).to_string(),
        "price": taker.price,
        "status": trade_status(trade.status),
        "match_time": seconds(trade.matched_at),
        "last_update": seconds(trade.updated_at),
        "outcome": trade.outcome(taker),
        "bucket_index": 0,
        "owner": *taker.owner,
        "maker_address": *taker.maker,
        "transaction_hash": trade.transaction.as_deref().unwrap_or_default(),
        "maker_orders": trade.makers.iter().map(|leg| maker(trade, leg)).collect::<Vec<_>>(),
        "trader_side": if taker.account == *viewer { "TAKER" } else { "MAKER" },
    });
    object(fields)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The position that a cursor stands for; the start when there is none. Nothing when it is no cursor.
pub(super) fn position(cursor: Option<&str>) -> Option<u64> {
    let Some(cursor) = cursor.filter(|cursor| !cursor.is_empty()) else { return Some(0) };
    if cursor == END {
        return Some(u64::MAX);
    }
    String::from_utf8(STANDARD.decode(cursor).ok()?).ok()?.parse().ok()
}

/// A page of rows, each with its number: the first ones, and a cursor to the last of them when there are more. The cursor
/// names a row and not a count, so that rows which come and go meanwhile shift nothing.
pub(super) fn page(mut rows: Vec<(u64, Value)>) -> Value {
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let last = rows.last().filter(|_| more).map(|(number, _)| STANDARD.encode(number.to_string()));
    let data: Vec<Value> = rows.into_iter().map(|(_, row)| row).collect();
    json!({ "limit": PAGE, "count": data.len(), "next_cursor": last.unwrap_or_else(|| END.to_owned()), "data": data })
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    #[test]
    fn pages_lead_to_one_another_and_end() {
        let rows = |from: u64| (from..250).map(|number| (number, json!(number))).collect::<Vec<_>>();
        assert_eq!(position(Some("MA==")), Some(0));
        let first = page(rows(1));
        assert_eq!(first["count"], 100);
        let next = position(first["next_cursor"].as_str()).expect("a cursor");
        assert_eq!(next, 100);
        let last = page(rows(201));
        assert_eq!((last["count"].as_u64(), last["next_cursor"].as_str()), (Some(49), Some("LTE=")));
        assert_eq!(page(Vec::new())["next_cursor"], "LTE=");
        assert_eq!(position(Some("?")), None);
        assert_eq!(position(Some("LTE=")), Some(u64::MAX));
    }

    #[test]
    fn numbers_keep_their_decimals() {
        assert_eq!(number(dec!(0.0010)).to_string(), "0.001");
        assert_eq!(number(dec!(5)).to_string(), "5");
    }
}
