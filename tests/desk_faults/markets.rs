//! What changes under an order that rests: a fill that overtakes its cancel, its market's grid, its market's end.

use std::time::Duration;

use cockpit::domain::{Control, DeadLetterReason, OrderState, Price};
use rust_decimal::dec;
use serde_json::json;

use crate::ended::Apart;
use crate::world::{Kind, LONG, World, rule};

const SHORT: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn races_grids_and_closed_markets_end_as_the_venue_says() {
    let mut world = World::start(3, &[("reconcile_s = 30", "reconcile_s = 5")]).await;
    races(&mut world).await;
    new_grid(&mut world, 1).await;
    closes(&mut world, 2).await;
    world.trades("after", 0).await;
    let ended = world.finish().await;
    let letters = [("off-grid", DeadLetterReason::Tick, 1), ("too-late", DeadLetterReason::MarketClosed, 1)];
    let denied = [("known-off-grid", Control::Market), ("stopped", Control::CircuitBreaker)];
    ended.check(Apart { buried: &letters, denied: &denied, ..Apart::default() });
    for (name, part) in [("race-part", true), ("race-whole", false)] {
        let order = &ended.story(name).row.order;
        let all = order.matched == order.intent.size;
        assert_eq!(all, !part, "{name}: {order:?}");
        assert!(!order.matched.is_zero() && ended.happened(name).contains(&"cancel_requested"), "{name}: {order:?}");
        ended.was_certain(name, if part { OrderState::Cancelled } else { OrderState::Filled });
    }
    for name in ["on-old-grid", "on-new-grid", "closed-on", "closing"] {
        ended.was_certain(name, OrderState::Cancelled);
    }
}

/// A fill of a part, then of the whole, between the request to cancel and the cancel.
async fn races(world: &mut World) {
    for (name, part) in [("race-part", "0.35"), ("race-whole", "1")] {
        world.inject(&[rule(1, json!({ "kind": "cancel_race", "part": part }))]).await;
        world.wish(name, 0, Kind::Rest, SHORT).await;
        world.order(name, "over", |order| order.state.is_terminal() && !order.matched.is_zero()).await;
        assert_eq!(world.tallies().await[0].struck, 1);
    }
    world.trades("race-after", 0).await;
}

/// The grid becomes coarser under an order that rests off it.
async fn new_grid(world: &mut World, market: usize) {
    world.inject(&[rule(1, json!({ "kind": "tick_change", "tick_size": "0.1" }))]).await;
    world.wish("on-old-grid", market, Kind::Rest, Duration::from_secs(8)).await;
    world.until_struck("the grid to change", |tallies| tallies[0].struck == 1).await;
    world.wish("off-grid", market, Kind::Rest, LONG).await;
    world.buried("off-grid").await;
    world.renew(market).await;
    assert_eq!(world.markets[market].tick_size, Price(dec!(0.1)), "the catalogue says so");
    world.wish("known-off-grid", market, Kind::Rest, LONG).await;
    world.order("known-off-grid", "denied", |order| order.state == OrderState::Denied).await;
    world.wish_at("on-new-grid", market, Kind::Rest, dec!(0.3), SHORT).await;
    for name in ["on-new-grid", "on-old-grid"] {
        world.order(name, "cancelled in its time", |order| order.state == OrderState::Cancelled).await;
    }
    world.trades("grid-after", market).await;
}

/// The market closes: what rests ends, what comes is refused by the venue once and after that by the desk, in this market.
async fn closes(world: &mut World, market: usize) {
    world.wish("closed-on", market, Kind::Rest, LONG).await;
    world.order("closed-on", "live", |order| order.state == OrderState::Live).await;
    world.inject(&[rule(1, json!({ "kind": "market_close" }))]).await;
    world.wish("closing", market, Kind::Rest, LONG).await;
    for name in ["closed-on", "closing"] {
        world.order(name, "ended by the venue", |order| order.state == OrderState::Cancelled).await;
    }
    world.wish("too-late", market, Kind::Rest, LONG).await;
    world.buried("too-late").await;
    world.wish("stopped", market, Kind::Rest, LONG).await;
    world.order("stopped", "denied", |order| order.state == OrderState::Denied).await;
}
