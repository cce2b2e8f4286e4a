//! Trimming never takes what a group still needs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cockpit::bus::memory::MemoryBus;
use cockpit::bus::redis::RedisBus;
use cockpit::bus::{Bus, BusError, BusRef, EntryId, Group, ReadFrom, Stream, Trimmed};
use cockpit::clock;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::redis_server::RedisServer;
use crate::{append, payloads, text};

const GROUP: Group = Group::Hermes;
const ORDERS: Stream = Stream::Signals;
const CONSUMERS: [&str; 2] = ["a", "b"];
/// Behind everything.
const ALL: EntryId = EntryId { millis: u64::MAX, index: u64::MAX };

pub(crate) async fn trimming_takes_what_is_done_with_and_nothing_else(bus: BusRef) {
    bus.create_group(ORDERS, GROUP).await.unwrap();
    let mut ids = Vec::new();
    for payload in ["0", "1", "2", "3", "4"] {
        ids.push(append(&*bus, ORDERS, payload).await);
    }
    let left = async || {
        let read = bus.read(ORDERS, EntryId::START, 10, Duration::ZERO).await.unwrap();
        payloads(&read).concat()
    };
    let trim = async |keep_from| bus.trim(ORDERS, keep_from).await.unwrap();
    assert_eq!(trim(ALL).await, Trimmed { removed: 0, kept_from: EntryId::START }, "nothing was delivered");
    bus.read_group(ORDERS, GROUP, "c", ReadFrom::New, 4, Duration::ZERO).await.unwrap();
    assert_eq!(trim(ALL).await, Trimmed { removed: 0, kept_from: ids[0] }, "all that was delivered is pending");
    bus.ack(ORDERS, GROUP, &[ids[0], ids[2], ids[3]]).await.unwrap();
    assert_eq!(trim(ALL).await, Trimmed { removed: 1, kept_from: ids[1] });
    assert_eq!(left().await, "1234", "what lies behind a pending entry stays");
    bus.ack(ORDERS, GROUP, &[ids[1]]).await.unwrap();
    assert_eq!(trim(ids[2]).await, Trimmed { removed: 1, kept_from: ids[2] }, "no more than was asked for");
    assert_eq!(trim(ALL).await, Trimmed { removed: 1, kept_from: ids[3] });
    assert_eq!(left().await, "34", "the last one delivered, and what was not");
    let new = bus.read_group(ORDERS, GROUP, "c", ReadFrom::New, 9, Duration::ZERO).await.unwrap();
    assert_eq!(payloads(&new), ["4"]);
}

pub(crate) async fn a_stream_without_readers_in_groups_is_trimmed_by_age(bus: BusRef) {
    assert_eq!(bus.trim(Stream::Dlq, ALL).await.unwrap().removed, 0, "there is no such stream");
    let first = append(&*bus, Stream::Dlq, "old").await;
    let second = append(&*bus, Stream::Dlq, "new").await;
    assert_eq!(bus.trim(Stream::Dlq, first).await, Ok(Trimmed { removed: 0, kept_from: first }));
    assert_eq!(bus.trim(Stream::Dlq, second).await, Ok(Trimmed { removed: 1, kept_from: second }));
    assert_eq!(payloads(&bus.tail(Stream::Dlq, 9).await.unwrap()), ["new"]);
    let tomorrow = EntryId::at(clock::now().plus(Duration::from_hours(24)));
    assert_eq!(bus.trim(Stream::Dlq, tomorrow).await.unwrap().removed, 1);
    // A reader that had the last entry goes on with the next.
    append(&*bus, Stream::Dlq, "newer").await;
    let read = bus.read(Stream::Dlq, second, 9, Duration::from_secs(1)).await.unwrap();
    assert_eq!(payloads(&read), ["newer"]);
}

pub(crate) async fn orders_are_not_trimmed_while_their_group_is_missing(bus: BusRef) {
    let missing = BusError::NoGroup { stream: ORDERS, group: GROUP };
    assert_eq!(bus.trim(ORDERS, ALL).await, Err(missing.clone()));
    append(&*bus, ORDERS, "undelivered").await;
    assert_eq!(bus.trim(ORDERS, ALL).await, Err(missing));
    assert_eq!(bus.len(ORDERS).await, Ok(1));
}

