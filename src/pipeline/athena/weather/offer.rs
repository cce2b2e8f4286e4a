//! What the books offer against what is likely.

mod figures;

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;

use super::outlook::Odds;
use super::{Cause, Desk, Memory, Mode, Obstacle, Rung, Strategy, Weather, WeatherParams};
use crate::domain::{LocalDay, Market, OutcomeToken, Price, Rationale, Side, Signal, Size, Timestamp, to_decimal};
use crate::pipeline::athena::updown::{SIZE_DECIMALS, part_to_sell};
use crate::pipeline::athena::{Wish, fair};

/// Nothing that is still open is believed to be likelier or less likely than this by less than one: forecasts err far out more often
/// than the normal distribution says.
const TAIL: f64 = 0.005;
/// Decimal places of a fair value.
const PLACES: u32 = 4;

/// What is looked at when it decides.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) memory: &'a Memory,
    pub(super) params: &'a WeatherParams,
    pub(super) desk: &'a Desk<'a>,
    pub(super) now: Timestamp,
}

/// Something that is worth taking.
pub(super) struct Offer<'a> {
    pub(super) market: &'a Market,
    pub(super) outcome: &'a OutcomeToken,
    rung: Rung,
    odds: Odds,
    side: Side,
    size: Size,
    price: Price,
    reference: Price,
    /// What a share is worth; nothing in the simple mode.
    fair: Option<Decimal>,
    /// What price and fee leave of it; what is left of the allowed price in the simple mode.
    edge: Decimal,
}

/// That nothing is.
pub(super) struct Missed<'a> {
    /// The market that came closest; absent when there is none.
    pub(super) nearest: Option<(&'a Market, Rung)>,
    /// What stood in its way.
    pub(super) obstacle: Obstacle,
}

type Judged<'a> = Result<Offer<'a>, Obstacle>;

