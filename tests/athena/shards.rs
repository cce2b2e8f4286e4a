//! Two Athenas share the instruments. Neither knows what the other is about to do; Hermes' gate does.

use std::collections::BTreeSet;
use std::time::Duration;

use cockpit::bus::redis::RedisBus;
use cockpit::bus::{BusRef, Origin, encode};
use cockpit::clock;
use cockpit::domain::{Price, Side, Size, Tick, TickKind};
use cockpit::pipeline::athena::Shard;
use rust_decimal::{Decimal, dec};
use serde_json::Value;

use crate::child::{Athena, Cast, PATIENCE, RACERS_EXPOSURE, key, racers, until_ready};
use crate::desk::{Home, Process, Sim, decimal, eventually};
use crate::support::redis_server::RedisServer;
use crate::support::scene;

/// Instruments ticking like a feed.
struct Ticks {
    origin: Origin,
    trade: u64,
}

impl Ticks {
    /// One trade of every instrument, all in one exchange.
    fn tell(&mut self, redis: &mut redis::Connection, price: Decimal, ago: Duration) {
        let mut pipe = redis::pipe();
        let now = clock::now();
        for (symbol, _) in racers() {
            self.trade += 1;
            let kind =
                TickKind::Trade { price: Price(price), qty: Size(dec!(1)), side: Side::Buy, trade_id: self.trade };
            let tick = Tick { symbol: symbol.into(), kind, event_at: now.minus(ago), received_at: now };
            let payload = encode(&self.origin.wrap(&tick, now)).expect("encodes");
            pipe.cmd("PUBLISH").arg("data.crypto").arg(&payload[..]).ignore();
        }
        pipe.exec(redis).expect("redis answers");
    }
}

fn events(redis: &mut redis::Connection, stream: &str) -> Vec<Value> {
    let reply: redis::streams::StreamRangeReply =
        redis::cmd("XRANGE").arg(stream).arg("-").arg("+").query(redis).expect("redis answers");
    let body = |entry: &redis::streams::StreamId| {
        let text: String = entry.get("m").expect("a payload");
        serde_json::from_str::<Value>(&text).expect("JSON")
    };
    reply.ids.iter().map(body).collect()
}

fn home(redis: &RedisServer, sim: &Sim) -> Home {
    let home = Home::new(&redis.url(), sim);
    home.allow_everything();
    home.edit("gross_exposure = \"1000000\"", &format!("gross_exposure = \"{}\"", RACERS_EXPOSURE.decimal()));
    let slugs: Vec<String> = racers().map(|(_, slug)| format!("\"{slug}\"")).collect();
    home.edit(
        "markets = [\"btc-updown-5m-{start}\", \"quiet-sample-market\", \"quiet-sample-market-{start}\"]",
        &format!("markets = [\"btc-updown-5m-{{start}}\", {}]", slugs.join(", ")),
    );
    home
}

/// What the venue has accepted of ours, at its limit: an upper bound of what was at stake at any time, since nothing was sold.
fn at_stake_at_most(sim: &Sim) -> (usize, Decimal) {
    let truth = sim.truth();
    let account = sim.hello["accounts"][0]["address"].as_str().expect("an address").to_lowercase();
    let orders = truth["orders"].as_array().expect("orders");
    let mine: Vec<&Value> =
        orders.iter().filter(|order| order["account"].as_str().expect("text").to_lowercase() == account).collect();
    assert!(
        mine.iter().all(|order| order["side"].as_str().is_some_and(|side| side.eq_ignore_ascii_case("buy"))),
        "{mine:?}"
    );
    (mine.len(), mine.iter().map(|order| decimal(&order["price"]) * decimal(&order["size"])).sum())
}

struct Desk {
    redis: RedisServer,
    connection: redis::Connection,
    sim: Sim,
    home: Home,
    hermes: Process,
    athenas: [Athena; 2],
}

