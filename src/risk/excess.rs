use std::cmp::Reverse;
use std::collections::HashMap;

use crate::domain::{Denial, FeeSchedule, Market, MarketId, OrderIntent, Timestamp, TradingState};

use super::checks::{self, Check};
use super::{Group, Holdings, Limits, Recent, RiskView};

/// The controls on what all orders together have at stake.
const OF_ALL: [Check; 4] = [
    checks::open_orders::check,
    checks::position_cap::check,
    checks::strategy_exposure::check,
    checks::gross_exposure::check,
];
/// Those that need to know the market.
const OF_MARKET: [Check; 3] = [checks::market_cap::check, checks::market_loss::check, checks::group_loss::check];

/// Which resting buys have to go so that what remains fits the limits, the newest first, each with what it exceeds. Given are what
/// else is at stake and the shares of each that may still be matched; what comes out are places in `resting`.
///
/// What remains is what the gate would let through: when a limit stays exceeded, no buy that remains has a part in it.
#[must_use]
pub(crate) fn excess(
    limits: &Limits,
    fixed: &Holdings,
    resting: &[OrderIntent],
    markets: &HashMap<MarketId, Market>,
    now: Timestamp,
) -> Vec<(usize, Denial)> {
    let mut kept: Vec<usize> = (0..resting.len()).collect();
    kept.sort_by_key(|place| Reverse((resting[*place].created_at, &resting[*place].intent)));
    let mut gone = Vec::new();
    loop {
        let before = gone.len();
        for place in kept.clone() {
            let others = kept.iter().filter(|other| **other != place).map(|other| &resting[*other]);
            if let Some(denial) = refusal(limits, &with(fixed, others, markets), &resting[place], markets, now) {
                gone.push((place, denial));
                kept.retain(|other| *other != place);
            }
        }
        // One that added nothing to the worst outcome may do so once that is another.
        if gone.len() == before {
            return gone;
        }
    }
}

fn with<'a>(
    fixed: &Holdings,
    buys: impl Iterator<Item = &'a OrderIntent>,
    markets: &HashMap<MarketId, Market>,
) -> Holdings {
    let mut holdings = fixed.clone();
    for intent in buys {
        let fees = markets.get(&intent.market).map_or(FeeSchedule::DEAREST, |market| market.fee);
        holdings.add_intent(intent, fees);
    }
    holdings
}

