//! Whether the market is known, open and takes an order of this price and size.

use super::{is_reducing, unknown, verdict};
use crate::domain::{CheckResult, Control, Market, OrderIntent, Timestamp, text};
use crate::risk::{Limits, RiskView};

/// Names the first thing that is wrong with the market or with the intent on it. The end that a market names is no proof that it takes
/// no orders any more: from then on nothing is bought, and a sale of shares held passes as long as it does.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, _limits: &Limits, now: Timestamp) -> CheckResult {
    let Some(market) = view.market else {
        return verdict(Control::Market, unknown(intent), "a known market", false);
    };
    let (price, size, tick, least) = (intent.price, intent.size, market.tick_size, market.min_size);
    match fault(intent, market, view, now) {
        Some((value, limit)) => verdict(Control::Market, value, limit, false),
        None => verdict(
            Control::Market,
            text!("open, price {price}, {size} shares"),
            text!("open, tick {tick}, at least {least} shares"),
            true,
        ),
    }
}

fn fault(intent: &OrderIntent, market: &Market, view: &RiskView<'_>, now: Timestamp) -> Option<(String, String)> {
    let slug = &market.slug;
    if market.market != intent.market || market.outcome_of(&intent.token).is_none() {
        return Some((format!("token {} of {}", intent.token, intent.market), format!("a token of {slug}")));
    }
    if market.payouts.is_some() {
        return Some((format!("{slug} is resolved"), "an unresolved market".into()));
    }
    if !market.accepting_orders {
        return Some((format!("{slug} takes no orders"), "accepting orders".into()));
    }
    if let Some(opens_at) = market.opens_at.filter(|at| now < *at) {
        return Some((format!("{now}"), format!("not before it opens at {opens_at}")));
    }
    if let Some(closes_at) = market.closes_at.filter(|at| now >= *at && !is_reducing(intent, view)) {
        return Some((format!("{now}"), format!("before it closes at {closes_at}, or a sale of shares held")));
    }
    if !intent.price.is_on_tick(market.tick_size) {
        let tick = market.tick_size;
        return Some((format!("price {}", intent.price), format!("a multiple of {tick} in [{tick}, 1 - {tick}]")));
    }
    if intent.size < market.min_size {
        return Some((format!("{} shares", intent.size), format!("at least {} shares", market.min_size)));
    }
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{Price, TokenId};
    use crate::risk::checks::bench::{Bench, buy, market, sell};

    fn passes(bench: &Bench, intent: &OrderIntent) -> bool {
        bench.run(check, intent).passed
    }

    #[test]
    fn an_unknown_market_and_a_foreign_token_are_refused() {
        let mut bench = Bench::new();
        assert!(passes(&bench, &buy("0.50", "5")));
        assert!(!passes(&bench, &OrderIntent { token: TokenId::new("elsewhere"), ..buy("0.50", "5") }));
        assert!(!passes(&bench, &OrderIntent { market: "0xother".into(), ..buy("0.50", "5") }));
        bench.market = None;
        assert!(!passes(&bench, &buy("0.50", "5")));
    }

    #[test]
    fn resolved_or_not_accepting_is_refused() {
        let mut bench = Bench::new();
        let market = bench.market.clone().expect("the bench has one");
        bench.market = Some(Market { payouts: Some([Price::ZERO, Price::ZERO]), ..market.clone() });
        assert!(!passes(&bench, &buy("0.50", "5")));
        bench.market = Some(Market { accepting_orders: false, ..market });
        assert!(!passes(&bench, &buy("0.50", "5")));
    }

    #[test]
    fn it_is_open_from_its_opening_until_just_before_its_close() {
        let mut bench = Bench::new();
        let market = bench.market.clone().expect("the bench has one");
        let (opens, closes) = (market.opens_at.expect("opens"), market.closes_at.expect("closes"));
        for (at, open) in
            [(opens.micros() - 1, false), (opens.micros(), true), (closes.micros() - 1, true), (closes.micros(), false)]
        {
            bench.now = Timestamp::from_micros(at);
            assert_eq!(passes(&bench, &buy("0.50", "5")), open, "at {at}");
        }
    }

    #[test]
    fn beyond_its_named_end_what_is_held_is_sold_for_as_long_as_it_takes_orders() {
        let mut bench = Bench::new();
        bench.hold("up", "10", "0.50");
        bench.now = market().closes_at.expect("closes").plus(Duration::from_hours(3));
        assert!(passes(&bench, &sell("0.50", "10")) && !passes(&bench, &buy("0.50", "10")));
        assert!(!passes(&bench, &sell("0.50", "10.01")), "more than is held");
        bench.market = Some(Market { accepting_orders: false, ..market() });
        assert!(!passes(&bench, &sell("0.50", "10")));
    }

    #[test]
    fn the_grid_and_the_smallest_size_are_the_markets() {
        let bench = Bench::new();
        for (price, size, passed) in [
            ("0.01", "5", true),
            ("0.99", "5", true),
            ("0.50", "4.99", false),
            ("0.505", "5", false),
            ("0", "5", false),
            ("1", "5", false),
        ] {
            assert_eq!(passes(&bench, &buy(price, size)), passed, "{size} at {price}");
        }
    }
}
