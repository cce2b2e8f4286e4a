use std::collections::BTreeMap;

use serde::Serialize;

use super::order::{AccountKind, CancelReason, OrderStatus};
use super::state::State;
use super::units::decimal;
use crate::domain::{Price, Side, Size, Usd};

/// An order as the venue knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TruthOrder {
    /// Id.
    pub id: String,
    /// Whose.
    pub account: String,
    /// Token.
    pub token_id: String,
    /// `BUY` or `SELL`.
    pub side: &'static str,
    /// Limit.
    pub price: Price,
    /// Shares asked for.
    pub size: Size,
    /// Shares matched.
    pub matched: Size,
    /// The venue's word.
    pub status: &'static str,
    /// Whether the dead man's switch has cancelled it.
    pub swept: bool,
}

/// A trade as the venue knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TruthTrade {
    /// Id.
    pub id: String,
    /// `MATCHED`, `MINED`, `CONFIRMED`, and with faults `RETRYING` and `FAILED`.
    pub status: String,
    /// The incoming order.
    pub taker_order_id: String,
    /// The resting ones.
    pub maker_order_ids: Vec<String>,
    /// Shares.
    pub size: Size,
    /// Price, in terms of the taker's token.
    pub price: Price,
    /// What the taker pays on top.
    pub fee: Usd,
}

/// What an account has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TruthBalance {
    /// pUSD.
    pub collateral: Usd,
    /// Shares by token.
    pub tokens: BTreeMap<String, Size>,
}

/// The venue's own view of its clients: what tests compare with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// Client orders, oldest first; the last 20,000.
    pub orders: Vec<TruthOrder>,
    /// Trades in which a client took part, oldest first; the last 20,000.
    pub trades: Vec<TruthTrade>,
    /// Open client orders.
    pub open_orders: usize,
    /// By client account.
    pub balances: BTreeMap<String, TruthBalance>,
}

impl State {
    pub(super) fn truth(&self) -> Truth {
        let orders = self.client_orders.values().filter_map(|id| self.orders.get(id)).map(|order| TruthOrder {
            id: order.id.to_string(),
            account: order.account.to_string(),
            token_id: order.token().to_string(),
            side: match order.side {
                Side::Buy => "BUY",
                Side::Sell => "SELL",
            },
            price: Price(decimal(order.price)),
            size: Size(decimal(order.size)),
            matched: Size(decimal(order.matched)),
            status: order.status.text(),
            swept: order.status == OrderStatus::Cancelled(CancelReason::Swept),
        });
        let trades = self.trades.values().map(|trade| TruthTrade {
            id: trade.id.to_string(),
            status: trade.status.to_string().to_uppercase(),
            taker_order_id: trade.taker.order.to_string(),
            maker_order_ids: trade.makers.iter().map(|leg| leg.order.to_string()).collect(),
            size: trade.taker.size,
            price: trade.taker.price,
            fee: trade.fee,
        });
        let clients = || self.accounts.iter().filter(|(_, account)| account.kind == AccountKind::Client);
        let balances = clients().map(|(id, account)| {
            let tokens = account.shares.iter().map(|(token, size)| (token.to_string(), Size(decimal(*size))));
            (id.to_string(), TruthBalance { collateral: Usd(decimal(account.collateral)), tokens: tokens.collect() })
        });
        Truth {
            orders: orders.collect(),
            trades: trades.collect(),
            open_orders: clients().map(|(_, account)| account.open.len()).sum(),
            balances: balances.collect(),
        }
    }
}
