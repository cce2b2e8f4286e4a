//! Positions and profit: fills become journals, and what is held is the fold of the journals. Pure.
//!
//! Invariant: what is held is a function of the *set* of fills. A fill is known by `(trade, order)`; seeing it again, or seeing
//! its settlement in another order, changes nothing, and a failed one has no effect at all.
//!
//! What is kept, and what a question costs, depends on what is held and recent, not on what was ever traded: see `portfolio/folding.rs`.

mod balances;
mod folding;
mod journals;
mod losses;
mod mark;
mod opening;
mod redeem;
mod token;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::domain::{
    Book, Fill, Holding, Journal, Market, OrderId, Pnl, Position, PositionPart, Price, Retired, Side, Size, Slug,
    StrategyId, Timestamp, TokenId, TradeId, Usd, fold,
};
use crate::risk::PositionStake;

use self::token::Token;

pub use balances::{Expected, Range};
pub use journals::{correction, opening};
use mark::Mark;

/// What a sighting of a fill did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FillChange {
    /// Not known before. A journal is to be written, unless it failed at once.
    New(Fill, Option<Journal>),
    /// Known, and it has moved on; with a journal when that changes what is booked.
    Moved(Fill, Option<Journal>),
    /// Known as it is.
    Same,
}

/// A fill's name; the order first, so that the fills of one lie together.
type Leg = (OrderId, TradeId);

/// Whether a token's market takes orders, as far as was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trading {
    /// It did, when that was last told.
    Open(Timestamp),
    /// It does not any more, since then.
    Ended(Timestamp),
}

/// The fills of the account and what follows from them.
#[derive(Clone, Debug, Default)]
pub struct Portfolio {
    /// Every token that was traded, but for those that are retired.
    tokens: BTreeMap<TokenId, Token>,
    /// Those at work: something of them is held and not resolved to nothing, or not settled.
    at_work: BTreeSet<TokenId>,
    /// What the others add to profit.
    resting: Retired,
    /// What those add that are not kept any more.
    retired: Retired,
    /// What was matched before this may be folded up.
    folded_to: Timestamp,
    /// pUSD over all journals.
    cash: Usd,
    /// Corrections of it that are not folded up.
    cash_corrected: Vec<(Timestamp, Usd)>,
    /// Proceeds of sales that are not settled: part of the cash, and not ours yet.
    unsettled: Usd,
    /// Since when what the account began with is part of it.
    opened_at: Option<Timestamp>,
    /// When fills last changed, as far as a cache of balances may not have seen it.
    changed_at: HashMap<Leg, (TokenId, Timestamp)>,
    conflicts: HashSet<Leg>,
    marks: HashMap<TokenId, Mark>,
    /// What the last looks saw of what is held, the newest last.
    looks: HashMap<TokenId, VecDeque<Mark>>,
    /// When the oldest mark was heard that the last look found, of what trades.
    oldest: Option<Timestamp>,
    payouts: HashMap<TokenId, Price>,
    /// What their market calls them: its slug and their outcome.
    names: HashMap<TokenId, (Slug, String)>,
    trading: HashMap<TokenId, Trading>,
    /// The end that its market names.
    closes: HashMap<TokenId, Timestamp>,
    dirty: HashSet<TokenId>,
    unsaved: HashSet<TokenId>,
    count: u64,
    newest: Timestamp,
}

impl Portfolio {
    /// Nothing traded.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Folds in a sighting of a fill. Not one that [`Self::must_ask`] names, before that was done.
    pub fn apply(&mut self, fill: &Fill, now: Timestamp) -> FillChange {
        let id = fill.token.clone();
        let leg: Leg = (fill.order.clone(), fill.trade.clone());
        self.wake(&id);
        let token = self.tokens.entry(id.clone()).or_insert_with(|| Token::new(&fill.market, self.folded_to));
        let known = token.fills.get(&leg);
        let after = known.map_or_else(|| fill.clone(), |known| join(known, fill));
        if known == Some(&after) {
            self.settle(&id);
            return FillChange::Same;
        }
        let journal = journals::of_fill(known, &after);
        let unsettled = |fill: &Fill| {
            let counts = fill.side == Side::Sell && !fill.status.is_final();
            if counts { journals::cash_of(fill) } else { Usd::ZERO }
        };
        self.unsettled += unsettled(&after) - known.map_or(Usd::ZERO, unsettled);
        let new = known.is_none();
        token.take(&leg, after.clone(), journal.clone());
        self.settle(&id);
        self.count += u64::from(new);
        self.newest = self.newest.max(after.matched_at);
        self.cash += journal.as_ref().map(|journal| fold([journal]).cash).unwrap_or_default();
        self.changed_at.insert(leg, (id.clone(), now));
        self.dirty.insert(id);
        if new { FillChange::New(after, journal) } else { FillChange::Moved(after, journal) }
    }

