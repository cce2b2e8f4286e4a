use std::time::Duration;

use rust_decimal::{Decimal, dec};

use super::*;
use crate::domain::{Control, Market, OrderIntent, PolymarketData, Price, Side, TickKind, TradingState};
use crate::pipeline::athena::Gap;
use crate::pipeline::athena::scene::{OPENS, Scene, market, params, trade};
use crate::pipeline::athena::{Effect, Engine, Running};
use crate::risk::checks::bench;

const UP: Decimal = dec!(87_008.70);
const DOWN: Decimal = dec!(86_991.30);

fn emitted(effects: &[Effect]) -> Vec<OrderIntent> {
    let intent = |effect: &Effect| match effect {
        Effect::Emit(emission) => Some(emission.approved.inner().clone()),
        Effect::Deny(_) | Effect::Skip(_) => None,
    };
    effects.iter().filter_map(intent).collect()
}

fn only(effects: &[Effect]) -> OrderIntent {
    let intents = emitted(effects);
    assert_eq!((effects.len(), intents.len()), (1, 1), "{effects:?}");
    intents.into_iter().next().expect("one")
}

#[test]
fn a_rise_buys_up_and_a_fall_buys_down_at_the_ask_and_slippage() {
    for (price, token) in [(UP, "up"), (DOWN, "down")] {
        let mut scene = Scene::new();
        assert!(scene.warm().is_empty());
        let intent = only(&scene.tick(price));
        assert_eq!(intent.token.as_str(), format!("{token}-{OPENS}"));
        assert_eq!((intent.side, intent.price, intent.size), (Side::Buy, Price(dec!(0.52)), Size(dec!(20))));
        assert_eq!(intent.deadline, scene.now.plus(Duration::from_secs(2)));
    }
}

#[test]
fn less_than_the_threshold_is_no_signal() {
    let mut scene = Scene::new();
    scene.warm();
    assert!(scene.tick(dec!(87_008.69)).is_empty());
    assert_eq!(scene.idle(), None, "it could trade, the market just does not move");
}

#[test]
fn the_rationale_holds_every_input_and_one_sentence() {
    let mut scene = Scene::new();
    scene.warm();
    let effects = scene.tick(UP);
    let [Effect::Emit(emission)] = &effects[..] else { panic!("{effects:?}") };
    let why = &emission.rationale;
    assert_eq!((why.first, why.last), (Price(dec!(87_000)), Price(UP)));
    assert_eq!((why.change, why.threshold), (dec!(0.0001), dec!(0.0001)));
    assert_eq!(why.crossing(), ("change", "0.01 % (threshold 0.01 %)".to_owned()));
    assert_eq!((why.window_ms, why.window_ticks, why.reference), (15_000, 13, Price(dec!(0.51))));
    assert_eq!(
        why.note,
        "BTC/USD rose 0.01 % in 15 s (threshold 0.01 %): buy 20 Up at 0.52 or better, asked 0.51, worth 0.5885, edge 0.0685"
    );
    assert_eq!((why.fair, why.edge), (Some(Price(dec!(0.5885))), Some(Price(dec!(0.0685)))));
}

#[test]
fn shares_of_the_other_outcome_are_sold_before_anything_is_bought() {
    for (held, sold) in [("20", "20"), ("50", "20"), ("23", "23"), ("12.345", "12.34")] {
        let mut scene = Scene::new();
        scene.hold("down", held);
        scene.warm();
        let intent = only(&scene.tick(UP));
        assert_eq!((intent.side, intent.token.as_str()), (Side::Sell, format!("down-{OPENS}").as_str()));
        assert_eq!((intent.size.to_string().as_str(), intent.price), (sold, Price(dec!(0.48))), "of {held}");
    }
    let mut scene = Scene::new();
    scene.hold("down", "4.99");
    scene.warm();
    assert_eq!(only(&scene.tick(UP)).side, Side::Buy, "what is too small to be sold does not stand in the way");
}

