//! L1 (a signature of the key) makes and derives API credentials; L2 (an HMAC) proves them on every private call.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::json;
use sha2::{Digest, Sha256};

use alloy_primitives::Address;

use super::{Answer, Fail};
use crate::clock;
use crate::sim::exchange::{AccountId, Exchange};
use crate::venues::polymarket::signing::{ApiCredentials, L2Signer, derive_wallets, l1_digest, recover};

/// The only chain.
pub(super) const CHAIN: u64 = 137;
/// Furthest that a signed timestamp may be off.
const SKEW_SECS: i64 = 300;
/// Nonces that are looked through for a key.
const NONCES: u64 = 16;

/// Who calls.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) address: Address,
    pub(super) key: String,
}

impl Caller {
    pub(super) fn account(&self) -> AccountId {
        account(self.address)
    }
}

pub(super) fn account(address: Address) -> AccountId {
    AccountId::new(address.to_checksum(None))
}

fn digest(exchange: &Exchange, parts: &[&str]) -> [u8; 32] {
    Sha256::digest(format!("{}:{}", exchange.seed(), parts.join(":"))).into()
}

/// The API key of an address and nonce: a UUID that is always the same.
fn key_of(exchange: &Exchange, address: Address, nonce: u64) -> String {
    let hex = hex::encode(digest(exchange, &["key", &address.to_checksum(None), &nonce.to_string()]));
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[12..15], &hex[15..18], &hex[18..30])
}

/// Secret and passphrase of an API key.
pub(super) fn credentials(exchange: &Exchange, key: &str) -> ApiCredentials {
    let secret = URL_SAFE.encode(digest(exchange, &["secret", key]));
    ApiCredentials::new(key, secret, hex::encode(digest(exchange, &["passphrase", key])))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Checks a private call: address, key, passphrase, time and the HMAC over exactly these bytes.
pub(super) fn authenticate(
    exchange: &Exchange,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Caller, Fail> {
    let refuse = || Fail::unauthorised("Unauthorized/Invalid api key");
    let address: Address = header(headers, "POLY_ADDRESS").and_then(|text| text.parse().ok()).ok_or_else(refuse)?;
    let key = header(headers, "POLY_API_KEY").ok_or_else(refuse)?;
    let timestamp: i64 = header(headers, "POLY_TIMESTAMP").and_then(|text| text.parse().ok()).ok_or_else(refuse)?;
    let known = (0..NONCES).any(|nonce| key_of(exchange, address, nonce) == key);
    let issued = exchange.owner_of(&account(address)) == key;
    let credentials = credentials(exchange, key);
    let passphrase = header(headers, "POLY_PASSPHRASE") == Some(credentials.passphrase());
    let fresh = (clock::now().secs() - timestamp).abs() <= SKEW_SECS;
    let signer = L2Signer::new(address, credentials).map_err(|_| refuse())?;
    let signature = header(headers, "POLY_SIGNATURE").ok_or_else(refuse)?;
    let signed = signer.verify(signature, timestamp, method.as_str(), uri.path(), body);
    if known && issued && passphrase && fresh && signed {
        Ok(Caller { address, key: key.to_owned() })
    } else {
        Err(refuse())
    }
}

/// The address and nonce of an L1 call.
fn level_one(headers: &HeaderMap) -> Result<(Address, u64), Fail> {
    let refuse = || Fail::unauthorised("Invalid L1 Request headers");
    let address: Address = header(headers, "POLY_ADDRESS").and_then(|text| text.parse().ok()).ok_or_else(refuse)?;
    let timestamp: i64 = header(headers, "POLY_TIMESTAMP").and_then(|text| text.parse().ok()).ok_or_else(refuse)?;
    let nonce: u64 = header(headers, "POLY_NONCE").and_then(|text| text.parse().ok()).ok_or_else(refuse)?;
    let signature = header(headers, "POLY_SIGNATURE")
        .and_then(|text| hex::decode(text.trim_start_matches("0x")).ok())
        .ok_or_else(refuse)?;
    let by = recover(&l1_digest(address, CHAIN, timestamp, nonce), &signature).map_err(|_| refuse())?;
    let fresh = (clock::now().secs() - timestamp).abs() <= SKEW_SECS;
    if by == address && fresh { Ok((address, nonce)) } else { Err(refuse()) }
}

pub(super) async fn create(State(exchange): State<Exchange>, headers: HeaderMap) -> Answer {
    let (address, nonce) = level_one(&headers)?;
    let own = account(address);
    if !exchange.has_account(&own) {
        return Err(Fail::bad(format!("no account for {}", own.as_str())));
    }
    let key = key_of(&exchange, address, nonce);
    if exchange.owner_of(&own) == key {
        return Err(Fail::bad("Could not create api key"));
    }
    let wallets = derive_wallets(address);
    for wallet in [address, wallets.proxy, wallets.safe, wallets.deposit_beacon, wallets.deposit_uups] {
        exchange.set_owner(&account(wallet), &key);
    }
    Ok(show(&exchange, &key))
}

pub(super) async fn derive(State(exchange): State<Exchange>, headers: HeaderMap) -> Answer {
    let (address, nonce) = level_one(&headers)?;
    let key = key_of(&exchange, address, nonce);
    if exchange.owner_of(&account(address)) != key {
        return Err(Fail::bad("Could not derive api key!"));
    }
    Ok(show(&exchange, &key))
}

fn show(exchange: &Exchange, key: &str) -> axum::Json<serde_json::Value> {
    let credentials = credentials(exchange, key);
    axum::Json(json!({ "apiKey": key, "secret": credentials.secret(), "passphrase": credentials.passphrase() }))
}

pub(super) async fn list(State(exchange): State<Exchange>, method: Method, uri: Uri, headers: HeaderMap) -> Answer {
    let caller = authenticate(&exchange, &method, &uri, &headers, b"")?;
    Ok(axum::Json(json!({ "apiKeys": [caller.key] })))
}

pub(super) async fn delete(
    State(exchange): State<Exchange>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let caller = authenticate(&exchange, &method, &uri, &headers, &body)?;
    exchange.set_owner(&caller.account(), "");
    Ok(axum::Json(json!("OK")))
}

pub(super) async fn closed_only(
    State(exchange): State<Exchange>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    authenticate(&exchange, &method, &uri, &headers, b"")?;
    Ok(axum::Json(json!({ "closed_only": false })))
}
