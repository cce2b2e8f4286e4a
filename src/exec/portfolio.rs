//! Positions and profit as a fold of fills. Pure.
//!
//! Invariant: what is held is a function of the *set* of fills. A fill is known by `(trade, order)`; seeing it again, or seeing
//! its settlement in another order, changes nothing, and a failed one has no effect at all.

use std::collections::{BTreeMap, HashMap, HashSet};

use rust_decimal::Decimal;
use rust_decimal::prelude::Signed;

use crate::domain::{
    Book, Fill, FillStatus, Market, OrderId, Pnl, Position, Price, Side, Size, Slug, Timestamp, TokenId, TradeId, Usd,
};

/// What a sighting of a fill did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FillChange {
    /// Not known before.
    New(Fill),
    /// Known, and it has moved on.
    Moved(Fill),
    /// Known as it is.
    Same,
    /// Known with another size or price: the first sighting is kept.
    Conflict {
        /// What is kept.
        kept: Fill,
    },
}

/// One token's fold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Holding {
    shares: Size,
    cost: Usd,
    realised: Usd,
    fees: Usd,
    touched_at: Timestamp,
}

impl Holding {
    fn of<'a>(fills: impl Iterator<Item = &'a Fill>) -> Self {
        let mut sorted: Vec<&Fill> = fills.filter(|fill| fill.status != FillStatus::Failed).collect();
        sorted.sort_by(|a, b| (a.matched_at, &a.trade, &a.order).cmp(&(b.matched_at, &b.trade, &b.order)));
        let mut holding = Self::default();
        for fill in sorted {
            holding.add(fill);
        }
        holding
    }

    /// Average cost: what closes realises against the average of what is held, what opens adds to it.
    fn add(&mut self, fill: &Fill) {
        self.fees += fill.fee;
        self.touched_at = self.touched_at.max(fill.matched_at);
        let signed = if fill.side == Side::Buy { fill.size } else { -fill.size };
        let opposite = self.shares.0.is_sign_negative() != signed.0.is_sign_negative() && !self.shares.is_zero();
        let closing = if opposite { Size(self.shares.0.abs().min(signed.0.abs())) } else { Size::ZERO };
        if !closing.is_zero() {
            let released = if closing == self.shares.abs() { self.cost } else { self.share_of_cost(closing) };
            let value = fill.price.notional(Size(closing.0 * self.shares.0.signum()));
            self.realised += value - released;
            self.cost -= released;
            self.shares += Size(closing.0 * signed.0.signum());
        }
        let opening = Size((signed.0.abs() - closing.0) * signed.0.signum());
        self.cost += fill.price.notional(opening);
        self.shares += opening;
    }

    fn share_of_cost(&self, closing: Size) -> Usd {
        Usd(self.cost.0.saturating_mul(closing.0).checked_div(self.shares.0.abs()).unwrap_or_default())
    }

    fn average(&self) -> Price {
        Price(self.cost.0.checked_div(self.shares.0).unwrap_or_default())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    price: Price,
    at: Timestamp,
}

/// All fills of the account and what follows from them.
#[derive(Clone, Debug, Default)]
pub struct Portfolio {
    fills: BTreeMap<TokenId, BTreeMap<(TradeId, OrderId), Fill>>,
    holdings: BTreeMap<TokenId, Holding>,
    marks: HashMap<TokenId, Mark>,
    payouts: HashMap<TokenId, Price>,
    slugs: HashMap<TokenId, Slug>,
    dirty: HashSet<TokenId>,
    unsaved: HashSet<TokenId>,
    count: u64,
}

