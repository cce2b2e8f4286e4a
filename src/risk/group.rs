use crate::domain::{Market, TokenId, Usd};

use super::Holdings;
use super::worst::{Wanted, losses};

/// The markets of one event, of which exactly one pays YES: one of those that we know, or one that we do not.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// Those that are not resolved.
    open: Vec<&'a Market>,
    /// One of them has come true: the others cannot any more.
    decided: bool,
    /// Cost of everything whose market is not known: it may be part of the group, and then all of it may be lost.
    unlisted: Usd,
}

impl<'a> Group<'a> {
    /// The group of a market among all that are `known`; nothing when it is in none.
    #[must_use]
    pub fn of(
        market: &Market,
        known: &(impl Iterator<Item = &'a Market> + Clone),
        holdings: &Holdings,
    ) -> Option<Self> {
        let group = market.group.as_ref()?;
        let members = || known.clone().filter(|member| member.group.as_ref() == Some(group));
        let yes = |member: &Market| {
            let [yes, _] = member.yes_no();
            member.payout_of(&yes.token).is_some_and(|payout| payout.0 == 1.into())
        };
        let listed = |token: &TokenId| known.clone().any(|market| market.outcome_of(token).is_some());
        Some(Self {
            open: members().filter(|member| member.payouts.is_none()).collect(),
            decided: members().any(yes),
            unlisted: holdings.cost_outside(listed),
        })
    }

    /// How many markets of it are known and not resolved.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The most that the group can lose, whichever market comes true, with every subset of the open orders matched that makes it
    /// worse, `wanted` included. Never below zero.
    ///
    /// Exact for what is known: all markets lose as if none came true, and one of them changes that by what its coming true costs.
    #[must_use]
    pub fn worst_loss(&self, holdings: &Holdings, wanted: Option<Wanted<'_>>) -> Usd {
        let (mut none, mut swing) = (self.unlisted, Usd::ZERO);
        for market in &self.open {
            let [yes, no] = losses(market, holdings, wanted);
            none += no;
            swing = swing.max(yes - no);
        }
        let worst = if self.decided { none } else { none + swing };
        worst.max(Usd::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;
    use crate::domain::{FeeSchedule, OrderIntent, OutcomeToken, Price, Side, Size};
    use crate::risk::checks::bench::{buy, market, position};

    const MARKETS: usize = 4;

    fn token(market: usize, no: bool) -> String {
        format!("{market}-{}", if no { "no" } else { "yes" })
    }

    fn member(index: usize) -> Market {
        let outcome =
            |no| OutcomeToken { token: token(index, no).into(), outcome: if no { "No" } else { "Yes" }.to_owned() };
        // The venue may list them either way.
        let first = index % 2 == 1;
        Market {
            market: format!("0x{index}").into(),
            tokens: [outcome(first), outcome(!first)],
            group: Some("event".into()),
            fee: CRYPTO,
            ..market()
        }
    }

    const CRYPTO: FeeSchedule = FeeSchedule { rate: rust_decimal::dec!(0.07), exponent: 1 };

    #[derive(Clone, Debug)]
    struct Lot {
        market: usize,
        no: bool,
        buy: bool,
        price: Decimal,
        shares: Decimal,
    }

    fn lot() -> impl Strategy<Value = Lot> {
        (0..MARKETS, any::<bool>(), any::<bool>(), 1_i64..100, 1_i64..200).prop_map(
            |(market, no, buy, cents, shares)| Lot {
                market,
                no,
                buy,
                price: Decimal::new(cents, 2),
                shares: Decimal::from(shares),
            },
        )
    }

    fn order(index: usize, lot: &Lot) -> OrderIntent {
        OrderIntent {
            intent: format!("i{index}").into(),
            market: format!("0x{}", lot.market).into(),
            token: token(lot.market, lot.no).into(),
            side: if lot.buy { Side::Buy } else { Side::Sell },
            price: Price(lot.price),
            size: Size(lot.shares),
            ..buy("0.5", "5")
        }
    }

    /// What a lot loses when `winner` is the market that comes true.
    fn loss(lot: &Lot, winner: Option<usize>) -> Decimal {
        let pays = (winner == Some(lot.market)) != lot.no;
        let bought = lot.price * lot.shares - if pays { lot.shares } else { Decimal::ZERO };
        if lot.buy { bought } else { -bought }
    }

    /// What an order may lose, with its fee.
    fn loss_of_order(lot: &Lot, winner: Option<usize>) -> Decimal {
        loss(lot, winner) + CRYPTO.taker_fee(Price(lot.price), Size(lot.shares)).0
    }

    /// Every market that may come true, or none of those known, and every subset of the orders.
    fn brute_force(held: &[Lot], orders: &[Lot], known: usize) -> Decimal {
        let mut worst = Decimal::ZERO;
        let fixed = |winner| -> Decimal {
            let lost = |lot: &Lot| if lot.market < known { loss(lot, winner) } else { lot.price * lot.shares };
            held.iter().map(lost).sum()
        };
        for winner in (0..known).map(Some).chain([None]) {
            for subset in 0..(1_u32 << orders.len()) {
                let matched = orders.iter().enumerate().filter(|(bit, _)| subset & (1 << bit) != 0);
                let matched = matched.map(|(_, lot)| {
                    if lot.market < known {
                        loss_of_order(lot, winner)
                    } else if lot.buy {
                        loss_of_order(&Lot { no: false, ..lot.clone() }, None)
                    } else {
                        Decimal::ZERO
                    }
                });
                worst = worst.max(fixed(winner) + matched.sum::<Decimal>());
            }
        }
        worst
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn it_equals_the_worst_of_every_subset_of_orders_whichever_market_comes_true(
            held in prop::collection::vec(lot(), 0..6),
            orders in prop::collection::vec(lot(), 0..7),
            known in 1..=MARKETS,
        ) {
            let mut held: Vec<Lot> = held.into_iter().map(|lot| Lot { buy: true, ..lot }).collect();
            held.sort_by_key(|lot| (lot.market, lot.no));
            held.dedup_by_key(|lot| (lot.market, lot.no));
            let mut holdings = Holdings::new();
            for lot in &held {
                let (shares, price) = (lot.shares.to_string(), lot.price.to_string());
                holdings.add_position(&position(&token(lot.market, lot.no), &shares, &price));
            }
            let markets: Vec<Market> = (0..known).map(member).collect();
            let Some((last, others)) = orders.split_last() else {
                let group = Group::of(&markets[0], &markets.iter(), &holdings).expect("grouped");
                prop_assert_eq!(group.worst_loss(&holdings, None).0, brute_force(&held, &[], known));
                return Ok(());
            };
            for (index, lot) in others.iter().enumerate() {
                holdings.add_intent(&order(index, lot), CRYPTO);
            }
            let group = Group::of(&markets[0], &markets.iter(), &holdings).expect("grouped");
            prop_assert_eq!(group.worst_loss(&holdings, None).0, brute_force(&held, others, known));
            if last.market < known {
                let intent = order(9, last);
                let wanted = Wanted { intent: &intent, fee: intent.worst_fee(intent.size, CRYPTO) };
                prop_assert_eq!(group.worst_loss(&holdings, Some(wanted)).0, brute_force(&held, &orders, known));
            }
        }
    }

    #[test]
    fn what_is_resolved_is_over_and_decides_the_rest() {
        // Its NO is listed first.
        let resolved = |yes: i64| Market { payouts: Some([Price((1 - yes).into()), Price(yes.into())]), ..member(3) };
        let mut holdings = Holdings::new();
        holdings.add_position(&position(&token(1, true), "100", "0.90"));
        holdings.add_position(&position(&token(2, true), "100", "0.90"));
        let loss = |first: Market| {
            let markets = [first, member(1), member(2)];
            let group = Group::of(&markets[1], &markets.iter(), &holdings).expect("grouped");
            (group.len(), group.worst_loss(&holdings, None))
        };
        assert_eq!(loss(member(0)), (3, Usd(80.into())), "one of the two comes true");
        assert_eq!(loss(resolved(0)), (2, Usd(80.into())));
        assert_eq!(loss(resolved(1)), (2, Usd::ZERO), "neither of them can any more");
        let lone = member(1);
        assert!(Group::of(&Market { group: None, ..lone }, &[].iter(), &holdings).is_none());
    }
}
