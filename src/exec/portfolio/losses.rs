//! Total profit as losses and peaks are judged by it: at most, and at least. Pure.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use rust_decimal::Decimal;

use super::Portfolio;
use super::mark::Mark;
use crate::domain::{Size, Timestamp, TokenId, Usd};

impl Portfolio {
    /// A look at the marks of what is held and trades: each is remembered once, the newest `most` of them. Between the end of a token's
    /// trading and its result no mark can be heard anew, and it is valued by what these looks saw last.
    pub fn look(&mut self, most: usize) {
        let mut looks = std::mem::take(&mut self.looks);
        looks.retain(|id, _| self.holds(id) && !self.payouts.contains_key(id));
        for (id, known) in self.working() {
            let Some(mark) = self.marks.get(id).filter(|_| !known.holding(id).shares.is_zero()) else { continue };
            if self.payouts.contains_key(id) || self.ended(id).is_some() {
                continue;
            }
            let seen: &mut VecDeque<Mark> = looks.entry(id.clone()).or_default();
            if seen.back().is_none_or(|last| last.at() < mark.at()) {
                seen.push_back(mark.clone());
            }
            while seen.len() > most {
                seen.pop_front();
            }
        }
        self.looks = looks;
    }

    /// Total profit as losses are measured by it: never absent, so that one token without a price hides no loss of the others. What
    /// cannot be valued counts as if it paid all that it can, a whole pUSD a share held. What has ended counts at the best that the last
    /// `looks` before its end saw, so that its very last price alone is no loss.
    #[must_use]
    pub fn for_losses(&self, now: Timestamp, most: Duration, looks: usize) -> Usd {
        let worth = |id: &TokenId, shares: Size| -> Result<Usd, Infallible> {
            let worth = match self.ended(id) {
                Some(ended) => self.last_seen(id, shares, ended, most, looks).map(|[_, best]| best),
                None => self.value(id, shares, now, most).ok(),
            };
            Ok(worth.unwrap_or_else(|| Usd(shares.0.max(Decimal::ZERO))))
        };
        let Ok(total) = self.total_by(worth);
        total
    }

    /// Total profit as peaks are measured by it; absent while something that is held cannot be valued. What has ended counts at the worst
    /// that the last `looks` before its end saw, so that its very last price alone is no peak.
    #[must_use]
    pub fn for_peaks(&self, now: Timestamp, most: Duration, looks: usize) -> Option<Usd> {
        let worth = |id: &TokenId, shares: Size| match self.ended(id) {
            Some(ended) => self.last_seen(id, shares, ended, most, looks).map(|[worst, _]| worst).ok_or(()),
            None => self.value(id, shares, now, most).map_err(drop),
        };
        self.total_by(worth).ok()
    }

    /// When the oldest of the marks was heard that these sums rest on; nothing when they rest on none. What has ended, or has no mark of
    /// within `most`, has none.
    #[must_use]
    pub fn heard(&self, now: Timestamp, most: Duration) -> Option<Timestamp> {
        let held = self.working().filter(|(id, known)| !known.holding(id).shares.is_zero());
        let trades = held.filter(|(id, _)| !self.payouts.contains_key(*id) && self.ended(id).is_none());
        let marks = trades.filter_map(|(id, _)| self.marks.get(id)).map(Mark::at);
        marks.filter(|at| now.since(*at) <= most).min()
    }

    /// Since when a token trades no more, while its result is not told.
    fn ended(&self, id: &TokenId) -> Option<Timestamp> {
        let trading = self.trading.get(id).filter(|_| !self.payouts.contains_key(id));
        trading.and_then(|trading| trading.ended())
    }

    /// The worst and the best that the last looks before the end saw; nothing unless so many saw marks of within `most` of it.
    fn last_seen(
        &self,
        id: &TokenId,
        shares: Size,
        ended: Timestamp,
        most: Duration,
        looks: usize,
    ) -> Option<[Usd; 2]> {
        let marks = self.looks.get(id)?.iter().rev().take(looks).filter(|mark| ended.since(mark.at()) <= most);
        let worths: Vec<Usd> = marks.map(|mark| mark.worth(shares)).collect();
        let enough = worths.len() == looks.max(1);
        enough.then(|| Some([*worths.iter().min()?, *worths.iter().max()?])).flatten()
    }
}
