use std::time::Duration;

use rust_decimal::dec;

use super::*;
use crate::domain::params::Params;
use crate::domain::{
    Control, HermesState, Instrument, Instruments, KillReport, KillState, Order, OrderIntent, OrderState, StrategyHalt,
    Usd,
};
use crate::pipeline::athena::scene::{OPENS, Scene, latch, market, params};
use crate::pipeline::athena::{Momentum, MomentumParams, Running, Selector, Shard};
use crate::risk::checks::bench;

const UP: rust_decimal::Decimal = dec!(87_008.70);

fn verdict(effects: &[Effect]) -> Result<OrderIntent, Control> {
    match effects {
        [Effect::Emit(emission)] => Ok(emission.approved.inner().clone()),
        [Effect::Deny(refusal)] => Err(refusal.denied.denial.control),
        other => panic!("one effect was expected: {other:?}"),
    }
}

#[test]
fn nothing_is_emitted_before_hermes_was_heard() {
    let mut scene = Scene::new();
    scene.engine = Engine::new(Running::<Momentum>::all(&params()), bench::limits());
    scene.list(OPENS);
    scene.books("0.49", "0.51");
    scene.warm();
    assert_eq!(scene.idle().as_deref(), Some("the kill latch is not known yet"));
    assert_eq!(verdict(&scene.tick(UP)), Err(Control::TradingState));
    scene.play(&Event::Latch(latch(1, KillState::Armed, scene.now)));
    assert_eq!(scene.idle().as_deref(), Some("Hermes has not been heard yet"));
}

#[test]
fn a_kill_by_any_way_stops_emission_at_once_and_only_an_arming_lifts_it() {
    type Kill = fn(&mut Scene);
    let killed = |at| latch(1, KillState::Killed, at);
    let ways: [Kill; 3] = [
        |scene| drop(scene.play(&Event::Latch(latch(0, KillState::Killed, scene.now)))),
        |scene| {
            let report = KillReport::idle(latch(1, KillState::Killed, scene.now));
            scene.trade_event(7, TradeEvent::Kill(report));
        },
        |scene| {
            scene.hermes.kill.latch = latch(1, KillState::Killed, scene.now);
            scene.refresh();
        },
    ];
    for kill in ways {
        let mut scene = Scene::new();
        scene.warm();
        kill(&mut scene);
        assert_eq!(scene.idle().as_deref(), Some("killed by test: because"));
        assert_eq!(verdict(&scene.tick(UP)), Err(Control::TradingState));
        scene.hermes.kill.latch = killed(scene.now);
        scene.calm(5);
        scene.play(&Event::LatchAbsent);
        assert!(scene.tick(UP).is_empty(), "nothing re-arms itself, and that was told already");
        scene.calm(5);
        scene.play(&Event::Latch(latch(2, KillState::Armed, scene.now)));
        assert_eq!(verdict(&scene.tick(dec!(87_020))).map(|intent| intent.epoch), Ok(2));
    }
}

#[test]
fn an_unreadable_latch_counts_as_killed_until_it_can_be_read() {
    let mut scene = Scene::new();
    scene.warm();
    scene.play(&Event::LatchUnreadable("field 'epoch'".into()));
    scene.refresh();
    assert_eq!(scene.engine.trading_state(scene.now), TradingState::Halted);
    scene.play(&Event::LatchAbsent);
    assert_eq!(scene.engine.trading_state(scene.now), TradingState::Active);
}

#[test]
fn while_reducing_one_purchase_is_denied_and_sales_go_on() {
    let mut scene = Scene::new();
    scene.hermes.trading_state = TradingState::Reducing;
    scene.warm();
    scene.refresh();
    assert_eq!(verdict(&scene.tick(UP)), Err(Control::TradingState));
    scene.calm(5);
    assert!(scene.tick(UP).is_empty(), "told already");
    scene.hold("up", "20");
    scene.calm(5);
    let sale = verdict(&scene.tick(dec!(86_991)));
    assert_eq!(sale.map(|intent| intent.side), Ok(crate::domain::Side::Sell));
    scene.hermes.positions.clear();
    scene.hermes.trading_state = TradingState::Active;
    scene.calm(8);
    assert!(verdict(&scene.tick(UP)).is_ok(), "the sale has expired");
    scene.hermes.trading_state = TradingState::Reducing;
    scene.calm(6);
    assert_eq!(verdict(&scene.tick(dec!(87_020))), Err(Control::TradingState), "news again");
}

