//! Distance of the price from the book.

use rust_decimal::Decimal;

use super::{is_reducing, verdict};
use crate::domain::{Book, CheckResult, Control, OrderIntent, Price, Side, Text, Timestamp, text};
use crate::risk::{Limits, RiskView};

/// A buy may pay at most the best ask plus the collar, a sale must bring at least the best bid less the collar, and the
/// price lies in (0, 1). Without that side of the book there is nothing to hold the price against: refused, except that a sale of
/// shares held may be held against the best ask, which is stricter.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, limits: &Limits, _now: Timestamp) -> CheckResult {
    let result = |value: Text, limit: Text, passed| verdict(Control::PriceCollar, value, limit, passed);
    let price = intent.price;
    if price.decimal() <= Decimal::ZERO || price.decimal() >= Decimal::ONE {
        return result(text!("price {price}"), "above 0, below 1".into(), false);
    }
    let book = view.book.filter(|book| book.token == intent.token);
    let Some(reference) = book.and_then(|book| reference(intent, book, is_reducing(intent, view))) else {
        let missing = opposite(intent.side);
        return result(text!("price {price} against no {missing}"), "a two-sided book".into(), false);
    };
    let collar = Price(limits.price_collar);
    match intent.side {
        Side::Buy => {
            let most = reference + collar;
            result(text!("price {price}"), text!("at most {most}, {collar} above {reference}"), price <= most)
        }
        Side::Sell => {
            let least = reference - collar;
            result(text!("price {price}"), text!("at least {least}, {collar} below {reference}"), price >= least)
        }
    }
}

fn reference(intent: &OrderIntent, book: &Book, reducing: bool) -> Option<Price> {
    let level = match intent.side {
        Side::Buy => book.best_ask(),
        Side::Sell => book.best_bid().or_else(|| book.best_ask().filter(|_| reducing)),
    };
    level.map(|level| level.price)
}

const fn opposite(side: Side) -> &'static str {
    match side {
        Side::Buy => "ask",
        Side::Sell => "bid",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::checks::bench::{Bench, buy, sell};

    #[test]
    fn the_collar_itself_passes_and_the_smallest_step_beyond_fails() {
        let bench = Bench::new();
        for (price, passed) in [("0.56", true), ("0.5601", false), ("0.10", true)] {
            assert_eq!(bench.run(check, &buy(price, "5")).passed, passed, "buy at {price}");
        }
        for (price, passed) in [("0.44", true), ("0.4399", false), ("0.90", true)] {
            assert_eq!(bench.run(check, &sell(price, "5")).passed, passed, "sell at {price}");
        }
    }

    #[test]
    fn zero_and_one_are_no_prices_whatever_the_book() {
        let mut bench = Bench::new();
        bench.limits.price_collar = Decimal::ONE;
        for (price, passed) in [("0", false), ("0.0001", true), ("0.9999", true), ("1", false)] {
            assert_eq!(bench.run(check, &buy(price, "5")).passed, passed, "buy at {price}");
            assert_eq!(bench.run(check, &sell(price, "5")).passed, passed, "sell at {price}");
        }
    }

    #[test]
    fn a_one_sided_book_refuses_unless_shares_held_are_sold() {
        let mut bench = Bench::new();
        bench.book.as_mut().expect("a book").asks.clear();
        assert!(!bench.run(check, &buy("0.50", "5")).passed);
        assert!(bench.run(check, &sell("0.49", "5")).passed);

        let mut bench = Bench::new();
        bench.book.as_mut().expect("a book").bids.clear();
        assert!(!bench.run(check, &sell("0.50", "5")).passed);
        bench.hold("up", "5", "0.50");
        assert!(bench.run(check, &sell("0.46", "5")).passed);
        assert!(!bench.run(check, &sell("0.4599", "5")).passed);

        bench.book = None;
        assert!(!bench.run(check, &sell("0.50", "5")).passed);
        assert!(!bench.run(check, &buy("0.50", "5")).passed);
    }
}