#[test]
fn it_cools_down_between_wishes_also_when_they_are_denied() {
    let mut scene = Scene::new();
    scene.hermes.equity.as_mut().expect("told").peak = crate::domain::Usd(dec!(1000));
    scene.refresh();
    scene.warm();
    let denied = |effects: &[Effect]| matches!(effects, [Effect::Deny(refusal)] if refusal.denied.denial.control == Control::DailyDrawdown);
    assert!(denied(&scene.tick(UP)));
    for _ in 0..4 {
        scene.wait(Duration::from_secs(1));
        assert!(scene.tick(UP).is_empty());
    }
    scene.wait(Duration::from_secs(1));
    assert!(denied(&scene.tick(UP)));
}

#[test]
fn near_the_close_nothing_is_bought_but_shares_are_still_sold() {
    let close = Timestamp::from_secs(OPENS + 300);
    for (before, bought) in [(Duration::from_secs(20), 1), (Duration::from_micros(19_999_999), 0)] {
        let mut scene = Scene::new();
        scene.now = close.minus(before);
        scene.refresh();
        scene.warm();
        assert_eq!(scene.tick(UP).len(), bought, "{before:?} before the close");
    }
    let mut scene = Scene::new();
    scene.now = close.minus(Duration::from_secs(3));
    scene.hold("down", "20");
    scene.warm();
    assert_eq!(scene.idle().as_deref(), Some("the market closes in 3 s (no purchase below 20)"));
    assert_eq!(only(&scene.tick(UP)).side, Side::Sell);
}

#[test]
fn prices_come_from_fresh_two_sided_books_only() {
    let mut scene = Scene::new();
    scene.warm();
    scene.now = scene.now.plus(Duration::from_micros(3_000_001));
    assert_eq!(scene.idle().as_deref(), Some("no fresh book"));
    assert!(scene.tick(UP).is_empty());
    scene.refresh();
    assert_eq!(scene.tick(dec!(87_009)).len(), 1, "having been idle starts no cool-down");
}

#[test]
fn limit_prices_stay_on_the_grid_and_inside_zero_and_one() {
    for (bid, ask, price) in [("0.97", "0.99", "0.99"), ("0.49", "0.505", "0.51"), ("0.001", "0.004", "0.01")] {
        let mut scene = Scene::new();
        scene.books(bid, ask);
        scene.warm();
        assert_eq!(only(&scene.tick(UP)).price.to_string(), price, "asked {ask}");
    }
    let mut scene = Scene::new();
    scene.hold("down", "20");
    scene.books("0.01", "0.02");
    scene.warm();
    assert_eq!(only(&scene.tick(UP)).price, Price(dec!(0.01)));
}

#[test]
fn a_market_that_takes_no_orders_or_wants_larger_ones_is_left_alone() {
    type Spoil = fn(&mut Market);
    let cases: [(Spoil, &str); 2] = [
        (|market| market.accepting_orders = false, "the market takes no orders"),
        (|market| market.min_size = Size(dec!(21)), "size 20 is below the market's minimum 21"),
    ];
    for (spoil, why) in cases {
        let mut scene = Scene::new();
        let mut changed = market(OPENS);
        spoil(&mut changed);
        scene.play(&Event::Polymarket(PolymarketData::Market(changed)));
        scene.warm();
        assert!(scene.tick(UP).is_empty());
        assert_eq!(scene.idle().as_deref(), Some(why));
    }
}

#[test]
fn a_move_from_before_the_roll_is_no_signal_after_it() {
    let mut scene = Scene::new();
    scene.list(OPENS + 300);
    scene.now = Timestamp::from_secs(OPENS + 299);
    scene.refresh();
    scene.warm();
    scene.start = OPENS + 300;
    scene.now = Timestamp::from_secs(OPENS + 301);
    scene.refresh();
    assert!(scene.tick(UP).is_empty(), "the rise began in the market before");
    let state = scene.engine.report(scene.now).remove(0);
    assert_eq!(state.slug.expect("rolled").as_str(), format!("btc-updown-5m-{}", OPENS + 300));
    assert_eq!((state.window_ticks, state.idle.as_deref()), (1, Some("window is warming up: 1 of 10 ticks")));
    for _ in 0..12 {
        scene.wait(Duration::from_secs(1));
        assert!(scene.tick(UP).is_empty());
    }
    assert_eq!(only(&scene.tick(dec!(87_017.41))).market.as_str(), format!("0x{}", OPENS + 300));
}

