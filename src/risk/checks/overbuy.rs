//! What a purchase that must match at once would buy.

use super::{shares, verdict};
use crate::domain::{Book, CheckResult, Control, OrderIntent, Side, Size, TimeInForce, Timestamp, Usd, text};
use crate::risk::{Limits, RiskView};

/// A purchase that must match at once is one for an amount of pUSD at the venue: where the book is cheaper than its limit, it buys more
/// shares than are wanted, and than every other control has counted. Who wants to sweep several prices lets it rest. Sales, and what may
/// rest, are for shares and pass; so does what no book is known for, which others deny.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, _limits: &Limits, _now: Timestamp) -> CheckResult {
    let at_once = matches!(intent.tif, TimeInForce::Fok | TimeInForce::Fak) && intent.side == Side::Buy;
    let book = view.book.filter(|book| at_once && book.token == intent.token);
    let Some(book) = book else {
        return verdict(Control::Overbuy, "for shares", shares(intent.size), true);
    };
    let amount = intent.price.notional(intent.size);
    let bought = for_amount(amount, intent, book);
    let value = text!("{} for {amount} pUSD, as the book is", shares(bought));
    let wanted = intent.size;
    let limit = text!("{wanted} wanted; FOK and FAK spend all of their pUSD, so name the best price");
    verdict(Control::Overbuy, value, limit, bought <= wanted)
}

/// How many shares the book gives for an amount, to the hundredth.
fn for_amount(amount: Usd, intent: &OrderIntent, book: &Book) -> Size {
    let (mut left, mut bought) = (amount, Size::ZERO);
    for level in book.asks.iter().take_while(|level| level.price <= intent.price) {
        let all = level.price.notional(level.size);
        if all >= left {
            // A price of zero is none that anybody sells at.
            bought += Size(left.0.checked_div(level.price.0).unwrap_or_default());
            break;
        }
        (left, bought) = (left - all, bought + level.size);
    }
    bought.floor_dp(2)
}

#[cfg(test)]
mod tests {
    use rust_decimal::{Decimal, dec};

    use super::*;
    use crate::domain::{Level, Price};
    use crate::risk::checks::bench::{Bench, buy, sell};

    #[test]
    fn what_must_match_at_once_buys_as_much_as_is_wanted_and_not_a_hundredth_more() {
        use TimeInForce::{Fak, Fok, Gtc};
        let mut bench = Bench::new();
        let mut told = |tif, levels: &[(Decimal, Decimal)]| {
            let asks = levels.iter().map(|(price, size)| Level { price: Price(*price), size: Size(*size) }).collect();
            let book = bench.book.take().map(|book| Book { asks, ..book });
            bench.book = book;
            let result = bench.run(check, &OrderIntent { tif, ..buy("0.50", "10") });
            (result.passed, result.value.to_string())
        };
        for tif in [Fak, Fok] {
            assert!(told(tif, &[(dec!(0.50), dec!(100))]).0);
            assert!(told(tif, &[(dec!(0.4999), dec!(100))]).0, "10.002, of which the venue gives 10");
            assert!(
                told(tif, &[(dec!(0.40), dec!(5)), (dec!(0.51), dec!(100))]).0,
                "there are no more than are wanted"
            );
            let more = told(tif, &[(dec!(0.4995), dec!(100))]);
            assert_eq!(more, (false, "10.01 shares for 5.00 pUSD, as the book is".to_owned()));
            assert!(!told(tif, &[(dec!(0.40), dec!(5)), (dec!(0.50), dec!(100))]).0);
        }
        assert!(told(Gtc, &[(dec!(0.40), dec!(100))]).0, "one that may rest is for shares");
        assert!(bench.run(check, &OrderIntent { tif: Fak, ..sell("0.30", "10") }).passed);
        bench.book = None;
        assert!(bench.run(check, &OrderIntent { tif: Fak, ..buy("0.50", "10") }).passed);
    }
}
