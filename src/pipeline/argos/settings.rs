use std::time::Duration;

use crate::domain::Symbol;

/// What Argos watches and how patiently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Kraken WebSocket v2 address, whole.
    pub kraken_ws: String,
    /// Gamma address, without a trailing slash.
    pub gamma: String,
    /// CLOB REST address, where quiet books are compared.
    pub clob: String,
    /// CLOB WebSocket address; ends before `/ws/market`.
    pub clob_ws: String,
    /// Pairs to collect, as Kraken v2 writes them.
    pub symbols: Vec<Symbol>,
    /// Markets to watch: a slug, or a rolling pattern such as `btc-updown-5m-{start}`.
    pub markets: Vec<String>,
    /// Silence on the Kraken socket (heartbeats included) after which it is dialled again.
    pub silence: Duration,
    /// Time within which every subscription must be acknowledged and show its first data.
    pub subscribe_within: Duration,
}
