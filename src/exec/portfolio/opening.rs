//! What an account had before the books began: its balances say how much, its trades of then what that cost. Pure.

use rust_decimal::Decimal;

use super::{Portfolio, balances::shares_of, journals};
use crate::domain::{Fill, FillStatus, MarketId, Size, Timestamp, TokenId, Usd};

impl Portfolio {
    /// Since when what the account began with is part of the books; nothing before.
    #[must_use]
    pub const fn opened_at(&self) -> Option<Timestamp> {
        self.opened_at
    }

    /// Trades before this need not be asked for. Before the account was taken over that is none: they tell what it has.
    #[must_use]
    pub fn traded_to(&self) -> Timestamp {
        self.opened_at.map_or_else(Timestamp::default, |at| at.max(self.newest()))
    }

    /// Whether this fill is in the books.
    #[must_use]
    pub fn knows(&self, fill: &Fill) -> bool {
        let leg = (fill.order.clone(), fill.trade.clone());
        self.tokens.get(&fill.token).is_some_and(|token| token.fills.contains_key(&leg))
    }

    /// Tokens of which more was bought than sold, or less.
    pub fn held(&self) -> impl Iterator<Item = &TokenId> {
        self.tokens.keys().filter(|token| self.holds(token))
    }

    /// What the venue's pUSD should be by the books alone. Of a trade that is not settled the venue's own word counts: once it is
    /// mined it shows, before that it does not.
    #[must_use]
    pub fn cash_shown(&self) -> Usd {
        self.cash - self.unsettled().filter(|fill| !shows(fill)).map(journals::cash_of).sum()
    }

    /// The same of a token's shares.
    #[must_use]
    pub fn shares_shown(&self, token: &TokenId) -> Size {
        let held = self.holding(token).map_or(Size::ZERO, |holding| holding.shares);
        let hidden = self.unsettled().filter(|fill| fill.token == *token && !shows(fill));
        Size(held.0 - hidden.map(shares_of).sum::<Decimal>())
    }

    /// What `more` shares of a token cost, at the average of these books; the market of its trades besides.
    #[must_use]
    pub fn cost_of(&self, token: &TokenId, more: Decimal) -> Option<(MarketId, Usd)> {
        let position = self.position(token)?;
        let cost = Usd((position.avg_price.0 * more).round_dp(6));
        Some((position.market, cost))
    }
}

fn shows(fill: &Fill) -> bool {
    fill.status == FillStatus::Mined
}
