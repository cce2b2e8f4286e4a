//! What strategies on an up/down market of a crypto pair have in common: they watch its trades in a rolling window, expect a direction,
//! buy the outcome on that side, and sell shares of the other outcome first, each only for an edge. Why they expect it is theirs.

mod figures;

use std::fmt;
use std::time::Duration;

use rust_decimal::Decimal;

pub(super) use self::figures::figure;
use super::event::Event;
use super::fair;
use super::strategy::{Cause, Desk, Wish};
use super::window::{Direction, Sample, Window};
use super::wishes::Skipped;
use crate::domain::{
    Book, Figure, Instrument, Market, Measure, OrderIntent, OutcomeToken, Price, Rationale, Side, Signal, Size,
    StrategyId, Symbol, Text, TickKind, Timestamp, text,
};

/// A tick that claims to be this much later than its receipt is not believed: it would push everything else out.
const FUTURE_TOLERANCE: Duration = Duration::from_secs(5);

/// Decimal places of the venue's size grid.
pub(super) const SIZE_DECIMALS: u32 = 2;

/// The parameters that they share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    pub(super) strategy: &'static str,
    pub(super) instrument: &'a Instrument,
    pub(super) span: Duration,
    pub(super) min_ticks: usize,
    pub(super) min_volume: Size,
    pub(super) cooldown: Duration,
    pub(super) min_edge: Decimal,
    pub(super) size: Size,
    pub(super) slippage: Decimal,
    pub(super) send_within: Duration,
    pub(super) rest_for: Duration,
    pub(super) cutoff: Duration,
}

/// A trade of the pair that is watched.
pub(super) struct Trade {
    pub(super) sample: Sample,
    pub(super) cause: Cause,
}

/// The event as a trade of `symbol`; nothing for other events, and for a trade from the future.
pub(super) fn trade(event: &Event, symbol: &Symbol) -> Option<Trade> {
    let Event::Tick(tick) = event else { return None };
    let TickKind::Trade { price, qty, trade_id, .. } = tick.kind else { return None };
    if tick.symbol != *symbol || tick.event_at.since(tick.received_at) > FUTURE_TOLERANCE {
        return None;
    }
    let cause = Cause {
        source: symbol.clone(),
        event_at: tick.event_at,
        received_at: tick.received_at,
        trade_id,
        price: tick.last(),
    };
    Some(Trade { sample: Sample { at: tick.event_at, id: trade_id, price, qty }, cause })
}

/// Why none of them trades.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    Warming {
        ticks: usize,
        needed: usize,
    },
    /// Enough ticks over too short a time; a full window gets no longer.
    Short {
        seen: Duration,
        needed: Duration,
        full: bool,
    },
    Silent {
        since: Duration,
        most: Duration,
    },
    Thin {
        volume: Size,
        least: Size,
    },
    /// Until the change is below `rest`, relative.
    Spent {
        direction: Direction,
        rest: Decimal,
    },
    CoolingDown {
        left: Duration,
        whole: Duration,
    },
    NoMarket {
        pattern: String,
    },
    /// The market is there, and has no outcome of the name that alone is to be traded.
    NoOutcome {
        wanted: String,
        there: [String; 2],
    },
    /// What would be bought is not the outcome that alone is traded.
    OtherOutcome {
        wanted: String,
        only: String,
    },
    NotAccepting,
    TooSmall {
        size: Size,
        least: Size,
    },
    Closing {
        left: Duration,
        least: Duration,
    },
    NoFreshBook,
    NobodyOn(Side),
    NoFairValue,
    NoEdge {
        side: Side,
        edge: Decimal,
        least: Decimal,
    },
}

