//! The composition root: the only file that names adapters and starts tasks.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use futures::future::BoxFuture;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::bus::BusRef;
use crate::bus::memory::MemoryBus;
use crate::bus::redis::RedisBus;
use crate::config::{Config, Venues};
use crate::pipeline::{argos, athena};
use crate::risk::RiskGate;
use crate::store::books::Books;
use crate::store::ledger::Ledger;
use crate::store::postgres::PostgresLedger;
use crate::store::sqlite::SqliteLedger;
use crate::venues::polymarket::signing::{LocalKey, SignatureType};
use crate::venues::polymarket::{self, PolymarketVenue};
use crate::{exec, sim};

/// Polygon.
const CHAIN_ID: u64 = 137;
/// How long the daemons may take to stop before they are abandoned: longer than an orderly end of the slowest of them.
const STOP_WITHIN: Duration = exec::STOPS_WITHIN.saturating_add(Duration::from_secs(2));

/// Pause between two tries to reach the ledger's server at start.
const LEDGER_AGAIN: Duration = Duration::from_secs(1);

/// The daemons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Daemon {
    /// Collects.
    Argos,
    /// Decides.
    Athena,
    /// Acts.
    Hermes,
}

impl Daemon {
    /// All of them, in the order in which data flows.
    pub const ALL: [Self; 3] = [Self::Argos, Self::Athena, Self::Hermes];
}

/// Daemons that run in this process.
#[derive(Debug)]
pub struct Running {
    bus: BusRef,
    tasks: JoinSet<(Daemon, anyhow::Result<()>)>,
    stop_athena: CancellationToken,
    stop: CancellationToken,
    sim: Option<sim::Running>,
    lock: Option<File>,
}

impl Running {
    /// Starts these daemons, and the simulated venues when the configuration names no others.
    ///
    /// # Errors
    /// When the state directory is taken, the ledger cannot be opened, a port cannot be bound, or the daemons could not
    /// reach one another.
    pub async fn start(config: &Config, daemons: &[Daemon]) -> anyhow::Result<Self> {
        let whole = Daemon::ALL.iter().all(|daemon| daemons.contains(daemon));
        if config.bus_url.is_memory() && !whole {
            bail!("bus.url = \"memory://\" joins the daemons of one process only: run all three, or use redis://");
        }
        if config.venues.is_none() && !whole {
            bail!(
                "without [venues] each process would simulate venues of its own: start `cockpit sim --port 7700` and put \
                 its addresses into [venues]"
            );
        }
        let bus = connect(config)?;
        let embedded = match &config.venues {
            None => Some(sim::start(config.sim.clone()).await.context("simulated venues")?),
            Some(_) => None,
        };
        let venues = match (&config.venues, &embedded) {
            (Some(venues), _) => venues.clone(),
            (None, Some(sim)) => embedded_venues(sim),
            (None, None) => bail!("no venues"),
        };
        let mut running = Self {
            bus,
            tasks: JoinSet::new(),
            stop_athena: CancellationToken::new(),
            stop: CancellationToken::new(),
            sim: embedded,
            lock: None,
        };
        if daemons.contains(&Daemon::Hermes) {
            running.start_hermes(config, &venues).await?;
        }
        if daemons.contains(&Daemon::Athena) {
            running.start_athena(config);
        }
        if daemons.contains(&Daemon::Argos) {
            running.start_argos(config, &venues);
        }
        Ok(running)
    }

    /// The bus that joins them.
    #[must_use]
    pub fn bus(&self) -> BusRef {
        Arc::clone(&self.bus)
    }

