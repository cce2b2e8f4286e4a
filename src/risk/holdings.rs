//! What is at stake, seen from the gate: positions, open orders, and intents on their way.

use std::collections::BTreeMap;

use crate::domain::{
    FeeSchedule, IntentId, Lot, Map, Market, MarketId, Order, OrderIntent, Position, Price, Side, Size, StrategyId,
    TokenId, Usd,
};

/// One token's part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenHolding {
    /// Shares held, those in provisional sales included.
    pub held: Size,
    /// What they cost with their fees, in pUSD; nothing once the market is resolved.
    pub cost: Usd,
    /// What confirmed purchases cost less what confirmed sales brought, fees included; nothing once the market is resolved.
    pub paid: Usd,
    /// Shares held by confirmed fills alone.
    pub confirmed: Size,
    /// Shares held without those in provisional purchases.
    owned: Size,
    /// Shares in buy orders that no position shows: open, unknown or on their way at full remaining size, and matched ones of
    /// which the trade is not known yet.
    pub buying: Size,
    /// Shares of such sell orders.
    pub selling: Size,
    /// What those buy orders may cost, fees included.
    buying_cost: Usd,
    /// What orders and provisional fills may lose at most, when the token pays and when it does not.
    may_lose: [Usd; 2],
}

impl TokenHolding {
    /// Shares held, a negative position counted as none: it makes no room for anything.
    #[must_use]
    pub fn held_long(&self) -> Size {
        if self.held < Size::ZERO { Size::ZERO } else { self.held }
    }

    /// What orders and provisional fills may lose at most, by whether the token pays.
    pub(super) const fn may_lose(&self, pays: bool) -> Usd {
        self.may_lose[if pays { 0 } else { 1 }]
    }

    /// Adds what a position shows, or takes it out again.
    fn count(&mut self, position: &Self, add: bool) {
        let shares = |sum: &mut Size, more: Size| *sum = if add { *sum + more } else { *sum - more };
        let pusd = |sum: &mut Usd, more: Usd| *sum = if add { *sum + more } else { *sum - more };
        shares(&mut self.held, position.held);
        shares(&mut self.confirmed, position.confirmed);
        shares(&mut self.owned, position.owned);
        pusd(&mut self.cost, position.cost);
        pusd(&mut self.paid, position.paid);
        self.lose(position.may_lose, add);
    }

    fn lose(&mut self, more: [Usd; 2], add: bool) {
        for (sum, more) in self.may_lose.iter_mut().zip(more) {
            *sum = if add { *sum + more } else { *sum - more };
        }
    }

    /// Shares held that are not on sale already.
    #[must_use]
    pub fn sellable(&self) -> Size {
        let free = self.owned - self.selling;
        if free < Size::ZERO { Size::ZERO } else { free }
    }
}

/// What of a position counts: the same for two that differ in marks and profit alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionStake {
    token: TokenId,
    holding: TokenHolding,
    /// Whose it is: shares without those in provisional purchases, and their cost.
    owners: Vec<(StrategyId, Size, Usd)>,
}

impl PositionStake {
    /// Of a position. A resolved one is no longer at stake, its shares are still held. Provisional fills count as is worse for each limit:
    /// what was sold may come back, what was bought may never come.
    #[must_use]
    pub fn of(position: &Position) -> Self {
        let open = position.payout.is_none();
        // A share of a sum may have no end; the cost that it stands for is in whole millionths of pUSD.
        let exact = |amount: Usd| if open { Usd(amount.0.round_dp(6).normalize()) } else { Usd::ZERO };
        let mut holding = TokenHolding {
            held: position.size + position.pending_sells,
            owned: position.size - position.pending_buys,
            ..TokenHolding::default()
        };
        if open {
            holding.confirmed = position.confirmed;
            holding.cost = exact(position.at_stake);
            holding.paid = position.paid;
            for Lot { side, price, size, fee } in position.provisional.iter().copied() {
                holding.lose(may_lose(side, price, size, fee), true);
            }
        }
        let parts = position.parts.iter().filter_map(|part| {
            let strategy = part.strategy.clone()?;
            Some((strategy, part.size - part.pending_buys, exact(part.at_stake)))
        });
        Self { token: position.token.clone(), holding, owners: parts.collect() }
    }

