//! The venue's own view of everything, for tests and for comparing books with it.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};

use super::exchange::{Exchange, Truth};

/// `/state`.
pub(super) fn router(exchange: Exchange) -> Router {
    Router::new().route("/state", get(state)).with_state(exchange)
}

async fn state(State(exchange): State<Exchange>) -> Json<Truth> {
    Json(exchange.truth())
}