#[tokio::test]
async fn members_that_are_gone_are_removed_only_when_nothing_of_theirs_is_left() {
    let server = RedisServer::start_restricted();
    let bus = RedisBus::new(&server.url_as("desk:pw")).unwrap();
    bus.create_group(ORDERS, GROUP).await.unwrap();
    let id = append(&*bus, ORDERS, "0").await;
    for name in ["dead", "holds", "me"] {
        let new = if name == "holds" { ReadFrom::New } else { ReadFrom::Pending(EntryId::START) };
        bus.read_group(ORDERS, GROUP, name, new, 1, Duration::ZERO).await.unwrap();
    }
    server.command("XGROUP CREATECONSUMER trade.signals hermes dead");
    server.command("XGROUP CREATECONSUMER trade.signals hermes me");
    assert_eq!(bus.retire(ORDERS, GROUP, "me").await, Ok(1), "only the one with nothing pending");
    assert_eq!(bus.pending(ORDERS, GROUP).await.unwrap().count, 1, "what is pending stays");
    bus.ack(ORDERS, GROUP, &[id]).await.unwrap();
    assert_eq!(bus.retire(ORDERS, GROUP, "me").await, Ok(1));
    assert_eq!(bus.retire(ORDERS, GROUP, "me").await, Ok(0), "we stay");
}

#[tokio::test]
async fn a_group_that_somebody_else_has_made_is_respected() {
    let server = RedisServer::start();
    let bus = RedisBus::new(&server.url()).unwrap();
    let first = append(&*bus, Stream::Events, "0").await;
    assert_eq!(server.command("XGROUP CREATE trade.events audit 0"), "+OK");
    assert_eq!(bus.trim(Stream::Events, ALL).await, Ok(Trimmed { removed: 0, kept_from: EntryId::START }));
    server.command("XREADGROUP GROUP audit me STREAMS trade.events >");
    append(&*bus, Stream::Events, "1").await;
    assert_eq!(bus.trim(Stream::Events, ALL).await, Ok(Trimmed { removed: 0, kept_from: first }));
    server.command(&format!("XACK trade.events audit {first}"));
    server.command("XREADGROUP GROUP audit me NOACK STREAMS trade.events >");
    assert_eq!(bus.trim(Stream::Events, ALL).await.unwrap().removed, 1);
}

