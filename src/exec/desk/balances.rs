//! Comparing pUSD and shares with the venue, once nothing provisional and no lag of a cache can explain a difference.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rust_decimal::Decimal;

use super::{Desk, Effect, Step, Tracked};
use crate::domain::{
    Asset, Control, Denial, Journal, JournalKind, OrderState, Price, Side, Size, Timestamp, TokenId, Usd,
};
use crate::exec::portfolio::{Expected, correction};
use crate::exec::venue::{Balances, VenueError};

/// How long the venue's cache may not have seen a settlement.
pub(super) const CACHE_LAG: Duration = Duration::from_secs(30);
/// Between two looks at a difference.
pub(super) const AGAIN: Duration = Duration::from_secs(5);
/// A difference must be seen this often in a row, the venue's cache refreshed and its trades compared in between.
const CONFIRMATIONS: u32 = 3;
/// What rounding may leave, in pUSD or shares.
pub(super) const DUST: Decimal = Decimal::from_parts(1, 0, 0, false, 2);
/// So long without a comparison is told.
const OVERDUE: Duration = Duration::from_mins(10);
/// Differences within this count together.
const WINDOW: Duration = Duration::from_hours(24);
/// Tokens asked for at one time.
const TOKENS: usize = 50;
/// What stands for the market in a correction of pUSD.
pub(super) const ACCOUNT: &str = "account";

/// How far the comparison has come.
#[derive(Debug)]
pub(super) struct Counting {
    next_at: Timestamp,
    asking: Option<Vec<TokenId>>,
    /// When this run asked for the first time.
    pub(super) first_asked_at: Option<Timestamp>,
    /// The last token that had its turn, of those that trade and of those that may be paid out.
    turn: Option<TokenId>,
    redeemable: Option<TokenId>,
    /// When balances were compared last, and whether it was told that this is long ago.
    counted_at: Timestamp,
    overdue_told: bool,
    /// What was corrected within [`WINDOW`], in pUSD.
    corrected: VecDeque<(Timestamp, Usd)>,
    /// Differences seen in a row.
    pub(super) seen: BTreeMap<Asset, Difference>,
}

/// What an asset differs by at the venue, look after look in the same direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// The least of what was seen.
    pub(super) least: Decimal,
    /// How many looks count.
    pub(super) times: u32,
    /// When the last of them was. The next counts once trades and orders were compared after it: a fill that nobody told is
    /// a fill and no difference.
    at: Timestamp,
}

impl Difference {
    /// With one more look; `compared` is when the last comparison of the books that ended began.
    fn seen(earlier: Option<Self>, miss: Decimal, compared: Option<Timestamp>, now: Timestamp) -> Self {
        let same = earlier.filter(|earlier| earlier.least.is_sign_negative() == miss.is_sign_negative());
        let Some(earlier) = same else { return Self { least: miss, times: 1, at: now } };
        let least = nearer(earlier.least, miss);
        if compared.is_some_and(|compared| compared >= earlier.at) {
            Self { least, times: earlier.times + 1, at: now }
        } else {
            Self { least, ..earlier }
        }
    }
}

impl Counting {
    /// Due at once.
    pub(super) const fn at(now: Timestamp) -> Self {
        Self {
            next_at: now,
            asking: None,
            first_asked_at: None,
            turn: None,
            redeemable: None,
            counted_at: now,
            overdue_told: false,
            corrected: VecDeque::new(),
            seen: BTreeMap::new(),
        }
    }

    /// The venue has said that there is too little: look at once.
    pub(super) const fn recount(&mut self, now: Timestamp) {
        self.next_at = now;
    }

    /// Not before then.
    pub(super) const fn look_at(&mut self, at: Timestamp) {
        self.next_at = at;
    }

    /// How much less pUSD the venue has shown than the books can explain, while that is not settled.
    pub(super) fn missing(&self) -> Usd {
        let missed = self.seen.get(&Asset::Usd).map_or(Decimal::ZERO, |differs| differs.least);
        Usd((-missed).max(Decimal::ZERO))
    }
}

impl Desk {
    /// Asks for balances when that is due and the books are at rest.
    pub(super) fn count_money(&mut self, now: Timestamp, step: &mut Step) {
        if !self.counting.overdue_told && now.since(self.counting.counted_at) > OVERDUE {
            self.counting.overdue_told = true;
            let minutes = OVERDUE.as_secs() / 60;
            self.mismatch("balance", format!("no balance was compared for {minutes} min"), now, step);
        }
        if self.counting.asking.is_some() || now < self.counting.next_at || self.reconcile.is_required() {
            return;
        }
        let tokens = if self.is_opened() { self.countable(now) } else { self.to_take_over(TOKENS) };
        let refresh = !self.counting.seen.is_empty();
        self.counting.asking = Some(tokens.clone());
        self.purse.ask(now);
        self.counting.first_asked_at.get_or_insert(now);
        step.urgent.push(Effect::Balances { tokens, refresh });
    }