fn refusal(
    limits: &Limits,
    holdings: &Holdings,
    intent: &OrderIntent,
    markets: &HashMap<MarketId, Market>,
    now: Timestamp,
) -> Option<Denial> {
    let market = markets.get(&intent.market);
    let group = market.and_then(|market| Group::of(market, &markets.values(), holdings));
    let view = RiskView {
        trading_state: TradingState::Active,
        epoch: intent.epoch,
        market,
        book: None,
        source_at: None,
        holdings,
        recent: &Recent::new(),
        equity: Err("nobody asks for it"),
        group: group.as_ref(),
        halted: None,
        repeats: 0,
        funds: None,
    };
    let of_market: &[Check] = if market.is_some() { &OF_MARKET } else { &[] };
    let mut results = OF_ALL.iter().chain(of_market).map(|check| check(intent, &view, limits, now));
    let failed = results.find(|result| !result.passed)?;
    Some(Denial { control: failed.control, value: failed.value.to_string(), limit: failed.limit.to_string() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::{Decimal, dec};

    use super::*;
    use crate::domain::{Control, Side, Size, Usd};
    use crate::risk::checks::bench::{buy, charging, position, sell, wide};
    use crate::risk::worst_loss;

    fn known() -> HashMap<MarketId, Market> {
        HashMap::from([(charging().market, charging())])
    }

    fn resting(token: &str, price: &str, size: &str, at: i64) -> OrderIntent {
        let intent = format!("i{at}").into();
        OrderIntent { intent, token: token.into(), created_at: Timestamp::from_secs(at), ..buy(price, size) }
    }

    fn gone(limits: &Limits, fixed: &Holdings, orders: &[OrderIntent]) -> Vec<(usize, Control)> {
        let gone = excess(limits, fixed, orders, &known(), Timestamp::from_secs(9));
        gone.into_iter().map(|(place, denial)| (place, denial.control)).collect()
    }

    #[test]
    fn the_newest_go_first_and_no_more_of_them_than_must() {
        let orders = [resting("up", "0.50", "10", 2), resting("up", "0.50", "20", 3), resting("up", "0.50", "30", 1)];
        let held = Holdings::new();
        assert_eq!(gone(&wide(), &held, &orders), []);
        let gross = |most| Limits { gross_exposure: Usd(most), ..wide() };
        assert_eq!(gone(&gross(dec!(31.05)), &held, &orders), [], "60 shares with their fees");
        assert_eq!(gone(&gross(dec!(31.04)), &held, &orders), [(1, Control::GrossExposure)]);
        assert_eq!(
            gone(&gross(dec!(20.69)), &held, &orders),
            [(1, Control::GrossExposure), (0, Control::GrossExposure)]
        );
        let words = excess(&gross(dec!(31.04)), &held, &orders, &known(), Timestamp::from_secs(9));
        assert_eq!(words[0].1.to_string(), "gross_exposure: 31.05 pUSD (limit 31.04 pUSD)");
    }

    #[test]
    fn each_limit_takes_back_only_what_has_a_part_in_it() {
        let up = resting("up", "0.50", "50", 1);
        let down = OrderIntent { strategy: "weather".into(), ..resting("down", "0.40", "40", 2) };
        let elsewhere = OrderIntent { market: "0xelse".into(), ..resting("else", "0.10", "10", 3) };
        let orders = [up, down, elsewhere];
        let mut held = Holdings::new();
        held.add_position(&position("up", "100", "0.50"));
        held.add_intent(&sell("0.60", "5"), FeeSchedule::FREE);
        for (limits, expected) in [
            (Limits { position_cap: Size(dec!(149)), ..wide() }, vec![(0, Control::PositionCap)]),
            (Limits { market_cap: Size(dec!(189)), ..wide() }, vec![(1, Control::MarketCap)]),
            (Limits { market_cap: Size(dec!(1)), ..wide() }, vec![(1, Control::MarketCap), (0, Control::MarketCap)]),
            (
                Limits { strategy_exposure: Usd(dec!(17)), ..wide() },
                vec![(2, Control::StrategyExposure), (0, Control::StrategyExposure)],
            ),
            (Limits { open_orders: 3, ..wide() }, vec![(2, Control::OpenOrders)]),
            (Limits { market_loss: Usd(dec!(1)), ..wide() }, vec![(0, Control::MarketLoss)]),
        ] {
            assert_eq!(gone(&limits, &held, &orders), expected);
        }
    }

    fn any_order() -> impl Strategy<Value = OrderIntent> {
        (any::<bool>(), any::<bool>(), 1_i64..100, 1_i64..100, 0..4_i64).prop_map(|(up, own, cents, shares, at)| {
            OrderIntent {
                strategy: if own { "momentum" } else { "weather" }.into(),
                ..resting(if up { "up" } else { "down" }, &Decimal::new(cents, 2).to_string(), &shares.to_string(), at)
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_remains_exceeds_nothing_or_has_no_part_in_it(
            up in 0_i64..150,
            down in 0_i64..150,
            orders in prop::collection::vec(any_order(), 0..7),
            limits in (20_i64..200, 20_i64..300, 5_i64..100, 5_i64..100, 5_i64..150, 1_u32..6),
        ) {
            let orders: Vec<OrderIntent> = (0..).zip(orders).map(|(index, order): (i64, _)| {
                OrderIntent { intent: format!("i{index}").into(), ..order }
            }).collect();
            let limits = Limits {
                position_cap: Size(limits.0.into()),
                market_cap: Size(limits.1.into()),
                market_loss: Usd(limits.2.into()),
                strategy_exposure: Usd(limits.3.into()),
                gross_exposure: Usd(limits.4.into()),
                open_orders: limits.5,
                ..wide()
            };
            let mut fixed = Holdings::new();
            fixed.add_position(&position("up", &up.to_string(), "0.40"));
            fixed.add_position(&position("down", &down.to_string(), "0.50"));
            fixed.add_intent(&sell("0.90", "5"), FeeSchedule::FREE);
            let gone = excess(&limits, &fixed, &orders, &known(), Timestamp::from_secs(9));
            let kept: Vec<&OrderIntent> =
                (0..orders.len()).filter(|place| !gone.iter().any(|(gone, _)| gone == place)).map(|place| &orders[place]).collect();
            prop_assert!(kept.iter().all(|order| order.side == Side::Buy) && kept.len() + gone.len() == orders.len());
            let cost = |order: &&&OrderIntent| order.cost(order.size, charging().fee).0;
            let held = Decimal::from(up) * dec!(0.4) + Decimal::from(down) * dec!(0.5);
            let bought: Decimal = kept.iter().map(|order| cost(&order)).sum();
            prop_assert!(held + bought <= limits.gross_exposure.0 || kept.is_empty(), "gross");
            for strategy in ["momentum", "weather"] {
                let own: Decimal = kept.iter().filter(|order| order.strategy.as_str() == strategy).map(|order| cost(&order)).sum();
                prop_assert!(own <= limits.strategy_exposure.0, "{}", strategy);
            }
            let mut both = Decimal::from(up + down);
            for (token, held) in [("up", up), ("down", down)] {
                let buying: Decimal = kept.iter().filter(|order| order.token.as_str() == token).map(|order| order.size.0).sum();
                prop_assert!(Decimal::from(held) + buying <= limits.position_cap.0 || buying.is_zero(), "{}", token);
                both += buying;
            }
            prop_assert!(both <= limits.market_cap.0 || kept.is_empty(), "both outcomes");
            prop_assert!(kept.len() < limits.open_orders as usize || kept.is_empty(), "orders and the sale");
            let loss = worst_loss(&charging(), &with(&fixed, kept.iter().copied(), &known()), None);
            prop_assert!(loss <= limits.market_loss || loss == worst_loss(&charging(), &fixed, None), "loss");
        }
    }
}
