//! Three hundred orders a second, of which one in ten is filled at once and nine rest for a second and are cancelled: whether the
//! second half is as fast as the first.

use std::collections::BTreeSet;
use std::time::Duration;

use cockpit::domain::Order;
use tokio::time::MissedTickBehavior;

use super::stage::Stage;
use super::store::Store;
use super::times::{Times, micros};

const RATE: usize = 300;
const SECONDS: usize = 20;
/// One of so many is filled at once.
const TAKES: usize = 10;
/// Dropped at the beginning.
const WARM_UP: usize = RATE;

pub(crate) async fn measure(store: &Store) {
    let stage = Stage::start(store.clone()).await;
    let orders = RATE * (SECONDS + 1);
    let mut due = tokio::time::interval(Duration::from_secs(1) / u32::try_from(RATE).expect("a small rate"));
    due.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for index in 0..orders {
        due.tick().await;
        let name = format!("sustained-{index:05}");
        if index.is_multiple_of(TAKES) {
            stage.take(name, index / TAKES).await;
        } else {
            stage.rest(name, index).await;
        }
    }
    stage.quiet(u64::try_from(orders).expect("few orders")).await;
    let memory = stage.end().await;
    let mut sent: Vec<&Order> = memory.orders.iter().map(|row| &row.order).collect();
    sent.retain(|order| order.times.sent_at.is_some());
    sent.sort_by_key(|order| order.intent.created_at);
    let reasons: BTreeSet<&str> = memory
        .orders
        .iter()
        .filter(|row| row.order.times.sent_at.is_none())
        .filter_map(|row| row.order.reason.as_deref())
        .collect();
    let refused = orders - sent.len();
    let sent = &sent[WARM_UP.min(sent.len())..];
    let (first, second) = sent.split_at(sent.len() / 2);
    let ends = (sent.first().and_then(|order| order.times.sent_at), sent.last().and_then(|order| order.times.sent_at));
    let (Some(begin), Some(end)) = ends else { panic!("nothing was sent") };
    let rate = sent.len() as f64 / end.since(begin).as_secs_f64();
    println!(
        "\n{RATE} orders/s for {SECONDS} s over {} and Redis: {rate:.0} orders/s sent, {refused} not sent {:?}\n",
        store.name(),
        reasons.iter().take(5).collect::<Vec<_>>()
    );
    println!("| | p50 us | p99 us |\n|---|---:|---:|");
    let halves = [("first half, append to first byte", first), ("second half", second)].map(|(name, half)| {
        let waited = half.iter().filter_map(|order| Some(order.times.sent_at?.since(order.intent.created_at)));
        let times = Times::new(waited);
        println!("| {name} | {} | {} |", micros(times.at(50)), micros(times.at(99)));
        times.at(99)
    });
    let flat = halves[1] <= halves[0] * 3 / 2 || halves[1] < Duration::from_millis(10);
    let met = flat && rate >= RATE as f64 * 0.99 && refused == 0;
    println!("\nsustained with a flat p99: {}", if met { "met" } else { "NOT met" });
}