    /// What differed last is looked at again, and of all others some in turn; half of the room at most is for what may be paid out.
    fn countable(&mut self, now: Timestamp) -> Vec<TokenId> {
        let differ = |asset: &Asset| if let Asset::Token(token) = asset { Some(token.clone()) } else { None };
        let mut tokens: Vec<TokenId> = self.counting.seen.keys().filter_map(differ).take(TOKENS).collect();
        for token in self.portfolio.redeemable(TOKENS / 2, self.counting.redeemable.as_ref()) {
            if tokens.len() < TOKENS && !tokens.contains(&token) {
                self.counting.redeemable = Some(token.clone());
                tokens.push(token);
            }
        }
        for token in self.portfolio.countable(TOKENS, self.counting.turn.as_ref(), now) {
            if tokens.len() >= TOKENS {
                break;
            }
            if !tokens.contains(&token) {
                self.counting.turn = Some(token.clone());
                tokens.push(token);
            }
        }
        tokens
    }

    /// No order is of unknown fate or on its way, and every match has its trade.
    pub(super) fn is_at_rest(&self) -> bool {
        self.counts.unknown == 0 && self.sending() == 0 && self.untraded.is_empty()
    }

    /// Allows for what orders may have led to without our having heard of it.
    fn allow_for_orders(&self, expected: &mut Expected, now: Timestamp) {
        let young = |tracked: &Tracked| {
            let times = tracked.row.order.times;
            let begun = times.sent_at.or(times.signed_at);
            let open_ended = matches!(tracked.state(), OrderState::Sent | OrderState::Unknown);
            open_ended || begun.is_some_and(|begun| now.since(begun) <= CACHE_LAG)
        };
        let active = self.active.iter().filter_map(|key| self.orders.get(key)).filter(|tracked| young(tracked));
        let open = active.map(|tracked| (tracked, tracked.row.order.remaining() + tracked.standing.untraded()));
        let ended = self.untraded.keys().filter(|key| !self.active.contains(key));
        let ended = ended.filter_map(|key| self.orders.get(key)).map(|tracked| (tracked, tracked.standing.untraded()));
        for (tracked, shares) in open.chain(ended) {
            let intent = &tracked.row.order.intent;
            match intent.side {
                Side::Buy => {
                    let paid = intent.cost(shares, self.fees_of(&intent.market));
                    expected.may_show(&intent.token, -paid.0, shares.0);
                }
                // It may sell for more than its limit, up to a whole pUSD a share.
                Side::Sell => expected.may_show(&intent.token, shares.0, -shares.0),
            }
        }
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
        if self.reconcile.is_required() {
            self.counting.next_at = now.plus(AGAIN);
            return step;
        }
        let mut expected = self.portfolio.expected(&asked, CACHE_LAG, now);
        if expected.cash.is_none() {
            self.open_account(&asked, &balances, now, &mut step);
            return step;
        }
        self.allow_for_orders(&mut expected, now);
        (self.counting.counted_at, self.counting.overdue_told) = (now, false);
        let missed = misses(&expected, &balances);
        if !missed.is_empty() {
            self.counting.next_at = now.plus(AGAIN);
            self.compare_soon(now);
        }
        let unasked = |asset: &Asset| matches!(asset, Asset::Token(token) if !asked.contains(token));
        let (kept, before) = std::mem::take(&mut self.counting.seen).into_iter().partition(|(asset, _)| unasked(asset));
        self.counting.seen = kept;
        let before: BTreeMap<Asset, Difference> = before;
        for (asset, miss) in missed {
            let differs = Difference::seen(before.get(&asset).copied(), miss, self.reconcile.clean_at(), now);
            self.counting.seen.insert(asset, differs);
        }
        self.settle_differences(balances.collateral.balance, now, &mut step);
        step
    }

