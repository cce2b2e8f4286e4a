//! Everything that was looked at when a price moved as a strategy waits for, for whoever asks why.

use super::{Cause, Offer, View, sides};
use crate::domain::{Figure, Level, Market, OutcomeToken};
use crate::pipeline::athena::{Direction, Sample};

pub(in super::super) fn figure(name: impl Into<String>, value: impl Into<String>) -> Figure {
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
        cause: &Cause,
    ) -> Vec<Figure> {
        let (window, terms) = (self.window, self.terms);
        let price = |at: Option<Sample>| at.map_or_else(|| "-".to_owned(), |sample| sample.price.to_string());
        let mut figures = vec![
            figure("tick", format!("{} {}, trade {}", cause.source, cause.price, cause.trade_id)),
            figure(
                "window",
                format!(
                    "{} ticks (at least {}) in {} s, {} to {}",
                    window.len(),
                    terms.min_ticks,
                    terms.span.as_secs(),
                    price(window.first()),
                    price(window.last())
                ),
            ),
            trigger,
            figure("volume", format!("{} (at least {})", window.volume(), terms.min_volume)),
            figure("volatility", volatility(window.volatility())),
        ];
        if !window.unseen().is_zero() {
            figures.push(figure("not seen", format!("{:.1} s of the window", window.unseen().as_secs_f64())));
        }
        if let Some(market) = self.market {
            self.of_market(market, direction, drift, &mut figures);
        }
        figures
    }

    fn of_market(&self, market: &Market, direction: Direction, drift: Option<f64>, figures: &mut Vec<Figure>) {
        figures.push(figure("market", market.slug.as_str()));
        if let Some(closes_at) = market.closes_at {
            let (left, cutoff) = (closes_at.since(self.now).as_secs_f64(), self.terms.cutoff.as_secs());
            figures.push(figure("closes in", format!("{left:.1} s (no purchase below {cutoff} s)")));
        }
        for outcome in &market.tokens {
            figures.push(figure(format!("book {}", outcome.outcome), self.best(market, outcome)));
        }
        for outcome in &market.tokens {
            figures.push(figure(format!("to sell {}", outcome.outcome), format!("{} shares", self.free(outcome))));
        }
        figures.push(figure("fee rate", market.fee.rate.to_string()));
        self.worth(market, direction, drift, figures);
    }

    /// What the outcomes are worth, also when something else stood in the way of trading them.
    fn worth(&self, market: &Market, direction: Direction, drift: Option<f64>, figures: &mut Vec<Figure>) {
        let (wanted, other) = sides(market, direction);
        let sale = (self.free(other) >= market.min_size).then(|| (other, self.sale(market, other, drift)));
        let purchase = (wanted, self.purchase(market, wanted, drift));
        for (outcome, offer) in sale.into_iter().chain([purchase]) {
            let Ok(Offer { price, fair, edge, .. }) = offer else { continue };
            let (name, least) = (&outcome.outcome, self.terms.min_edge);
            figures.push(figure(format!("fair {name}"), fair.to_string()));
            let edge = edge.round_dp(4);
            figures.push(figure(format!("edge {name}"), format!("{edge} at {price} after fee (at least {least})")));
        }
    }

    fn best(&self, market: &Market, outcome: &OutcomeToken) -> String {
        let Some(book) = self.desk.markets.book(&market.market, &outcome.token) else { return "none".to_owned() };
        let price = |level: Option<Level>| level.map_or_else(|| "-".to_owned(), |l| l.price.to_string());
        let age = self.now.since(book.known_at()).as_millis();
        format!(
            "bid {}, ask {}, {age} ms old (at most {})",
            price(book.best_bid()),
            price(book.best_ask()),
            self.desk.data_age.as_millis()
        )
    }
}

fn volatility(of: Option<f64>) -> String {
    of.map_or_else(|| "none".to_owned(), |of| format!("{:.4} % a root second", of * 100.0))
}