#[tokio::test]
async fn ids_are_compared_as_whole_numbers() {
    let server = RedisServer::start();
    let bus = RedisBus::new(&server.url()).unwrap();
    // 2^53 and the two behind it, which a float cannot tell apart; 9 and 10, which text would order the other way round.
    for ids in [["9-1", "9-9", "9-10"], ["9007199254740992-0", "9007199254740993-0", "9007199254740994-0"]] {
        for id in ids {
            assert!(server.command(&format!("XADD trade.signals {id} m x")).starts_with(&id[..1]));
        }
        bus.create_group(ORDERS, GROUP).await.unwrap();
        let read = bus.read_group(ORDERS, GROUP, "me", ReadFrom::New, 9, Duration::ZERO).await.unwrap();
        bus.ack(ORDERS, GROUP, &[read[0].id]).await.unwrap();
        assert_eq!(bus.trim(ORDERS, read[2].id).await, Ok(Trimmed { removed: 1, kept_from: read[1].id }), "{ids:?}");
        server.command("DEL trade.signals");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Read { consumer: usize, count: usize },
    Ack(Vec<prop::sample::Index>),
    Claim { consumer: usize },
    Trim(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let consumer = 0..CONSUMERS.len();
    prop_oneof![
        3 => (1..6_usize).prop_map(Step::Append),
        3 => (consumer.clone(), 1..6_usize).prop_map(|(consumer, count)| Step::Read { consumer, count }),
        3 => proptest::collection::vec(any::<prop::sample::Index>(), 1..5).prop_map(Step::Ack),
        1 => consumer.prop_map(|consumer| Step::Claim { consumer }),
        3 => any::<prop::sample::Index>().prop_map(Step::Trim),
    ]
}

/// What must be true, kept apart from either bus: every entry that was appended and not acknowledged is there.
#[derive(Default)]
struct Known {
    appended: Vec<EntryId>,
    delivered: BTreeSet<EntryId>,
    acknowledged: BTreeSet<EntryId>,
}

async fn nothing_needed_is_lost(bus: &BusRef, steps: &[Step]) {
    let mut known = Known::default();
    bus.create_group(ORDERS, GROUP).await.unwrap();
    for step in steps {
        match step {
            Step::Append(count) => {
                for _ in 0..*count {
                    known.appended.push(bus.append(ORDERS, text("order")).await.unwrap());
                }
            }
            Step::Read { consumer, count } => {
                let name = CONSUMERS[*consumer];
                let new = bus.read_group(ORDERS, GROUP, name, ReadFrom::New, *count, Duration::ZERO).await.unwrap();
                let undelivered = known.appended.iter().filter(|id| !known.delivered.contains(id)).take(*count);
                assert!(new.iter().map(|entry| &entry.id).eq(undelivered), "each undelivered entry, in order");
                assert!(new.iter().all(|entry| entry.payload == "order"), "with its payload");
                known.delivered.extend(new.iter().map(|entry| entry.id));
            }
            Step::Ack(which) if !known.delivered.is_empty() => {
                let delivered: Vec<EntryId> = known.delivered.iter().copied().collect();
                let ids: Vec<EntryId> = which.iter().map(|index| *index.get(&delivered)).collect();
                bus.ack(ORDERS, GROUP, &ids).await.unwrap();
                known.acknowledged.extend(ids);
            }
            Step::Claim { consumer } => {
                let name = CONSUMERS[*consumer];
                let claimed = bus.claim(ORDERS, GROUP, name, Duration::ZERO, EntryId::START, 1_000).await.unwrap();
                assert_eq!(claimed.deleted, [], "no pending entry was trimmed");
                let pending = known.delivered.difference(&known.acknowledged);
                assert!(claimed.entries.iter().map(|entry| &entry.id).eq(pending));
            }
            Step::Trim(index) if !known.appended.is_empty() => {
                let keep_from = *index.get(&known.appended);
                let Trimmed { kept_from, .. } = bus.trim(ORDERS, keep_from).await.unwrap();
                assert!(kept_from <= keep_from);
            }
            Step::Ack(_) | Step::Trim(_) => {}
        }
        let left = bus.read(ORDERS, EntryId::START, 10_000, Duration::ZERO).await.unwrap();
        let left: BTreeSet<EntryId> = left.iter().map(|entry| entry.id).collect();
        let needed = known.appended.iter().filter(|id| !known.acknowledged.contains(id));
        for id in needed {
            assert!(left.contains(id), "{id} is needed and gone after {step:?}");
        }
    }
}

#[test]
fn no_pending_and_no_undelivered_entry_is_ever_lost() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let redis: BusRef = runtime.block_on(async { RedisBus::new(&server.url()).expect("a good url") });
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&proptest::collection::vec(step(), 1..60), |steps| {
            server.command("FLUSHALL");
            let memory: BusRef = MemoryBus::new();
            runtime.block_on(nothing_needed_is_lost(&memory, &steps));
            runtime.block_on(nothing_needed_is_lost(&redis, &steps));
            Ok(())
        })
        .expect("nothing is lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trimmer_and_consumers_at_the_same_time_lose_nothing() {
    const ENTRIES: u64 = 3_000;
    let server = RedisServer::start();
    let bus: Arc<RedisBus> = RedisBus::new(&server.url()).unwrap();
    bus.create_group(ORDERS, GROUP).await.unwrap();
    let trimmer = tokio::spawn({
        let bus = Arc::clone(&bus);
        async move {
            let mut removed = 0;
            loop {
                removed += bus.trim(ORDERS, ALL).await.unwrap().removed;
                if removed >= ENTRIES - 1 {
                    return removed;
                }
            }
        }
    });
    let all_appended = Arc::new(AtomicBool::new(false));
    let consumers = ["a", "b"].map(|name| {
        let (bus, appended) = (Arc::clone(&bus), Arc::clone(&all_appended));
        tokio::spawn(async move {
            let mut seen = 0;
            loop {
                // A machine that stands still for a moment is no end: that is when all have been handed out.
                let new = bus.read_group(ORDERS, GROUP, name, ReadFrom::New, 7, crate::ASK_AGAIN).await.unwrap();
                if new.is_empty() && appended.load(Ordering::SeqCst) {
                    return seen;
                }
                if new.is_empty() {
                    continue;
                }
                assert!(new.iter().all(|entry| entry.payload == "order"), "nothing is handed out empty");
                seen += new.len() as u64;
                let ids: Vec<EntryId> = new.iter().map(|entry| entry.id).collect();
                assert_eq!(bus.ack(ORDERS, GROUP, &ids).await, Ok(ids.len() as u64));
            }
        })
    });
    for _ in 0..ENTRIES {
        append(&*bus, ORDERS, "order").await;
    }
    all_appended.store(true, Ordering::SeqCst);
    let mut seen = 0;
    for consumer in consumers {
        seen += consumer.await.unwrap();
    }
    assert_eq!(seen, ENTRIES);
    assert_eq!(tokio::time::timeout(crate::PATIENCE, trimmer).await.expect("trimmed in time").unwrap(), ENTRIES - 1);
}
