use serde::Serialize;

use super::Order;
use crate::domain::{Side, TimeInForce};

/// What travels beside the signed order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderTerms<'a> {
    /// The API key that posts it.
    pub owner: &'a str,
    /// Order type.
    pub tif: TimeInForce,
    /// Expiry in Unix seconds, 0 for none; only GTD orders have one. Not signed.
    pub expiration: i64,
    /// Refuse rather than take.
    pub post_only: bool,
    /// Let the venue execute it later.
    pub defer_exec: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    order: SignedFields,
    owner: &'a str,
    order_type: &'static str,
    defer_exec: bool,
    post_only: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SignedFields {
    salt: u64,
    maker: String,
    signer: String,
    token_id: String,
    maker_amount: String,
    taker_amount: String,
    side: &'static str,
    expiration: String,
    signature_type: u8,
    timestamp: String,
    metadata: String,
    builder: String,
    signature: String,
}

/// The bytes of `POST /order`, fields in the order in which the venue's clients write them.
///
/// # Errors
/// The salt does not fit a JSON number that the venue reads (above 2^64), or a text cannot be written as JSON.
pub fn post_body(order: &Order, signature: &[u8], terms: &OrderTerms<'_>) -> Result<Vec<u8>, serde_json::Error> {
    let salt = u64::try_from(order.salt).map_err(serde::ser::Error::custom)?;
    let body = Body {
        order: SignedFields {
            salt,
            maker: order.maker.to_checksum(None),
            signer: order.signer.to_checksum(None),
            token_id: order.tokenId.to_string(),
            maker_amount: order.makerAmount.to_string(),
            taker_amount: order.takerAmount.to_string(),
            side: side_word(if order.side == 0 { Side::Buy } else { Side::Sell }),
            expiration: terms.expiration.to_string(),
            signature_type: order.signatureType,
            timestamp: order.timestamp.to_string(),
            metadata: order.metadata.to_string(),
            builder: order.builder.to_string(),
            signature: hex_prefixed(signature),
        },
        owner: terms.owner,
        order_type: tif_word(terms.tif),
        defer_exec: terms.defer_exec,
        post_only: terms.post_only,
    };
    serde_json::to_vec(&body)
}

/// The side on the wire.
#[must_use]
pub const fn side_word(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

/// The order type on the wire.
#[must_use]
pub const fn tif_word(tif: TimeInForce) -> &'static str {
    match tif {
        TimeInForce::Gtc => "GTC",
        TimeInForce::Gtd => "GTD",
        TimeInForce::Fok => "FOK",
        TimeInForce::Fak => "FAK",
    }
}

fn hex_prefixed(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}
