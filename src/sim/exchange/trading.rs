//! Carrying out a trade: the resting orders, the accounts, the fee.

use std::sync::Arc;

use super::book::mirrored;
use super::event::{ExchangeEvent, OrderChange, PublicTrade};
use super::matching::Match;
use super::order::{OrderRecord, OrderStatus};
use super::placing::{Group, bound_by};
use super::state::State;
use super::trade::{Leg, Trade};
use super::units::decimal;
use super::view::LastPrice;
use crate::domain::{FillStatus, Price, Side, Size, Timestamp, TradeId, Usd};

impl State {
    /// Books one trade of `taker` with everything that it meets at one price.
    pub(super) fn trade(&mut self, taker: &OrderRecord, group: &Group<'_>, fee: i64, now: Timestamp) -> Trade {
        self.lag(taker, group, now);
        let id = TradeId::new(self.ids.uuid("trade"));
        let makers = group.matches.iter().filter_map(|part| self.fill_maker(taker, part, &id, now)).collect();
        let account = self.account_mut(&taker.account);
        account.trade(taker.token(), taker.side, group.size, group.cash);
        account.collateral -= fee;
        self.fees += fee;
        Trade {
            number: self.ids.number(),
            id,
            market: Arc::clone(&taker.market),
            taker: leg(taker, mirrored(taker.index, group.book_price), group.size),
            makers,
            fee: Usd(decimal(fee)),
            status: FillStatus::Matched,
            matched_at: now,
            updated_at: now,
            transaction: None,
        }
    }

    fn fill_maker(&mut self, taker: &OrderRecord, part: &Match, trade: &TradeId, now: Timestamp) -> Option<Leg> {
        let mut maker = self.orders.remove(&part.maker)?;
        if let Some(listing) = self.markets.get_mut(&maker.market.market) {
            let side = super::book::BookSide::of(maker.index, maker.side);
            listing.book.fill(side, part.book_price, &maker.id, part.size);
        }
        if maker.index != taker.index {
            // Two purchases make a pair, two sales dissolve one.
            self.backing += if taker.side == Side::Buy { part.size } else { -part.size };
        }
        maker.matched += part.size;
        let bound = if maker.client { bound_by(&maker) } else { 0 };
        let token = maker.token().clone();
        let account = self.account_mut(&maker.account);
        account.trade(&token, maker.side, part.size, part.maker_cash);
        account.reserve(&token, maker.side, bound - maker.reserved);
        maker.reserved = bound;
        let leg = leg(&maker, maker.price, part.size);
        if maker.remaining() <= 0 {
            maker.status = OrderStatus::Matched;
            account.open.remove(&maker.number);
            if let Some(at) = maker.ends_at() {
                self.endings.remove(&(at, maker.id.clone()));
            }
        }
        if maker.client {
            maker.trades.push(trade.clone());
            self.tell_order(&maker, OrderChange::Update, now);
        }
        if maker.client || maker.status == OrderStatus::Live {
            self.orders.insert(maker.id.clone(), maker);
        }
        Some(leg)
    }

    /// Tells the public and the parties, and keeps the trade when a client has a part in it.
    pub(super) fn publish(&mut self, trade: Trade, now: Timestamp) {
        let (index, price, side) = (trade.taker.index, trade.taker.price, trade.taker.side);
        let own = LastPrice { price, side };
        let mirror = LastPrice { price: price.complement(), side: side.opposite() };
        if let Some(listing) = self.markets.get_mut(&trade.market.market) {
            listing.last = if index == 0 { [Some(own), Some(mirror)] } else { [Some(mirror), Some(own)] };
        }
        for (index, last) in [(index, own), (1 - index, mirror)] {
            if trade.legs().any(|leg| leg.index == index) {
                let public =
                    PublicTrade { market: Arc::clone(&trade.market), index, last, size: trade.taker.size, at: now };
                self.tell(ExchangeEvent::LastTrade(Arc::new(public)));
            }
        }
        if trade.legs().any(|leg| leg.client) {
            self.tell_trade(&Arc::new(trade.clone()), now);
            self.settle_later(trade);
        }
    }
}

fn leg(order: &OrderRecord, price: i64, size: i64) -> Leg {
    Leg {
        order: order.id.clone(),
        account: order.account.clone(),
        client: order.client,
        maker: Arc::clone(&order.maker),
        owner: Arc::clone(&order.owner),
        index: order.index,
        side: order.side,
        price: Price(decimal(price)),
        size: Size(decimal(size)),
    }
}
