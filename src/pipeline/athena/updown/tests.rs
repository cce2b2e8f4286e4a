//! What holds for every strategy on an up/down market: of a market that is over nothing reaches into the next.

mod outcomes;

use proptest::prelude::*;
use rust_decimal::dec;

use super::*;
use crate::pipeline::athena::scene::{OPENS, Scene, params};
use crate::pipeline::athena::{
    Effect, Engine, Momentum, MomentumParams, Reversion, ReversionParams, Runner, Running, Strategy,
};
use crate::risk::checks::bench;

const NEXT: i64 = OPENS + 300;

fn strategies() -> Vec<Box<dyn Runner>> {
    let momentum = MomentumParams { hysteresis: dec!(0.5), cooldown: Duration::from_mins(10), ..params() };
    let reversion = ReversionParams {
        window: Duration::from_secs(15),
        min_ticks: 5,
        deviations: dec!(1),
        min_change: dec!(0.0001),
        min_edge: dec!(-1),
        cooldown: Duration::from_mins(10),
        cutoff: Duration::from_secs(10),
        ..Reversion::defaults()
    };
    let mut all = Running::<Momentum>::all(&momentum);
    all.extend(Running::<Reversion>::all(&reversion));
    all
}

fn desk() -> Scene {
    let mut scene = Scene::new();
    scene.engine = Engine::new(strategies(), bench::wide());
    scene.list(OPENS);
    scene.list(NEXT);
    scene.now = Timestamp::from_secs(NEXT - 40);
    scene.refresh();
    scene
}

/// One trade a second, each so many cents from the one before; what was wished, by identity.
fn play(scene: &mut Scene, from: i64, steps: &[i64]) -> Vec<String> {
    let mut price = dec!(87_000);
    let mut wished = Vec::new();
    for (second, step) in steps.iter().enumerate() {
        scene.now = Timestamp::from_secs(from).plus(Duration::from_secs(second as u64));
        scene.refresh();
        price += Decimal::new(*step, 2);
        wished.extend(scene.tick(price).into_iter().map(|effect| match effect {
            Effect::Emit(emission) => emission.approved.inner().intent.to_string(),
            Effect::Deny(refusal) => refusal.denied.intent.intent.to_string(),
            Effect::Skip(skip) => format!("skip {}", skip.reason),
        }));
    }
    wished
}

#[test]
fn cool_down_and_hysteresis_end_with_the_market() {
    let rise = [0, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500];
    let mut scene = desk();
    assert_eq!(play(&mut scene, NEXT - 35, &rise).len(), 2, "each once in its cool-down");
    scene.start = NEXT;
    assert_eq!(play(&mut scene, NEXT + 5, &rise).len(), 2, "and each once more in the next market");
}

proptest! {
    #[test]
    fn what_came_before_the_roll_changes_nothing_after_it(
        before in proptest::collection::vec(-3_000_i64..3_000, 0..30),
        after in proptest::collection::vec(-3_000_i64..3_000, 1..40),
    ) {
        let run = |before: &[i64]| {
            let mut scene = desk();
            play(&mut scene, NEXT - 35, before);
            scene.start = NEXT;
            scene.trades = 100;
            play(&mut scene, NEXT, &after)
        };
        prop_assert_eq!(run(&before), run(&[]));
    }
}
