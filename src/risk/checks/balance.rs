//! pUSD at the venue, and how much of it the exchange may take.

use super::verdict;
use crate::domain::{CheckResult, Control, OrderIntent, Side, Timestamp, Usd, text};
use crate::risk::{Limits, RiskView};

/// The buy with its taker fee and everything that open buys have reserved, at most what is free and allowed. Funds that are not
/// known deny. A sale needs none.
#[must_use]
pub fn check(intent: &OrderIntent, view: &RiskView<'_>, _limits: &Limits, _now: Timestamp) -> CheckResult {
    if intent.side == Side::Sell {
        return verdict(Control::Balance, "a sale", "free pUSD for buys", true);
    }
    let Some(funds) = view.funds else {
        return verdict(Control::Balance, "the balance is not known yet", "free pUSD for buys", false);
    };
    let (cost, reserved) = (view.cost(intent), view.holdings.reserved());
    let needed = cost + reserved;
    let shown = |amount: Usd| amount.decimal().normalize();
    let value = text!("{} pUSD: {} with its fee, {} reserved", shown(needed), shown(cost), shown(reserved));
    let (limit, most) = match funds.allowance.filter(|allowance| *allowance < funds.free) {
        Some(allowance) => (text!("{} pUSD allowed", shown(allowance)), allowance),
        None => (text!("{} pUSD free", shown(funds.free)), funds.free),
    };
    verdict(Control::Balance, value, limit, needed <= most)
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::{FeeSchedule, Funds, Market};
    use crate::risk::checks::bench::{Bench, buy, market, sell};

    fn run(free: Usd, allowance: Option<Usd>) -> CheckResult {
        let mut bench = Bench::new();
        let fee = FeeSchedule { rate: dec!(0.07), exponent: 1 };
        bench.market = Some(Market { fee, ..market() });
        bench.reserve(&buy("0.50", "20"));
        bench.funds = Some(Funds { free, allowance });
        bench.run(check, &buy("0.50", "40"))
    }

    #[test]
    fn cost_fee_and_reservations_fit_to_the_last_millionth() {
        // 10 and 0.35 reserved, 20 and 0.70 wanted.
        let needed = Usd(dec!(31.05));
        let less = needed - Usd(dec!(0.000001));
        assert!(run(needed, None).passed && run(needed, Some(needed)).passed);
        let poor = run(less, None);
        assert_eq!((poor.passed, &*poor.limit.to_string()), (false, "31.049999 pUSD free"));
        assert_eq!(poor.value, "31.05 pUSD: 20.7 with its fee, 10.35 reserved");
        let revoked = run(needed, Some(less));
        assert_eq!((revoked.passed, &*revoked.limit.to_string()), (false, "31.049999 pUSD allowed"));
    }

    #[test]
    fn funds_that_are_not_known_deny_buys_alone() {
        let mut bench = Bench::new();
        bench.funds = None;
        assert!(!bench.run(check, &buy("0.50", "5")).passed);
        assert!(bench.run(check, &sell("0.50", "5")).passed);
    }
}
