//! Who is calling: L1 by a signature of the key, L2 by the HMAC of the request.

use alloy_primitives::Address;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, Method, StatusCode};
use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;

use super::reply::Failure;
use super::verify;
use crate::clock;
use crate::domain::Timestamp;
use crate::sim::exchange::{AccountId, Credentials, Exchange};

/// How far a client's clock may be off, in seconds.
const CLOCK_TOLERANCE: i64 = 300;
/// No body that the venue takes is larger.
const MOST_BYTES: usize = 1 << 20;
const L1_REFUSED: &str = "Invalid L1 Request headers";
const L2_REFUSED: &str = "Unauthorized/Invalid api key";

/// URL-safe base64 with or without padding, as the clients decode it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A caller with API credentials, and the exact body that they cover.
pub(super) struct Caller {
    pub(super) account: AccountId,
    pub(super) address: Address,
    pub(super) key: String,
    pub(super) body: Bytes,
}

impl FromRequest<Exchange> for Caller {
    type Rejection = Failure;

    async fn from_request(request: Request<Body>, exchange: &Exchange) -> Result<Self, Failure> {
        let (head, body) = request.into_parts();
        let body = whole(body).await?;
        let signed = Signed { method: &head.method, path: head.uri.path(), body: &body };
        let (credentials, address) =
            level2(exchange, &signed, &head.headers, clock::now()).ok_or_else(|| Failure::unauthorized(L2_REFUSED))?;
        Ok(Self { account: credentials.account, address, key: credentials.key, body })
    }
}

/// A body, read to its end.
pub(super) async fn whole(body: Body) -> Result<Bytes, Failure> {
    let too_large = |_| Failure::custom(StatusCode::PAYLOAD_TOO_LARGE, json!({ "error": "body is too large" }));
    axum::body::to_bytes(body, MOST_BYTES).await.map_err(too_large)
}

/// What the HMAC covers, besides the timestamp.
struct Signed<'a> {
    method: &'a Method,
    /// Without the query.
    path: &'a str,
    body: &'a [u8],
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn is_recent(timestamp: &str, now: Timestamp) -> bool {
    timestamp.parse::<i64>().is_ok_and(|at| (now.secs().saturating_sub(at)).abs() <= CLOCK_TOLERANCE)
}

fn level2(
    exchange: &Exchange,
    signed: &Signed<'_>,
    headers: &HeaderMap,
    now: Timestamp,
) -> Option<(Credentials, Address)> {
    let credentials = exchange.credentials(header(headers, "POLY_API_KEY")?)?;
    let address: Address = header(headers, "POLY_ADDRESS")?.parse().ok()?;
    let timestamp = header(headers, "POLY_TIMESTAMP")?;
    if account_of(address) != credentials.account
        || header(headers, "POLY_PASSPHRASE")? != credentials.passphrase
        || !is_recent(timestamp, now)
    {
        return None;
    }
    let given = BASE64.decode(header(headers, "POLY_SIGNATURE")?).ok()?;
    let secret = BASE64.decode(&credentials.secret).ok()?;
    let covers = |body: &[u8]| {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&secret) else { return false };
        for part in [timestamp.as_bytes(), signed.method.as_str().as_bytes(), signed.path.as_bytes(), body] {
            mac.update(part);
        }
        mac.verify_slice(&given).is_ok()
    };
    // py-clob-client-v2 hashes the body with its apostrophes turned into quotes, the other clients as it is.
    let quoted = || signed.body.iter().map(|byte| if *byte == b'\'' { b'"' } else { *byte }).collect::<Vec<u8>>();
    (covers(signed.body) || (signed.body.contains(&b'\'') && covers(&quoted()))).then_some((credentials, address))
}

/// Checks a request for credentials: whose they are to be and which nonce selects them.
pub(super) fn level1(headers: &HeaderMap, now: Timestamp) -> Result<(AccountId, u64), Failure> {
    let refused = || Failure::unauthorized(L1_REFUSED);
    let address: Address = header(headers, "POLY_ADDRESS").and_then(|text| text.parse().ok()).ok_or_else(refused)?;
    let timestamp = header(headers, "POLY_TIMESTAMP").filter(|at| is_recent(at, now)).ok_or_else(refused)?;
    let nonce = header(headers, "POLY_NONCE").unwrap_or("0").parse().map_err(|_| refused())?;
    let signature = header(headers, "POLY_SIGNATURE").and_then(|text| alloy_primitives::hex::decode(text).ok());
    let signer = signature.and_then(|signature| verify::recover_auth(address, timestamp, nonce, &signature));
    if signer == Some(address) { Ok((account_of(address), nonce)) } else { Err(refused()) }
}

/// The account of an address: its checksummed text.
pub(super) fn account_of(address: Address) -> AccountId {
    AccountId::new(address.to_checksum(None))
}

/// The credentials that a user socket's first frame names, if all of them are right.
pub(super) fn by_secret(exchange: &Exchange, key: &str, secret: &str, passphrase: &str) -> Option<Credentials> {
    exchange.credentials(key).filter(|found| found.secret == secret && found.passphrase == passphrase)
}
