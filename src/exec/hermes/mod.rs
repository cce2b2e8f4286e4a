//! Hermes at work: one task owns the [`Desk`] and performs what it decides; others commit, read, post and publish
//! for it over bounded channels.
//!
//! Priorities of the loop (`news.rs`): the lease, the end, the kill, then time, then commits, then answers, then the account's
//! events, then commands, then new signals.
//!
//! One Hermes works for an account at a time: the one with the lease. Any other is a standby: it answers its socket, passes a
//! kill on and asks for the lease; it sends nothing, consumes nothing and tells nothing.

mod arming;
mod commands;
mod consumer;
mod effects;
mod feed;
mod janitor;
mod lease;
mod news;
mod office;
mod outbox;
mod params;
mod passage;
mod runner;
mod scribe;
mod standby;
mod trades;
mod venue_calls;

#[cfg(test)]
mod tests;

pub(super) use office::Office;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use self::arming::{Arming, Places};
use self::lease::{LeaseTimes, Pulse, Tenure};
use self::news::{Inputs, TICK};
use self::office::Seat;
use self::params::Histories;
use self::runner::Ended;
use self::scribe::Scribe;
use self::standby::Standby;
use super::Settings;
use super::desk::{self, Desk, Rules, Step};
use super::kill::procedure::{KillTimings, Procedure};
use super::kill::{FileError, FileLatch, KillSwitch, LatchFile, Sources, start_latch, watch};
use super::socket::{self, SocketError};
use super::venue::ExecutionVenue;
use crate::bus::{BusRef, Origin};
use crate::clock;
use crate::domain::{KillLatch, ParamBook};
use crate::risk::RiskGate;
use crate::store::ledger::{Ledger, LedgerError, Memory, Write};

/// Commands on their way to the loop.
const ASKS: usize = 32;
/// How long what is under way may take at an orderly end.
const DRAIN: Duration = Duration::from_secs(8);
/// How long the tasks that serve a turn, and then those of the process, may take to end.
const TASKS_END: Duration = Duration::from_secs(3);
/// How long the ledger may take to close.
const LEDGER_CLOSES: Duration = Duration::from_secs(2);
/// The longest orderly end of [`run`]: what rests is cancelled, the last commits, tasks of the turn, the lease, tasks of the process,
/// the ledger.
pub const STOPS_WITHIN: Duration = DRAIN
    .saturating_add(runner::LAST_COMMITS)
    .saturating_add(TASKS_END)
    .saturating_add(lease::TTL)
    .saturating_add(TASKS_END)
    .saturating_add(LEDGER_CLOSES);
/// Pause after the books could not be opened.
const BOOKS_AGAIN: Duration = Duration::from_secs(1);

/// What Hermes is made of.
#[derive(Debug)]
pub struct Parts {
    /// How it works.
    pub settings: Settings,
    /// The gate that every order passes.
    pub gate: RiskGate,
    /// The bus.
    pub bus: BusRef,
    /// The memory.
    pub ledger: Arc<dyn Ledger>,
    /// Where orders go.
    pub venue: Arc<dyn ExecutionVenue>,
}

