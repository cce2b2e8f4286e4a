//! Athena in a process that can be killed: this test binary once more.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::Read;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use cockpit::bus::redis::RedisBus;
use cockpit::config::Config;
use cockpit::domain::{Instrument, Instruments, Size, Symbol, Usd};
use cockpit::pipeline::athena::{
    self, Momentum, MomentumParams, Reversion, ReversionParams, Settings, Shard, Strategy as _, StrategySettings,
};
use cockpit::risk::Limits;
use rust_decimal::{Decimal, dec};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::desk::eventually;
use crate::support::redis_server::RedisServer;

pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
const BUS: &str = "ATHENA_TEST_BUS";
const CAST: &str = "ATHENA_TEST_CAST";
const SHARD: &str = "ATHENA_TEST_SHARD";

/// What she decides on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cast {
    /// Two instruments, each with its own series of markets, and no limit in the way.
    Tape,
    /// Two strategies on four instruments each, both on the same four quiet markets of the simulator, and only Hermes' limits in the way.
    Racers,
    /// A thousand instruments with windows of an hour.
    Thousand,
}

impl Cast {
    const ALL: [Self; 3] = [Self::Tape, Self::Racers, Self::Thousand];

    pub(crate) fn momentum(self) -> MomentumParams {
        let usual = MomentumParams {
            threshold: dec!(0.0005),
            min_ticks: 10,
            min_volume: Size::ZERO,
            cooldown: Duration::from_secs(2),
            hysteresis: dec!(0.5),
            min_edge: dec!(-0.05),
            send_within: Duration::from_mins(1),
            cutoff: Duration::from_secs(5),
            ..Momentum::defaults()
        };
        let series = |base: &str| (format!("{}/USD", base.to_uppercase()), format!("{base}-updown-5m-{{start}}"));
        match self {
            Self::Tape => MomentumParams {
                on: on(vec![series("btc"), series("eth")]),
                window: Duration::from_secs(200),
                threshold: dec!(0.0004),
                hysteresis: dec!(0.02),
                min_edge: dec!(-0.2),
                ..usual
            },
            Self::Racers => MomentumParams {
                on: on(racers(RISING).collect()),
                window: RACERS_WINDOW,
                min_ticks: 2,
                hysteresis: dec!(0),
                min_edge: dec!(-1),
                size: Size(MOMENTUM_SIZE),
                ..usual
            },
            Self::Thousand => crate::an_hour::momentum(1_000),
        }
    }

    fn strategies(self) -> Vec<StrategySettings> {
        let momentum = StrategySettings::of::<Momentum>(true, &self.momentum());
        match self {
            Self::Tape | Self::Thousand => vec![momentum],
            Self::Racers => vec![momentum, StrategySettings::of::<Reversion>(true, &reversion())],
        }
    }

    fn limits(self) -> Limits {
        let limits = Config::builtin().limits;
        let much = Usd(dec!(1_000_000_000));
        let wide = Limits {
            order_size: Size(dec!(1_000_000)),
            order_notional: much,
            price_collar: dec!(0.5),
            position_cap: Size(dec!(1_000_000_000)),
            market_cap: Size(dec!(1_000_000_000)),
            gross_exposure: much,
            market_loss: much,
            group_loss: much,
            strategy_exposure: much,
            open_orders: u32::MAX,
            strategy_rate: u32::MAX,
            account_rate: u32::MAX,
            duplicate_within: Duration::ZERO,
            markets: vec!["btc-updown-5m-{start}".into(), "eth-updown-5m-{start}".into()],
            blackout: Duration::ZERO,
            data_age: Duration::from_hours(24),
            ..limits
        };
        match self {
            Self::Tape | Self::Thousand => wide,
            Self::Racers => Limits { markets: raced_slugs().collect(), data_age: Duration::from_mins(1), ..wide },
        }
    }
}

/// What the pairs of momentum begin with: their prices rise.
pub(crate) const RISING: char = 'R';
/// What the pairs of mean reversion begin with: their prices fall, so that it wants the outcome that momentum wants.
pub(crate) const FALLING: char = 'S';
/// Shares that momentum wants of a market.
pub(crate) const MOMENTUM_SIZE: Decimal = dec!(20);
/// Shares that mean reversion wants of a market: another number, by which the venue's record tells the two apart.
pub(crate) const REVERSION_SIZE: Decimal = dec!(21);
/// The rolling window of both.
pub(crate) const RACERS_WINDOW: Duration = Duration::from_mins(1);

