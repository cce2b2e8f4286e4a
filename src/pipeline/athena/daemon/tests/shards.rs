//! Two Athenas whose configuration files differ: the first decides on parameters, the other follows her. On the timers' own time, so that
//! none is late because the machine is.

use super::params::kept_book;
use super::*;
use crate::domain::{Ack, AckVerdict, Action, Instruments, ParamsInForce};

/// One of two on a bus, trading an instrument of her own.
struct Part {
    bus: Arc<TestBus>,
    key: Key,
    /// The run whose snapshot lay there before.
    before: Option<String>,
    shutdown: CancellationToken,
    daemon: JoinHandle<Result<(), AthenaError>>,
}

fn settings(shard: Shard, threshold: rust_decimal::Decimal) -> Settings {
    let hers = (0..100).map(|number| format!("X{number}/USD")).find(|symbol| shard.owns(&symbol.as_str().into()));
    let params = crate::pipeline::athena::MomentumParams {
        on: Instruments::one(&hers.expect("one of many"), "btc-updown-5m-{start}"),
        threshold,
        ..scene::params()
    };
    Settings { strategies: vec![StrategySettings::of::<Momentum>(true, &params)], shard, limits: bench::limits() }
}

fn snapshot(bus: &TestBus, key: &Key) -> Option<AthenaState> {
    let payload = locked(&bus.kept).keys.get(&key.to_string()).cloned()?;
    Some(decode::<AthenaState>(&payload).expect("readable").body)
}

impl Part {
    /// The file of hers has this threshold.
    fn start(bus: &Arc<TestBus>, index: u32, threshold: rust_decimal::Decimal) -> Self {
        let shard = Shard::new(index, 2).expect("a part");
        let key = if shard.is_first() { Key::ATHENA } else { Key::Shard(index) };
        let before = snapshot(bus, &key).map(|state| state.boot);
        let shutdown = CancellationToken::new();
        let port: BusRef = bus.clone();
        let daemon = tokio::spawn(run(settings(shard, threshold), port, shutdown.clone()));
        Self { bus: Arc::clone(bus), key, before, shutdown, daemon }
    }

    /// Waits until she shows this version with this threshold.
    async fn trades_by(&self, version: u64, threshold: &str) {
        let is = |params: &ParamsInForce| params.version == version && params.values["threshold"] == threshold;
        let mut changed = self.bus.changed.subscribe();
        let wait = async {
            loop {
                let new = snapshot(&self.bus, &self.key).filter(|state| Some(&state.boot) != self.before.as_ref());
                if new.is_some_and(|state| state.params.iter().any(is)) {
                    return;
                }
                changed.changed().await.expect("the bus is there");
            }
        };
        let shown = || snapshot(&self.bus, &self.key).map(|state| state.params);
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        waited.unwrap_or_else(|_| panic!("{} does not trade by {version}: {threshold}: {:?}", self.key, shown()));
    }

    async fn stop(self) {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.daemon).await.expect("she leaves in time");
        ended.expect("no panic").expect("no error");
    }
}

