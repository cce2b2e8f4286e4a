//! What becomes of us when the server dies, falls silent or comes back without its data.

use std::time::Duration;

use cockpit::bus::redis::RedisBus;
use cockpit::bus::{Bus, BusError, BusLink, Channel, Delivery, EntryId, Group, Key, ReadFrom, Stream};
use cockpit::clock;

use crate::support::redis_server::{Data, RedisServer};
use crate::{ASK_AGAIN, PATIENCE, append, next, payloads, text, until_down, until_up};

const GROUP: Group = Group::Hermes;
const ORDERS: Stream = Stream::Signals;
/// What the bus gives one call, and with a connection that is dialled for it; a busy machine adds to both.
const CALL: Duration = Duration::from_secs(2);
const BOUND: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_server_that_starts_later_is_found() {
    let mut server = RedisServer::down();
    let bus = RedisBus::new(&server.url()).unwrap();
    let mut link = bus.link();
    let Err(BusError::Unreachable(reason)) = bus.get(&Key::Kill).await else { panic!("nobody is there") };
    assert!(reason.contains(&server.url()), "{reason}");
    assert!(until_down(&mut link).await.contains(&server.url()));
    let mut subscription = bus.subscribe(&[Channel::Crypto], 8).await.unwrap();

    server.up();
    until_up(&mut link).await;
    bus.set(&Key::Kill, text("x")).await.unwrap();
    assert_eq!(next(&mut subscription).await, Delivery::Resumed);
    bus.publish(Channel::Crypto, text("tick")).await.unwrap();
    assert_eq!(next(&mut subscription).await, Delivery::Message { channel: Channel::Crypto, payload: text("tick") });
}

#[tokio::test]
async fn a_killed_server_is_noticed_at_once_and_found_again() {
    let mut server = RedisServer::start();
    let bus = RedisBus::new(&server.url()).unwrap();
    let mut link = bus.link();
    bus.create_group(ORDERS, GROUP).await.unwrap();
    append(&*bus, ORDERS, "before").await;
    bus.read_group(ORDERS, GROUP, "me", ReadFrom::New, 1, PATIENCE).await.unwrap();
    let mut subscription = bus.subscribe(&[Channel::Crypto], 8).await.unwrap();
    let blocked = tokio::spawn({
        let bus = bus.clone();
        async move { bus.read_group(ORDERS, GROUP, "me", ReadFrom::New, 1, PATIENCE).await }
    });
    until_blocked(&server, 1).await;
    until_up(&mut link).await;

    server.kill();
    let told = until_down(&mut link).await;
    assert!(told.contains(&server.url()), "{told}");
    assert!(blocked.await.unwrap().unwrap_err().is_transient());
    assert!(bus.append(ORDERS, text("lost")).await.unwrap_err().is_transient());

    server.restart(Data::Kept);
    until_up(&mut link).await;
    let own = bus.read_group(ORDERS, GROUP, "me", ReadFrom::Pending(EntryId::START), 9, Duration::ZERO).await.unwrap();
    assert_eq!(payloads(&own), ["before"], "pending entries outlive the crash");
    append(&*bus, ORDERS, "after").await;
    let new = bus.read_group(ORDERS, GROUP, "me", ReadFrom::New, 9, PATIENCE).await.unwrap();
    assert_eq!(payloads(&new), ["after"]);
    assert_eq!(next(&mut subscription).await, Delivery::Resumed);
    bus.publish(Channel::Crypto, text("tick")).await.unwrap();
    assert_eq!(next(&mut subscription).await, Delivery::Message { channel: Channel::Crypto, payload: text("tick") });
}

#[tokio::test]
async fn a_group_lost_with_the_data_is_named_and_can_be_made_again() {
    let mut server = RedisServer::start();
    let bus = RedisBus::new(&server.url()).unwrap();
    bus.create_group(ORDERS, GROUP).await.unwrap();
    append(&*bus, ORDERS, "a").await;
    let mut link = bus.link();
    server.kill();
    until_down(&mut link).await;
    server.restart(Data::Lost);
    until_up(&mut link).await;
    let missing = BusError::NoGroup { stream: ORDERS, group: GROUP };
    for block in [Duration::ZERO, PATIENCE] {
        assert_eq!(bus.read_group(ORDERS, GROUP, "me", ReadFrom::New, 1, block).await, Err(missing.clone()));
    }
    bus.create_group(ORDERS, GROUP).await.unwrap();
    append(&*bus, ORDERS, "b").await;
    let read = bus.read_group(ORDERS, GROUP, "me", ReadFrom::New, 9, PATIENCE).await.unwrap();
    assert_eq!(payloads(&read), ["b"]);
}

