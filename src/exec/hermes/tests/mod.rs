//! The runner with a scripted venue, a bus in memory and a real `SQLite` file.

mod beats;
mod bus;
mod house;
mod kill;
mod ledger;
mod letters;
mod many;
mod scribe;
mod standby;
mod trading;
mod venue;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
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
use crate::exec::bench::{market, rationale};
use crate::exec::socket::{Reply, Request, SocketError, ask, path_in};
use crate::risk::Limits;
use crate::risk::checks::bench;
use crate::store::ledger::{History, Known, Lease};
use crate::store::sqlite::SqliteLedger;

const WAIT: Duration = Duration::from_secs(40);

/// What is wrong with a ledger.
#[derive(Debug, Default)]
struct Fault {
    /// It answers with an error.
    off: AtomicBool,
    /// It does not answer.
    hangs: AtomicBool,
    /// Commands that it was given to keep, each with its outcome.
    commands: Mutex<Vec<String>>,
    /// How often the lease was given back.
    given_back: AtomicU64,
}

impl Fault {
    async fn strikes(&self) -> Result<(), LedgerError> {
        let unavailable = || Err(LedgerError::Unavailable("scripted".into()));
        if self.hangs.load(Ordering::SeqCst) {
            // As long as a commit may take.
            tokio::time::sleep(Duration::from_secs(5)).await;
            return unavailable();
        }
        if self.off.load(Ordering::SeqCst) { unavailable() } else { Ok(()) }
    }
}

/// A ledger with faults on demand.
#[derive(Debug)]
struct Faulty {
    inner: SqliteLedger,
    fault: Arc<Fault>,
}

#[async_trait]
impl Ledger for Faulty {
    async fn commit(&self, writes: &[Write]) -> Result<(), LedgerError> {
        self.fault.strikes().await?;
        self.inner.commit(writes).await?;
        for write in writes {
            if let Write::Command { command, verdict, epoch, .. } = write {
                let (action, outcome) = (json(&command.action, "action"), json(verdict, "verdict"));
                let line = format!("{} by {} in {epoch}: {outcome}", action, command.actor);
                self.fault.commands.lock().expect("lock").push(line);
            }
        }
        Ok(())
    }

    async fn load(&self, ended: u32) -> Result<Memory, LedgerError> {
        self.fault.strikes().await?;
        self.inner.load(ended).await
    }

    async fn order(&self, order: &OrderId) -> Result<Known, LedgerError> {
        self.fault.strikes().await?;
        self.inner.order(order).await
    }

    async fn letter(&self, id: &str) -> Result<Option<DeadLetter>, LedgerError> {
        self.fault.strikes().await?;
        self.inner.letter(id).await
    }

    async fn history(&self, market: &MarketId, token: &TokenId) -> Result<History, LedgerError> {
        self.fault.strikes().await?;
        self.inner.history(market, token).await
    }

    async fn count_orders(&self) -> Result<Counted, LedgerError> {
        self.fault.strikes().await?;
        self.inner.count_orders().await
    }

    async fn lease(&self, holder: &str, ttl: Duration) -> Result<Lease, LedgerError> {
        self.fault.strikes().await?;
        self.inner.lease(holder, ttl).await
    }

