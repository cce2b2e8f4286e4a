//! The venue's own view of everything, for tests and for comparing books with it; and the faults that it injects.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::exchange::{Exchange, Truth};
use super::faults::{Plan, Report};

/// `/state` and `/faults`.
pub(super) fn router(exchange: Exchange) -> Router {
    Router::new().route("/state", get(state)).route("/faults", get(faults).post(set_faults)).with_state(exchange)
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