    /// What the books have of a fill, when a sighting of it says another size, price or side. The figures of the first sighting
    /// are kept, since they were booked; its settlement counts all the same. Told once for each fill.
    pub fn conflict(&mut self, seen: &Fill) -> Option<Fill> {
        let leg: Leg = (seen.order.clone(), seen.trade.clone());
        let known = self.tokens.get(&seen.token)?.fills.get(&leg)?;
        let kept = known.clone();
        (differ(known, seen) && self.conflicts.insert(leg)).then_some(kept)
    }

    /// A fill as the ledger has it: booked when it was matched, or not long after, and folded up perhaps.
    pub fn restore(&mut self, fill: &Fill) {
        if fill.matched_at >= self.folded_to(&fill.token) {
            self.apply(fill, fill.matched_at);
        }
    }

    /// The same for what is no fill's.
    pub fn restore_correction(&mut self, journal: Journal) {
        let to = journal.token().map_or(self.folded_to, |token| self.folded_to(token));
        if journal.at >= to {
            self.correct(journal);
        }
    }

    /// Books a journal that is not a fill's: the venue's figure is taken over.
    pub fn correct(&mut self, journal: Journal) {
        let moved = fold([&journal]).cash;
        self.cash += moved;
        let Some(id) = journal.token().cloned() else {
            self.opened_at = Some(self.opened_at.map_or(journal.at, |known| known.min(journal.at)));
            self.cash_corrected.push((journal.at, moved));
            return;
        };
        self.wake(&id);
        let token = self.tokens.entry(id.clone()).or_insert_with(|| Token::new(&journal.market, self.folded_to));
        token.book(journal);
        self.settle(&id);
        self.dirty.insert(id);
    }

    /// Everything that is booked and not folded up.
    #[cfg(test)]
    pub(super) fn journals(&self) -> impl Iterator<Item = &Journal> {
        self.tokens.values().flat_map(|token| token.booked.journals())
    }

    /// Values what is held at the closing side of a book, to its depth; nobody there means that it is worth nothing. An older book
    /// leaves the mark as it is; so does one without anybody on either side, and one with nobody on that side from `last` before the
    /// end of its market, named or told, since makers take back their quotes when a result is near.
    pub fn on_book(&mut self, book: &Book, last: Duration) {
        let Some(shares) = self.holding(&book.token).map(|holding| holding.shares) else { return };
        let mark = Mark::of(book);
        let ends = [self.ended(&book.token), self.closes.get(&book.token).copied()];
        let closed = ends.into_iter().flatten().any(|end| book.event_at.plus(last) >= end);
        let says_nothing = book.bids.is_empty() && book.asks.is_empty();
        if says_nothing
            || closed && !mark.closes(shares)
            || self.marks.get(&book.token).is_some_and(|known| known.at() > mark.at())
        {
            return;
        }
        let price = mark.price(shares);
        let before = self.marks.insert(book.token.clone(), mark);
        if before.is_none_or(|before| before.price(shares) != price) && !shares.is_zero() {
            self.unsaved.insert(book.token.clone());
        }
    }

    /// A mark from an earlier run: better than none, and older than any book.
    pub fn restore_mark(&mut self, token: &TokenId, price: Price, at: Timestamp) {
        self.marks.insert(token.clone(), Mark::flat(price, at));
    }

    /// Marks of what is held that changed since the last call.
    pub fn take_marks(&mut self) -> Vec<(TokenId, Price, Timestamp)> {
        let unsaved: Vec<TokenId> = self.unsaved.drain().collect();
        let mark = |token: TokenId| {
            let mark = self.marks.get(&token)?;
            Some((token.clone(), mark.price(self.holding(&token)?.shares)?, mark.at()))
        };
        unsaved.into_iter().filter_map(mark).collect()
    }

