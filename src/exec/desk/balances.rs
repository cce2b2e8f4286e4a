//! Comparing pUSD and shares with the venue, once nothing provisional and no lag of a cache can explain a difference.

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;

use super::{Desk, Effect, Step};
use crate::domain::{Asset, Price, Timestamp, TokenId, Usd};
use crate::exec::portfolio::{Expected, correction};
use crate::exec::venue::{Balances, VenueError};

/// How long the venue's cache may not have seen a settlement.
const CACHE_LAG: Duration = Duration::from_secs(30);
/// Between two looks at a difference.
const AGAIN: Duration = Duration::from_secs(5);
/// A difference must be seen this often in a row, the venue's cache refreshed in between.
const CONFIRMATIONS: u32 = 3;
/// What rounding may leave, in pUSD or shares.
const DUST: Decimal = Decimal::from_parts(1, 0, 0, false, 2);
/// Tokens asked for at one time.
const TOKENS: usize = 50;
/// What stands for the market in a correction of pUSD.
const ACCOUNT: &str = "account";

/// How far the comparison has come.
#[derive(Debug)]
pub(super) struct Counting {
    next_at: Timestamp,
    asking: Option<Vec<TokenId>>,
    /// Differences seen in a row, each with the least of what was seen.
    pub(super) seen: BTreeMap<Asset, (Decimal, u32)>,
}

impl Counting {
    /// Due at once.
    pub(super) const fn at(now: Timestamp) -> Self {
        Self { next_at: now, asking: None, seen: BTreeMap::new() }
    }

    /// The venue has said that there is too little: look at once.
    pub(super) const fn recount(&mut self, now: Timestamp) {
        self.next_at = now;
    }

    /// How much less pUSD the venue has shown than the books can explain, while that is not settled.
    pub(super) fn missing(&self) -> Usd {
        let missed = self.seen.get(&Asset::Usd).map_or(Decimal::ZERO, |(miss, _)| *miss);
        Usd((-missed).max(Decimal::ZERO))
    }
}

impl Desk {
    /// Asks for balances when that is due and the books are at rest.
    pub(super) fn count_money(&mut self, now: Timestamp, step: &mut Step) {
        // Without the allowance nothing is bought, so that one is asked for whatever else is open.
        let due = self.is_settled() || (!self.purse.is_known() && !self.reconcile.is_required());
        if self.counting.asking.is_some() || now < self.counting.next_at || !due {
            return;
        }
        let tokens = self.portfolio.countable(TOKENS);
        let refresh = !self.counting.seen.is_empty();
        self.counting.asking = Some(tokens.clone());
        step.urgent.push(Effect::Balances { tokens, refresh });
    }

    /// No order is of unknown fate or on its way, every match has its trade, and the books were compared.
    fn is_settled(&self) -> bool {
        !self.reconcile.is_required() && self.counts.unknown == 0 && self.sending() == 0 && self.untraded.is_empty()
    }

    /// The venue's balances.
    pub(in crate::exec) fn on_balances(&mut self, result: Result<Balances, VenueError>, now: Timestamp) -> Step {
        let mut step = Step::default();
        let Some(asked) = self.counting.asking.take() else { return step };
        self.counting.next_at = now.plus(self.rules.reconcile_every);
        let balances = match result {
            Ok(balances) => balances,
            Err(error) => {
                tracing::warn!(%error, "the balances cannot be read, trying again");
                return step;
            }
        };
        self.purse.counted(&balances.collateral.allowances);
        if !self.is_settled() {
            self.counting.next_at = now.plus(AGAIN);
            return step;
        }
        let expected = self.portfolio.expected(&asked, CACHE_LAG, now);
        if expected.cash.is_none() {
            self.open_account(&balances, now, &mut step);
            return step;
        }
        let missed = misses(&expected, &balances);
        if !missed.is_empty() {
            self.counting.next_at = now.plus(AGAIN);
        }
        let before = std::mem::take(&mut self.counting.seen);
        for (asset, miss) in missed {
            let earlier = before.get(&asset).filter(|(other, _)| other.is_sign_negative() == miss.is_sign_negative());
            let (least, times) = earlier.map_or((miss, 0), |(other, times)| (nearer(*other, miss), *times));
            self.counting.seen.insert(asset, (least, times + 1));
        }
        self.settle_differences(now, &mut step);
        step
    }

