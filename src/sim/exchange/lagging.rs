//! Balances that are shown as they were: the venue's cache when it lags behind.

use std::collections::{BTreeSet, HashMap};

use super::order::{AccountId, OrderRecord};
use super::placing::Group;
use super::state::State;
use crate::domain::{Timestamp, TokenId};

/// What an account had when its balances began to lag, in millionths.
#[derive(Debug)]
pub(super) struct Lagging {
    until: Timestamp,
    collateral: i64,
    shares: HashMap<TokenId, i64>,
}

impl State {
    /// Before a trade is booked: lets the balances of its clients lag where a fault says so.
    pub(super) fn lag(&mut self, taker: &OrderRecord, group: &Group<'_>, now: Timestamp) {
        let makers = group.matches.iter().filter_map(|part| self.orders.get(&part.maker)).filter(|order| order.client);
        let makers = makers.map(|order| order.account.clone());
        let clients: BTreeSet<AccountId> =
            taker.client.then(|| taker.account.clone()).into_iter().chain(makers).collect();
        for account in clients {
            if self.lagging.get(&account).is_some_and(|lagging| now < lagging.until) {
                continue;
            }
            let Some(lasts) = self.faults.balance_lag(now) else { continue };
            let Some(had) = self.accounts.get(&account) else { continue };
            let lagging = Lagging { until: now.plus(lasts), collateral: had.collateral, shares: had.shares.clone() };
            self.lagging.insert(account, lagging);
        }
    }

    /// pUSD, or shares of a token, as the venue shows them.
    pub(super) fn shown(&self, account: &AccountId, token: Option<&TokenId>, now: Timestamp) -> i64 {
        if let Some(lagging) = self.lagging.get(account).filter(|lagging| now < lagging.until) {
            return token.map_or(lagging.collateral, |token| lagging.shares.get(token).copied().unwrap_or(0));
        }
        let Some(account) = self.accounts.get(account) else { return 0 };
        token.map_or(account.collateral, |token| account.shares_of(token))
    }
}
