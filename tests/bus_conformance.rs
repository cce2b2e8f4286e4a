//! One suite for every bus: what holds in memory holds over a real Redis.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cockpit::bus::memory::MemoryBus;
use cockpit::bus::redis::RedisBus;
use cockpit::bus::{
    BusError, BusLink, BusRef, Channel, Delivery, EntryId, Envelope, Group, Key, Origin, ReadFrom, Stream, control,
    decode, encode,
};
use cockpit::domain::{KillState, Timestamp};
use tokio::time::timeout;

mod support;
use support::RedisServer;

const SOON: Duration = Duration::from_secs(10);
const NONE: Duration = Duration::ZERO;

fn text(payload: &Bytes) -> &str {
    std::str::from_utf8(payload).expect("text")
}

async fn message(subscription: &mut cockpit::bus::Subscription) -> Delivery {
    timeout(SOON, subscription.recv()).await.expect("a delivery in time").expect("a bus")
}

async fn pub_sub_reaches_every_listener_of_its_channel_and_no_other(bus: BusRef) {
    let mut crypto = bus.subscribe(&[Channel::Crypto], 16).await.expect("subscribes");
    let mut both = bus.subscribe(&[Channel::Crypto, Channel::Kill], 16).await.expect("subscribes");
    bus.publish(Channel::Kill, Bytes::from_static(b"k")).await.expect("publishes");
    bus.publish(Channel::Crypto, Bytes::from_static(b"c")).await.expect("publishes");
    let crypto_message = Delivery::Message { channel: Channel::Crypto, payload: Bytes::from_static(b"c") };
    assert_eq!(message(&mut crypto).await, crypto_message);
    let kill_message = Delivery::Message { channel: Channel::Kill, payload: Bytes::from_static(b"k") };
    assert_eq!(message(&mut both).await, kill_message);
    assert_eq!(message(&mut both).await, crypto_message);
}

async fn a_slow_subscriber_loses_the_oldest_and_every_loss_is_counted(bus: BusRef) {
    let mut slow = bus.subscribe(&[Channel::Crypto], 8).await.expect("subscribes");
    let mut fast = bus.subscribe(&[Channel::Crypto], 4096).await.expect("subscribes");
    for n in 0..500 {
        bus.publish(Channel::Crypto, Bytes::from(n.to_string())).await.expect("publishes");
    }
    for n in 0..500 {
        let Delivery::Message { payload, .. } = message(&mut fast).await else { panic!("the fast one lost something") };
        assert_eq!(text(&payload), n.to_string());
    }
    let (mut received, mut lost, mut last) = (0, 0, String::new());
    while received + lost < 500 {
        match message(&mut slow).await {
            Delivery::Message { payload, .. } => {
                received += 1;
                text(&payload).clone_into(&mut last);
            }
            Delivery::Lagged(missed) => lost += missed,
            Delivery::Resumed => panic!("nothing was disconnected"),
        }
    }
    assert!(lost > 0, "500 messages fitted into room for 8");
    assert_eq!((received + lost, last.as_str()), (500, "499"), "the newest is kept");
}

async fn streams_keep_order_and_wake_a_waiting_reader(bus: BusRef) {
    let waiting = {
        let bus = Arc::clone(&bus);
        tokio::spawn(async move { bus.read(Stream::Events, EntryId::START, 10, SOON).await })
    };
    let first = bus.append(Stream::Events, Bytes::from_static(b"1")).await.expect("appends");
    let woken = waiting.await.expect("a task").expect("reads");
    assert_eq!(woken.iter().map(|e| (e.id, text(&e.payload))).collect::<Vec<_>>(), [(first, "1")]);
    let mut ids = vec![first];
    for n in 2..=5 {
        ids.push(bus.append(Stream::Events, Bytes::from(n.to_string())).await.expect("appends"));
    }
    assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
    let after = bus.read(Stream::Events, ids[2], 10, NONE).await.expect("reads");
    assert_eq!(after.iter().map(|e| text(&e.payload)).collect::<Vec<_>>(), ["4", "5"]);
    let tail = bus.tail(Stream::Events, 2).await.expect("reads");
    assert_eq!(tail.iter().map(|e| text(&e.payload)).collect::<Vec<_>>(), ["4", "5"]);
    assert_eq!(bus.len(Stream::Events).await, Ok(5));
    let empty = bus.read(Stream::Events, ids[4], 10, Duration::from_millis(50)).await.expect("reads");
    assert!(empty.is_empty(), "a wait that is over brings nothing");
}