#[test]
fn quotes_other_pairs_and_ticks_from_the_future_are_ignored() {
    let mut scene = Scene::new();
    scene.warm();
    let mut other = trade(100, UP, scene.now);
    other.symbol = crate::domain::Symbol::new("ETH/USD");
    let mut future = trade(100, UP, scene.now);
    future.event_at = scene.now.plus(Duration::from_secs(6));
    let mut quote = trade(100, UP, scene.now);
    let (price, qty) = (Price(UP), Size(dec!(1)));
    quote.kind = TickKind::Quote { bid: price, bid_qty: qty, ask: price, ask_qty: qty, last: price };
    for tick in [other, future, quote] {
        assert!(scene.play(&Event::Tick(tick)).is_empty());
    }
    assert_eq!(scene.tick(UP).len(), 1);
}

#[test]
fn a_kept_window_goes_on_where_it_was() {
    let mut scene = Scene::new();
    scene.warm();
    let (key, saved) = scene.engine.save(false).remove(0);
    let (saved, chunks) = saved().expect("serialises");
    assert!(scene.engine.save(false).is_empty(), "nothing has changed since");
    assert_eq!(chunks, [], "no chunk is full yet");
    let text = serde_json::to_string(&saved).expect("serialises");
    let revive = |params: MomentumParams| {
        let mut runner = Running::<Momentum>::all(&params).remove(0);
        runner.restore(&saved, &[], scene.now).map(|()| {
            let (kept, _) = runner.save(false)().expect("serialises");
            serde_json::to_string(&kept).expect("serialises")
        })
    };
    assert_eq!(key.0.as_str(), "momentum");
    assert_eq!(revive(params()), Ok(text.clone()));
    let longer = MomentumParams { window: Duration::from_secs(30), ..params() };
    assert_eq!(revive(longer), Ok(text), "a window changed since keeps what it can");
}

#[test]
fn what_was_not_seen_must_be_seen_again_before_it_trades() {
    let mut scene = Scene::new();
    scene.warm();
    let gap = Gap { from: scene.now.minus(Duration::from_secs(10)), to: scene.now.minus(Duration::from_secs(1)) };
    scene.engine.note_gap(crate::pipeline::athena::Feed::Crypto, gap);
    assert_eq!(scene.tick(UP).len(), 0);
    assert_eq!(scene.idle().as_deref(), Some("window is warming up: 3.0 of 7.5 s seen"));
    scene.calm(9);
    assert_eq!(only(&scene.tick(UP)).price, Price(dec!(0.52)));
}

fn with(change: impl FnOnce(&mut MomentumParams)) -> Scene {
    let mut changed = params();
    change(&mut changed);
    let mut scene = Scene::new();
    scene.engine = Engine::new(Running::<Momentum>::all(&changed), bench::limits());
    scene.list(OPENS);
    scene.refresh();
    scene.warm();
    scene
}

#[test]
fn it_does_not_buy_at_any_price() {
    let mut scene = with(|params| params.min_edge = dec!(0.0685));
    assert_eq!(only(&scene.tick(UP)).price, Price(dec!(0.52)), "worth 0.5885");
    assert!(with(|params| params.min_edge = dec!(0.0686)).tick(UP).is_empty());
    assert!(with(|params| (params.persistence, params.min_edge) = (dec!(0), dec!(0))).tick(UP).is_empty());
    let mut costly = with(|params| params.min_edge = dec!(0.0685));
    let mut taxed = market(OPENS);
    taxed.fee = crate::domain::FeeSchedule { rate: dec!(0.07), exponent: 1 };
    costly.play(&Event::Polymarket(PolymarketData::Market(taxed)));
    assert!(costly.tick(UP).is_empty(), "the fee counts");
}