impl Desk {
    fn start() -> Self {
        let redis = RedisServer::start();
        let client = redis::Client::open(redis.url()).expect("an address");
        let mut connection = client.get_connection().expect("redis answers");
        let sim = Sim::start("1");
        let home = home(&redis, &sim);
        let hermes = home.start("hermes", &["run", "hermes"]);
        let athenas = ["1/2", "2/2"].map(|shard| Athena::start(&redis, Cast::Racers, shard));
        for name in ["state.athena", "state.athena.2"] {
            until_ready(&mut connection, name, None);
        }
        Self { redis, connection, sim, home, hermes, athenas }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_strategies_on_two_athenas_never_breach_a_limit_together() {
    let owned =
        |index| racers().filter(|(name, _)| Shard::new(index, 2).expect("a part").owns(&name.as_str().into())).count();
    assert!(owned(1) >= 3 && owned(2) >= 3, "{} and {}", owned(1), owned(2));
    let mut desk = tokio::task::spawn_blocking(Desk::start).await.expect("a desk");
    let bus: BusRef = RedisBus::new(&desk.redis.url()).expect("an address");
    let mut markets = Vec::new();
    for (_, slug) in racers() {
        markets.push(scene::market(desk.sim.url("gamma"), &slug).await);
    }
    let mut feed = scene::feed(&bus, &markets);
    feed.heard().await;
    tokio::task::spawn_blocking(move || {
        race(&mut desk);
        parameters_are_in_force_at_both(&mut desk);
        assert_eq!(desk.hermes.stop(), 0);
        drop(desk.athenas);
    })
    .await
    .expect("the race");
}

/// However long they take: what Hermes said last stays fresh. He says it anew when he goes on.
fn speak_for_hermes(redis: &mut redis::Connection) {
    let text: String = redis::cmd("GET").arg("state.hermes").query(redis).expect("redis answers");
    let mut state: Value = serde_json::from_str(&text).expect("JSON");
    let at = state["body"]["at"].as_i64().expect("a time");
    state["body"]["at"] = (at + 3_600_000_000).into();
    redis::cmd("SET").arg("state.hermes").arg(state.to_string()).exec(redis).expect("redis answers");
}

fn race(desk: &mut Desk) {
    let Desk { connection, sim, hermes, .. } = desk;
    let mut ticks = Ticks { origin: Origin::new("argos", "racers"), trade: 0 };
    ticks.tell(connection, dec!(100), Duration::from_secs(9));
    ticks.tell(connection, dec!(100.01), Duration::from_secs(5));
    // Hermes stands still while they decide: neither can learn from him what the other did.
    hermes.signal("STOP");
    speak_for_hermes(connection);
    ticks.tell(connection, dec!(101), Duration::ZERO);
    let signals = eventually("signals of both", PATIENCE, || {
        let signals = events(connection, "trade.signals");
        let writers: BTreeSet<_> = signals.iter().map(|signal| signal["source"].to_string()).collect();
        (writers.len() == 2 && signals.len() == 6).then_some(signals)
    });
    hermes.signal("CONT");
    let wanted: Decimal = signals
        .iter()
        .map(|signal| decimal(&signal["body"]["intent"]["price"]) * decimal(&signal["body"]["intent"]["size"]))
        .sum();
    assert!(wanted > RACERS_EXPOSURE.decimal(), "together they want {wanted}");
    let denied = eventually("Hermes' denials", PATIENCE, || {
        let denied: Vec<Value> = events(connection, "trade.events")
            .into_iter()
            .map(|event| event["body"].clone())
            .filter(|event| event["event"] == "denied" && event["by"] == "hermes")
            .collect();
        (denied.len() == 3).then_some(denied)
    });
    for denial in &denied {
        assert_eq!(denial["denial"]["control"], "gross_exposure", "{denial}");
    }
    eventually("the accepted ones", PATIENCE, || {
        let state = key(connection, "state.hermes")?;
        (state["orders"]["accepted"] == 3).then_some(())
    });
    let (orders, at_stake) = at_stake_at_most(sim);
    assert_eq!(orders, 3);
    assert!(at_stake <= RACERS_EXPOSURE.decimal(), "{at_stake} at stake");
    println!(
        "two Athenas wanted {wanted} together; {at_stake} of {} got through; Hermes: {}",
        RACERS_EXPOSURE.decimal(),
        denied[0]["denial"]
    );
}

/// The first answers for both, and shows both.
fn parameters_are_in_force_at_both(desk: &mut Desk) {
    let output = desk.home.run(&["params", "set", "momentum", "size=10", "--why", "smaller", "--json"]);
    let ack: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!((&ack["verdict"]["verdict"], &ack["by"]), (&"applied".into(), &"athena 1/2, 2/2".into()), "{ack}");
    let second = key(&mut desk.connection, "state.athena.2").expect("her snapshot");
    assert_eq!(second["params"][0]["version"], ack["version"], "{second}");
    let changes = events(&mut desk.connection, "trade.events");
    let told = changes.iter().filter(|event| event["body"]["event"] == "params").count();
    assert_eq!(told, 1, "told once, though in force twice");
    eventually("one snapshot of both", PATIENCE, || {
        let state = key(&mut desk.connection, "state.athena")?;
        let all = state["strategies"].as_array()?.len() == 8 && state["signals"]["emitted"] == 6;
        (all && state["params"][0]["version"] == ack["version"]).then_some(())
    });
}
