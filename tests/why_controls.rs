//! A desk that trades, whose limits are tightened one after the other, and one whose intents are appended by hand: each control of the
//! gate's table denies, and `cockpit signals --why` tells of it with value and limit. At the end a loss beyond its limit kills.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use cockpit::bus::redis::RedisBus;
use cockpit::bus::{BusRef, Origin};
use cockpit::domain::{Market, OrderIntent, Price, Side, Size, TimeInForce};
use rust_decimal::dec;
use serde_json::Value;

#[path = "support/desk.rs"]
mod desk;
#[path = "support/mod.rs"]
mod support;

use desk::{Home, Sim, eventually, ok};
use support::redis_server::RedisServer;
use support::scene;

/// Longer than a roll of the market on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);

/// How a control is made to deny, and the whole of what it then says is allowed.
#[derive(Clone, Copy)]
enum Case {
    /// This limit is set, and is as before afterwards.
    Limit(&'static str, &'static str),
    /// This limit is set and stays.
    Stays(&'static str, &'static str),
    /// This parameter of momentum is set, and is as before afterwards; of what is allowed only this part is known.
    Param(&'static str, &'static str),
    /// What the case before has led to.
    Follows(&'static str),
    /// No strategy of the embedded desk brings it about: an intent that does is appended to the stream, in a test of its own.
    Appended,
}

/// Every control of the gate, in an order in which each can be brought about: a halted strategy comes last.
const CASES: [(&str, Case); 28] = [
    ("order_size", Case::Limit("order_size=5", "above 0, up to 5 shares")),
    ("order_notional", Case::Limit("order_notional=1", "1 pUSD")),
    ("price_collar", Case::Limit("price_collar=0", ", 0 ")),
    ("position_cap", Case::Limit("position_cap=1", "1 shares")),
    ("market_cap", Case::Limit("market_cap=1", "1 shares")),
    ("market_loss", Case::Limit("market_loss=0.01", "0.01 pUSD")),
    ("strategy_exposure", Case::Limit("strategy_exposure=0.01", "0.01 pUSD")),
    ("gross_exposure", Case::Limit("gross_exposure=0.01", "0.01 pUSD")),
    ("order_rate", Case::Limit("strategy_rate=1", "1 of a strategy, 10000 of all")),
    ("blackout", Case::Limit("blackout_s=3600", "not within 3600000 ms of its end")),
    ("stale_data", Case::Limit("data_age_ms=100", "100 ms, or a sale of shares held")),
    ("allow_list", Case::Limit("markets=quiet-sample-market", "one of quiet-sample-market")),
    ("duplicate", Case::Limit("duplicate_ms=60000", "none within 60000 ms")),
    ("trading_state", Case::Limit("reduce_only=true", "active, or a sale of shares held")),
    ("balance", Case::Param("size=400000", " pUSD free")),
    ("open_orders", Case::Limit("open_orders=1", "1 orders")),
    ("self_match", Case::Param("size=4000", "no open order of ours crossed")),
    ("repeated_execution", Case::Stays("repeated_executions=1", "1 without a person's word")),
    ("strategy_halt", Case::Follows("a strategy that is not halted")),
    ("daily_loss", Case::Appended),
    ("daily_drawdown", Case::Appended),
    ("rolling_loss", Case::Appended),
    ("arm_epoch", Case::Appended),
    ("deadline", Case::Appended),
    ("market", Case::Appended),
    ("group_loss", Case::Appended),
    ("overbuy", Case::Appended),
    ("circuit_breaker", Case::Appended),
];

fn signals(home: &Home, args: &[&str]) -> Vec<Value> {
    let all: Vec<&str> = ["signals", "--json", "--limit", "1000"].iter().chain(args).copied().collect();
    serde_json::from_str(&ok(home, &all)).expect("a list")
}

fn text(record: &Value, field: &str) -> String {
    record[field].as_str().unwrap_or_default().to_owned()
}

/// What was denied lately, by id and in words.
fn denied(home: &Home) -> Vec<(String, String)> {
    signals(home, &["--denied"]).iter().map(|record| (text(record, "id"), text(record, "why"))).collect()
}

/// The gate's table: every control that an approved intent has passed.
fn table(home: &Home) -> BTreeSet<String> {
    let approved = |record: &&Value| record["kind"] == "signal" || record["kind"] == "emitted";
    let id = signals(home, &[]).iter().find(approved).map(|record| text(record, "id")).expect("an approved signal");
    let events: Value = serde_json::from_str(&ok(home, &["signals", "--why", &id, "--json"])).expect("JSON");
    let checks = events.as_array().expect("events").iter().find_map(|event| event["checks"].as_array());
    checks.expect("its checks").iter().map(|check| text(check, "control")).collect()
}

/// Waits for a denial by `control` that was not there before, and reads why.
fn denial(home: &Home, control: &str, known: &HashSet<String>, allowed: &str) {
    let (id, words) = eventually(&format!("a denial by {control}"), PATIENCE, || {
        denied(home).into_iter().find(|(id, why)| !known.contains(id) && why.contains(&format!(" {control}: ")))
    });
    // The limit stands in brackets behind what was measured.
    let said = words.rsplit_once("(limit ").and_then(|(_, limit)| limit.strip_suffix(')')).expect("a limit");
    let whole = said == allowed || (allowed.starts_with([' ', ',']) && said.contains(allowed));
    assert!(whole, "'{allowed}' is allowed, not '{said}': {words}");
    let measured = words.split_once(&format!(" {control}: ")).map_or("", |(_, rest)| rest);
    assert!(!measured.starts_with("(limit"), "a value: {words}");
    let why = ok(home, &["signals", "--why", &id]);
    assert!(why.contains(control) && why.contains("threshold") && why.contains("momentum"), "{why}");
}

fn bring_about(home: &Home, control: &str, case: Case) {
    let known: HashSet<String> = denied(home).into_iter().map(|(id, _)| id).collect();
    let (book, change, allowed) = match case {
        Case::Appended => return,
        Case::Follows(allowed) => return denial(home, control, &known, allowed),
        Case::Limit(change, allowed) | Case::Stays(change, allowed) => ("risk", change, allowed),
        Case::Param(change, allowed) => ("momentum", change, allowed),
    };
    let name = change.split('=').next().expect("a name");
    let before = ok(home, &["params", "get", book, name]);
    // An order that rests is what two controls are about: more than the book has.
    let rests = control == "open_orders";
    if rests {
        ok(home, &["params", "set", "momentum", "size=4000", "--why", "to rest"]);
    }
    ok(home, &["params", "set", book, change, "--why", "to be denied"]);
    denial(home, control, &known, allowed);
    if !matches!(case, Case::Stays(..)) {
        ok(home, &["params", "set", book, &format!("{name}={}", before.trim()), "--why", "as before", "--confirm"]);
    }
    if rests {
        ok(home, &["params", "set", "momentum", "size=20", "--why", "as before"]);
    }
}

/// What the day's loss denies is denied by the trading state, in its words.
fn the_days_loss_reduces(home: &Home) {
    let known: HashSet<String> = denied(home).into_iter().map(|(id, _)| id).collect();
    ok(home, &["params", "set", "risk", "daily_loss=0", "--why", "to reduce"]);
    let words = eventually("a denial by the day's loss", PATIENCE, || {
        let of_loss =
            |why: &String| why.contains("trading_state: reducing: daily_loss: ") && why.contains("(limit 0 pUSD)");
        denied(home).into_iter().find(|(id, why)| !known.contains(id) && of_loss(why))
    });
    assert!(words.1.ends_with("(limit active, or a sale of shares held)"), "{words:?}");
    ok(home, &["params", "set", "risk", "daily_loss=1000000", "--why", "as before", "--confirm"]);
    home.wait_for("the desk to trade", PATIENCE, |status| status["trading_state"] == "active");
}

#[test]
fn each_control_denies_with_value_and_limit_and_a_loss_beyond_its_limit_kills() {
    let sim = Sim::start("3");
    let home = Home::new("memory://", &sim);
    home.edit("threshold = \"0.0001\"", "threshold = \"0.00002\"");
    home.edit("min_edge = \"0\"", "min_edge = \"-1\"");
    home.edit("cooldown_s = 5", "cooldown_s = 1");
    // Each limit in its turn is the only one that is near.
    home.allow_everything();
    let mut running = home.start("run", &["run"]);
    home.wait_for("a fill", PATIENCE, |status| status["fills"].as_u64() > Some(0));
    let cases: BTreeSet<String> = CASES.iter().map(|(control, _)| (*control).to_owned()).collect();
    assert_eq!(cases, table(&home), "a case for each control of the gate's table");
    the_days_loss_reduces(&home);
    for (control, case) in CASES {
        bring_about(&home, control, case);
    }
    // The strategy is halted until a person arms. The taker fees alone are a loss.
    ok(&home, &["params", "set", "risk", "daily_drawdown=0.01", "--why", "to be killed"]);
    let status = home.wait_for("the kill", PATIENCE, |status| status["kill"]["state"] == "killed");
    let why = status["kill"]["why"].as_str().expect("words");
    assert!(why.starts_with("daily_drawdown: ") && why.contains("limit 0.01 pUSD below the day's peak"), "{why}");
    let refused = eventually("the arming to be refused for the loss alone", PATIENCE, || {
        let output = home.run(&["arm", "--why", "too early"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "armed although the loss lasts");
        told.contains("daily_drawdown").then_some(told)
    });
    assert!(refused.contains("widen the limit"), "{refused}");
    assert_eq!(running.stop(), 0);
}

/// A purchase that the quiet market's asks fill.
fn wish(name: &str, market: &Market) -> OrderIntent {
    let wish = scene::Wish {
        name: name.to_owned(),
        outcome: 0,
        side: Side::Buy,
        price: dec!(0.60),
        size: dec!(5),
        tif: TimeInForce::Gtc,
        send_within: Some(PATIENCE),
        rest: Duration::from_hours(2),
    };
    wish.intent(market)
}

/// Waits until `--why` tells that Hermes denied it by this control, with what was measured and what is allowed.
fn why(home: &Home, id: &str, control: &str, value: &str, limit: &str) {
    let words = eventually(&format!("a denial by {control}"), PATIENCE, || {
        denied(home).into_iter().find(|(known, _)| known == id).map(|(_, words)| words)
    });
    let begins = words.starts_with(&format!("hermes: {control}: ")) && words.contains(value);
    assert!(begins && words.contains(&format!("(limit {limit}")), "{words}");
    let told = ok(home, &["signals", "--why", id]);
    let whole = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(whole.contains("Hermes, before it was sent") && whole.contains(&format!("(limit {limit}")), "{told}");
    assert!(whole.contains(value), "{told}");
}

/// Six quiet markets: the third takes no orders, the next two are of one event, and of the last it is told that it takes less than the
/// venue does.
async fn markets(sim: &Sim) -> Vec<Market> {
    let mut markets = Vec::new();
    for slug in scene::quiet_slugs().take(6) {
        markets.push(scene::market(sim.url("gamma"), &slug).await);
    }
    markets[2].accepting_orders = false;
    markets[3..5].iter_mut().for_each(|market| market.group = Some("event".into()));
    markets[5].min_size = Size(dec!(1));
    markets
}

fn what_was_appended_is_denied(desk: &Home) {
    why(desk, "of-an-old-epoch", "arm_epoch", "epoch 0", "epoch 1");
    why(desk, "too-late", "deadline", "after its tick", "30.000 s");
    why(desk, "of-a-closed-market", "market", "takes no orders", "accepting orders");
    why(desk, "of-no-market", "market", "0xnobody is not known", "a known market");
    why(desk, "of-an-event", "group_loss", "in the worst outcome of 2 known markets", "1 pUSD");
    let whole = "5 wanted; FOK and FAK spend all of their pUSD, so name the best price";
    why(desk, "more-than-is-wanted", "overbuy", " pUSD, as the book is", whole);
    let letter = ok(desk, &["signals", "--why", "too-late"]);
    assert!(letter.contains("DEAD LETTER") && letter.contains("expired"), "{letter}");
    desk.wait_for("the fill", PATIENCE, |status| status["fills"].as_u64() > Some(0));
    desk.wait_for("the refusal", PATIENCE, |status| status["orders"]["rejected"].as_u64() > Some(0));
}

/// Sets a limit, tighter or as it was.
async fn set(home: &std::sync::Arc<Home>, change: String) {
    let desk = std::sync::Arc::clone(home);
    let set = move || ok(&desk, &["params", "set", "risk", &change, "--why", "to be denied, or not", "--confirm"]);
    tokio::task::spawn_blocking(set).await.expect("set");
}

/// What is held loses more than half of its worth, and each limit of a loss in turn denies.
async fn the_losses_deny(
    home: &std::sync::Arc<Home>,
    bus: &BusRef,
    origin: &Origin,
    markets: &[Market],
) -> scene::Feed {
    let held = scene::feed_at(bus, &markets[..1], dec!(0.10));
    for (control, limit) in
        [("daily_drawdown", "2 pUSD below the day's peak"), ("rolling_loss", "2 pUSD below the highest of 24 h")]
    {
        set(home, format!("{control}=2")).await;
        let name = format!("after-{control}");
        scene::append(bus, origin, &wish(&name, &markets[1])).await;
        let desk = std::sync::Arc::clone(home);
        tokio::task::spawn_blocking(move || why(&desk, &name, control, " pUSD", limit)).await.expect("a denial");
        set(home, format!("{control}=1000000")).await;
    }
    held
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_strategy_brings_about_is_denied_with_value_and_limit_as_well() {
    let servers = tokio::task::spawn_blocking(|| (RedisServer::start(), Sim::start("0.1")));
    let (redis, sim) = servers.await.expect("servers");
    let home = Home::new(&redis.url(), &sim);
    home.allow_everything();
    home.edit("group_loss = \"1000000\"", "group_loss = \"1\"");
    home.edit("mark_age_s = 30", "mark_age_s = 5");
    home.edit("breaker_rejections = 5", "breaker_rejections = 1");
    // A loss denies for a minute before it kills.
    home.edit("drawdown_confirmations = 3", "drawdown_confirmations = 60");
    let bus: BusRef = RedisBus::new(&redis.url()).expect("an address");
    let markets = markets(&sim).await;
    let held_feed = scene::feed(&bus, &markets[..1]);
    let mut feed = scene::feed(&bus, &markets[1..]);
    let hermes = home.start("hermes", &["run", "hermes"]);
    let home = std::sync::Arc::new(home);
    let desk = std::sync::Arc::clone(&home);
    let trades = move || desk.wait_for("Hermes to trade", PATIENCE, |status| status["trading_state"] == "active");
    tokio::task::spawn_blocking(trades).await.expect("a desk");
    feed.heard().await;

    let origin = Origin::new("athena", "test");
    let late = scene::expired(&markets[1]);
    let unknown = Market { market: "0xnobody".into(), ..markets[1].clone() };
    for intent in [
        OrderIntent { epoch: 0, ..wish("of-an-old-epoch", &markets[1]) },
        OrderIntent { tick_received_at: late.created_at, ..late },
        wish("of-a-closed-market", &markets[2]),
        wish("of-no-market", &unknown),
        wish("of-an-event", &markets[3]),
        OrderIntent { tif: TimeInForce::Fok, price: Price(dec!(0.70)), ..wish("more-than-is-wanted", &markets[1]) },
        OrderIntent { size: Size(dec!(2)), ..wish("less-than-the-venue-takes", &markets[5]) },
        wish("to-be-held", &markets[0]),
    ] {
        scene::append(&bus, &origin, &intent).await;
    }
    let desk = std::sync::Arc::clone(&home);
    tokio::task::spawn_blocking(move || what_was_appended_is_denied(&desk)).await.expect("denials");

    scene::append(&bus, &origin, &wish("behind-a-refusal", &markets[5])).await;
    let desk = std::sync::Arc::clone(&home);
    let open = move || {
        why(&desk, "behind-a-refusal", "circuit_breaker", "1 refused as min_size for market", "fewer than 1 in 60 s");
    };
    tokio::task::spawn_blocking(open).await.expect("an open breaker");

    drop(held_feed);
    let held_feed = the_losses_deny(&home, &bus, &origin, &markets).await;

    // Of what is held no book is told any more: what the day has lost is not known.
    drop(held_feed);
    let url = redis.url();
    let stale = move || {
        let mut redis = redis::Client::open(url).and_then(|client| client.get_connection()).expect("redis answers");
        eventually("equity to be unknown", PATIENCE, || {
            let text: String = redis::cmd("GET").arg("state.hermes").query(&mut redis).expect("redis answers");
            let state: Value = serde_json::from_str(&text).expect("JSON");
            state["body"]["equity"]["unknown"].is_string().then_some(())
        });
    };
    tokio::task::spawn_blocking(stale).await.expect("an old mark");
    scene::append(&bus, &origin, &wish("while-nothing-is-known", &markets[1])).await;
    let last = move || {
        let mut hermes = hermes;
        why(&home, "while-nothing-is-known", "daily_loss", "at most 5 s are allowed", "1000000 pUSD lost in a day");
        assert_eq!(hermes.stop(), 0);
    };
    tokio::task::spawn_blocking(last).await.expect("the last denial");
}
