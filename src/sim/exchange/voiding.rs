//! A trade whose settlement failed: money, shares and fee go back; what can no longer be paid for leaves the book.

use super::order::{AccountId, CancelReason};
use super::state::State;
use super::trade::{Leg, Trade};
use super::units::{cost_floor, micros};
use crate::domain::{OrderId, Side, Timestamp, TokenId};

/// Which way a trade is booked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As it was matched.
    There,
    /// As if it had never been.
    Back,
}

impl State {
    /// Undoes a trade and tells whether it could: a client that has passed on what he got would be short, and then the trade
    /// stands.
    pub(super) fn void(&mut self, trade: &Trade, now: Timestamp) -> bool {
        self.carry(trade, Way::Back);
        let clients: Vec<(AccountId, TokenId)> =
            trade.legs().filter(|leg| leg.client).map(|leg| (leg.account.clone(), trade.token(leg).clone())).collect();
        let is_short = |(account, token): &(AccountId, TokenId)| {
            self.accounts.get(account).is_some_and(|account| account.collateral < 0 || account.shares_of(token) < 0)
        };
        if clients.iter().any(is_short) {
            self.carry(trade, Way::There);
            return false;
        }
        for (account, token) in &clients {
            self.drop_unpaid(account, token, now);
        }
        true
    }

    /// Books every leg of a trade, one way or the other. Cash is worked out as at the match.
    fn carry(&mut self, trade: &Trade, way: Way) {
        let taker = &trade.taker;
        let (mut taker_cash, mut minted) = (0, 0);
        for maker in &trade.makers {
            let (price, size) = (micros(maker.price.0).unwrap_or(0), micros(maker.size.0).unwrap_or(0));
            let cash = cost_floor(price, size);
            taker_cash += if maker.index == taker.index { cash } else { size - cash };
            if maker.index != taker.index {
                minted += if taker.side == Side::Buy { size } else { -size };
            }
            self.carry_leg(trade, maker, cash, way);
        }
        self.carry_leg(trade, taker, taker_cash, way);
        let sign = if way == Way::There { 1 } else { -1 };
        let fee = sign * micros(trade.fee.0).unwrap_or(0);
        self.account_mut(&taker.account).collateral -= fee;
        self.fees += fee;
        self.backing += sign * minted;
    }

    fn carry_leg(&mut self, trade: &Trade, leg: &Leg, cash: i64, way: Way) {
        let side = if way == Way::There { leg.side } else { leg.side.opposite() };
        let size = micros(leg.size.0).unwrap_or(0);
        self.account_mut(&leg.account).trade(trade.token(leg), side, size, cash);
    }

    /// Cancels the newest orders until what is bound is there again.
    fn drop_unpaid(&mut self, account: &AccountId, token: &TokenId, now: Timestamp) {
        while let Some(order) = self.unpaid(account, token) {
            self.end(&[order], CancelReason::NotEnoughBalance, now);
        }
    }

    fn unpaid(&self, account: &AccountId, token: &TokenId) -> Option<OrderId> {
        let account = self.accounts.get(account)?;
        let side = if account.reserved > account.collateral {
            Side::Buy
        } else if account.reserved_shares_of(token) > account.shares_of(token) {
            Side::Sell
        } else {
            return None;
        };
        let binds = |id: &&OrderId| {
            self.orders
                .get(*id)
                .is_some_and(|order| order.side == side && (side == Side::Buy || order.token() == token))
        };
        account.open.values().rev().find(binds).cloned()
    }
}
