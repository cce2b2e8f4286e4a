//! The daemon on a small bus of its own, which can be told to fail.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use rust_decimal::dec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

use super::*;
use crate::bus::{
    Bus, BusError, BusLink, Claimed, Entry, EntryId, Group, Key, PendingSummary, ReadFrom, Trimmed, control,
};
use crate::domain::{HermesState, KillState, Mode, Price};
use crate::pipeline::athena::{Momentum, scene};
use crate::risk::Limits;
use crate::risk::checks::bench;

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct Kept {
    keys: HashMap<String, Bytes>,
    streams: HashMap<&'static str, Vec<Entry>>,
}

/// Keys, streams and one broadcast channel a subscriber.
#[derive(Debug)]
struct TestBus {
    kept: Mutex<Kept>,
    subscribers: Mutex<Vec<(Vec<Channel>, broadcast::Sender<Delivery>)>>,
    changed: watch::Sender<u64>,
    link: watch::Sender<BusLink>,
    down: AtomicBool,
    signals_fail: AtomicBool,
    /// How many more replacements lose their answer.
    replace_fails: AtomicU64,
    order: Mutex<Vec<Stream>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TestBus {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            kept: Mutex::default(),
            subscribers: Mutex::default(),
            changed: watch::Sender::new(0),
            link: watch::Sender::new(BusLink::Up),
            down: AtomicBool::new(false),
            signals_fail: AtomicBool::new(false),
            replace_fails: AtomicU64::new(0),
            order: Mutex::default(),
        })
    }

    fn up(&self) -> Result<(), BusError> {
        if self.down.load(Ordering::SeqCst) { Err(BusError::Unreachable("told to fail".into())) } else { Ok(()) }
    }

    fn after(&self, stream: Stream, after: EntryId) -> Vec<Entry> {
        let kept = locked(&self.kept);
        let entries = kept.streams.get(stream.name()).map(Vec::as_slice).unwrap_or_default();
        entries.iter().filter(|entry| entry.id > after).cloned().collect()
    }

    fn all<T: DeserializeOwned>(&self, stream: Stream) -> Vec<T> {
        let body = |entry: Entry| decode::<T>(&entry.payload).expect("readable").body;
        self.after(stream, EntryId::START).into_iter().map(body).collect()
    }

    fn tell(&self, channel: Channel, delivery: &Delivery) {
        for (channels, sender) in locked(&self.subscribers).iter() {
            if channels.contains(&channel) {
                // Nobody listening is what pub/sub is about.
                let _ = sender.send(delivery.clone());
            }
        }
    }
}

#[async_trait]
impl Bus for TestBus {
    async fn publish(&self, channel: Channel, payload: Bytes) -> Result<(), BusError> {
        self.up()?;
        self.tell(channel, &Delivery::Message { channel, payload });
        Ok(())
    }

    async fn subscribe(&self, channels: &[Channel], capacity: usize) -> Result<Subscription, BusError> {
        self.up()?;
        let (sender, receiver) = broadcast::channel(capacity);
        locked(&self.subscribers).push((channels.to_vec(), sender));
        Ok(Subscription::new(receiver, None))
    }

    async fn append(&self, stream: Stream, payload: Bytes) -> Result<EntryId, BusError> {
        self.up()?;
        if stream == Stream::Signals && self.signals_fail.load(Ordering::SeqCst) {
            return Err(BusError::Timeout(Duration::from_secs(1)));
        }
        let mut kept = locked(&self.kept);
        let entries = kept.streams.entry(stream.name()).or_default();
        let id = EntryId { millis: entries.len() as u64 + 1, index: 0 };
        entries.push(Entry { id, payload, deliveries: 0 });
        locked(&self.order).push(stream);
        self.changed.send_modify(|count| *count += 1);
        Ok(id)
    }

    async fn read(&self, stream: Stream, after: EntryId, _: usize, block: Duration) -> Result<Vec<Entry>, BusError> {
        let mut changed = self.changed.subscribe();
        let found = async {
            loop {
                self.up()?;
                let entries = self.after(stream, after);
                if !entries.is_empty() || changed.changed().await.is_err() {
                    return Ok(entries);
                }
            }
        };
        tokio::time::timeout(block, found).await.unwrap_or(Ok(Vec::new()))
    }

    async fn tail(&self, stream: Stream, count: usize) -> Result<Vec<Entry>, BusError> {
        self.up()?;
        let mut entries = self.after(stream, EntryId::START);
        Ok(entries.split_off(entries.len().saturating_sub(count)))
    }

