use std::collections::{BTreeMap, HashMap};

use super::order::AccountKind;
use crate::domain::{OrderId, Side, TokenId};

/// What an account has and what its open orders bind. Amounts are millionths. The house may go below zero.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) kind: AccountKind,
    pub(super) collateral: i64,
    /// pUSD bound by open purchases.
    pub(super) reserved: i64,
    pub(super) shares: HashMap<TokenId, i64>,
    /// Shares bound by open sales.
    pub(super) reserved_shares: HashMap<TokenId, i64>,
    /// Open orders by the number that they were taken with.
    pub(super) open: BTreeMap<u64, OrderId>,
}

impl Account {
    pub(super) fn new(kind: AccountKind, collateral: i64) -> Self {
        Self {
            kind,
            collateral,
            reserved: 0,
            shares: HashMap::new(),
            reserved_shares: HashMap::new(),
            open: BTreeMap::new(),
        }
    }

    pub(super) fn is_client(&self) -> bool {
        self.kind == AccountKind::Client
    }

    pub(super) fn shares_of(&self, token: &TokenId) -> i64 {
        self.shares.get(token).copied().unwrap_or(0)
    }

    pub(super) fn reserved_shares_of(&self, token: &TokenId) -> i64 {
        self.reserved_shares.get(token).copied().unwrap_or(0)
    }

    /// Books one leg of a trade: a purchase pays and gets shares, a sale the other way round.
    pub(super) fn trade(&mut self, token: &TokenId, side: Side, quantity: i64, cash: i64) {
        let (cash, shares) = match side {
            Side::Buy => (-cash, quantity),
            Side::Sell => (cash, -quantity),
        };
        self.collateral += cash;
        let held = self.shares.entry(token.clone()).or_insert(0);
        *held += shares;
        if *held == 0 {
            self.shares.remove(token);
        }
    }

    /// Binds `by` more (or less, when negative) for an order.
    pub(super) fn reserve(&mut self, token: &TokenId, side: Side, by: i64) {
        match side {
            Side::Buy => self.reserved += by,
            Side::Sell => {
                let bound = self.reserved_shares.entry(token.clone()).or_insert(0);
                *bound += by;
                if *bound == 0 {
                    self.reserved_shares.remove(token);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buying_and_selling_back_leaves_nothing_behind() {
        let token = TokenId::new("1");
        let mut account = Account::new(AccountKind::Client, 10);
        account.trade(&token, Side::Buy, 5, 3);
        assert_eq!((account.collateral, account.shares_of(&token)), (7, 5));
        account.reserve(&token, Side::Sell, 5);
        account.reserve(&token, Side::Sell, -5);
        account.trade(&token, Side::Sell, 5, 3);
        assert_eq!(account.collateral, 10);
        assert!(account.shares.is_empty() && account.reserved_shares.is_empty());
    }
}
