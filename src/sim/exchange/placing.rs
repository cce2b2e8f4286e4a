//! Taking an order: check it, plan its matches, check that it can be paid for, and only then change anything.

use std::sync::Arc;
use std::time::Duration;

use super::book::{BookSide, Resting, mirrored};
use super::event::{OrderChange, Touched};
use super::matching::{Plan, Wish, crosses, plan};
use super::order::{AccountId, CancelReason, OrderRecord, OrderStatus, Placed, Refusal, Submission};
use super::state::State;
use super::units::{ONE, cost_ceil, decimal, micros};
use super::view::best;
use crate::domain::{Market, Price, Side, Size, TimeInForce, Timestamp, Usd};

/// A GTD order must name a time at least this far ahead.
const LEAST_LIFETIME: Duration = Duration::from_mins(3);
/// Nobody orders more shares than this; it keeps every product within 64 bits.
const MOST_SHARES: i64 = 1_000_000_000 * ONE;

/// A checked order on its way into the book.
struct Candidate {
    account: AccountId,
    submission: Submission,
    market: Arc<Market>,
    wish: Wish,
    client: bool,
}

impl State {
    /// Takes an order or refuses it.
    pub(super) fn submit(
        &mut self,
        account: &AccountId,
        submission: Submission,
        now: Timestamp,
    ) -> Result<Placed, Refusal> {
        let candidate = self.check(account, submission, now)?;
        let id = candidate.submission.order.id.clone();
        let listing = self.markets.get(&candidate.market.market).ok_or(Refusal::NotAccepting)?;
        if candidate.submission.order.post_only && crosses(&listing.book, &candidate.wish) {
            return Err(Refusal::PostOnlyCrosses);
        }
        let plan = plan(&listing.book, &candidate.wish);
        self.check_funds(&candidate, &plan, now)?;
        match candidate.submission.order.tif {
            TimeInForce::Fok if !plan.complete => {
                self.record_kill(candidate, CancelReason::FokKilled, now);
                Err(Refusal::FokKilled { id })
            }
            TimeInForce::Fak if plan.matches.is_empty() => {
                self.record_kill(candidate, CancelReason::FakKilled, now);
                Err(Refusal::FakKilled { id })
            }
            _ => {
                let (client, token) = (candidate.client, candidate.submission.order.token.clone());
                let placed = self.take(candidate, &plan, now);
                if client {
                    self.disturb(&token, now);
                }
                Ok(placed)
            }
        }
    }

    fn check(&mut self, account: &AccountId, submission: Submission, now: Timestamp) -> Result<Candidate, Refusal> {
        let order = &submission.order;
        let id = || order.id.clone();
        if self.orders.contains_key(&order.id) {
            return Err(Refusal::Duplicated { id: id() });
        }
        let unknown = || Refusal::UnknownToken { token: order.token.clone() };
        let (market, index) = self.tokens.get(&order.token).ok_or_else(unknown)?;
        let market = self.markets.get(market).map(|listing| Arc::clone(&listing.market)).ok_or_else(unknown)?;
        if !market.accepting_orders {
            return Err(Refusal::NotAccepting);
        }
        if !order.price.is_on_tick(market.tick_size) {
            return Err(Refusal::TickSize { id: id(), price: order.price, tick: market.tick_size });
        }
        let (limit, size) = (micros(order.price.0), micros(order.size.0));
        let budget = submission.budget.map(|budget| micros(budget.0));
        let (Some(limit), Some(size)) = (limit, size) else { return Err(Refusal::Amounts { id: id() }) };
        if !(1..=MOST_SHARES).contains(&size) || budget.is_some_and(|budget| budget.is_none_or(|budget| budget <= 0)) {
            return Err(Refusal::Amounts { id: id() });
        }
        if order.size < market.min_size {
            return Err(Refusal::MinimumSize { id: id(), size: order.size, minimum: market.min_size });
        }
        let in_time = match (order.tif, order.expiration) {
            (TimeInForce::Gtd, Some(at)) => at >= now.plus(LEAST_LIFETIME),
            (TimeInForce::Gtd, None) => false,
            (_, at) => at.is_none(),
        };
        if !in_time {
            return Err(Refusal::Expiration);
        }
        let wish = Wish { index: *index, side: order.side, limit, size, budget: budget.flatten() };
        let client = self.account_mut(account).is_client();
        Ok(Candidate { account: account.clone(), submission, market, wish, client })
    }

