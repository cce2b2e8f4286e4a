//! The proof of a checkpoint: everything that it sums up is folded again from the first row of the log. Pure.
//!
//! This is the slow path, and it keeps every journal: only for those who ask for it.

use std::collections::{BTreeMap, HashMap};

use super::audit::AuditReport;
use super::chain::{Chained, Kind};
use super::ledger::{LedgerError, OrderRow};
use super::plan::parse;
use crate::domain::{
    Checkpoint, Counted, Fill, FillStatus, FoldedToken, Held, Journal, Market, MarketId, OrderCounts, Price, Retired,
    Timestamp, TokenId, Usd, fold,
};

/// What the log has said so far of fills and of what was booked.
#[derive(Debug, Default)]
pub(super) struct Refold {
    tokens: BTreeMap<TokenId, Traded>,
    /// The token of each fill, by the log's name of it.
    fills: HashMap<String, TokenId>,
    /// Openings and corrections of pUSD alone.
    cash: Vec<(Timestamp, Usd)>,
    payouts: HashMap<TokenId, Price>,
    /// Where the newest checkpoint ends, and where it does for its tokens.
    newest: Option<(Timestamp, HashMap<TokenId, Timestamp>)>,
    /// What was written behind the newest checkpoint and belongs into it.
    behind: Option<String>,
    orders: Orders,
}

/// What the log has said so far of orders.
#[derive(Debug, Default)]
struct Orders {
    /// What each adds to the counters, by the log's name of it.
    each: HashMap<String, OrderCounts>,
    all: OrderCounts,
    /// The counters behind each row that changed them, from the last one on that a checkpoint has counted to.
    trail: Vec<Counted>,
}

impl Orders {
    fn follow(&mut self, name: &str, seq: i64, row: &OrderRow) {
        let counts = row.counts();
        self.all -= self.each.insert(name.to_owned(), counts).unwrap_or_default();
        self.all += counts;
        self.trail.push(Counted { seq, orders: self.all });
    }

    /// The counters behind a row; no row before it is asked for any more.
    fn behind(&mut self, seq: i64) -> OrderCounts {
        let before = self.trail.partition_point(|counted| counted.seq <= seq);
        self.trail.drain(..before.saturating_sub(1));
        self.trail
            .first()
            .filter(|counted| counted.seq <= seq)
            .map_or_else(OrderCounts::default, |counted| counted.orders)
    }
}

/// What one token was traded and booked for.
#[derive(Debug)]
struct Traded {
    market: MarketId,
    outcome: String,
    fills: HashMap<String, (Timestamp, FillStatus)>,
    journals: Vec<Journal>,
    /// The last fold, of how many of the journals it is, and the pUSD that they moved.
    folded: Option<(usize, Held, Usd)>,
}

impl Traded {
    fn of(market: &MarketId) -> Self {
        let (outcome, fills, journals) = (String::new(), HashMap::new(), Vec::new());
        Self { market: market.clone(), outcome, fills, journals, folded: None }
    }

    fn fills_before(&self, to: Timestamp) -> impl Iterator<Item = (&String, &FillStatus)> {
        self.fills.iter().filter(move |(_, (at, _))| *at < to).map(|(name, (_, status))| (name, status))
    }

    /// Whether something of it lies before `to`, and whether something does not.
    fn lies(&self, to: Timestamp) -> (bool, bool) {
        let all = || self.fills.values().map(|(at, _)| *at).chain(self.journals.iter().map(|journal| journal.at));
        (all().any(|at| at < to), all().any(|at| at >= to))
    }

    /// Folds what lies before `to` from scratch, unless that is what was folded last: journals of before are only ever added.
    fn fold_to(&mut self, to: Timestamp) -> (Held, Usd) {
        let before = || self.journals.iter().filter(|journal| journal.at < to);
        let count = before().count();
        if let Some((_, held, cash)) = self.folded.as_ref().filter(|(of, ..)| *of == count) {
            return (held.clone(), *cash);
        }
        let held = fold(before());
        let cash = held.cash;
        self.folded = Some((count, held.clone(), cash));
        (held, cash)
    }
}

impl Refold {
    /// Takes in the next row of the log; a checkpoint is compared.
    pub(super) fn follow(&mut self, kind: Kind, row: &Chained, report: &mut AuditReport) {
        let outcome = match kind {
            Kind::Order => parse("order", &row.document).map(|order| self.orders.follow(&row.subject, row.seq, &order)),
            Kind::Fill => parse("fill", &row.document).map(|fill| self.fill(&row.subject, &fill)),
            Kind::Journal => parse("journal", &row.document).map(|journal| self.journal(journal)),
            Kind::Market => parse("market", &row.document).map(|market| self.market(&market)),
            Kind::Checkpoint => parse("checkpoint", &row.document).map(|found| self.compare(found, row.seq, report)),
            _ => Ok(()),
        };
        if let Err(error) = outcome {
            let error: LedgerError = error;
            report.differ("log", row.seq.to_string(), error.to_string());
        }
    }

    /// All rows were taken in.
    pub(super) fn conclude(&self, report: &mut AuditReport) {
        if let Some(name) = &self.behind {
            let what = format!("{name} was written behind it and belongs into it: a start would overlook that");
            report.differ("facts", "checkpoint books", what);
        }
    }

