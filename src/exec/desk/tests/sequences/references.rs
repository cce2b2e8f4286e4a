//! What losses are measured by, from scratch: each token's own looks at its book, the day, and the highest of the window.

use super::*;

/// The best bid of a book in cents and the shares that are wanted at it and, three cents below, at the next one; of a mark of an earlier
/// run a price for any number of shares.
#[derive(Clone, Copy, Debug)]
enum Seen {
    Book(i64, i64),
    Flat(Decimal),
}

#[derive(Debug, Default)]
pub(super) struct References {
    /// Each token's looks while it is held and has no result, with the times at which the books were heard.
    looks: [Vec<(Timestamp, Seen)>; 4],
    /// So many measurements settle where the first day began yet.
    settling: usize,
    start: Decimal,
    peak: Decimal,
    high: Option<Decimal>,
    /// When the oldest price of the last measurement that moved them was heard.
    heard: Option<Timestamp>,
    /// The drawdown was told, and has not been within its limit since.
    pub(super) told: bool,
}

/// What the looks saw together.
struct Total {
    known: bool,
    least: Decimal,
    middle: Decimal,
    best: Decimal,
}

fn nearly(one: Decimal, other: Decimal) -> bool {
    (one - other).abs() < dec!(0.000001)
}

/// What the bids of a token take shares for.
pub(super) fn of_book(shares: Decimal, cents: i64, depth: i64) -> Decimal {
    let (bid, depth) = (Decimal::new(cents, 2), Decimal::from(depth));
    let first = shares.min(depth);
    first * bid + (shares - first).min(depth) * (bid - dec!(0.03))
}

impl References {
    /// After two measurements of nothing.
    pub(super) fn new() -> Self {
        Self { settling: 1, high: Some(Decimal::ZERO), ..Self::default() }
    }
}

impl World {
    /// What was told and has not failed of a token: the cash that it moved, the shares, and what they cost on average without fees.
    pub(super) fn booked(&self, token: usize) -> [Decimal; 3] {
        let of_token = |trade: &&Trade| {
            let intent = &self.orders[trade.order].intent;
            trade.told && trade.status != FillStatus::Failed && intent.token.as_str() == TOKENS[token]
        };
        let [mut cash, mut shares, mut cost] = [Decimal::ZERO; 3];
        for trade in self.trades.iter().filter(of_token) {
            cash -= Self::fee(trade.price, trade.size);
            if self.orders[trade.order].intent.side == Side::Buy {
                cash -= trade.size * trade.price;
                cost += trade.size * trade.price;
                shares += trade.size;
            } else {
                cash += trade.size * trade.price;
                cost -= cost * trade.size / shares;
                shares -= trade.size;
            }
        }
        [cash, shares, cost]
    }

    /// Another run begins, which has the prices that were kept.
    pub(super) fn begin_again(&mut self) {
        let marks = self.paper.memory().marks;
        let kept = |token: &str| marks.iter().find(|(marked, ..)| marked.as_str() == token);
        let marks = TOKENS.map(|token| kept(token).map(|(_, price, at)| (*at, Seen::Flat(price.0))));
        let References { start, peak, high, .. } = std::mem::take(&mut self.references);
        self.references = References { start, peak, high, ..References::default() };
        self.look(marks);
        self.references.told = false;
    }

    /// A measurement, with what was heard last of each token; whether a drawdown is told by it.
    pub(super) fn measure(&mut self) -> bool {
        let heard = |token: usize| (at(self.priced[token]), Seen::Book(self.bids[token].0, self.bids[token].1));
        let marks = [0, 1, 2, 3].map(|token| Some(heard(token)));
        let tells = self.look(marks);
        let (day, References { start, peak, high, .. }) = (self.desk.track.day().expect("begun"), &self.references);
        let window = self.desk.track.rolling_high(at(self.now), tight().rolling_window()).map(|high| high.0);
        assert!(nearly(day.start.0, *start) && nearly(day.peak.0, *peak), "{day:?} is {start} and {peak}");
        assert!(nearly(window.unwrap_or_default(), high.unwrap_or_default()), "{window:?} is {high:?}");
        tells
    }

    fn look(&mut self, marks: [Option<(Timestamp, Seen)>; 4]) -> bool {
        for (token, mark) in marks.iter().enumerate() {
            let looks = &mut self.references.looks[token];
            match mark {
                _ if self.results[token / 2].is_some() => looks.clear(),
                Some((heard, seen)) if looks.last().is_none_or(|(last, _)| last < heard) => looks.push((*heard, *seen)),
                _ => {}
            }
            if self.booked(token)[1].is_zero() {
                self.references.looks[token].clear();
            }
        }
        let total = self.total(marks.map(|mark| mark.map(|(heard, _)| heard)));
        let trades = |token: &usize| self.results[token / 2].is_none() && !self.booked(*token)[1].is_zero();
        let heard = (0..TOKENS.len()).filter(trades).filter_map(|token| marks[token].map(|(heard, _)| heard)).min();
        let references = &mut self.references;
        if total.known && (heard.is_none() || heard > references.heard) {
            references.heard = heard;
            if references.settling > 0 {
                references.settling -= 1;
                (references.start, references.peak) = (total.middle, total.middle);
            }
            references.peak = references.peak.max(total.least);
            references.high = references.high.max(Some(total.least));
        }
        let beyond = references.peak - total.best > tight().daily_drawdown.0;
        let tells = beyond && !references.told;
        references.told = beyond || references.told && !total.known;
        tells
    }

    fn total(&self, heard: [Option<Timestamp>; 4]) -> Total {
        let mut known = true;
        let mut sums = [Decimal::ZERO; 3];
        for (token, heard) in heard.into_iter().enumerate() {
            let [cash, shares, cost] = self.booked(token);
            let fresh = heard.is_some_and(|heard| at(self.now).since(heard) <= tight().mark_age);
            known &= shares.is_zero() || fresh || self.payout(token).is_some();
            for (back, sum) in sums.iter_mut().enumerate() {
                let seen = self.references.looks[token].iter().rev().nth(back);
                *sum += cash;
                *sum += match (self.payout(token), seen) {
                    (Some(payout), _) => shares * payout,
                    _ if !fresh => shares,
                    (None, None) => cost,
                    (None, Some((_, Seen::Book(cents, depth)))) => of_book(shares, *cents, *depth),
                    (None, Some((_, Seen::Flat(price)))) => shares * price,
                };
            }
        }
        sums.sort_unstable();
        Total { known, least: sums[0], middle: sums[1], best: sums[2] }
    }
}
