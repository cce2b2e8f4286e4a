//! Starts the simulated venues and stops them.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use alloy_signer_local::PrivateKeySigner;
use axum::Router;
use axum::serve::ListenerExt;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::exchange::{AccountId, AccountKind, Exchange};
use super::faults::Faults;
use super::kraken::{Kraken, rest_router, socket_router};
use super::listing::Listings;
use super::tape::{HistoryError, Playback, Recording};
use super::world::{PAIR, Parts, World};
use super::{Settings, SimError, clob, gamma, truth, world};
use crate::clock;
use crate::domain::{Market, Price, Usd};

/// The first three public development keys that every Ethereum tool chain ships. They guard nothing.
const KEYS: [&str; 3] = [
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
];
/// The key of the first account: the one that a simulated desk trades with.
pub const DESK_KEY: &str = KEYS[0];
/// What each of them owns at first.
const COLLATERAL: Usd = Usd(rust_decimal::dec!(10_000));
/// How long the services may take to end.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// Where the venues listen. Addresses are whole, without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Endpoints {
    /// Kraken WebSocket v2.
    pub kraken_ws: String,
    /// Kraken REST; before `/0/public/...`.
    pub kraken_rest: String,
    /// Polymarket CLOB.
    pub clob: String,
    /// Polymarket sockets; before `/ws/market` and `/ws/user`.
    pub clob_ws: String,
    /// Polymarket Gamma.
    pub gamma: String,
    /// The venue's own view; before `/state` and `/faults`.
    pub truth: String,
}

/// An outcome of a market that is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedToken {
    /// Decimal id.
    pub token_id: String,
    /// `Up`, `Yes`.
    pub outcome: String,
}

/// A market that is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedMarket {
    /// Readable name.
    pub slug: String,
    /// `0x` and 64 hex digits.
    pub condition_id: String,
    /// Price grid.
    pub tick_size: Price,
    /// Whether it belongs to a neg-risk event.
    pub neg_risk: bool,
    /// Its outcomes.
    pub tokens: Vec<ListedToken>,
}

impl From<&Market> for ListedMarket {
    fn from(market: &Market) -> Self {
        let token = |index: usize| ListedToken {
            token_id: market.tokens[index].token.to_string(),
            outcome: market.tokens[index].outcome.clone(),
        };
        Self {
            slug: market.slug.to_string(),
            condition_id: market.market.to_string(),
            tick_size: market.tick_size,
            neg_risk: market.neg_risk,
            tokens: vec![token(0), token(1)],
        }
    }
}

/// An account with pUSD on it.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct SimAccount {
    /// A public development key.
    pub private_key: String,
    /// Its address, checksummed.
    pub address: String,
}

impl fmt::Debug for SimAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimAccount").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Simulated venues that run. Dropping it stops them at once.
#[derive(Debug)]
pub struct Running {
    /// Where they listen.
    pub endpoints: Endpoints,
    /// The running window of the rolling market, and the quiet market.
    pub markets: Vec<ListedMarket>,
    /// The accounts with pUSD.
    pub accounts: Vec<SimAccount>,
    /// What goes wrong at the simulated Polymarket; nothing at first.
    pub faults: Faults,
    shutdown: CancellationToken,
    tasks: JoinSet<(&'static str, Result<(), String>)>,
}

impl Running {
    /// Waits until a service ends by itself, which none should. Cancel-safe.
    pub async fn ended(&mut self) -> SimError {
        match self.tasks.join_next().await {
            Some(Ok((what, Ok(())))) => SimError::Ended { what, reason: "without an error".to_owned() },
            Some(Ok((what, Err(reason)))) => SimError::Ended { what, reason },
            Some(Err(error)) => SimError::Ended { what: "task", reason: error.to_string() },
            None => SimError::Ended { what: "services", reason: "all of them".to_owned() },
        }
    }

    /// Stops everything and waits until the ports are free.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_WITHIN, all).await.is_err() {
            tracing::debug!("sim: connections were still open, cut off");
            self.tasks.shutdown().await;
        }
    }
}

/// The listeners of all services, in the order of their ports.
struct Listeners {
    kraken_ws: TcpListener,
    kraken_rest: TcpListener,
    clob: TcpListener,
    clob_ws: TcpListener,
    gamma: TcpListener,
    truth: TcpListener,
}

impl Listeners {
    async fn bind(first: u16) -> Result<Self, SimError> {
        Ok(Self {
            kraken_ws: listen("kraken_ws", first, 0).await?,
            kraken_rest: listen("kraken_rest", first, 1).await?,
            clob: listen("clob", first, 2).await?,
            clob_ws: listen("clob_ws", first, 3).await?,
            gamma: listen("gamma", first, 4).await?,
            truth: listen("truth", first, 5).await?,
        })
    }

