//! What an account may read of itself: orders, trades, balances, heartbeats.

use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Caller;
use super::line::Line;
use super::reply::{Failure, Reply};
use super::verify::{EXCHANGE, EXCHANGE_V3, NEG_RISK_EXCHANGE};
use super::wire;
use crate::clock;
use crate::domain::{MarketId, OrderId, TokenId, TradeId};
use crate::sim::exchange::{AccountId, Exchange, OrderView, Trade};
use crate::sim::faults::BeatFault;

/// What a wallet that has approved everything shows.
const UNLIMITED: &str = "115792089237316195423570985008687907853269984665640564039457584007913129639935";

fn position(cursor: Option<&String>) -> Result<u64, Failure> {
    wire::position(cursor.map(String::as_str)).ok_or_else(|| Failure::bad("invalid next_cursor"))
}

#[derive(Deserialize)]
pub(super) struct OrderFilter {
    id: Option<OrderId>,
    market: Option<MarketId>,
    asset_id: Option<TokenId>,
    next_cursor: Option<String>,
}

impl OrderFilter {
    fn matches(&self, order: &OrderView) -> bool {
        self.market.as_ref().is_none_or(|market| order.market.market == *market)
            && self.asset_id.as_ref().is_none_or(|token| order.token() == token)
    }
}

/// Open orders; with an id that order in whatever state.
pub(super) async fn orders(
    State(exchange): State<Exchange>,
    Query(filter): Query<OrderFilter>,
    caller: Caller,
) -> Reply {
    let after = position(filter.next_cursor.as_ref())?;
    let found = match &filter.id {
        Some(id) => exchange.order(&caller.account, id).into_iter().filter(|order| order.number > after).collect(),
        None => exchange.open_orders(&caller.account, after),
    };
    let rows = found.iter().filter(|order| filter.matches(order)).take(wire::PAGE + 1);
    Ok(Json(wire::page(rows.map(|order| (order.number, Value::Object(wire::order(order)))).collect())))
}

pub(super) async fn order(State(exchange): State<Exchange>, Path(id): Path<OrderId>, caller: Caller) -> Reply {
    let found = exchange.order(&caller.account, &id).ok_or_else(|| Failure::not_found("order not found"))?;
    Ok(Json(Value::Object(wire::order(&found))))
}

#[derive(Deserialize)]
pub(super) struct TradeFilter {
    id: Option<TradeId>,
    market: Option<MarketId>,
    asset_id: Option<TokenId>,
    maker_address: Option<String>,
    /// Seconds, inclusive.
    before: Option<String>,
    /// Seconds, inclusive.
    after: Option<String>,
    next_cursor: Option<String>,
}

impl TradeFilter {
    fn seconds(text: Option<&String>) -> Result<Option<i64>, Failure> {
        let parse = |text: &String| text.parse().map_err(|_| Failure::bad(format!("invalid timestamp '{text}'")));
        text.map(parse).transpose()
    }

    fn matches(&self, trade: &Trade, account: &AccountId) -> bool {
        let own = || trade.legs().filter(|leg| leg.account == *account);
        self.market.as_ref().is_none_or(|market| trade.market.market == *market)
            && self.asset_id.as_ref().is_none_or(|token| own().any(|leg| trade.token(leg) == token))
            && self.maker_address.as_ref().is_none_or(|maker| own().any(|leg| leg.maker.eq_ignore_ascii_case(maker)))
    }
}

/// The account's trades, newest first.
pub(super) async fn trades(
    State(exchange): State<Exchange>,
    Query(filter): Query<TradeFilter>,
    caller: Caller,
) -> Reply {
    let before = match position(filter.next_cursor.as_ref())? {
        0 => u64::MAX,
        // The end of the list stays the end.
        u64::MAX => 0,
        number => number,
    };
    let (from, to) = (TradeFilter::seconds(filter.after.as_ref())?, TradeFilter::seconds(filter.before.as_ref())?);
    let found: Vec<Arc<Trade>> = match &filter.id {
        Some(id) => exchange.trade(&caller.account, id).into_iter().filter(|trade| trade.number < before).collect(),
        None => exchange.trades(&caller.account, before),
    };
    let wanted = |trade: &&Arc<Trade>| {
        let at = trade.matched_at.secs();
        from.is_none_or(|from| at >= from) && to.is_none_or(|to| at <= to) && filter.matches(trade, &caller.account)
    };
    let rows = found.iter().filter(wanted).take(wire::PAGE + 1);
    let shown = |trade: &Arc<Trade>| (trade.number, Value::Object(wire::trade(trade, &caller.account)));
    Ok(Json(wire::page(rows.map(shown).collect())))
}