async fn a_group_hands_each_entry_to_one_consumer_until_it_is_acknowledged(bus: BusRef) {
    let (stream, group) = (Stream::Signals, Group::Hermes);
    for n in 1..=3 {
        bus.append(stream, Bytes::from(n.to_string())).await.expect("appends");
    }
    bus.create_group(stream, group).await.expect("creates");
    bus.create_group(stream, group).await.expect("creating it again does nothing");
    let a = bus.read_group(stream, group, "a", ReadFrom::New, 2, NONE).await.expect("reads");
    let b = bus.read_group(stream, group, "b", ReadFrom::New, 2, NONE).await.expect("reads");
    assert_eq!(a.iter().map(|e| text(&e.payload)).collect::<Vec<_>>(), ["1", "2"], "from the stream's beginning");
    assert_eq!(b.iter().map(|e| text(&e.payload)).collect::<Vec<_>>(), ["3"]);
    let pending = bus.pending(stream, group).await.expect("reads");
    assert_eq!((pending.count, pending.oldest), (3, Some(a[0].id)));

    assert_eq!(bus.ack(stream, group, &[a[0].id]).await, Ok(1));
    assert_eq!(bus.ack(stream, group, &[a[0].id]).await, Ok(0), "only once");
    let own = bus.read_group(stream, group, "a", ReadFrom::Pending(EntryId::START), 10, NONE).await.expect("reads");
    assert_eq!(own.iter().map(|e| text(&e.payload)).collect::<Vec<_>>(), ["2"], "own pending only");
    assert!(own[0].deliveries >= 2);
}

async fn what_a_dead_consumer_left_is_claimed_after_its_idle_time(bus: BusRef) {
    let (stream, group) = (Stream::Signals, Group::Hermes);
    bus.create_group(stream, group).await.expect("creates");
    for n in 1..=5 {
        bus.append(stream, Bytes::from(n.to_string())).await.expect("appends");
    }
    let left = bus.read_group(stream, group, "dead", ReadFrom::New, 10, NONE).await.expect("reads");
    let fresh = bus.claim(stream, group, "heir", SOON, EntryId::START, 10).await.expect("claims");
    assert!(fresh.entries.is_empty(), "not idle for long enough");
    let (mut claimed, mut cursor) = (Vec::new(), EntryId::START);
    loop {
        let part = bus.claim(stream, group, "heir", NONE, cursor, 2).await.expect("claims");
        claimed.extend(part.entries);
        cursor = part.cursor;
        if cursor == EntryId::START {
            break;
        }
    }
    assert_eq!(claimed.iter().map(|e| e.id).collect::<Vec<_>>(), left.iter().map(|e| e.id).collect::<Vec<_>>());
    let own = bus.read_group(stream, group, "dead", ReadFrom::Pending(EntryId::START), 10, NONE).await.expect("reads");
    assert!(own.is_empty(), "they belong to the heir now");
}

async fn a_group_that_does_not_exist_is_named_and_can_be_made(bus: BusRef) {
    let (stream, group) = (Stream::Signals, Group::Hermes);
    let missing = bus.read_group(stream, group, "a", ReadFrom::New, 1, NONE).await;
    assert_eq!(missing, Err(BusError::NoGroup { stream, group }));
    bus.create_group(stream, group).await.expect("creates");
    assert_eq!(bus.read_group(stream, group, "a", ReadFrom::New, 1, NONE).await, Ok(Vec::new()));
}

async fn capped_streams_lose_their_oldest_and_uncapped_ones_nothing(bus: BusRef) {
    let cap = Stream::Acks.cap().expect("capped");
    for n in 0..cap + 2_000 {
        bus.append(Stream::Acks, Bytes::from(n.to_string())).await.expect("appends");
    }
    let len = usize::try_from(bus.len(Stream::Acks).await.expect("a length")).expect("fits");
    assert!(len >= cap && len < cap + 1_000, "{len} entries of a stream capped at {cap}");
    let newest = bus.tail(Stream::Acks, 1).await.expect("reads");
    assert_eq!(text(&newest[0].payload), (cap + 1_999).to_string());
    assert_eq!((Stream::Signals.cap(), Stream::Dlq.cap()), (None, None));
}