    fn fill(&mut self, name: &str, fill: &Fill) {
        let traded = self.tokens.entry(fill.token.clone()).or_insert_with(|| Traded::of(&fill.market));
        if traded.fills.is_empty() {
            (traded.market, traded.outcome) = (fill.market.clone(), fill.outcome.clone());
        }
        traded.fills.insert(name.to_owned(), (fill.matched_at, fill.status));
        self.fills.insert(name.to_owned(), fill.token.clone());
        self.note(&format!("fill {name}"), Some(&fill.token), fill.matched_at);
    }

    fn journal(&mut self, journal: Journal) {
        let leg = journal.trade.as_ref().zip(journal.order.as_ref()).map(|(trade, order)| format!("{trade}/{order}"));
        let token = journal.token().cloned().or_else(|| leg.and_then(|leg| self.fills.get(&leg).cloned()));
        self.note(&format!("journal {}", journal.id), token.as_ref(), journal.at);
        match token {
            Some(token) => {
                self.tokens.entry(token).or_insert_with(|| Traded::of(&journal.market)).journals.push(journal);
            }
            None => self.cash.push((journal.at, fold([&journal]).cash)),
        }
    }

    /// The first result of a market stands.
    fn market(&mut self, market: &Market) {
        for outcome in &market.tokens {
            if let Some(payout) = market.payout_of(&outcome.token) {
                self.payouts.entry(outcome.token.clone()).or_insert(payout);
            }
        }
    }

    /// What lies before the end of the newest checkpoint must be in the next one.
    fn note(&mut self, name: &str, token: Option<&TokenId>, at: Timestamp) {
        let Some((to, tokens)) = &self.newest else { return };
        if at < *token.and_then(|token| tokens.get(token)).unwrap_or(to) {
            self.behind.get_or_insert_with(|| name.to_owned());
        }
    }

    fn compare(&mut self, found: Checkpoint, seq: i64, report: &mut AuditReport) {
        let mut differ = |what: String| report.differ("log", seq.to_string(), format!("checkpoint: {what}"));
        let right = self.refold(&found, &mut differ);
        for (found, right) in found.tokens.iter().zip(&right.tokens) {
            if found != right {
                differ(format!("token {} is {found:?}, folded from scratch it is {right:?}", found.token));
            }
        }
        let sums =
            |checkpoint: &Checkpoint| (checkpoint.fills, checkpoint.cash, checkpoint.opened_at, checkpoint.retired);
        if sums(&found) != sums(&right) {
            differ(format!("the sums are {:?}, from scratch they are {:?}", sums(&found), sums(&right)));
        }
        if let Some(Counted { seq: to, orders }) = found.counted {
            let right = self.orders.behind(to);
            if orders != right || to >= seq {
                differ(format!("the orders up to row {to} are {orders:?}, counted again they are {right:?}"));
            }
        }
        self.behind = None;
        self.newest = Some((found.to, found.tokens.into_iter().map(|folded| (folded.token, folded.to)).collect()));
    }

    /// What a checkpoint with the same ends should say.
    fn refold(&mut self, found: &Checkpoint, differ: &mut dyn FnMut(String)) -> Checkpoint {
        let mut ends: BTreeMap<&TokenId, Timestamp> = BTreeMap::new();
        for folded in &found.tokens {
            if ends.insert(&folded.token, folded.to).is_some() || folded.to > found.to {
                differ(format!("token {} is there twice, or ends behind the checkpoint", folded.token));
            }
        }
        let corrected = self.cash.iter().filter(|(at, _)| *at < found.to);
        let mut right = Checkpoint {
            to: found.to,
            cash: corrected.clone().map(|(_, moved)| *moved).sum(),
            opened_at: corrected.map(|(at, _)| *at).min(),
            ..Checkpoint::default()
        };
        let mut whole: BTreeMap<&TokenId, FoldedToken> = BTreeMap::new();
        for (token, traded) in &mut self.tokens {
            let end = ends.get(token).copied();
            let to = end.unwrap_or(found.to);
            let (before, after) = traded.lies(to);
            let (held, cash) = traded.fold_to(to);
            right.cash += cash;
            for (name, status) in traded.fills_before(to) {
                right.fills += 1;
                if !status.is_final() {
                    differ(format!("fill {name} is {status}, not settled for good"));
                }
            }
            let folded = FoldedToken::of(token, &traded.market, &traded.outcome, to, &held);
            if end.is_none() && before {
                right.retired += Retired::of(&folded.whole, self.payouts.get(token).copied());
            }
            if end.is_none() && after {
                differ(format!("token {token} is missing, and it was traded since"));
            }
            whole.insert(token, folded);
        }
        for folded in &found.tokens {
            let nothing = || FoldedToken::of(&folded.token, &folded.market, "", folded.to, &Held::default());
            if !whole.contains_key(&folded.token) {
                differ(format!("token {} was never traded", folded.token));
            }
            right.tokens.push(whole.remove(&folded.token).unwrap_or_else(nothing));
        }
        right
    }
}
