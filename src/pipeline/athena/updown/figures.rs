//! Everything that was looked at when a price moved as a strategy waits for, for whoever asks why.

use super::{Cause, Choice, Offer, View};
use crate::domain::{Figure, Market, OutcomeToken, Price, Side, Text, text};
use crate::pipeline::athena::Direction;

/// As many as there are at most for a market of two outcomes.
const MOST: usize = 16;

/// Which way the price is expected to go on, and how far, relative.
type Expected = (Direction, Option<f64>);

pub(in super::super) fn figure(name: impl Into<Text>, value: impl Into<Text>) -> Figure {
    Figure { name: name.into(), value: value.into() }
}

impl View<'_> {
    /// Every figure, `trigger` among them: what crossed which threshold. Those that the rationale names itself are repeated, so that
    /// a skip, which has no rationale, shows them too.
    pub(in super::super) fn figures(
        &self,
        trigger: Figure,
        direction: Direction,
        drift: Option<f64>,
        choice: Option<&Choice<'_>>,
        cause: &Cause,
    ) -> Vec<Figure> {
        let (window, terms) = (self.window, self.terms);
        let (source, price, trade) = (cause.source.clone(), cause.price, cause.trade_id);
        let (ticks, least, secs) = (window.len(), terms.min_ticks, terms.span.as_secs());
        let (first, last) =
            (at(window.first().map(|sample| sample.price)), at(window.last().map(|sample| sample.price)));
        let (volume, least_volume) = (window.volume(), terms.min_volume);
        let mut figures = Vec::with_capacity(MOST);
        figures.extend([
            figure("tick", text!("{source} {price}, trade {trade}")),
            figure("window", text!("{ticks} ticks (at least {least}) in {secs} s, {first} to {last}")),
            trigger,
            figure("volume", text!("{volume} (at least {least_volume})")),
            figure("volatility", volatility(window.volatility())),
        ]);
        let unseen = window.unseen();
        if !unseen.is_zero() {
            figures.push(figure("not seen", text!("{:.1} s of the window", unseen.as_secs_f64())));
        }
        if let Some(market) = self.market {
            self.of_market(market, (direction, drift), choice, &mut figures);
        }
        figures
    }

    fn of_market(&self, market: &Market, expected: Expected, choice: Option<&Choice<'_>>, figures: &mut Vec<Figure>) {
        let rate = market.fee.rate;
        figures.push(figure("market", market.slug.clone()));
        if let Some(closes_at) = market.closes_at {
            let (left, cutoff) = (closes_at.since(self.now).as_secs_f64(), self.terms.cutoff.as_secs());
            figures.push(figure("closes in", text!("{left:.1} s (no purchase below {cutoff} s)")));
        }
        for outcome in &market.tokens {
            figures.push(figure(named("book", outcome), self.desk.quote(&market.market, &outcome.token, self.now)));
        }
        for outcome in &market.tokens {
            let free = self.free(outcome);
            figures.push(figure(named("to sell", outcome), text!("{free} shares")));
        }
        figures.push(figure("fee rate", text!("{rate}")));
        self.worth(market, expected, choice, figures);
    }

    /// What the outcomes are worth, also when something else stood in the way of trading them.
    fn worth(
        &self,
        market: &Market,
        (direction, drift): Expected,
        choice: Option<&Choice<'_>>,
        figures: &mut Vec<Figure>,
    ) {
        let Ok((wanted, other)) = self.sides(market, direction) else { return };
        let chosen = |side| choice.filter(|choice| choice.side == side).map(|choice| Ok(choice.offer));
        // What is bought was chosen for want of shares of the other outcome.
        let sale = (choice.is_none_or(|choice| choice.side == Side::Sell) && self.sells(market, other))
            .then(|| (other, chosen(Side::Sell).unwrap_or_else(|| self.sale(market, other, drift))));
        let purchase = (wanted, chosen(Side::Buy).unwrap_or_else(|| self.purchase(market, wanted, drift)));
        for (outcome, offer) in sale.into_iter().chain([purchase]) {
            let Ok(Offer { price, fair, edge, .. }) = offer else { continue };
            let (edge, least) = (edge.round_dp(4), self.terms.min_edge);
            figures.push(figure(named("fair", outcome), text!("{fair}")));
            figures.push(figure(named("edge", outcome), text!("{edge} at {price} after fee (at least {least})")));
        }
    }
}

/// A price, or that there is none.
fn at(price: Option<Price>) -> Text {
    price.map_or_else(|| "-".into(), |price| text!("{price}"))
}

fn named(what: &'static str, outcome: &OutcomeToken) -> Text {
    let outcome = outcome.outcome.clone();
    text!("{what} {outcome}")
}

fn volatility(of: Option<f64>) -> Text {
    of.map_or_else(|| "none".into(), |of| text!("{:.4} % a root second", of * 100.0))
}
