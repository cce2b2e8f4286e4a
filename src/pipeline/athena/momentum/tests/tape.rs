//! The default thresholds on the recorded three minutes.

use super::*;
use crate::pipeline::athena::scene::recorded_trades;

#[test]
#[expect(clippy::print_stderr, reason = "it tells its figures")]
fn the_default_thresholds_trade_in_three_calm_minutes() {
    let Some(trades) = recorded_trades() else { return };
    let run = || Scene::new().play_recording(&trades);
    let intents = run();
    assert!(trades.len() > 6_000 && intents.len() >= 5, "{} signals in {} trades", intents.len(), trades.len());
    assert!(intents.len() <= 37, "the cool-down allows one in five seconds");
    let (up, down): (Vec<_>, Vec<_>) = intents.iter().partition(|intent| intent.outcome == "Up");
    eprintln!("{} signals, {} up, {} down", intents.len(), up.len(), down.len());
    assert_eq!(intents, run(), "the same tape gives the same intents");
    assert!(intents.iter().all(|intent| intent.size == Size(dec!(20))));
}
