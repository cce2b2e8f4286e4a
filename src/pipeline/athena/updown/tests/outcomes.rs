//! Which outcome is which: by name wherever the venue lists it, and of a named one that one alone.

use super::*;
use crate::domain::{Instruments, OrderIntent, PolymarketData, Skip, Slug, Tick};
use crate::pipeline::athena::scene::{market, trade};
use crate::risk::Limits;

const SLUG: &str = "btc-100k";
const RISE: bool = true;
const FALL: bool = false;

type Runners = Vec<Box<dyn Runner>>;

/// Both strategies on these, each with the price after a calm that makes it expect a rise, and the one for a fall.
fn strategies_on(on: &str) -> [(Runners, [Decimal; 2]); 2] {
    let on = Instruments::parse(on).expect("instruments");
    let momentum = MomentumParams { on: on.clone(), ..params() };
    let (window, min_ticks, min_volume) = (momentum.window, momentum.min_ticks, momentum.min_volume);
    let reversion = ReversionParams { on, window, min_ticks, min_volume, ..Reversion::defaults() };
    let reversion = ReversionParams { deviations: dec!(0.9), min_edge: dec!(-1), ..reversion };
    let (high, low) = (dec!(87_200), dec!(86_800));
    [(Running::<Momentum>::all(&momentum), [high, low]), (Running::<Reversion>::all(&reversion), [low, high])]
}

/// Either strategy on a market that lists these outcomes, before the price has moved.
fn scenes(on: &str, outcomes: [&str; 2]) -> [(Scene, [Decimal; 2]); 2] {
    strategies_on(on).map(|(runners, prices)| {
        let mut scene = Scene::new();
        let limits = Limits { markets: vec![SLUG.to_owned()], ..bench::wide() };
        scene.engine = Engine::new(runners, limits);
        let tokens = outcomes.map(|outcome| OutcomeToken { token: token(outcome).into(), outcome: outcome.to_owned() });
        let market = Market { slug: SLUG.into(), tokens, ..market(OPENS) };
        scene.play(&Event::Polymarket(PolymarketData::Market(market)));
        scene.refresh();
        (scene, prices)
    })
}

/// Those of the scene's books and positions.
fn token(outcome: &str) -> String {
    let side = if ["Up", "Yes"].contains(&outcome) { "up" } else { "down" };
    format!("{side}-{OPENS}")
}

/// What was wished after the calm when a rise, or a fall, is expected; else the skip.
fn moved((scene, [rise, fall]): &mut (Scene, [Decimal; 2]), rises: bool) -> Result<OrderIntent, Box<Skip>> {
    assert!(scene.warm().is_empty());
    let effects = scene.tick(if rises { *rise } else { *fall });
    match &effects[..] {
        [Effect::Emit(emission)] => Ok(emission.approved.inner().clone()),
        [] => Err(scene.skips.pop().expect("a skip").into()),
        other => panic!("one effect was expected: {other:?}"),
    }
}

fn bought(intent: Result<OrderIntent, Box<Skip>>) -> String {
    let intent = intent.expect("a wish");
    assert_eq!((intent.side, intent.token.as_str()), (Side::Buy, token(&intent.outcome).as_str()));
    intent.outcome
}

#[test]
fn a_market_is_traded_the_right_way_round_however_it_is_listed() {
    for (outcomes, up, down) in [
        (["Up", "Down"], "Up", "Down"),
        (["Down", "Up"], "Up", "Down"),
        (["Yes", "No"], "Yes", "No"),
        (["No", "Yes"], "Yes", "No"),
    ] {
        for (rises, expected, held) in [(RISE, up, "down"), (FALL, down, "up")] {
            for mut scene in scenes(&format!("BTC/USD {SLUG}"), outcomes) {
                assert_eq!(bought(moved(&mut scene, rises)), expected, "{outcomes:?}");
            }
            for mut scene in scenes(&format!("BTC/USD {SLUG}"), outcomes) {
                scene.0.hold(held, "20");
                let sold = moved(&mut scene, rises).expect("a wish");
                assert_eq!((sold.side, sold.outcome != expected), (Side::Sell, true), "{outcomes:?}");
            }
        }
    }
}

