use std::time::Duration;

use super::desk::Desk;
use super::output::say;
use super::{CliError, Globals, actor, print_json};
use crate::clock;
use crate::domain::{HermesState, KillProof, KillReport, Timestamp};

/// How long the proof may take before the command gives up waiting; the kill itself goes on.
const PROOF_WITHIN: Duration = Duration::from_mins(1);

/// Arguments of `cockpit kill`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Why, for the record.
    #[arg(long, default_value = "asked for")]
    why: String,
    /// Print the final report as one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(globals: &Globals, args: &Args) -> Result<(), CliError> {
    let desk = Desk::of(&globals.config()?)?;
    let since = desk.kill(&actor("cli"), &args.why).await?;
    if !args.json {
        say!("killed: no daemon sends orders any more; waiting for the venue to show none")?;
    }
    let report = proved(&desk, since, args.json).await?;
    if args.json { print_json(&report) } else { Ok(()) }
}

/// Follows the report until it proves that nothing rests, printing what is new.
async fn proved(desk: &Desk, since: Timestamp, quiet: bool) -> Result<KillReport, CliError> {
    let end = clock::monotonic() + PROOF_WITHIN;
    let mut steps = 0;
    let mut last = String::new();
    let mut interval = tokio::time::interval(Duration::from_millis(200));
    loop {
        interval.tick().await;
        // An answer that fails is asked for again: the kill is in force, only its proof is awaited.
        let state = desk.hermes().await.ok().flatten();
        if let Some(report) = state.and_then(|HermesState { at, kill, .. }| told(at, kill, since)) {
            if !quiet {
                for (step, ms) in report.steps.iter().skip(steps) {
                    say!("{ms:>7} ms  {step}")?;
                }
                steps = report.steps.len();
                let line = proof_line(&report);
                if line != last {
                    say!("            {line}")?;
                    last = line;
                }
            }
            if matches!(report.proof, KillProof::Proved { .. }) {
                return Ok(report);
            }
        }
        if clock::monotonic() >= end {
            let so_far = if last.is_empty() { "hermes does not report".to_owned() } else { last };
            return Err(CliError::NotProved(format!(
                "the kill is in force, but not proved within {} s: {so_far}",
                PROOF_WITHIN.as_secs()
            )));
        }
    }
}

/// The report of a snapshot of `at`, if the gate was closed for good by then. One of before `since` may tell of an earlier kill, which
/// somebody has lifted.
fn told(at: Timestamp, report: KillReport, since: Timestamp) -> Option<KillReport> {
    Some(report).filter(|report| at >= since && !report.latch.is_armed())
}

fn proof_line(report: &KillReport) -> String {
    let open = report.venue_open_orders.map_or_else(|| "not known yet".to_owned(), |open| open.to_string());
    let orders = format!("cancelled {} of {}, open at the venue: {open}", report.orders_cancelled, report.orders_open);
    match &report.proof {
        KillProof::None => orders,
        KillProof::Proving { zero_seen: 2 } => format!("{orders}, zero 2/3, waits out orders that may arrive late"),
        KillProof::Proving { zero_seen } => format!("{orders}, zero {zero_seen}/3"),
        KillProof::Proved { .. } => format!("{orders}, PROVED"),
        KillProof::Incomplete { why } => format!("{orders}, INCOMPLETE: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{KillLatch, KillState};

    #[test]
    fn a_snapshot_of_before_the_kill_proves_nothing() {
        let at = Timestamp::from_secs;
        let report = |state| {
            let latch = KillLatch { epoch: 1, state, by: "cli:a".into(), why: "test".into(), at: at(50) };
            KillReport { proof: KillProof::Proved { at: at(54) }, ..KillReport::idle(latch) }
        };
        let killed = report(KillState::Killed);
        assert_eq!(told(at(99), killed.clone(), at(100)), None, "proved, and armed since");
        assert_eq!(told(at(100), killed.clone(), at(100)), Some(killed), "killed again, as proved as before");
        assert_eq!(told(at(101), report(KillState::Armed), at(100)), None, "not taken notice of yet");
    }
}
