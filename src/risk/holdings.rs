//! What is at stake, seen from the gate: positions, open orders, and intents on their way.

use std::collections::HashMap;

use rust_decimal::Decimal;

use crate::domain::{
    FeeSchedule, IntentId, MarketId, Order, OrderIntent, Position, Price, Side, Size, StrategyId, TokenId, Usd,
};

/// One token's part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenHolding {
    /// Shares held, those in provisional sales included.
    pub held: Size,
    /// What they cost, in pUSD; nothing once the market is resolved.
    pub cost: Usd,
    /// Shares held without those in provisional purchases.
    owned: Size,
    /// Shares in buy orders that are open, unknown or on their way, at full remaining size.
    pub buying: Size,
    /// Shares in such sell orders.
    pub selling: Size,
}

impl TokenHolding {
    /// Shares held, a negative position counted as none: it makes no room for anything.
    #[must_use]
    pub fn held_long(&self) -> Size {
        if self.held < Size::ZERO { Size::ZERO } else { self.held }
    }

    /// Shares held for certain: those in provisional purchases and sales left out.
    #[must_use]
    pub const fn owned(&self) -> Size {
        self.owned
    }

    /// Shares held that are not on sale already.
    #[must_use]
    pub fn sellable(&self) -> Size {
        let free = self.owned - self.selling;
        if free < Size::ZERO { Size::ZERO } else { free }
    }
}

/// Shares that an order may still trade: open, unknown at full size, or on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// Of which intent.
    pub intent: IntentId,
    /// Its market.
    pub market: MarketId,
    /// Its token.
    pub token: TokenId,
    /// Its side.
    pub side: Side,
    /// Its limit price.
    pub price: Price,
    /// Shares not matched yet.
    pub shares: Size,
}

/// Positions and commitments of the whole account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    tokens: HashMap<TokenId, TokenHolding>,
    commitments: Vec<Commitment>,
    gross: Usd,
    strategies: HashMap<StrategyId, Usd>,
    buying: Usd,
    fees: Usd,
}

impl Holdings {
    /// Nothing held.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a position. A resolved one is no longer at stake.
    pub fn add_position(&mut self, position: &Position) {
        let pending = (position.pending_buys, position.pending_sells);
        let resolved = position.payout.is_some();
        self.add_shares(&position.token, position.size, pending, position.avg_price, resolved);
        for part in &position.parts {
            if let Some(strategy) = part.strategy.as_ref().filter(|_| !resolved) {
                self.add_part(strategy, part.size, part.pending_sells, part.avg_price);
            }
        }
    }

    /// Counts a strategy's part in shares that [`Self::add_shares`] has counted as a whole. What it `sold` may come back.
    pub fn add_part(&mut self, strategy: &StrategyId, shares: Size, sold: Size, avg_price: Price) {
        *self.strategies.entry(strategy.clone()).or_default() += cost(shares, sold, avg_price);
    }

    /// Counts shares held. Provisional fills, `(bought, sold)`, count as is worse for each limit: what was sold may come back,
    /// what was bought may never come.
    pub fn add_shares(
        &mut self,
        token: &TokenId,
        shares: Size,
        (bought, sold): (Size, Size),
        avg_price: Price,
        resolved: bool,
    ) {
        let holding = self.tokens.entry(token.clone()).or_default();
        holding.held += shares + sold;
        holding.owned += shares - bought;
        if !resolved {
            let cost = cost(shares, sold, avg_price);
            holding.cost += cost;
            self.gross += cost;
        }
    }

    /// Counts what an order has at stake: what may still be matched, whole when its outcome is unknown, and what was matched
    /// and is in no position yet.
    pub fn add_order(&mut self, order: &Order) {
        if !order.at_stake().is_zero() {
            self.reserve(&order.intent, order.at_stake());
        }
    }

    /// Counts an intent that is approved but not an order yet.
    pub fn add_intent(&mut self, intent: &OrderIntent) {
        self.reserve(intent, intent.size);
    }

    fn reserve(&mut self, intent: &OrderIntent, shares: Size) {
        let holding = self.tokens.entry(intent.token.clone()).or_default();
        match intent.side {
            Side::Buy => {
                holding.buying += shares;
                let notional = intent.price.notional(shares);
                self.gross += notional;
                self.buying += notional;
                *self.strategies.entry(intent.strategy.clone()).or_default() += notional;
            }
            Side::Sell => holding.selling += shares,
        }
        self.commitments.push(Commitment {
            intent: intent.intent.clone(),
            market: intent.market.clone(),
            token: intent.token.clone(),
            side: intent.side,
            price: intent.price,
            shares,
        });
    }