    fn endpoints(&self) -> Result<Endpoints, SimError> {
        let at = |listener: &TcpListener, what| {
            listener.local_addr().map_err(|reason| SimError::Listen { what, port: 0, reason })
        };
        Ok(Endpoints {
            kraken_ws: format!("ws://{}/v2", at(&self.kraken_ws, "kraken_ws")?),
            kraken_rest: format!("http://{}", at(&self.kraken_rest, "kraken_rest")?),
            clob: format!("http://{}", at(&self.clob, "clob")?),
            clob_ws: format!("ws://{}", at(&self.clob_ws, "clob_ws")?),
            gamma: format!("http://{}", at(&self.gamma, "gamma")?),
            truth: format!("http://{}", at(&self.truth, "truth")?),
        })
    }
}

async fn listen(what: &'static str, first: u16, offset: u16) -> Result<TcpListener, SimError> {
    let port = if first == 0 { 0 } else { first.saturating_add(offset) };
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    bound.map_err(|reason| SimError::Listen { what, port, reason })
}

/// Starts the simulated venues. When this returns, every port answers and every book is quoted.
///
/// # Errors
/// [`SimError`]: a setting, the history file or a port is not right. Nothing runs then.
pub async fn start(settings: Settings) -> Result<Running, SimError> {
    settings.check()?;
    let recording = match settings.history.clone() {
        // A large file takes seconds to read, so it is not read on a thread that serves others.
        Some(path) => tokio::task::spawn_blocking(move || Recording::from_csv(&path))
            .await
            .map_err(|error| SimError::Ended { what: "reader of the history", reason: error.to_string() })??,
        None => Recording::embedded()?,
    };
    let pair = recording
        .pair(PAIR)
        .ok_or(HistoryError::Lacks { what: "row of BTC/USD, the pair that the rolling market follows" })?;
    let listeners = Listeners::bind(settings.port).await?;
    let endpoints = listeners.endpoints()?;
    let exchange = Exchange::new(settings.seed);
    let accounts = open_accounts(&exchange)?;
    let kraken = Kraken::new(&recording.pairs, settings.seed);
    let listings = Listings::default();
    let parts = Parts {
        exchange: exchange.clone(),
        kraken: kraken.clone(),
        listings: listings.clone(),
        playback: Playback::new(recording),
        pair,
        seed: settings.seed,
        speed: settings.speed,
    };
    let world = World::new(parts, clock::now());
    let markets = world.running().into_iter().chain(world.quiet()).map(ListedMarket::from).collect();
    let shutdown = CancellationToken::new();
    let faults = exchange.faults().clone();
    let tasks = spawn(listeners, world, exchange, kraken, listings, &shutdown);
    tracing::info!(?endpoints, "simulated venues are up");
    Ok(Running { endpoints, markets, accounts, faults, shutdown, tasks })
}

fn spawn(
    listeners: Listeners,
    world: World,
    exchange: Exchange,
    kraken: Kraken,
    listings: Listings,
    shutdown: &CancellationToken,
) -> JoinSet<(&'static str, Result<(), String>)> {
    let mut tasks = JoinSet::new();
    let token = || shutdown.clone();
    let router = socket_router(kraken.clone(), token());
    tasks.spawn(serve("kraken_ws", listeners.kraken_ws, router, token()));
    tasks.spawn(serve("kraken_rest", listeners.kraken_rest, rest_router(kraken), token()));
    tasks.spawn(serve("gamma", listeners.gamma, gamma::router(listings, exchange.clone()), token()));
    tasks.spawn(serve("truth", listeners.truth, truth::router(exchange.clone()), token()));
    let rest = clob::serve_clob(exchange.clone(), listeners.clob, token());
    tasks.spawn(async { ("clob", rest.await.map_err(|error| error.to_string())) });
    let sockets = clob::serve_clob_ws(exchange, listeners.clob_ws, token());
    tasks.spawn(async { ("clob_ws", sockets.await.map_err(|error| error.to_string())) });
    let world = world::run(world, token());
    tasks.spawn(async {
        world.await;
        ("world", Ok(()))
    });
    tasks
}

async fn serve(
    what: &'static str,
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
) -> (&'static str, Result<(), String>) {
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "sim: TCP_NODELAY refused");
        }
    });
    let served = axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await;
    (what, served.map_err(|error| error.to_string()))
}

fn open_accounts(exchange: &Exchange) -> Result<Vec<SimAccount>, SimError> {
    let open = |(index, key): (usize, &str)| {
        let signer: PrivateKeySigner =
            key.parse().map_err(|error| SimError::Account { index, reason: format!("{error}") })?;
        let address = signer.address().to_checksum(None);
        exchange.open_account(&AccountId::new(&address), AccountKind::Client, COLLATERAL);
        Ok(SimAccount { private_key: key.to_owned(), address })
    };
    KEYS.into_iter().enumerate().map(open).collect()
}

#[cfg(test)]
#[path = "running_tests.rs"]
mod tests;