    async fn len(&self, stream: Stream) -> Result<u64, BusError> {
        Ok(self.after(stream, EntryId::START).len() as u64)
    }

    async fn create_group(&self, stream: Stream, group: Group) -> Result<(), BusError> {
        Err(BusError::NoGroup { stream, group })
    }

    async fn read_group(
        &self,
        stream: Stream,
        group: Group,
        _: &str,
        _: ReadFrom,
        _: usize,
        _: Duration,
    ) -> Result<Vec<Entry>, BusError> {
        Err(BusError::NoGroup { stream, group })
    }

    async fn claim(
        &self,
        stream: Stream,
        group: Group,
        _: &str,
        _: Duration,
        _: EntryId,
        _: usize,
    ) -> Result<Claimed, BusError> {
        Err(BusError::NoGroup { stream, group })
    }

    async fn ack(&self, stream: Stream, group: Group, _: &[EntryId]) -> Result<u64, BusError> {
        Err(BusError::NoGroup { stream, group })
    }

    async fn pending(&self, stream: Stream, group: Group) -> Result<PendingSummary, BusError> {
        Err(BusError::NoGroup { stream, group })
    }

    async fn trim(&self, _: Stream, keep_from: EntryId) -> Result<Trimmed, BusError> {
        Ok(Trimmed { removed: 0, kept_from: keep_from })
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>, BusError> {
        self.up()?;
        Ok(locked(&self.kept).keys.get(&key.to_string()).cloned())
    }

    async fn set(&self, key: &Key, value: Bytes) -> Result<(), BusError> {
        self.up()?;
        locked(&self.kept).keys.insert(key.to_string(), value);
        self.changed.send_modify(|count| *count += 1);
        Ok(())
    }

    async fn replace(&self, key: &Key, before: Option<&[u8]>, after: Bytes) -> Result<bool, BusError> {
        self.up()?;
        let mut kept = locked(&self.kept);
        let unchanged = kept.keys.get(&key.to_string()).map(|held| &held[..]) == before;
        if unchanged {
            kept.keys.insert(key.to_string(), after);
        }
        let failing = self.replace_fails.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        // Carried out, but the answer is lost.
        if failing.is_ok() { Err(BusError::Timeout(Duration::from_secs(1))) } else { Ok(unchanged) }
    }

    fn link(&self) -> watch::Receiver<BusLink> {
        self.link.subscribe()
    }
}

fn kept_state(bus: &TestBus) -> Option<AthenaState> {
    let payload = locked(&bus.kept).keys.get("state.athena").cloned()?;
    Some(decode::<AthenaState>(&payload).expect("readable").body)
}

/// A running daemon with Argos and Hermes played by the test.
struct Rig {
    bus: Arc<TestBus>,
    argos: [Origin; 2],
    hermes: Origin,
    shutdown: CancellationToken,
    daemon: JoinHandle<Result<(), AthenaError>>,
    trades: u64,
    /// The run whose snapshot lay there before.
    before: Option<String>,
}

impl Rig {
    async fn start(bus: &Arc<TestBus>) -> Self {
        let rig = Self::prepare(bus).await;
        rig.state(|state| state.strategies.iter().any(|strategy| strategy.slug.is_some())).await;
        rig.books().await;
        rig
    }

    /// Starts the daemon with an armed latch, Hermes' and Argos' snapshots on the bus.
    async fn prepare(bus: &Arc<TestBus>) -> Self {
        let before = kept_state(bus).map(|state| state.boot);
        let mut params = scene::params();
        (params.min_ticks, params.cooldown) = (2, Duration::from_millis(1));
        let settings = Settings {
            strategies: vec![StrategySettings::of::<Momentum>(true, &params)],
            shard: Shard::WHOLE,
            limits: Limits { duplicate_within: Duration::ZERO, data_age: Duration::from_mins(1), ..bench::limits() },
        };
        let shutdown = CancellationToken::new();
        let port: BusRef = bus.clone();
        let daemon = tokio::spawn(run(settings, port, shutdown.clone()));
        let origins = || Origin::new("argos", "a1");
        let rig = Self {
            bus: Arc::clone(bus),
            argos: [origins(), origins()],
            hermes: Origin::new("hermes", "h1"),
            shutdown,
            daemon,
            trades: 0,
            before,
        };
        rig.publish(&Self::market()).await;
        // It speaks once and lives on, however slow the machine is.
        let state = HermesState { mode: Mode::Sim, ..scene::hermes(0, clock::now().plus(Duration::from_hours(1))) };
        rig.keep(&Key::HERMES, &state).await;
        rig.arm(1).await;
        rig
    }

