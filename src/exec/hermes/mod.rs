//! Hermes at work: one task owns the [`Desk`] and performs what it decides; others read, post and publish
//! for it over bounded channels.
//!
//! Priorities of the loop: the kill, then answers, then the account's events, then commands, then time, then new signals.

mod arming;
mod commands;
mod consumer;
mod feed;
mod outbox;
mod passage;
mod runner;
mod venue_calls;

#[cfg(test)]
mod tests;

pub(super) use commands::{Ask, obey};

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::Settings;
use super::desk::{self, Desk, Rules};
use super::kill::procedure::{KillTimings, Procedure};
use super::kill::{FileError, FileLatch, KillSwitch, LatchFile, Sources, start_latch, watch};
use super::socket::{self, SocketError};
use super::venue::ExecutionVenue;
use crate::bus::{BusRef, Origin};
use crate::clock;
use crate::domain::KillLatch;
use crate::risk::RiskGate;
use crate::store::ledger::{Ledger, LedgerError, Memory, Write};

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
    /// The books in the ledger cannot be rebuilt.
    #[error("books: {0}")]
    Books(String),
}

/// Everything that may be tuned for a test.
#[derive(Clone, Copy, Debug)]
struct Tuning {
    rules: Rules,
    kill: KillTimings,
    drain: Duration,
}

impl Tuning {
    fn of(settings: &Settings) -> Self {
        Self { rules: Rules::of(settings), kill: KillTimings::default(), drain: Duration::from_secs(8) }
    }
}

/// Runs Hermes until shutdown: rebuilds the books from the ledger, compares them with the venue, trades; at the end cancels
/// what rests and flushes.
///
/// # Errors
/// [`HermesError`] when it cannot start.
pub async fn run(parts: Parts, shutdown: CancellationToken) -> Result<(), HermesError> {
    let tuning = Tuning::of(&parts.settings);
    run_tuned(parts, tuning, shutdown).await
}

async fn run_tuned(parts: Parts, tuning: Tuning, shutdown: CancellationToken) -> Result<(), HermesError> {
    let Parts { settings, gate, bus, ledger, venue } = parts;
    let boot = Uuid::new_v4().simple().to_string();
    let memory = ledger.load(u32::try_from(desk::ENDED_KEPT).unwrap_or(u32::MAX)).await?;
    let listener = socket::listen(&settings.state_dir).await?;
    let file = LatchFile::in_dir(&settings.state_dir);
    let latch = open_books(&settings, &memory, &file, ledger.as_ref()).await?;
    let switch = Arc::new(KillSwitch::new(latch.clone()));
    let now = clock::now();
    let origin = desk::Origin { mode: settings.mode, boot: boot.clone() };
    let (desk, recovery) = Desk::restore(origin, gate, tuning.rules, latch, memory, now).map_err(HermesError::Books)?;

    let tasks = TaskTracker::new();
    // Ends what serves the loop; cancelled only after the loop has ended.
    let after = CancellationToken::new();
    let control = Arc::new(Origin::new("hermes", &boot));
    let procedure = Procedure {
        switch: Arc::clone(&switch),
        file: file.clone(),
        venue: Arc::clone(&venue),
        ledger: Arc::clone(&ledger),
        bus: Arc::clone(&bus),
        origin: Arc::clone(&control),
        timings: tuning.kill,
    };
    tasks.spawn(procedure.run(after.clone()));
    tasks.spawn(watch::pushes(Arc::clone(&switch), Arc::clone(&bus), after.clone()));
    let polls = watch::polls(Arc::clone(&switch), Arc::clone(&bus), Arc::clone(&control), file.clone(), after.clone());
    tasks.spawn(polls);

    let (asks, asked) = mpsc::channel(32);
    let outbox = outbox::Outbox::start(&bus, &ledger, &boot, &tasks, &after);
    let door =
        socket::Door { mode: settings.mode, switch: Arc::clone(&switch), bus: Arc::clone(&bus), asks: asks.clone() };
    tasks.spawn(socket::serve(listener, settings.state_dir.clone(), door, after.clone()));
    tasks.spawn(commands::tail(Arc::clone(&bus), Arc::clone(&switch), asks, outbox.acks(), after.clone()));
    let consumer = consumer::Consumer::new(Arc::clone(&bus), &boot, settings.claim_after);
    let (entries, done) = consumer.start(&tasks, &after);
    let feed = feed::start(&bus, &tasks, &after);
    let calls = venue_calls::Calls::new(Arc::clone(&venue), Arc::clone(&switch), tasks.clone());
    let (calls, reports, events) = calls.start(&after);

    let runner = runner::Runner::new(runner::Hands {
        desk,
        switch,
        file,
        bus,
        ledger: Arc::clone(&ledger),
        calls,
        outbox,
        acks: done,
        feed,
        control,
    });
    let inputs = runner::Inputs { entries, reports, events, asked };
    runner.run(recovery, inputs, tuning.drain, shutdown).await;

    after.cancel();
    tasks.close();
    if tokio::time::timeout(Duration::from_secs(3), tasks.wait()).await.is_err() {
        tracing::warn!("some tasks of hermes did not end in time");
    }
    ledger.close().await;
    Ok(())
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
