//! API credentials over HTTP.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::auth::{Caller, level1};
use super::reply::{Failure, Reply};
use crate::clock;
use crate::sim::exchange::{Credentials, Exchange};

fn shown(credentials: &Credentials) -> Json<Value> {
    let Credentials { key, secret, passphrase, .. } = credentials;
    Json(json!({ "apiKey": key, "secret": secret, "passphrase": passphrase }))
}

pub(super) async fn create(State(exchange): State<Exchange>, headers: HeaderMap) -> Reply {
    let (account, nonce) = level1(&headers, clock::now())?;
    let made = exchange.create_key(&account, nonce).ok_or_else(|| Failure::bad("Could not create api key"))?;
    Ok(shown(&made))
}

pub(super) async fn derive(State(exchange): State<Exchange>, headers: HeaderMap) -> Reply {
    let (account, nonce) = level1(&headers, clock::now())?;
    let found = exchange.derive_key(&account, nonce).ok_or_else(|| Failure::bad("Could not derive api key!"))?;
    Ok(shown(&found))
}

pub(super) async fn list(State(exchange): State<Exchange>, caller: Caller) -> Reply {
    Ok(Json(json!({ "apiKeys": exchange.keys_of(&caller.account) })))
}

pub(super) async fn delete(State(exchange): State<Exchange>, caller: Caller) -> Reply {
    exchange.delete_key(&caller.key);
    Ok(Json(json!("OK")))
}

pub(super) async fn closed_only(_caller: Caller) -> Reply {
    Ok(Json(json!({ "closed_only": false })))
}
