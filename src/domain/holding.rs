//! What is held and what it has brought: the one fold of journals, for Hermes at work and for whoever reads the ledger.
//!
//! Invariant: the result is a function of the *set* of journals. A journal is known by its id, a reversed fill has no effect
//! at all, and the order of booking does not matter: journals are folded in the order of what they book.

mod running;

use std::collections::{BTreeMap, HashMap, HashSet};

use rust_decimal::Decimal;
use rust_decimal::prelude::Signed;
use serde::{Deserialize, Serialize};

use super::{Account, Asset, Journal, JournalKind, OrderId, Price, Size, StrategyId, Timestamp, TokenId, TradeId, Usd};

pub use running::Running;

/// Shares of one token at average cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// Shares held; negative when more was sold than bought.
    pub shares: Size,
    /// What they cost, fees apart.
    pub cost: Usd,
    /// Profit on shares sold, fees apart.
    pub realised: Usd,
    /// Fees paid.
    pub fees: Usd,
    /// The part of them that was paid for the shares still held.
    pub carried: Usd,
    /// When it last traded.
    pub touched_at: Timestamp,
}

impl Holding {
    /// Average cost: what closes realises against the average of what is held, what opens adds to it. `paid` is negative for
    /// what was received.
    fn add(&mut self, shares: Size, paid: Usd, fees: Usd, at: Timestamp) {
        self.touched_at = self.touched_at.max(at);
        if shares.is_zero() {
            return;
        }
        let opposite = !self.shares.is_zero() && self.shares.0.is_sign_negative() != shares.0.is_sign_negative();
        let closing = if opposite { self.shares.abs().min(shares.abs()) } else { Size::ZERO };
        let paid_closing = part(paid, closing, shares.abs());
        if !closing.is_zero() {
            let released = part(self.cost, closing, self.shares.abs());
            self.realised += -paid_closing - released;
            self.cost -= released;
            self.carried -= part(self.carried, closing, self.shares.abs());
            self.shares += Size(closing.0 * shares.0.signum());
        }
        self.cost += paid - paid_closing;
        self.carried += fees - part(fees, closing, shares.abs());
        self.shares += Size((shares.0.abs() - closing.0) * shares.0.signum());
    }

    /// Average price paid; zero when nothing is held.
    #[must_use]
    pub fn average(&self) -> Price {
        Price(self.cost.0.checked_div(self.shares.0).unwrap_or_default())
    }
}

/// `amount * part / whole`, exact when it is the whole.
fn part(amount: Usd, part: Size, whole: Size) -> Usd {
    if part == whole {
        return amount;
    }
    Usd(amount.0.saturating_mul(part.0).checked_div(whole.0).unwrap_or_default())
}

/// What a set of journals adds up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// By token, over all strategies.
    pub tokens: BTreeMap<TokenId, Holding>,
    /// By token and strategy; without one for what no intent of ours asked for.
    pub parts: BTreeMap<Owner, Holding>,
    /// pUSD that moved; what the desk began with is part of it once that was booked.
    pub cash: Usd,
    /// Fees that were booked by themselves, of the fill that comes next in the order of the fold.
    ahead: Usd,
}

/// Which token, and for which strategy.
type Owner = (TokenId, Option<StrategyId>);

/// What one journal moves, in the terms of the desk.
#[derive(Clone, Debug, Default)]
struct Moved {
    shares: Vec<(Owner, Decimal)>,
    paid: Usd,
    fees: Usd,
}

impl Moved {
    fn of(journal: &Journal) -> Self {
        let mut moved = Self::default();
        for posting in &journal.postings {
            match (&posting.account, &posting.asset) {
                (Account::Position(strategy), Asset::Token(token)) => {
                    moved.shares.push(((token.clone(), strategy.clone()), posting.amount));
                }
                (Account::Venue, Asset::Usd) => moved.paid += Usd(posting.amount),
                (Account::Fees, Asset::Usd) => moved.fees += Usd(posting.amount),
                (Account::Cash | Account::Position(_), Asset::Usd)
                | (Account::Venue | Account::Cash | Account::Fees, Asset::Token(_)) => {}
            }
        }
        moved
    }
}

type Leg<'a> = (&'a TradeId, &'a OrderId);

fn leg(journal: &Journal) -> Option<Leg<'_>> {
    journal.trade.as_ref().zip(journal.order.as_ref())
}

impl Held {
    /// Adds the next journal in the order of the fold, its cash apart. `owner` is whose fill it is, for a journal that does not say.
    pub(super) fn add(&mut self, journal: &Journal, owner: Option<&Owner>) {
        let moved = Moved::of(journal);
        if let Some(owner) = moved.shares.first().map(|(owner, _)| owner).or(owner) {
            self.tokens.entry(owner.0.clone()).or_default().fees += moved.fees;
            self.parts.entry(owner.clone()).or_default().fees += moved.fees;
        }
        // With its fill, however it was booked: what is sold carries none of it.
        let mut fees = moved.fees + self.ahead;
        self.ahead = if moved.shares.is_empty() { fees } else { Usd::ZERO };
        for (owner, shares) in &moved.shares {
            let (shares, fees) = (Size(*shares), std::mem::take(&mut fees));
            self.tokens.entry(owner.0.clone()).or_default().add(shares, moved.paid, fees, journal.at);
            self.parts.entry(owner.clone()).or_default().add(shares, moved.paid, fees, journal.at);
        }
    }
}

/// Folds journals, in whatever order they come.
///
/// A correction of cash alone moves no profit: it may be a deposit. A correction of shares is free of charge: shares that
/// appear cost nothing, shares that vanish bring nothing.
#[must_use]
pub fn fold<'a>(journals: impl IntoIterator<Item = &'a Journal>) -> Held {
    let mut known = HashSet::new();
    let mut sorted: Vec<&Journal> = journals.into_iter().filter(|journal| known.insert(journal.id.as_str())).collect();
    let mut held = Held { cash: sorted.iter().map(|journal| cash(journal)).sum(), ..Held::default() };
    let reversals = sorted.iter().filter(|journal| journal.kind == JournalKind::Reversal);
    let undone: HashSet<Leg<'_>> = reversals.filter_map(|journal| leg(journal)).collect();
    sorted.retain(|journal| leg(journal).is_none_or(|leg| !undone.contains(&leg)));
    sorted.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    // A fee belongs to whom its fill belongs to, whichever was booked first.
    let mut owners: HashMap<Leg<'_>, Owner> = HashMap::new();
    for journal in &sorted {
        if let (Some(leg), Some((owner, _))) = (leg(journal), Moved::of(journal).shares.pop()) {
            owners.insert(leg, owner);
        }
    }
    for journal in sorted {
        held.add(journal, leg(journal).and_then(|leg| owners.get(&leg)));
    }
    held
}

/// What a journal moves of the desk's pUSD.
fn cash(journal: &Journal) -> Usd {
    let ours =
        journal.postings.iter().filter(|posting| posting.account == Account::Cash && posting.asset == Asset::Usd);
    ours.map(|posting| Usd(posting.amount)).sum()
}

#[cfg(test)]
mod tests;
