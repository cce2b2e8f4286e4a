use std::collections::BTreeMap;

use serde::Serialize;

use super::{AccountId, AccountKind, OrderStatus, state::State};
use crate::domain::{FillStatus, OrderId, Price, Side, Size, TokenId, TradeId, Usd};

/// The exchange's own view of everything that clients did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// Every order of a client, oldest first.
    pub orders: Vec<TruthOrder>,
    /// Every trade in which a client took part, oldest first.
    pub trades: Vec<TruthTrade>,
    /// Orders of clients that rest now.
    pub open_orders: usize,
    /// Each client's money and shares.
    pub balances: BTreeMap<AccountId, TruthBalance>,
}

/// An order of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TruthOrder {
    /// Id.
    pub id: OrderId,
    /// Whose.
    pub account: AccountId,
    /// Token.
    pub token_id: TokenId,
    /// Side.
    pub side: Side,
    /// Limit price.
    pub price: Price,
    /// Shares asked for.
    pub size: Size,
    /// Shares matched.
    pub matched: Size,
    /// Status in the venue's words.
    pub status: OrderStatus,
}

/// A trade with a client in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TruthTrade {
    /// Id.
    pub id: TradeId,
    /// Settlement.
    pub status: FillStatus,
    /// The crossing order.
    pub taker_order_id: OrderId,
    /// The resting orders.
    pub maker_order_ids: Vec<OrderId>,
    /// Shares.
    pub size: Size,
    /// Price in the taker's token.
    pub price: Price,
}

/// What a client owns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TruthBalance {
    /// pUSD, reservations of resting orders included.
    pub collateral: Usd,
    /// Shares by token.
    pub tokens: BTreeMap<TokenId, Size>,
}

pub(super) fn of(state: &State) -> Truth {
    let orders = state.client_orders().map(|view| TruthOrder {
        id: view.order.id.clone(),
        account: view.account.clone(),
        token_id: view.order.token.clone(),
        side: view.order.side,
        price: view.order.price,
        size: view.order.size,
        matched: view.matched,
        status: view.status.clone(),
    });
    let trades = state.client_trades().map(|trade| TruthTrade {
        id: trade.id.clone(),
        status: trade.status,
        taker_order_id: trade.taker.order.clone(),
        maker_order_ids: trade.makers.iter().map(|leg| leg.order.clone()).collect(),
        size: trade.taker.size,
        price: trade.taker.price,
    });
    let orders: Vec<TruthOrder> = orders.collect();
    let balances =
        state.accounts.iter().filter(|(_, account)| account.kind == AccountKind::Client).map(|(id, account)| {
            let tokens = account.tokens.iter().filter(|(_, shares)| !shares.is_zero());
            let tokens = tokens.map(|(token, shares)| (token.clone(), Size(shares.0.normalize()))).collect();
            (id.clone(), TruthBalance { collateral: Usd(account.collateral.0.normalize()), tokens })
        });
    Truth {
        open_orders: orders.iter().filter(|order| order.status == OrderStatus::Live).count(),
        orders,
        trades: trades.collect(),
        balances: balances.collect(),
    }
}
