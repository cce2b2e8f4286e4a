//! One suite for both buses, the real server included, and what only a server can do to us.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod cases;
mod model;
mod outage;
mod security;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use bytes::Bytes;
use cockpit::bus::{Bus, BusLink, Delivery, Entry, Subscription};
use tokio::sync::watch;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// The same cases against both.
macro_rules! conformance {
    ($($case:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $case() {
                super::cases::$case(cockpit::bus::memory::MemoryBus::new()).await;
            })+
        }
        mod redis {
            $(#[tokio::test]
            async fn $case() {
                let server = crate::support::redis_server::RedisServer::start();
                super::cases::$case(cockpit::bus::redis::RedisBus::new(&server.url()).unwrap()).await;
            })+
        }
    };
}

conformance!(
    published_messages_reach_whoever_listens_and_nobody_else,
    a_dropped_subscription_disturbs_nobody,
    a_slow_subscriber_loses_the_oldest_and_is_told_how_many,
    a_jump_in_the_sequence_shows_a_gap,
    a_subscription_ends_with_its_bus,
    entries_are_kept_in_order,
    tail_gives_the_newest,
    a_read_waits_for_the_first_entry,
    a_wait_in_vain_ends_with_nothing,
    asking_for_nothing_gives_nothing_at_once,
    a_capped_stream_keeps_its_newest,
    order_streams_are_never_trimmed,
    a_group_hands_each_entry_to_one_consumer,
    a_blocked_member_is_woken_by_an_entry,
    making_a_group_twice_forgets_nothing,
    own_pending_entries_come_again_and_are_counted,
    acknowledged_entries_are_gone,
    idle_entries_are_claimed_and_fresh_ones_are_not,
    claims_go_on_where_the_cursor_stands,
    an_entry_trimmed_while_pending_is_reported,
    a_missing_group_is_named,
    keys_hold_what_was_written_last,
    the_link_is_up,
    blocking_readers_do_not_wait_for_one_another,
    kill_latch_travels_by_key_and_by_push,
    a_latch_that_cannot_be_read_is_an_error,
    commands_are_numbered_and_expire,
);

fn text(payload: &str) -> Bytes {
    Bytes::copy_from_slice(payload.as_bytes())
}

fn payloads(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| std::str::from_utf8(&entry.payload).expect("text")).collect()
}

/// The next delivery, or a failure when there is none in time.
async fn next(subscription: &mut Subscription) -> Delivery {
    tokio::time::timeout(PATIENCE, subscription.recv()).await.expect("a delivery in time").expect("the bus lives")
}

async fn until_up(link: &mut watch::Receiver<BusLink>) {
    tokio::time::timeout(PATIENCE, link.wait_for(|link| *link == BusLink::Up)).await.expect("up in time").expect("bus");
}

/// Waits until the link is down; the reason.
async fn until_down(link: &mut watch::Receiver<BusLink>) -> String {
    let down = link.wait_for(|link| matches!(link, BusLink::Down(_)));
    let link = tokio::time::timeout(PATIENCE, down).await.expect("down in time").expect("bus").clone();
    let BusLink::Down(reason) = link else { panic!("not down") };
    reason
}

async fn append(bus: &dyn Bus, stream: cockpit::bus::Stream, payload: &str) -> cockpit::bus::EntryId {
    bus.append(stream, text(payload)).await.expect("appended")
}
