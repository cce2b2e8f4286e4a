//! Two setters with the same expected version, on either bus.

use std::collections::BTreeMap;
use std::time::Duration;

use cockpit::bus::memory::MemoryBus;
use cockpit::bus::redis::RedisBus;
use cockpit::bus::{BusRef, Envelope, Key, Origin, control, decode};
use cockpit::clock;
use cockpit::config::Config;
use cockpit::domain::{Ack, AckVerdict, Action, AthenaState, ParamBook};
use cockpit::pipeline::athena::{self, Shard};
use tokio_util::sync::CancellationToken;

use crate::support::redis_server::RedisServer;

const PATIENCE: Duration = Duration::from_secs(20);
const ROUNDS: u64 = 10;
const SETTERS: u64 = 4;

async fn read<T: serde::de::DeserializeOwned>(bus: &BusRef, key: &Key) -> Option<T> {
    let payload = bus.get(key).await.expect("the bus is up")?;
    decode(&payload).map(|envelope: Envelope<T>| Some(envelope.body)).expect("readable")
}

async fn set(bus: BusRef, who: u64, expected: u64, size: String) -> Ack {
    let changes = BTreeMap::from([("size".to_owned(), size)]);
    let action = Action::SetParams {
        strategy: "momentum".into(),
        expected: Some(expected),
        changes,
        why: "race".to_owned(),
        confirm: false,
    };
    let actor = format!("test:{who}");
    let command = control::make(&actor, action, clock::now());
    let origin = Origin::new("test", &actor);
    let answer = control::ask(&bus, &origin, &command, PATIENCE, clock::now()).await;
    answer.expect("the bus is up").expect("an answer in time")
}

/// `athenas` share the bus: each answers every command, and only one version may come of it.
async fn race(bus: BusRef, athenas: usize) {
    let config = Config::builtin();
    let stop = CancellationToken::new();
    let daemons: Vec<_> = (0..athenas)
        .map(|_| {
            let settings = athena::Settings {
                strategies: config.strategies.clone(),
                shard: Shard::WHOLE,
                limits: config.limits.clone(),
            };
            tokio::spawn(athena::run(settings, bus.clone(), stop.clone()))
        })
        .collect();
    let up = async {
        while read::<AthenaState>(&bus, &Key::ATHENA).await.is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, up).await.expect("athena is up in time");
    for round in 1..=ROUNDS {
        let setters: Vec<_> = (0..SETTERS)
            .map(|who| tokio::spawn(set(bus.clone(), who, round, format!("{}", 10 + round * SETTERS + who))))
            .collect();
        let mut applied = Vec::new();
        for (who, setter) in setters.into_iter().enumerate() {
            let ack = setter.await.expect("no panic");
            assert_eq!(ack.version, Some(round + 1), "{ack:?}");
            match ack.verdict {
                AckVerdict::Applied => applied.push(who as u64),
                AckVerdict::Denied { reasons } => assert!(reasons[0].contains("is in force, not"), "{reasons:?}"),
                AckVerdict::Accepted => panic!("an answer that is none"),
            }
        }
        assert_eq!(applied.len(), 1, "round {round}: {applied:?}");
        let book: ParamBook = read(&bus, &Key::Params("momentum".into())).await.expect("a book");
        let latest = book.in_force().expect("a version");
        let size = format!("{}", 10 + round * SETTERS + applied[0]);
        assert_eq!((latest.version, &latest.values["size"]), (round + 1, &size), "what won is what is kept");
    }
    stop.cancel();
    for daemon in daemons {
        tokio::time::timeout(PATIENCE, daemon).await.expect("it ends").expect("no panic").expect("no error");
    }
}

#[tokio::test]
async fn of_setters_with_the_same_expected_version_one_wins_in_memory() {
    race(MemoryBus::new(), 1).await;
}

#[tokio::test]
async fn of_setters_with_the_same_expected_version_one_wins_on_redis() {
    let redis = RedisServer::start();
    race(RedisBus::new(&redis.url()).expect("an address"), 1).await;
}

#[tokio::test]
async fn two_athenas_on_one_redis_agree_on_the_winner() {
    let redis = RedisServer::start();
    race(RedisBus::new(&redis.url()).expect("an address"), 2).await;
}