/// Why Hermes cannot start. Once it runs, nothing but shutdown ends it.
#[derive(Debug, thiserror::Error)]
pub enum HermesError {
    /// The ledger cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger belongs to another world.
    #[error("the ledger was made in mode {found}, this desk runs in {wanted}: give it a ledger of its own")]
    WrongMode {
        /// The ledger's mode.
        found: String,
        /// Ours.
        wanted: String,
    },
    /// The latch file cannot be written.
    #[error(transparent)]
    Latch(#[from] FileError),
    /// The control socket cannot be opened.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// SIGUSR2 cannot be heard: one way to kill would be missing.
    #[error("SIGUSR2: {0}")]
    Signal(std::io::Error),
    /// The books in the ledger cannot be rebuilt.
    #[error("books: {0}")]
    Books(String),
}

/// Everything that may be tuned for a test.
#[derive(Clone, Copy, Debug)]
struct Tuning {
    rules: Rules,
    kill: KillTimings,
    lease: LeaseTimes,
    drain: Duration,
    /// Batches that wait for the ledger before Hermes stops listening.
    backlog: usize,
}

impl Tuning {
    fn of(settings: &Settings) -> Self {
        Self {
            rules: Rules::of(settings),
            kill: KillTimings::default(),
            lease: LeaseTimes::default(),
            drain: DRAIN,
            backlog: 4_096,
        }
    }
}

/// Runs Hermes until shutdown. It waits for the lease of the account; then rebuilds the books from the ledger, compares them
/// with the venue and trades; at the end it cancels what rests, flushes and gives the lease back. When another has taken the
/// lease meanwhile, it waits again.
///
/// # Errors
/// [`HermesError`] when it cannot start.
pub async fn run(parts: Parts, shutdown: CancellationToken) -> Result<(), HermesError> {
    let tuning = Box::new(Tuning::of(&parts.settings));
    Box::pin(run_tuned(parts, tuning, shutdown)).await
}

async fn run_tuned(parts: Parts, tuning: Box<Tuning>, shutdown: CancellationToken) -> Result<(), HermesError> {
    let state_dir = parts.settings.state_dir.clone();
    let listener = socket::listen(&state_dir).await?;
    let file = LatchFile::in_dir(&state_dir);
    let origin = Arc::new(Origin::new("hermes", &Uuid::new_v4().simple().to_string()));
    let office = Arc::new(Office::new(Arc::clone(&parts.bus), file.clone(), origin));
    let signals = office::hear_signal().map_err(HermesError::Signal)?;

    let tasks = TaskTracker::new();
    let end = CancellationToken::new();
    let door = socket::Door { mode: parts.settings.mode, bus: Arc::clone(&parts.bus), office: Arc::clone(&office) };
    tasks.spawn(socket::serve(listener, state_dir, door, end.clone()));
    tasks.spawn(office::obey_signals(signals, Arc::clone(&office), end.clone()));
    let ledger = Arc::clone(&parts.ledger);
    let house = House { parts, tuning, file, office, opened: AtomicBool::new(false) };
    let result = house.take_turns(&shutdown).await;
    end.cancel();
    wait_for(&tasks).await;
    if tokio::time::timeout(LEDGER_CLOSES, ledger.close()).await.is_err() {
        tracing::warn!("the ledger did not close in time; what it has committed is safe");
    }
    result
}

async fn wait_for(tasks: &TaskTracker) {
    tasks.close();
    if tokio::time::timeout(TASKS_END, tasks.wait()).await.is_err() {
        tracing::warn!("some tasks of hermes did not end in time");
    }
}

/// Runs a task until the end.
async fn ending(end: CancellationToken, task: impl Future<Output = ()>) {
    end.run_until_cancelled(task).await;
}

/// What a turn begins with.
struct Opened {
    desk: Desk,
    recovery: Step,
    latch: KillLatch,
    /// The histories of strategies' parameters.
    params: Vec<ParamBook>,
}

/// What outlives a turn at the account.
struct House {
    parts: Parts,
    tuning: Box<Tuning>,
    file: LatchFile,
    office: Arc<Office>,
    /// Whether this process has opened the books before.
    opened: AtomicBool,
}

impl House {
    async fn take_turns(&self, shutdown: &CancellationToken) -> Result<(), HermesError> {
        loop {
            // A name of its own for every turn: to the bus, to the ledger, in the log.
            let boot = Uuid::new_v4().simple().to_string();
            let holder = holder(&boot);
            let origin = Arc::new(Origin::new("hermes", &boot));
            let standby = Standby {
                ledger: Arc::clone(&self.parts.ledger),
                bus: Arc::clone(&self.parts.bus),
                file: self.file.clone(),
                origin,
                office: Arc::clone(&self.office),
                times: self.tuning.lease,
            };
            let Some((tenure, takeover)) = standby.wait(&holder, shutdown).await else { return Ok(()) };
            tracing::info!(token = tenure.token, holder, "the lease of the account is ours");
            let takeover = takeover || self.opened.load(Ordering::Relaxed);
            let origin = desk::Origin { mode: self.parts.settings.mode, boot, takeover };
            let ended = self.turn(origin, holder, Arc::new(tenure), shutdown).await;
            let (result, why) = match ended {
                Ok(Ended::Displaced) => (None, "another hermes has taken the account"),
                Ok(Ended::Stopped) => (Some(Ok(())), "hermes is ending"),
                Err(HermesError::Ledger(error)) if error.is_transient() => {
                    tracing::error!(%error, "the books cannot be read or written, trying again");
                    tokio::select! {
                        () = tokio::time::sleep(BOOKS_AGAIN) => {}
                        () = shutdown.cancelled() => {}
                    }
                    (None, "the ledger did not let us open the books")
                }
                Err(error) => (Some(Err(error)), "hermes cannot start"),
            };
            self.office.sit(Seat::Standby(why.into()));
            if let Some(result) = result {
                self.release().await;
                return result;
            }
        }
    }

