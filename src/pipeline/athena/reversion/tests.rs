use rust_decimal::Decimal;

use super::*;
use crate::domain::params::assert_declared;
use crate::domain::{OrderIntent, Price, Side};
use crate::pipeline::athena::scene::{OPENS, Scene};
use crate::pipeline::athena::{Effect, Engine, Running};
use crate::risk::checks::bench;

fn with(change: impl FnOnce(&mut ReversionParams)) -> Scene {
    let mut params = ReversionParams {
        window: Duration::from_secs(15),
        min_ticks: 10,
        min_volume: Size::ZERO,
        min_edge: dec!(-1),
        ..Reversion::defaults()
    };
    change(&mut params);
    let mut scene = Scene::new();
    scene.engine = Engine::new(Running::<Reversion>::all(&params), bench::limits());
    scene.list(OPENS);
    scene.refresh();
    scene
}

/// Twelve seconds of noise of one part in ten thousand a second, which ends where it began.
fn restless(scene: &mut Scene) {
    let end = scene.now;
    for second in (1..=12_u32).rev() {
        scene.now = end.minus(Duration::from_secs(second.into()));
        let price = if second % 2 == 0 { dec!(87_000) } else { dec!(87_008.7) };
        assert!(scene.tick(price).is_empty());
    }
    scene.now = end;
}

fn emitted(effects: &[Effect]) -> Option<OrderIntent> {
    effects.iter().find_map(|effect| match effect {
        Effect::Emit(emission) => Some(emission.approved.inner().clone()),
        Effect::Deny(_) | Effect::Skip(_) => None,
    })
}

#[test]
fn its_parameters_are_declared() {
    assert_declared(&Reversion::defaults());
}

#[test]
fn a_stretched_price_buys_the_side_that_it_left() {
    for (price, token) in [(dec!(87_200), "down"), (dec!(86_800), "up")] {
        let mut scene = with(|_| ());
        restless(&mut scene);
        // The jump is part of the volatility: one jump out of a calm is at most one deviation by itself.
        assert!(scene.tick(price).is_empty(), "a single jump is its own volatility");
        let mut scene = with(|params| params.deviations = dec!(0.9));
        restless(&mut scene);
        let intent = emitted(&scene.tick(price)).expect("stretched");
        assert_eq!((intent.side, intent.token.as_str()), (Side::Buy, format!("{token}-{OPENS}").as_str()));
        assert_eq!(intent.price, Price(dec!(0.52)));
        assert_eq!(intent.strategy.as_str(), "reversion");
    }
}

/// A steady climb: every second a step, so that the move is many times what its steps explain.
fn climb(scene: &mut Scene, step: Decimal) -> Vec<Effect> {
    let end = scene.now;
    let mut effects = Vec::new();
    for second in (0..=12_u32).rev() {
        scene.now = end.minus(Duration::from_secs(second.into()));
        effects.extend(scene.tick(dec!(87_000) + step * Decimal::from(12 - second)));
    }
    effects
}

#[test]
fn a_run_of_one_sided_steps_is_stretched_and_told_so() {
    let mut scene = with(|params| params.cooldown = Duration::from_mins(1));
    let effects = climb(&mut scene, dec!(4));
    let [Effect::Emit(emission)] = &effects[..] else { panic!("one within the cool-down: {effects:?}") };
    let why = &emission.rationale;
    assert!(
        why.note
            .to_string()
            .starts_with("BTC/USD rose 0.0414 % in 15 s, 3 deviations (at least 2): buy 20 Down at 0.52"),
        "{}",
        why.note
    );
    let stretch = why.inputs.iter().find(|figure| figure.name == "stretch").expect("named");
    assert_eq!(stretch.value, "3.0006 deviations (at least 2), 0.0414 %");
    assert!(why.fair.expect("worth something") > Price(dec!(0.5)), "half of the move is expected back");
}

#[test]
fn a_small_move_is_noise_however_straight_it_is() {
    let mut scene = with(|params| params.min_change = dec!(0.001));
    assert!(climb(&mut scene, dec!(4)).is_empty() && scene.skips.is_empty());
}

#[test]
fn it_does_not_buy_without_an_edge_and_says_so() {
    let mut scene = with(|params| params.min_edge = dec!(0.5));
    assert!(climb(&mut scene, dec!(4)).is_empty());
    assert_eq!(scene.skips.first().map(|skip| skip.reason.as_str()), Some("no_edge"));
}

#[test]
fn it_does_not_sell_without_an_edge_either() {
    let mut scene = with(|params| params.min_edge = dec!(0.5));
    scene.hold("up", "20");
    assert!(climb(&mut scene, dec!(4)).is_empty());
    let skip = scene.skips.first().expect("told");
    assert_eq!(skip.reason, "no_edge_to_sell");
    let mut scene = with(|_| ());
    scene.hold("up", "20");
    let intent = emitted(&climb(&mut scene, dec!(4))).expect("an edge");
    assert_eq!((intent.side, intent.token.as_str()), (Side::Sell, format!("up-{OPENS}").as_str()));
}

#[test]
fn a_roll_ends_the_cool_down_and_the_window() {
    let mut scene = with(|params| params.cooldown = Duration::from_mins(10));
    scene.now = Timestamp::from_secs(OPENS + 200);
    scene.refresh();
    assert!(emitted(&climb(&mut scene, dec!(4))).is_some());
    scene.list(OPENS + 300);
    scene.start = OPENS + 300;
    scene.now = Timestamp::from_secs(OPENS + 330);
    scene.refresh();
    let intent = emitted(&climb(&mut scene, dec!(4))).expect("the cool-down was of another market");
    assert_eq!(intent.market.as_str(), format!("0x{}", OPENS + 300));
}

#[test]
#[expect(clippy::print_stderr, reason = "it tells its figures")]
fn it_trades_on_the_recorded_minutes_and_the_same_way_each_time() {
    let Some(trades) = crate::pipeline::athena::scene::recorded_trades() else { return };
    let run = || {
        let mut scene = with(|params| params.min_change = dec!(0.0001));
        scene.play_recording(&trades)
    };
    let intents = run();
    eprintln!("{} signals", intents.len());
    assert!(!intents.is_empty(), "nothing in {} trades", trades.len());
    assert!(intents.len() <= 19, "the cool-down allows one in ten seconds: {}", intents.len());
    assert_eq!(intents, run());
}
