//! What is at stake, seen from the gate: positions, open orders, and intents on their way.

use std::collections::HashMap;

use rust_decimal::Decimal;

use crate::domain::{Order, OrderIntent, Position, Price, Side, Size, TokenId, Usd};

/// One token's part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenHolding {
    /// Shares held, those in provisional sales included.
    pub held: Size,
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

    /// Shares held that are not on sale already.
    #[must_use]
    pub fn sellable(&self) -> Size {
        let free = self.owned - self.selling;
        if free < Size::ZERO { Size::ZERO } else { free }
    }
}

/// Positions and commitments of the whole account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    tokens: HashMap<TokenId, TokenHolding>,
    gross: Usd,
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
        self.add_shares(&position.token, position.size, pending, position.avg_price, position.payout.is_some());
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
            // Shares that may come back after all were sold have no average any more: at most one pUSD each.
            let price = if shares.is_zero() { Price(Decimal::ONE) } else { avg_price };
            let cost = avg_price.notional(shares.abs()) + price.notional(sold);
            // An average price may have no end; the cost that it stands for is in whole millionths of pUSD.
            self.gross += Usd(cost.0.round_dp(6).normalize());
        }
    }

    /// Counts an order that still reserves: its remaining size, whole when its outcome is unknown.
    pub fn add_order(&mut self, order: &Order) {
        if order.state.reserves() {
            self.reserve(&order.intent.token, order.intent.side, order.intent.price, order.remaining());
        }
    }

    /// Counts an intent that is approved but not an order yet.
    pub fn add_intent(&mut self, intent: &OrderIntent) {
        self.reserve(&intent.token, intent.side, intent.price, intent.size);
    }

    fn reserve(&mut self, token: &TokenId, side: Side, price: Price, shares: Size) {
        let holding = self.tokens.entry(token.clone()).or_default();
        match side {
            Side::Buy => {
                holding.buying += shares;
                self.gross += price.notional(shares);
            }
            Side::Sell => holding.selling += shares,
        }
    }

    /// One token's part; zero when nothing is held.
    #[must_use]
    pub fn token(&self, token: &TokenId) -> TokenHolding {
        self.tokens.get(token).copied().unwrap_or_default()
    }

    /// Cost of unresolved positions plus notional of buy orders.
    #[must_use]
    pub const fn gross(&self) -> Usd {
        self.gross
    }
}

/// Equity against the day's peak, both as total `PnL`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Equity {
    /// Now.
    pub current: Usd,
    /// The highest of the UTC day.
    pub peak: Usd,
}

impl Equity {
    /// How far equity lies below the peak; zero at or above it.
    #[must_use]
    pub fn drawdown(&self) -> Usd {
        let drawdown = self.peak - self.current;
        if drawdown < Usd::ZERO { Usd::ZERO } else { drawdown }
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
