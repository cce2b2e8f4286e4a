//! Athena on the bus: feeds the engine, carries out its effects, keeps `state.athena`.
//!
//! One task owns the engine. The kill latch has a subscription of its own and is looked at before everything else; whatever may
//! wait (polls, `trade.events`, snapshots) is done by tasks beside it, behind bounded channels.

mod inputs;
mod outputs;
mod recall;
mod sequence;
mod shelf;
#[cfg(test)]
mod tests;
mod together;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use uuid::Uuid;

use self::inputs::Inputs;
use self::outputs::{Keeper, Outbox, Snapshot};
use self::sequence::{Place, Sequence, UpTo, feed_of};
use self::shelf::{Change, Changes, Shelf};
use super::{Effect, Emission, Engine, Event, Gap, Refusal, Shard, StrategySettings};
use crate::bus::{BusRef, Channel, Delivery, Envelope, Origin, Stream, Subscription, decode, encode};
use crate::clock;
use crate::domain::params::Table;
use crate::domain::params::book::Values;
use crate::domain::{
    AthenaState, Control, Denial, DeniedBy, KillLatch, Latency, ParamProblem, ParamVersion, PolymarketData,
    SignalCounts, SignalEntry, StrategyId, Tick, Timestamp, TradeEvent, TradingState, WeatherData,
};
use crate::risk::{Denied, Limits};

/// Messages kept for Athena when she is slow; beyond that the oldest are lost and counted.
const DATA_CAPACITY: usize = 8_192;
const KILL_CAPACITY: usize = 64;

/// How often what has changed is written, so that a crash takes no more than a quarter of a second; an unchanged snapshot every fifth time.
const SNAPSHOT_EVERY: Duration = Duration::from_millis(200);
const UNCHANGED_EVERY: u32 = 5;

/// Slowest tick to signal that is told apart, in microseconds.
const SLOWEST_MICROS: u64 = 60_000_000;

/// What Athena runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The strategies with the configuration file's parameters, each once; those that are not enabled do not run.
    pub strategies: Vec<StrategySettings>,
    /// Which instruments are this Athena's.
    pub shard: Shard,
    /// The gate's limits.
    pub limits: Limits,
}