    /// Learns a market's name, whether it takes orders and, once it is resolved, its payouts. The first result stands: gives the first
    /// payout that is told to be another, as `(token, kept, told)`.
    pub fn on_market(&mut self, market: &Market, now: Timestamp) -> Option<(TokenId, Price, Price)> {
        let mut contradicted = None;
        for outcome in &market.tokens {
            let trading = trading(market, self.trading.get(&outcome.token).copied(), now);
            self.trading.insert(outcome.token.clone(), trading);
            if let Some(closes_at) = market.closes_at {
                self.closes.insert(outcome.token.clone(), closes_at);
            }
            let name = (market.slug.clone(), outcome.outcome.clone());
            let named = self.names.insert(outcome.token.clone(), name).is_some();
            let payout = market.payout_of(&outcome.token);
            let known = self.payouts.get(&outcome.token).copied();
            match (known, payout) {
                (None, Some(payout)) => drop(self.payouts.insert(outcome.token.clone(), payout)),
                (Some(kept), Some(told)) if kept != told && contradicted.is_none() => {
                    contradicted = Some((outcome.token.clone(), kept, told));
                }
                _ => {}
            }
            let resolved = known.is_none() && payout.is_some();
            if (resolved || !named) && self.tokens.contains_key(&outcome.token) {
                self.settle(&outcome.token);
                self.dirty.insert(outcome.token.clone());
            }
        }
        contradicted
    }

    /// Forgets a market, but for its tokens that were traded and are not retired.
    pub fn forget(&mut self, market: &Market) {
        for outcome in &market.tokens {
            if !self.tokens.contains_key(&outcome.token) {
                self.forget_token(&outcome.token);
            }
        }
    }

    fn forget_token(&mut self, token: &TokenId) {
        self.names.remove(token);
        self.payouts.remove(token);
        self.marks.remove(token);
        self.trading.remove(token);
        self.closes.remove(token);
    }

    /// The fills of a market whose taker fee could not be computed when they were seen, with their fee. Not of those that are
    /// folded up: what the venue took for them was found as a difference of balances long before.
    pub fn late_fees(&self, market: &Market) -> Vec<Fill> {
        if market.fee.rate.is_zero() {
            return Vec::new();
        }
        let fills = market
            .tokens
            .iter()
            .filter_map(|outcome| self.tokens.get(&outcome.token))
            .flat_map(|token| token.fills.values());
        fills
            .filter(|fill| fill.role == crate::domain::Role::Taker && fill.fee.is_zero())
            .map(|fill| Fill { fee: market.fee.taker_fee(fill.price, fill.size), ..fill.clone() })
            .collect()
    }

    /// How many fills there are, failed ones included.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// When the newest fill was matched, and at least the end of what was folded up before this run.
    #[must_use]
    pub const fn newest(&self) -> Timestamp {
        self.newest
    }

    /// The fills that may still change.
    pub fn unsettled(&self) -> impl Iterator<Item = &Fill> {
        self.working().flat_map(|(_, token)| token.unsettled())
    }

