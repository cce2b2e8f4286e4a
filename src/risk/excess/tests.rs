use proptest::prelude::*;
use rust_decimal::{Decimal, dec};

use super::*;
use crate::domain::{Control, Position, Side, Size, Usd};
use crate::risk::checks::bench::{buy, charging, position, sell, wide};
use crate::risk::worst_loss;

fn known() -> HashMap<MarketId, Market> {
    HashMap::from([(charging().market, charging())])
}

fn resting(token: &str, price: &str, size: &str, at: i64) -> OrderIntent {
    let intent = format!("i{at}").into();
    OrderIntent { intent, token: token.into(), created_at: Timestamp::from_secs(at), ..buy(price, size) }
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

fn gone(limits: &Limits, fixed: &Holdings, orders: &[OrderIntent]) -> Vec<(usize, Control)> {
    let gone = excess(limits, at_stake(fixed, orders, &known()), Timestamp::from_secs(9));
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
    assert_eq!(gone(&gross(dec!(20.69)), &held, &orders), [(1, Control::GrossExposure), (0, Control::GrossExposure)]);
    let words = excess(&gross(dec!(31.04)), at_stake(&held, &orders, &known()), Timestamp::from_secs(9));
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
        let gone = excess(&limits, at_stake(&fixed, &orders, &known()), Timestamp::from_secs(9));
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

fn at_stake<'a>(fixed: &'a Holdings, buys: &'a [OrderIntent], markets: &'a HashMap<MarketId, Market>) -> Resting<'a> {
    Resting { fixed, buys, markets, losses: None }
}

#[test]
fn what_nobody_may_buy_any_more_goes_whatever_room_there_is() {
    let elsewhere = OrderIntent { market: "0xelse".into(), ..resting("else", "0.10", "10", 3) };
    let orders = [resting("up", "0.50", "50", 1), elsewhere];
    let told = |limits: &Limits, loss: Option<i64>| -> Vec<(usize, String)> {
        let held = Holdings::new();
        let losses = loss.map(|loss| Equity { current: Usd(Decimal::from(-loss)), ..Equity::default() });
        let markets = known();
        let gone = excess(limits, Resting { losses, ..at_stake(&held, &orders, &markets) }, Timestamp::from_secs(9));
        gone.into_iter().map(|(place, denial)| (place, denial.to_string())).collect()
    };
    let list = |markets: &[&str]| Limits { markets: markets.iter().map(|&one| one.to_owned()).collect(), ..wide() };
    assert_eq!(told(&list(&["btc-updown-5m-{start}"]), None), []);
    let off = "allow_list: btc-updown-5m-1795348800 (limit one of eth-updown-5m-{start}, quiet)";
    let narrowed = told(&list(&["eth-updown-5m-{start}", "quiet"]), None);
    assert_eq!(narrowed, [(0, off.to_owned())], "of a market that nobody has described nothing can be said yet");
    let set = "trading_state: reducing: the limit reduce_only is set (limit active, or a sale of shares held)";
    let all = |words: &str| vec![(1, words.to_owned()), (0, words.to_owned())];
    assert_eq!(told(&Limits { reduce_only: true, ..wide() }, None), all(set));
    let lost =
        "trading_state: reducing: daily_loss: 151 pUSD (limit 150 pUSD) (limit active, or a sale of shares held)";
    let limits = Limits { daily_loss: Usd(dec!(150)), ..wide() };
    assert_eq!((told(&limits, Some(150)), told(&limits, Some(151))), (vec![], all(lost)));
}

/// The same without any order of questions: all that remain are gone through, each against all others counted anew, until none is refused.
fn one_by_one(limits: &Limits, resting: Resting<'_>, now: Timestamp) -> Vec<(usize, Denial)> {
    let orders = resting.buys;
    let mut kept: Vec<usize> = (0..orders.len()).collect();
    kept.sort_by_key(|place| Reverse((orders[*place].created_at, &orders[*place].intent)));
    let mut gone = Vec::new();
    loop {
        let before = gone.len();
        for place in kept.clone() {
            let others = kept.iter().filter(|other| **other != place).map(|other| &orders[*other]);
            let holdings = with(resting.fixed, others, resting.markets);
            let market = resting.markets.get(&orders[place].market);
            let group = market.and_then(|market| Group::of(market, &resting.markets.values(), &holdings));
            let asked = (&orders[place], market, group.as_ref());
            if let Some(denial) = refusal(limits, resting, &holdings, asked, now) {
                gone.push((place, denial));
                kept.retain(|other| *other != place);
            }
        }
        if gone.len() == before {
            return gone;
        }
    }
}