    /// Of which token.
    #[must_use]
    pub const fn token(&self) -> &TokenId {
        &self.token
    }

    /// Whether nothing of it counts.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        let nothing = |(_, shares, cost): &(StrategyId, Size, Usd)| shares.is_zero() && *cost == Usd::ZERO;
        self.holding == TokenHolding::default() && self.owners.iter().all(nothing)
    }
}

/// Shares of an order that are at stake and in no position: open, unknown at full size, on its way, or matched and not booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// Of which intent.
    pub intent: IntentId,
    /// Whose.
    pub strategy: StrategyId,
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
    /// What they may cost in fees.
    pub fee: Usd,
    /// Whether the venue may still match some of them, or is yet to be asked; otherwise they are matched already.
    pub open: bool,
}

impl Commitment {
    /// So many shares of an intent, by what its market charges.
    #[must_use]
    pub fn of(intent: &OrderIntent, shares: Size, open: bool, fees: FeeSchedule) -> Self {
        Self::with_fee(intent, shares, open, intent.worst_fee(shares, fees))
    }

    /// So many shares of an intent, and what they may cost in fees.
    #[must_use]
    pub fn with_fee(intent: &OrderIntent, shares: Size, open: bool, fee: Usd) -> Self {
        Self {
            intent: intent.intent.clone(),
            strategy: intent.strategy.clone(),
            market: intent.market.clone(),
            token: intent.token.clone(),
            side: intent.side,
            price: intent.price,
            shares,
            fee,
            open,
        }
    }

    /// What of an order no position shows: its remaining size, whole when its outcome is unknown, and what is matched and not traded
    /// yet, even after it has ended.
    #[must_use]
    pub fn of_order(order: &Order, fees: FeeSchedule) -> Option<Self> {
        let shares = order.at_stake();
        (!shares.is_zero()).then(|| Self::of(&order.intent, shares, order.state.reserves(), fees))
    }

    /// What it may cost, the fee included.
    #[must_use]
    pub fn cost(&self) -> Usd {
        self.price.notional(self.shares) + self.fee
    }

    /// What it may lose at most, when its token pays and when it does not.
    pub(super) fn may_lose(&self) -> [Usd; 2] {
        may_lose(self.side, self.price, self.shares, self.fee)
    }
}

/// What shares at a price may lose, when their token pays and when it does not: they may be matched, or not.
pub(super) fn may_lose(side: Side, price: Price, shares: Size, fee: Usd) -> [Usd; 2] {
    let paid = price.notional(shares);
    [Usd(shares.0), Usd::ZERO].map(|payout| {
        let added = fee + if side == Side::Buy { paid - payout } else { payout - paid };
        added.max(Usd::ZERO)
    })
}

/// Positions and commitments of the whole account.
#[derive(Clone, Debug, Default)]
pub struct Holdings {
    tokens: Map<TokenId, TokenHolding>,
    commitments: Map<IntentId, Vec<Commitment>>,
    /// How many of them the venue may still match.
    open: usize,
    /// Each strategy's shares of a token, without those in provisional purchases and those on sale.
    free: Map<TokenId, Vec<(StrategyId, Size)>>,
    gross: Usd,
    strategies: Map<StrategyId, Usd>,
    buying: Usd,
}

