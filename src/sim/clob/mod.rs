//! The CLOB on loopback: REST and both sockets, in the venue's wire format, over the exchange.

mod auth;
mod data;
mod market_ws;
mod orders;
mod public;
mod user_ws;
mod wire;

use std::io;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::exchange::Exchange;

/// Largest request body.
const BODY_LIMIT: usize = 256 * 1024;

/// An answer that is not 200: the venue's words in its `error` field.
#[derive(Debug)]
struct Fail(StatusCode, Value);

impl Fail {
    fn bad(words: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, json!({ "error": words.into() }))
    }

    fn not_found(words: impl Into<String>) -> Self {
        Self(StatusCode::NOT_FOUND, json!({ "error": words.into() }))
    }

    fn unauthorised(words: &str) -> Self {
        Self(StatusCode::UNAUTHORIZED, json!({ "error": words }))
    }
}

impl IntoResponse for Fail {
    fn into_response(self) -> Response {
        (self.0, axum::Json(self.1)).into_response()
    }
}

type Answer = Result<axum::Json<Value>, Fail>;

/// Serves the REST part until told to stop.
///
/// # Errors
/// When the listener fails.
pub async fn serve_clob(exchange: Exchange, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
    let router = Router::new()
        .merge(public::routes())
        .route("/auth/api-key", post(auth::create).delete(auth::delete))
        .route("/auth/derive-api-key", get(auth::derive))
        .route("/auth/api-keys", get(auth::list))
        .route("/auth/ban-status/closed-only", get(auth::closed_only))
        .route("/order", post(orders::post_one).delete(orders::cancel_one))
        .route("/orders", post(orders::post_many).delete(orders::cancel_many))
        .route("/cancel-all", delete(orders::cancel_all))
        .route("/cancel-market-orders", delete(orders::cancel_market))
        .route("/v1/heartbeats", post(orders::heartbeat))
        .route("/data/orders", get(data::orders))
        .route("/data/order/{id}", get(data::order))
        .route("/data/trades", get(data::trades))
        .route("/balance-allowance", get(data::balance))
        .route("/balance-allowance/update", get(data::balance))
        .route("/notifications", get(data::notifications).delete(data::drop_notifications))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(exchange);
    axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

/// Serves `/ws/market` and `/ws/user` until told to stop.
///
/// # Errors
/// When the listener fails.
pub async fn serve_clob_ws(exchange: Exchange, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
    let router = Router::new()
        .route("/ws/market", get(market_ws::open))
        .route("/ws/user", get(user_ws::open))
        .with_state((exchange, shutdown.clone()));
    axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await
}