    /// The first balance: whatever was there before the books began.
    fn open_account(&mut self, balances: &Balances, now: Timestamp, step: &mut Step) {
        if self.portfolio.is_in_flux() {
            self.counting.next_at = now.plus(AGAIN);
            return;
        }
        let more = balances.collateral.balance - self.portfolio.cash().0;
        tracing::info!(pusd = %balances.collateral.balance, "the account's balance is taken over");
        let note = "what the account had before the books began".to_owned();
        self.correct(Asset::Usd, more, note, now, step);
    }

    fn settle_differences(&mut self, now: Timestamp, step: &mut Step) {
        let settled: Vec<(Asset, Decimal)> = self
            .counting
            .seen
            .iter()
            .filter(|(_, (_, times))| *times >= CONFIRMATIONS)
            .map(|(asset, (miss, _))| (asset.clone(), *miss))
            .collect();
        let mut worth = Usd::ZERO;
        for (asset, miss) in settled {
            self.counting.seen.remove(&asset);
            let (what, value) = match &asset {
                Asset::Usd => ("pUSD".to_owned(), Usd(miss.abs())),
                Asset::Token(token) => (format!("shares of token {token}"), self.worth(token, miss)),
            };
            worth += value;
            let more = if miss.is_sign_negative() { "less" } else { "more" };
            let detail = format!(
                "the venue has {} {what} {more} than the books, seen {CONFIRMATIONS} times",
                miss.abs().normalize()
            );
            self.mismatch("balance", format!("{detail}; its figure is taken over"), now, step);
            self.correct(asset, miss, detail, now, step);
        }
        let limit = self.rules.mismatch_limit;
        if worth > limit && self.latch.is_armed() {
            let why = format!("books and venue differ by {} pUSD, more than {limit} are allowed", worth.0.normalize());
            step.urgent.push(Effect::Kill(why));
        }
    }

    /// At the payout or the last mark; a share that was never valued counts as a whole pUSD.
    fn worth(&self, token: &TokenId, shares: Decimal) -> Usd {
        let price = self.portfolio.position(token).and_then(|position| position.mark);
        price.unwrap_or(Price(Decimal::ONE)).notional(crate::domain::Size(shares.abs()))
    }

    fn correct(&mut self, asset: Asset, more: Decimal, note: String, now: Timestamp, step: &mut Step) {
        let market = match &asset {
            Asset::Token(token) => self.portfolio.position(token).map(|position| position.market),
            Asset::Usd => None,
        };
        let journal = correction(asset, market.unwrap_or_else(|| ACCOUNT.into()), more, note, now);
        self.portfolio.correct(journal.clone());
        step.journal(journal);
    }
}

/// What lies outside of what the books can explain.
fn misses(expected: &Expected, balances: &Balances) -> Vec<(Asset, Decimal)> {
    let cash = expected.cash.map(|range| (Asset::Usd, range.miss(balances.collateral.balance)));
    let token = |(token, found): &(TokenId, crate::exec::venue::AssetBalance)| {
        let range = expected.tokens.get(token)?;
        Some((Asset::Token(token.clone()), range.miss(found.balance)))
    };
    let all = cash.into_iter().chain(balances.tokens.iter().filter_map(token));
    all.filter(|(_, miss)| miss.abs() >= DUST).collect()
}

fn nearer(one: Decimal, other: Decimal) -> Decimal {
    if one.abs() < other.abs() { one } else { other }
}