/// The same is at stake, in whatever order it was counted.
impl PartialEq for Holdings {
    fn eq(&self, other: &Self) -> bool {
        let tokens = |of: &Self| -> BTreeMap<TokenId, TokenHolding> {
            let tokens = of.tokens.iter().filter(|(_, holding)| **holding != TokenHolding::default());
            tokens.map(|(token, holding)| (token.clone(), *holding)).collect()
        };
        let strategies = |of: &Self| -> BTreeMap<StrategyId, Usd> {
            of.by_strategy().map(|(strategy, usd)| (strategy.clone(), *usd)).collect()
        };
        let commitments = |of: &Self| {
            let mut all: Vec<Commitment> = of.commitments.values().flatten().cloned().collect();
            all.sort_by(|a, b| (&a.intent, a.shares, a.open).cmp(&(&b.intent, b.shares, b.open)));
            all
        };
        let free = |of: &Self| -> BTreeMap<(TokenId, StrategyId), Size> {
            let named = of
                .free
                .iter()
                .flat_map(|(token, owners)| owners.iter().map(move |(owner, free)| (token, owner, *free)));
            named
                .filter(|(.., free)| !free.is_zero())
                .map(|(token, owner, free)| ((token.clone(), owner.clone()), free))
                .collect()
        };
        (self.gross, self.buying) == (other.gross, other.buying)
            && free(self) == free(other)
            && tokens(self) == tokens(other)
            && strategies(self) == strategies(other)
            && commitments(self) == commitments(other)
    }
}

impl Holdings {
    /// Nothing held.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a position.
    pub fn add_position(&mut self, position: &Position) {
        self.add_stake(&PositionStake::of(position));
    }

    /// Counts what of a position counts.
    pub fn add_stake(&mut self, stake: &PositionStake) {
        self.count_stake(stake, true);
    }

    /// Counts a position that was counted no longer.
    pub fn remove_stake(&mut self, stake: &PositionStake) {
        self.count_stake(stake, false);
        self.tidy(&stake.token);
    }

    fn count_stake(&mut self, stake: &PositionStake, add: bool) {
        let PositionStake { token, holding, owners } = stake;
        let pusd = |sum: &mut Usd, more: Usd| *sum = if add { *sum + more } else { *sum - more };
        self.tokens.entry(token.clone()).or_default().count(holding, add);
        pusd(&mut self.gross, holding.cost);
        for (strategy, shares, cost) in owners {
            self.free_up(token, strategy, if add { *shares } else { Size::ZERO - *shares });
            pusd(self.strategies.entry(strategy.clone()).or_default(), *cost);
        }
    }

    /// Forgets a token of which nothing is left.
    fn tidy(&mut self, token: &TokenId) {
        if self.tokens.get(token).is_some_and(|holding| *holding == TokenHolding::default()) {
            self.tokens.remove(token);
        }
        if let Some(owners) = self.free.get_mut(token) {
            owners.retain(|(_, free)| !free.is_zero());
            if owners.is_empty() {
                self.free.remove(token);
            }
        }
    }

    /// Counts what of an order no position shows. `fees` is what its market charges, here and below.
    pub fn add_order(&mut self, order: &Order, fees: FeeSchedule) {
        if let Some(commitment) = Commitment::of_order(order, fees) {
            self.commit(commitment);
        }
    }

    /// Counts an intent that is approved but not an order yet.
    pub fn add_intent(&mut self, intent: &OrderIntent, fees: FeeSchedule) {
        self.commit(Commitment::of(intent, intent.size, true, fees));
    }

    /// Counts shares of an intent that are traded and in no position yet.
    pub fn add_traded(&mut self, intent: &OrderIntent, shares: Size, fees: FeeSchedule) {
        self.commit(Commitment::of(intent, shares, false, fees));
    }

    /// Counts a commitment.
    pub fn commit(&mut self, commitment: Commitment) {
        self.count(&commitment, true);
        self.commitments.entry(commitment.intent.clone()).or_default().push(commitment);
    }