    /// Gives the lease back, so that nobody has to wait for its end.
    async fn release(&self) {
        match tokio::time::timeout(self.tuning.lease.ttl, self.parts.ledger.release_lease()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the lease of the account is left to run out"),
            Err(_) => tracing::warn!("the lease of the account is left to run out: the ledger does not answer"),
        }
    }

    async fn turn(
        &self,
        origin: desk::Origin,
        holder: String,
        tenure: Arc<Tenure>,
        shutdown: &CancellationToken,
    ) -> Result<Ended, HermesError> {
        let tasks = TaskTracker::new();
        // Ends what serves the loop; cancelled only after the loop has ended.
        let after = CancellationToken::new();
        let pulse = Arc::new(Pulse::new());
        let ledger = Arc::clone(&self.parts.ledger);
        let renewing = (Arc::clone(&tenure), Arc::clone(&pulse));
        tasks.spawn(lease::keep(ledger, holder, renewing.0, renewing.1, after.clone()));
        let ended = self.work(origin, tenure, pulse, &tasks, &after, shutdown).await;
        after.cancel();
        wait_for(&tasks).await;
        ended
    }

    /// The books as the ledger has them, and the latch that is in force with them.
    async fn open(&self, origin: desk::Origin, tenure: &Tenure) -> Result<Opened, HermesError> {
        let Parts { settings, gate, ledger, .. } = &self.parts;
        let mut memory = ledger.load(u32::try_from(desk::ENDED_KEPT).unwrap_or(u32::MAX)).await?;
        let latch = open_books(settings, &memory, &self.file, ledger.as_ref()).await?;
        let params = std::mem::take(&mut memory.params);
        let (mut desk, recovery) =
            Desk::restore(origin, gate.clone(), self.tuning.rules, latch.clone(), memory, clock::now())
                .map_err(HermesError::Books)?;
        desk.fencing_token = Some(tenure.token);
        self.opened.store(true, Ordering::Relaxed);
        Ok(Opened { desk, recovery, latch, params })
    }

    async fn work(
        &self,
        origin: desk::Origin,
        tenure: Arc<Tenure>,
        pulse: Arc<Pulse>,
        tasks: &TaskTracker,
        after: &CancellationToken,
        shutdown: &CancellationToken,
    ) -> Result<Ended, HermesError> {
        let boot = origin.boot.clone();
        // Reading everything back may take longer than an orderly end.
        let Opened { desk, recovery, latch, params } = tokio::select! {
            opened = self.open(origin, &tenure) => opened?,
            () = shutdown.cancelled() => return Ok(Ended::Stopped),
        };
        let Parts { settings, bus, ledger, venue, .. } = &self.parts;
        let switch = Arc::new(KillSwitch::new(latch));
        let origin = Arc::new(Origin::new("hermes", &boot));
        let (asks, asked) = mpsc::channel(ASKS);
        self.office.sit(Seat::Active { switch: Arc::clone(&switch), asks: asks.clone() });
        self.guard(&switch, &tenure, &origin, tasks, after);

        let outbox = outbox::Outbox::start(bus, &asks, &boot, tasks, after);
        let histories = Histories::new(Arc::clone(bus), asks.clone(), &boot, params);
        tasks.spawn(ending(after.clone(), histories.keep()));
        let acks = outbox.acks();
        tasks.spawn(commands::tail(Arc::clone(bus), Arc::clone(&switch), asks.clone(), acks, after.clone()));
        let consumer = consumer::Consumer::new(Arc::clone(bus), &boot, settings.claim_after);
        let (entries, done) = consumer.start(tasks, after);
        let feed = feed::start(bus, tasks, after);
        let asked_of = (Arc::clone(venue), Arc::clone(ledger));
        let calls = venue_calls::Calls::new(asked_of, Arc::clone(&switch), Arc::clone(&tenure), tasks.clone(), after);
        let (calls, reports, events) = calls.start();
        let places = Places {
            switch: Arc::clone(&switch),
            file: self.file.clone(),
            ledger: Arc::clone(ledger),
            bus: Arc::clone(bus),
            origin,
        };
        let inputs = Inputs {
            tenure: Arc::clone(&tenure),
            shutdown: shutdown.clone(),
            kills: switch.changes(),
            reports,
            events,
            asked,
            entries,
            every: TICK,
            tick_at: Some(tokio::time::Instant::now()),
        };
        let runner = runner::Runner::new(runner::Hands {
            desk,
            switch,
            tenure,
            pulse,
            scribe: Scribe::new(Arc::clone(ledger), self.tuning.backlog),
            arming: Arming { places, tasks: tasks.clone(), asks, under_way: None },
            calls,
            outbox,
            acks: done,
            feed,
            link: bus.link(),
            bus: Arc::clone(bus),
        });
        Ok(runner.run(recovery, inputs, self.tuning.drain).await)
    }

