//! Events of the account that come twice, late, or never.

use std::time::Duration;

use cockpit::domain::OrderState;
use serde_json::{Value, json};

use crate::ended::Apart;
use crate::world::{ALWAYS, Kind, LONG, World, rule};

const SHORT: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_come_twice_late_or_never_change_nothing_in_the_books() {
    tokio::join!(events_come_twice_late_or_never(), the_socket_is_dead());
}

/// A socket that works, more or less.
async fn events_come_twice_late_or_never() {
    let mut world = World::start(1, &[("reconcile_s = 30", "reconcile_s = 3")]).await;
    // Every second event comes after those that happened later.
    let late = json!({ "kind": "ws_reorder", "delay_ms": 1_500, "probability": 0.5 });
    let stall = json!({ "kind": "ws_stall", "for_ms": 8_000, "pong": true });
    let rows = [
        ("twice", vec![rule(ALWAYS, json!({ "kind": "ws_duplicate" }))]),
        ("late", vec![late]),
        ("never", vec![rule(ALWAYS, json!({ "kind": "ws_gap" }))]),
        ("silent", vec![rule(1, stall)]),
    ];
    for (name, faults) in &rows {
        lives(&mut world, name, faults).await;
    }
    let ended = world.finish().await;
    ended.check(Apart::default());
    for (name, _) in rows {
        ended.was_certain(&format!("{name}-taking"), OrderState::Filled);
        ended.was_certain(&format!("{name}-resting"), OrderState::Cancelled);
        let story = ended.story(&format!("{name}-taking"));
        assert_eq!(story.journals.len(), 1, "one trade, booked once: {:?}", story.journals);
        assert!(story.row.order.times.confirmed_at.is_some(), "{name}: its settlement is known");
    }
}

/// Whole lives of orders while the fault is in force: one that takes and settles, one that rests and is cancelled.
async fn lives(world: &mut World, name: &str, faults: &[Value]) {
    world.inject(faults).await;
    let (taking, resting) = (format!("{name}-taking"), format!("{name}-resting"));
    world.wish(&resting, 0, Kind::Rest, SHORT).await;
    world.wish(&taking, 0, Kind::Take, LONG).await;
    world.order(&taking, "confirmed", |order| order.times.confirmed_at.is_some()).await;
    world.order(&resting, "cancelled", |order| order.state == OrderState::Cancelled).await;
    assert!(world.tallies().await.iter().all(|tally| tally.struck > 0), "{name}: it happened");
    world.trades(&format!("{name}-after"), 0).await;
}

/// One that is open and dead: it is left, and the books catch up.
async fn the_socket_is_dead() {
    let mut world = World::start(1, &[]).await;
    world.inject(&[rule(1, json!({ "kind": "ws_stall", "for_ms": 300_000, "pong": false }))]).await;
    world.wish("resting", 0, Kind::Rest, LONG).await;
    world.until_struck("the socket to die", |tallies| tallies[0].struck == 1).await;
    world.wish("taking", 0, Kind::Take, LONG).await;
    // Found by asking, since nobody tells: the answer says that it matched, and its trade is looked up.
    world.order("taking", "filled", |order| order.state == OrderState::Filled).await;
    let log = world.home.dir.path().join("hermes.log");
    let left = || std::fs::read_to_string(&log).expect("a log").contains("the user channel is down");
    world.until("the socket to be left", |_| left()).await;
    world.order("taking", "confirmed", |order| order.times.confirmed_at.is_some()).await;
    world.trades("after", 0).await;
    let ended = world.finish().await;
    ended.check(Apart::default());
    ended.was_certain("taking", OrderState::Filled);
}
