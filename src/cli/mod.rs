//! The command line: one file a subcommand. Exit codes are part of the interface:
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | failed; the message says what |
//! | 2 | the arguments or the configuration are wrong |
//! | 3 | no daemon answered |
//! | 4 | the kill is in force, but that nothing rests at the venue is not proved yet |
//! | 5 | a daemon refused; the message gives its reasons |
//! | 6 | the books are not sound: something in the ledger was changed |

#![expect(clippy::print_stderr, reason = "printing is what a command line is for")]

mod arm;
mod audit;
mod beside;
mod cockpit;
mod config;
mod desk;
mod dlq;
mod fills;
mod kill;
mod orders;
mod output;
mod params;
mod pnl;
mod positions;
mod run;
mod schema;
mod signals;
mod sim;
mod since;
mod status;
mod text;
mod why;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, ConfigError};

/// A terminal cockpit for automated trading on prediction markets.
///
/// Without a subcommand: opens the cockpit. Without a configuration that is a whole desk in one process, trading at once on
/// simulated venues; with one whose bus is Redis it attaches to the daemons that run elsewhere.
#[derive(Debug, Parser)]
#[command(version = env!("COCKPIT_BUILD"), about, long_about)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Option<Subcommands>,
}

/// What every subcommand understands.
#[derive(Debug, clap::Args)]
struct Globals {
    /// Configuration file; without it the embedded default is used.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where ledger, kill latch, socket and logs lie, whatever the configuration says.
    #[arg(long, global = true, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

impl Globals {
    /// The configuration in force.
    fn config(&self) -> Result<Config, ConfigError> {
        let mut config = self.config.as_deref().map_or_else(|| Ok(Config::builtin()), Config::load)?;
        if let Some(dir) = &self.state_dir {
            config.state_dir = Some(dir.clone());
        }
        Ok(config)
    }
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Run daemons without a screen.
    Run(run::Args),
    /// Serve the simulated venues.
    Sim(sim::Args),
    /// Show the desk in one document.
    Status(status::Args),
    /// Stop all trading now and cancel every order.
    Kill(kill::Args),
    /// Allow trading again.
    Arm(arm::Args),
    /// List the orders in the ledger, or tell everything about one of them.
    Orders(orders::Args),
    /// List the fills in the ledger.
    Fills(fills::Args),
    /// List what is held, as the journals in the ledger add up.
    Positions(positions::Args),
    /// Show profit and loss by strategy, market or day, as the journals in the ledger add up.
    Pnl(pnl::Args),
    /// Prove the ledger.
    #[command(subcommand)]
    Audit(audit::Command),
    /// What could not be executed: look at it, try it again, give it up.
    #[command(subcommand)]
    Dlq(dlq::Command),
    /// Look at and change the strategies' parameters while they run.
    #[command(subcommand)]
    Params(params::Command),
    /// What the strategies wanted, what was denied or skipped, and why.
    Signals(signals::Args),
    /// Look at a configuration.
    #[command(subcommand)]
    Config(config::Command),
    /// Print the JSON Schemas of what other programs may read from the bus or write to it.
    Schema(schema::Args),
}

/// How a subcommand can fail, by exit code.
#[derive(Debug, thiserror::Error)]
enum CliError {
    /// 1.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
    /// 2.
    #[error("{0}")]
    Usage(String),
    /// 3.
    #[error("{0}")]
    NoDaemon(String),
    /// 4.
    #[error("{0}")]
    NotProved(String),
    /// 5.
    #[error("{0}")]
    Refused(String),
    /// 6.
    #[error("{0}")]
    Unsound(String),
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::Usage(format!("configuration: {error}"))
    }
}

impl CliError {
    const fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::NoDaemon(_) => 3,
            Self::NotProved(_) => 4,
            Self::Refused(_) => 5,
            Self::Unsound(_) => 6,
        }
    }
}

/// Parses the arguments, runs the subcommand and tells how it went.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // The one TLS provider; a second installation can only be the same one again.
    let _already_installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            return ExitCode::from(1);
        }
    };
    match runtime.block_on(dispatch(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(error.code())
        }
    }
}

/// Says on standard error why it failed. The exit code says it too, and standard error may be a terminal that has gone away.
fn complain(why: &str) {
    use std::io::Write as _;
    let _ =
        writeln!(std::io::stderr(), "cockpit: {}", why.lines().map(crate::text::safe).collect::<Vec<_>>().join("\n"));
}

async fn dispatch(cli: Cli) -> Result<(), CliError> {
    let globals = &cli.globals;
    match cli.command {
        None => Box::pin(cockpit::run(globals)).await,
        Some(Subcommands::Run(args)) => run::run(globals, &args).await,
        Some(Subcommands::Sim(args)) => Ok(sim::run(args).await?),
        Some(Subcommands::Status(args)) => status::run(globals, &args).await,
        Some(Subcommands::Kill(args)) => kill::run(globals, &args).await,
        Some(Subcommands::Arm(args)) => arm::run(globals, &args).await,
        Some(Subcommands::Orders(args)) => orders::run(globals, &args).await,
        Some(Subcommands::Fills(args)) => fills::run(globals, &args).await,
        Some(Subcommands::Positions(args)) => positions::run(globals, &args).await,
        Some(Subcommands::Pnl(args)) => pnl::run(globals, &args).await,
        Some(Subcommands::Dlq(command)) => dlq::run(globals, &command).await,
        Some(Subcommands::Audit(command)) => audit::run(globals, &command).await,
        Some(Subcommands::Params(command)) => params::run(globals, command).await,
        Some(Subcommands::Signals(args)) => signals::run(globals, &args).await,
        Some(Subcommands::Config(command)) => config::run(globals, &command),
        Some(Subcommands::Schema(args)) => schema::run(&args),
    }
}

/// Who is at the keyboard, for the record: `cli:alice`.
fn actor(what: &str) -> String {
    let user = std::env::var("USER").ok().filter(|user| !user.is_empty());
    let user = user.unwrap_or_else(|| format!("uid-{}", rustix::process::getuid().as_raw()));
    format!("{what}:{user}")
}

/// One line of JSON on standard output.
fn print_json(value: &impl serde::Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string(value).map_err(anyhow::Error::from)?;
    output::print_data(&format!("{text}\n"))
}