    /// Waits until a daemon ends without having been asked to, and says why.
    pub async fn failed(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            None => std::future::pending().await,
            Some(Ok((daemon, Err(error)))) => error.context(format!("{daemon:?} failed")),
            Some(Ok((daemon, Ok(())))) => anyhow!("{daemon:?} ended"),
            Some(Err(error)) => anyhow!("a daemon broke down: {error}"),
        }
    }

    /// Stops: decisions first, then orders (what rests is cancelled, the books are brought up to date), the venues last.
    ///
    /// # Errors
    /// When a daemon ended with an error or did not end in time.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.stop_athena.cancel();
        self.stop.cancel();
        let mut first_error = Ok(());
        let joined = tokio::time::timeout(STOP_WITHIN, async {
            while let Some(ended) = self.tasks.join_next().await {
                let result = match ended {
                    Ok((daemon, result)) => result.with_context(|| format!("{daemon:?}")),
                    Err(error) => Err(anyhow!("a daemon broke down: {error}")),
                };
                if first_error.is_ok() {
                    first_error = result;
                }
            }
        });
        if joined.await.is_err() {
            first_error = Err(anyhow!("the daemons did not stop within {} s", STOP_WITHIN.as_secs()));
        }
        if let Some(sim) = self.sim.take() {
            sim.stop().await;
        }
        // Only now may another desk take the state directory.
        drop(self.lock.take());
        first_error
    }

    fn start_argos(&mut self, config: &Config, venues: &Venues) {
        let settings = argos::Settings {
            kraken_ws: venues.kraken_ws.clone(),
            gamma: venues.gamma.clone(),
            clob: venues.clob.clone(),
            clob_ws: venues.clob_ws.clone(),
            symbols: config.argos.symbols.clone(),
            markets: config.argos.markets.clone(),
            silence: config.argos.silence,
            subscribe_within: config.argos.subscribe_within,
        };
        let (bus, stop) = (self.bus(), self.stop.clone());
        self.tasks.spawn(async move { (Daemon::Argos, argos::run(settings, bus, stop).await.map_err(Into::into)) });
    }

    fn start_athena(&mut self, config: &Config) {
        let settings = athena::Settings {
            strategies: config.strategies.clone(),
            shard: config.shard,
            limits: config.limits.clone(),
        };
        let (bus, stop) = (self.bus(), self.stop_athena.clone());
        self.tasks.spawn(async move { (Daemon::Athena, athena::run(settings, bus, stop).await.map_err(Into::into)) });
    }

    async fn start_hermes(&mut self, config: &Config, venues: &Venues) -> anyhow::Result<()> {
        let state_dir = config.state_dir()?;
        self.lock = Some(lock(&state_dir)?);
        let waiting = open_ledger(config, &state_dir, &self.stop).await?;
        let key = LocalKey::from_hex(sim::DESK_KEY)?;
        let account = &config.account;
        let signature_type = SignatureType::from_word(&account.signature_type)
            .with_context(|| format!("account.signature_type {}", account.signature_type))?;
        let settings = polymarket::Settings {
            clob: venues.clob.clone(),
            clob_ws: venues.clob_ws.clone(),
            chain_id: CHAIN_ID,
            signature_type,
            wallet: account.wallet.clone(),
            rates: polymarket::Rates { orders: account.orders_per_s, cancels: account.cancels_per_s },
        };
        let venue = PolymarketVenue::new(&settings, key)?;
        let settings = exec::Settings {
            mode: config.mode,
            state_dir,
            reconcile_every: config.hermes.reconcile_every,
            heartbeat_every: config.hermes.heartbeat_every,
            claim_after: config.hermes.claim_after,
            signals_kept: config.hermes.signals_kept,
            dead_letters_kept: config.hermes.dead_letters_kept,
        };
        let (gate, bus, stop) = (RiskGate::new(config.limits.clone()), self.bus(), self.stop.clone());
        self.tasks.spawn(async move {
            let ended = match waiting.await {
                Ok(Some(ledger)) => {
                    exec::run(exec::Parts { settings, gate, bus, ledger, venue }, stop).await.map_err(Into::into)
                }
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            (Daemon::Hermes, ended)
        });
        Ok(())
    }
}

/// The bus that the configuration names. Redis need not be up: the connection is tried for as long as it takes.
///
/// # Errors
/// When the address cannot be used.
pub fn connect(config: &Config) -> anyhow::Result<BusRef> {
    if config.bus_url.is_memory() {
        return Ok(MemoryBus::new());
    }
    let bus = RedisBus::new(config.bus_url.reveal()).with_context(|| format!("bus.url = {}", config.bus_url))?;
    Ok(bus)
}

/// A ledger, or nothing when the desk stopped before it could be reached.
type Waiting = BoxFuture<'static, anyhow::Result<Option<Arc<dyn Ledger>>>>;

/// The ledger that the configuration names. A file is there or it is wrong, which is told at once; a server is asked until it
/// answers.
async fn open_ledger(config: &Config, state_dir: &Path, stop: &CancellationToken) -> anyhow::Result<Waiting> {
    if config.ledger_url.is_file() {
        let path = ledger_file(config, state_dir);
        if config.venues.is_none() {
            set_aside(&path)?;
        }
        let ledger = SqliteLedger::open(&path).await.with_context(|| format!("ledger {}", path.display()))?;
        return Ok(Box::pin(std::future::ready(Ok(Some(Arc::new(ledger) as Arc<dyn Ledger>)))));
    }
    let (url, stop) = (config.ledger_url.clone(), stop.clone());
    Ok(Box::pin(async move {
        loop {
            match PostgresLedger::open(url.reveal()).await {
                Ok(ledger) => return Ok(Some(Arc::new(ledger) as Arc<dyn Ledger>)),
                Err(error) if error.is_transient() => tracing::warn!(%error, "hermes waits for its ledger"),
                Err(error) => return Err(anyhow!(error).context(format!("ledger.url = {url}"))),
            }
            tokio::select! {
                () = tokio::time::sleep(LEDGER_AGAIN) => {}
                () = stop.cancelled() => return Ok(None),
            }
        }
    }))
}

