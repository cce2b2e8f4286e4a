//! One order at a time, from the stream to the wire: each part of the way beside its floor.

use std::time::Duration;

use cockpit::domain::{OrderTimes, Timestamp};

use super::floors::Floors;
use super::stage::{PACE, Stage};
use super::store::Store;
use super::times::{Times, micros};

const ORDERS: usize = 500;
/// Dropped: connections, prepared statements and caches are cold.
const WARM_UP: usize = 50;

/// One order's way.
struct Way {
    appended: Timestamp,
    times: OrderTimes,
}

impl Way {
    fn part(from: Timestamp, to: Option<Timestamp>) -> Duration {
        to.map_or(Duration::ZERO, |to| to.since(from))
    }

    fn consumed(&self) -> Duration {
        Self::part(self.appended, self.times.consumed_at)
    }

    fn committed(&self) -> Duration {
        self.times.consumed_at.map_or(Duration::ZERO, |from| Self::part(from, self.times.committed_at))
    }

    fn sent(&self) -> Duration {
        self.times.committed_at.map_or(Duration::ZERO, |from| Self::part(from, self.times.sent_at))
    }

    fn half_answer(&self) -> Duration {
        self.times.sent_at.map_or(Duration::ZERO, |from| Self::part(from, self.times.answered_at) / 2)
    }

    fn first_byte(&self) -> Duration {
        Self::part(self.appended, self.times.sent_at)
    }
}

pub(crate) async fn measure(store: &Store, floors: &Floors) {
    let stage = Stage::start(store.clone()).await;
    for index in 0..ORDERS {
        stage.take(format!("waterfall-{index:04}"), index).await;
        tokio::time::sleep(PACE).await;
    }
    stage.quiet(u64::try_from(ORDERS).expect("few orders")).await;
    let memory = stage.end().await;
    let orders = memory.orders.iter().map(|row| &row.order).filter(|order| order.times.sent_at.is_some());
    let ways: Vec<Way> =
        orders.map(|order| Way { appended: order.intent.created_at, times: order.times }).skip(WARM_UP).collect();
    print(store, floors, &ways);
}

fn print(store: &Store, floors: &Floors, ways: &[Way]) {
    let times = |part: fn(&Way) -> Duration| Times::new(ways.iter().map(part));
    let commit = match store {
        Store::Sqlite => &floors.sqlite,
        Store::Postgres(..) => &floors.postgres,
    };
    let sign_and_commit = floors.sign.at(50) + commit.at(50);
    println!("\nFrom the stream to the wire over {} and Redis, {} orders, one at a time\n", store.name(), ways.len());
    println!("| part | p50 us | p99 us | floor us | times its floor |\n|---|---:|---:|---:|---:|");
    let line = |name: &str, times: &Times, floor: Duration| {
        let ratio = if floor.is_zero() {
            "-".to_owned()
        } else {
            format!("{:.1}", times.at(50).as_secs_f64() / floor.as_secs_f64())
        };
        println!("| {name} | {} | {} | {} | {ratio} |", micros(times.at(50)), micros(times.at(99)), micros(floor));
    };
    line("stream hop: append to entry in hand", &times(Way::consumed), floors.stream.at(50));
    line("gate, signature, durable commit", &times(Way::committed), sign_and_commit);
    line("gate again, request made, first byte", &times(Way::sent), Duration::ZERO);
    line("half of POST to answer, the simulator's work in it", &times(Way::half_answer), floors.half_post.at(50));
    let to_first_byte = floors.stream.at(50) + sign_and_commit;
    let floor = to_first_byte + floors.half_post.at(50);
    let first_byte = times(Way::first_byte);
    line("append to first byte", &first_byte, to_first_byte);
    // What the bytes need on the wire is not ours to hasten: the floor itself.
    let arrived = Times::new(ways.iter().map(|way| way.first_byte() + floors.half_post.at(50)));
    line("append to bytes at the venue", &arrived, floor);
    let met = if arrived.at(50) <= floor * 2 { "met" } else { "NOT met" };
    println!("\np50 at most twice the sum of its floors ({} us): {met}", micros(floor * 2));
}