#[tokio::test]
async fn a_reader_blocked_while_its_stream_is_deleted_learns_that_the_group_is_gone() {
    let server = RedisServer::start();
    let bus = RedisBus::new(&server.url()).unwrap();
    bus.create_group(ORDERS, GROUP).await.unwrap();
    let blocked = tokio::spawn({
        let bus = bus.clone();
        async move { bus.read_group(ORDERS, GROUP, "me", ReadFrom::New, 1, PATIENCE).await }
    });
    until_blocked(&server, 1).await;
    assert_eq!(server.command("FLUSHALL"), "+OK");
    append(&*bus, ORDERS, "first of a new life").await;
    assert_eq!(blocked.await.unwrap(), Err(BusError::NoGroup { stream: ORDERS, group: GROUP }));
}

#[tokio::test]
async fn a_silent_server_costs_a_bounded_time() {
    let server = RedisServer::start();
    let bus = RedisBus::new(&server.url()).unwrap();
    let mut link = bus.link();
    let mut subscription = bus.subscribe(&[Channel::Crypto], 8).await.unwrap();
    bus.set(&Key::ARGOS, text("x")).await.unwrap();
    bus.read(ORDERS, EntryId::START, 1, Duration::from_millis(1)).await.unwrap();

    server.signal("STOP");
    let (call, read) = tokio::join!(
        timed(bus.get(&Key::ARGOS)),
        timed(bus.read(ORDERS, EntryId::START, 1, Duration::from_millis(100))),
    );
    assert!(matches!(call.0, Err(BusError::Timeout(_))), "{call:?}");
    assert!(matches!(read.0, Err(BusError::Timeout(_))), "{read:?}");
    assert!(call.1 < BOUND && read.1 < BOUND, "{call:?} {read:?}");
    until_down(&mut link).await;
    // A server that is known to be down costs nothing.
    let (refused, took) = timed(bus.get(&Key::ARGOS)).await;
    assert!(refused.is_err() && took < CALL, "{took:?}");

    server.signal("CONT");
    until_up(&mut link).await;
    assert_eq!(bus.get(&Key::ARGOS).await, Ok(Some(text("x"))));
    // Its connection either lasted or was renewed; both are in order, silence is not.
    let heard = async {
        loop {
            bus.publish(Channel::Crypto, text("tick")).await.unwrap();
            let wait = tokio::time::timeout(Duration::from_millis(100), subscription.recv());
            if let Ok(Some(Delivery::Message { .. })) = wait.await {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, heard).await.expect("messages come again");
}

#[tokio::test]
async fn a_loop_around_a_blocking_read_does_not_spin_while_the_server_is_down() {
    let server = RedisServer::down();
    let bus = RedisBus::new(&server.url()).unwrap();
    until_down(&mut bus.link()).await;
    let (begun, mut attempts) = (clock::monotonic(), 0);
    while begun.elapsed() < Duration::from_secs(1) {
        let read = bus.read_group(ORDERS, GROUP, "me", ReadFrom::New, 1, Duration::from_millis(100)).await;
        assert!(read.unwrap_err().is_transient());
        attempts += 1;
    }
    assert!(attempts <= 11, "{attempts}");
}

#[tokio::test]
async fn a_dropped_read_takes_nothing_with_it() {
    let server = RedisServer::start();
    let bus = RedisBus::new(&server.url()).unwrap();
    bus.create_group(ORDERS, GROUP).await.unwrap();
    let dropped = tokio::spawn({
        let bus = bus.clone();
        async move { bus.read_group(ORDERS, GROUP, "me", ReadFrom::New, 1, PATIENCE).await }
    });
    until_blocked(&server, 1).await;
    dropped.abort();
    until_blocked(&server, 0).await;
    append(&*bus, ORDERS, "order").await;
    let read = bus.read_group(ORDERS, GROUP, "other", ReadFrom::New, 1, PATIENCE).await.unwrap();
    assert_eq!(payloads(&read), ["order"]);
}

#[tokio::test]
async fn readers_keep_their_connections() {
    let server = RedisServer::start();
    let bus = RedisBus::new(&server.url()).unwrap();
    for _ in 0..5 {
        bus.read(ORDERS, EntryId::START, 1, Duration::from_millis(1)).await.unwrap();
    }
    let taken = number(&server.command("INFO stats"), "total_connections_received:");
    for _ in 0..20 {
        bus.read(ORDERS, EntryId::START, 1, Duration::from_millis(1)).await.unwrap();
    }
    let now = number(&server.command("INFO stats"), "total_connections_received:");
    assert_eq!(now, taken + 1, "only the question itself dialled");
    assert_eq!(*bus.link().borrow(), BusLink::Up);
}

async fn timed<T>(call: impl Future<Output = T>) -> (T, Duration) {
    let begun = clock::monotonic();
    let answer = call.await;
    (answer, begun.elapsed())
}

/// Waits until that many clients are blocked at the server.
async fn until_blocked(server: &RedisServer, count: u64) {
    let asked = async {
        while number(&server.command("INFO clients"), "blocked_clients:") != count {
            tokio::time::sleep(ASK_AGAIN).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("blocked in time");
}

fn number(info: &str, name: &str) -> u64 {
    let line = info.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("{name} in {info}")).parse().expect("a number")
}