async fn keys_keep_the_last_value(bus: BusRef) {
    assert_eq!(bus.get(&Key::ARGOS).await, Ok(None));
    for value in ["one", "two"] {
        bus.set(&Key::ARGOS, Bytes::from(value)).await.expect("writes");
    }
    assert_eq!(bus.get(&Key::ARGOS).await, Ok(Some(Bytes::from_static(b"two"))));
    assert_eq!(bus.get(&Key::HERMES).await, Ok(None));
}

async fn a_gap_in_the_numbering_shows(bus: BusRef) {
    let origin = Origin::new("argos", "boot");
    let mut listening = bus.subscribe(&[Channel::Crypto], 16).await.expect("subscribes");
    for n in 0..5_u32 {
        let wrapped = encode(&origin.wrap(n, Timestamp::default())).expect("encodes");
        if n != 2 {
            bus.publish(Channel::Crypto, wrapped).await.expect("publishes");
        }
    }
    let mut seen = Vec::new();
    for _ in 0..4 {
        let Delivery::Message { payload, .. } = message(&mut listening).await else { panic!("a message") };
        seen.push(decode::<u32>(&payload).expect("decodes").seq);
    }
    assert_eq!(seen, [1, 2, 4, 5]);
}

async fn a_kill_is_kept_and_pushed(bus: BusRef) {
    let origin = Origin::new("cli", "boot");
    let mut listening = bus.subscribe(&[Channel::Kill], 16).await.expect("subscribes");
    assert_eq!(control::latch(&bus).await, Ok(None));
    let killed = control::kill(&bus, &origin, "cli:test", "why not", Timestamp::from_secs(9)).await.expect("kills");
    assert_eq!((killed.state, killed.epoch), (KillState::Killed, 0));
    assert_eq!(control::latch(&bus).await, Ok(Some(killed.clone())));
    let Delivery::Message { payload, .. } = message(&mut listening).await else { panic!("a push") };
    let pushed: Envelope<cockpit::domain::KillLatch> = decode(&payload).expect("decodes");
    assert_eq!(pushed.body, killed);
}

macro_rules! conformance {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::MemoryBus::new()).await;
            })*
        }
        mod over_redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let server = super::RedisServer::start();
                super::$name(super::RedisBus::new(&server.url()).expect("an address")).await;
            })*
        }
    };
}

conformance!(
    pub_sub_reaches_every_listener_of_its_channel_and_no_other,
    a_slow_subscriber_loses_the_oldest_and_every_loss_is_counted,
    streams_keep_order_and_wake_a_waiting_reader,
    a_group_hands_each_entry_to_one_consumer_until_it_is_acknowledged,
    what_a_dead_consumer_left_is_claimed_after_its_idle_time,
    a_group_that_does_not_exist_is_named_and_can_be_made,
    capped_streams_lose_their_oldest_and_uncapped_ones_nothing,
    keys_keep_the_last_value,
    a_gap_in_the_numbering_shows,
    a_kill_is_kept_and_pushed,
);

