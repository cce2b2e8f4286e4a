//! The bus in memory as a model of the real one: the same calls, in any order, give the same answers.

use std::time::Duration;

use cockpit::bus::memory::MemoryBus;
use cockpit::bus::redis::RedisBus;
use cockpit::bus::{BusRef, Entry, EntryId, Group, ReadFrom, Stream};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::redis_server::RedisServer;
use crate::text;

const GROUP: Group = Group::Hermes;
const STREAM: Stream = Stream::Signals;
const CONSUMERS: [&str; 3] = ["a", "b", "c"];

/// A call; positions are those of entries in the order in which they were appended, `0` before the first.
#[derive(Clone, Debug)]
enum Call {
    Append,
    MakeGroup,
    Read { after: usize, count: usize },
    Tail { count: usize },
    New { consumer: usize, count: usize },
    Own { consumer: usize, after: usize, count: usize },
    Claim { consumer: usize, from: usize, count: usize },
    Ack { position: usize },
    Trim { keep_from: usize },
    Summary,
}

fn call() -> impl Strategy<Value = Call> {
    let (consumer, position, count) = (0..CONSUMERS.len(), 0..12_usize, 0..5_usize);
    prop_oneof![
        4 => Just(Call::Append),
        1 => Just(Call::MakeGroup),
        1 => (position.clone(), count.clone()).prop_map(|(after, count)| Call::Read { after, count }),
        1 => count.clone().prop_map(|count| Call::Tail { count }),
        4 => (consumer.clone(), count.clone()).prop_map(|(consumer, count)| Call::New { consumer, count }),
        2 => (consumer.clone(), position.clone(), count.clone())
            .prop_map(|(consumer, after, count)| Call::Own { consumer, after, count }),
        2 => (consumer, position.clone(), count).prop_map(|(consumer, from, count)| Call::Claim { consumer, from, count }),
        3 => position.clone().prop_map(|position| Call::Ack { position }),
        2 => position.prop_map(|keep_from| Call::Trim { keep_from }),
        1 => Just(Call::Summary),
    ]
}

/// One bus and the ids that it gave, so that answers of two can be compared.
struct Side {
    bus: BusRef,
    ids: Vec<EntryId>,
}

impl Side {
    fn new(bus: BusRef) -> Self {
        Self { bus, ids: vec![EntryId::START] }
    }

    fn id(&self, position: usize) -> EntryId {
        *self.ids.get(position).or(self.ids.last()).expect("the start at least")
    }

    fn position(&self, id: EntryId) -> usize {
        self.ids.iter().position(|known| *known == id).expect("an id that was given")
    }

    fn told(&self, entries: &[Entry]) -> String {
        let told = |entry: &Entry| format!("{}={:?}x{}", self.position(entry.id), entry.payload, entry.deliveries);
        entries.iter().map(told).collect::<Vec<_>>().join(" ")
    }

    /// Makes the call; the answer in terms that do not depend on ids.
    async fn answer(&mut self, call: &Call) -> String {
        let (bus, now) = (self.bus.clone(), Duration::ZERO);
        let entries = match *call {
            Call::Append => {
                let id = bus.append(STREAM, text(&self.ids.len().to_string())).await.expect("appended");
                self.ids.push(id);
                return format!("{:?}", bus.len(STREAM).await);
            }
            Call::MakeGroup => return format!("{:?}", bus.create_group(STREAM, GROUP).await),
            Call::Summary => {
                let summary = bus.pending(STREAM, GROUP).await;
                return format!("{:?}", summary.map(|it| (it.count, it.oldest.map(|id| self.position(id)))));
            }
            Call::Trim { keep_from } => {
                let trimmed = bus.trim(STREAM, self.id(keep_from)).await;
                return format!("{:?}", trimmed.map(|it| (it.removed, self.position(it.kept_from))));
            }
            Call::Ack { position } => return format!("{:?}", bus.ack(STREAM, GROUP, &[self.id(position)]).await),
            Call::Claim { consumer, from, count } => {
                let claimed = bus.claim(STREAM, GROUP, CONSUMERS[consumer], now, self.id(from), count).await;
                let told = claimed.map(|it| (self.told(&it.entries), it.deleted.len(), self.position(it.cursor)));
                return format!("{told:?}");
            }
            Call::Read { after, count } => bus.read(STREAM, self.id(after), count, now).await,
            Call::Tail { count } => bus.tail(STREAM, count).await,
            Call::New { consumer, count } => {
                bus.read_group(STREAM, GROUP, CONSUMERS[consumer], ReadFrom::New, count, now).await
            }
            Call::Own { consumer, after, count } => {
                let from = ReadFrom::Pending(self.id(after));
                bus.read_group(STREAM, GROUP, CONSUMERS[consumer], from, count, now).await
            }
        };
        format!("{:?}", entries.map(|entries| self.told(&entries)))
    }
}

#[test]
fn memory_answers_as_redis_does() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let redis = runtime.block_on(async { RedisBus::new(&server.url()).expect("a good url") });
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&proptest::collection::vec(call(), 1..60), |calls| {
            server.command("FLUSHALL");
            let (mut ours, mut theirs) = (Side::new(MemoryBus::new()), Side::new(redis.clone()));
            runtime.block_on(async {
                for (number, call) in calls.iter().enumerate() {
                    prop_assert_eq!(ours.answer(call).await, theirs.answer(call).await, "call {}: {:?}", number, call);
                }
                Ok(())
            })
        })
        .expect("the same answers");
}