    /// Counts a commitment no longer. One that is not counted changes nothing and gives `false`.
    #[must_use]
    pub fn release(&mut self, commitment: &Commitment) -> bool {
        let Some(of_intent) = self.commitments.get_mut(&commitment.intent) else { return false };
        let Some(at) = of_intent.iter().position(|counted| counted == commitment) else { return false };
        of_intent.swap_remove(at);
        if of_intent.is_empty() {
            self.commitments.remove(&commitment.intent);
        }
        self.count(commitment, false);
        self.tidy(&commitment.token);
        true
    }

    /// Counts these commitments of an intent and no others; nothing is done when it is so already.
    pub fn set(&mut self, intent: &IntentId, commitments: Vec<Commitment>) {
        let counted = self.commitments.get(intent).map_or(&[][..], Vec::as_slice);
        if counted == commitments {
            return;
        }
        for before in self.commitments.remove(intent).into_iter().flatten() {
            self.count(&before, false);
            self.tidy(&before.token);
        }
        for commitment in commitments {
            self.commit(commitment);
        }
    }

    /// Whether anything of an intent is counted as committed.
    #[must_use]
    pub fn counts(&self, intent: &IntentId) -> bool {
        self.commitments.contains_key(intent)
    }

    /// All but what an intent has committed; nothing when that is nothing.
    #[must_use]
    pub fn without(&self, intent: &IntentId) -> Option<Self> {
        self.counts(intent).then(|| {
            let mut others = self.clone();
            others.set(intent, Vec::new());
            others
        })
    }

    /// Adds a commitment to every sum, or takes it out of them.
    fn count(&mut self, commitment: &Commitment, add: bool) {
        let holding = self.tokens.entry(commitment.token.clone()).or_default();
        holding.lose(commitment.may_lose(), add);
        if commitment.open {
            self.open = if add { self.open + 1 } else { self.open.saturating_sub(1) };
        }
        let shares = if add { commitment.shares } else { Size::ZERO - commitment.shares };
        match commitment.side {
            Side::Buy => {
                let cost = if add { commitment.cost() } else { Usd::ZERO - commitment.cost() };
                holding.buying += shares;
                holding.buying_cost += cost;
                self.gross += cost;
                self.buying += cost;
                *self.strategies.entry(commitment.strategy.clone()).or_default() += cost;
            }
            Side::Sell => {
                holding.selling += shares;
                self.free_up(&commitment.token, &commitment.strategy, Size::ZERO - shares);
            }
        }
    }

    fn free_up(&mut self, token: &TokenId, strategy: &StrategyId, shares: Size) {
        let owners = self.free.entry(token.clone()).or_default();
        match owners.iter_mut().find(|(owner, _)| owner == strategy) {
            Some((_, free)) => *free += shares,
            None => owners.push((strategy.clone(), shares)),
        }
    }

    /// What is at stake in no position and the venue may still match: open orders, and intents on their way, in no particular order.
    pub fn open(&self) -> impl Iterator<Item = &Commitment> {
        self.commitments.values().flatten().filter(|commitment| commitment.open)
    }

    /// How many those are.
    #[must_use]
    pub const fn open_count(&self) -> usize {
        self.open
    }

    /// One token's part; zero when nothing is held.
    #[must_use]
    pub fn token(&self, token: &TokenId) -> TokenHolding {
        self.tokens.get(token).copied().unwrap_or_default()
    }

    /// Whether anything of a market's tokens counts.
    #[must_use]
    pub fn touch(&self, market: &Market) -> bool {
        market.tokens.iter().any(|outcome| self.tokens.contains_key(&outcome.token))
    }

    /// Of how many tokens anything counts.
    #[must_use]
    pub fn token_count(&self) -> usize {
        self.tokens.len()
    }

    /// Shares of both outcomes of a market, held or being bought.
    #[must_use]
    pub fn shares_of(&self, market: &Market) -> Size {
        let of_each = market.tokens.iter().map(|outcome| self.token(&outcome.token));
        of_each.map(|holding| holding.held_long() + holding.buying).sum()
    }