impl<'a> Scene<'a> {
    /// The best offer of these markets, or the market that came closest.
    pub(super) fn best(&self, markets: impl Iterator<Item = (&'a Market, Rung)>) -> Result<Offer<'a>, Missed<'a>> {
        let mut best: Option<Offer<'a>> = None;
        let mut missed = Missed { nearest: None, obstacle: Obstacle::NoMarket { event: self.params.event.clone() } };
        // The same for all buckets of a day.
        let mut odds = BTreeMap::new();
        for (market, rung) in markets.filter(|(_, rung)| self.params.zone.end_of(rung.day) > self.now) {
            let odds = odds.entry(rung.day).or_insert_with(|| self.odds(rung.day)).clone();
            match odds.and_then(|odds| self.judge(market, rung, odds)) {
                Ok(offer) => {
                    if best.as_ref().is_none_or(|best| offer.edge > best.edge) {
                        best = Some(offer);
                    }
                }
                Err(obstacle) => {
                    if missed.nearest.is_none() || missed.obstacle.is_further_than(&obstacle) {
                        missed = Missed { nearest: Some((market, rung)), obstacle };
                    }
                }
            }
        }
        best.ok_or(missed)
    }

    fn odds(&self, day: LocalDay) -> Result<Odds, Obstacle> {
        self.memory.outlook.odds(day, self.params, self.now)
    }

    fn judge(&self, market: &'a Market, rung: Rung, odds: Odds) -> Judged<'a> {
        let params = self.params;
        let left = params.zone.end_of(rung.day).since(self.now);
        if left < params.cutoff {
            return Err(Obstacle::Closing { left, least: params.cutoff });
        }
        if !market.accepting_orders {
            return Err(Obstacle::NotAccepting);
        }
        if params.size < market.min_size {
            return Err(Obstacle::TooSmall { size: params.size, least: market.min_size });
        }
        match params.mode {
            Mode::Alert => self.alert(market, rung, odds),
            Mode::Edge => self.edge(market, rung, odds),
        }
    }

    /// The bucket that the day is heading for, once that is hot enough and as long as it is not too dear.
    fn alert(&self, market: &'a Market, rung: Rung, odds: Odds) -> Judged<'a> {
        let params = self.params;
        let likely = odds.likely().ok_or(Obstacle::NoForecast)?;
        if !rung.bucket.holds(likely, params.rounding) {
            return Err(Obstacle::OtherBucket { likely: likely.round_dp(1) });
        }
        if likely < params.alert_at + odds.rounding.least(0) {
            return Err(Obstacle::NotHot { likely: likely.round_dp(1), least: params.alert_at });
        }
        let [outcome, _] = market.yes_no();
        let (reference, price) = self.ask(market, outcome)?;
        if price.decimal() > params.alert_price {
            return Err(Obstacle::TooDear { price, most: params.alert_price });
        }
        let edge = params.alert_price - price.decimal();
        self.buy(Offer {
            market,
            outcome,
            rung,
            odds,
            side: Side::Buy,
            size: params.size.floor_dp(SIZE_DECIMALS),
            price,
            reference,
            fair: None,
            edge,
        })
    }

    /// The better outcome to buy, or shares that are bid for above their worth.
    fn edge(&self, market: &'a Market, rung: Rung, odds: Odds) -> Judged<'a> {
        worths(market, rung, odds)
            .ok_or(Obstacle::NoForecast)?
            .iter()
            .flat_map(|worth| [self.sale(worth), self.purchase(worth)])
            .reduce(|one, other| match (&one, &other) {
                (Ok(first), Ok(second)) if second.edge > first.edge => other,
                (Err(_), Ok(_)) => other,
                (Err(before), Err(obstacle)) if before.is_further_than(obstacle) => other,
                _ => one,
            })
            .unwrap_or(Err(Obstacle::NoFreshBook))
    }

    fn purchase(&self, worth: &Worth<'a>) -> Judged<'a> {
        let offer = self.asked(worth)?;
        self.wanted(offer.edge)?;
        self.buy(offer)
    }

    fn sale(&self, worth: &Worth<'a>) -> Judged<'a> {
        let offer = self.bid(worth)?;
        self.wanted(offer.edge)?;
        self.rested(offer.outcome)?;
        Ok(offer)
    }

    /// Buying at what is asked, whatever the edge.
    fn asked(&self, worth: &Worth<'a>) -> Judged<'a> {
        let (market, outcome, size) = (worth.market, worth.outcome, self.params.size.floor_dp(SIZE_DECIMALS));
        let (reference, price) = self.ask(market, outcome)?;
        let edge = fair::edge(worth.fair, price, size, market);
        Ok(worth.offer(Side::Buy, size, price, reference, edge))
    }

    /// Selling a part of what is held at what is bid, whatever the edge.
    fn bid(&self, worth: &Worth<'a>) -> Judged<'a> {
        let (market, outcome) = (worth.market, worth.outcome);
        let free = self.desk.holdings.sellable_by(Weather::NAME, &outcome.token).floor_dp(SIZE_DECIMALS);
        if free < market.min_size {
            return Err(Obstacle::NothingToSell);
        }
        let book = self.desk.fresh_book(&market.market, &outcome.token, self.now).ok_or(Obstacle::NoFreshBook)?;
        let bid = book.best_bid().ok_or(Obstacle::NobodyOn(Side::Buy))?;
        let price = (bid.price - Price(self.params.slippage)).ceil_to(market.tick_size);
        let size = part_to_sell(free, self.params.size, market.min_size);
        let edge = fair::sale_edge(worth.fair, price, size, market);
        Ok(worth.offer(Side::Sell, size, price, bid.price, edge))
    }

    fn wanted(&self, edge: Decimal) -> Result<(), Obstacle> {
        let least = self.params.min_edge;
        if edge < least { Err(Obstacle::NoEdge { edge: edge.round_dp(PLACES), least }) } else { Ok(()) }
    }

    /// The best ask and the price that may be paid.
    fn ask(&self, market: &Market, outcome: &OutcomeToken) -> Result<(Price, Price), Obstacle> {
        let book = self.desk.fresh_book(&market.market, &outcome.token, self.now).ok_or(Obstacle::NoFreshBook)?;
        let reference = book.best_ask().ok_or(Obstacle::NobodyOn(Side::Sell))?.price;
        Ok((reference, (reference + Price(self.params.slippage)).floor_to(market.tick_size)))
    }

    fn buy(&self, offer: Offer<'a>) -> Judged<'a> {
        self.rested(offer.outcome)?;
        let holding = self.desk.holdings.token(&offer.outcome.token);
        if holding.held_long() + holding.buying + offer.size > self.params.most {
            return Err(Obstacle::Full { most: self.params.most });
        }
        Ok(offer)
    }

    fn rested(&self, outcome: &OutcomeToken) -> Result<(), Obstacle> {
        let since = self.memory.wished.get(&outcome.token).map(|at| self.now.since(*at));
        match since.and_then(|since| self.params.cooldown.checked_sub(since)) {
            Some(left) if left > Duration::ZERO => Err(Obstacle::CoolingDown { left, whole: self.params.cooldown }),
            _ => Ok(()),
        }
    }

    /// The wish to take an offer.
    pub(super) fn wish(&self, offer: &Offer<'_>, cause: Cause) -> Wish {
        let params = self.params;
        let (threshold, measure) = params.threshold();
        let rationale = Rationale {
            source: cause.source.clone(),
            change: Decimal::ZERO,
            threshold,
            measure,
            window_ms: 0,
            window_ticks: self.memory.outlook.reports(offer.rung.day),
            first: Price::ZERO,
            last: Price::ZERO,
            reference: offer.reference,
            fair: offer.fair.map(Price),
            edge: offer.fair.map(|_| Price(offer.edge.round_dp(PLACES))),
            note: self.note(offer).into(),
            params: 0,
            inputs: self.figures(Some((offer.market, offer.rung))),
        };
        Wish {
            signal: Signal {
                strategy: Weather::id(),
                market: offer.market.market.clone(),
                slug: offer.market.slug.clone(),
                token: offer.outcome.token.clone(),
                outcome: offer.outcome.outcome.clone(),
                side: offer.side,
                size: offer.size,
                price: offer.price,
                rationale,
            },
            cause,
            send_within: params.send_within,
            rest_for: params.rest_for,
        }
    }

    fn note(&self, offer: &Offer<'_>) -> String {
        let (station, unit, bucket) = (&self.params.station, self.params.unit, offer.rung.bucket);
        let high = offer.odds.high.map_or_else(
            || "nothing measured yet".into(),
            |high| format!("{} {unit} so far", high.degrees.round_dp(1)),
        );
        let expected = offer.odds.expected.map_or_else(
            || "nothing more to come".into(),
            |expected| format!("{} ± {} to come", expected.degrees.round_dp(1), expected.error.round_dp(1)),
        );
        let worth = offer
            .fair
            .map_or_else(|| "alert".into(), |fair| format!("worth {fair}, edge {}", offer.edge.round_dp(PLACES)));
        let (side, size, outcome) = (offer.side, offer.size, &offer.outcome.outcome);
        format!(
            "{station} on {}: {high}, {expected}: {side} {size} {outcome} of {bucket} at {} or better, {worth}",
            offer.rung.day, offer.price
        )
    }
}

impl Obstacle {
    /// Whether `other` came closer to a wish: of many markets and outcomes the closest is told.
    fn is_further_than(&self, other: &Self) -> bool {
        let near = |obstacle: &Self| match obstacle {
            Self::CoolingDown { .. } | Self::Full { .. } => (4, Decimal::ZERO),
            Self::NoEdge { edge, .. } => (3, *edge),
            Self::TooDear { .. } => (3, Decimal::ZERO),
            Self::NotHot { .. } => (2, Decimal::ZERO),
            Self::OtherBucket { .. } | Self::NothingToSell => (0, Decimal::ZERO),
            _ => (1, Decimal::ZERO),
        };
        near(other) > near(self)
    }
}

struct Worth<'a> {
    market: &'a Market,
    outcome: &'a OutcomeToken,
    rung: Rung,
    odds: Odds,
    fair: Decimal,
}

impl<'a> Worth<'a> {
    const fn offer(&self, side: Side, size: Size, price: Price, reference: Price, edge: Decimal) -> Offer<'a> {
        Offer {
            market: self.market,
            outcome: self.outcome,
            rung: self.rung,
            odds: self.odds,
            side,
            size,
            price,
            reference,
            fair: Some(self.fair),
            edge,
        }
    }
}

/// What its two outcomes are worth.
fn worths(market: &Market, rung: Rung, odds: Odds) -> Option<[Worth<'_>; 2]> {
    let fair = fair_of(&odds, rung)?;
    let [yes, no] = market.yes_no();
    let worth = |outcome, fair| Worth { market, outcome, rung, odds, fair };
    Some([worth(yes, fair), worth(no, Decimal::ONE - fair)])
}

/// What YES is worth. Only what is decided is worth all or nothing.
fn fair_of(odds: &Odds, rung: Rung) -> Option<Decimal> {
    let probability = odds.of(&rung.bucket);
    let believed = if odds.is_decided(&rung.bucket) { probability } else { probability.clamp(TAIL, 1.0 - TAIL) };
    to_decimal(believed, PLACES)
}