fn limits(version: u64, change: impl FnOnce(&mut Limits)) -> ParamVersion {
    let mut limits = bench::limits();
    change(&mut limits);
    ParamVersion {
        strategy: RISK.into(),
        version,
        values: limits.texts(),
        changed: Vec::new(),
        by: "test".into(),
        why: "test".into(),
        at: Timestamp::from_secs(OPENS),
        command: None,
    }
}

#[test]
fn the_limits_of_hermes_count_between_two_events() {
    let mut scene = Scene::new();
    scene.warm();
    scene.trade_event(2, TradeEvent::Params(limits(2, |limits| limits.order_size = crate::domain::Size(dec!(19)))));
    assert_eq!(verdict(&scene.tick(UP)), Err(Control::OrderSize));
    let risk = limits(3, |_| {});
    scene.hermes.risk = Some(ParamsInForce { strategy: RISK.into(), version: 3, values: risk.values });
    scene.calm(5);
    assert!(verdict(&scene.tick(UP)).is_ok(), "and those of his snapshot");
    scene.calm(6);
    let older = limits(2, |limits| limits.order_size = crate::domain::Size(dec!(19)));
    scene.trade_event(3, TradeEvent::Params(older));
    assert!(verdict(&scene.tick(dec!(87_020))).is_ok(), "an older version changes nothing");
    scene.trade_event(4, TradeEvent::Params(limits(4, |limits| limits.reduce_only = true)));
    assert_eq!(scene.engine.trading_state(scene.now), TradingState::Reducing);
}

#[test]
fn limits_that_cannot_be_read_halt() {
    let mut scene = Scene::new();
    let mut risk = limits(2, |_| {});
    risk.values.remove("open_orders");
    scene.trade_event(2, TradeEvent::Params(risk));
    assert_eq!(scene.engine.trading_state(scene.now), TradingState::Halted);
    assert!(scene.idle().expect("why").contains("open_orders = (missing)"));
    scene.trade_event(3, TradeEvent::Params(limits(3, |_| {})));
    assert_eq!(scene.engine.trading_state(scene.now), TradingState::Active);
}

#[test]
fn a_silent_hermes_halts() {
    let mut scene = Scene::new();
    scene.now = scene.now.plus(Duration::from_secs(5));
    assert_eq!(scene.engine.trading_state(scene.now), TradingState::Active);
    scene.now = scene.now.plus(Duration::from_micros(1));
    assert_eq!(scene.engine.trading_state(scene.now), TradingState::Halted);
}