/// Why Athena cannot run.
#[derive(Debug, thiserror::Error)]
pub enum AthenaError {
    /// Two would share one state.
    #[error("strategy '{0}' is configured twice")]
    Twice(StrategyId),
    /// Its parameters do not fit its table.
    #[error("strategy '{strategy}': {}", in_words(.problems))]
    Params {
        /// Which.
        strategy: StrategyId,
        /// Everything that is wrong with them.
        problems: Vec<ParamProblem>,
    },
    /// The bus was shut down under her.
    #[error("the bus is gone: {0} ended")]
    BusGone(Channel),
    /// The latency histogram could not be made.
    #[error("latency histogram: {0}")]
    Histogram(#[from] hdrhistogram::CreationError),
}

/// Runs Athena until `shutdown`. A bus that is down is waited for.
///
/// # Errors
/// When the settings contradict themselves or the bus goes away for good.
pub async fn run(settings: Settings, bus: BusRef, shutdown: CancellationToken) -> Result<(), AthenaError> {
    let Settings { strategies, shard, limits } = settings;
    let Prepared { mut engine, books } = prepare(&strategies, shard, limits)?;
    let boot = Uuid::new_v4().to_string();
    let lost = Arc::new(AtomicU64::new(0));
    let started = async {
        let kill = inputs::subscribe(&bus, &[Channel::Kill], KILL_CAPACITY).await;
        let data =
            inputs::subscribe(&bus, &[Channel::Crypto, Channel::Weather, Channel::Polymarket], DATA_CAPACITY).await;
        let (shelf, made) = open_shelf(&bus, &boot, shard, books, &mut engine).await;
        let sequence = recall::recall(&bus, shard, &mut engine).await;
        inputs::signals_on_their_way(&bus, &mut engine).await;
        let inputs = Inputs::start(&bus, Arc::clone(&lost)).await;
        let changes = shelf.start(inputs.params_changed());
        (kill, data, inputs, changes, sequence, made)
    };
    let Some((kill, data, inputs, changes, sequence, made)) = shutdown.run_until_cancelled(started).await else {
        return Ok(());
    };
    info!(boot, %shard, "athena is up");
    let name = if shard.is_first() { "athena".to_owned() } else { format!("athena.{}", shard.index()) };
    let mut athena = Athena {
        engine,
        kill,
        inputs,
        changes,
        signals: Origin::new(&name, &boot),
        outbox: Outbox::start(&bus, Origin::new(&name, &boot), Arc::clone(&lost)),
        keeper: Keeper::start(&bus, &boot, shard),
        bus,
        boot,
        lost,
        sequence,
        counts: SignalCounts::default(),
        latency: Histogram::new_with_bounds(1, SLOWEST_MICROS, 3)?,
        effects: Vec::new(),
        changed: true,
        rewrite: false,
        unchanged_for: 0,
    };
    for version in made {
        athena.outbox.put(TradeEvent::Params(version));
    }
    let ended = athena.serve(data, &shutdown).await;
    athena.stop().await;
    ended
}

/// Puts the kept parameters in force before anything else is restored: a kept window belongs to them. Gives the versions that are to be
/// told.
async fn open_shelf(
    bus: &BusRef,
    boot: &str,
    shard: Shard,
    books: Vec<(StrategyId, Table, Values)>,
    engine: &mut Engine,
) -> (Shelf, Vec<ParamVersion>) {
    let (shelf, made) = Shelf::open(bus, boot, shard, books).await;
    for version in shelf.in_force() {
        if let Err(problems) = engine.set_params(version) {
            error!(strategy = %version.strategy, ?problems, "the file's parameters stay in force");
        }
    }
    (shelf, made)
}

fn in_words(problems: &[ParamProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The engine with the instruments of one shard, and a book of parameters for every strategy: whoever decides on parameters need not trade
/// the strategy herself.
struct Prepared {
    engine: Engine,
    books: Vec<(StrategyId, Table, Values)>,
}

fn prepare(strategies: &[StrategySettings], shard: Shard, limits: Limits) -> Result<Prepared, AthenaError> {
    let (mut runners, mut books) = (Vec::new(), Vec::<(StrategyId, Table, Values)>::new());
    for settings in strategies.iter().filter(|settings| settings.is_enabled()) {
        let strategy = StrategyId::new(settings.kind().name());
        if books.iter().any(|(known, ..)| *known == strategy) {
            return Err(AthenaError::Twice(strategy));
        }
        match settings.runners() {
            Ok(own) => runners.extend(own.into_iter().filter(|runner| shard.owns(&runner.key().1))),
            Err(problems) => return Err(AthenaError::Params { strategy, problems }),
        }
        books.push((strategy, settings.kind().table(), settings.values().clone()));
    }
    if runners.is_empty() {
        warn!(%shard, "none of the instruments belongs to this athena");
    }
    Ok(Prepared { engine: Engine::new(runners, limits), books })
}

struct Athena {
    engine: Engine,
    bus: BusRef,
    boot: String,
    kill: Subscription,
    inputs: Inputs,
    changes: Changes,
    signals: Origin,
    outbox: Outbox,
    keeper: Keeper,
    lost: Arc<AtomicU64>,
    sequence: Sequence,
    counts: SignalCounts,
    latency: Histogram<u64>,
    effects: Vec<Effect>,
    changed: bool,
    /// The bus may have lost what it was given: everything is written again.
    rewrite: bool,
    unchanged_for: u32,
}

impl Athena {
    async fn serve(&mut self, mut data: Subscription, shutdown: &CancellationToken) -> Result<(), AthenaError> {
        let mut timer = tokio::time::interval(SNAPSHOT_EVERY);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                delivery = self.kill.recv() => match delivery {
                    Some(delivery) => self.on_kill(delivery),
                    None => return Err(AthenaError::BusGone(Channel::Kill)),
                },
                Some(event) = self.inputs.recv() => self.on_event(&event).await,
                Some(change) = self.changes.recv() => self.on_change(change),
                _ = timer.tick() => {
                    self.on_event(&Event::Timer).await;
                    self.snapshot();
                }
                delivery = data.recv() => match delivery {
                    Some(delivery) => self.on_data(delivery).await,
                    None => return Err(AthenaError::BusGone(Channel::Crypto)),
                },
            }
        }
    }

    /// A push that is missing or cannot be read counts as a kill until the latch has been read again.
    fn on_kill(&mut self, delivery: Delivery) {
        let event = match delivery {
            Delivery::Message { payload, .. } => match decode::<KillLatch>(&payload) {
                Ok(envelope) => Event::Latch(envelope.body),
                Err(error) => Event::LatchUnreadable(error.to_string()),
            },
            Delivery::Lagged(_) | Delivery::Resumed => {
                self.rewrite = true;
                Event::LatchUnreadable("pushes were lost".into())
            }
        };
        if let Event::LatchUnreadable(why) = &event {
            warn!(why, "kill latch");
            self.inputs.refresh();
        }
        self.changed = true;
        self.engine.on_event(&event, clock::now(), &mut self.effects);
    }

    /// Parameters change here, between two events.
    fn on_change(&mut self, change: Change) {
        let Change { version, told, done } = change;
        let taken = self.engine.set_params(&version);
        if taken.is_ok() {
            self.changed = true;
            if told {
                self.outbox.put(TradeEvent::Params(version));
            }
        }
        if done.send(taken).is_err() {
            warn!("nobody waits for a change of parameters any more");
        }
    }

    async fn on_data(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Message { channel: Channel::Crypto, payload } => match decode::<Tick>(&payload) {
                Ok(envelope) => {
                    self.count(Channel::Crypto, &envelope, envelope.body.received_at);
                    self.on_event(&Event::Tick(envelope.body)).await;
                }
                Err(error) => self.refused(Channel::Crypto, &error),
            },
            Delivery::Message { channel: Channel::Weather, payload } => match decode::<WeatherData>(&payload) {
                Ok(envelope) => {
                    self.count(Channel::Weather, &envelope, envelope.published_at);
                    self.on_event(&Event::Weather(Box::new(envelope.body))).await;
                }
                Err(error) => self.refused(Channel::Weather, &error),
            },
            Delivery::Message { channel, payload } => match decode::<PolymarketData>(&payload) {
                Ok(envelope) => {
                    self.count(channel, &envelope, envelope.published_at);
                    self.on_event(&Event::Polymarket(envelope.body)).await;
                }
                Err(error) => self.refused(channel, &error),
            },
            Delivery::Lagged(missed) => {
                self.lost.fetch_add(self.sequence.lagged(missed), Ordering::Relaxed);
                self.inputs.refresh();
                self.on_event(&Event::Lag).await;
            }
            Delivery::Resumed => {
                self.inputs.refresh();
                self.rewrite = true;
                self.on_event(&Event::Gap).await;
            }
        }
    }