    /// The fills of one order that are not folded up.
    pub fn fills_of<'a>(&'a self, token: &TokenId, order: &'a OrderId) -> impl Iterator<Item = &'a Fill> + 'a {
        let first = (order.clone(), TradeId::new(""));
        let fills = self.tokens.get(token).into_iter().flat_map(move |token| token.fills.range(first.clone()..));
        fills.map(|(_, fill)| fill).take_while(move |fill| fill.order == *order)
    }

    fn holding(&self, token: &TokenId) -> Option<Holding> {
        self.tokens.get(token).map(|known| known.holding(token))
    }

    /// One token's position.
    #[must_use]
    pub fn position(&self, token: &TokenId) -> Option<Position> {
        let known = self.tokens.get(token)?;
        let holding = known.holding(token);
        let confirmed = known.confirmed(token);
        let payout = self.payouts.get(token).copied();
        let mark = self.marks.get(token);
        let name = self.names.get(token);
        // What the account began with has no fill that tells it.
        let outcome = name.filter(|_| known.outcome.is_empty()).map_or(&known.outcome, |(_, outcome)| outcome);
        let unsold = known.unsold.held();
        let cost = |holding: &Holding| holding.cost.abs() + holding.carried;
        let part = |(owner, part): (&(TokenId, Option<StrategyId>), &Holding)| PositionPart {
            strategy: owner.1.clone(),
            size: part.shares,
            pending_buys: known.bought_by(owner.1.as_ref()),
            at_stake: unsold.parts.get(owner).map_or(Usd::ZERO, cost),
            avg_price: part.average(),
            realised: part.realised,
            fees: part.fees,
        };
        Some(Position {
            market: known.market.clone(),
            slug: name.map(|(slug, _)| slug.clone()),
            token: token.clone(),
            outcome: outcome.clone(),
            size: holding.shares,
            confirmed: confirmed.shares,
            pending_buys: known.bought(),
            pending_sells: known.sold(),
            at_stake: unsold.tokens.get(token).map_or(Usd::ZERO, cost),
            paid: confirmed.cost - confirmed.realised + confirmed.fees,
            provisional: known.lots(),
            avg_price: holding.average(),
            mark: payout.or_else(|| mark.and_then(|mark| mark.price(holding.shares))),
            mark_at: mark.map(Mark::at),
            payout,
            realised: holding.realised,
            realised_confirmed: confirmed.realised,
            unrealised: self.unrealised(token, &holding),
            fees: holding.fees,
            parts: known.booked.held().parts.iter().map(part).collect(),
        })
    }

    /// Every position that is not zero, and those traded on the UTC day of `now`; without those that are retired.
    #[must_use]
    pub fn positions(&self, now: Timestamp) -> Vec<Position> {
        let shown = |token: &TokenId, known: &Token| {
            let holding = known.holding(token);
            !holding.shares.is_zero() || holding.touched_at.utc_day() == now.utc_day()
        };
        self.tokens.iter().filter(|(id, known)| shown(id, known)).filter_map(|(id, _)| self.position(id)).collect()
    }

    /// Whether this token was traded, and is not retired.
    #[must_use]
    pub fn keeps(&self, token: &TokenId) -> bool {
        self.tokens.contains_key(token)
    }

    /// Whether shares of this token are held.
    #[must_use]
    pub fn holds(&self, token: &TokenId) -> bool {
        self.holding(token).is_some_and(|held| !held.shares.is_zero())
    }

    /// Whether books of this token are to be expected: its market is known, takes orders as far as was told, and has not come to the end
    /// that it names.
    #[must_use]
    pub fn is_trading(&self, token: &TokenId, now: Timestamp) -> bool {
        matches!(self.trading.get(token), Some(Trading::Open(_))) && self.closes.get(token).is_none_or(|end| now < *end)
    }

    /// What of a position counts for the gate; nothing when nothing does.
    #[must_use]
    pub fn stake(&self, token: &TokenId) -> Option<PositionStake> {
        let position = self.at_work.get(token).and_then(|token| self.position(token))?;
        Some(PositionStake::of(&position)).filter(|stake| !stake.is_nothing())
    }

    /// The same of all of them.
    pub fn stakes(&self) -> impl Iterator<Item = PositionStake> {
        self.at_work.iter().filter_map(|token| self.stake(token))
    }

    /// Total profit, when everything that is held can be valued: at the payout once its market is resolved, until then at what a book
    /// that was confirmed within `most` takes it for. Between the end of its trading and its result there are no books, and a mark that
    /// was fresh at that end stands.
    ///
    /// # Errors
    /// What cannot be valued, in words.
    pub fn equity(&self, now: Timestamp, most: Duration) -> Result<Usd, String> {
        let mut total = self.resting.total() + self.retired.total();
        for (id, known) in self.working() {
            let holding = known.holding(id);
            total += holding.realised - holding.fees;
            if !holding.shares.is_zero() {
                total += self.value(id, holding.shares, now, most)? - holding.cost;
            }
        }
        Ok(total)
    }

    fn value(&self, token: &TokenId, shares: Size, now: Timestamp, most: Duration) -> Result<Usd, String> {
        match self.payouts.get(token) {
            Some(payout) => Ok(payout.notional(shares)),
            None => self.mark(token, now, most).map(|mark| mark.worth(shares)),
        }
    }

    /// A token's mark, if it is not older than `most`, or was not when its trading ended.
    fn mark(&self, token: &TokenId, now: Timestamp, most: Duration) -> Result<&Mark, String> {
        let name = || match self.names.get(token) {
            Some((slug, _)) => format!("{token} of {slug}"),
            None => token.to_string(),
        };
        let mark = self.marks.get(token).ok_or_else(|| format!("no price yet of token {}", name()))?;
        let ended = self.ended(token);
        let age = ended.unwrap_or(now).since(mark.at());
        if age <= most {
            return Ok(mark);
        }
        Err(format!(
            "the price of token {} {} {} s old, at most {} s are allowed",
            name(),
            if ended.is_some() { "was, when its trading ended," } else { "is" },
            age.as_secs(),
            most.as_secs()
        ))
    }

    fn unrealised(&self, token: &TokenId, holding: &Holding) -> Option<Usd> {
        if holding.shares.is_zero() {
            return Some(Usd::ZERO);
        }
        let worth = match self.payouts.get(token) {
            Some(payout) => payout.notional(holding.shares),
            None => self.marks.get(token)?.worth(holding.shares),
        };
        Some(worth - holding.cost)
    }

    /// Profit and loss over everything. A position that was never marked counts at cost.
    #[must_use]
    pub fn pnl(&self) -> Pnl {
        let mut pnl = Pnl::default();
        for sum in [&self.resting, &self.retired] {
            pnl.realised += sum.realised;
            pnl.realised_confirmed += sum.realised;
            pnl.fees += sum.fees;
            pnl.unrealised += sum.unrealised;
        }
        for (token, known) in self.working() {
            let holding = known.holding(token);
            pnl.realised += holding.realised;
            pnl.realised_confirmed += known.confirmed(token).realised;
            pnl.fees += holding.fees;
            pnl.unrealised += self.unrealised(token, &holding).unwrap_or_default();
        }
        pnl.total = pnl.realised + pnl.unrealised - pnl.fees;
        pnl
    }

    /// Positions that changed since the last call. A mark that moved is no change: books move all the time.
    pub fn take_changed(&mut self) -> Vec<Position> {
        let dirty: Vec<TokenId> = self.dirty.drain().collect();
        dirty.iter().filter_map(|token| self.position(token)).collect()
    }
}

