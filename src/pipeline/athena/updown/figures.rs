//! Everything that was looked at when a price moved as a strategy waits for, for whoever asks why.

use super::super::fair;
use super::{Cause, SIZE_DECIMALS, View, sides};
use crate::domain::{Figure, Level, Market, OutcomeToken, Price};
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
            figures.push(figure(format!("book {}", outcome.outcome), self.book(market, outcome)));
        }
        for outcome in &market.tokens {
            let free = self.desk.holdings.sellable_by(self.terms.strategy, &outcome.token).floor_dp(SIZE_DECIMALS);
            figures.push(figure(format!("to sell {}", outcome.outcome), format!("{free} shares")));
        }
        figures.push(figure("fee rate", market.fee.rate.to_string()));
        self.worth(market, sides(market, direction).0, drift, figures);
    }

    /// What the outcome is worth, also when something else stood in the way of buying it.
    fn worth(&self, market: &Market, wanted: &OutcomeToken, drift: Option<f64>, figures: &mut Vec<Figure>) {
        let terms = self.terms;
        let Some(book) = self.desk.fresh_book(&market.market, &wanted.token, self.now) else { return };
        let (Some(middle), Some(ask)) = (book.mid(), book.best_ask()) else { return };
        let Some(fair) = self.fair(market, middle, drift) else { return };
        let price = (ask.price + Price(terms.slippage)).floor_to(market.tick_size);
        let edge = fair::edge(fair, price, terms.size.floor_dp(SIZE_DECIMALS), market).round_dp(4);
        figures.push(figure(format!("fair {}", wanted.outcome), fair.to_string()));
        figures.push(figure(
            format!("edge {}", wanted.outcome),
            format!("{edge} at {price} after fee (at least {})", terms.min_edge),
        ));
    }

    fn book(&self, market: &Market, outcome: &OutcomeToken) -> String {
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