async fn until(bus: &BusRef, wanted: impl Fn(&BusLink) -> bool) {
    let mut link = bus.link();
    timeout(SOON, link.wait_for(|link| wanted(link))).await.expect("the link changes in time").expect("a bus");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_goes_on_after_the_server_was_killed_and_restarted() {
    let mut server = RedisServer::start();
    let bus: BusRef = RedisBus::new(&server.url()).expect("an address");
    let mut listening = bus.subscribe(&[Channel::Crypto], 64).await.expect("subscribes");
    let before = bus.append(Stream::Events, Bytes::from_static(b"before")).await.expect("appends");
    let blocked = {
        let bus = Arc::clone(&bus);
        tokio::spawn(async move { bus.read(Stream::Events, before, 1, SOON).await })
    };
    server.kill();
    until(&bus, |link| matches!(link, BusLink::Down(_))).await;
    let refused = bus.publish(Channel::Crypto, Bytes::from_static(b"lost")).await;
    assert!(matches!(refused, Err(BusError::Unreachable(_))), "{refused:?}");
    let broken = timeout(SOON, blocked).await.expect("a blocked read ends").expect("a task");
    assert!(broken.is_err(), "{broken:?}");

    server.restart();
    until(&bus, |link| *link == BusLink::Up).await;
    assert_eq!(message(&mut listening).await, Delivery::Resumed, "the gap is told");
    bus.publish(Channel::Crypto, Bytes::from_static(b"again")).await.expect("publishes");
    assert!(matches!(message(&mut listening).await, Delivery::Message { .. }));
    let kept = bus.tail(Stream::Events, 1).await.expect("reads");
    assert_eq!(text(&kept[0].payload), "before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_lost_with_the_servers_data_is_made_again() {
    let mut server = RedisServer::start();
    let bus: BusRef = RedisBus::new(&server.url()).expect("an address");
    let (stream, group) = (Stream::Signals, Group::Hermes);
    bus.create_group(stream, group).await.expect("creates");
    server.kill();
    until(&bus, |link| matches!(link, BusLink::Down(_))).await;
    server.restart_empty();
    until(&bus, |link| *link == BusLink::Up).await;
    let lost = bus.read_group(stream, group, "a", ReadFrom::New, 1, Duration::from_millis(100)).await;
    assert_eq!(lost, Err(BusError::NoGroup { stream, group }));
    bus.create_group(stream, group).await.expect("creates");
    bus.append(stream, Bytes::from_static(b"1")).await.expect("appends");
    let entries = bus.read_group(stream, group, "a", ReadFrom::New, 1, SOON).await.expect("reads");
    assert_eq!(text(&entries[0].payload), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocking_readers_do_not_wait_for_one_another() {
    let server = RedisServer::start();
    let bus: BusRef = RedisBus::new(&server.url()).expect("an address");
    bus.create_group(Stream::Signals, Group::Hermes).await.expect("creates");
    let waiting: Vec<_> = [Stream::Commands, Stream::Acks]
        .into_iter()
        .map(|stream| {
            let bus = Arc::clone(&bus);
            tokio::spawn(async move { bus.read(stream, EntryId::START, 1, Duration::from_mins(1)).await })
        })
        .collect();
    let consumer = {
        let bus = Arc::clone(&bus);
        tokio::spawn(async move {
            bus.read_group(Stream::Signals, Group::Hermes, "a", ReadFrom::New, 1, Duration::from_mins(1)).await
        })
    };
    bus.append(Stream::Signals, Bytes::from_static(b"s")).await.expect("appends");
    let got = timeout(SOON, consumer).await.expect("not behind the others").expect("a task").expect("reads");
    assert_eq!(text(&got[0].payload), "s");
    for task in waiting {
        task.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_later_is_found_and_a_wrong_password_is_told_without_it() {
    let mut server = RedisServer::with(&["--requirepass", "right"]);
    server.kill();
    let address = |password: &str| format!("redis://:{password}@127.0.0.1:{}/0", server.port());
    let (right, wrong) = (address("right"), address("s3cret"));
    let bus: BusRef = RedisBus::new(&right).expect("an address");
    until(&bus, |link| matches!(link, BusLink::Down(why) if why.contains("refused"))).await;
    server.restart();
    until(&bus, |link| *link == BusLink::Up).await;
    bus.set(&Key::ARGOS, Bytes::from_static(b"x")).await.expect("writes");

    let stranger: BusRef = RedisBus::new(&wrong).expect("an address");
    until(&stranger, |link| matches!(link, BusLink::Down(why) if why != "connecting")).await;
    let error = stranger.get(&Key::ARGOS).await.expect_err("a wrong password").to_string();
    assert!(error.to_lowercase().contains("password") || error.contains("WRONGPASS"), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
}

#[test]
fn an_address_that_is_none_is_refused_without_its_password() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let error = runtime.block_on(async { RedisBus::new("http://user:s3cret@host/").expect_err("not redis") });
    let error = error.to_string();
    assert!(error.contains("redis://") && !error.contains("s3cret"), "{error}");
}