/// The markets that they race for.
pub(crate) fn raced_slugs() -> impl Iterator<Item = String> {
    crate::support::scene::quiet_slugs().take(4)
}

/// The pairs of one strategy and the market of each.
pub(crate) fn racers(first: char) -> impl Iterator<Item = (String, String)> {
    raced_slugs().enumerate().map(move |(number, slug)| (format!("{first}{number}/USD"), slug))
}

fn reversion() -> ReversionParams {
    ReversionParams {
        on: on(racers(FALLING).collect()),
        window: RACERS_WINDOW,
        deviations: dec!(0.5),
        min_change: dec!(0.0005),
        min_ticks: 2,
        min_volume: Size::ZERO,
        min_edge: dec!(-1),
        size: Size(REVERSION_SIZE),
        send_within: Duration::from_mins(1),
        cutoff: Duration::from_secs(5),
        ..Reversion::defaults()
    }
}

fn on(instruments: Vec<(String, String)>) -> Instruments {
    let instrument = |(symbol, market)| Instrument { symbol: Symbol::from(symbol), market };
    Instruments::new(instruments.into_iter().map(instrument).collect()).expect("each once")
}

/// A running Athena.
pub(crate) struct Athena {
    child: Child,
    /// She ends when this is closed: also when the test does.
    _alive: ChildStdin,
}

impl Athena {
    pub(crate) fn start(redis: &RedisServer, cast: Cast, shard: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("a path"))
            .args(["--ignored", "--exact", "child::process", "--nocapture"])
            .envs([(BUS, redis.url()), (CAST, format!("{cast:?}")), (SHARD, shard.to_owned())])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let alive = child.stdin.take().expect("a pipe");
        Self { child, _alive: alive }
    }

    /// Her process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends her a signal, such as `STOP` or `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status();
        assert!(sent.expect("kill runs").success(), "she had already ended");
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a process to kill");
        self.child.wait().expect("a process to wait for");
    }
}

impl Drop for Athena {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// The body of what lies under a key.
pub(crate) fn key(redis: &mut redis::Connection, name: &str) -> Option<Value> {
    let text: Option<String> = redis::cmd("GET").arg(name).query(redis).expect("redis answers");
    text.map(|text| serde_json::from_str::<Value>(&text).expect("JSON")["body"].clone())
}

/// Waits until an Athena other than `before` has taken up what was kept, and knows latch and Hermes.
pub(crate) fn until_ready(redis: &mut redis::Connection, name: &str, before: Option<&str>) -> Value {
    eventually("athena to be ready", PATIENCE, || {
        let state = key(redis, name).filter(|state| state["boot"].as_str() != before)?;
        let waits = |strategy: &Value| {
            let idle = strategy["idle"].as_str().unwrap_or_default();
            idle.contains("latch") || idle.contains("Hermes")
        };
        (!state["strategies"].as_array()?.iter().any(waits)).then_some(state)
    })
}

#[test]
#[ignore = "the process that other tests start and kill"]
fn process() {
    let Ok(url) = std::env::var(BUS) else { return };
    let word = |name| std::env::var(name).expect("set by the test that starts it");
    let cast = Cast::ALL.into_iter().find(|cast| format!("{cast:?}") == word(CAST)).expect("a cast");
    let settings = Settings {
        strategies: cast.strategies(),
        shard: Shard::parse(&word(SHARD)).expect("a shard"),
        limits: cast.limits(),
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let stop = CancellationToken::new();
        let parent_is_gone = stop.clone();
        std::thread::spawn(move || {
            let mut rest = Vec::new();
            // However it ends, the test is over.
            let _ended = std::io::stdin().read_to_end(&mut rest);
            parent_is_gone.cancel();
        });
        let bus = RedisBus::new(&url).expect("an address");
        athena::run(settings, bus, stop).await.expect("she runs until the test is over");
    });
}