    /// The market is in Argos' snapshot, so that it does not matter when the daemon subscribes.
    fn market() -> PolymarketData {
        let mut market = scene::market(scene::OPENS);
        market.opens_at = Some(clock::now().minus(Duration::from_mins(1)));
        market.closes_at = Some(clock::now().plus(Duration::from_mins(4)));
        PolymarketData::Market(market)
    }

    async fn publish(&self, data: &PolymarketData) {
        if let PolymarketData::Market(market) = data {
            let state = crate::domain::ArgosState {
                at: clock::now(),
                boot: "a1".into(),
                feeds: Vec::new(),
                ticks: crate::domain::TickCounts::default(),
                markets: vec![market.clone()],
            };
            self.keep(&Key::ARGOS, &state).await;
        }
        let payload = encode(&self.argos[1].wrap(data, clock::now())).expect("encodes");
        self.bus.publish(Channel::Polymarket, payload).await.expect("up");
    }

    async fn keep<T: Serialize>(&self, key: &Key, body: &T) {
        let payload = encode(&self.hermes.wrap(body, clock::now())).expect("encodes");
        self.bus.set(key, payload).await.expect("up");
    }

    async fn arm(&self, epoch: u64) {
        let latch = scene::latch(epoch, KillState::Armed, clock::now());
        let port: BusRef = self.bus.clone();
        control::put_latch(&port, &self.hermes, &latch, clock::now()).await.expect("up");
    }

    async fn books(&self) {
        for side in ["up", "down"] {
            let mut book = bench::book(&format!("{side}-{}", scene::OPENS), "0.49", "0.51", clock::now());
            book.market = format!("0x{}", scene::OPENS).into();
            self.publish(&PolymarketData::Book(book)).await;
        }
    }

    async fn tick(&mut self, price: rust_decimal::Decimal, ago: Duration) {
        self.trades += 1;
        let now = clock::now();
        let mut tick = scene::trade(self.trades, price, now.minus(ago));
        tick.received_at = now;
        let payload = encode(&self.argos[0].wrap(&tick, now)).expect("encodes");
        self.bus.publish(Channel::Crypto, payload).await.expect("up");
    }

    /// A move by the threshold over most of a window, seen within an instant.
    async fn move_up(&mut self) {
        self.tick(dec!(87_000), Duration::from_secs(9)).await;
        self.tick(dec!(87_100), Duration::ZERO).await;
    }

