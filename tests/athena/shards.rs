//! Two Athenas share the instruments. Neither knows what the other is about to do; Hermes' gate does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cockpit::bus::redis::RedisBus;
use cockpit::bus::{BusRef, Origin, encode};
use cockpit::clock;
use cockpit::domain::{Market, Price, Side, Size, Tick, TickKind, Timestamp};
use cockpit::pipeline::athena::Shard;
use rust_decimal::{Decimal, dec};
use serde_json::Value;

use crate::child::{
    Athena, Cast, FALLING, MOMENTUM_SIZE, PATIENCE, RACERS_WINDOW, REVERSION_SIZE, RISING, key, raced_slugs, racers,
    until_ready,
};
use crate::desk::{Home, Process, Sim, decimal, eventually};
use crate::support::redis_server::RedisServer;
use crate::support::scene;

/// Eight strategies, and one limit too narrow for what they want: momentum 20 shares at 0.61 of each of four markets, mean reversion 21.
#[derive(Clone, Copy, Debug)]
struct Race {
    limit: &'static str,
    at: Decimal,
    /// How many wishes pass the gates of the two Athenas, who do not see each other's.
    signals: usize,
    /// How many of those pass Hermes' too.
    accepted: usize,
}

const STRATEGIES: usize = 8;

const RACES: [Race; 4] = [
    Race { limit: "gross_exposure", at: dec!(40), signals: 6, accepted: 3 },
    Race { limit: "market_loss", at: dec!(20), signals: 8, accepted: 4 },
    Race { limit: "market_cap", at: dec!(30), signals: 8, accepted: 4 },
    Race { limit: "strategy_exposure", at: dec!(20), signals: 4, accepted: 2 },
];

/// Instruments ticking like a feed.
struct Ticks {
    origin: Origin,
    trade: u64,
    /// The time of the last tick; however long it takes, the others lie as long before it.
    last_at: Timestamp,
}

