//! Readers of a stream that has lost its newest entries, and servers that take no writes for a while.

use std::time::Duration;

use cockpit::bus::redis::RedisBus;
use cockpit::bus::{Bus, BusError, BusLink, Channel, EntryId, Key, Stream};

use crate::support::redis_server::{Data, RedisServer};
use crate::{PATIENCE, append, payloads, text, until_down, until_up};

const EVENTS: Stream = Stream::Events;

/// Puts entries of those ids on the stream, as a server would whose clock stands there.
fn put(server: &RedisServer, ids: &[&str]) {
    for id in ids {
        assert!(server.command(&format!("XADD trade.events {id} m {id}")).starts_with(&id[..1]), "{id}");
    }
}

#[tokio::test]
async fn a_reader_ahead_of_the_stream_goes_on_with_what_is_left() {
    let server = RedisServer::start();
    let bus = RedisBus::new(&server.url()).unwrap();
    let read = async |after: EntryId, block| bus.read(EVENTS, after, 9, block).await.unwrap();
    put(&server, &["100-0", "200-0", "300-0"]);
    let last = read(EntryId::START, Duration::ZERO).await[2].id;

    // As after a failover to a replica that had only the first, and whose clock is behind.
    server.command("DEL trade.events");
    put(&server, &["100-0"]);
    assert_eq!(read(last, Duration::from_millis(50)).await, [], "nothing is new, and nothing is told twice");
    put(&server, &["150-0"]);
    let found = read(last, Duration::ZERO).await;
    assert_eq!(payloads(&found), ["150-0"], "what came after the first look is new, though its id is low");
    assert_eq!(read(found[0].id, Duration::ZERO).await, []);

    // A reader that is blocked behind a place that is gone is woken by an entry with a lower id.
    let waiting = tokio::spawn({
        let bus = bus.clone();
        async move { bus.read(EVENTS, EntryId { millis: 250, index: 0 }, 9, PATIENCE).await }
    });
    let asked = async {
        while !server.command("INFO clients").contains("blocked_clients:1") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("blocked in time");
    put(&server, &["160-0"]);
    assert_eq!(payloads(&waiting.await.unwrap().unwrap()), ["160-0"]);
}

#[tokio::test]
async fn a_reader_of_a_server_that_came_back_empty_gets_all_that_is_new() {
    let mut server = RedisServer::start();
    let bus = RedisBus::new(&server.url()).unwrap();
    let mut link = bus.link();
    put(&server, &["9999999999999-0"]);
    let last = bus.tail(EVENTS, 1).await.unwrap()[0].id;
    server.kill();
    until_down(&mut link).await;
    server.restart(Data::Lost);
    until_up(&mut link).await;
    assert_eq!(bus.read(EVENTS, last, 9, Duration::from_millis(20)).await, Ok(Vec::new()));
    append(&*bus, EVENTS, "first of a new life").await;
    let read = bus.read(EVENTS, last, 9, PATIENCE).await.unwrap();
    assert_eq!(payloads(&read), ["first of a new life"]);
}

#[tokio::test]
async fn a_server_without_enough_replicas_is_degraded_and_says_so() {
    let server = RedisServer::start_with(&["--min-replicas-to-write", "1"]);
    let bus = RedisBus::new(&server.url()).unwrap();
    let mut link = bus.link();
    assert_eq!(bus.get(&Key::Kill).await, Ok(None), "reading goes on");
    let refused = bus.append(Stream::Signals, text("order")).await.unwrap_err();
    assert!(matches!(&refused, BusError::Degraded(reason) if reason.starts_with("NOREPLICAS")), "{refused}");
    assert!(refused.is_transient());
    bus.publish(Channel::Kill, text("a kill goes through")).await.unwrap();
    let degraded = link.wait_for(|link| matches!(link, BusLink::Degraded(reason) if reason.contains("NOREPLICAS")));
    tokio::time::timeout(PATIENCE, degraded).await.expect("told in time").expect("bus");
    server.command("CONFIG SET min-replicas-to-write 0");
    until_up(&mut link).await;
    append(&*bus, Stream::Signals, "order").await;
    // A failing write has the server looked at, without waiting for the next look.
    server.command("CONFIG SET min-replicas-to-write 1");
    assert!(bus.append(Stream::Signals, text("order")).await.is_err());
    let degraded = link.wait_for(|link| matches!(link, BusLink::Degraded(_)));
    tokio::time::timeout(PATIENCE, degraded).await.expect("told in time").expect("bus");
}

#[tokio::test]
async fn a_replica_is_no_server_to_write_to() {
    let master = RedisServer::start();
    let replica = RedisServer::start_with(&["--replicaof", "127.0.0.1", &master.port().to_string()]);
    let bus = RedisBus::new(&replica.url()).unwrap();
    let refused = bus.append(Stream::Signals, text("order")).await.unwrap_err();
    assert!(refused.is_transient(), "{refused}");
    let told = until_down(&mut bus.link()).await;
    assert!(told.contains("READONLY") || told.contains("LOADING"), "{told}");
}

#[tokio::test]
async fn settings_that_lose_data_are_named_with_the_right_value() {
    let sound = RedisServer::start_restricted();
    let bus = RedisBus::new(&sound.url_as("desk:pw")).unwrap();
    until_up(&mut bus.link()).await;
    assert_eq!(bus.concerns(), Vec::<String>::new());

    let careless = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru", "--appendonly", "no"]);
    let bus = RedisBus::new(&careless.url()).unwrap();
    until_up(&mut bus.link()).await;
    let told = bus.concerns();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("maxmemory-policy is allkeys-lru") && told[0].contains("noeviction"), "{told:?}");
    assert!(told[1].contains("appendonly is no") && told[1].contains("yes"), "{told:?}");
}

#[tokio::test]
async fn a_user_who_may_not_ask_for_settings_hears_nothing_of_them() {
    let server = RedisServer::start_with(&[
        "--appendonly",
        "no", //
        "--user",
        "desk",
        "on",
        ">pw",
        "~*",
        "&*",
        "+@all",
        "-config",
    ]);
    let bus = RedisBus::new(&server.url_as("desk:pw")).unwrap();
    until_up(&mut bus.link()).await;
    assert_eq!(bus.concerns(), Vec::<String>::new());
}
