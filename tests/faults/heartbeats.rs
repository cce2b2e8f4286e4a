//! The dead man's switch when it lapses, and when its chain of ids is broken.

use cockpit::exec::venue::{ExecutionVenue, VenueError};
use serde_json::json;

use crate::replies::{RESTING, inject, start, truth};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lapse_sweeps_what_rests_and_the_beat_fails() {
    let (bench, market) = start().await;
    bench.venue.heartbeat().await.expect("arms the switch");
    let order = bench.sign(&market, RESTING);
    bench.submit(&order).await;
    inject(&bench, 1, json!({ "kind": "heartbeat_lapse" }));
    let missed = bench.venue.heartbeat().await;
    assert!(matches!(missed, Err(VenueError::Unreachable(_))), "{missed:?}");
    assert_eq!(truth(&bench, order.order()).expect("known").status, "CANCELED");
    assert_eq!(bench.venue.open_orders().await.expect("a list").orders, []);
    bench.venue.heartbeat().await.expect("the chain goes on where it was");
    assert_eq!(bench.exchange.faults().struck("heartbeat_lapse"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_id_is_repaired_once_and_twice_in_a_row_is_broken() {
    let (bench, market) = start().await;
    bench.venue.heartbeat().await.expect("arms the switch");
    let order = bench.sign(&market, RESTING);
    bench.submit(&order).await;
    inject(&bench, 1, json!({ "kind": "stale_heartbeat_id" }));
    bench.venue.heartbeat().await.expect("the right id is in the refusal and is sent at once");
    assert_eq!(bench.exchange.faults().struck("stale_heartbeat_id"), 1);
    inject(&bench, 2, json!({ "kind": "stale_heartbeat_id" }));
    let broken = bench.venue.heartbeat().await;
    assert!(matches!(broken, Err(VenueError::HeartbeatBroken(_))), "{broken:?}");
    bench.venue.heartbeat().await.expect("and then it is adopted");
    assert_eq!(truth(&bench, order.order()).expect("known").status, "LIVE");
}
