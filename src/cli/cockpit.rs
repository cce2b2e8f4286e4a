use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{CliError, Globals};
use crate::domain::{Ack, AckVerdict, Action, Command};
use crate::exec::socket::{self, Reply, Request};
use crate::telemetry::{self, Sink};
use crate::wire::{self, Daemon, Running};
use crate::{clock, ui};

/// Opens the cockpit: over a desk of its own when the bus is in memory, attached to a running one otherwise.
pub(super) async fn run(globals: &Globals) -> Result<(), CliError> {
    let config = globals.config()?;
    let state_dir = config.state_dir()?;
    telemetry::init(&Sink::File(state_dir.join("cockpit.log")), &config.log_filter)
        .map_err(|error| anyhow::anyhow!("log file in {}: {error}", state_dir.display()))?;
    telemetry::log_panics();
    let stop = CancellationToken::new();
    wire::stop_on_signals(&stop).map_err(anyhow::Error::from)?;
    let settings = ui::Settings {
        mode: config.mode,
        desk: if config.bus_url.is_memory() { "embedded".to_owned() } else { config.bus_url.to_string() },
        keymap: config.ui.keymap.clone(),
        max_fps: config.ui.max_fps,
        mouse: config.ui.mouse,
        colour: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    };
    let beside: Arc<dyn ui::KillPath> = Arc::new(HermesSocket(socket::path_in(&state_dir)));
    if !config.bus_url.is_memory() {
        let bus = wire::connect(&config)?;
        return Ok(ui::run(settings, bus, Some(beside), stop).await.map_err(anyhow::Error::from)?);
    }
    let mut running = Running::start(&config, &Daemon::ALL).await?;
    let started = clock::monotonic();
    let result = tokio::select! {
        result = ui::run(settings, running.bus(), Some(beside), stop) => result.map_err(anyhow::Error::from),
        error = running.failed() => Err(error),
    };
    tracing::info!(after_s = started.elapsed().as_secs(), "the cockpit closes");
    let stopped = running.stop().await;
    result?;
    Ok(stopped?)
}

/// The way to kill past the bus: Hermes' own socket, when it runs on this machine.
#[derive(Debug)]
struct HermesSocket(PathBuf);

#[async_trait]
impl ui::KillPath for HermesSocket {
    async fn kill(&self, by: &str, why: &str) -> Result<(), String> {
        let now = clock::now();
        let command = Command {
            id: Uuid::new_v4().to_string(),
            actor: by.to_owned(),
            issued_at: now,
            expires_at: now.plus(Duration::from_secs(10)),
            action: Action::Kill { why: why.to_owned() },
        };
        match socket::ask(&self.0, Request::Command(command)).await {
            Ok(Reply::Ack(Ack { verdict: AckVerdict::Applied | AckVerdict::Accepted, .. })) => Ok(()),
            Ok(other) => Err(format!("hermes answered {other:?}")),
            Err(error) => Err(error.to_string()),
        }
    }
}