#[test]
fn a_named_outcome_alone_is_bought_when_it_gains_and_what_is_held_of_it_is_sold_when_it_loses() {
    for (named, other, gains) in [("Yes", "No", RISE), ("No", "Yes", FALL), ("Up", "Down", RISE), ("Down", "Up", FALL)]
    {
        for outcomes in [[named, other], [other, named]] {
            let scenes = || scenes(&format!("BTC/USD {SLUG}#{}", named.to_uppercase()), outcomes);
            let side = |outcome| token(outcome).split_once('-').expect("a side").0.to_owned();
            for mut scene in scenes() {
                scene.0.hold(&side(other), "20");
                assert_eq!(bought(moved(&mut scene, gains)), named, "what is held of the other one is left alone");
            }
            for mut scene in scenes() {
                scene.0.hold(&side(named), "20");
                let sold = moved(&mut scene, !gains).expect("a wish");
                assert_eq!((sold.side, sold.outcome.as_str()), (Side::Sell, named));
            }
            for mut scene in scenes() {
                let skip = moved(&mut scene, !gains).expect_err("nothing to sell");
                assert_eq!(skip.reason, "other_outcome");
                assert_eq!(skip.note, format!("{other} would be bought, but only {named} is traded"));
                assert!(skip.inputs.iter().any(|figure| figure.name == format!("fair {other}").as_str()));
                assert_eq!(scene.0.idle(), None, "it could trade");
                scene.0.now = scene.0.now.plus(Duration::from_secs(4));
                let book = bench::book(&token(other), "0.49", "0.51", scene.0.now);
                let book = Book { market: format!("0x{OPENS}").into(), ..book };
                scene.0.play(&Event::Polymarket(PolymarketData::Book(book)));
                assert_eq!(scene.0.idle().as_deref(), Some("no fresh book"), "the other one's does not help");
            }
        }
    }
}

#[test]
fn without_a_close_to_come_an_outcome_is_worth_the_middle_of_its_book() {
    for ended in [None, Some(Duration::from_secs(1))] {
        for (mut scene, [rise, _]) in scenes(&format!("BTC/USD {SLUG}"), ["Yes", "No"]) {
            let tokens = ["Yes", "No"].map(|name| OutcomeToken { token: token(name).into(), outcome: name.to_owned() });
            let closes_at = ended.map(|ago| scene.now.minus(ago));
            let market = Market { slug: SLUG.into(), tokens, closes_at, ..market(OPENS) };
            scene.play(&Event::Polymarket(PolymarketData::Market(market)));
            scene.hold("down", "20");
            assert!(scene.warm().is_empty());
            let inputs = match &scene.tick(rise)[..] {
                [Effect::Emit(emission)] => emission.rationale.inputs.clone(),
                [] => scene.skips.pop().expect("a skip").inputs,
                other => panic!("one effect was expected: {other:?}"),
            };
            let fair = inputs.iter().find(|figure| figure.name == "fair No").expect("reckoned");
            assert_eq!(fair.value.to_string().parse(), Ok(dec!(0.5)), "a wiggle of the price moves nothing");
        }
    }
}

#[test]
fn a_name_that_the_market_does_not_have_stops_nothing_else() {
    let on = format!("BTC/USD {SLUG}#Maybe, ETH/USD {SLUG}#No");
    for (mut scene, prices) in scenes(&on, ["Yes", "No"]) {
        let why = "the market has no outcome Maybe: it has Yes and No";
        assert_eq!(scene.idle().as_deref(), Some(why));
        scene.warm();
        assert!(scene.tick(prices[0]).is_empty());
        let skip = scene.skips.pop().expect("a skip");
        assert_eq!((skip.reason.as_str(), skip.note.as_str()), ("no_outcome", why));
        assert_eq!(skip.slug.as_ref().map(Slug::as_str), Some(SLUG));
        let mut other = |id, price, before| {
            let tick = trade(id, price, scene.now.minus(Duration::from_secs(before)));
            scene.play(&Event::Tick(Tick { symbol: "ETH/USD".into(), ..tick }))
        };
        (1..=12).for_each(|second| drop(other(second, dec!(87_000), 13 - second)));
        assert!(matches!(&other(13, prices[1], 0)[..], [Effect::Emit(_)]), "No gains by a fall");
    }
}
