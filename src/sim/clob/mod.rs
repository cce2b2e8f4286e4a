//! The simulated Polymarket CLOB on the wire: REST with L1 and L2 authentication, the market and the user socket. The wire
//! types are its own; what it knows of signing it computes by itself.
//!
//! A key and the wallets derived from it (proxy, Safe, deposit wallet) share one account, named by the key's address.

mod amounts;
mod auth;
mod data;
mod faulty;
mod keys;
mod line;
mod market_ws;
mod orders;
mod public;
mod reply;
mod socket;
mod teller;
mod user_ws;
mod verify;
mod wallets;
mod wire;

#[cfg(test)]
mod tests;

use std::io;

use axum::Router;
use axum::extract::{State, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::{delete, get, post};
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::exchange::Exchange;
use line::{Line, Lines};

/// Serves the REST API until `shutdown`.
///
/// # Errors
/// What the listener reports.
pub async fn serve_clob(exchange: Exchange, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
    let service = rest(exchange).into_make_service_with_connect_info::<Line>();
    axum::serve(Lines(listener), service).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

/// Serves `/ws/market` and `/ws/user` until `shutdown`, which also ends open sockets.
///
/// # Errors
/// What the listener reports.
pub async fn serve_clob_ws(exchange: Exchange, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
    let router = sockets(exchange, shutdown.clone());
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "sim: TCP_NODELAY");
        }
    });
    axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

fn rest(exchange: Exchange) -> Router {
    let faulty = axum::middleware::from_fn_with_state(exchange.clone(), faulty::inject);
    public_routes().merge(private_routes().route_layer(faulty)).with_state(exchange)
}

fn public_routes() -> Router<Exchange> {
    Router::new()
        .route("/", get(public::ok))
        .route("/ok", get(public::ok))
        .route("/time", get(public::time))
        .route("/version", get(public::version))
        .route("/book", get(public::book))
        .route("/books", post(public::books))
        .route("/midpoint", get(public::midpoint))
        .route("/midpoints", post(public::midpoints))
        .route("/price", get(public::price))
        .route("/prices", post(public::prices))
        .route("/spread", get(public::spread))
        .route("/spreads", post(public::spreads))
        .route("/last-trade-price", get(public::last_trade_price))
        .route("/last-trades-prices", post(public::last_trades_prices))
        .route("/tick-size", get(public::tick_size))
        .route("/neg-risk", get(public::neg_risk))
        .route("/fee-rate", get(public::fee_rate))
        .route("/markets", get(public::markets))
        .route("/markets/{condition}", get(public::market))
        .route("/markets-by-token/{token}", get(public::market_by_token))
        .route("/clob-markets/{condition}", get(public::clob_market))
        .route("/auth/api-key", post(keys::create))
        .route("/auth/derive-api-key", get(keys::derive))
}

fn private_routes() -> Router<Exchange> {
    Router::new()
        .route("/auth/api-key", delete(keys::delete))
        .route("/auth/api-keys", get(keys::list))
        .route("/auth/ban-status/closed-only", get(keys::closed_only))
        .route("/order", post(orders::post_one).delete(orders::cancel_one))
        .route("/orders", post(orders::post_many).delete(orders::cancel_many))
        .route("/cancel-all", delete(orders::cancel_all))
        .route("/cancel-market-orders", delete(orders::cancel_market))
        .route("/data/orders", get(data::orders))
        .route("/data/order/{id}", get(data::order))
        .route("/data/trades", get(data::trades))
        .route("/balance-allowance", get(data::balance))
        .route("/balance-allowance/update", get(data::refresh_balance))
        .route("/v1/heartbeats", post(data::heartbeat))
        .route("/notifications", get(data::notifications).delete(data::drop_notifications))
        .route("/order-scoring", get(data::scoring))
        .route("/orders-scoring", post(data::many_scoring))
}

/// What the sockets need.
#[derive(Clone)]
struct Sockets {
    exchange: Exchange,
    shutdown: CancellationToken,
}

fn sockets(exchange: Exchange, shutdown: CancellationToken) -> Router {
    Router::new()
        .route("/ws/market", get(market_socket))
        .route("/ws/user", get(user_socket))
        .with_state(Sockets { exchange, shutdown })
}

async fn market_socket(State(venue): State<Sockets>, upgrade: WebSocketUpgrade) -> Response {
    let upgrade = upgrade.max_message_size(socket::MOST_BYTES);
    upgrade.on_upgrade(|socket| market_ws::serve(socket, venue.exchange, venue.shutdown))
}

async fn user_socket(State(venue): State<Sockets>, upgrade: WebSocketUpgrade) -> Response {
    let upgrade = upgrade.max_message_size(socket::MOST_BYTES);
    upgrade.on_upgrade(|socket| user_ws::serve(socket, venue.exchange, venue.shutdown))
}