    /// Whether a client can pay for every match with its fee and for what would rest. Afterwards nothing is ever short.
    fn check_funds(&self, candidate: &Candidate, plan: &Plan, now: Timestamp) -> Result<(), Refusal> {
        let Some(account) = self.accounts.get(&candidate.account).filter(|_| candidate.client) else { return Ok(()) };
        let (wish, token) = (&candidate.wish, &candidate.submission.order.token);
        let fees: i64 = groups(plan).map(|group| fee_of(candidate, group.book_price, group.size)).sum();
        let (balance, reserved) = (account.collateral.min(self.shown(&candidate.account, None, now)), account.reserved);
        match wish.side {
            Side::Buy => {
                let rest = match candidate.submission.order.tif {
                    TimeInForce::Gtc | TimeInForce::Gtd => cost_ceil(wish.limit, wish.size - plan.size()),
                    TimeInForce::Fok | TimeInForce::Fak => 0,
                };
                let whole = wish.budget.unwrap_or_else(|| cost_ceil(wish.limit, wish.size));
                let amount = whole.max(plan.cash() + fees + rest);
                if amount > balance - reserved { Err(Refusal::NotEnough { balance, reserved, amount }) } else { Ok(()) }
            }
            Side::Sell => {
                let shown = self.shown(&candidate.account, Some(token), now);
                let (held, bound) = (account.shares_of(token).min(shown), account.reserved_shares_of(token));
                if wish.size > held - bound {
                    return Err(Refusal::NotEnough { balance: held, reserved: bound, amount: wish.size });
                }
                let short = fees - plan.cash();
                if short > balance - reserved {
                    return Err(Refusal::NotEnough { balance, reserved, amount: short });
                }
                Ok(())
            }
        }
    }

    /// A killed client order stays known, so that posting it again is a duplicate.
    fn record_kill(&mut self, candidate: Candidate, reason: CancelReason, now: Timestamp) {
        if !candidate.client {
            return;
        }
        let mut record = self.record(candidate, now);
        record.status = OrderStatus::Cancelled(reason);
        self.tell_order(&record, OrderChange::Cancellation, now);
        self.remember(record);
    }

    fn record(&mut self, candidate: Candidate, now: Timestamp) -> OrderRecord {
        let Candidate { account, submission, market, wish, client } = candidate;
        OrderRecord {
            number: self.ids.number(),
            id: submission.order.id,
            account,
            client,
            market,
            index: wish.index,
            side: wish.side,
            price: wish.limit,
            size: wish.size,
            matched: 0,
            reserved: 0,
            tif: submission.order.tif,
            expiration: submission.order.expiration,
            created_at: now,
            status: OrderStatus::Live,
            trades: Vec::new(),
            maker: Arc::from(submission.maker),
            owner: Arc::from(submission.owner),
        }
    }

