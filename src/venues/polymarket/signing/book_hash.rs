use serde::Serialize;
use sha1::{Digest, Sha1};

/// A level as text, so that it is hashed as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LevelText<'a> {
    /// Price.
    pub price: &'a str,
    /// Size.
    pub size: &'a str,
}

/// A book as the venue writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BookText<'a> {
    /// Condition id.
    pub market: &'a str,
    /// Token.
    pub asset_id: &'a str,
    /// Milliseconds, as text.
    pub timestamp: &'a str,
    /// Buyers, best last.
    pub bids: Vec<LevelText<'a>>,
    /// Sellers, best last.
    pub asks: Vec<LevelText<'a>>,
    /// Smallest order in shares.
    pub min_order_size: &'a str,
    /// Price grid.
    pub tick_size: &'a str,
    /// Whether it is a neg-risk market.
    pub neg_risk: bool,
    /// Empty when nothing was traded yet.
    pub last_trade_price: &'a str,
}

/// What is hashed, in this order.
#[derive(Serialize)]
struct Hashed<'a> {
    market: &'a str,
    asset_id: &'a str,
    timestamp: &'a str,
    hash: &'static str,
    bids: &'a [LevelText<'a>],
    asks: &'a [LevelText<'a>],
    min_order_size: &'a str,
    tick_size: &'a str,
    neg_risk: bool,
    last_trade_price: &'a str,
}

/// The `hash` field of a book: SHA-1 over its compact JSON with that field empty.
///
/// # Errors
/// A text cannot be written as JSON.
pub fn book_hash(book: &BookText<'_>) -> Result<String, serde_json::Error> {
    let hashed = Hashed {
        market: book.market,
        asset_id: book.asset_id,
        timestamp: book.timestamp,
        hash: "",
        bids: &book.bids,
        asks: &book.asks,
        min_order_size: book.min_order_size,
        tick_size: book.tick_size,
        neg_risk: book.neg_risk,
        last_trade_price: book.last_trade_price,
    };
    Ok(hex::encode(Sha1::digest(serde_json::to_vec(&hashed)?)))
}
