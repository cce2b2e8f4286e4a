//! Settings: `config.toml` into typed values, every error at once with its key, its value and what is allowed.

mod builtin;
mod ledger_url;
mod reader;
mod sections;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::bus::url::RedisUrl;
use crate::domain::Mode;
use crate::pipeline::athena::{Shard, StrategySettings};
use crate::risk::Limits;

pub use ledger_url::LedgerUrl;

/// The commented default, the same text that `config.toml` in the repository holds.
pub const DEFAULT_TOML: &str = include_str!("../../config.toml");

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Which world.
    pub mode: Mode,
    /// Where ledger, latch, socket and logs lie; nothing for the user's default place.
    pub state_dir: Option<PathBuf>,
    /// Bus address: `memory://`, or one of [`RedisUrl`]. May hold passwords.
    pub bus_url: BusUrl,
    /// Where the ledger is. May hold a password.
    pub ledger_url: LedgerUrl,
    /// The simulated venues.
    pub sim: crate::sim::Settings,
    /// Venues that run elsewhere.
    pub venues: Option<Venues>,
    /// What Argos watches.
    pub argos: Argos,
    /// Which instruments are this process's Athena's.
    pub shard: Shard,
    /// Every strategy: whether it runs, and its thresholds.
    pub strategies: Vec<StrategySettings>,
    /// Limits of the gate.
    pub limits: Limits,
    /// How Hermes works.
    pub account: Account,
    /// `[hermes]`.
    pub hermes: Hermes,
    /// How the cockpit looks.
    pub ui: Ui,
    /// What is logged.
    pub log_filter: String,
}

/// A bus address; shows itself without its passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct BusUrl(String);

impl BusUrl {
    /// From its text, checked by the reader.
    #[must_use]
    pub const fn new(url: String) -> Self {
        Self(url)
    }

    /// The whole address, password included.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether it joins only the daemons of one process.
    #[must_use]
    pub fn is_memory(&self) -> bool {
        self.0.starts_with("memory://")
    }
}

impl fmt::Display for BusUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_memory() {
            return f.write_str(&self.0);
        }
        match RedisUrl::parse(&self.0) {
            Ok(url) => write!(f, "{url}"),
            Err(_) => f.write_str("(unreadable address)"),
        }
    }
}

impl fmt::Debug for BusUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `[venues]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Venues {
    /// Kraken WebSocket v2, whole.
    pub kraken_ws: String,
    /// CLOB REST.
    pub clob: String,
    /// CLOB sockets; ends before `/ws/market`.
    pub clob_ws: String,
    /// Gamma.
    pub gamma: String,
}

/// `[argos]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argos {
    /// Pairs to collect.
    pub symbols: Vec<crate::domain::Symbol>,
    /// Markets to watch.
    pub markets: Vec<String>,
    /// Silence after which the socket is dialled again.
    pub silence: std::time::Duration,
    /// Time for a subscription to come alive.
    pub subscribe_within: std::time::Duration,
}

/// `[account]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// `eoa`, `proxy`, `safe` or `deposit_wallet`.
    pub signature_type: String,
    /// The wallet that holds the money; nothing for the one that follows from the key.
    pub wallet: Option<String>,
    /// Orders a second that the account's tier allows.
    pub orders_per_s: u32,
    /// Cancels a second that the account's tier allows.
    pub cancels_per_s: u32,
}

/// `[hermes]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hermes {
    /// Time between reconciliations.
    pub reconcile_every: std::time::Duration,
    /// Time between heartbeats.
    pub heartbeat_every: std::time::Duration,
    /// Idle time before another consumer's entry is taken over.
    pub claim_after: std::time::Duration,
    /// How long a done intent stays on `trade.signals`.
    pub signals_kept: std::time::Duration,
    /// How long a dead letter stays on `trade.dlq`.
    pub dead_letters_kept: std::time::Duration,
}

/// `[ui]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ui {
    /// A keymap to merge over the default.
    pub keymap: Option<PathBuf>,
    /// Most frames a second.
    pub max_fps: u32,
    /// Whether the mouse is captured.
    pub mouse: bool,
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, dotted.
    pub key: String,
    /// What was given; `(missing)` when nothing was.
    pub value: String,
    /// What would be right.
    pub allowed: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: allowed: {}", self.key, self.value, self.allowed)
    }
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("{path}: {reason}")]
    Unreadable {
        /// Which file.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// It is not TOML.
    #[error("not TOML: {0}")]
    Syntax(String),
    /// Keys are unknown or missing, values of the wrong type or out of range.
    #[error("{}", list(.0))]
    Problems(Vec<Problem>),
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
    format!("{} problem{}:\n{}", problems.len(), if problems.len() == 1 { "" } else { "s" }, lines.join("\n"))
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable { path: path.display().to_string(), reason: error.to_string() })?;
        Self::parse(&text)
    }

    /// Reads TOML text.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let table: toml::Table =
            text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax(error.to_string()))?;
        let mut reader = reader::Reader::new(table);
        let config = sections::read(&mut reader);
        match (config, reader.finish()) {
            (Some(config), problems) if problems.is_empty() => Ok(config),
            (_, problems) => Err(ConfigError::Problems(problems)),
        }
    }

    /// The directory for ledger, latch, socket and logs.
    ///
    /// # Errors
    /// When neither the configuration nor the environment names a place.
    pub fn state_dir(&self) -> Result<PathBuf, ConfigError> {
        if let Some(dir) = &self.state_dir {
            return Ok(dir.clone());
        }
        let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        from("XDG_STATE_HOME")
            .or_else(|| from("HOME").map(|home| home.join(".local/state")))
            .map(|base| base.join("cockpit"))
            .ok_or_else(|| {
                ConfigError::Problems(vec![Problem {
                    key: "state_dir".into(),
                    value: "\"auto\"".into(),
                    allowed: "a path, because neither XDG_STATE_HOME nor HOME is set".into(),
                }])
            })
    }
}

#[cfg(test)]
mod tests;
