//! The markets that can be looked up, shared between the world, which writes them, and Gamma, which reads them.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::{Market, MarketId, Price, Timestamp};

/// A market and what Gamma tells of it beyond the exchange's view.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Listing {
    /// Gamma's number of the market.
    pub(super) number: u64,
    pub(super) market: Market,
    pub(super) question: String,
    pub(super) description: String,
    /// The series that it belongs to: number and slug.
    pub(super) series: Option<(&'static str, &'static str)>,
    pub(super) listed_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

impl Listing {
    /// Gamma calls a market closed once it is resolved.
    pub(super) const fn is_closed(&self) -> bool {
        self.market.payouts.is_some()
    }
}

/// All of them, by Gamma's number. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Listings(Arc<RwLock<BTreeMap<u64, Listing>>>);

impl Listings {
    pub(super) fn add(&self, listing: Listing) {
        self.write(|all| {
            all.insert(listing.number, listing);
        });
    }

    /// It takes no more orders.
    pub(super) fn close(&self, market: &MarketId, now: Timestamp) {
        self.change(market, now, |listing| listing.market.accepting_orders = false);
    }

    /// It is decided.
    pub(super) fn resolve(&self, market: &MarketId, payouts: [Price; 2], now: Timestamp) {
        self.change(market, now, |listing| listing.market.payouts = Some(payouts));
    }

    pub(super) fn forget(&self, market: &MarketId) {
        self.write(|all| all.retain(|_, listing| listing.market.market != *market));
    }

    /// A copy of all, in the order of their numbers.
    pub(super) fn all(&self) -> Vec<Listing> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn change(&self, market: &MarketId, now: Timestamp, change: impl FnOnce(&mut Listing)) {
        self.write(|all| {
            if let Some(listing) = all.values_mut().find(|listing| listing.market.market == *market) {
                listing.updated_at = now;
                change(listing);
            }
        });
    }

    fn write(&self, change: impl FnOnce(&mut BTreeMap<u64, Listing>)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}
