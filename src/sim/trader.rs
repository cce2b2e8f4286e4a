//! Carries out at the exchange what makers and strangers have decided.

use rust_decimal::Decimal;
use sha2::{Digest, Sha256};

use super::exchange::{AccountId, Exchange, NewOrder};
use super::makers::Makers;
use crate::domain::{Book, OrderId, Price, Side, Size, TimeInForce, Timestamp, TokenId};

/// What the book shows at a price.
pub(super) fn shown(book: Option<&Book>, side: Side, price: Price) -> Size {
    let Some(book) = book else { return Size::ZERO };
    let levels = match side {
        Side::Buy => &book.bids,
        Side::Sell => &book.asks,
    };
    levels.iter().find(|level| level.price == price).map_or(Size::ZERO, |level| level.size)
}

/// Places orders of the house at one instant.
pub(super) struct Trader<'a> {
    exchange: &'a Exchange,
    /// How many orders the house has placed: part of their ids.
    orders: &'a mut u64,
    seed: u64,
    now: Timestamp,
}

impl<'a> Trader<'a> {
    pub(super) const fn new(exchange: &'a Exchange, orders: &'a mut u64, seed: u64, now: Timestamp) -> Self {
        Self { exchange, orders, seed, now }
    }

    /// Cancels what the makers no longer want and places what is missing.
    pub(super) fn requote(&mut self, makers: &mut Makers, house: &AccountId) {
        let books = [0, 1].map(|token| self.exchange.book(makers.token(token)));
        let prices = makers.grid_prices();
        let stale = makers.cancels(|place| shown(books[place.0].as_ref(), place.1, prices.of(place)));
        if !stale.is_empty() {
            // What could not be cancelled was traded: it is gone either way.
            let _ = self.exchange.cancel(house, &stale, self.now);
        }
        for token in [0, 1] {
            let book = self.exchange.book(makers.token(token));
            for (place, size) in makers.missing(token, |place| shown(book.as_ref(), place.1, prices.of(place))) {
                let (side, price, shares) = (place.1, prices.of(place), Size(Decimal::from(size)));
                let token = makers.token(token).clone();
                if let Some(order) = self.place(house, token, side, price, shares, TimeInForce::Gtc) {
                    makers.rested(place, order);
                }
            }
        }
    }

    /// The order's id when the exchange took it. The house has no balance to run out of, so a refusal means that the book
    /// moved or closed meanwhile.
    pub(super) fn place(
        &mut self,
        account: &AccountId,
        token: TokenId,
        side: Side,
        price: Price,
        shares: Size,
        tif: TimeInForce,
    ) -> Option<OrderId> {
        *self.orders += 1;
        let digest = Sha256::digest(format!("cockpit sim order {} {}", self.seed, self.orders));
        let id = OrderId::new(format!("0x{}", hex::encode(digest)));
        let order =
            NewOrder { id: id.clone(), token, side, price, size: shares, tif, post_only: false, expiration: None };
        match self.exchange.place(account, order, self.now) {
            Ok(_) => Some(id),
            Err(refusal) => {
                tracing::trace!(?refusal, "sim: an order of the house was refused");
                None
            }
        }
    }
}