impl Obstacle {
    /// One word for it.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Warming { .. } | Self::Short { full: false, .. } => "warming",
            Self::Short { full: true, .. } => "overfull",
            Self::Silent { .. } => "silent",
            Self::Thin { .. } => "thin",
            Self::Spent { .. } => "spent",
            Self::CoolingDown { .. } => "cooling_down",
            Self::NoMarket { .. } => "no_market",
            Self::NoOutcome { .. } => "no_outcome",
            Self::OtherOutcome { .. } => "other_outcome",
            Self::NotAccepting => "not_accepting",
            Self::TooSmall { .. } => "too_small",
            Self::Closing { .. } => "closing",
            Self::NoFreshBook => "no_fresh_book",
            Self::NobodyOn(_) => "one_sided_book",
            Self::NoFairValue => "no_fair_value",
            Self::NoEdge { side: Side::Buy, .. } => "no_edge",
            Self::NoEdge { side: Side::Sell, .. } => "no_edge_to_sell",
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Warming { ticks, needed } => write!(f, "window is warming up: {ticks} of {needed} ticks"),
            Self::Short { seen, needed, full } => {
                let (seen, needed) = (seen.as_secs_f64(), needed.as_secs_f64());
                let of = if *full { "is too short for so many ticks, shorten it" } else { "is warming up" };
                write!(f, "window {of}: {seen:.1} of {needed:.1} s seen")
            }
            Self::Silent { since, most } => {
                write!(f, "no trade for {} s (at most {})", since.as_secs(), most.as_secs())
            }
            Self::Thin { volume, least } => write!(f, "volume {volume} of {least} in the window"),
            Self::Spent { direction, rest } => {
                let moved = if *direction == Direction::Up { "rise" } else { "fall" };
                write!(f, "waits for the {moved} to come back below {} %", percent(*rest))
            }
            Self::CoolingDown { left, whole } => {
                write!(f, "cooling down for {:.1} of {:.1} s", left.as_secs_f64(), whole.as_secs_f64())
            }
            Self::NoMarket { pattern } => write!(f, "no open market {pattern}"),
            Self::NoOutcome { wanted, there: [one, other] } => {
                write!(f, "the market has no outcome {wanted}: it has {one} and {other}")
            }
            Self::OtherOutcome { wanted, only } => {
                write!(f, "{wanted} would be bought, but only {only} is traded")
            }
            Self::NotAccepting => f.write_str("the market takes no orders"),
            Self::TooSmall { size, least } => write!(f, "size {size} is below the market's minimum {least}"),
            Self::Closing { left, least } => {
                write!(f, "the market closes in {} s (no purchase below {})", left.as_secs(), least.as_secs())
            }
            Self::NoFreshBook => f.write_str("no fresh book"),
            Self::NobodyOn(Side::Buy) => f.write_str("nobody buys"),
            Self::NobodyOn(Side::Sell) => f.write_str("nobody sells"),
            Self::NoFairValue => f.write_str("no fair value: a two-sided book and a moving price are needed"),
            Self::NoEdge { side: Side::Buy, edge, least } => write!(f, "edge {edge} is below {least}"),
            Self::NoEdge { side: Side::Sell, edge, least } => write!(f, "edge {edge} of a sale is below {least}"),
        }
    }
}

/// The last wish and the market it was in. Neither cool-down nor anything else of it reaches into another market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct LastWish {
    /// When.
    pub(super) at: Option<Timestamp>,
    /// When the market begins that is traded.
    pub(super) opened: Option<Timestamp>,
}

impl LastWish {
    /// Something was wished in a market that begins at `opens_at` and was sent. Whether it is newer than what is known.
    pub(super) fn sent(&mut self, opens_at: Timestamp, at: Timestamp) -> bool {
        if self.opened.is_some_and(|opened| opened > opens_at) {
            return false;
        }
        self.enter(opens_at);
        let newer = self.at.is_none_or(|known| known < at);
        if newer {
            self.at = Some(at);
        }
        newer
    }

    /// The market that is traded now begins at `opens_at`. Whether it is another than before; what was wished in that is forgotten.
    pub(super) fn enter(&mut self, opens_at: Timestamp) -> bool {
        let rolled = self.opened.is_some_and(|before| before != opens_at);
        if rolled {
            self.at = None;
        }
        self.opened = Some(opens_at);
        rolled
    }
}

