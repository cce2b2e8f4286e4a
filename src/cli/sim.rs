//! `cockpit sim`: the simulated venues on loopback until SIGTERM or Ctrl-C.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::sim::faults::Plan;
use crate::sim::{self, Endpoints, ListedMarket, Running, Settings, SimAccount};

/// Arguments of `cockpit sim`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Print one line of JSON with every address, market and account, then serve
    #[arg(long)]
    json: bool,
    /// Speed of the tape: 1 is as recorded
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Seed of makers and noise takers: the same seed, the same run
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A CSV to play instead of the embedded recording: `time,symbol,price` and optionally `qty,side`
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// First of six consecutive loopback ports; 0 takes free ones
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// A JSON file with the faults to inject from the start; the same as `POST {truth}/faults`
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    endpoints: &'a Endpoints,
    markets: &'a [ListedMarket],
    accounts: &'a [SimAccount],
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// A setting, the history file, the plan of faults or a port is not right, or a service ended by itself.
pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let settings = Settings { speed: args.speed, seed: args.seed, history: args.history, port: args.port };
    let plan = args.faults.as_deref().map(read_plan).transpose()?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut running = sim::start(settings).await?;
    if let Some(plan) = plan {
        running.faults.set(plan);
    }
    let text = if args.json { one_line(&running)? } else { listing(&running) };
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).context("cannot write to standard output")?;
    drop(stdout);
    let failed = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        error = running.ended() => Some(error),
    };
    running.stop().await;
    match failed {
        None => Ok(()),
        Some(error) => Err(error.into()),
    }
}

fn read_plan(file: &Path) -> anyhow::Result<Plan> {
    let json = std::fs::read(file).with_context(|| format!("--faults: cannot read {}", file.display()))?;
    Plan::parse(&json).with_context(|| format!("--faults {}", file.display()))
}

fn one_line(running: &Running) -> anyhow::Result<String> {
    let document = Document { endpoints: &running.endpoints, markets: &running.markets, accounts: &running.accounts };
    let mut line = serde_json::to_string(&document).context("cannot write the addresses as JSON")?;
    line.push('\n');
    Ok(line)
}

fn listing(running: &Running) -> String {
    let endpoints = &running.endpoints;
    let mut lines = vec!["Simulated venues, until Ctrl-C:".to_owned(), String::new()];
    for (name, address) in [
        ("Kraken WebSocket v2", &endpoints.kraken_ws),
        ("Kraken REST", &endpoints.kraken_rest),
        ("Polymarket CLOB", &endpoints.clob),
        ("Polymarket sockets", &endpoints.clob_ws),
        ("Polymarket Gamma", &endpoints.gamma),
        ("Truth", &endpoints.truth),
    ] {
        lines.push(format!("  {name:<20} {address}"));
    }
    lines.extend([String::new(), "Markets:".to_owned()]);
    for market in &running.markets {
        lines.push(format!("  {}  {}", market.slug, market.condition_id));
        lines.extend(market.tokens.iter().map(|token| format!("    {:<5} {}", token.outcome, token.token_id)));
    }
    lines.extend([String::new(), "Accounts (public development keys, 10,000 pUSD each):".to_owned()]);
    lines.extend(running.accounts.iter().map(|account| format!("  {}", account.address)));
    lines.push(String::new());
    lines.join("\n")
}