async fn set(bus: &Arc<TestBus>, threshold: &str) -> Ack {
    let changes = [("threshold".to_owned(), threshold.to_owned())].into();
    let (strategy, why) = ("momentum".into(), "test".into());
    let action = Action::SetParams { strategy, expected: None, changes, why, confirm: false };
    let (port, origin): (BusRef, _) = (bus.clone(), Origin::new("cli", "c1"));
    let command = control::make("test", action, clock::now());
    let ack = control::ask(&port, &origin, &command, PATIENCE, clock::now()).await.expect("up");
    ack.expect("an answer in time")
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_restarts_with_another_file_follows_what_is_in_force() {
    let bus = TestBus::new();
    let first = Part::start(&bus, 1, dec!(0.0005));
    first.trades_by(1, "0.0005").await;
    let second = Part::start(&bus, 2, dec!(0.0003));
    second.trades_by(1, "0.0005").await;
    let ack = set(&bus, "0.0007").await;
    assert_eq!((ack.by.as_str(), ack.version), ("athena 1/2, 2/2", Some(2)));
    second.trades_by(2, "0.0007").await;

    second.stop().await;
    let second = Part::start(&bus, 2, dec!(0.0003));
    second.trades_by(2, "0.0007").await;
    first.trades_by(2, "0.0007").await;
    let book = kept_book(&bus);
    assert_eq!((book.versions.len(), book.file["threshold"].as_str()), (2, "0.0005"), "nobody else has written it");
    second.stop().await;
    first.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_finds_no_book_writes_none_and_follows_the_first_when_she_comes() {
    let bus = TestBus::new();
    let second = Part::start(&bus, 2, dec!(0.0003));
    second.trades_by(0, "0.0003").await;
    assert!(!locked(&bus.kept).keys.contains_key("params.momentum"));
    let first = Part::start(&bus, 1, dec!(0.0005));
    second.trades_by(1, "0.0005").await;
    assert_eq!(kept_book(&bus).versions.len(), 1);
    first.stop().await;
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_start_makes_of_the_file_is_told_with_its_reason() {
    let bus = TestBus::new();
    let told = |bus: &TestBus| -> Vec<(u64, String, String)> {
        let events = bus.all::<TradeEvent>(Stream::Events).into_iter();
        let version = |event| if let TradeEvent::Params(version) = event { Some(version) } else { None };
        events.filter_map(version).map(|version| (version.version, version.by, version.why)).collect()
    };
    let first = Part::start(&bus, 1, dec!(0.0005));
    first.trades_by(1, "0.0005").await;
    first.stop().await;
    assert_eq!(told(&bus), [], "there was nothing before");

    let first = Part::start(&bus, 1, dec!(0.0006));
    first.trades_by(2, "0.0006").await;
    first.stop().await;
    let edited = (2, "config file".to_owned(), "the configuration file changed".to_owned());
    assert_eq!(told(&bus), std::slice::from_ref(&edited));

    let first = Part::start(&bus, 1, dec!(0.0006));
    first.trades_by(2, "0.0006").await;
    first.stop().await;
    assert_eq!(told(&bus), std::slice::from_ref(&edited), "once");

    bus.set(&Key::Params("momentum".into()), Bytes::from_static(b"junk")).await.expect("up");
    let first = Part::start(&bus, 1, dec!(0.0006));
    first.trades_by(1, "0.0006").await;
    first.stop().await;
    assert_eq!(told(&bus), [edited, (1, "config file".into(), "the first start".into())], "what lay there is gone");
}

/// What the second says of herself, and what the first makes of it after how long.
#[tokio::test(start_paused = true)]
async fn an_answer_waits_for_who_is_alive_and_names_who_was_not_heard_from() {
    let bus = TestBus::new();
    let first = Part::start(&bus, 1, dec!(0.0005));
    first.trades_by(1, "0.0005").await;
    let (now, hour) = (clock::now(), Duration::from_hours(1));
    let mut state = snapshot(&bus, &Key::ATHENA).expect("written");
    let origin = Origin::new("athena", "a2");
    let waited = Duration::from_secs(3)..Duration::from_secs(4);
    let at_once = Duration::ZERO..Duration::from_secs(1);
    // Alive and behind, alive and up to date, with nothing to do with momentum, silent for too long, never heard.
    for (index, (at, version, heard, wait)) in [
        (Some(now.plus(hour)), Some(1), false, &waited),
        (Some(now.plus(hour)), Some(9), true, &at_once),
        (Some(now.plus(hour)), None, true, &at_once),
        (Some(now.minus(Duration::from_secs(6))), Some(1), false, &at_once),
        (Some(now.minus(Duration::from_secs(6))), Some(9), false, &at_once),
        (None, None, false, &at_once),
    ]
    .into_iter()
    .enumerate()
    {
        locked(&bus.kept).keys.remove("state.athena.2");
        if let Some(at) = at {
            state.at = at;
            state.params.truncate(1);
            let params = version.map(|version| ParamsInForce { version, ..state.params[0].clone() });
            let state = AthenaState { params: params.into_iter().collect(), ..state.clone() };
            bus.set(&Key::Shard(2), encode(&origin.wrap(&state, now)).expect("encodes")).await.expect("up");
        }
        let asked = tokio::time::Instant::now();
        let ack = set(&bus, &format!("0.001{index}")).await;
        let took = asked.elapsed();
        assert!(wait.contains(&took), "{index}: {took:?}");
        let silent: &[&str] = if heard { &[] } else { &["athena 2/2"] };
        let by = if heard { "athena 1/2, 2/2" } else { "athena 1/2" };
        assert_eq!((ack.verdict, ack.by.as_str()), (AckVerdict::Applied, by), "{index}");
        assert_eq!(ack.not_heard_from, silent, "{index}");
    }
    first.stop().await;
}