impl Portfolio {
    /// Nothing traded.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Folds in a sighting of a fill.
    pub fn apply(&mut self, fill: Fill) -> FillChange {
        let fills = self.fills.entry(fill.token.clone()).or_default();
        let key = (fill.trade.clone(), fill.order.clone());
        let token = fill.token.clone();
        let change = match fills.get_mut(&key) {
            None => {
                fills.insert(key, fill.clone());
                self.count += 1;
                FillChange::New(fill)
            }
            Some(known) if (known.size, known.price, known.side) != (fill.size, fill.price, fill.side) => {
                FillChange::Conflict { kept: known.clone() }
            }
            Some(known) => {
                let joined = join(known, &fill);
                if joined == *known {
                    FillChange::Same
                } else {
                    *known = joined.clone();
                    FillChange::Moved(joined)
                }
            }
        };
        if matches!(change, FillChange::New(_) | FillChange::Moved(_)) {
            self.holdings.insert(token.clone(), Holding::of(fills.values()));
            self.dirty.insert(token);
        }
        change
    }

    /// Values what is held at the closing side of a book; a one-sided or older book leaves the mark as it is.
    pub fn on_book(&mut self, book: &Book) {
        let Some(holding) = self.holdings.get(&book.token) else { return };
        let level = if holding.shares < Size::ZERO { book.best_ask() } else { book.best_bid() };
        let Some(level) = level else { return };
        let mark = Mark { price: level.price, at: book.received_at };
        if self.marks.get(&book.token).is_some_and(|known| known.at > mark.at) {
            return;
        }
        let before = self.marks.insert(book.token.clone(), mark);
        if before.is_none_or(|before| before.price != mark.price) && !holding.shares.is_zero() {
            self.dirty.insert(book.token.clone());
            self.unsaved.insert(book.token.clone());
        }
    }

    /// A mark from an earlier run: better than none, and older than any book.
    pub fn restore_mark(&mut self, token: &TokenId, price: Price, at: Timestamp) {
        self.marks.insert(token.clone(), Mark { price, at });
    }

    /// Marks of what is held that changed since the last call.
    pub fn take_marks(&mut self) -> Vec<(TokenId, Price, Timestamp)> {
        let unsaved: Vec<TokenId> = self.unsaved.drain().collect();
        let mark = |token: TokenId| self.marks.get(&token).map(|mark| (token, mark.price, mark.at));
        unsaved.into_iter().filter_map(mark).collect()
    }

    /// Learns a market's name and, once it is resolved, its payouts.
    pub fn on_market(&mut self, market: &Market) {
        for outcome in &market.tokens {
            let named = self.slugs.insert(outcome.token.clone(), market.slug.clone()).is_some();
            let payout = market.payout_of(&outcome.token);
            let resolved = payout.is_some_and(|payout| self.payouts.insert(outcome.token.clone(), payout).is_none());
            if (resolved || !named) && self.holdings.contains_key(&outcome.token) {
                self.dirty.insert(outcome.token.clone());
            }
        }
    }