#[test]
fn it_does_not_sell_at_any_price_either() {
    let holding = |change: fn(&mut MomentumParams), fee: Decimal| {
        let mut scene = with(change);
        let mut taxed = market(OPENS);
        taxed.fee = crate::domain::FeeSchedule { rate: fee, exponent: 1 };
        scene.play(&Event::Polymarket(PolymarketData::Market(taxed)));
        scene.hold("down", "20");
        let effects = scene.tick(UP);
        (emitted(&effects), std::mem::take(&mut scene.skips), effects)
    };
    let (sold, skips, effects) = holding(|params| params.min_edge = dec!(0.0685), Decimal::ZERO);
    assert_eq!((sold[0].side, sold[0].price, skips.len()), (Side::Sell, Price(dec!(0.48)), 0));
    let [Effect::Emit(emission)] = &effects[..] else { panic!("{effects:?}") };
    let why = &emission.rationale;
    assert!(
        why.note.to_string().ends_with("sell 20 Down at 0.48 or better, bid 0.49, worth 0.4115, edge 0.0685"),
        "{}",
        why.note
    );
    assert_eq!((why.fair, why.edge), (Some(Price(dec!(0.4115))), Some(Price(dec!(0.0685)))));

    let (sold, skips, _) = holding(|params| params.min_edge = dec!(0.0686), Decimal::ZERO);
    assert!(sold.is_empty(), "nor is the rising side bought on top of it: {sold:?}");
    let [skip] = &skips[..] else { panic!("{skips:?}") };
    assert_eq!(
        (skip.reason.as_str(), skip.note.as_str()),
        ("no_edge_to_sell", "edge 0.0685 of a sale is below 0.0686")
    );
    assert_eq!(input(skip, "fair Down"), "0.4115");
    assert_eq!(input(skip, "to sell Down"), "20 shares");
    assert_eq!(input(skip, "edge Down"), "0.0685 at 0.48 after fee (at least 0.0686)");

    let fee = dec!(0.07);
    // 0.07 * 0.48 * 0.52 a share.
    assert_eq!(holding(|params| params.min_edge = dec!(0.051), fee).0.len(), 1);
    assert!(holding(|params| params.min_edge = dec!(0.0511), fee).0.is_empty(), "the fee counts");
    assert!(holding(|params| (params.persistence, params.min_edge) = (dec!(0), dec!(0)), Decimal::ZERO).0.is_empty());
}

#[test]
fn without_a_fair_value_nothing_is_sold() {
    let mut scene = with(|_| ());
    scene.hold("down", "20");
    let mut book = bench::book(&format!("down-{OPENS}"), "0.49", "0.51", scene.now);
    book.market = format!("0x{OPENS}").into();
    book.asks.clear();
    scene.play(&Event::Polymarket(PolymarketData::Book(book)));
    assert!(scene.tick(UP).is_empty());
    assert_eq!(scene.skips[0].reason, "no_fair_value");
}

#[test]
fn a_thin_window_is_no_ground_for_a_signal() {
    assert!(with(|params| params.min_volume = Size(dec!(1.31))).tick(UP).is_empty());
    assert_eq!(with(|params| params.min_volume = Size(dec!(1.3))).tick(UP).len(), 1, "13 trades of 0.1");
}

#[test]
fn with_hysteresis_a_direction_signals_again_only_after_the_move_came_back() {
    let mut scene = with(|params| params.hysteresis = dec!(0.5));
    assert_eq!(scene.tick(UP).len(), 1);
    for _ in 0..6 {
        scene.wait(Duration::from_secs(1));
        assert!(scene.tick(UP).is_empty());
    }
    assert_eq!(scene.idle().as_deref(), Some("waits for the rise to come back below 0.005 %"));
    scene.wait(Duration::from_secs(1));
    assert!(scene.tick(dec!(87_004.35)).is_empty(), "half of the threshold is not below half of it");
    assert!(scene.tick(UP).is_empty());
    assert!(scene.tick(dec!(87_004.34)).is_empty());
    assert_eq!(scene.tick(dec!(87_009)).len(), 1);
}

