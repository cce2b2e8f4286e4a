//! A fill that overtakes a cancel.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::book::{BookSide, mirrored};
use super::event::Touched;
use super::matching::Match;
use super::order::{AccountId, AccountKind, OrderRecord, OrderStatus};
use super::placing::Group;
use super::state::State;
use super::units::{cost_floor, decimal, micros};
use super::view::best;
use crate::domain::{OrderId, TimeInForce, Timestamp};

impl State {
    /// Has a stranger take `part` of what is left of an order, at the order's own price and past whatever rests before it.
    /// A part is cut to hundredths of a share.
    pub(super) fn overtake(&mut self, id: &OrderId, part: Decimal, now: Timestamp) {
        let Some(order) = self.orders.get(id).filter(|order| order.status == OrderStatus::Live) else { return };
        let whole = order.remaining();
        let size =
            if part == Decimal::ONE { whole } else { micros((decimal(whole) * part).trunc_with_scale(2)).unwrap_or(0) };
        if size <= 0 {
            return;
        }
        let maker = order.clone();
        let (market, book_price) = (Arc::clone(&maker.market), mirrored(maker.index, maker.price));
        let Some(listing) = self.markets.get(&market.market) else { return };
        let before = best(&listing.book, 0);
        let taker = self.stranger(&maker, size, now);
        let cash = cost_floor(maker.price, size);
        let met = Match {
            maker: maker.id.clone(),
            maker_index: maker.index,
            book_price,
            size,
            maker_cash: cash,
            taker_cash: cash,
        };
        let trade = self.trade(&taker, &Group { book_price, size, cash, matches: &[met] }, 0, now);
        self.publish(trade, now);
        let touched = Touched::from([(BookSide::of(maker.index, maker.side), book_price)]);
        self.tell_levels(&market.market, &touched, before, true, now);
    }

    /// An order of the house that meets `size` of `maker`.
    fn stranger(&mut self, maker: &OrderRecord, size: i64, now: Timestamp) -> OrderRecord {
        let digest = self.ids.digest("account", "overtaker");
        let account = AccountId::new(format!("0x{}", hex::encode(&digest[12..])));
        self.account_mut(&account).kind = AccountKind::House;
        let number = self.ids.number();
        let id = OrderId::new(format!("0x{}", hex::encode(self.ids.digest("overtaking", &number.to_string()))));
        OrderRecord {
            number,
            id,
            client: false,
            market: Arc::clone(&maker.market),
            index: maker.index,
            side: maker.side.opposite(),
            price: maker.price,
            size,
            matched: size,
            reserved: 0,
            tif: TimeInForce::Fak,
            expiration: None,
            created_at: now,
            status: OrderStatus::Matched,
            trades: Vec::new(),
            maker: Arc::from(account.as_str()),
            owner: Arc::from(self.ids.fixed_uuid("owner", account.as_str())),
            account,
        }
    }
}