    fn take(&mut self, candidate: Candidate, plan: &Plan, now: Timestamp) -> Placed {
        let market = Arc::clone(&candidate.market);
        let (side, book_side) = (candidate.wish.side, candidate.wish.book_side());
        let fees: Vec<i64> = groups(plan).map(|group| fee_of(&candidate, group.book_price, group.size)).collect();
        let best_before = self.markets.get(&market.market).map_or((None, None), |listing| best(&listing.book, 0));
        let mut record = self.record(candidate, now);
        record.matched = plan.size();
        if plan.complete || record.matched >= record.size {
            // What chased an amount is done when that is spent or all the shares are had; its size is then what was bought.
            record.size = record.matched;
            record.status = OrderStatus::Matched;
        } else if matches!(record.tif, TimeInForce::Fok | TimeInForce::Fak) {
            record.status = OrderStatus::Cancelled(CancelReason::Request);
        }
        let mut touched = Touched::new();
        let mut trades = Vec::new();
        for (group, fee) in groups(plan).zip(fees) {
            touched.insert((book_side.opposite(), group.book_price));
            trades.push(self.trade(&record, &group, fee, now));
        }
        record.trades = trades.iter().map(|trade| trade.id.clone()).collect();
        self.tell_order(&record, OrderChange::Placement, now);
        if matches!(record.status, OrderStatus::Cancelled(_)) {
            self.tell_order(&record, OrderChange::Cancellation, now);
        }
        let placed = Placed {
            id: record.id.clone(),
            matched: !plan.matches.is_empty(),
            making: Usd(decimal(if side == Side::Buy { plan.cash() } else { plan.size() })),
            taking: Usd(decimal(if side == Side::Buy { plan.size() } else { plan.cash() })),
            trades: record.trades.clone(),
        };
        if record.status == OrderStatus::Live {
            touched.insert((book_side, mirrored(record.index, record.price)));
            self.rest(&mut record, book_side);
        }
        self.remember(record);
        for trade in trades {
            self.publish(trade, now);
        }
        self.tell_levels(&market.market, &touched, best_before, placed.matched, now);
        placed
    }

    fn rest(&mut self, record: &mut OrderRecord, side: BookSide) {
        if let Some(listing) = self.markets.get_mut(&record.market.market) {
            let resting = Resting { id: record.id.clone(), index: record.index, remaining: record.remaining() };
            listing.book.rest(side, mirrored(record.index, record.price), resting);
        }
        if let Some(at) = record.ends_at() {
            self.endings.insert((at, record.id.clone()));
        }
        if record.client {
            record.reserved = bound_by(record);
        }
        let (token, number, id) = (record.token().clone(), record.number, record.id.clone());
        let account = self.account_mut(&record.account);
        account.open.insert(number, id);
        account.reserve(&token, record.side, record.reserved);
    }

    /// Dead orders of the house are not kept.
    fn remember(&mut self, record: OrderRecord) {
        if record.client {
            self.client_orders.insert(record.number, record.id.clone());
        }
        if record.client || record.status == OrderStatus::Live {
            self.orders.insert(record.id.clone(), record);
        }
        self.forget_old_orders();
    }
}

/// What an open order binds: enough for whatever is left of it.
pub(super) fn bound_by(order: &OrderRecord) -> i64 {
    match order.side {
        Side::Buy => cost_ceil(order.price, order.remaining()),
        Side::Sell => order.remaining(),
    }
}

/// The matches of a plan at one price: they make one trade.
pub(super) struct Group<'a> {
    /// In terms of the market's first token.
    pub(super) book_price: i64,
    pub(super) size: i64,
    pub(super) cash: i64,
    pub(super) matches: &'a [super::matching::Match],
}

fn groups(plan: &Plan) -> impl Iterator<Item = Group<'_>> {
    plan.matches.chunk_by(|a, b| a.book_price == b.book_price).map(|matches| Group {
        book_price: matches[0].book_price,
        size: matches.iter().map(|part| part.size).sum(),
        cash: matches.iter().map(|part| part.taker_cash).sum(),
        matches,
    })
}

/// The fee formula is the same for a price and its complement.
fn fee_of(candidate: &Candidate, price: i64, size: i64) -> i64 {
    let fee = candidate.market.fee.taker_fee(Price(decimal(price)), Size(decimal(size)));
    // Five decimals at most, so always whole millionths.
    micros(fee.0).unwrap_or(0)
}