    /// Counts what is missing before a message. Ticks and news of the weather that are missing are a gap that strategies see.
    fn count<T>(&mut self, channel: Channel, envelope: &Envelope<T>, at: Timestamp) {
        let Envelope { source, boot, seq, .. } = envelope;
        let missing = self.sequence.heard(Place { channel, source, boot, seq: *seq, at });
        self.lost.fetch_add(missing.untold, Ordering::Relaxed);
        if let (Some(from), Some(feed)) = (missing.since, feed_of(channel)) {
            warn!(%channel, %source, %from, to = %at, missing = missing.untold, "news are missing");
            self.engine.note_gap(feed, Gap { from, to: at });
        }
    }

    fn refused(&mut self, channel: Channel, error: &crate::bus::CodecError) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        warn!(%channel, %error, "unreadable message");
    }

    async fn on_event(&mut self, event: &Event) {
        self.changed |= !matches!(event, Event::Timer);
        self.engine.on_event(event, clock::now(), &mut self.effects);
        if self.effects.is_empty() {
            return;
        }
        for effect in std::mem::take(&mut self.effects) {
            match effect {
                Effect::Emit(emission) => self.emit(*emission).await,
                Effect::Deny(refusal) => self.deny(*refusal),
                Effect::Skip(skip) => self.outbox.put(TradeEvent::Skipped(*skip)),
            }
        }
    }

    /// The signal goes first and alone; telling of it comes after. A write that failed may have happened: it is
    /// told as in doubt and not repeated, and the engine keeps counting the intent until it has expired.
    async fn emit(&mut self, emission: Emission) {
        while let Some(delivery) = self.kill.try_recv() {
            self.on_kill(delivery);
        }
        let Emission { approved, rationale } = emission;
        let (intent, checks) = approved.into_parts();
        let mut entry = SignalEntry { intent, rationale, checks, doubt: None };
        if self.engine.trading_state(clock::now()) == TradingState::Halted {
            let denial = Denial { control: Control::TradingState, value: "halted".into(), limit: "active".into() };
            let SignalEntry { intent, rationale, checks, .. } = entry;
            return self.deny(Refusal { denied: Denied { intent, denial, checks }, rationale });
        }
        let written = match encode(&self.signals.wrap(&entry, clock::now())) {
            Ok(payload) => self.bus.append(Stream::Signals, payload).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = written {
            warn!(intent = %entry.intent.intent, error, "signal is lost or in doubt");
            self.counts.in_doubt += 1;
            entry.doubt = Some(error);
            return self.outbox.put(TradeEvent::Signal(entry));
        }
        let micros = clock::now().since(entry.intent.tick_received_at).as_micros();
        self.latency.saturating_record(u64::try_from(micros).unwrap_or(SLOWEST_MICROS));
        self.counts.emitted += 1;
        info!(intent = %entry.intent.intent, note = %entry.rationale.note, "signal");
        self.outbox.put(TradeEvent::Signal(entry));
    }

    fn deny(&mut self, refusal: Refusal) {
        let Refusal { denied: Denied { intent, denial, checks }, rationale } = refusal;
        self.counts.denied += 1;
        info!(intent = %intent.intent, %denial, "denied");
        let (by, rationale, at) = (DeniedBy::Athena, Some(rationale), clock::now());
        self.outbox.put(TradeEvent::Denied { by, intent, denial, rationale, checks, at });
    }

    /// Hands the snapshot to its writer when something changed, and once a second anyway. A writer that is still busy with
    /// the last one gets the next.
    fn snapshot(&mut self) {
        self.unchanged_for += 1;
        let due = self.changed || self.rewrite || self.unchanged_for >= UNCHANGED_EVERY;
        if let Some(room) = due.then(|| self.keeper.room()).flatten() {
            room.send(self.take_snapshot());
        }
    }

    fn take_snapshot(&mut self) -> Snapshot {
        (self.changed, self.unchanged_for) = (false, 0);
        let now = clock::now();
        let quantile = |q| (!self.latency.is_empty()).then(|| self.latency.value_at_quantile(q));
        let state = AthenaState {
            at: now,
            boot: self.boot.clone(),
            seq: self.outbox.seq(),
            signals: SignalCounts { skipped: self.engine.skips(), ..self.counts },
            dropped: self.lost.load(Ordering::Relaxed) + self.engine.lost(),
            tick_to_signal: Latency { p50: quantile(0.5), p99: quantile(0.99) },
            strategies: self.engine.report(now),
            params: self.engine.params(),
        };
        let saved = self.engine.save(std::mem::take(&mut self.rewrite));
        let heard = UpTo { states: self.engine.keys(), feeds: self.sequence.feeds() };
        Snapshot { state, heard, saved }
    }

    async fn stop(mut self) {
        let snapshot = self.take_snapshot();
        self.keeper.stop(snapshot).await;
        self.outbox.stop().await;
        info!("athena is down");
    }
}
