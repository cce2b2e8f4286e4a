//! A real Redis behind real sentinels, and what becomes of us when another server becomes the master.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cockpit::bus::redis::RedisBus;
use cockpit::bus::{
    Bus, BusError, BusLink, Channel, Delivery, Entry, EntryId, Group, Key, ReadFrom, Stream, Subscription,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::redis_server::RedisServer;
use crate::support::sentinel_cluster::{Layout, SentinelCluster};
use crate::{ASK_AGAIN, PATIENCE, append, next, payloads, text, until_down, until_up};

const GROUP: Group = Group::Hermes;
const ORDERS: Stream = Stream::Signals;

/// A bus on the cluster that is up, with a group and one entry of it that is pending, and that every replica has.
async fn in_use(cluster: &SentinelCluster) -> Arc<RedisBus> {
    let bus = RedisBus::new(&cluster.url()).unwrap();
    until_up(&mut bus.link()).await;
    bus.create_group(ORDERS, GROUP).await.unwrap();
    append(&*bus, ORDERS, "pending").await;
    bus.read_group(ORDERS, GROUP, "me", ReadFrom::New, 1, PATIENCE).await.unwrap();
    let replicated = async {
        let pending = r#"EVAL "return #redis.call('XPENDING', 'trade.signals', 'hermes', '-', '+', 9)" 0"#;
        let lacks = |server: &RedisServer| server.command(pending) != ":1";
        while cluster.servers.iter().any(lacks) {
            tokio::time::sleep(ASK_AGAIN).await;
        }
    };
    tokio::time::timeout(PATIENCE, replicated).await.expect("replicated in time");
    bus
}

/// A member of the group that waits for entries for a minute, and is patient with failovers, as Hermes is.
fn waiting_member(bus: &Arc<RedisBus>) -> JoinHandle<(Vec<Entry>, usize)> {
    let bus = Arc::clone(bus);
    tokio::spawn(async move {
        let mut failures = 0;
        loop {
            match bus.read_group(ORDERS, GROUP, "waiting", ReadFrom::New, 1, Duration::from_mins(1)).await {
                Ok(entries) => return (entries, failures),
                Err(BusError::NoGroup { .. }) => bus.create_group(ORDERS, GROUP).await.unwrap(),
                Err(error) => {
                    assert!(error.is_transient(), "{error}");
                    failures += 1;
                }
            }
        }
    })
}

/// Waits for messages until one arrives that was published on the way; there may be a gap, and it must be told.
async fn hears_again(bus: &RedisBus, subscription: &mut Subscription) {
    assert_eq!(next(subscription).await, Delivery::Resumed);
    bus.publish(Channel::Crypto, text("tick")).await.unwrap();
    assert_eq!(next(subscription).await, Delivery::Message { channel: Channel::Crypto, payload: text("tick") });
}

/// Waits until the bus has moved to another master. The link may be down for a few milliseconds only, too short to be seen, and on a
/// busy machine it may come back to the old master before it moves: so what counts is what the bus says of it.
async fn until_moved(bus: &RedisBus, link: &mut watch::Receiver<BusLink>) {
    let moved = async {
        while !bus.concerns().iter().any(|concern| concern.contains("failed over")) {
            link.changed().await.expect("bus");
        }
    };
    tokio::time::timeout(PATIENCE, moved).await.expect("moved in time");
    until_up(link).await;
}

async fn until_waiting(cluster: &SentinelCluster, server: usize) {
    let asked = async {
        while !cluster.servers[server].command("INFO clients").contains("blocked_clients:1") {
            tokio::time::sleep(ASK_AGAIN).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("blocked in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_master_is_replaced_and_everything_goes_on_without_a_hot_loop() {
    let mut cluster = SentinelCluster::start();
    let bus = in_use(&cluster).await;
    let mut link = bus.link();
    let mut subscription = bus.subscribe(&[Channel::Crypto], 8).await.unwrap();
    let member = waiting_member(&bus);
    until_waiting(&cluster, 0).await;
    let before = cluster.connections_taken();
    let begun = cockpit::clock::monotonic();

    assert_eq!(cluster.kill_master(), 0);
    let old = cluster.servers[0].port().to_string();
    let told = until_down(&mut link).await;
    assert!(told.contains("failover") && told.contains(&old), "{told}");
    assert!(bus.append(ORDERS, text("lost")).await.unwrap_err().is_transient());
    until_up(&mut link).await;
    let outage = begun.elapsed();
    assert_eq!(cluster.until_failed_over(0), 1);

    let own = bus.read_group(ORDERS, GROUP, "me", ReadFrom::Pending(EntryId::START), 9, Duration::ZERO).await.unwrap();
    assert_eq!(payloads(&own), ["pending"], "the new master knows what was pending");
    append(&*bus, ORDERS, "after").await;
    let (read, failures) = tokio::time::timeout(PATIENCE, member).await.expect("read in time").unwrap();
    assert_eq!(payloads(&read), ["after"]);
    hears_again(&bus, &mut subscription).await;
    let taken: Vec<u64> = cluster.connections_taken().iter().zip(&before).map(|(now, before)| now - before).collect();
    // Each attempt asks every sentinel once; the pauses between attempts grow to two seconds.
    let figures = format!("down for {outage:?}; connections to each sentinel {taken:?}; failed reads {failures}");
    assert!(failures <= 3 && taken.iter().all(|taken| *taken <= 40), "{figures}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_falls_silent_is_left_and_gets_no_write_when_it_wakes() {
    let cluster = SentinelCluster::start_with(Layout::SMALL);
    let bus = in_use(&cluster).await;
    let mut link = bus.link();
    let mut subscription = bus.subscribe(&[Channel::Crypto], 8).await.unwrap();
    let member = waiting_member(&bus);
    until_waiting(&cluster, 0).await;
    link.mark_unchanged();
    cluster.servers[0].signal("STOP");
    until_moved(&bus, &mut link).await;
    append(&*bus, ORDERS, "after").await;
    let (read, _) = tokio::time::timeout(PATIENCE, member).await.expect("read in time").unwrap();
    assert_eq!(payloads(&read), ["after"], "the blocked reader has left a master that tells it nothing");
    hears_again(&bus, &mut subscription).await;
    cluster.servers[0].signal("CONT");
    append(&*bus, ORDERS, "while the old master believes it is one").await;
    assert_eq!(cluster.servers[1].command("XLEN trade.signals"), ":3", "{}", cluster.logs());
    assert_eq!(*link.borrow(), BusLink::Up);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_on_order_moves_every_connection() {
    let cluster = SentinelCluster::start_with(Layout::SMALL);
    let bus = in_use(&cluster).await;
    let mut subscription = bus.subscribe(&[Channel::Crypto], 8).await.unwrap();
    let member = waiting_member(&bus);
    until_waiting(&cluster, 0).await;
    let mut link = bus.link();
    link.mark_unchanged();
    // The old master lives on, and takes writes until it is told: we have to leave it on the sentinels' word.
    cluster.order_failover();
    until_moved(&bus, &mut link).await;
    append(&*bus, ORDERS, "after").await;
    let new = cluster.until_failed_over(0);
    let (read, _) = tokio::time::timeout(PATIENCE, member).await.expect("read in time").unwrap();
    assert_eq!(payloads(&read), ["after"]);
    assert_eq!(cluster.servers[new].command("XLEN trade.signals"), ":2");
    hears_again(&bus, &mut subscription).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_master_that_comes_back_is_not_used_even_when_a_sentinel_has_forgotten_the_failover() {
    let mut cluster = SentinelCluster::start_with(Layout::SMALL);
    let bus = in_use(&cluster).await;
    let mut link = bus.link();
    cluster.kill_master();
    until_down(&mut link).await;
    until_up(&mut link).await;
    append(&*bus, ORDERS, "on the new master").await;

    // The sentinel loses its memory and takes the old master, which is back, for the master; the new one dies.
    cluster.sentinels[0].kill();
    cluster.servers[0].up();
    cluster.start_sentinel(0, 0);
    cluster.servers[1].kill();
    let behind = link.wait_for(|link| matches!(link, BusLink::Down(reason) if reason.contains("behind")));
    tokio::time::timeout(PATIENCE, behind).await.expect("told in time").expect("bus");
    assert!(bus.append(ORDERS, text("to an old master")).await.unwrap_err().is_transient());
    assert_eq!(cluster.servers[0].command("XLEN trade.signals"), ":1", "{}", cluster.logs());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_no_sentinel_knows_and_a_password_that_is_missing_are_named() {
    let locked = Layout { sentinel_password: "watch", ..Layout::QUIET };
    let cluster = SentinelCluster::start_with(locked);
    let down = async |url: &str| {
        let bus = RedisBus::new(url).unwrap();
        assert!(bus.get(&Key::Kill).await.is_err());
        until_down(&mut bus.link()).await
    };
    let told = down(&cluster.url()).await;
    assert!(told.contains("sentinel_password"), "{told}");
    let told = down(&cluster.url_of("other?sentinel_password=watch")).await;
    assert!(told.contains("knows no service 'other'"), "{told}");
    let told = down(&cluster.url_of("desk?sentinel_password=wrong")).await;
    assert!(told.contains("authentication failed") && !told.contains("wrong"), "{told}");
    let bus = RedisBus::new(&cluster.url_of("desk/3?sentinel_password=watch")).unwrap();
    bus.set(&Key::ARGOS, text("x")).await.unwrap();
    assert_eq!(cluster.servers[0].command("DBSIZE"), ":0", "it was written to database 3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_sentinels_cost_nothing_while_one_answers_and_are_named_when_none_does() {
    let mut cluster = SentinelCluster::start_with(Layout { sentinels: 2, ..Layout::QUIET });
    cluster.sentinels[0].kill();
    let bus = RedisBus::new(&cluster.url()).unwrap();
    bus.set(&Key::ARGOS, text("x")).await.unwrap();
    cluster.sentinels[1].kill();
    bus.set(&Key::ARGOS, text("y")).await.unwrap();
    assert_eq!(*bus.link().borrow(), BusLink::Up, "the master is not lost with its sentinels");
    let other = RedisBus::new(&cluster.url()).unwrap();
    assert!(matches!(other.get(&Key::ARGOS).await, Err(BusError::Unreachable(_))));
    let told = until_down(&mut other.link()).await;
    assert!(told.matches("sentinel 127.0.0.1:").count() == 2, "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bus_that_begins_while_nobody_is_there_finds_the_master_later() {
    let mut cluster = SentinelCluster::start_with(Layout::QUIET);
    cluster.sentinels[0].kill();
    let bus = RedisBus::new(&cluster.url()).unwrap();
    assert!(bus.get(&Key::ARGOS).await.unwrap_err().is_transient());
    let mut subscription = bus.subscribe(&[Channel::Crypto], 8).await.unwrap();
    cluster.start_sentinel(0, 0);
    until_up(&mut bus.link()).await;
    hears_again(&bus, &mut subscription).await;
}

/// What everything in this process logs, for a test that reads it.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    /// For the whole process: what is set for one thread alone misses what another thread's first use has switched off.
    fn begin() -> Self {
        let written = Self::default();
        let log = written.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone()).finish();
        tracing::subscriber::set_global_default(subscriber).expect("no other test reads the log");
        written
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("lock").clone()).expect("text")
    }
}

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_is_logged_in_one_line_with_the_old_and_the_new_address() {
    let written = Written::begin();
    let mut cluster = SentinelCluster::start_with(Layout::SMALL);
    let bus = in_use(&cluster).await;
    let mut link = bus.link();
    cluster.kill_master();
    until_down(&mut link).await;
    until_up(&mut link).await;
    let [old, new] = [0, 1].map(|server| format!("127.0.0.1:{}", cluster.servers[server].port()));
    let log = written.text();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("failed over") && line.contains(&old)).collect();
    let expected = [format!("old={old}"), format!("new={new}"), "outage_ms=".to_owned()];
    assert!(lines.len() == 1 && expected.iter().all(|part| lines[0].contains(part)), "{log}");
}
