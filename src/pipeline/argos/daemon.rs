//! Starts Argos' tasks and stops them in order: collectors first, then what drains their queues, the snapshot last.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use super::pattern::Pattern;
use super::polymarket::{Outbox, Watcher};
use super::publisher::Publisher;
use super::rejected::Rejects;
use super::settings::Settings;
use super::state::{Counts, Shared};
use super::watchlist::Watchlist;
use super::{crypto, polymarket, rejected, state};
use crate::bus::BusRef;
use crate::venues::kraken;
use crate::venues::polymarket::books::BookReader;
use crate::venues::polymarket::gamma::GammaClient;
use crate::venues::polymarket::market_ws;

/// How long queues may take to drain after the collectors have stopped.
const DRAIN_WITHIN: Duration = Duration::from_secs(2);

/// Why Argos cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ArgosError {
    /// A setting makes no sense.
    #[error("argos.{key} '{value}' is not {expected}")]
    Setting {
        /// Which.
        key: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The HTTP client could not be made.
    #[error("argos: {0}")]
    Http(String),
    /// A task died: a defect.
    #[error("a task of argos died: {0}")]
    Task(JoinError),
}

/// Collects until `shutdown`. Venues and bus may be down at any time, at the start too: it says so in its state and goes on.
///
/// # Errors
/// [`ArgosError`]: the settings make no sense, or a task died.
pub async fn run(settings: Settings, bus: BusRef, shutdown: CancellationToken) -> Result<(), ArgosError> {
    let patterns = check(&settings)?;
    let gamma = GammaClient::new(&settings.gamma).map_err(|error| ArgosError::Http(error.to_string()))?;
    let reader = BookReader::new(&settings.clob).map_err(|error| ArgosError::Http(error.to_string()))?;
    let boot = Uuid::new_v4().to_string();
    let counts = Arc::new(Counts::default());
    let shared = Arc::new(Shared::new(Arc::clone(&counts)));
    let (rejects, rejected_queue) = Rejects::new(Arc::clone(&counts));
    let (ticks, tick_queue) = mpsc::channel(crypto::QUEUE);
    let outbox = Arc::new(Outbox::default());
    let (wanted, wanted_tokens) = watch::channel(std::collections::BTreeSet::new());

    // A child, so that a task's death can stop the others without stopping the rest of the process.
    let stop = shutdown.child_token();
    let mut tasks = JoinSet::new();
    let watcher = Watcher {
        watchlist: Watchlist::new(patterns),
        gamma,
        outbox: Arc::clone(&outbox),
        wanted,
        publisher: Publisher::new(&bus, &boot),
        shared: Arc::clone(&shared),
        rejects: rejects.clone(),
    };
    tasks.spawn(watcher.run(stop.clone()));
    let sink = polymarket::sink(outbox, rejects.clone());
    let (url, token) = (settings.clob_ws.clone(), stop.clone());
    tasks.spawn(async move { market_ws::client::run(&url, reader, wanted_tokens, sink, token).await });
    let sink = crypto::sink(Arc::clone(&shared), rejects, ticks);
    let (config, token) = (kraken_config(&settings), stop.clone());
    tasks.spawn(async move { kraken::client::run(&settings.kraken_ws, config, sink, token).await });

    // These end by themselves, when the collectors are gone and the queues are empty.
    tasks.spawn(crypto::publish(tick_queue, Publisher::new(&bus, &boot), Arc::clone(&shared)));
    tasks.spawn(rejected::write(rejected_queue, Publisher::new(&bus, &boot), counts));
    let finish = CancellationToken::new();
    // Dropping this future must not leave the writer behind.
    let _guard = finish.clone().drop_guard();
    let snapshot = tokio::spawn(state::write(shared, Publisher::new(&bus, &boot), boot, finish.clone()));

    let outcome = tokio::select! {
        outcome = supervise(&mut tasks, &stop) => outcome,
        () = overdue(&stop) => {
            tracing::warn!("queues were not empty {DRAIN_WITHIN:?} after the collectors were stopped");
            Ok(())
        }
    };
    finish.cancel();
    outcome.and(snapshot.await.map_err(ArgosError::Task))
}

/// Waits for every task; the first that dies stops the others.
async fn supervise(tasks: &mut JoinSet<()>, stop: &CancellationToken) -> Result<(), ArgosError> {
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            stop.cancel();
            outcome = outcome.and(Err(ArgosError::Task(error)));
        }
    }
    outcome
}

async fn overdue(stop: &CancellationToken) {
    stop.cancelled().await;
    sleep(DRAIN_WITHIN).await;
}

fn kraken_config(settings: &Settings) -> kraken::session::Config {
    kraken::session::Config {
        symbols: settings.symbols.clone(),
        silence: settings.silence,
        subscribe_within: settings.subscribe_within,
    }
}

fn check(settings: &Settings) -> Result<Vec<Pattern>, ArgosError> {
    let wrong = |key: &'static str, value: &str, expected: &'static str| ArgosError::Setting {
        key,
        value: value.to_owned(),
        expected,
    };
    let of_scheme = |text: &str, schemes: [&str; 2]| Url::parse(text).is_ok_and(|url| schemes.contains(&url.scheme()));
    for (key, value) in [("kraken_ws", &settings.kraken_ws), ("clob_ws", &settings.clob_ws)] {
        if !of_scheme(value, ["ws", "wss"]) {
            return Err(wrong(key, value, "a ws:// or wss:// address"));
        }
    }
    for (key, value) in [("gamma", &settings.gamma), ("clob", &settings.clob)] {
        if !of_scheme(value, ["http", "https"]) {
            return Err(wrong(key, value, "an http:// or https:// address"));
        }
    }
    if settings.symbols.is_empty() {
        return Err(wrong("symbols", "[]", "a list of at least one pair such as BTC/USD"));
    }
    for (key, value) in [("silence", settings.silence), ("subscribe_within", settings.subscribe_within)] {
        if value.is_zero() {
            return Err(wrong(key, "0", "a time above 0"));
        }
    }
    let pattern = |name: &String| Pattern::parse(name).map_err(|expected| wrong("markets", name, expected));
    settings.markets.iter().map(pattern).collect()
}