    /// The fills of a market whose taker fee could not be computed when they were seen, with their fee.
    pub fn late_fees(&self, market: &Market) -> Vec<Fill> {
        if market.fee.rate.is_zero() {
            return Vec::new();
        }
        let fills =
            market.tokens.iter().filter_map(|outcome| self.fills.get(&outcome.token)).flat_map(BTreeMap::values);
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

    /// The fills that may still change or that are the newest: the instant from which the venue must be asked again.
    #[must_use]
    pub fn ask_since(&self) -> Timestamp {
        let all = || self.fills.values().flat_map(BTreeMap::values);
        let newest = all().map(|fill| fill.matched_at).max().unwrap_or_default();
        all().filter(|fill| !fill.status.is_final()).map(|fill| fill.matched_at).min().unwrap_or(newest).min(newest)
    }

    /// The trades known of one order.
    pub fn trades_of(&self, token: &TokenId, order: &OrderId) -> Vec<(TradeId, Size)> {
        let fills = self.fills.get(token).into_iter().flat_map(BTreeMap::values);
        fills.filter(|fill| fill.order == *order).map(|fill| (fill.trade.clone(), fill.size)).collect()
    }

    /// One token's position.
    #[must_use]
    pub fn position(&self, token: &TokenId) -> Option<Position> {
        let holding = self.holdings.get(token)?;
        let any = self.fills.get(token)?.values().next()?;
        let payout = self.payouts.get(token).copied();
        let mark = self.marks.get(token);
        let price = payout.or_else(|| mark.map(|mark| mark.price));
        let unrealised = if holding.shares.is_zero() {
            Some(Usd::ZERO)
        } else {
            price.map(|price| price.notional(holding.shares) - holding.cost)
        };
        Some(Position {
            market: any.market.clone(),
            slug: self.slugs.get(token).cloned(),
            token: token.clone(),
            outcome: any.outcome.clone(),
            size: holding.shares,
            avg_price: holding.average(),
            mark: price,
            mark_at: mark.map(|mark| mark.at),
            payout,
            realised: holding.realised,
            unrealised,
            fees: holding.fees,
        })
    }

    /// Every position that is not zero, and those traded on the UTC day of `now`.
    #[must_use]
    pub fn positions(&self, now: Timestamp) -> Vec<Position> {
        let shown = |holding: &Holding| !holding.shares.is_zero() || holding.touched_at.utc_day() == now.utc_day();
        self.holdings.iter().filter(|(_, held)| shown(held)).filter_map(|(token, _)| self.position(token)).collect()
    }

    /// Whether shares of this token are held.
    #[must_use]
    pub fn holds(&self, token: &TokenId) -> bool {
        self.holdings.get(token).is_some_and(|held| !held.shares.is_zero())
    }

    /// Positions with shares, for the gate.
    pub fn held(&self) -> impl Iterator<Item = Position> + '_ {
        self.holdings.iter().filter(|(_, held)| !held.shares.is_zero()).filter_map(|(token, _)| self.position(token))
    }

    /// Profit and loss over everything. A position that was never marked counts at cost.
    #[must_use]
    pub fn pnl(&self) -> Pnl {
        let mut pnl = Pnl::default();
        for (token, holding) in &self.holdings {
            pnl.realised += holding.realised;
            pnl.fees += holding.fees;
            if let Some(unrealised) = self.position(token).and_then(|position| position.unrealised) {
                pnl.unrealised += unrealised;
            }
        }
        pnl.total = pnl.realised + pnl.unrealised - pnl.fees;
        pnl
    }

    /// Positions that changed since the last call.
    pub fn take_changed(&mut self) -> Vec<Position> {
        let dirty: Vec<TokenId> = self.dirty.drain().collect();
        dirty.iter().filter_map(|token| self.position(token)).collect()
    }
}

/// Two sightings of one fill: the furthest settlement, the earliest time, the fee once it is known.
fn join(known: &Fill, seen: &Fill) -> Fill {
    Fill {
        status: known.status.max(seen.status),
        matched_at: known.matched_at.min(seen.matched_at),
        fee: Usd(known.fee.0.max(seen.fee.0)),
        strategy: known.strategy.clone().or_else(|| seen.strategy.clone()),
        ..known.clone()
    }
}

/// The day's reference for the drawdown: total `PnL` when the UTC day began, and its highest since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// Days since the epoch, UTC.
    pub day: i64,
    /// Total `PnL` when it began.
    pub start: Usd,
    /// The highest total since.
    pub peak: Usd,
}

impl Day {
    /// The day of `now`, beginning with `total`.
    #[must_use]
    pub const fn begin(now: Timestamp, total: Usd) -> Self {
        Self { day: now.utc_day(), start: total, peak: total }
    }

    /// The day as it is after `total` was seen at `now`.
    #[must_use]
    pub fn after(self, now: Timestamp, total: Usd) -> Self {
        if now.utc_day() > self.day {
            return Self::begin(now, total);
        }
        Self { peak: Usd(self.peak.0.max(total.0)), ..self }
    }

    /// How far `total` lies below the peak.
    #[must_use]
    pub fn drawdown(self, total: Usd) -> Usd {
        Usd((self.peak.0 - total.0).max(Decimal::ZERO))
    }
}

#[cfg(test)]
mod tests;
