//! Everything that momentum looked at when a price crossed its threshold, for whoever asks why.

use rust_decimal::Decimal;

use super::super::fair;
use super::{Desk, MomentumParams, SIZE_DECIMALS, State, fair_value};
use crate::domain::{Figure, Market, OutcomeToken, Price, Timestamp};
use crate::pipeline::athena::{Cause, Direction};

/// What it looks at.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) state: &'a State,
    pub(super) market: Option<&'a Market>,
    pub(super) params: &'a MomentumParams,
    pub(super) desk: &'a Desk<'a>,
    pub(super) now: Timestamp,
}

fn figure(name: impl Into<String>, value: impl Into<String>) -> Figure {
    Figure { name: name.into(), value: value.into() }
}

fn percent(ratio: Decimal) -> String {
    format!("{} %", (ratio * Decimal::ONE_HUNDRED).round_dp(4).normalize())
}

impl View<'_> {
    /// Every figure; those that the rationale names itself are repeated, so that a skip, which has no rationale, shows them too.
    pub(super) fn figures(&self, direction: Direction, cause: &Cause) -> Vec<Figure> {
        let (window, params) = (&self.state.window, self.params);
        let price = |at: Option<super::Sample>| at.map_or_else(|| "-".to_owned(), |sample| sample.price.to_string());
        let mut figures = vec![
            figure("tick", format!("{} {}, trade {}", cause.source, cause.price, cause.trade_id)),
            figure(
                "window",
                format!(
                    "{} ticks (at least {}) in {} s, {} to {}",
                    window.len(),
                    params.min_ticks,
                    params.window.as_secs(),
                    price(window.first()),
                    price(window.last())
                ),
            ),
            figure(
                "change",
                format!("{} (threshold {})", percent(window.change().unwrap_or_default()), percent(params.threshold)),
            ),
            figure("volume", format!("{} (at least {})", window.volume(), params.min_volume)),
            figure("volatility", volatility(window.volatility())),
        ];
        if let Some(market) = self.market {
            self.of_market(market, direction, &mut figures);
        }
        figures
    }

    fn of_market(&self, market: &Market, direction: Direction, figures: &mut Vec<Figure>) {
        let params = self.params;
        figures.push(figure("market", market.slug.as_str()));
        if let Some(closes_at) = market.closes_at {
            let left = closes_at.since(self.now).as_secs_f64();
            figures.push(figure("closes in", format!("{left:.1} s (no purchase below {} s)", params.cutoff.as_secs())));
        }
        for outcome in &market.tokens {
            figures.push(figure(format!("book {}", outcome.outcome), self.book(market, outcome)));
        }
        for outcome in &market.tokens {
            let free = self.desk.holdings.token(&outcome.token).sellable().floor_dp(SIZE_DECIMALS);
            figures.push(figure(format!("to sell {}", outcome.outcome), format!("{free} shares")));
        }
        figures.push(figure("fee rate", market.fee.rate.to_string()));
        let wanted = &market.tokens[usize::from(direction == Direction::Down)];
        self.worth(market, wanted, figures);
    }

    /// What the moving outcome is worth, also when something else stood in the way of buying it.
    fn worth(&self, market: &Market, wanted: &OutcomeToken, figures: &mut Vec<Figure>) {
        let params = self.params;
        let Some(book) = self.desk.fresh_book(&market.market, &wanted.token, self.now) else { return };
        let (Some(middle), Some(ask)) = (book.mid(), book.best_ask()) else { return };
        let Some(fair) = fair_value(self.state, market, middle, params, self.now) else { return };
        let price = (ask.price + Price(params.slippage)).floor_to(market.tick_size);
        let edge = fair::edge(fair, price, params.size.floor_dp(SIZE_DECIMALS), market).round_dp(4);
        figures.push(figure(format!("fair {}", wanted.outcome), fair.to_string()));
        figures.push(figure(
            format!("edge {}", wanted.outcome),
            format!("{edge} at {price} after fee (at least {})", params.min_edge),
        ));
    }

    fn book(&self, market: &Market, outcome: &OutcomeToken) -> String {
        let Some(book) = self.desk.markets.book(&market.market, &outcome.token) else { return "none".to_owned() };
        let price = |level: Option<crate::domain::Level>| level.map_or_else(|| "-".to_owned(), |l| l.price.to_string());
        let age = self.now.since(book.received_at).as_millis();
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
