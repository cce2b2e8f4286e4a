use std::sync::Arc;

use serde::Serialize;
use sha1::{Digest, Sha1};

use super::book::{BookSide, OrderBook};
use super::order::{OrderRecord, OrderStatus};
use super::units::decimal;
use crate::domain::{Book, Level, Market, OrderId, Price, Side, Size, TimeInForce, Timestamp, TokenId, TradeId};

/// An order as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderView {
    /// Sorts orders by age.
    pub number: u64,
    /// Id.
    pub id: OrderId,
    /// Its market.
    pub market: Arc<Market>,
    /// Which of the market's tokens: 0 or 1.
    pub index: usize,
    /// Buy or sell.
    pub side: Side,
    /// Limit.
    pub price: Price,
    /// Shares asked for.
    pub size: Size,
    /// Shares matched.
    pub matched: Size,
    /// How long it stands.
    pub tif: TimeInForce,
    /// The time that a GTD order names.
    pub expiration: Option<Timestamp>,
    /// When it was taken.
    pub created_at: Timestamp,
    /// Where it stands.
    pub status: OrderStatus,
    /// Trades it took part in.
    pub trades: Vec<TradeId>,
    /// The wallet it names as maker.
    pub maker: Arc<str>,
    /// The API key it was posted with.
    pub owner: Arc<str>,
}

impl OrderView {
    pub(super) fn of(order: &OrderRecord) -> Self {
        Self {
            number: order.number,
            id: order.id.clone(),
            market: Arc::clone(&order.market),
            index: order.index,
            side: order.side,
            price: Price(decimal(order.price)),
            size: Size(decimal(order.size)),
            matched: Size(decimal(order.matched)),
            tif: order.tif,
            expiration: order.expiration,
            created_at: order.created_at,
            status: order.status,
            trades: order.trades.clone(),
            maker: Arc::clone(&order.maker),
            owner: Arc::clone(&order.owner),
        }
    }

    /// Its token.
    #[must_use]
    pub fn token(&self) -> &TokenId {
        &self.market.tokens[self.index].token
    }
}

/// The last trade in a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastPrice {
    /// Its price.
    pub price: Price,
    /// The taker's side.
    pub side: Side,
}

/// A token's book with all that the venue says along with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookView {
    /// Its market.
    pub market: Arc<Market>,
    /// Which of the market's tokens: 0 or 1.
    pub index: usize,
    /// Best first on both sides.
    pub book: Book,
    /// The last trade, if there was one.
    pub last: Option<LastPrice>,
    /// The venue's checksum of it.
    pub hash: String,
}

impl BookView {
    pub(super) fn of(
        market: &Arc<Market>,
        index: usize,
        book: &OrderBook,
        last: Option<LastPrice>,
        at: Timestamp,
    ) -> Self {
        let levels = |side| {
            let level = |(price, size)| Level { price: Price(decimal(price)), size: Size(decimal(size)) };
            book.depth(index, side).into_iter().map(level).collect()
        };
        let shown = Book {
            market: market.market.clone(),
            token: market.tokens[index].token.clone(),
            bids: levels(Side::Buy),
            asks: levels(Side::Sell),
            event_at: at,
            received_at: at,
            heard_at: None,
        };
        let mut view = Self { market: Arc::clone(market), index, book: shown, last, hash: String::new() };
        view.hash = view.wire().checksum();
        view
    }

    /// As it goes over the wire.
    #[must_use]
    pub fn wire(&self) -> WireBook {
        let levels = |levels: &[Level]| levels.iter().rev().map(WireLevel::of).collect();
        WireBook {
            market: self.market.market.to_string(),
            asset_id: self.book.token.to_string(),
            timestamp: self.book.event_at.millis().to_string(),
            hash: self.hash.clone(),
            bids: levels(&self.book.bids),
            asks: levels(&self.book.asks),
            min_order_size: self.market.min_size.0.normalize().to_string(),
            tick_size: self.market.tick_size.0.normalize().to_string(),
            neg_risk: self.market.neg_risk,
            last_trade_price: self.last.map(|last| last.price.to_string()).unwrap_or_default(),
        }
    }
}

/// A level on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WireLevel {
    /// Decimal text.
    pub price: String,
    /// Decimal text.
    pub size: String,
}

impl WireLevel {
    fn of(level: &Level) -> Self {
        Self { price: level.price.to_string(), size: level.size.to_string() }
    }
}

/// A book on the wire: the best level comes last on both sides. The order of the fields is part of the checksum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WireBook {
    /// Condition id.
    pub market: String,
    /// Token.
    pub asset_id: String,
    /// Milliseconds of its last change.
    pub timestamp: String,
    /// Checksum.
    pub hash: String,
    /// Ascending.
    pub bids: Vec<WireLevel>,
    /// Descending.
    pub asks: Vec<WireLevel>,
    /// Least shares in an order.
    pub min_order_size: String,
    /// Price grid.
    pub tick_size: String,
    /// Whether it belongs to a neg-risk event.
    pub neg_risk: bool,
    /// Empty when nothing was traded yet.
    pub last_trade_price: String,
}

impl WireBook {
    /// SHA-1 of its compact JSON with an empty `hash`.
    fn checksum(&self) -> String {
        let unsigned = Self { hash: String::new(), ..self.clone() };
        // A struct of strings, numbers and lists always serialises; an empty text would only spoil the checksum.
        hex::encode(Sha1::digest(serde_json::to_string(&unsigned).unwrap_or_default()))
    }
}

/// Best bid and ask in millionths.
pub(super) type Best = (Option<i64>, Option<i64>);

/// Best bid and ask of a token.
pub(super) fn best(book: &OrderBook, index: usize) -> Best {
    let at = |side| book.best(BookSide::of(index, side)).map(|price| super::book::mirrored(index, price));
    (at(Side::Buy), at(Side::Sell))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_published_one() {
        let level = |price: &str, size: &str| WireLevel { price: price.to_owned(), size: size.to_owned() };
        let book = WireBook {
            market: format!("0x{}", "01".repeat(32)),
            asset_id: "71321045679252212594626385532706912750332728571942532289631379312455583992563".to_owned(),
            timestamp: "1795348800123".to_owned(),
            hash: "ignored".to_owned(),
            bids: vec![level("0.01", "1000"), level("0.48", "30")],
            asks: vec![level("0.99", "500.5"), level("0.52", "25")],
            min_order_size: "5".to_owned(),
            tick_size: "0.01".to_owned(),
            neg_risk: false,
            last_trade_price: "0.5".to_owned(),
        };
        assert_eq!(book.checksum(), "5a658f8e585aa3fbe00b066cde9caf5eb0c4be70");
    }
}
