//! The cockpit on the terminal: `Msg -> update(&mut Model) -> Effects`, and a pure `view`. A bus client like any other.

mod settings;

pub use settings::Settings;

/// Stub.
pub async fn run(
    _settings: Settings,
    _bus: crate::bus::BusRef,
    shutdown: tokio_util::sync::CancellationToken,
) -> std::io::Result<()> {
    shutdown.cancelled().await;
    Ok(())
}
