//! The orders in memory, and which of them changed: what follows from all orders is brought up to date without walking all of them.

use std::collections::{HashMap, HashSet};

use super::{Key, Sending, Tracked};
use crate::domain::MarketId;

/// Orders by key. Whatever is reached for to be changed counts as touched.
#[derive(Debug, Default)]
pub(super) struct Orders {
    all: HashMap<Key, Tracked>,
    touched: HashSet<Key>,
    /// Those whose POST is asked for or under way, the touched ones apart.
    busy: HashSet<Key>,
}

impl Orders {
    pub(super) fn get(&self, key: &Key) -> Option<&Tracked> {
        self.all.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut Tracked> {
        let tracked = self.all.get_mut(key)?;
        if !self.touched.contains(key) {
            self.touched.insert(key.clone());
        }
        Some(tracked)
    }

    pub(super) fn contains_key(&self, key: &Key) -> bool {
        self.all.contains_key(key)
    }

    pub(super) fn insert(&mut self, key: Key, tracked: Tracked) {
        self.touch(&key);
        self.all.insert(key, tracked);
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Tracked> {
        self.touch(key);
        self.all.remove(key)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Something that is kept beside the order has changed.
    pub(super) fn touch(&mut self, key: &Key) {
        self.touched.insert(key.clone());
    }

    /// What was touched since this was asked last.
    pub(super) fn take_touched(&mut self) -> HashSet<Key> {
        let touched = std::mem::take(&mut self.touched);
        for key in &touched {
            if self.is_busy(key) {
                self.busy.insert(key.clone());
            } else {
                self.busy.remove(key);
            }
        }
        touched
    }

    /// Orders whose POST is asked for or under way.
    pub(super) fn sending(&self) -> usize {
        let untouched = self.busy.iter().filter(|key| !self.touched.contains(*key)).count();
        untouched + self.touched.iter().filter(|key| self.is_busy(key)).count()
    }

    fn is_busy(&self, key: &Key) -> bool {
        self.all.get(key).is_some_and(|tracked| tracked.sending != Sending::Idle)
    }
}

/// The orders that may still trade, and which of them are of a market.
#[derive(Debug, Default)]
pub(super) struct Active {
    all: HashMap<Key, MarketId>,
    by_market: HashMap<MarketId, HashSet<Key>>,
}

impl Active {
    pub(super) fn insert(&mut self, key: Key, market: MarketId) {
        self.by_market.entry(market.clone()).or_default().insert(key.clone());
        self.all.insert(key, market);
    }

    pub(super) fn remove(&mut self, key: &Key) {
        let Some(market) = self.all.remove(key) else { return };
        if let Some(of_market) = self.by_market.get_mut(&market) {
            of_market.remove(key);
            if of_market.is_empty() {
                self.by_market.remove(&market);
            }
        }
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        self.all.contains_key(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Key> {
        self.all.keys()
    }

    /// Those of one market.
    pub(super) fn of(&self, market: &MarketId) -> impl Iterator<Item = &Key> {
        self.by_market.get(market).into_iter().flatten()
    }
}

#[cfg(test)]
impl Active {
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.by_market.values().map(HashSet::len).sum::<usize>(), self.all.len());
        self.all.len()
    }
}

#[cfg(test)]
impl Orders {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &Tracked)> {
        self.all.iter()
    }
}

#[cfg(test)]
impl std::ops::Index<&Key> for Orders {
    type Output = Tracked;

    fn index(&self, key: &Key) -> &Tracked {
        &self.all[key]
    }
}
