//! Balances. A resting buy reserves collateral, a resting sell reserves shares; the house is never checked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rust_decimal::Decimal;

use super::{AccountKind, OrderView};
use crate::domain::{OrderId, Side, Size, Timestamp, TokenId, Usd};

/// Silence after which the dead man's switch acts.
const HEARTBEAT_LIFE: Duration = Duration::from_secs(10);

/// One account.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) kind: AccountKind,
    pub(super) owner: String,
    pub(super) collateral: Usd,
    pub(super) tokens: BTreeMap<TokenId, Size>,
    pub(super) live: BTreeSet<OrderId>,
    pub(super) beat: Option<Beat>,
}

/// The dead man's switch of an account that has armed it.
#[derive(Clone, Debug)]
pub(super) struct Beat {
    pub(super) id: String,
    pub(super) at: Timestamp,
}

impl Beat {
    pub(super) fn lapsed(&self, now: Timestamp) -> bool {
        now.since(self.at) > HEARTBEAT_LIFE
    }
}

impl Account {
    pub(super) const fn new(kind: AccountKind, collateral: Usd) -> Self {
        Self { kind, owner: String::new(), collateral, tokens: BTreeMap::new(), live: BTreeSet::new(), beat: None }
    }

    pub(super) fn shares(&self, token: &TokenId) -> Size {
        self.tokens.get(token).copied().unwrap_or_default()
    }

    pub(super) fn give(&mut self, token: &TokenId, shares: Size) {
        *self.tokens.entry(token.clone()).or_default() += shares;
    }

    pub(super) fn take(&mut self, token: &TokenId, shares: Size) {
        *self.tokens.entry(token.clone()).or_default() -= shares;
    }

    /// Whether it can afford an order on top of those that rest.
    pub(super) fn affords<'a>(
        &self,
        side: Side,
        token: &TokenId,
        cost: Usd,
        shares: Size,
        resting: impl Iterator<Item = &'a OrderView>,
    ) -> Result<(), String> {
        if self.kind == AccountKind::House {
            return Ok(());
        }
        let (balance, needed, reserved) = match side {
            Side::Buy => {
                let reserved: Usd =
                    resting.filter(|o| o.order.side == Side::Buy).map(|o| o.order.price.notional(o.remaining())).sum();
                (self.collateral.0, cost.0, reserved.0)
            }
            Side::Sell => {
                let reserved: Size = resting
                    .filter(|o| o.order.side == Side::Sell && o.order.token == *token)
                    .map(OrderView::remaining)
                    .sum();
                (self.shares(token).0, shares.0, reserved.0)
            }
        };
        if reserved + needed <= balance {
            return Ok(());
        }
        let micro = |amount: Decimal| (amount * Decimal::from(1_000_000)).trunc().normalize();
        Err(format!(
            "not enough balance / allowance: the balance is not enough -> balance: {}, sum of active orders: {}, order amount: {}",
            micro(balance),
            micro(reserved),
            micro(needed)
        ))
    }
}