/// The same ledger, to be looked at while Hermes works, or while nobody does.
///
/// # Errors
/// When there is none yet.
pub fn books(config: &Config) -> anyhow::Result<Books> {
    if config.ledger_url.is_file() {
        return Ok(Books::sqlite(&ledger_file(config, &config.state_dir()?))?);
    }
    Books::postgres(config.ledger_url.reveal()).with_context(|| format!("ledger.url = {}", config.ledger_url))
}

fn ledger_file(config: &Config, state_dir: &Path) -> PathBuf {
    if let Some(path) = config.ledger_url.file() {
        return path.to_owned();
    }
    state_dir.join(if config.venues.is_some() { "ledger.db" } else { "embedded.db" })
}

/// Cancels the token at the first SIGTERM, SIGINT or SIGHUP.
///
/// # Errors
/// When the signals cannot be listened to.
pub fn stop_on_signals(stop: &CancellationToken) -> std::io::Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let stop = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
        stop.cancel();
    });
    Ok(())
}

fn embedded_venues(sim: &sim::Running) -> Venues {
    tracing::info!(truth = %sim.endpoints.truth, clob = %sim.endpoints.clob, "simulated venues are up");
    Venues {
        kraken_ws: sim.endpoints.kraken_ws.clone(),
        clob: sim.endpoints.clob.clone(),
        clob_ws: sim.endpoints.clob_ws.clone(),
        gamma: sim.endpoints.gamma.clone(),
    }
}

/// One Hermes a state directory: two would fight over the latch, the socket and the ledger.
fn lock(state_dir: &Path) -> anyhow::Result<File> {
    std::fs::create_dir_all(state_dir).with_context(|| format!("state_dir {}", state_dir.display()))?;
    let path = state_dir.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("lock file {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "state_dir {} belongs to a desk that is running; attach to that one, or give another --state-dir",
            state_dir.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("lock file {}", path.display())),
    }
}

/// Keeps the ledger of an earlier embedded world aside. Such a world begins anew with each process, so its ledger does too. The
/// kill latch is not part of it and lives on. What was kept before goes first: a log beside a database that is not its own would be
/// taken for part of it.
fn set_aside(path: &Path) -> anyhow::Result<()> {
    const FILES: [&str; 3] = ["", "-wal", "-shm"];
    let current = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let previous = |suffix: &str| path.with_file_name(format!("embedded.previous.db{suffix}"));
    if !FILES.map(current).iter().any(|file| file.exists()) {
        return Ok(());
    }
    for old in FILES.map(previous) {
        match std::fs::remove_file(&old) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("{}", old.display()));
            }
            Ok(()) | Err(_) => {}
        }
    }
    for suffix in FILES {
        let current = current(suffix);
        if current.exists() {
            std::fs::rename(&current, previous(suffix)).with_context(|| format!("{}", current.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_orderly_end_of_hermes_is_waited_for() {
        // The venue's answers, the last commits, the lease, and three times what serves them.
        assert!(STOP_WITHIN > Duration::from_secs(8 + 5 + 3 + 2 + 3 + 2), "{STOP_WITHIN:?}");
    }

    #[test]
    fn a_ledger_that_is_set_aside_gets_no_log_of_another() {
        let dir = tempfile::tempdir().expect("a temp dir");
        let file = |name: &str| dir.path().join(name);
        let write = |name: &str| std::fs::write(file(name), name).expect("writes");
        ["embedded.previous.db", "embedded.previous.db-wal", "embedded.db"].into_iter().for_each(write);
        set_aside(&file("embedded.db")).expect("set aside");
        assert_eq!(std::fs::read_to_string(file("embedded.previous.db")).expect("there"), "embedded.db");
        assert!(!file("embedded.previous.db-wal").exists(), "it belonged to the one before");
        assert!(!file("embedded.db").exists());

        set_aside(&file("embedded.db")).expect("nothing to do");
        assert!(file("embedded.previous.db").exists(), "without a successor it stays");
        ["embedded.db", "embedded.db-wal"].into_iter().for_each(write);
        set_aside(&file("embedded.db")).expect("set aside");
        let log = std::fs::read_to_string(file("embedded.previous.db-wal")).expect("its own log goes along");
        assert_eq!(log, "embedded.db-wal");
    }
}