    async fn until<T>(&self, what: &str, mut look: impl FnMut(&TestBus) -> Option<T>) -> T {
        let mut changed = self.bus.changed.subscribe();
        let wait = async {
            loop {
                if let Some(found) = look(&self.bus) {
                    return found;
                }
                changed.changed().await.expect("the bus is there");
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{what} did not happen"))
    }

    async fn state(&self, fits: impl Fn(&AthenaState) -> bool) -> AthenaState {
        let new = |state: &AthenaState| Some(&state.boot) != self.before.as_ref();
        let look = |bus: &TestBus| kept_state(bus).filter(|state| new(state) && fits(state));
        self.until("the state", look).await
    }

    async fn event(&self, fits: impl Fn(&TradeEvent) -> bool) -> TradeEvent {
        self.until("the event", |bus| bus.all::<TradeEvent>(Stream::Events).into_iter().find(|event| fits(event))).await
    }

    async fn stop(self) -> Arc<TestBus> {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.daemon).await.expect("it leaves in time");
        ended.expect("no panic").expect("no error");
        self.bus
    }
}

fn is_denied(event: &TradeEvent) -> bool {
    matches!(event, TradeEvent::Denied { by: DeniedBy::Athena, denial, .. } if denial.control == Control::TradingState)
}

#[tokio::test]
async fn a_move_becomes_a_signal_then_an_event_then_a_count() {
    let bus = TestBus::new();
    let mut rig = Rig::start(&bus).await;
    rig.move_up().await;
    let told = rig.event(|event| matches!(event, TradeEvent::Signal(_))).await;
    let signals: Vec<SignalEntry> = bus.all(Stream::Signals);
    assert_eq!(vec![told], signals.iter().cloned().map(TradeEvent::Signal).collect::<Vec<_>>());
    assert_eq!((signals[0].intent.price, signals[0].intent.epoch), (Price(dec!(0.52)), 1));
    assert_eq!(signals[0].checks.len(), 28);
    assert_eq!(*locked(&bus.order), [Stream::Signals, Stream::Events], "the signal goes first");
    let state = rig.state(|state| state.signals.emitted == 1).await;
    assert_eq!((state.signals.denied, state.seq, state.dropped), (0, 1, 0));
    assert!(state.tick_to_signal.p50.is_some() && state.strategies[0].signal_at.is_some());
    rig.stop().await;
}

#[tokio::test]
async fn a_pushed_kill_stops_emission_and_an_arming_lifts_it() {
    let bus = TestBus::new();
    let mut rig = Rig::start(&bus).await;
    let port: BusRef = bus.clone();
    control::kill(&port, &rig.hermes, "cockpit", "test", clock::now()).await.expect("up");
    rig.move_up().await;
    rig.event(is_denied).await;
    assert_eq!(bus.all::<SignalEntry>(Stream::Signals), []);
    let state = rig.state(|state| state.signals.denied == 1).await;
    assert_eq!(state.strategies[0].idle.as_deref(), Some("killed by cockpit: test"));

    rig.arm(2).await;
    rig.state(|state| state.strategies[0].idle.is_none()).await;
    rig.books().await;
    rig.tick(dec!(87_101), Duration::ZERO).await;
    rig.event(|event| matches!(event, TradeEvent::Signal(entry) if entry.intent.epoch == 2)).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_kill_that_only_lies_in_the_key_is_found_by_polling() {
    let bus = TestBus::new();
    let mut rig = Rig::start(&bus).await;
    rig.keep(&Key::Kill, &scene::latch(1, KillState::Killed, clock::now())).await;
    rig.state(|state| state.strategies[0].idle.as_deref() == Some("killed by test: because")).await;
    rig.move_up().await;
    rig.event(is_denied).await;
    rig.stop().await;
}

#[tokio::test]
async fn what_hermes_tells_on_the_event_stream_is_folded() {
    let bus = TestBus::new();
    let rig = Rig::start(&bus).await;
    let told = |by: &str| {
        let latch = crate::domain::KillLatch { by: by.into(), ..scene::latch(1, KillState::Killed, clock::now()) };
        let event = TradeEvent::Kill(crate::domain::KillReport::idle(latch));
        encode(&Origin::new(by, "later").wrap(event, clock::now())).expect("encodes")
    };
    bus.append(Stream::Events, told("athena")).await.expect("up");
    bus.append(Stream::Events, told("hermes")).await.expect("up");
    let killed = rig.state(|state| state.strategies[0].idle.as_deref().is_some_and(|why| why.contains("killed"))).await;
    assert_eq!(killed.strategies[0].idle.as_deref(), Some("killed by hermes: because"), "the first kill counts");
    rig.stop().await;
}

#[tokio::test]
async fn a_signal_in_doubt_is_not_written_again() {
    let bus = TestBus::new();
    let mut rig = Rig::start(&bus).await;
    bus.signals_fail.store(true, Ordering::SeqCst);
    rig.move_up().await;
    rig.state(|state| state.signals.in_doubt == 1).await;
    bus.signals_fail.store(false, Ordering::SeqCst);
    let TradeEvent::Signal(told) = rig.event(|event| matches!(event, TradeEvent::Signal(_))).await else {
        unreachable!()
    };
    assert!(told.doubt.is_some() && !told.rationale.inputs.is_empty() && !told.checks.is_empty(), "{told:?}");
    rig.tick(dec!(87_101), Duration::ZERO).await;
    let entry = rig.until("a signal", |bus| bus.all::<SignalEntry>(Stream::Signals).pop()).await;
    assert_eq!((entry.rationale.last, entry.doubt), (Price(dec!(87_101)), None));
    let state = rig.state(|state| state.signals.emitted == 1).await;
    assert_eq!(state.signals.denied, 0);
    rig.stop().await;
}

#[tokio::test]
async fn a_push_that_cannot_be_read_halts_until_the_latch_is_read_again() {
    let bus = TestBus::new();
    let mut rig = Rig::start(&bus).await;
    bus.set(&Key::Kill, Bytes::from_static(b"{}")).await.expect("up");
    bus.publish(Channel::Kill, Bytes::from_static(b"killed?")).await.expect("up");
    rig.move_up().await;
    rig.event(is_denied).await;
    rig.arm(1).await;
    rig.state(|state| state.strategies[0].idle.is_none()).await;
    rig.stop().await;
}

#[tokio::test]
async fn malformed_and_missing_messages_are_counted_and_stop_nothing() {
    let bus = TestBus::new();
    let mut rig = Rig::start(&bus).await;
    bus.publish(Channel::Crypto, Bytes::from_static(b"\xff")).await.expect("up");
    bus.publish(Channel::Polymarket, Bytes::from_static(b"{\"schema\":1}")).await.expect("up");
    bus.append(Stream::Events, Bytes::from_static(b"nonsense")).await.expect("up");
    rig.tick(dec!(87_000), Duration::from_secs(9)).await;
    rig.argos[0].wrap((), clock::now());
    rig.argos[0].wrap((), clock::now());
    rig.tick(dec!(87_100), Duration::ZERO).await;
    rig.until("a signal", |bus| bus.all::<SignalEntry>(Stream::Signals).pop()).await;
    rig.state(|state| state.dropped == 5).await;
    rig.stop().await;
}

#[tokio::test]
async fn lost_messages_are_counted_and_the_snapshots_read_at_once() {
    let bus = TestBus::new();
    let mut rig = Rig::start(&bus).await;
    bus.tell(Channel::Crypto, &Delivery::Lagged(3));
    bus.tell(Channel::Crypto, &Delivery::Resumed);
    rig.state(|state| state.dropped == 3 && state.strategies[0].idle.is_some()).await;
    rig.books().await;
    rig.move_up().await;
    rig.until("a signal", |bus| bus.all::<SignalEntry>(Stream::Signals).pop()).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_bus_that_is_down_at_the_start_is_waited_for() {
    let bus = TestBus::new();
    bus.down.store(true, Ordering::SeqCst);
    let strategies = vec![StrategySettings::of::<Momentum>(true, &scene::params())];
    let settings = Settings { strategies, shard: Shard::WHOLE, limits: bench::limits() };
    let shutdown = CancellationToken::new();
    let port: BusRef = bus.clone();
    let daemon = tokio::spawn(run(settings.clone(), port, shutdown.clone()));
    shutdown.cancel();
    tokio::time::timeout(PATIENCE, daemon).await.expect("it leaves").expect("no panic").expect("no error");

    let port: BusRef = bus.clone();
    let shutdown = CancellationToken::new();
    let daemon = tokio::spawn(run(settings, port, shutdown.clone()));
    bus.down.store(false, Ordering::SeqCst);
    let mut changed = bus.changed.subscribe();
    let written = changed.wait_for(|_| locked(&bus.kept).keys.contains_key("state.athena"));
    tokio::time::timeout(PATIENCE, written).await.expect("it comes up").expect("the bus is there");
    shutdown.cancel();
    daemon.await.expect("no panic").expect("no error");
}

#[tokio::test]
async fn the_window_survives_a_restart() {
    let bus = TestBus::new();
    let mut rig = Rig::start(&bus).await;
    rig.tick(dec!(87_000), Duration::from_secs(9)).await;
    rig.state(|state| state.strategies[0].window_ticks == 1).await;
    rig.stop().await;

    let mut rig = Rig::start(&bus).await;
    rig.trades = 1;
    let state = rig.state(|state| state.strategies[0].window_ticks == 1).await;
    assert_eq!(state.signals.emitted, 0);
    rig.tick(dec!(87_100), Duration::ZERO).await;
    let entry = rig.until("a signal", |bus| bus.all::<SignalEntry>(Stream::Signals).pop()).await;
    assert_eq!(entry.rationale.first, Price(dec!(87_000)));
    rig.stop().await;
}

#[tokio::test]
async fn a_strategy_configured_twice_is_refused() {
    let settings = Settings {
        strategies: vec![
            StrategySettings::of::<Momentum>(true, &scene::params()),
            StrategySettings::of::<Momentum>(true, &scene::params()),
        ],
        shard: Shard::WHOLE,
        limits: bench::limits(),
    };
    let error = run(settings, TestBus::new(), CancellationToken::new()).await.expect_err("one state for two");
    assert_eq!(error.to_string(), "strategy 'momentum' is configured twice");
}

mod instruments;
mod kept;
mod params;
mod shards;
mod weather;