    /// Shares of a token that a strategy may sell: its own that are not on sale already, as far as the account can deliver them. What
    /// another strategy or nobody's intent bought is not its to sell.
    #[must_use]
    pub fn sellable_by(&self, strategy: &str, token: &TokenId) -> Size {
        let owners = self.free.get(token).into_iter().flatten();
        let own = owners.filter(|(owner, _)| owner.as_str() == strategy).map(|(_, free)| *free).next();
        own.unwrap_or_default().min(self.token(token).sellable()).max(Size::ZERO)
    }

    /// What the tokens outside of `known` cost, buys of them included.
    #[must_use]
    pub fn cost_outside(&self, known: impl Fn(&TokenId) -> bool) -> Usd {
        let outside = self.tokens.iter().filter(|(token, _)| !known(token));
        outside.map(|(_, holding)| holding.cost + holding.buying_cost).sum()
    }

    /// Each strategy's share in the cost of unresolved positions plus what its buy orders may cost.
    pub fn by_strategy(&self) -> impl Iterator<Item = (&StrategyId, &Usd)> {
        self.strategies.iter().filter(|(_, usd)| **usd != Usd::ZERO)
    }

    /// What one strategy has at stake.
    #[must_use]
    pub fn of_strategy(&self, strategy: &StrategyId) -> Usd {
        self.strategies.get(strategy).copied().unwrap_or_default()
    }

    /// What the buy orders may cost.
    #[must_use]
    pub const fn reserved(&self) -> Usd {
        self.buying
    }

    /// Cost of unresolved positions plus what the buy orders may cost.
    #[must_use]
    pub const fn gross(&self) -> Usd {
        self.gross
    }
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
    use crate::risk::checks::bench::{self, position};

    #[test]
    fn what_is_taken_out_again_leaves_nothing_behind() {
        let part = bench::part("momentum", Size(dec!(20)), Usd(dec!(8.123456)));
        let held = Position { parts: vec![part], ..position("1", "20", "0.40") };
        let resolved = Position { payout: Some(Price(dec!(1))), ..held.clone() };
        let order = Commitment::of(
            &OrderIntent { token: "1".into(), ..bench::buy("0.50", "5") },
            Size(dec!(5)),
            true,
            FeeSchedule::FREE,
        );
        let mut holdings = Holdings::new();
        holdings.commit(order.clone());
        for position in [&held, &resolved] {
            holdings.add_position(position);
            assert_ne!(holdings.token(&"1".into()).held, Size::ZERO);
            holdings.remove_stake(&PositionStake::of(position));
        }
        let mut only_the_order = Holdings::new();
        only_the_order.commit(order.clone());
        assert_eq!((&holdings, holdings.token_count()), (&only_the_order, 1));
        let others = holdings.without(&order.intent).expect("it is counted");
        assert_eq!((&others, others.token_count(), others.free.len()), (&Holdings::new(), 0, 0));
        assert!(others.without(&order.intent).is_none());
    }

    #[test]
    fn a_provisional_fill_counts_as_is_worse_for_each_limit() {
        for (shares, bought, sold, held, sellable) in [
            (dec!(10), dec!(0), dec!(0), dec!(10), dec!(10)),
            (dec!(10), dec!(4), dec!(0), dec!(10), dec!(6)),
            (dec!(6), dec!(0), dec!(4), dec!(10), dec!(6)),
            (dec!(0), dec!(0), dec!(4), dec!(4), dec!(0)),
        ] {
            let mut holdings = Holdings::new();
            let (size, pending_buys, pending_sells) = (Size(shares), Size(bought), Size(sold));
            holdings.add_position(&Position { size, pending_buys, pending_sells, ..position("1", "0", "0") });
            let token = holdings.token(&"1".into());
            assert_eq!((token.held, token.sellable()), (Size(held), Size(sellable)));
        }
    }
}
