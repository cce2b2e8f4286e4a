//! What an account may ask about itself.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, Uri};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::auth::{CHAIN, account, authenticate};
use super::{Answer, Fail, wire};
use crate::domain::{Protocol, TokenId};
use crate::sim::exchange::{Exchange, OrderStatus};
use crate::venues::polymarket::signing::{Contracts, derive_wallets};

type Params = Query<HashMap<String, String>>;

/// Rows a page.
const PAGE: usize = 100;
/// The cursor after the last page: `-1`.
const END: &str = "LTE=";

/// The rows of the page that the cursor names, with the next cursor.
fn page(rows: &[Value], params: &HashMap<String, String>) -> Result<Value, Fail> {
    let cursor = params.get("next_cursor").filter(|cursor| !cursor.is_empty()).map_or("MA==", String::as_str);
    let offset = STANDARD
        .decode(cursor)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.parse::<usize>().ok())
        .ok_or_else(|| Fail::bad("Invalid next_cursor"))?;
    let shown: Vec<&Value> = rows.iter().skip(offset).take(PAGE).collect();
    let next = if offset + PAGE < rows.len() { STANDARD.encode((offset + PAGE).to_string()) } else { END.to_owned() };
    Ok(json!({ "limit": PAGE, "count": shown.len(), "next_cursor": next, "data": shown }))
}

fn matches(params: &HashMap<String, String>, name: &str, value: &str) -> bool {
    params.get(name).is_none_or(|wanted| wanted.is_empty() || wanted == value)
}

/// Open orders; with `id` that one, whatever its status.
pub(super) async fn orders(
    State(exchange): State<Exchange>,
    Query(params): Params,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    let caller = authenticate(&exchange, &method, &uri, &headers, b"")?;
    let by_id = params.contains_key("id");
    let rows: Vec<Value> = exchange
        .orders_of(&caller.key, |view| {
            (by_id || view.status == OrderStatus::Live)
                && matches(&params, "id", view.order.id.as_str())
                && matches(&params, "market", view.market.as_str())
                && matches(&params, "asset_id", view.order.token.as_str())
        })
        .iter()
        .map(wire::order)
        .collect();
    Ok(Json(page(&rows, &params)?))
}

pub(super) async fn order(
    State(exchange): State<Exchange>,
    Path(id): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    let caller = authenticate(&exchange, &method, &uri, &headers, b"")?;
    let found = exchange.order(&id.as_str().into()).filter(|view| view.owner == caller.key);
    found.map(|view| Json(wire::order(&view))).ok_or_else(|| Fail::not_found("order not found"))
}

pub(super) async fn trades(
    State(exchange): State<Exchange>,
    Query(params): Params,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    let caller = authenticate(&exchange, &method, &uri, &headers, b"")?;
    let time = |name: &str| params.get(name).and_then(|text| text.parse::<i64>().ok());
    let (after, before) = (time("after"), time("before"));
    let rows: Vec<Value> = exchange
        .trades_of(&caller.key, |trade| {
            let at = trade.matched_at.secs();
            after.is_none_or(|after| at > after)
                && before.is_none_or(|before| at < before)
                && matches(&params, "id", trade.id.as_str())
                && matches(&params, "market", trade.market.as_str())
                && (matches(&params, "asset_id", trade.taker.token.as_str())
                    || trade.makers.iter().any(|leg| matches(&params, "asset_id", leg.token.as_str())))
        })
        .iter()
        .map(|trade| wire::trade(trade, &caller.key))
        .collect();
    Ok(Json(page(&rows, &params)?))
}

/// Balances in whole millionths; everything is approved.
pub(super) async fn balance(
    State(exchange): State<Exchange>,
    Query(params): Params,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    let caller = authenticate(&exchange, &method, &uri, &headers, b"")?;
    let wallets = derive_wallets(caller.address);
    let owner = match params.get("signature_type").map(String::as_str) {
        Some("1") => wallets.proxy,
        Some("2") => wallets.safe,
        Some("3") => [wallets.deposit_beacon, wallets.deposit_uups]
            .into_iter()
            .find(|wallet| exchange.has_account(&account(*wallet)))
            .unwrap_or(wallets.deposit_beacon),
        _ => caller.address,
    };
    let token = match params.get("asset_type").map(String::as_str) {
        Some("COLLATERAL") => None,
        Some("CONDITIONAL" | "CONDITIONAL-V2") => {
            Some(TokenId::from(params.get("token_id").ok_or_else(|| Fail::bad("Invalid token_id"))?.as_str()))
        }
        _ => return Err(Fail::bad("Invalid asset_type")),
    };
    let amount = exchange.balance(&account(owner), token.as_ref()) * Decimal::from(1_000_000);
    let contracts = Contracts::of(CHAIN).ok_or_else(|| Fail::bad("unknown chain"))?;
    let mut allowances = serde_json::Map::new();
    for (protocol, neg_risk) in [(Protocol::V2, false), (Protocol::V2, true), (Protocol::V3, false)] {
        let spender = contracts.exchange(protocol, neg_risk).address().to_checksum(None);
        allowances.insert(spender, json!(alloy_primitives::U256::MAX.to_string()));
    }
    Ok(Json(json!({ "balance": amount.trunc().normalize().to_string(), "allowances": allowances })))
}

pub(super) async fn notifications(
    State(exchange): State<Exchange>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    authenticate(&exchange, &method, &uri, &headers, b"")?;
    Ok(Json(json!([])))
}

pub(super) async fn drop_notifications(
    State(exchange): State<Exchange>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    authenticate(&exchange, &method, &uri, &headers, b"")?;
    Ok(Json(json!("OK")))
}