#[derive(Deserialize)]
pub(super) struct Asset {
    asset_type: Option<String>,
    token_id: Option<TokenId>,
}

/// Balance in millionths. Every allowance is unlimited: the wallets of the simulation have approved everything.
pub(super) async fn balance(State(exchange): State<Exchange>, Query(asset): Query<Asset>, caller: Caller) -> Reply {
    let token = match (asset.asset_type.as_deref(), &asset.token_id) {
        (Some("COLLATERAL"), _) => None,
        (Some("CONDITIONAL" | "CONDITIONAL-V2"), Some(token)) => Some(token),
        (Some("CONDITIONAL" | "CONDITIONAL-V2"), None) => return Err(Failure::bad("token_id is required")),
        _ => return Err(Failure::bad("asset_type must be COLLATERAL, CONDITIONAL or CONDITIONAL-V2")),
    };
    let spender = |address: alloy_primitives::Address| (address.to_checksum(None), Value::from(UNLIMITED));
    let allowances = [EXCHANGE, NEG_RISK_EXCHANGE, EXCHANGE_V3].into_iter().map(spender).collect();
    let balance = exchange.shown_balance(&caller.account, token, clock::now()).to_string();
    Ok(Json(json!({ "balance": balance, "allowances": Value::Object(allowances) })))
}

/// Has the venue read the balances again, and answers with them.
pub(super) async fn refresh_balance(state: State<Exchange>, asset: Query<Asset>, caller: Caller) -> Reply {
    state.refresh_balances(&caller.account);
    balance(state, asset, caller).await
}

/// One beat of the dead man's switch.
pub(super) async fn heartbeat(
    State(exchange): State<Exchange>,
    ConnectInfo(line): ConnectInfo<Line>,
    caller: Caller,
) -> Reply {
    #[derive(Deserialize)]
    struct Beat {
        heartbeat_id: Option<String>,
    }
    let beat: Beat = serde_json::from_slice(&caller.body).map_err(|_| Failure::bad("Invalid heartbeat payload"))?;
    let (id, now) = (beat.heartbeat_id.unwrap_or_default(), clock::now());
    match exchange.faults().beat(now) {
        Some(BeatFault::Lapsed) => {
            exchange.lapse(&caller.key, now);
            line.cut();
            return Ok(Json(json!({})));
        }
        Some(BeatFault::Stale) => exchange.renew_heartbeat(&caller.account, &caller.key, now),
        None => {}
    }
    let next = exchange.heartbeat(&caller.account, &caller.key, &id, now).map_err(|wrong| {
        let body = json!({ "error_msg": wrong.to_string(), "heartbeat_id": wrong.expected });
        Failure::custom(StatusCode::BAD_REQUEST, body)
    })?;
    Ok(Json(json!({ "heartbeat_id": next })))
}

/// The simulation sends no notifications.
pub(super) async fn notifications(_caller: Caller) -> Reply {
    Ok(Json(json!([])))
}

pub(super) async fn drop_notifications(_caller: Caller) -> Reply {
    Ok(Json(json!("OK")))
}

/// The simulation pays no rewards, so nothing scores.
pub(super) async fn scoring(_caller: Caller) -> Reply {
    Ok(Json(json!({ "scoring": false })))
}

pub(super) async fn many_scoring(caller: Caller) -> Reply {
    let ids: Vec<String> = serde_json::from_slice(&caller.body).map_err(|_| Failure::bad("Invalid order ids"))?;
    Ok(Json(Value::Object(ids.into_iter().map(|id| (id, Value::from(false))).collect())))
}
