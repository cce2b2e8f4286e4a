//! A thousand orders over a wire on which a tenth of the answers is lost: of orders that the venue had accepted, of orders that
//! reach it afterwards, and of orders that never do. What Hermes makes of each is the venue's own truth.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells its figures"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cockpit::bus::redis::RedisBus;
use cockpit::bus::{BusRef, Group, Stream};
use cockpit::clock;
use cockpit::domain::{HermesState, OrderState, TradingState, Usd};
use cockpit::store::ledger::{Ledger, Memory};
use cockpit::store::sqlite::SqliteLedger;
use rust_decimal::Decimal;
use serde_json::Value;

#[path = "support/bad_wire.rs"]
mod bad_wire;
#[path = "support/books.rs"]
mod books;
#[path = "support/desk.rs"]
mod desk;
#[path = "support/intents.rs"]
mod intents;
#[path = "support/mod.rs"]
mod support;

use bad_wire::{BadWire, LostPosts, Rates};
use desk::{Home, Sim, decimal};
use intents::{Intents, Mix};
use support::redis_server::RedisServer;
use support::{hermes, scene};

const ORDERS: usize = 1_000;
const SEED: u64 = 7;
/// Below the budget that the test gives the account, so that the wire decides and not the budget.
const BETWEEN: Duration = Duration::from_millis(13);
const PATIENCE: Duration = Duration::from_mins(4);
/// Over a tenth of what is posted has no answer in time, on average 12 %: by chance hardly ever less than 8 %.
const RATES: Rates = Rates { reply_lost: 8, reply_stalled: 1, request_lost: 2, request_late: 2, ..Rates::BAD };

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_orders_and_a_tenth_of_the_answers_lost_the_verdict_is_the_venues_truth() {
    let begun = clock::monotonic();
    let servers = tokio::task::spawn_blocking(|| (RedisServer::start(), Sim::start("0.1")));
    let (redis, sim) = servers.await.expect("servers");
    let home = Home::new(&redis.url(), &sim);
    home.allow_everything();
    home.edit("orders_per_s = 40", "orders_per_s = 100");
    let wire = BadWire::to(sim.url("clob"), sim.url("clob_ws"), RATES, SEED).await;
    home.edit(&format!("clob = \"{}\"", sim.url("clob")), &format!("clob = \"{}\"", wire.clob()));
    home.edit(&format!("clob_ws = \"{}\"", sim.url("clob_ws")), &format!("clob_ws = \"{}\"", wire.sockets()));
    let bus: BusRef = RedisBus::new(&redis.url()).expect("an address");
    let market = scene::market(sim.url("gamma"), scene::QUIET).await;
    let mut feed = scene::feed(&bus, std::slice::from_ref(&market));
    let mut hermes = home.start("hermes", &["run", "hermes"]);
    hermes::until(&bus, PATIENCE, "hermes to trade", |state| state.trading_state == TradingState::Active).await;
    feed.heard().await;

    let intents = Arc::new(Intents::new(&market, ORDERS, Mix::Sent, SEED));
    let (appended, to) = (Arc::clone(&intents), BusRef::clone(&bus));
    let feeding = tokio::spawn(async move { appended.append(&to, BETWEEN).await });
    let most_unknown = AtomicU64::new(0);
    let state = hermes::until(&bus, PATIENCE, "every order to end", |state| {
        most_unknown.fetch_max(state.orders.unknown, Ordering::Relaxed);
        let settled = state.recent_fills.iter().all(|fill| fill.status.is_final());
        let ended = state.orders.accepted + state.orders.denied + state.dlq >= ORDERS as u64;
        ended && settled && state.orders.open == 0 && state.orders.unknown == 0
    })
    .await;
    feeding.await.expect("every intent is on the stream");
    let took = begun.elapsed();
    let code = tokio::task::spawn_blocking(move || hermes.stop()).await.expect("hermes stops");
    assert_eq!(code, 0, "an orderly end");
    drop(feed);

    let ledger = SqliteLedger::open(&home.dir.path().join("state/ledger.db")).await.expect("the ledger opens");
    let memory = ledger.load(u32::MAX).await.expect("the ledger is read");
    ledger.close().await;
    let (truth, account) = (sim.truth(), sim.hello["accounts"][0]["address"].as_str().expect("an address"));
    let mut verdict = books::compare(&intents, &memory, &state, &truth, account, &bus).await;
    verdict.wrong.extend(verdicts_differ(&memory, &truth));
    let pending = bus.pending(Stream::Signals, Group::Hermes).await.expect("the group");
    let figures = figures(wire.lost_posts());
    println!("{ORDERS} orders in {took:?}: {} accepted, {} never arrived", verdict.accepted, verdict.dead);
    println!("answers lost: {figures:?}; at most {} unknown at one time", most_unknown.load(Ordering::Relaxed));
    assert!(verdict.wrong.is_empty(), "{} differ: {:#?}", verdict.wrong.len(), verdict.wrong);
    assert_eq!((verdict.duplicates, verdict.lost, verdict.denied), (0, 0, 0), "{verdict:?}");
    assert_eq!(pending.count, 0, "every entry is acknowledged");
    assert!(figures.values().all(|count| *count > 0), "every kind of loss happened: {figures:?}");
    assert!(figures.values().sum::<u64>() >= ORDERS as u64 * 8 / 100, "about a tenth: {figures:?}");
    // What never arrived is what the wire never delivered, order for order.
    assert_eq!(verdict.dead as u64, figures["never"], "{verdict:?}");
    assert_eq!(state.exposure.gross, held(&state), "nothing is reserved for orders that have ended");
}

/// Each order's state and matched size, against the venue's word.
fn verdicts_differ(memory: &Memory, truth: &Value) -> Vec<String> {
    let theirs: BTreeMap<&str, &Value> = truth["orders"]
        .as_array()
        .expect("orders")
        .iter()
        .map(|order| (order["id"].as_str().expect("an id"), order))
        .collect();
    let mut wrong = Vec::new();
    for row in &memory.orders {
        let order = row.order.order.as_ref().and_then(|id| theirs.get(id.as_str()));
        let expected = match order {
            None => (OrderState::Rejected, Decimal::ZERO),
            Some(order) => {
                let (matched, size) = (decimal(&order["matched"]), decimal(&order["size"]));
                let killed = order["status"].as_str().is_some_and(|status| status.to_lowercase().contains("killed"));
                match (matched == size, killed && row.order.state == OrderState::Rejected) {
                    (true, _) => (OrderState::Filled, matched),
                    // With the refusal as the answer; a lookup finds it cancelled.
                    (false, true) => (OrderState::Rejected, matched),
                    (false, false) => (OrderState::Cancelled, matched),
                }
            }
        };
        let found = (row.order.state, row.order.matched.decimal());
        if found != expected {
            let (intent, reason) = (&row.order.intent.intent, &row.order.reason);
            wrong.push(format!("{intent}: {found:?} ({reason:?}), the venue has {expected:?}"));
        }
    }
    wrong
}

/// What the positions alone are worth.
fn held(state: &HermesState) -> Usd {
    state.positions.iter().map(|position| position.at_stake).sum()
}

fn figures(lost: &LostPosts) -> BTreeMap<&'static str, u64> {
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    BTreeMap::from([
        ("answered", count(&lost.answered)),
        ("stalled", count(&lost.stalled)),
        ("late", count(&lost.late)),
        ("never", count(&lost.never)),
    ])
}