/// At most so many of these, those behind `after` first, so that all have their turn.
fn turn<'a>(tokens: impl Iterator<Item = &'a TokenId>, most: usize, after: Option<&TokenId>) -> Vec<TokenId> {
    let (begun, behind): (Vec<&TokenId>, Vec<&TokenId>) =
        tokens.partition(|token| after.is_some_and(|after| *token <= after));
    behind.into_iter().chain(begun).take(most).cloned().collect()
}

/// What a description says of its market's trading. A market may take orders beyond the end that it names, so only that it takes none
/// is an end: at the named end, unless it was seen to take some afterwards or has none yet.
fn trading(market: &Market, known: Option<Trading>, now: Timestamp) -> Trading {
    if market.accepting_orders {
        return Trading::Open(now);
    }
    match known {
        Some(ended @ Trading::Ended(_)) => ended,
        known => {
            let open = known.map_or(Timestamp::default(), Trading::at);
            Trading::Ended(market.closes_at.unwrap_or(now).max(open).min(now))
        }
    }
}

impl Trading {
    const fn at(self) -> Timestamp {
        match self {
            Self::Open(at) | Self::Ended(at) => at,
        }
    }

    const fn ended(self) -> Option<Timestamp> {
        match self {
            Self::Open(_) => None,
            Self::Ended(at) => Some(at),
        }
    }
}

fn differ(known: &Fill, seen: &Fill) -> bool {
    (known.size, known.price, known.side) != (seen.size, seen.price, seen.side)
}

/// Two sightings of one fill: the furthest settlement, and the fee once it is known. The rest was booked as it was first seen,
/// and the fee of other figures is not its own.
fn join(known: &Fill, seen: &Fill) -> Fill {
    let fee = if differ(known, seen) { known.fee } else { Usd(known.fee.0.max(seen.fee.0)) };
    Fill { status: known.status.max(seen.status), fee, ..known.clone() }
}

#[cfg(test)]
mod tests;