/// One market by itself, three of one event, and one that is not known.
const MARKETS: [&str; 5] = ["0xmarket", "0xa", "0xb", "0xc", "0xunknown"];

fn token_of(market: usize, no: bool) -> String {
    match (market, no) {
        (0, false) => "up".to_owned(),
        (0, true) => "down".to_owned(),
        _ => format!("{}-{}", MARKETS[market], if no { "no" } else { "yes" }),
    }
}

fn several() -> HashMap<MarketId, Market> {
    let mut markets = known();
    for (index, name) in MARKETS.iter().enumerate().take(4).skip(1) {
        let mut market = Market { market: (*name).into(), group: Some("event".into()), ..charging() };
        for (no, outcome) in [false, true].into_iter().zip(&mut market.tokens) {
            outcome.token = token_of(index, no).into();
        }
        markets.insert(market.market.clone(), market);
    }
    markets
}

fn anywhere() -> impl Strategy<Value = OrderIntent> {
    let price = prop_oneof![1_i64..100, Just(99_i64), Just(50_i64)];
    (0..MARKETS.len(), any::<bool>(), any::<bool>(), price, 1_i64..40, 0..4_i64).prop_map(
        |(market, no, own, cents, shares, at)| OrderIntent {
            strategy: if own { "momentum" } else { "weather" }.into(),
            market: MARKETS[market].into(),
            ..resting(&token_of(market, no), &Decimal::new(cents, 2).to_string(), &shares.to_string(), at)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn whoever_asks_about_each_against_all_others_anew_gets_the_same_answer(
        held in prop::collection::vec((0..4_usize, any::<bool>(), 0_i64..60), 0..4),
        orders in prop::collection::vec(anywhere(), 0..14),
        limits in (30_i64..300, 5_i64..60, 5_i64..80, 20_i64..200, 20_i64..250, 2_u32..14),
        listed in prop::bool::weighted(0.9),
    ) {
        let orders: Vec<OrderIntent> = (0..).zip(orders).map(|(index, order): (i64, _)| {
            OrderIntent { intent: format!("i{index}").into(), ..order }
        }).collect();
        let limits = Limits {
            position_cap: Size(limits.0.into()),
            market_cap: Size(limits.0.into()),
            market_loss: Usd(limits.1.into()),
            group_loss: Usd(limits.2.into()),
            strategy_exposure: Usd(limits.3.into()),
            gross_exposure: Usd(limits.4.into()),
            open_orders: limits.5,
            markets: vec![if listed { "btc-updown-5m-{start}" } else { "quiet" }.to_owned()],
            ..wide()
        };
        let mut fixed = Holdings::new();
        for (market, no, shares) in held {
            let position = position(&token_of(market, no), &shares.to_string(), "0.40");
            fixed.add_position(&Position { market: MARKETS[market].into(), ..position });
        }
        let markets = several();
        let (resting, now) = (at_stake(&fixed, &orders, &markets), Timestamp::from_secs(9));
        prop_assert_eq!(excess(&limits, resting, now), one_by_one(&limits, resting, now));
    }
}

#[test]
fn orders_on_both_sides_of_a_market_take_about_a_question_each() {
    // Each that goes makes the other outcome the worst, so that those that passed before have to be asked about again.
    let ups = (0..2_000).map(|at| resting("up", "0.50", "10", 9_000 - at));
    let orders: Vec<OrderIntent> =
        ups.chain((0..2_000).map(|at| resting("down", "0.50", "10.003", 5_000 - at))).collect();
    let (fixed, markets) = (Holdings::new(), known());
    let limits = Limits { market_loss: Usd(dec!(100)), ..wide() };
    let resting = at_stake(&fixed, &orders, &markets);
    let mut asked = 0_usize;
    let gone = swept(resting, |holdings, place| {
        asked += 1;
        let (intent, market) = (&orders[place], markets.get(&orders[place].market));
        refusal(&limits, resting, holdings, (intent, market, None), Timestamp::from_secs(9))
    });
    assert!(
        gone.len() > 3_900 && asked < 3 * orders.len(),
        "{} of {} gone, {asked} questions",
        gone.len(),
        orders.len()
    );
}
