//! What was earned, by strategy, by market and by UTC day: a view of the same fold of journals that says what is held.
//!
//! Days and markets follow the desk's own average cost of a token. Strategies follow theirs: when two of them trade the same
//! token, one buying what the other sells, the desk's profit is not the sum of theirs.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{
    Account, Asset, Held, Holding, Journal, JournalKind, MarketId, OrderId, StrategyId, TokenId, TradeId, Usd,
};

/// Realised profit and fees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earned {
    /// On shares sold, fees apart.
    pub realised: Usd,
    /// Fees paid.
    pub fees: Usd,
}

impl Earned {
    fn add(&mut self, before: Holding, after: Holding) {
        self.realised += after.realised - before.realised;
        self.fees += after.fees - before.fees;
    }
}

/// What was earned, in three views and altogether.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Earnings {
    /// Over everything.
    pub total: Earned,
    /// By UTC day of the match, in days since the epoch.
    pub days: BTreeMap<i64, Earned>,
    /// By market.
    pub markets: BTreeMap<MarketId, Earned>,
    /// By strategy; without one for what no intent of ours asked for.
    pub strategies: BTreeMap<Option<StrategyId>, Earned>,
}

type Leg<'a> = (&'a TradeId, &'a OrderId);
type Owner = (TokenId, Option<StrategyId>);

fn leg(journal: &Journal) -> Option<Leg<'_>> {
    journal.trade.as_ref().zip(journal.order.as_ref())
}

fn owners(journal: &Journal) -> impl Iterator<Item = Owner> + '_ {
    journal.postings.iter().filter_map(|posting| match (&posting.account, &posting.asset) {
        (Account::Position(strategy), Asset::Token(token)) => Some((token.clone(), strategy.clone())),
        _ => None,
    })
}

/// Adds journals up, in whatever order they come. A reversed fill earns nothing at all, also on its own day.
#[must_use]
pub fn earnings<'a>(journals: impl IntoIterator<Item = &'a Journal>) -> Earnings {
    let mut known = HashSet::new();
    let mut sorted: Vec<&Journal> = journals.into_iter().filter(|journal| known.insert(journal.id.as_str())).collect();
    let reversals = sorted.iter().filter(|journal| journal.kind == JournalKind::Reversal);
    let undone: HashSet<Leg<'_>> = reversals.filter_map(|journal| leg(journal)).collect();
    sorted.retain(|journal| leg(journal).is_none_or(|leg| !undone.contains(&leg)));
    sorted.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    let mut of_leg: HashMap<Leg<'_>, Owner> = HashMap::new();
    for journal in &sorted {
        if let (Some(leg), Some(owner)) = (leg(journal), owners(journal).next()) {
            of_leg.insert(leg, owner);
        }
    }
    let (mut earned, mut held) = (Earnings::default(), Held::default());
    for journal in sorted {
        match journal.kind {
            JournalKind::Fee => {
                let owner = leg(journal).and_then(|leg| of_leg.get(&leg)).cloned();
                earned.fee(journal, owner.and_then(|(_, strategy)| strategy));
            }
            JournalKind::Fill | JournalKind::Correction | JournalKind::Opening | JournalKind::Redemption => {
                earned.book(journal, &mut held);
            }
            // With what it takes back it is gone already; one of nothing moves nothing.
            JournalKind::Reversal => {}
        }
    }
    earned
}

impl Earnings {
    fn book(&mut self, journal: &Journal, held: &mut Held) {
        let owners: Vec<Owner> = owners(journal).collect();
        let before: Vec<(Holding, Holding)> = owners.iter().map(|owner| standing(held, owner)).collect();
        held.add(journal, None);
        for (owner, before) in owners.iter().zip(before) {
            let after = standing(held, owner);
            self.total.add(before.0, after.0);
            self.days.entry(journal.at.utc_day()).or_default().add(before.0, after.0);
            self.markets.entry(journal.market.clone()).or_default().add(before.0, after.0);
            self.strategies.entry(owner.1.clone()).or_default().add(before.1, after.1);
        }
    }

    fn fee(&mut self, journal: &Journal, strategy: Option<StrategyId>) {
        let paid = journal.postings.iter().filter(|posting| posting.account == Account::Fees);
        let fees: Usd = paid.map(|posting| Usd(posting.amount)).sum();
        self.total.fees += fees;
        self.days.entry(journal.at.utc_day()).or_default().fees += fees;
        self.markets.entry(journal.market.clone()).or_default().fees += fees;
        self.strategies.entry(strategy).or_default().fees += fees;
    }
}

/// What is held of a token, and the strategy's part of it.
fn standing(held: &Held, owner: &Owner) -> (Holding, Holding) {
    let of = |holding: Option<&Holding>| holding.copied().unwrap_or_default();
    (of(held.tokens.get(&owner.0)), of(held.parts.get(owner)))
}

#[cfg(test)]
mod tests;
