use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::desk::read_states;
use super::{CliError, Globals, print_json};
use crate::domain::Status;
use crate::telemetry::{self, Sink};
use crate::wire::{self, Daemon, Running};

/// Arguments of `cockpit run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which daemons; all three when none is named.
    #[arg(value_enum)]
    daemons: Vec<Daemon>,
    /// Stop by itself after this long, such as 30s, 5m or 1h.
    #[arg(long = "for", value_name = "TIME", value_parser = parse_time)]
    lasting: Option<Duration>,
    /// Print the status document at the end, as one line of JSON.
    #[arg(long)]
    json: bool,
}

fn parse_time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not a time such as 30s, 5m, 1h or 500ms");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
    let unit_ms: u64 = match &text[digits..] {
        "ms" => 1,
        "s" | "" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit_ms).filter(|ms| *ms > 0).map(Duration::from_millis).ok_or_else(wrong)
}

pub(super) async fn run(globals: &Globals, args: &Args) -> Result<(), CliError> {
    let config = globals.config()?;
    telemetry::init(&Sink::Stderr, &config.log_filter).map_err(anyhow::Error::from)?;
    let daemons = if args.daemons.is_empty() { Daemon::ALL.to_vec() } else { args.daemons.clone() };
    let stop = CancellationToken::new();
    wire::stop_on_signals(&stop).map_err(anyhow::Error::from)?;
    let mut running = Running::start(&config, &daemons).await?;
    let failed = wait(&mut running, args.lasting, &stop).await;
    let bus = running.bus();
    let before = if args.json { Some(read_states(&bus, config.mode).await) } else { None };
    let stopped = running.stop().await.map_err(CliError::Failed);
    let told = match before {
        // The books as they are after the orderly end; the trading state as it was while the desk ran.
        Some(before) => read_states(&bus, config.mode)
            .await
            .and_then(|after| print_json(&Status { trading_state: before?.trading_state, ..after })),
        None => Ok(()),
    };
    first_of([failed, stopped, told])
}

/// What went wrong first: a desk that failed is not hidden by what could not be told of it afterwards.
fn first_of<const N: usize>(outcomes: [Result<(), CliError>; N]) -> Result<(), CliError> {
    outcomes.into_iter().collect()
}

/// Until the time is over, somebody asks to stop, or a daemon fails.
async fn wait(running: &mut Running, lasting: Option<Duration>, stop: &CancellationToken) -> Result<(), CliError> {
    let over = async {
        match lasting {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = over => Ok(()),
        () = stop.cancelled() => Ok(()),
        error = running.failed() => Err(CliError::Failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_failed_is_told_although_the_status_cannot_be_read() {
        let failed = || Err(CliError::Failed(anyhow::anyhow!("Hermes failed")));
        let told = || Err(CliError::NoDaemon("state.hermes: bus unreachable".to_owned()));
        let first = first_of([failed(), Ok(()), told()]).expect_err("it failed");
        assert_eq!((first.code(), first.to_string()), (1, "Hermes failed".to_owned()));
        assert_eq!(first_of([Ok(()), Ok(()), told()]).expect_err("not told").code(), 3);
    }

    #[test]
    fn times_have_units_and_nonsense_is_named() {
        assert_eq!(parse_time("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_time("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(parse_time("1500ms"), Ok(Duration::from_millis(1_500)));
        for wrong in ["", "s", "3 s", "-1s", "0s", "1d", "99999999999999999999h"] {
            assert!(parse_time(wrong).is_err_and(|error| error.contains(wrong)), "{wrong}");
        }
    }
}