    /// What was seen often enough is taken over: `cash` is the venue's pUSD.
    fn settle_differences(&mut self, cash: Decimal, now: Timestamp, step: &mut Step) {
        if self.reconcile.holes.hold_back(now) {
            return;
        }
        let settled: Vec<(Asset, Decimal)> = self
            .counting
            .seen
            .iter()
            .filter(|(_, differs)| differs.times >= CONFIRMATIONS)
            .map(|(asset, differs)| (asset.clone(), differs.least))
            .collect();
        let mut worth = Usd::ZERO;
        for (asset, miss) in settled {
            self.counting.seen.remove(&asset);
            if self.redeemed(&asset, miss, cash, now, step) {
                continue;
            }
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
        if !worth.is_zero() {
            self.counting.corrected.push_back((now, worth));
            self.judge_corrections(now, step);
        }
    }

    /// Shares that are gone after their market was resolved were paid out. Of a market that nobody has described the result is not
    /// heard of: then the pUSD has to be there, whole.
    fn redeemed(&mut self, asset: &Asset, miss: Decimal, cash: Decimal, now: Timestamp, step: &mut Step) -> bool {
        let Asset::Token(token) = asset else { return false };
        if !miss.is_sign_negative() {
            return false;
        }
        let whole = cash - self.portfolio.cash().0 + DUST >= -miss && !self.portfolio.is_described(token);
        let payout = self.portfolio.payout(token).or_else(|| whole.then_some(Price(Decimal::ONE)));
        let Some(payout) = payout else { return false };
        tracing::info!(%token, shares = %-miss, %payout, "shares were paid out");
        for journal in self.portfolio.redeem(token, Size(-miss), payout, now) {
            step.journal(journal);
        }
        self.stakes.moved(token);
        true
    }

    /// Each difference is corrected, so that small ones could go on for ever: they count together.
    pub(super) fn judge_corrections(&mut self, now: Timestamp, step: &mut Step) {
        self.counting.corrected.retain(|(at, _)| now.since(*at) <= WINDOW);
        let worth: Usd = self.counting.corrected.iter().map(|(_, worth)| *worth).sum();
        let limit = self.gate.limits().mismatch_limit;
        if worth > limit {
            let (worth, hours) = (worth.0.normalize(), WINDOW.as_secs() / 3_600);
            let value = format!("books and venue differed by {worth} pUSD within {hours} h");
            self.exceeded(&Denial { control: Control::Mismatch, value, limit: format!("{limit} pUSD") }, step);
        }
    }

    /// A person has looked and armed: what was corrected before is accepted.
    pub(super) fn accept_corrections(&mut self) {
        self.counting.corrected.clear();
    }

    /// What earlier runs corrected counts too, unless a person has accepted it by arming.
    pub(super) fn restore_corrections(&mut self, journals: &[Journal]) {
        let accepted = |journal: &Journal| self.latch.is_armed() && journal.at <= self.latch.at;
        let counts = |journal: &&Journal| journal.kind == JournalKind::Correction && !accepted(journal);
        for journal in journals.iter().filter(counts) {
            let Some(first) = journal.postings.first() else { continue };
            let worth = match &first.asset {
                Asset::Usd => Usd(first.amount.abs()),
                Asset::Token(token) => self.worth_before_result(token, first.amount),
            };
            self.counting.corrected.push_back((journal.at, worth));
        }
    }

    /// What was corrected lately and counts together, and what books and venue differ by now as far as was seen, confirmed or not.
    pub(super) fn differing(&self, now: Timestamp) -> Usd {
        let lately = self.counting.corrected.iter().filter(|(at, _)| now.since(*at) <= WINDOW);
        let corrected: Usd = lately.map(|(_, worth)| *worth).sum();
        let worth = |(asset, differs): (&Asset, &Difference)| match asset {
            Asset::Usd => Usd(differs.least.abs()),
            // It was paid out, or it will show as pUSD.
            Asset::Token(token) if differs.least.is_sign_negative() && self.portfolio.payout(token).is_some() => {
                Usd::ZERO
            }
            Asset::Token(token) => self.worth(token, differs.least),
        };
        corrected + self.counting.seen.iter().map(worth).sum::<Usd>()
    }

    /// At the payout or the last mark, and that at no less than what was paid: what nobody buys now is missed all the same. A share that
    /// was never valued counts as a whole pUSD.
    fn worth(&self, token: &TokenId, shares: Decimal) -> Usd {
        let position = self.portfolio.position(token);
        let price = position
            .and_then(|position| position.payout.or_else(|| position.mark.map(|mark| mark.max(position.avg_price))));
        price.unwrap_or(Price(Decimal::ONE)).notional(Size(shares.abs()))
    }

    /// The same as it was before a result that may have come since: then at what was paid.
    fn worth_before_result(&self, token: &TokenId, shares: Decimal) -> Usd {
        match self.portfolio.position(token).filter(|position| position.payout.is_some()) {
            Some(position) => position.avg_price.notional(Size(shares.abs())),
            None => self.worth(token, shares),
        }
    }

    fn correct(&mut self, asset: Asset, more: Decimal, note: String, now: Timestamp, step: &mut Step) {
        let market = match &asset {
            Asset::Token(token) => self.portfolio.position(token).map(|position| position.market),
            Asset::Usd => None,
        };
        self.book_apart(correction(asset, market.unwrap_or_else(|| ACCOUNT.into()), more, note, now), step);
    }

    /// Books what is no trade's.
    pub(super) fn book_apart(&mut self, journal: Journal, step: &mut Step) {
        self.portfolio.correct(journal.clone());
        self.stakes.stale();
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
