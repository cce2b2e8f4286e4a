//! The document that `cockpit status --json` prints: one fold of the daemons' snapshots.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    ArgosState, AthenaState, Exposure, HermesState, KillState, Latency, MarketId, Mode, OrderCounts, Pnl, Price,
    SignalCounts, Size, Slug, TickCounts, Timestamp, TokenId, TradingState, Usd,
};

/// A snapshot older than this means that its daemon is down.
const DAEMON_SILENT_AFTER: Duration = Duration::from_secs(5);
/// Decimals of an average price in the document: those of pUSD.
const SHOWN_DECIMALS: u32 = 6;

/// Whether a daemon is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DaemonStatus {
    /// Its snapshot is fresh.
    pub up: bool,
    /// Age of its snapshot in milliseconds; absent when there is none.
    pub age_ms: Option<u64>,
}

/// The latch in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatusKill {
    /// Arm epoch.
    pub epoch: u64,
    /// Armed or killed.
    pub state: KillState,
    /// Who changed it last.
    pub by: String,
    /// Why.
    pub why: String,
    /// Open orders as the venue reported last.
    pub open_orders: Option<u64>,
}

/// A position in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatusPosition {
    /// Token.
    pub token: TokenId,
    /// Market.
    pub market: MarketId,
    /// Its readable name, when known.
    pub slug: Option<Slug>,
    /// Outcome.
    pub outcome: String,
    /// Shares.
    pub size: Size,
    /// Average price paid.
    pub avg_price: Price,
    /// Valued at.
    pub mark: Option<Price>,
    /// Profit on shares sold.
    pub realised: Usd,
    /// Profit on shares held.
    pub unrealised: Option<Usd>,
}

/// The two latencies that the desk answers for, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatusLatency {
    /// Tick received to signal on the stream.
    pub tick_to_signal: Latency,
    /// Tick received to first byte of the order.
    pub tick_to_order: Latency,
}

/// The desk at one instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// Which world.
    pub mode: Mode,
    /// What may be sent.
    pub trading_state: TradingState,
    /// The latch; absent when Hermes has never been seen.
    pub kill: Option<StatusKill>,
    /// `argos`, `athena`, `hermes`.
    pub daemons: BTreeMap<String, DaemonStatus>,
    /// Argos' counters.
    pub ticks: TickCounts,
    /// Athena's counters.
    pub signals: SignalCounts,
    /// Hermes' counters.
    pub orders: OrderCounts,
    /// Fills over the ledger.
    pub fills: u64,
    /// Positions that are not zero.
    pub positions: Vec<StatusPosition>,
    /// Profit and loss.
    pub pnl: Pnl,
    /// At stake against the limit.
    pub exposure: Exposure,
    /// Dead letters that nothing was done about.
    pub dlq: u64,
    /// Latencies.
    pub latency_us: StatusLatency,
}

impl Status {
    /// Folds the three snapshots; a missing one counts as a daemon that is down, and without Hermes nothing trades.
    #[must_use]
    pub fn of(
        mode: Mode,
        argos: Option<&ArgosState>,
        athena: Option<&AthenaState>,
        hermes: Option<&HermesState>,
        now: Timestamp,
    ) -> Self {
        let daemon = |at: Option<Timestamp>| {
            let age = at.map(|at| now.since(at));
            DaemonStatus {
                up: age.is_some_and(|age| age <= DAEMON_SILENT_AFTER),
                age_ms: age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            }
        };
        let daemons = BTreeMap::from([
            ("argos".to_owned(), daemon(argos.map(|state| state.at))),
            ("athena".to_owned(), daemon(athena.map(|state| state.at))),
            ("hermes".to_owned(), daemon(hermes.map(|state| state.at))),
        ]);
        let mut ticks = argos.map(|state| state.ticks).unwrap_or_default();
        ticks.dropped += athena.map_or(0, |state| state.dropped);
        Self {
            mode: hermes.map_or(mode, |state| state.mode),
            trading_state: hermes
                .filter(|state| now.since(state.at) <= DAEMON_SILENT_AFTER)
                .map_or(TradingState::Halted, |state| state.trading_state),
            kill: hermes.map(|state| StatusKill {
                epoch: state.kill.latch.epoch,
                state: state.kill.latch.state,
                by: state.kill.latch.by.clone(),
                why: state.kill.latch.why.clone(),
                open_orders: state.kill.venue_open_orders,
            }),
            daemons,
            ticks,
            signals: athena.map(|state| state.signals).unwrap_or_default(),
            orders: hermes.map(|state| state.orders).unwrap_or_default(),
            fills: hermes.map_or(0, |state| state.fills),
            positions: hermes.map(positions).unwrap_or_default(),
            pnl: hermes.map(|state| state.pnl).unwrap_or_default(),
            exposure: hermes.map(|state| state.exposure).unwrap_or_default(),
            dlq: hermes.map_or(0, |state| state.dlq),
            latency_us: StatusLatency {
                tick_to_signal: athena.map(|state| state.tick_to_signal).unwrap_or_default(),
                tick_to_order: hermes.map(|state| state.tick_to_order).unwrap_or_default(),
            },
        }
    }
}

fn positions(state: &HermesState) -> Vec<StatusPosition> {
    state
        .positions
        .iter()
        .filter(|position| !position.size.is_zero())
        .map(|position| StatusPosition {
            token: position.token.clone(),
            market: position.market.clone(),
            slug: position.slug.clone(),
            outcome: position.outcome.clone(),
            size: position.size,
            avg_price: Price(position.avg_price.0.round_dp(SHOWN_DECIMALS).normalize()),
            mark: position.mark,
            realised: position.realised,
            unrealised: position.unrealised,
        })
        .collect()
}