/// What is wanted of a market.
#[derive(Clone, Debug)]
pub(super) struct Choice<'a> {
    pub(super) market: &'a Market,
    pub(super) outcome: &'a OutcomeToken,
    pub(super) side: Side,
    pub(super) offer: Offer,
}

/// What an outcome can be bought or sold for, and what that is worth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    pub(super) size: Size,
    /// The worst price that is still taken.
    pub(super) price: Price,
    /// The best price of the book that it was priced against.
    pub(super) reference: Price,
    /// What a share of the outcome is worth.
    pub(super) fair: Decimal,
    /// What the worst price leaves of that after the taker's fee; for a sale, what it brings beyond it.
    pub(super) edge: Decimal,
}

impl Choice<'_> {
    /// In words, behind why it was made.
    fn told(&self, source: Symbol, why: Text) -> Text {
        let against = match self.side {
            Side::Buy => "asked",
            Side::Sell => "bid",
        };
        let (side, outcome) = (self.side, self.outcome.outcome.clone());
        let Offer { size, price, reference, fair, edge } = self.offer;
        text!(
            "{source} {why}: {side} {size} {outcome} at {price} or better, {against} {reference}, worth {fair}, edge {}",
            edge.round_dp(4)
        )
    }
}

/// The outcome that gains by a rise and the one that gains by a fall; nothing when an outcome is named that the market does not have.
fn rising<'m>(instrument: &Instrument, market: &'m Market) -> Option<[&'m OutcomeToken; 2]> {
    match instrument.outcome() {
        None => Some(market.yes_no()),
        Some(outcome) => market.named(outcome).map(|named| market.rising().unwrap_or(named)),
    }
}

/// Which way the price was expected to go on by whoever wanted this.
pub(super) fn direction_of(instrument: &Instrument, market: &Market, intent: &OrderIntent) -> Option<Direction> {
    let [up, _] = rising(instrument, market)?;
    Some(if (up.token == intent.token) == (intent.side == Side::Buy) { Direction::Up } else { Direction::Down })
}

/// What they look at when they decide.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) window: &'a Window,
    pub(super) market: Option<&'a Market>,
    pub(super) wished_at: Option<Timestamp>,
    pub(super) terms: Terms<'a>,
    pub(super) desk: &'a Desk<'a>,
    pub(super) now: Timestamp,
}

