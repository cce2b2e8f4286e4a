//! The venue's own view of everything, for tests and for comparing books with it; the faults that it injects; and what a test may have
//! happen to a market.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value, json};

use super::exchange::{Exchange, Truth};
use super::faults::{Plan, Report};
use crate::clock;
use crate::domain::{MarketId, Price};

/// `/state`, `/faults` and `/resolve`.
pub(super) fn router(exchange: Exchange) -> Router {
    Router::new()
        .route("/state", get(state))
        .route("/faults", get(faults).post(set_faults))
        .route("/resolve", post(resolve))
        .with_state(exchange)
}

/// Which market, and what a share of each outcome pays.
#[derive(Deserialize)]
struct Resolution {
    market: MarketId,
    payouts: [Price; 2],
}

/// Resolves a market and pays out everybody's shares.
async fn resolve(State(exchange): State<Exchange>, body: Bytes) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    let refused = |status, error: String| (status, Json(json!({ "error": error })));
    let Resolution { market, payouts } = serde_json::from_slice(&body)
        .map_err(|error| refused(StatusCode::BAD_REQUEST, format!("market and two payouts are wanted: {error}")))?;
    let sum = payouts[0] + payouts[1];
    if sum != Price(Decimal::ONE) || payouts.iter().any(|payout| payout.0.is_sign_negative()) {
        let error = format!("payouts {} and {}: none below 0, and together 1, are wanted", payouts[0], payouts[1]);
        return Err(refused(StatusCode::BAD_REQUEST, error));
    }
    exchange.resolve_market(&market, payouts, clock::now());
    let paid = exchange.redeem(&market);
    let paid = paid.ok_or_else(|| refused(StatusCode::NOT_FOUND, format!("market {market} is not listed")))?;
    Ok(Json(json!({ "paid": paid.to_string() })))
}

async fn state(State(exchange): State<Exchange>) -> Json<Truth> {
    Json(exchange.truth())
}

async fn faults(State(exchange): State<Exchange>) -> Json<Report> {
    Json(exchange.faults().report())
}

/// Replaces the plan whole; one that is not right changes nothing.
async fn set_faults(State(exchange): State<Exchange>, body: Bytes) -> Result<Json<Report>, (StatusCode, Json<Value>)> {
    let refused =
        |error: super::faults::BadPlan| (StatusCode::BAD_REQUEST, Json(json!({ "error": error.to_string() })));
    exchange.faults().set(Plan::parse(&body).map_err(refused)?);
    Ok(Json(exchange.faults().report()))
}
