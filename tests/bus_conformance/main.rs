//! One suite for every bus, real servers and real sentinels included, and what only a server can do to us.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod cases;
mod failover;
mod model;
mod outage;
mod resume;
mod security;
#[path = "../support/mod.rs"]
mod support;
mod trim;

use std::time::Duration;

use bytes::Bytes;
use cockpit::bus::{Bus, BusLink, Delivery, Entry, Subscription};
use tokio::sync::watch;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);
/// Between two looks at a server.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// The same cases against every bus.
macro_rules! conformance {
    ($($file:ident::$case:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $case() {
                super::$file::$case(cockpit::bus::memory::MemoryBus::new()).await;
            })+
        }
        mod redis {
            $(#[tokio::test]
            async fn $case() {
                let server = crate::support::redis_server::RedisServer::start_restricted();
                super::$file::$case(cockpit::bus::redis::RedisBus::new(&server.url_as("desk:pw")).unwrap()).await;
            })+
        }
        mod sentinel {
            $(#[tokio::test]
            async fn $case() {
                use crate::support::sentinel_cluster::{Layout, SentinelCluster};
                let cluster = SentinelCluster::start_with(Layout::QUIET);
                super::$file::$case(cockpit::bus::redis::RedisBus::new(&cluster.url()).unwrap()).await;
            })+
        }
    };
}

conformance!(
    cases::published_messages_reach_whoever_listens_and_nobody_else,
    cases::a_burst_arrives_whole_and_in_its_order,
    cases::a_dropped_subscription_disturbs_nobody,
    cases::a_slow_subscriber_loses_the_oldest_and_is_told_how_many,
    cases::a_jump_in_the_sequence_shows_a_gap,
    cases::a_subscription_ends_with_its_bus,
    cases::entries_are_kept_in_order,
    cases::tail_gives_the_newest,
    cases::a_read_waits_for_the_first_entry,
    cases::a_wait_in_vain_ends_with_nothing,
    cases::asking_for_nothing_gives_nothing_at_once,
    cases::a_capped_stream_keeps_its_newest,
    cases::order_streams_are_never_trimmed,
    cases::a_group_hands_each_entry_to_one_consumer,
    cases::a_blocked_member_is_woken_by_an_entry,
    cases::making_a_group_twice_forgets_nothing,
    cases::own_pending_entries_come_again_and_are_counted,
    cases::acknowledged_entries_are_gone,
    cases::idle_entries_are_claimed_and_fresh_ones_are_not,
    cases::claims_go_on_where_the_cursor_stands,
    cases::an_entry_trimmed_while_pending_is_reported,
    cases::a_missing_group_is_named,
    cases::keys_hold_what_was_written_last,
    cases::keys_are_read_and_written_together,
    cases::a_key_is_replaced_only_while_it_holds_what_was_read,
    cases::of_many_who_replace_the_same_value_one_succeeds,
    cases::the_link_is_up,
    cases::blocking_readers_do_not_wait_for_one_another,
    cases::kill_latch_travels_by_key_and_by_push,
    cases::a_latch_that_cannot_be_read_is_an_error,
    cases::commands_are_numbered_and_expire,
    trim::trimming_takes_what_is_done_with_and_nothing_else,
    trim::a_stream_without_readers_in_groups_is_trimmed_by_age,
    trim::orders_are_not_trimmed_while_their_group_is_missing,
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
