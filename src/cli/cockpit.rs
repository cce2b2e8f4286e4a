use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::beside::Beside;
use super::{CliError, Globals, actor};
use crate::telemetry::{self, Sink};
use crate::wire::{self, Daemon, Running};
use crate::{clock, ui};

/// Opens the cockpit: over a desk of its own when the bus is in memory, attached to a running one otherwise.
pub(super) async fn run(globals: &Globals) -> Result<(), CliError> {
    let config = globals.config()?;
    let state_dir = config.state_dir()?;
    let log = state_dir.join("cockpit.log");
    let settings = ui::Settings {
        mode: config.mode,
        desk: if config.bus_url.is_memory() { ui::EMBEDDED.to_owned() } else { config.bus_url.to_string() },
        actor: actor("cockpit"),
        log: log.clone(),
        keymap: config.ui.keymap.clone(),
        max_fps: config.ui.max_fps,
        mouse: config.ui.mouse,
        colour: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    };
    // Before anything trades: a desk whose screen cannot be shown is not started.
    let cockpit = ui::Cockpit::new(settings).map_err(|error| CliError::Usage(error.to_string()))?;
    telemetry::init(&Sink::File(log), &config.log_filter)
        .map_err(|error| anyhow::anyhow!("log file in {}: {error}", state_dir.display()))?;
    telemetry::log_panics();
    let stop = CancellationToken::new();
    wire::stop_on_signals(&stop).map_err(anyhow::Error::from)?;
    let beside: Arc<dyn ui::KillPath> = Arc::new(Beside::of(state_dir));
    if !config.bus_url.is_memory() {
        let bus = wire::connect(&config)?;
        return Ok(cockpit.run(bus, Some(beside), stop).await.map_err(anyhow::Error::from)?);
    }
    let mut running = Running::start(&config, &Daemon::ALL).await?;
    let started = clock::monotonic();
    let result = tokio::select! {
        result = cockpit.run(running.bus(), Some(beside), stop) => result.map_err(anyhow::Error::from),
        error = running.failed() => Err(error),
    };
    tracing::info!(after_s = started.elapsed().as_secs(), "the cockpit closes");
    let stopped = running.stop().await;
    result?;
    Ok(stopped?)
}