impl<'a> View<'a> {
    /// The market, if it may be traded at all and the last wish is long enough ago.
    pub(super) fn open_market(&self) -> Result<&'a Market, Obstacle> {
        let terms = self.terms;
        if let Some(at) = self.wished_at {
            let since = self.now.since(at).max(at.since(self.now));
            if since < terms.cooldown {
                return Err(Obstacle::CoolingDown {
                    left: terms.cooldown.saturating_sub(since),
                    whole: terms.cooldown,
                });
            }
        }
        let market = self.market.ok_or_else(|| Obstacle::NoMarket { pattern: terms.instrument.market.clone() })?;
        self.sides(market, Direction::Up)?;
        if !market.accepting_orders {
            return Err(Obstacle::NotAccepting);
        }
        if terms.size < market.min_size {
            return Err(Obstacle::TooSmall { size: terms.size, least: market.min_size });
        }
        Ok(market)
    }

    /// The outcome that gains when the price goes on in `direction`, and the other one: Up or Yes gains by a rise, and where no outcome is
    /// called so the one that is named.
    fn sides<'m>(
        &self,
        market: &'m Market,
        direction: Direction,
    ) -> Result<(&'m OutcomeToken, &'m OutcomeToken), Obstacle> {
        let [up, down] = rising(self.terms.instrument, market).ok_or_else(|| Obstacle::NoOutcome {
            wanted: self.terms.instrument.outcome().unwrap_or_default().to_owned(),
            there: [0, 1].map(|index| market.tokens[index].outcome.clone()),
        })?;
        Ok(match direction {
            Direction::Up => (up, down),
            Direction::Down => (down, up),
        })
    }

    /// Whether an outcome is traded at all: every one is, unless one is named.
    fn trades(&self, outcome: &OutcomeToken) -> bool {
        self.terms.instrument.outcome().is_none_or(|only| outcome.is_called(only))
    }

    /// Whether enough was traded in the window.
    pub(super) fn enough(&self) -> Result<(), Obstacle> {
        let (volume, least) = (self.window.volume(), self.terms.min_volume);
        if volume < least { Err(Obstacle::Thin { volume, least }) } else { Ok(()) }
    }

    /// Whether a signal now would make a wish, whichever way it went.
    pub(super) fn ready(&self) -> Result<(), Obstacle> {
        let market = self.open_market()?;
        if let Some(last) = self.window.last().filter(|last| self.now.since(last.at) > self.terms.span) {
            return Err(Obstacle::Silent { since: self.now.since(last.at), most: self.terms.span });
        }
        self.warm()?;
        let fresh = |outcome: &OutcomeToken| self.desk.fresh_book(&market.market, &outcome.token, self.now).is_some();
        if !market.tokens.iter().any(|outcome| self.trades(outcome) && fresh(outcome)) {
            return Err(Obstacle::NoFreshBook);
        }
        self.before_cutoff(market)
    }

    fn warm(&self) -> Result<(), Obstacle> {
        let (window, needed) = (self.window, self.terms.min_ticks);
        if window.is_warm() {
            Ok(())
        } else if window.len() < needed {
            Err(Obstacle::Warming { ticks: window.len(), needed })
        } else {
            Err(Obstacle::Short { seen: window.seen(), needed: self.terms.span / 2, full: window.is_full() })
        }
    }

    fn before_cutoff(&self, market: &Market) -> Result<(), Obstacle> {
        match market.closes_at.map(|at| at.since(self.now)) {
            Some(left) if left < self.terms.cutoff => Err(Obstacle::Closing { left, least: self.terms.cutoff }),
            _ => Ok(()),
        }
    }

    /// What to do about a market whose price is expected to go on in `direction` by `drift`, relative. Shares of the other outcome are
    /// sold first: that lowers what is at stake. Only without any is the outcome bought, and not shortly before the close. Neither without
    /// an edge over what the outcome is worth, nor when another outcome alone is traded.
    pub(super) fn choose(
        &self,
        market: &'a Market,
        direction: Direction,
        drift: Option<f64>,
    ) -> Result<Choice<'a>, Obstacle> {
        let (wanted, other) = self.sides(market, direction)?;
        let (outcome, side, offer) = if self.sells(market, other) {
            (other, Side::Sell, self.sale(market, other, drift)?)
        } else if !self.trades(wanted) {
            let [wanted, only] = [wanted, other].map(|outcome| outcome.outcome.clone());
            return Err(Obstacle::OtherOutcome { wanted, only });
        } else {
            self.before_cutoff(market)?;
            (wanted, Side::Buy, self.purchase(market, wanted, drift)?)
        };
        let (edge, least) = (offer.edge, self.terms.min_edge);
        if edge < least {
            return Err(Obstacle::NoEdge { side, edge: edge.round_dp(4), least });
        }
        Ok(Choice { market, outcome, side, offer })
    }

    /// Whether there are shares of an outcome to sell.
    fn sells(&self, market: &Market, outcome: &OutcomeToken) -> bool {
        self.trades(outcome) && self.free(outcome) >= market.min_size
    }

    /// Shares of an outcome that the strategy can sell, on the venue's grid.
    fn free(&self, outcome: &OutcomeToken) -> Size {
        self.desk.holdings.sellable_by(self.terms.strategy, &outcome.token).floor_dp(SIZE_DECIMALS)
    }

    fn book(&self, market: &Market, outcome: &OutcomeToken) -> Result<&'a Book, Obstacle> {
        self.desk.fresh_book(&market.market, &outcome.token, self.now).ok_or(Obstacle::NoFreshBook)
    }

    /// Buying an outcome that the price moves towards by `drift`.
    fn purchase(&self, market: &Market, outcome: &OutcomeToken, drift: Option<f64>) -> Result<Offer, Obstacle> {
        let (book, terms) = (self.book(market, outcome)?, self.terms);
        let reference = book.best_ask().ok_or(Obstacle::NobodyOn(Side::Sell))?.price;
        let price = (reference + Price(terms.slippage)).floor_to(market.tick_size);
        let size = terms.size.floor_dp(SIZE_DECIMALS);
        let fair = self.fair(market, book, drift).ok_or(Obstacle::NoFairValue)?;
        Ok(Offer { size, price, reference, fair, edge: fair::edge(fair, price, size, market) })
    }

    /// Selling what is held of an outcome that the price moves away from by `drift`.
    fn sale(&self, market: &Market, outcome: &OutcomeToken, drift: Option<f64>) -> Result<Offer, Obstacle> {
        let (book, terms) = (self.book(market, outcome)?, self.terms);
        let reference = book.best_bid().ok_or(Obstacle::NobodyOn(Side::Buy))?.price;
        let price = (reference - Price(terms.slippage)).ceil_to(market.tick_size);
        let size = part_to_sell(self.free(outcome), terms.size, market.min_size);
        let fair = self.fair(market, book, drift.map(|drift| -drift)).ok_or(Obstacle::NoFairValue)?;
        Ok(Offer { size, price, reference, fair, edge: fair::sale_edge(fair, price, size, market) })
    }

    /// The book's own middle, shifted by the drift that is expected until the close. Without a close to come nobody knows how long there
    /// is for anything to happen, and the middle stands.
    fn fair(&self, market: &Market, book: &Book, drift: Option<f64>) -> Option<Decimal> {
        let (mid, drift, volatility) = (book.mid()?, drift?, self.window.volatility()?);
        match market.closes_at.filter(|at| *at > self.now) {
            Some(closes_at) => fair::shifted(mid, drift, volatility, closes_at.since(self.now)),
            None => Some(mid.decimal()),
        }
    }

    /// The wish, with `told` as the beginning of its sentence, after this change of at least that threshold.
    pub(super) fn wish(
        &self,
        choice: &Choice<'_>,
        (change, threshold): (Decimal, Decimal),
        told: Text,
        inputs: Vec<Figure>,
        cause: Cause,
    ) -> Wish {
        let terms = self.terms;
        let rationale = Rationale {
            source: terms.instrument.symbol.clone(),
            change: change.round_dp(8),
            threshold,
            measure: Measure::Relative,
            window_ms: whole_millis(terms.span),
            window_ticks: self.window.len() as u64,
            first: self.window.first().map_or(Price::ZERO, |sample| sample.price),
            last: cause.price,
            reference: choice.offer.reference,
            fair: Some(Price(choice.offer.fair)),
            edge: Some(Price(choice.offer.edge.round_dp(4))),
            note: choice.told(terms.instrument.symbol.clone(), told),
            params: 0,
            inputs,
        };
        Wish {
            signal: Signal {
                strategy: StrategyId::new(terms.strategy),
                market: choice.market.market.clone(),
                slug: choice.market.slug.clone(),
                token: choice.outcome.token.clone(),
                outcome: choice.outcome.outcome.clone(),
                side: choice.side,
                size: choice.offer.size,
                price: choice.offer.price,
                rationale,
            },
            cause,
            send_within: terms.send_within,
            rest_for: terms.rest_for,
        }
    }

    /// A signal that is not followed, and why.
    pub(super) fn skipped(&self, obstacle: &Obstacle, inputs: Vec<Figure>, cause: Cause) -> Skipped {
        Skipped { slug: self.market.map(|market| market.slug.clone()), note: obstacle.to_string(), inputs, cause }
    }
}

/// The usual size, or everything when the rest would be too small to be sold later.
pub(super) fn part_to_sell(free: Size, usual: Size, least: Size) -> Size {
    let size = free.min(usual.floor_dp(SIZE_DECIMALS));
    if free - size < least { free } else { size }
}

/// A relative change in per cent, without superfluous digits.
pub(super) fn percent(ratio: Decimal) -> Decimal {
    (ratio * Decimal::ONE_HUNDRED).round_dp(4).normalize()
}

/// In milliseconds.
pub(super) fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
