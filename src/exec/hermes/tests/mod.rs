//! The runner with a scripted venue, a bus in memory and a real `SQLite` file.

mod bus;
mod venue;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rust_decimal::dec;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::bus::TestBus;
use self::venue::{Script, TestVenue};
use super::*;
use crate::bus::{Bus, Channel, Key, Origin as Writer, Stream, control, encode};
use crate::domain::*;
use crate::exec::socket::{Reply, Request, SocketError, ask, path_in};
use crate::risk::Limits;
use crate::risk::checks::bench;
use crate::store::sqlite::SqliteLedger;

const WAIT: Duration = Duration::from_secs(20);

/// A ledger that can be switched off.
#[derive(Debug)]
struct Switchable {
    inner: SqliteLedger,
    off: Arc<AtomicBool>,
}

#[async_trait]
impl Ledger for Switchable {
    async fn commit(&self, writes: &[Write]) -> Result<(), LedgerError> {
        if self.off.load(Ordering::SeqCst) {
            return Err(LedgerError::Unavailable("scripted".into()));
        }
        self.inner.commit(writes).await
    }

    async fn load(&self, ended: u32) -> Result<Memory, LedgerError> {
        self.inner.load(ended).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

struct World {
    dir: TempDir,
    bus: Arc<TestBus>,
    venue: Arc<TestVenue>,
    ledger_off: Arc<AtomicBool>,
    writer: Writer,
}

impl World {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("dir"),
            bus: Arc::new(TestBus::new()),
            venue: Arc::new(TestVenue::default()),
            ledger_off: Arc::default(),
            writer: Writer::new("athena", "b"),
        }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    async fn parts(&self) -> Parts {
        let inner = SqliteLedger::open(&self.path().join("ledger.db")).await.expect("opens");
        let limits = Limits {
            order_size: Size(dec!(1000)),
            order_notional: Usd(dec!(1000)),
            price_collar: dec!(0.5),
            position_cap: Size(dec!(10000)),
            gross_exposure: Usd(dec!(10000)),
            daily_drawdown: Usd(dec!(50)),
            data_age: Duration::from_mins(1),
            ..bench::wide()
        };
        Parts {
            settings: Settings {
                mode: Mode::Sim,
                state_dir: self.path().to_owned(),
                reconcile_every: Duration::from_secs(1),
                heartbeat_every: Duration::from_millis(200),
                claim_after: Duration::from_secs(1),
                mismatch_limit: Usd(dec!(5)),
                breaker_rejections: 5,
            },
            gate: RiskGate::new(limits),
            bus: self.bus.clone(),
            ledger: Arc::new(Switchable { inner, off: self.ledger_off.clone() }),
            venue: self.venue.clone(),
        }
    }

    /// Starts Hermes and waits until it may trade, or is killed.
    async fn start(&self) -> Running {
        let (parts, shutdown) = (self.parts().await, CancellationToken::new());
        let mut tuning = Tuning::of(&parts.settings);
        quicken(&mut tuning);
        let task = tokio::spawn(run_tuned(parts, tuning, shutdown.clone()));
        self.publish_market().await;
        let mut tries = 0;
        while !self
            .state()
            .is_some_and(|state| state.trading_state == TradingState::Active || !state.kill.latch.is_armed())
        {
            assert!(!task.is_finished(), "hermes ended: {:?}", task.await);
            tries += 1;
            assert!(tries < 1_000, "not ready: {:?}", self.state());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Running { task, shutdown }
    }

    /// Keeps the market fresh; published until Hermes listens.
    async fn publish_market(&self) {
        let (bus, writer) = (self.bus.clone(), Writer::new("argos", "b"));
        tokio::spawn(async move {
            for _ in 0..2_000 {
                for data in [PolymarketData::Market(market()), PolymarketData::Book(book())] {
                    let payload = encode(&writer.wrap(data, clock::now())).expect("encodes");
                    bus.publish(Channel::Polymarket, payload).await.expect("publishes");
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        tokio::time::sleep(Duration::ZERO).await;
    }

    fn state(&self) -> Option<HermesState> {
        self.bus.key(&Key::HERMES)
    }

    async fn until(&self, what: &str, check: impl Fn(&HermesState) -> bool) -> HermesState {
        let found = async {
            loop {
                if let Some(state) = self.state().filter(&check) {
                    return state;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(WAIT, found).await.unwrap_or_else(|_| panic!("never: {what}; {:#?}", self.state()))
    }

    async fn signal(&self, name: &str) {
        self.signal_in(name, 1).await;
    }

    async fn signal_in(&self, name: &str, epoch: u64) {
        let body = SignalEntry { intent: intent(name, epoch), rationale: rationale(), checks: Vec::new() };
        let payload = encode(&self.writer.wrap(body, clock::now())).expect("encodes");
        self.bus.append(Stream::Signals, payload).await.expect("appends");
    }

    fn dead(&self) -> Vec<DeadLetterReason> {
        self.bus.bodies::<DeadLetter>(Stream::Dlq).into_iter().map(|letter| letter.body.reason).collect()
    }

    async fn command(&self, action: Action) -> AckVerdict {
        let now = clock::now();
        let command =
            Command { id: "c1".into(), actor: "test".into(), issued_at: now, expires_at: now.plus(WAIT), action };
        match ask(&path_in(self.path()), Request::Command(command)).await.expect("answers") {
            Reply::Ack(ack) => ack.verdict,
            other => panic!("{other:?}"),
        }
    }
}

struct Running {
    task: JoinHandle<Result<(), HermesError>>,
    shutdown: CancellationToken,
}

impl Running {
    async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(WAIT, self.task).await.expect("ends in time").expect("no panic").expect("no error");
    }
}

/// Windows that are seconds in production are fractions of one here; the order of things stays.
fn quicken(tuning: &mut Tuning) {
    tuning.rules.lookup_every = Duration::from_millis(40);
    tuning.rules.late_post = Duration::from_millis(200);
    tuning.kill.snapshot_gap = Duration::from_millis(40);
    tuning.kill.late_post = Duration::from_millis(200);
    tuning.kill.retry = Duration::from_millis(50);
    tuning.drain = Duration::from_secs(3);
}

fn market() -> Market {
    let token = |token: &str, outcome: &str| OutcomeToken { token: token.into(), outcome: outcome.into() };
    Market {
        slug: "btc-updown-5m-0".into(),
        market: "0xm".into(),
        tokens: [token("1", "Up"), token("2", "Down")],
        tick_size: Price(dec!(0.01)),
        min_size: Size(dec!(5)),
        neg_risk: false,
        protocol: Protocol::V2,
        fee: FeeSchedule { rate: dec!(0.07), exponent: 1 },
        opens_at: None,
        closes_at: None,
        accepting_orders: true,
        payouts: None,
    }
}

fn book() -> Book {
    let level = |price| vec![Level { price: Price(price), size: Size(dec!(100)) }];
    Book {
        market: "0xm".into(),
        token: "1".into(),
        bids: level(dec!(0.48)),
        asks: level(dec!(0.50)),
        event_at: clock::now(),
        received_at: clock::now(),
    }
}

fn intent(name: &str, epoch: u64) -> OrderIntent {
    let now = clock::now();
    OrderIntent {
        intent: name.into(),
        strategy: "momentum".into(),
        market: "0xm".into(),
        slug: "btc-updown-5m-0".into(),
        token: "1".into(),
        outcome: "Up".into(),
        side: Side::Buy,
        price: Price(dec!(0.50)),
        size: Size(dec!(10)),
        tif: TimeInForce::Gtc,
        post_only: false,
        tick_received_at: now,
        created_at: now,
        deadline: now.plus(WAIT),
        rest_until: now.plus(WAIT),
        epoch,
        attempt: 1,
    }
}

fn rationale() -> Rationale {
    Rationale {
        source: "BTC/USD".into(),
        change: dec!(0.001),
        threshold: dec!(0.0005),
        window_ms: 1000,
        window_ticks: 3,
        first: Price(dec!(1)),
        last: Price(dec!(2)),
        reference: Price(dec!(0.5)),
        fair: None,
        edge: None,
        note: String::new(),
        params: 0,
        inputs: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_signal_to_a_position_with_its_fee_and_everything_told_in_order() {
    let world = World::new();
    let hermes = world.start().await;
    world.signal("a").await;
    let live = world.until("live", |state| state.orders.accepted == 1).await;
    assert_eq!((live.orders.sent, live.orders.accepted, live.orders.unknown), (1, 1, 0));
    world.venue.match_order(&"0xa".into()).await;
    let done = world.until("filled", |state| state.orders.filled == 1 && state.fills == 1).await;
    assert_eq!(done.positions[0].size, Size(dec!(10)));
    assert_eq!(done.pnl.fees, Usd(dec!(0.175)));
    assert!(done.tick_to_order.p99.is_some());
    world.until("acknowledged", |_| world.bus.unacknowledged() == 0).await;
    let events = world.bus.bodies::<TradeEvent>(Stream::Events);
    let numbers: Vec<u64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "no gap");
    let states: Vec<OrderState> = events
        .iter()
        .filter_map(|e| if let TradeEvent::Order(order) = &e.body { Some(order.state) } else { None })
        .collect();
    assert_eq!(states, [OrderState::Signed, OrderState::Sent, OrderState::Live, OrderState::Filled]);
    assert!(world.venue.beats.load(Ordering::SeqCst) > 0);
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_entry_is_buried_and_the_line_behind_it_moves() {
    let world = World::new();
    let hermes = world.start().await;
    world.bus.append(Stream::Signals, bytes::Bytes::from_static(b"{not json")).await.expect("appends");
    world.signal("a").await;
    world.until("the next one lives", |state| state.orders.open == 1 && state.dlq == 1).await;
    world.until("both acknowledged", |_| world.bus.unacknowledged() == 0).await;
    world.until("on the stream", |_| world.dead() == [DeadLetterReason::Malformed]).await;
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_intent_twice_and_a_lost_group_give_one_order() {
    let world = World::new();
    let hermes = world.start().await;
    world.signal("a").await;
    world.signal("a").await;
    world.until("live", |state| state.orders.open == 1).await;
    world.bus.lose_group().await;
    world.signal("b").await;
    world.until("the group is back, all was delivered again", |state| state.orders.open == 2).await;
    world.until("acknowledged", |_| world.bus.unacknowledged() == 0).await;
    assert_eq!(world.venue.posts(), ["0xa".into(), "0xb".into()]);
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_is_settled_by_looking_and_transient_answers_repeat_the_same_bytes() {
    let world = World::new();
    let hermes = world.start().await;
    world.venue.next(Script::LoseReply);
    world.venue.next(Script::Busy);
    world.venue.next(Script::Fill);
    world.signal("a").await;
    world.until("found", |state| state.orders.open == 1 && state.orders.unknown == 0).await;
    world.signal("b").await;
    world.until("matched", |state| state.orders.filled == 1 && state.fills == 1).await;
    assert_eq!(world.venue.posts(), ["0xa".into(), "0xb".into(), "0xb".into()]);
    let bodies = world.venue.bodies();
    assert_eq!(bodies[1], bodies[2]);
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_post_holds_nothing_up() {
    let world = World::new();
    let hermes = world.start().await;
    world.venue.next(Script::Hang);
    world.signal("slow").await;
    world.signal("quick").await;
    world.until("the second is accepted", |state| state.orders.accepted >= 1 && state.orders.sent >= 1).await;
    assert_eq!(world.venue.posts().len(), 2);
    hermes.stop().await;
}

#[test]
fn a_crash_in_the_middle_of_a_post_leads_to_no_second_post_and_no_lost_order() {
    let world = World::new();
    let runtime = || tokio::runtime::Runtime::new().expect("runtime");
    let first = runtime();
    first.block_on(async {
        world.start().await;
        world.venue.next(Script::Hang);
        let posted = world.venue.posted.notified();
        world.signal("a").await;
        tokio::time::timeout(WAIT, posted).await.expect("posted");
    });
    // Every task dies where it stands: the venue has the order, nobody heard the answer, the entry is not acknowledged.
    first.shutdown_timeout(Duration::from_secs(5));
    assert_eq!(world.bus.unacknowledged(), 1);
    runtime().block_on(async {
        let hermes = world.start().await;
        let state = world.until("found", |state| state.orders.open == 1 && state.orders.unknown == 0).await;
        assert_eq!(state.recent_orders[0].intent.intent, "a".into());
        world.until("the entry is claimed and acknowledged", |_| world.bus.unacknowledged() == 0).await;
        assert_eq!(world.venue.posts().len(), 1);
        hermes.stop().await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kill_goes_through_although_steps_of_it_fail_and_only_a_proof_lets_arm() {
    let world = World::new();
    let hermes = world.start().await;
    for name in ["a", "b", "c"] {
        world.signal(name).await;
    }
    world.until("three rest", |state| state.orders.open == 3).await;
    world.venue.refuse_cancel_all.store(3, Ordering::SeqCst);
    world.bus.refuse_latch.store(true, Ordering::SeqCst);
    world.ledger_off.store(true, Ordering::SeqCst);
    let verdict = world.command(Action::Kill { why: "test".into() }).await;
    assert_eq!(verdict, AckVerdict::Applied);
    let AckVerdict::Denied { reasons } = world.command(Action::Arm { why: "too early".into() }).await else {
        panic!("armed without a proof");
    };
    assert!(reasons.iter().any(|reason| reason.contains("not proved")), "{reasons:?}");
    let proved = |state: &HermesState| matches!(state.kill.proof, KillProof::Proved { .. });
    let state = world.until("proved without bus and ledger", proved).await;
    let beats = world.venue.beats.load(Ordering::SeqCst);
    assert_eq!((world.venue.open(), state.kill.venue_open_orders, state.kill.orders_cancelled), (0, Some(0), 3));
    let done = |step| state.kill.steps.iter().any(|(known, _)| *known == step);
    assert!(done(KillStep::GateClosed) && done(KillStep::LatchFile) && done(KillStep::CancelAll));
    assert!(!done(KillStep::LatchBus) && !done(KillStep::LatchLedger));
    assert!(matches!(world.command(Action::Arm { why: "no ledger".into() }).await, AckVerdict::Denied { .. }));

    world.bus.refuse_latch.store(false, Ordering::SeqCst);
    world.ledger_off.store(false, Ordering::SeqCst);
    let all = [KillStep::LatchLedger, KillStep::LatchBus];
    world
        .until("the rest followed", |s| all.iter().all(|step| s.kill.steps.iter().any(|(known, _)| known == step)))
        .await;
    world.signal("late").await;
    world.until("buried", |_| world.dead().contains(&DeadLetterReason::Killed)).await;
    world.until("books follow", |state| state.orders.cancelled == 3 && state.orders.open == 0).await;
    assert_eq!(world.venue.beats.load(Ordering::SeqCst), beats, "no heartbeat while killed");

    let armed = async {
        while world.command(Action::Arm { why: "go".into() }).await != AckVerdict::Applied {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(WAIT, armed).await.expect("arms");
    let latch = control::latch(&(world.bus.clone() as BusRef)).await.expect("readable").expect("there");
    assert!(latch.is_armed() && latch.epoch > 1);
    world.signal_in("stale", 1).await;
    world.signal_in("fresh", latch.epoch).await;
    world.until("the fresh one lives", |state| state.orders.open == 1).await;
    assert!(world.dead().contains(&DeadLetterReason::StaleEpoch));
    assert_eq!(world.venue.posts().last(), Some(&"0xfresh".into()));
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_survives_a_restart_and_a_push_on_the_bus_kills() {
    let world = World::new();
    let hermes = world.start().await;
    world.signal("a").await;
    world.until("rests", |state| state.orders.open == 1).await;
    let bus: BusRef = world.bus.clone();
    control::kill(&bus, &Writer::new("cockpit", "b"), "cockpit", "test", clock::now()).await.expect("written");
    world.until("killed", |state| !state.kill.latch.is_armed()).await;
    hermes.stop().await;
    let hermes = world.start().await;
    let state = world.until("proved again", |state| matches!(state.kill.proof, KillProof::Proved { .. })).await;
    assert_eq!((state.kill.latch.by.as_str(), world.venue.open()), ("cockpit", 0));
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_latch_file_that_cannot_be_read_kills() {
    let world = World::new();
    let hermes = world.start().await;
    std::fs::write(world.path().join("kill.latch"), b"garbage").expect("writes");
    let state = world.until("killed", |state| !state.kill.latch.is_armed()).await;
    assert!(state.kill.latch.why.contains("unreadable"), "{}", state.kill.latch.why);
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_ledger_nothing_new_is_sent_and_afterwards_it_goes_on() {
    let world = World::new();
    let hermes = world.start().await;
    world.signal("a").await;
    world.until("live", |state| state.orders.open == 1).await;
    world.ledger_off.store(true, Ordering::SeqCst);
    world.signal("b").await;
    let state = world.until("says so", |state| state.trouble.is_some()).await;
    assert!(state.trouble.expect("trouble").contains("ledger"));
    assert_eq!(world.venue.posts().len(), 1);
    world.ledger_off.store(false, Ordering::SeqCst);
    world.until("goes on", |state| state.orders.open == 2).await;
    assert_eq!(world.venue.posts().len(), 2);
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_end_cancels_what_rests_and_the_books_know_it() {
    let world = World::new();
    let hermes = world.start().await;
    world.signal("a").await;
    world.until("rests", |state| state.orders.open == 1).await;
    hermes.stop().await;
    assert_eq!(world.venue.open(), 0);
    let ledger = SqliteLedger::open(&world.path().join("ledger.db")).await.expect("opens");
    let memory = ledger.load(10).await.expect("loads");
    assert_eq!((memory.orders[0].order.state, memory.counts.cancelled), (OrderState::Cancelled, 1));
    assert!(!path_in(world.path()).exists(), "the socket is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_is_private_single_and_answers() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    std::fs::write(path_in(world.path()), b"left behind").expect("stale file");
    let hermes = world.start().await;
    let mode = std::fs::metadata(path_in(world.path())).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let Reply::Status(status) = ask(&path_in(world.path()), Request::Status { status: true }).await.expect("answers")
    else {
        panic!("not a status");
    };
    assert!(status.daemons["hermes"].up && !status.daemons["argos"].up);
    let second = run(world.parts().await, CancellationToken::new()).await;
    assert!(matches!(second, Err(HermesError::Socket(SocketError::InUse(_)))), "{second:?}");
    let long = world.path().join("x".repeat(120));
    assert!(matches!(ask(&long, Request::Status { status: true }).await, Err(SocketError::TooLong { .. })));
    hermes.stop().await;
}

#[tokio::test]
async fn a_ledger_of_another_mode_is_refused() {
    let world = World::new();
    let mut parts = world.parts().await;
    parts.ledger.commit(&[Write::Meta { key: "mode", value: "LIVE".into() }]).await.expect("commits");
    parts.settings.mode = Mode::Sim;
    let refused = run(parts, CancellationToken::new()).await;
    assert!(matches!(refused, Err(HermesError::WrongMode { .. })), "{refused:?}");
}