fn changed_to(scene: &mut Scene, pairs: &[(&str, &str)]) {
    let mut values = scene.engine.params().remove(0).values;
    values.extend(pairs.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())));
    let version = crate::domain::ParamVersion {
        strategy: "momentum".into(),
        version: 7,
        values,
        changed: Vec::new(),
        by: "test".into(),
        why: "test".into(),
        at: scene.now,
        command: None,
    };
    scene.engine.set_params(&version).expect("they fit");
}

#[test]
fn a_changed_threshold_holds_for_the_next_event_and_is_named_by_it() {
    let mut scene = with(|params| params.threshold = dec!(0.01));
    assert!(scene.tick(UP).is_empty());
    changed_to(&mut scene, &[("threshold", "0.0001")]);
    let effects = scene.tick(UP);
    let [Effect::Emit(emission)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((emission.rationale.params, emission.rationale.threshold), (7, dec!(0.0001)));
    assert_eq!(scene.engine.params()[0].version, 7);
}

#[test]
fn a_changed_window_keeps_the_ticks_that_it_can() {
    let mut scene = with(|_| ());
    let ticks = |scene: &Scene| scene.engine.report(scene.now)[0].window_ticks;
    assert_eq!(ticks(&scene), 12);
    changed_to(&mut scene, &[("window_s", "60")]);
    assert_eq!((ticks(&scene), scene.idle().as_deref()), (12, Some("window is warming up: 11.0 of 30.0 s seen")));
    changed_to(&mut scene, &[("window_s", "5"), ("min_ticks", "3")]);
    assert_eq!((ticks(&scene), scene.idle()), (6, None));
    assert_eq!(only(&scene.tick(UP)).side, Side::Buy);
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let mut scene = with(|_| ());
    let before = scene.engine.params();
    let mut version = crate::domain::ParamVersion {
        strategy: "momentum".into(),
        version: 2,
        values: before[0].values.clone(),
        changed: Vec::new(),
        by: "test".into(),
        why: "test".into(),
        at: scene.now,
        command: None,
    };
    version.values.insert("size".into(), "1".into());
    version.values.insert("window_s".into(), "0".into());
    assert_eq!(scene.engine.set_params(&version).map_err(|problems| problems.len()), Err(1));
    assert_eq!(scene.engine.params(), before);
}

fn input(skip: &crate::domain::Skip, name: &str) -> String {
    skip.inputs.iter().find(|figure| figure.name == name).map(|figure| figure.value.to_string()).unwrap_or_default()
}

#[test]
fn a_crossing_that_is_skipped_says_why_with_its_figures_once() {
    let mut scene = with(|params| params.min_edge = dec!(0.0686));
    assert!(scene.tick(UP).is_empty());
    let [skip] = &scene.skips[..] else { panic!("{:?}", scene.skips) };
    assert_eq!((skip.reason.as_str(), skip.note.as_str()), ("no_edge", "edge 0.0685 is below 0.0686"));
    assert_eq!(input(skip, "fair Up"), "0.5885");
    assert_eq!(input(skip, "change"), "0.01 % (threshold 0.01 %)");
    assert_eq!(input(skip, "edge Up"), "0.0685 at 0.52 after fee (at least 0.0686)");
    assert_eq!(input(skip, "book Up"), "bid 0.49, ask 0.51, 0 ms old (at most 3000)");
    assert_eq!((skip.at, skip.received_at), (scene.now, scene.now));
    for _ in 0..9 {
        scene.tick(UP);
    }
    assert_eq!((scene.skips.len(), scene.engine.skips()), (1, 10), "the same reason is counted, not told");
    let id = scene.skips[0].id.clone();
    let mut again = with(|params| params.min_edge = dec!(0.0686));
    again.tick(UP);
    assert_eq!(again.skips[0].id, id, "the same cause gives the same id");
}

#[test]
fn each_obstacle_has_a_word_of_its_own() {
    type Spoil = fn(&mut Scene);
    let cases: [(&str, Spoil); 5] = [
        ("no_fresh_book", |scene| scene.now = scene.now.plus(Duration::from_micros(3_000_001))),
        ("not_accepting", |scene| {
            let market = Market { accepting_orders: false, ..market(OPENS) };
            scene.play(&Event::Polymarket(PolymarketData::Market(market)));
        }),
        ("closing", |scene| {
            let market = Market { closes_at: Some(scene.now.plus(Duration::from_secs(19))), ..market(OPENS) };
            scene.play(&Event::Polymarket(PolymarketData::Market(market)));
        }),
        ("too_small", |scene| changed_to(scene, &[("size", "1")])),
        ("thin", |scene| changed_to(scene, &[("min_volume", "50")])),
    ];
    for (reason, spoil) in cases {
        let mut scene = with(|_| ());
        spoil(&mut scene);
        assert!(scene.tick(UP).is_empty());
        let told: Vec<_> = scene.skips.iter().map(|skip| skip.reason.as_str()).collect();
        assert_eq!(told, [reason]);
    }
}

#[test]
fn while_halted_no_skip_is_told_and_afterwards_the_count_is() {
    let mut scene = with(|params| params.min_edge = dec!(1));
    scene.hermes.trading_state = TradingState::Halted;
    scene.refresh();
    assert!(scene.tick(UP).is_empty());
    assert!(scene.skips.is_empty());
    scene.hermes.trading_state = TradingState::Active;
    scene.wait(Duration::from_secs(1));
    scene.tick(UP);
    assert_eq!(scene.skips.iter().map(|skip| skip.untold).collect::<Vec<_>>(), [1]);
}

mod tape;

#[test]
fn an_intent_that_is_derived_again_does_not_stand_in_its_own_way() {
    let tight = || {
        let mut scene = Scene::new();
        let limits = crate::risk::Limits { position_cap: Size(dec!(20)), ..bench::limits() };
        scene.engine = Engine::new(Running::<Momentum>::all(&params()), limits);
        scene.list(scene.start);
        scene.refresh();
        scene.warm();
        scene
    };
    let first = only(&tight().tick(UP));
    assert_eq!(first.size, Size(dec!(20)));
    let mut again = tight();
    again.play(&Event::OnItsWay(Box::new(first.clone())));
    assert_eq!(only(&again.tick(UP)).intent, first.intent, "on the stream already, and alive at Hermes perhaps");
    let mut order = crate::domain::Order::new(first.clone(), again.now);
    order.state = crate::domain::OrderState::Live;
    let mut known = tight();
    known.order_event(2, order);
    assert_eq!(only(&known.tick(UP)).intent, first.intent);
}

#[test]
fn a_signal_that_the_kept_state_does_not_know_cools_down_although_its_tick_does_not_come_again() {
    let mut before = Scene::new();
    before.warm();
    let first = only(&before.tick(UP));
    for (described_first, hysteresis) in [(true, dec!(0)), (false, dec!(0)), (true, dec!(0.5)), (false, dec!(0.5))] {
        let mut again = Scene::new();
        let params = MomentumParams { hysteresis, ..params() };
        again.engine = Engine::new(Running::<Momentum>::all(&params), bench::limits());
        if described_first {
            again.list(OPENS);
        }
        again.refresh();
        again.warm();
        again.play(&Event::OnItsWay(Box::new(first.clone())));
        again.list(OPENS);
        again.wait(Duration::from_millis(1_500));
        assert!(emitted(&again.tick(UP)).is_empty());
        assert!(again.idle().expect("it waits").starts_with("cooling down for "), "{:?}", again.idle());
        again.wait(params.cooldown);
        assert_eq!(emitted(&again.tick(UP)).len(), usize::from(hysteresis.is_zero()), "with hysteresis it is spent");
        again.calm(16);
        only(&again.tick(UP));
    }
}

#[test]
fn a_signal_of_an_earlier_window_begins_no_cool_down_in_the_next() {
    let mut scene = Scene::new();
    let mut old = bench::buy("0.50", "20");
    (old.market, old.slug) = (market(OPENS - 300).market, market(OPENS - 300).slug);
    (old.token, old.tick_received_at) = (market(OPENS - 300).tokens[0].token.clone(), scene.now);
    scene.list(OPENS - 300);
    scene.list(OPENS);
    scene.warm();
    scene.play(&Event::OnItsWay(Box::new(old)));
    only(&scene.tick(UP));
}
