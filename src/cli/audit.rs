use std::fmt::Write as _;
use std::time::Duration;

use super::output::{print, say};
use super::params::version_line;
use super::{CliError, Globals, print_json};
use crate::clock;
use crate::domain::StrategyId;
use crate::store::audit::AuditReport;
use crate::store::books::Books;
use crate::wire;

/// What `cockpit audit` can do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Prove that nothing in the ledger was changed.
    ///
    /// Computes the chain of hashes again from the first row and compares every table with the log. Exit code 0 when the books
    /// are sound, 6 when they are not, 1 when they cannot be read.
    Verify(Verify),
    /// Who set which parameters and limits to what, when and why, as far back as the ledger goes; the oldest first.
    Params(ParamsArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct ParamsArgs {
    /// Only this strategy's; `risk` for the limits.
    strategy: Option<StrategyId>,
    /// Only this version, with every value of it: a line each, as `cockpit params set` takes them.
    version: Option<u64>,
    /// Print the versions as one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// Print the report as one line of JSON.
    #[arg(long)]
    json: bool,
    /// A head hash that was noted earlier: it must still be in the chain, so that nothing before it was rewritten or cut off.
    #[arg(long, value_name = "HASH", value_parser = hash)]
    expect: Option<String>,
}

fn hash(text: &str) -> Result<String, String> {
    let right = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if right { Ok(text.to_lowercase()) } else { Err(format!("'{text}': a hash is 64 hexadecimal digits")) }
}

pub(super) async fn run(globals: &Globals, command: &Command) -> Result<(), CliError> {
    let books = wire::books(&globals.config()?)?;
    match command {
        Command::Verify(args) => verify(&books, args).await,
        Command::Params(args) => params(&books, args).await,
    }
}

async fn params(books: &Books, args: &ParamsArgs) -> Result<(), CliError> {
    let mut versions = books.param_versions().await.map_err(anyhow::Error::from)?;
    versions.retain(|version| args.strategy.as_ref().is_none_or(|strategy| *strategy == version.strategy));
    if let Some(number) = args.version {
        versions.retain(|version| version.version == number);
        if versions.is_empty() {
            return Err(CliError::Usage(format!("the ledger has no version {number} of these parameters")));
        }
    }
    if args.json {
        return print_json(&versions);
    }
    if args.version.is_some() {
        // Of two with one number a Redis that was lost has forgotten the first.
        let values = versions.last().into_iter().flat_map(|version| &version.values);
        return values.into_iter().try_for_each(|(name, value)| say!("{name}={value}"));
    }
    for version in &versions {
        version_line(version)?;
    }
    Ok(())
}

async fn verify(books: &Books, args: &Verify) -> Result<(), CliError> {
    let begun = clock::monotonic();
    let report = books.verify(args.expect.as_deref()).await.map_err(anyhow::Error::from)?;
    if args.json {
        print_json(&report)?;
    } else {
        print(&text(&report, begun.elapsed()))?;
    }
    if report.is_sound() {
        return Ok(());
    }
    let differences = report.differences.len() as u64 + report.more;
    Err(CliError::Unsound(format!("the books are not sound: {differences} difference(s)")))
}

fn text(report: &AuditReport, took: Duration) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ =
        writeln!(text, "log        {} rows, {} derived rows, in {} ms", report.rows, report.derived, took.as_millis());
    let _ = writeln!(text, "head       {}", report.head);
    if let Some(seq) = report.expected_at {
        let _ = writeln!(text, "expected   found at row {seq}: nothing up to it was changed");
    }
    for difference in &report.differences {
        let _ = writeln!(text, "WRONG      {} {}: {}", difference.table, difference.row, difference.what);
    }
    if report.more > 0 {
        let _ = writeln!(text, "           and {} more", report.more);
    }
    let _ = writeln!(text, "{}", if report.is_sound() { "sound" } else { "NOT SOUND" });
    text
}
