//! What is at stake, seen from the gate: positions, open orders, and intents on their way.

use std::collections::HashMap;

use rust_decimal::Decimal;

use crate::domain::{IntentId, MarketId, Order, OrderIntent, Position, Price, Side, Size, TokenId, Usd};

/// One token's part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenHolding {
    /// Shares held, those in provisional sales included.
    pub held: Size,
    /// What they cost, in pUSD; nothing once the market is resolved.
    pub cost: Usd,
    /// Shares held without those in provisional purchases.
    owned: Size,
    /// Shares in buy orders that no position shows: open, unknown or on their way at full remaining size, and matched ones of
    /// which the trade is not known yet.
    pub buying: Size,
    /// Shares of such sell orders.
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

/// Shares of an order that are at stake and in no position: open, unknown at full size, on its way, or matched and not booked.
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
    /// Shares that no position shows yet.
    pub shares: Size,
    /// Whether the venue may still match some of them, or is yet to be asked; otherwise they are matched already.
    pub open: bool,
}

/// Positions and commitments of the whole account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    tokens: HashMap<TokenId, TokenHolding>,
    commitments: Vec<Commitment>,
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
            let cost = Usd(cost.0.round_dp(6).normalize());
            holding.cost += cost;
            self.gross += cost;
        }
    }

    /// Counts what of an order no position shows: its remaining size, whole when its outcome is unknown, and what is matched and
    /// not traded yet, even after it has ended.
    pub fn add_order(&mut self, order: &Order) {
        let shares = order.at_stake();
        if !shares.is_zero() {
            self.reserve(&order.intent, shares, order.state.reserves());
        }
    }

    /// Counts an intent that is approved but not an order yet.
    pub fn add_intent(&mut self, intent: &OrderIntent) {
        self.reserve(intent, intent.size, true);
    }

    /// Counts shares of an intent that are traded and in no position yet.
    pub fn add_traded(&mut self, intent: &OrderIntent, shares: Size) {
        self.reserve(intent, shares, false);
    }

    fn reserve(&mut self, intent: &OrderIntent, shares: Size, open: bool) {
        let holding = self.tokens.entry(intent.token.clone()).or_default();
        match intent.side {
            Side::Buy => {
                holding.buying += shares;
                self.gross += intent.price.notional(shares);
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
            open,
        });
    }

    /// Everything at stake that is in no position, in no particular order.
    #[must_use]
    pub fn commitments(&self) -> &[Commitment] {
        &self.commitments
    }

    /// Those of them that the venue may still match: open orders, and intents on their way.
    pub fn open(&self) -> impl Iterator<Item = &Commitment> {
        self.commitments.iter().filter(|commitment| commitment.open)
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

/// Equity against the day's peak and its beginning, all as total `PnL`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Equity {
    /// Now.
    pub current: Usd,
    /// The highest of the UTC day.
    pub peak: Usd,
    /// When the UTC day began.
    pub day_start: Usd,
}

impl Equity {
    /// What the UTC day has lost so far; zero when it has not.
    #[must_use]
    pub fn day_loss(&self) -> Usd {
        let loss = self.day_start - self.current;
        if loss < Usd::ZERO { Usd::ZERO } else { loss }
    }

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
