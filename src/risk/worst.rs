use crate::domain::{Market, OrderIntent, TokenId, Usd};

use super::Holdings;
use super::holdings::may_lose;

/// The most that a market can lose in any outcome: what was paid for its shares and in fees, less what was received and what they would
/// pay, with every subset of the open orders matched and of the provisional fills settled that makes it worse, `wanted` included. Never below
/// zero.
#[must_use]
pub fn worst_loss(market: &Market, holdings: &Holdings, wanted: Option<Wanted<'_>>) -> Usd {
    losses(market, holdings, wanted).into_iter().fold(Usd::ZERO, Ord::max)
}

/// An intent that is not counted yet.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Which.
    pub intent: &'a OrderIntent,
    /// What it may cost in fees at most.
    pub fee: Usd,
}

/// What a market loses, below zero when it gains, when YES pays and when NO does.
///
/// Exact, not a bound: for one outcome each order and each provisional fill either adds to the loss or lessens it, whatever the others
/// do, so the worst subset is the one of all that add.
pub(super) fn losses(market: &Market, holdings: &Holdings, wanted: Option<Wanted<'_>>) -> [Usd; 2] {
    let [yes, no] = market.yes_no().map(|outcome| of_token(&outcome.token, holdings, wanted));
    let ([yes_pays, yes_pays_not], [no_pays, no_pays_not]) = (yes, no);
    [yes_pays + no_pays_not, yes_pays_not + no_pays]
}

/// What a token loses when it pays, and when it does not.
fn of_token(token: &TokenId, holdings: &Holdings, wanted: Option<Wanted<'_>>) -> [Usd; 2] {
    let holding = holdings.token(token);
    let of_wanted = wanted.filter(|wanted| wanted.intent.token == *token).map_or([Usd::ZERO; 2], |wanted| {
        let Wanted { intent, fee } = wanted;
        may_lose(intent.side, intent.price, intent.size, fee)
    });
    [
        holding.paid - Usd(holding.confirmed.0) + holding.may_lose(true) + of_wanted[0],
        holding.paid + holding.may_lose(false) + of_wanted[1],
    ]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::{Decimal, dec};

    use super::*;
    use crate::domain::{FeeSchedule, Lot, Position, Price, Side, Size};
    use crate::risk::checks::bench::{Bench, buy, market, position};

    #[test]
    fn both_outcomes_together_lose_only_the_spread() {
        let mut bench = Bench::new();
        bench.hold("up", "100", "0.60");
        assert_eq!(worst_loss(&market(), &bench.holdings, None), Usd(dec!(60)));
        bench.hold("down", "100", "0.42");
        assert_eq!(worst_loss(&market(), &bench.holdings, None), Usd(dec!(2)));
        let intent = OrderIntent { token: "down".into(), ..buy("0.42", "50") };
        let loss = |fee| worst_loss(&market(), &bench.holdings, Some(Wanted { intent: &intent, fee: Usd(fee) }));
        assert_eq!((loss(dec!(0)), loss(dec!(0.8526))), (Usd(dec!(23)), Usd(dec!(23.8526))));
    }

    fn order() -> impl Strategy<Value = OrderIntent> {
        (any::<bool>(), any::<bool>(), 1_i64..100, 1_i64..200).prop_map(|(buying, up, cents, shares)| OrderIntent {
            side: if buying { Side::Buy } else { Side::Sell },
            token: if up { "up" } else { "down" }.into(),
            price: Price(Decimal::new(cents, 2)),
            size: Size(Decimal::from(shares)),
            ..buy("0.5", "5")
        })
    }

    fn fee(order: &OrderIntent) -> Decimal {
        CRYPTO.taker_fee(order.price, order.size).0
    }

    /// Every subset of the orders and of the fills that may fail, every outcome. `held` has what was paid, fees included, and the shares.
    fn brute_force(held: [(Decimal, Decimal); 2], maybe: &[&OrderIntent]) -> Decimal {
        let mut worst = Decimal::ZERO;
        for subset in 0..(1_u32 << maybe.len()) {
            for winner in 0..2 {
                let mut loss = held[0].0 + held[1].0 - held[winner].1;
                for (_, order) in maybe.iter().enumerate().filter(|(bit, _)| subset & (1 << bit) != 0) {
                    let token = usize::from(order.token.as_str() == "down");
                    let payout = if token == winner { order.size.0 } else { Decimal::ZERO };
                    let sign = if order.side == Side::Buy { Decimal::ONE } else { -Decimal::ONE };
                    loss += sign * (order.price.0 * order.size.0 - payout) + fee(order);
                }
                worst = worst.max(loss);
            }
        }
        worst
    }

    const CRYPTO: FeeSchedule = FeeSchedule { rate: dec!(0.07), exponent: 1 };

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn it_equals_the_worst_of_every_subset_of_orders_and_provisional_fills_in_every_outcome(
            up in (0_i64..100, 0_i64..300),
            down in (0_i64..100, 0_i64..300),
            fills in proptest::collection::vec(order(), 0..4),
            orders in proptest::collection::vec(order(), 0..6),
            last in order(),
        ) {
            let market = Market { fee: CRYPTO, ..market() };
            let mut holdings = Holdings::new();
            let mut held = [(Decimal::ZERO, Decimal::ZERO); 2];
            for (index, (token, (cents, shares))) in [("up", up), ("down", down)].into_iter().enumerate() {
                let (shares, price) = (Decimal::from(shares), Decimal::new(cents, 2));
                let paid = shares * price + CRYPTO.taker_fee(Price(price), Size(shares)).0;
                let lots = fills.iter().filter(|fill| fill.token.as_str() == token);
                let lot = |fill: &OrderIntent| Lot { side: fill.side, price: fill.price, size: fill.size, fee: Usd(fee(fill)) };
                holdings.add_position(&Position {
                    paid: Usd(paid),
                    provisional: lots.map(lot).collect(),
                    ..position(token, &shares.to_string(), &price.to_string())
                });
                held[index] = (paid, shares);
            }
            for (index, order) in orders.iter().enumerate() {
                holdings.add_intent(&OrderIntent { intent: format!("i{index}").into(), ..order.clone() }, CRYPTO);
            }
            let mut maybe: Vec<&OrderIntent> = fills.iter().chain(&orders).collect();
            prop_assert_eq!(worst_loss(&market, &holdings, None).0, brute_force(held, &maybe));
            maybe.push(&last);
            let wanted = Wanted { intent: &last, fee: Usd(fee(&last)) };
            prop_assert_eq!(worst_loss(&market, &holdings, Some(wanted)).0, brute_force(held, &maybe));
        }
    }
}
