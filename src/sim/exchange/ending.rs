//! How orders end without a match: cancelled, expired, swept, or with their market.

use std::collections::BTreeMap;

use super::book::{BookSide, mirrored};
use super::event::{OrderChange, Touched};
use super::order::{AccountId, CancelReason, Cancelled, OrderStatus};
use super::state::State;
use super::view::{Best, best};
use crate::domain::{MarketId, OrderId, Timestamp};

const GONE: &str = "Order not found or already canceled";
const MATCHED: &str = "Order already matched";

impl State {
    /// Cancels what is the account's and open.
    pub(super) fn cancel(&mut self, account: &AccountId, ids: &[OrderId], now: Timestamp) -> Cancelled {
        let mut answer = Cancelled::default();
        for id in ids {
            let is_open = self
                .orders
                .get(id)
                .is_some_and(|order| order.client && order.account == *account && order.status == OrderStatus::Live);
            if let Some(part) = is_open.then(|| self.faults.cancel_race(now)).flatten() {
                self.overtake(id, part, now);
            }
            match self.orders.get(id).filter(|order| order.account == *account).map(|order| order.status) {
                Some(OrderStatus::Live) if answer.cancelled.contains(id) => {}
                Some(OrderStatus::Live) => answer.cancelled.push(id.clone()),
                Some(OrderStatus::Matched) => answer.not_cancelled.push((id.clone(), MATCHED)),
                Some(OrderStatus::Cancelled(_)) | None => answer.not_cancelled.push((id.clone(), GONE)),
            }
        }
        self.end(&answer.cancelled, CancelReason::Request, now);
        answer
    }

    /// Takes open orders off the book.
    pub(super) fn end(&mut self, ids: &[OrderId], reason: CancelReason, now: Timestamp) {
        let mut touched: BTreeMap<MarketId, (Touched, Best)> = BTreeMap::new();
        for id in ids {
            let Some(mut order) = self.orders.remove(id) else { continue };
            if order.status != OrderStatus::Live {
                self.orders.insert(id.clone(), order);
                continue;
            }
            let (side, price) = (BookSide::of(order.index, order.side), mirrored(order.index, order.price));
            if let Some(listing) = self.markets.get_mut(&order.market.market) {
                let before = best(&listing.book, 0);
                let entry = touched.entry(order.market.market.clone()).or_insert_with(|| (Touched::new(), before));
                entry.0.insert((side, price));
                listing.book.remove(side, price, id);
            }
            let (token, released) = (order.token().clone(), -order.reserved);
            let account = self.account_mut(&order.account);
            account.open.remove(&order.number);
            account.reserve(&token, order.side, released);
            order.reserved = 0;
            if let Some(at) = order.ends_at() {
                self.endings.remove(&(at, id.clone()));
            }
            order.status = OrderStatus::Cancelled(reason);
            self.tell_order(&order, OrderChange::Cancellation, now);
            if order.client {
                self.orders.insert(id.clone(), order);
            }
        }
        for (market, (levels, before)) in touched {
            self.tell_levels(&market, &levels, before, false, now);
        }
    }

    /// Ends every GTD order whose time is over.
    pub(super) fn expire(&mut self, now: Timestamp) {
        let over: Vec<OrderId> =
            self.endings.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| id.clone()).collect();
        self.end(&over, CancelReason::Expired, now);
    }
}
