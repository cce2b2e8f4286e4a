//! One token: its fills, and the folds of what was booked of them. Pure.
//!
//! Invariant: what is folded up is a prefix in the order of the fold, of fills that are settled for good. What would change it
//! finds its token unfolded again first: see [`super::Portfolio::must_ask`].

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Leg;
use crate::domain::{
    Fill, FoldedToken, Holding, Journal, Lot, MarketId, Running, Side, Size, StrategyId, Timestamp, TokenId, Usd,
};

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) market: MarketId,
    /// Empty until a fill tells it.
    pub(super) outcome: String,
    /// Everything matched before is folded up.
    pub(super) to: Timestamp,
    /// The fills that are not folded up.
    pub(super) fills: BTreeMap<Leg, Fill>,
    pub(super) booked: Running,
    /// The same without what is provisional.
    confirmed: Running,
    /// What is in the first fold and not yet in the second.
    provisional: BTreeMap<Leg, Vec<Arc<Journal>>>,
    /// The same as the first without sales that are provisional: what would be held if none of them settled.
    pub(super) unsold: Running,
    /// Shares in provisional purchases and sales.
    pending: [Size; 2],
}

impl Token {
    /// Nothing traded; of what was traded before `to` nothing will come.
    pub(super) fn new(market: &MarketId, to: Timestamp) -> Self {
        let running = Running::default;
        Self {
            market: market.clone(),
            outcome: String::new(),
            to,
            fills: BTreeMap::new(),
            booked: running(),
            confirmed: running(),
            provisional: BTreeMap::new(),
            unsold: running(),
            pending: [Size::ZERO; 2],
        }
    }

    /// As it was folded up.
    pub(super) fn of(folded: &FoldedToken) -> Self {
        let base = || Running::from_base(folded.held());
        Self {
            outcome: folded.outcome.clone(),
            booked: base(),
            confirmed: base(),
            unsold: base(),
            ..Self::new(&folded.market, folded.to)
        }
    }

    /// Takes over the new state of a fill and what is booked for it.
    pub(super) fn take(&mut self, leg: &Leg, fill: Fill, journal: Option<Journal>) {
        let pending = |fill: &Fill| if fill.status.is_final() { Size::ZERO } else { fill.size };
        let side = usize::from(fill.side == Side::Sell);
        let (settled, sale) = (fill.status.is_final(), fill.side == Side::Sell);
        self.pending[side] += pending(&fill);
        if self.outcome.is_empty() {
            (self.market, self.outcome) = (fill.market.clone(), fill.outcome.clone());
        }
        if let Some(before) = self.fills.insert(leg.clone(), fill) {
            self.pending[side] -= pending(&before);
        }
        if let Some(journal) = journal {
            let journal = Arc::new(journal);
            self.booked.push(&journal);
            if !sale {
                self.unsold.push(&journal);
            }
            self.provisional.entry(leg.clone()).or_default().push(journal);
        }
        if settled {
            for journal in self.provisional.remove(leg).into_iter().flatten() {
                self.confirmed.push(&journal);
                if sale {
                    self.unsold.push(&journal);
                }
            }
        }
    }

    /// Books what is no fill's.
    pub(super) fn book(&mut self, journal: Journal) {
        let journal = Arc::new(journal);
        self.booked.push(&journal);
        self.confirmed.push(&journal);
        self.unsold.push(&journal);
    }

    /// What was booked and is no fill's, as far as it is not folded up.
    pub(super) fn corrections(&self) -> impl Iterator<Item = &Journal> {
        self.booked.journals().filter(|journal| journal.trade.is_none())
    }

    /// Folds up what is settled for good and was matched before `horizon`, as far as nothing that is unsettled or news comes before it.
    /// Gives the fills that are forgotten.
    pub(super) fn fold_up(&mut self, horizon: Timestamp, is_news: impl Fn(&Leg) -> bool) -> Vec<Leg> {
        let stay = self.fills.iter().filter(|(leg, fill)| !fill.status.is_final() || is_news(leg));
        let cut = stay.map(|(_, fill)| fill.matched_at).min().map_or(horizon, |first| first.min(horizon));
        if cut <= self.to {
            return Vec::new();
        }
        self.to = cut;
        for running in [&mut self.booked, &mut self.confirmed, &mut self.unsold] {
            running.fold_up(cut);
        }
        let gone = self.fills.iter().filter(|(_, fill)| fill.matched_at < cut).map(|(leg, _)| leg.clone());
        let gone: Vec<Leg> = gone.collect();
        self.fills.retain(|_, fill| fill.matched_at >= cut);
        gone
    }

    /// What is folded up.
    pub(super) fn folded(&self, token: &TokenId) -> FoldedToken {
        FoldedToken::of(token, &self.market, &self.outcome, self.to, self.booked.base())
    }

    /// Whether nothing is left but sums.
    pub(super) fn is_folded(&self) -> bool {
        self.fills.is_empty() && self.booked.journals().next().is_none()
    }

    /// pUSD that was moved by what is not folded up.
    pub(super) fn unfolded_cash(&self) -> Usd {
        self.booked.held().cash - self.booked.base().cash
    }

    pub(super) fn holding(&self, token: &TokenId) -> Holding {
        self.booked.held().tokens.get(token).copied().unwrap_or_default()
    }

    pub(super) fn confirmed(&self, token: &TokenId) -> Holding {
        self.confirmed.held().tokens.get(token).copied().unwrap_or_default()
    }

    pub(super) const fn bought(&self) -> Size {
        self.pending[0]
    }

    pub(super) fn bought_by(&self, strategy: Option<&StrategyId>) -> Size {
        let own = self.unsettled().filter(|fill| fill.side == Side::Buy && fill.strategy.as_ref() == strategy);
        own.map(|fill| fill.size).fold(Size::ZERO, |all, size| all + size)
    }

    pub(super) const fn sold(&self) -> Size {
        self.pending[1]
    }

    /// Whether no fill may still fail.
    pub(super) fn is_settled(&self) -> bool {
        self.provisional.is_empty()
    }

    /// Fills that may still change.
    pub(super) fn unsettled(&self) -> impl Iterator<Item = &Fill> {
        self.provisional.keys().filter_map(|leg| self.fills.get(leg))
    }

    /// Fills that may still fail.
    pub(super) fn lots(&self) -> Vec<Lot> {
        let lot = |fill: &Fill| Lot { side: fill.side, price: fill.price, size: fill.size, fee: fill.fee };
        self.unsettled().map(lot).collect()
    }
}