    /// What stops this turn: the procedure of the kill, and everything that listens for one.
    fn guard(
        &self,
        switch: &Arc<KillSwitch>,
        tenure: &Arc<Tenure>,
        origin: &Arc<Origin>,
        tasks: &TaskTracker,
        after: &CancellationToken,
    ) {
        let Parts { bus, ledger, venue, .. } = &self.parts;
        let procedure = Procedure {
            switch: Arc::clone(switch),
            file: self.file.clone(),
            venue: Arc::clone(venue),
            ledger: Arc::clone(ledger),
            bus: Arc::clone(bus),
            origin: Arc::clone(origin),
            timings: self.tuning.kill,
        };
        tasks.spawn(procedure.run(after.clone()));
        tasks.spawn(watch::pushes(Arc::clone(switch), Arc::clone(bus), after.clone()));
        tasks.spawn(janitor::run(Arc::clone(bus), self.parts.settings.clone(), after.clone()));
        tasks.spawn(watch::follows_file(Arc::clone(switch), self.file.clone(), after.clone()));
        let tenure = Arc::clone(tenure);
        let may_speak = move || tenure.may_speak();
        let polls = watch::polls_key(Arc::clone(switch), Arc::clone(bus), Arc::clone(origin), may_speak, after.clone());
        tasks.spawn(polls);
    }
}

/// This run of Hermes, for people and for the ledger; no other has the same.
fn holder(boot: &str) -> String {
    // Without a host name the boot id still makes the name unique; the host is for people.
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let host = if host.is_empty() { "host" } else { host };
    format!("hermes-{host}-{}-{boot}", std::process::id())
}

/// Checks whose ledger it is, decides the latch, and makes it durable in both places.
async fn open_books(
    settings: &Settings,
    memory: &Memory,
    file: &LatchFile,
    ledger: &dyn Ledger,
) -> Result<KillLatch, HermesError> {
    let wanted = settings.mode.to_string();
    if let Some(found) = memory.mode.clone().filter(|found| *found != wanted) {
        return Err(HermesError::WrongMode { found, wanted });
    }
    let found = file.read();
    let on_file = match &found {
        FileLatch::Present(latch) => Some(latch.clone()),
        FileLatch::Absent | FileLatch::Unreadable(_) => None,
    };
    let sources = Sources { file: found, ledger: memory.latch.clone() };
    let latch = start_latch(settings.mode, sources, clock::now());
    let mut writes = vec![Write::Meta { key: "mode", value: wanted }];
    if memory.latch.as_ref() != Some(&latch) {
        writes.push(Write::Latch(latch.clone()));
    }
    ledger.commit(&writes).await?;
    if on_file.as_ref() != Some(&latch) {
        file.write(&latch)?;
    }
    Ok(latch)
}
