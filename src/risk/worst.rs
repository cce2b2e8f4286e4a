use crate::domain::{Market, Price, Side, Size, TokenId, Usd};

use super::Holdings;

/// An order that is asked about: token, side, limit price, shares.
pub type Wanted<'a> = Option<(&'a TokenId, Side, Price, Size)>;

/// The most that a market can lose in any outcome: what was paid for its shares, less what was received and what they would pay, with
/// every subset of the open orders matched and of the provisional fills settled that makes it worse, `wanted` included. Never below
/// zero.
#[must_use]
pub fn worst_loss(market: &Market, holdings: &Holdings, wanted: Wanted<'_>) -> Usd {
    let losses = market.tokens.iter().map(|outcome| loss_if(market, &outcome.token, holdings, wanted));
    losses.fold(Usd::ZERO, Ord::max)
}

/// What a market loses, below zero when it gains, if `winner` is the token that pays.
///
/// Exact, not a bound: for one outcome each order and each provisional fill either adds to the loss or lessens it, whatever the others
/// do, so the worst subset is the one of all that add.
pub(super) fn loss_if(market: &Market, winner: &TokenId, holdings: &Holdings, wanted: Wanted<'_>) -> Usd {
    let pays = |token: &TokenId, shares: Size| if token == winner { Usd(shares.0) } else { Usd::ZERO };
    let held: Usd = (market.tokens.iter())
        .map(|outcome| {
            let holding = holdings.token(&outcome.token);
            holding.paid - pays(&outcome.token, holding.confirmed)
        })
        .sum();
    let matched = |token: &TokenId, side: Side, price: Price, shares: Size| {
        let (cost, payout) = (price.notional(shares), pays(token, shares));
        let added = if side == Side::Buy { cost - payout } else { payout - cost };
        if added < Usd::ZERO { Usd::ZERO } else { added }
    };
    let open: Usd = (holdings.commitments().iter())
        .filter(|order| order.market == market.market)
        .map(|order| matched(&order.token, order.side, order.price, order.shares))
        .sum();
    let provisional: Usd = (holdings.provisional().iter())
        .filter(|(of, ..)| *of == market.market)
        .map(|(_, token, lot)| matched(token, lot.side, lot.price, lot.size))
        .sum();
    let wanted = wanted.filter(|(token, ..)| market.outcome_of(token).is_some());
    held + provisional + open + wanted.map_or(Usd::ZERO, |(token, side, price, size)| matched(token, side, price, size))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::{Decimal, dec};

    use super::*;
    use crate::domain::OrderIntent;
    use crate::risk::checks::bench::{Bench, buy, market};

    #[test]
    fn both_outcomes_together_lose_only_the_spread() {
        let mut bench = Bench::new();
        bench.hold("up", "100", "0.60");
        assert_eq!(worst_loss(&market(), &bench.holdings, None), Usd(dec!(60)));
        bench.hold("down", "100", "0.42");
        assert_eq!(worst_loss(&market(), &bench.holdings, None), Usd(dec!(2)));
        let down = "down".into();
        let wanted = Some((&down, Side::Buy, Price(dec!(0.42)), Size(dec!(50))));
        assert_eq!(worst_loss(&market(), &bench.holdings, wanted), Usd(dec!(23)));
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

    /// Every subset of the orders, every outcome.
    fn brute_force(held: [(Decimal, Decimal); 2], orders: &[OrderIntent]) -> Decimal {
        let mut worst = Decimal::ZERO;
        for subset in 0..(1_u32 << orders.len()) {
            for winner in 0..2 {
                let mut loss = held[0].0 + held[1].0 - held[winner].1;
                for (bit, order) in orders.iter().enumerate().filter(|(bit, _)| subset & (1 << bit) != 0) {
                    let token = usize::from(order.token.as_str() == "down");
                    let payout = if token == winner { order.size.0 } else { Decimal::ZERO };
                    let sign = if order.side == Side::Buy { Decimal::ONE } else { -Decimal::ONE };
                    loss += sign * (order.price.0 * order.size.0 - payout);
                    assert!(bit < 32);
                }
                worst = worst.max(loss);
            }
        }
        worst
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn it_equals_the_worst_of_every_subset_of_orders_in_every_outcome(
            up in (0_i64..100, 0_i64..300),
            down in (0_i64..100, 0_i64..300),
            orders in proptest::collection::vec(order(), 0..8),
        ) {
            let mut bench = Bench::new();
            let mut held = [(Decimal::ZERO, Decimal::ZERO); 2];
            for (index, (token, (cents, shares))) in [("up", up), ("down", down)].into_iter().enumerate() {
                bench.hold(token, &shares.to_string(), &Decimal::new(cents, 2).to_string());
                held[index] = (Decimal::new(cents, 2) * Decimal::from(shares), Decimal::from(shares));
            }
            for (index, order) in orders.iter().enumerate() {
                bench.holdings.add_intent(&OrderIntent { intent: format!("i{index}").into(), ..order.clone() });
            }
            prop_assert_eq!(worst_loss(&market(), &bench.holdings, None).0, brute_force(held, &orders));
            if let Some((last, others)) = orders.split_last() {
                let mut holdings = Holdings::new();
                holdings.add_position(&crate::risk::checks::bench::position("up", &up.1.to_string(), &Decimal::new(up.0, 2).to_string()));
                holdings.add_position(&crate::risk::checks::bench::position("down", &down.1.to_string(), &Decimal::new(down.0, 2).to_string()));
                for order in others {
                    holdings.add_intent(order);
                }
                let wanted = Some((&last.token, last.side, last.price, last.size));
                prop_assert_eq!(worst_loss(&market(), &holdings, wanted).0, brute_force(held, &orders));
            }
        }
    }
}
