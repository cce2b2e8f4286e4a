use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Held, Moved, Owner, cash, leg};
use crate::domain::{Journal, JournalKind, OrderId, Timestamp, TradeId};

/// How many journals lie between two sums that are kept; few in tests, whose histories are short.
const EVERY: usize = if cfg!(test) { 4 } else { 64 };

/// A journal's place in the order of the fold.
type Place = (Timestamp, String);

/// What is known of one trade's journals.
#[derive(Clone, Debug)]
struct Leg {
    /// The first of them.
    first: Place,
    /// Whose fill it is.
    owner: Option<Owner>,
    /// Taken back: none of them counts.
    undone: bool,
}

/// The fold of journals that come one after the other, in whatever order; always what [`super::fold`] of all of them would be.
///
/// Sums are kept along the way, so that a journal costs what came after it in the order of the fold, most often nothing, and
/// not what there is in all. The first journals can be folded up for good: then only their sum is left of them.
#[derive(Clone, Debug, Default)]
pub struct Running {
    /// What was folded up.
    base: Held,
    journals: Vec<Arc<Journal>>,
    /// What the first [`EVERY`] journals add up to, the first two times as many, and so on.
    sums: Vec<Held>,
    held: Held,
    known: HashSet<String>,
    legs: HashMap<(TradeId, OrderId), Leg>,
}

impl Running {
    /// Goes on from what was folded up before.
    #[must_use]
    pub fn from_base(base: Held) -> Self {
        Self { held: base.clone(), base, ..Self::default() }
    }

    /// What was folded up.
    #[must_use]
    pub const fn base(&self) -> &Held {
        &self.base
    }

    /// What they add up to.
    #[must_use]
    pub const fn held(&self) -> &Held {
        &self.held
    }

    /// Those that are not folded up, in the order of the fold.
    pub fn journals(&self) -> impl Iterator<Item = &Journal> {
        self.journals.iter().map(Arc::as_ref)
    }

    /// Adds a journal; one that is known changes nothing.
    pub fn push(&mut self, journal: &Arc<Journal>) {
        if !self.known.insert(journal.id.clone()) {
            return;
        }
        let cash = self.held.cash + cash(journal);
        let place: Place = (journal.at, journal.id.clone());
        let changed = self.changed_from(journal, &place);
        let index = self.index(&place);
        self.journals.insert(index, Arc::clone(journal));
        self.fold_from(self.index(&changed));
        self.held.cash = cash;
    }

    /// Keeps only the sum of what comes before `to`. No journal of before may be pushed afterwards.
    pub fn fold_up(&mut self, to: Timestamp) {
        let end = self.journals.partition_point(|journal| journal.at < to);
        if end == 0 {
            return;
        }
        let all = self.held.cash;
        let rest = self.journals.split_off(end);
        for journal in std::mem::replace(&mut self.journals, rest) {
            self.base.cash += cash(&journal);
            let leg = leg(&journal).and_then(|(trade, order)| self.legs.get(&(trade.clone(), order.clone())));
            if leg.is_none_or(|leg| !leg.undone) {
                self.base.add(&journal, leg.and_then(|leg| leg.owner.as_ref()));
            }
            self.known.remove(&journal.id);
        }
        self.legs.retain(|_, leg| leg.first.0 >= to);
        self.known.shrink_to_fit();
        self.legs.shrink_to_fit();
        self.sums.clear();
        self.held = self.base.clone();
        self.fold_from(0);
        self.held.cash = all;
    }

    /// The first place whose effect is another because of this journal.
    fn changed_from(&mut self, journal: &Journal, place: &Place) -> Place {
        let Some((trade, order)) = leg(journal) else { return place.clone() };
        let leg = self.legs.entry((trade.clone(), order.clone()));
        let leg = leg.or_insert_with(|| Leg { first: place.clone(), owner: None, undone: false });
        leg.undone |= journal.kind == JournalKind::Reversal;
        if let Some((owner, _)) = Moved::of(journal).shares.pop() {
            leg.owner = Some(owner);
        }
        if *place < leg.first {
            leg.first = place.clone();
        }
        leg.first.clone()
    }

    fn index(&self, place: &Place) -> usize {
        self.journals.partition_point(|known| (known.at, known.id.as_str()) < (place.0, place.1.as_str()))
    }

    /// Folds anew what begins there.
    fn fold_from(&mut self, first: usize) {
        let last = first + 1 == self.journals.len();
        let begin = if last { first } else { first / EVERY * EVERY };
        self.sums.truncate(begin / EVERY);
        if !last {
            self.held = self.sums.last().unwrap_or(&self.base).clone();
        }
        for index in begin..self.journals.len() {
            let journal = &self.journals[index];
            let leg = leg(journal).and_then(|(trade, order)| self.legs.get(&(trade.clone(), order.clone())));
            if leg.is_none_or(|leg| !leg.undone) {
                self.held.add(journal, leg.and_then(|leg| leg.owner.as_ref()));
            }
            if (index + 1).is_multiple_of(EVERY) {
                self.sums.push(self.held.clone());
            }
        }
    }
}