    async fn release_lease(&self) -> Result<(), LedgerError> {
        self.fault.strikes().await?;
        self.inner.release_lease().await?;
        self.fault.given_back.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

fn json(value: &impl serde::Serialize, field: &str) -> String {
    serde_json::to_value(value).expect("JSON")[field].as_str().expect("a word").to_owned()
}

struct World {
    dir: TempDir,
    bus: Arc<TestBus>,
    venue: Arc<TestVenue>,
    ledger: Arc<Fault>,
    backlog: usize,
    writer: Writer,
}

impl World {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("dir"),
            bus: Arc::new(TestBus::new()),
            venue: Arc::new(TestVenue::default()),
            ledger: Arc::default(),
            backlog: 4_096,
            writer: Writer::new("athena", "b"),
        }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    async fn parts(&self) -> Parts {
        self.parts_of(self.path(), &self.ledger).await
    }

    /// A Hermes with a state directory of its own, on the same ledger.
    async fn parts_of(&self, state_dir: &Path, fault: &Arc<Fault>) -> Parts {
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
                state_dir: state_dir.to_owned(),
                reconcile_every: Duration::from_secs(1),
                heartbeat_every: Duration::from_millis(200),
                claim_after: Duration::from_secs(1),
                signals_kept: Duration::from_mins(1),
                dead_letters_kept: Duration::from_mins(1),
            },
            gate: RiskGate::new(limits),
            bus: self.bus.clone(),
            ledger: Arc::new(Faulty { inner, fault: Arc::clone(fault) }),
            venue: self.venue.clone(),
        }
    }

    /// Starts Hermes and waits until it may trade, or is killed.
    async fn start(&self) -> Running {
        let running = self.launch(self.parts().await);
        self.publish_market().await;
        let mut tries = 0;
        while !self
            .state()
            .is_some_and(|state| state.trading_state == TradingState::Active || !state.kill.latch.is_armed())
        {
            assert!(!running.task.is_finished(), "hermes ended: {:?}", running.task.await);
            tries += 1;
            assert!(tries < 1_000, "not ready: {:?}", self.state());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        running
    }

    /// Starts a Hermes and waits for nothing.
    fn launch(&self, parts: Parts) -> Running {
        let shutdown = CancellationToken::new();
        let mut tuning = Box::new(Tuning::of(&parts.settings));
        quicken(&mut tuning);
        tuning.backlog = self.backlog;
        Running { task: tokio::spawn(run_tuned(parts, tuning, shutdown.clone())), shutdown }
    }

    /// Keeps the market fresh until the test's runtime ends.
    async fn publish_market(&self) {
        let (bus, writer) = (self.bus.clone(), Writer::new("argos", "b"));
        tokio::spawn(async move {
            loop {
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
        self.until_within(WAIT, what, check).await
    }

    async fn until_within(&self, time: Duration, what: &str, check: impl Fn(&HermesState) -> bool) -> HermesState {
        let found = async {
            loop {
                if let Some(state) = self.state().filter(&check) {
                    return state;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(time, found).await.unwrap_or_else(|_| panic!("never: {what}; {:#?}", self.state()))
    }

    async fn signal(&self, name: &str) {
        self.signal_in(name, 1).await;
    }

    /// One that is to be cancelled when it has rested for this long.
    async fn signal_resting(&self, name: &str, rest: Duration) {
        self.append(OrderIntent { rest_until: clock::now().plus(rest), ..intent(name, 1) }).await;
    }

    async fn signal_in(&self, name: &str, epoch: u64) {
        self.append(intent(name, epoch)).await;
    }

    async fn append(&self, intent: OrderIntent) {
        let body = SignalEntry { intent, rationale: rationale(), checks: Vec::new(), doubt: None };
        let payload = encode(&self.writer.wrap(body, clock::now())).expect("encodes");
        self.bus.append(Stream::Signals, payload).await.expect("appends");
    }

    fn dead(&self) -> Vec<DeadLetterReason> {
        self.bus.bodies::<DeadLetter>(Stream::Dlq).into_iter().map(|letter| letter.body.reason).collect()
    }

    async fn command(&self, action: Action) -> AckVerdict {
        self.command_of(self.path(), action).await
    }

    /// Arms as soon as that is possible.
    async fn arm(&self) {
        let armed = async {
            while self.command(Action::Arm { why: "go".into() }).await != AckVerdict::Applied {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(WAIT, armed).await.expect("arms");
    }

    async fn command_of(&self, state_dir: &Path, action: Action) -> AckVerdict {
        let now = clock::now();
        let command =
            Command { id: "c1".into(), actor: "test".into(), issued_at: now, expires_at: now.plus(WAIT), action };
        match ask(&path_in(state_dir), Request::Command(command)).await.expect("answers") {
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

fn book() -> Book {
    let level = |price| vec![Level { price: Price(price), size: Size(dec!(10_000)) }];
    Book {
        market: "0xm".into(),
        token: "1".into(),
        bids: level(dec!(0.48)),
        asks: level(dec!(0.50)),
        event_at: clock::now(),
        received_at: clock::now(),
        heard_at: None,
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