#[test]
fn the_same_events_give_the_same_intents() {
    let run = || {
        let mut scene = Scene::new();
        scene.warm();
        let mut intents = vec![verdict(&scene.tick(UP))];
        scene.wait(Duration::from_secs(5));
        intents.push(verdict(&scene.tick(dec!(87_020))));
        intents
    };
    let intents = run();
    assert_eq!(intents, run());
    let ids: Vec<_> = intents.iter().map(|intent| intent.as_ref().expect("approved").intent.clone()).collect();
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn what_was_emitted_counts_against_the_limits_before_hermes_has_seen_it() {
    let mut scene = Scene::new();
    let limits = Limits { position_cap: crate::domain::Size(dec!(39)), ..bench::limits() };
    scene.engine = Engine::new(Running::<Momentum>::all(&params()), limits);
    scene.list(OPENS);
    scene.refresh();
    scene.warm();
    assert!(verdict(&scene.tick(UP)).is_ok());
    scene.calm(5);
    assert_eq!(verdict(&scene.tick(UP)), Err(Control::PositionCap));
    scene.calm(5);
    assert!(verdict(&scene.tick(dec!(87_020))).is_ok(), "it never became an order and has expired");
}

#[test]
fn an_order_of_hermes_is_counted_once_and_its_end_frees_the_room() {
    let mut scene = Scene::new();
    scene.warm();
    let intent = verdict(&scene.tick(UP)).expect("approved");
    let mut order = Order::new(intent, scene.now);
    order.state = OrderState::Live;
    scene.order_event(2, order.clone());
    scene.engine.account.refresh(&scene.engine.markets, scene.now);
    assert_eq!(scene.engine.account.holdings().gross(), Usd(dec!(10.4)));
    order.state = OrderState::Cancelled;
    scene.order_event(3, order);
    scene.engine.account.refresh(&scene.engine.markets, scene.now);
    assert_eq!(scene.engine.account.holdings().gross(), Usd::ZERO);
}

#[test]
fn drawdown_beyond_the_limit_denies() {
    let mut scene = Scene::new();
    let equity = scene.hermes.equity.as_mut().expect("told");
    (equity.current, equity.peak) = (Some(Usd(dec!(-100.01))), Usd(dec!(100)));
    scene.refresh();
    scene.warm();
    assert_eq!(verdict(&scene.tick(UP)), Err(Control::DailyDrawdown));
    scene.hermes.equity.as_mut().expect("told").day_start = Usd(dec!(50));
    scene.calm(5);
    assert_eq!(verdict(&scene.tick(UP)), Err(Control::DailyLoss));
}

#[test]
fn what_hermes_does_not_know_or_forbids_denies_here_too() {
    let denied = |change: fn(&mut HermesState)| {
        let mut scene = Scene::new();
        change(&mut scene.hermes);
        scene.refresh();
        scene.warm();
        let effects = scene.tick(UP);
        let [Effect::Deny(refusal)] = &effects[..] else { panic!("{effects:?}") };
        (refusal.denied.denial.control, refusal.denied.denial.value.clone())
    };
    let frozen = |state: &mut HermesState| {
        let equity = state.equity.as_mut().expect("told");
        (equity.current, equity.unknown) = (None, Some("no price yet of token 7".into()));
    };
    assert_eq!(denied(frozen), (Control::DailyLoss, "equity is not known: no price yet of token 7".into()));
    assert_eq!(denied(|state| state.equity = None).0, Control::DailyLoss);
    assert_eq!(denied(|state| state.funds = None).0, Control::Balance);
    let halted = |state: &mut HermesState| {
        state.halted.push(StrategyHalt { strategy: "momentum".into(), why: "too often".into() });
    };
    assert_eq!(denied(halted), (Control::StrategyHalt, "too often".into()));
}

#[test]
fn a_refusal_keeps_why_it_was_wanted_and_every_check() {
    let mut scene = Scene::new();
    let equity = scene.hermes.equity.as_mut().expect("told");
    (equity.current, equity.peak) = (Some(Usd(dec!(-100.01))), Usd(dec!(100)));
    scene.refresh();
    scene.warm();
    let effects = scene.tick(UP);
    let [Effect::Deny(refusal)] = &effects[..] else { panic!("{effects:?}") };
    let failed: Vec<_> = refusal.denied.checks.iter().filter(|check| !check.passed).collect();
    assert_eq!((refusal.denied.checks.len(), failed.len()), (27, 1));
    assert!(refusal.rationale.note.to_string().starts_with("BTC/USD rose") && !refusal.rationale.inputs.is_empty());
}

#[test]
fn a_gap_in_the_data_forgets_the_books() {
    let mut scene = Scene::new();
    scene.warm();
    scene.play(&Event::Gap);
    assert!(scene.tick(UP).is_empty());
    assert_eq!(scene.idle().as_deref(), Some("no fresh book"));
}

#[test]
fn an_intent_of_an_earlier_run_is_counted() {
    let mut scene = Scene::new();
    let mut intent = bench::buy("0.50", "20");
    intent.deadline = scene.now;
    scene.play(&Event::OnItsWay(Box::new(intent)));
    scene.engine.account.refresh(&scene.engine.markets, scene.now);
    let gross = scene.engine.account.holdings().gross();
    assert_eq!(gross, Usd(dec!(10.35)), "with the dearest fee, since its market is not known");
}

#[test]
fn an_emission_is_told_in_the_report() {
    let mut scene = Scene::new();
    scene.warm();
    assert_eq!(scene.engine.report(scene.now)[0].signal_at, None);
    scene.tick(UP);
    let state = scene.engine.report(scene.now).remove(0);
    assert_eq!((state.signal_at, state.last), (Some(scene.now), Some(crate::domain::Price(UP))));
    assert_eq!(state.idle.as_deref(), Some("cooling down for 5.0 of 5.0 s"));
    scene.wait(Duration::from_secs(2));
    assert_eq!(scene.idle().as_deref(), Some("cooling down for 3.0 of 5.0 s"));
}

/// A window of a series of up/down markets.
fn window(series: usize, start: i64) -> Market {
    let mut window = market(start);
    (window.market, window.slug) =
        (format!("0x{series}-{start}").into(), format!("x{series}-updown-5m-{start}").into());
    for (index, outcome) in window.tokens.iter_mut().enumerate() {
        outcome.token = format!("{series}-{start}-{index}").into();
    }
    window
}

fn describe(engine: &mut Engine, market: Market, now: Timestamp) {
    engine.on_event(&Event::Polymarket(PolymarketData::Market(market)), now, &mut Vec::new());
}

#[test]
fn a_shard_has_room_for_the_markets_of_her_instruments_whatever_others_trade() {
    const SERIES: usize = 1_000;
    let pair = |series: usize| Instrument {
        symbol: format!("X{series}/USD").as_str().into(),
        market: format!("x{series}-updown-5m-{{start}}"),
    };
    let shard = Shard::new(1, 4).expect("a shard");
    let on = Instruments::new((0..SERIES).map(pair).collect()).expect("no two are the same");
    let mut runners = Running::<Momentum>::all(&MomentumParams { on, ..params() });
    runners.retain(|runner| shard.owns(&runner.key().1));
    let hers: Vec<usize> = (0..SERIES).filter(|series| shard.owns(&pair(*series).symbol)).collect();
    assert_eq!(runners.len(), hers.len());
    let mut engine = Engine::new(runners, bench::limits());
    // Each window is described half a minute before it begins, and everything every second.
    for start in [OPENS, OPENS + 300] {
        let now = Timestamp::from_secs(start - 30);
        (0..SERIES).for_each(|series| describe(&mut engine, window(series, start), now));
        (0..SERIES).for_each(|series| describe(&mut engine, window(series, OPENS), now));
    }
    assert_eq!((engine.lost(), engine.markets.len()), (0, 2 * hers.len()));
    for (series, start) in hers.iter().flat_map(|series| [(*series, OPENS), (*series, OPENS + 300)]) {
        let selector = Selector::new(&pair(series).market);
        let found = engine.markets.current(&selector, Timestamp::from_secs(start));
        assert_eq!(found.map(|market| &market.market), Some(&window(series, start).market));
    }
}

#[test]
fn what_others_hold_and_the_group_of_what_is_traded_are_known_too_and_nothing_else() {
    let mut scene = Scene::new();
    let known = |scene: &mut Scene, market: &Market| {
        describe(&mut scene.engine, market.clone(), scene.now);
        scene.engine.markets.market(&market.market).is_some()
    };
    let (foreign, grouped) = (window(1, OPENS), Market { group: Some("event".into()), ..window(2, OPENS) });
    assert!(!known(&mut scene, &foreign) && !known(&mut scene, &grouped));
    let held = bench::position(foreign.tokens[1].token.as_str(), "20", "0.50");
    scene.trade_event(2, TradeEvent::Position(held.clone()));
    assert!(known(&mut scene, &foreign));
    let resolved = crate::domain::Position { payout: Some(crate::domain::Price::ZERO), ..held };
    scene.trade_event(3, TradeEvent::Position(resolved));
    assert!(!known(&mut scene, &foreign), "nothing of it is at stake any more");
    let traded = Market { group: Some("event".into()), ..market(OPENS) };
    assert!(known(&mut scene, &traded) && known(&mut scene, &grouped));
    let mut results = traded;
    results.payouts = Some([crate::domain::Price::ZERO; 2]);
    assert!(!known(&mut scene, &results) && !known(&mut scene, &grouped), "its group is nobody's any more");
    assert_eq!(scene.engine.lost(), 0);
}

#[test]
fn what_an_order_may_cost_in_fees_follows_from_what_is_known_of_its_market() {
    let mut scene = Scene::new();
    let intent = OrderIntent { market: market(OPENS).market, ..bench::buy("0.50", "20") };
    scene.engine = Engine::new(Running::<Momentum>::all(&params()), bench::limits());
    scene.play(&Event::OnItsWay(Box::new(intent)));
    let gross = |scene: &Scene| scene.engine.account.holdings().gross();
    assert_eq!(gross(&scene), Usd(dec!(10.35)));
    describe(&mut scene.engine, market(OPENS), scene.now);
    assert_eq!(gross(&scene), Usd(dec!(10)));
}