    /// Counts the taker fees that the buys so far may cost, by the schedules of their markets. The limit price is the worst: what
    /// a cheaper share saves is more than what its fee may be higher.
    pub fn charge(&mut self, schedule: impl Fn(&MarketId) -> Option<FeeSchedule>) {
        let fee = |order: &Commitment| {
            schedule(&order.market).map_or(Usd::ZERO, |schedule| schedule.taker_fee(order.price, order.shares))
        };
        self.fees = self.commitments.iter().filter(|order| order.side == Side::Buy).map(fee).sum();
    }

    /// Every order and every intent on its way, in no particular order.
    #[must_use]
    pub fn commitments(&self) -> &[Commitment] {
        &self.commitments
    }

    /// One token's part; zero when nothing is held.
    #[must_use]
    pub fn token(&self, token: &TokenId) -> TokenHolding {
        self.tokens.get(token).copied().unwrap_or_default()
    }

    /// What the tokens outside of `known` cost, buys of them included.
    #[must_use]
    pub fn cost_outside(&self, known: impl Fn(&TokenId) -> bool) -> Usd {
        let held: Usd = self.tokens.iter().filter(|(token, _)| !known(token)).map(|(_, holding)| holding.cost).sum();
        let open = self.commitments.iter().filter(|order| order.side == Side::Buy && !known(&order.token));
        held + open.map(|order| order.price.notional(order.shares)).sum::<Usd>()
    }

    /// A strategy's share in the cost of unresolved positions plus the notional of its buy orders.
    #[must_use]
    pub fn of_strategy(&self, strategy: &StrategyId) -> Usd {
        self.strategies.get(strategy).copied().unwrap_or_default()
    }

    /// What the buy orders may cost, with the fees of the last [`Self::charge`].
    #[must_use]
    pub fn reserved(&self) -> Usd {
        self.buying + self.fees
    }

    /// Cost of unresolved positions plus notional of buy orders.
    #[must_use]
    pub const fn gross(&self) -> Usd {
        self.gross
    }
}

/// What shares cost that are held, and that were sold and may come back.
fn cost(shares: Size, sold: Size, avg_price: Price) -> Usd {
    // Shares that may come back after all were sold have no average any more: at most one pUSD each.
    let price = if shares.is_zero() { Price(Decimal::ONE) } else { avg_price };
    let cost = avg_price.notional(shares.abs()) + price.notional(sold);
    // An average price may have no end; the cost that it stands for is in whole millionths of pUSD.
    Usd(cost.0.round_dp(6).normalize())
}

/// Equity against the peaks of the day and of the rolling window and the day's beginning, all as total `PnL`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Equity {
    /// Now.
    pub current: Usd,
    /// The highest of the UTC day.
    pub peak: Usd,
    /// When the UTC day began.
    pub day_start: Usd,
    /// The highest of the rolling window.
    pub rolling_high: Usd,
}

impl Equity {
    /// What the UTC day has lost so far; zero when it has not.
    #[must_use]
    pub fn day_loss(&self) -> Usd {
        self.below(self.day_start)
    }

    /// How far equity lies below the day's peak; zero at or above it.
    #[must_use]
    pub fn drawdown(&self) -> Usd {
        self.below(self.peak)
    }

    /// How far equity lies below the highest of the rolling window; zero at or above it.
    #[must_use]
    pub fn rolling_loss(&self) -> Usd {
        self.below(self.rolling_high)
    }

    fn below(&self, reference: Usd) -> Usd {
        (reference - self.current).max(Usd::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    #[test]
    fn a_provisional_fill_counts_as_is_worse_for_each_limit() {
        let price = Price(dec!(0.40));
        for (shares, bought, sold, held, sellable, gross) in [
            (dec!(10), dec!(0), dec!(0), dec!(10), dec!(10), dec!(4.0)),
            (dec!(10), dec!(4), dec!(0), dec!(10), dec!(6), dec!(4.0)),
            (dec!(6), dec!(0), dec!(4), dec!(10), dec!(6), dec!(4.0)),
            (dec!(0), dec!(0), dec!(4), dec!(4), dec!(0), dec!(4)),
        ] {
            let mut holdings = Holdings::new();
            let average = if shares.is_zero() { Price::ZERO } else { price };
            holdings.add_shares(&"1".into(), Size(shares), (Size(bought), Size(sold)), average, false);
            let token = holdings.token(&"1".into());
            assert_eq!((token.held, token.sellable(), holdings.gross()), (Size(held), Size(sellable), Usd(gross)));
        }
    }
}