impl Ticks {
    /// One trade of every instrument, all in one exchange: this far from 100, above it and below.
    fn tell(&mut self, redis: &mut redis::Connection, moved: Decimal, before_last: Duration) {
        let mut pipe = redis::pipe();
        let now = clock::now();
        let rising = racers(RISING).map(|(symbol, _)| (symbol, dec!(100) + moved));
        let falling = racers(FALLING).map(|(symbol, _)| (symbol, dec!(100) - moved));
        for (symbol, price) in rising.chain(falling) {
            self.trade += 1;
            let kind =
                TickKind::Trade { price: Price(price), qty: Size(dec!(1)), side: Side::Buy, trade_id: self.trade };
            let event_at = self.last_at.minus(before_last);
            let tick = Tick { symbol: symbol.into(), kind, event_at, received_at: now };
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

fn home(redis: &RedisServer, sim: &Sim, race: Race) -> Home {
    let home = Home::new(&redis.url(), sim);
    home.allow_everything();
    home.edit(&format!("{} = \"1000000\"", race.limit), &format!("{} = \"{}\"", race.limit, race.at));
    let slugs: Vec<String> = raced_slugs().map(|slug| format!("\"{slug}\"")).collect();
    home.edit(
        "markets = [\"btc-updown-5m-{start}\", \"quiet-sample-market\", \"quiet-sample-market-{start}\"]",
        &format!("markets = [\"btc-updown-5m-{{start}}\", {}]", slugs.join(", ")),
    );
    home
}

/// One of our orders as the venue keeps it.
struct Kept {
    slug: String,
    size: Decimal,
    cost: Decimal,
}

/// What the venue has accepted of ours, at its limit: an upper bound of what was at stake at any time, since nothing was sold.
fn kept_by(sim: &Sim, markets: &[Market]) -> Vec<Kept> {
    let truth = sim.truth();
    let account = sim.hello["accounts"][0]["address"].as_str().expect("an address").to_lowercase();
    let orders = truth["orders"].as_array().expect("orders").iter();
    let mine = orders.filter(|order| order["account"].as_str().expect("text").to_lowercase() == account);
    mine.map(|order| {
        assert_eq!(order["side"], "BUY", "{order}");
        let token = order["token_id"].as_str().expect("text");
        let lists = |market: &&Market| market.tokens.iter().any(|outcome| outcome.token.as_str() == token);
        let market = markets.iter().find(lists).unwrap_or_else(|| panic!("no market of {order}"));
        let size = decimal(&order["size"]);
        Kept { slug: market.slug.to_string(), size, cost: size * decimal(&order["price"]) }
    })
    .collect()
}

/// What the venue's record comes to, as the limit measures it.
fn measured(limit: &str, kept: &[Kept]) -> Decimal {
    let strategy = |order: &Kept| {
        assert!([MOMENTUM_SIZE, REVERSION_SIZE].contains(&order.size), "nobody wants {}", order.size);
        if order.size == MOMENTUM_SIZE { "momentum".to_owned() } else { "reversion".to_owned() }
    };
    match limit {
        "gross_exposure" => kept.iter().map(|order| order.cost).sum(),
        "market_loss" => most(kept, |order| (order.slug.clone(), order.cost)),
        "market_cap" => most(kept, |order| (order.slug.clone(), order.size)),
        "strategy_exposure" => most(kept, |order| (strategy(order), order.cost)),
        other => panic!("no measure of {other}"),
    }
}

/// The largest sum of those with the same name.
fn most(kept: &[Kept], part: impl Fn(&Kept) -> (String, Decimal)) -> Decimal {
    let mut sums = BTreeMap::<String, Decimal>::new();
    for (name, amount) in kept.iter().map(part) {
        *sums.entry(name).or_default() += amount;
    }
    sums.into_values().max().unwrap_or_default()
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
    fn start(race: Race) -> Self {
        let redis = RedisServer::start();
        let client = redis::Client::open(redis.url()).expect("an address");
        let mut connection = client.get_connection().expect("redis answers");
        let sim = Sim::start("1");
        let home = home(&redis, &sim, race);
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
    let first = Shard::new(1, 2).expect("a part");
    for ((rising, slug), (falling, _)) in racers(RISING).zip(racers(FALLING)) {
        let hers = |symbol: &str| first.owns(&symbol.into());
        assert_ne!(hers(&rising), hers(&falling), "both of {slug} lie with one Athena");
    }
    for race in RACES {
        round(race).await;
    }
}

/// One race on a desk of its own.
async fn round(race: Race) {
    let mut desk = tokio::task::spawn_blocking(move || Desk::start(race)).await.expect("a desk");
    let bus: BusRef = RedisBus::new(&desk.redis.url()).expect("an address");
    let mut markets = Vec::new();
    for slug in raced_slugs() {
        markets.push(scene::market(desk.sim.url("gamma"), &slug).await);
    }
    let mut feed = scene::feed(&bus, &markets);
    feed.heard().await;
    tokio::task::spawn_blocking(move || {
        run(&mut desk, race, &markets);
        parameters_are_in_force_at_both(&mut desk, race.signals);
        assert_eq!(desk.hermes.stop(), 0);
        drop(desk.athenas);
    })
    .await
    .unwrap_or_else(|error| panic!("the race for {}: {error}", race.limit));
}

/// However long they take: what Hermes said last stays fresh. He says it anew when he goes on.
fn speak_for_hermes(redis: &mut redis::Connection) {
    let text: String = redis::cmd("GET").arg("state.hermes").query(redis).expect("redis answers");
    let mut state: Value = serde_json::from_str(&text).expect("JSON");
    let at = state["body"]["at"].as_i64().expect("a time");
    state["body"]["at"] = (at + 3_600_000_000).into();
    redis::cmd("SET").arg("state.hermes").arg(state.to_string()).exec(redis).expect("redis answers");
}

fn run(desk: &mut Desk, race: Race, markets: &[Market]) {
    let Desk { connection, sim, hermes, .. } = desk;
    let mut ticks = Ticks { origin: Origin::new("argos", "racers"), trade: 0, last_at: clock::now() };
    ticks.tell(connection, dec!(0), RACERS_WINDOW.mul_f64(0.95));
    ticks.tell(connection, dec!(0.01), RACERS_WINDOW / 2);
    // Hermes stands still while they decide: neither can learn from him what the other did.
    hermes.signal("STOP");
    speak_for_hermes(connection);
    ticks.tell(connection, dec!(1), Duration::ZERO);
    let (signals, held_back) = eventually("what each of the eight came to", PATIENCE, || {
        let (signals, denied) = (events(connection, "trade.signals"), denials(connection, "athena"));
        (signals.len() + denied.len() >= STRATEGIES).then_some((signals, denied))
    });
    hermes.signal("CONT");
    let writers: BTreeSet<_> = signals.iter().map(|signal| signal["source"].to_string()).collect();
    assert_eq!((writers.len(), signals.len()), (2, race.signals), "{signals:?} {held_back:?}");
    let wanted: Vec<Kept> = signals.iter().map(|signal| wish(&signal["body"]["intent"])).collect();
    let wanted = measured(race.limit, &wanted);
    assert!(wanted > race.at, "together they want {wanted}");
    let refused = eventually("Hermes' denials", PATIENCE, || {
        let refused = denials(connection, "hermes");
        (refused.len() >= race.signals - race.accepted).then_some(refused)
    });
    eventually("the accepted ones", PATIENCE, || {
        let state = key(connection, "state.hermes")?;
        (state["orders"]["accepted"] == race.accepted).then_some(())
    });
    for denial in held_back.iter().chain(&refused) {
        assert_eq!(denial["control"], race.limit, "{denial}");
    }
    let kept = kept_by(sim, markets);
    assert_eq!((kept.len(), refused.len()), (race.accepted, race.signals - race.accepted));
    let through = measured(race.limit, &kept);
    assert!(through <= race.at, "{through} got through");
    println!(
        "{} of {}: two Athenas wanted {wanted} together, {through} got through; Hermes: {}",
        race.limit, race.at, refused[0]
    );
}

/// Why these were denied, by whom.
fn denials(redis: &mut redis::Connection, by: &str) -> Vec<Value> {
    let events = events(redis, "trade.events").into_iter().map(|event| event["body"].clone());
    let denied = events.filter(|event| event["event"] == "denied" && event["by"] == by);
    denied.map(|event| event["denial"].clone()).collect()
}

/// What an intent would be at the venue.
fn wish(intent: &Value) -> Kept {
    let size = decimal(&intent["size"]);
    Kept { slug: intent["slug"].as_str().expect("text").to_owned(), size, cost: size * decimal(&intent["price"]) }
}

/// Who changes parameters is told of the one that hangs, and that she follows when she goes on.
#[test]
fn an_athena_that_hangs_is_named_to_who_changes_parameters() {
    let mut desk = Desk::start(RACES[0]);
    let set = ["params", "set", "momentum", "size=10", "--why", "smaller"];
    desk.athenas[1].signal("STOP");
    eventually("her snapshot to be too old to wait for her", PATIENCE, || {
        let at = key(&mut desk.connection, "state.athena.2")?["at"].as_i64()?;
        (clock::now().since(Timestamp::from_micros(at)) > Duration::from_secs(6)).then_some(())
    });
    let output = desk.home.run(&set);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(3), "{stdout}{stderr}");
    assert_eq!(stdout, "momentum: version 2 is in force at athena 1/2\n");
    assert!(stderr.starts_with("cockpit: not heard from athena 2/2: "), "{stderr}");

    desk.athenas[1].signal("CONT");
    eventually("both to have it in force", PATIENCE, || {
        let output = desk.home.run(&set);
        let both = "momentum: version 2 is in force at athena 1/2, 2/2\n";
        (output.status.success() && text(&output.stdout) == both).then_some(())
    });
}

/// The first answers for both, and shows both.
fn parameters_are_in_force_at_both(desk: &mut Desk, signals: usize) {
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
        let all = state["strategies"].as_array()?.len() == STRATEGIES && state["signals"]["emitted"] == signals;
        (all && state["params"][0]["version"] == ack["version"]).then_some(())
    });
}
