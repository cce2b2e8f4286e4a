//! Polymarket's own published Python clients, unmodified, against the simulated venue. The test installs them by itself into
//! a virtual environment that is kept for the next run.

#![expect(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use cockpit::clock;
use cockpit::domain::{
    FeeSchedule, Market, MarketId, OrderId, OutcomeToken, Price, Protocol, Side, Size, Slug, TimeInForce, TokenId, Usd,
};
use cockpit::sim::clob::{serve_clob, serve_clob_ws};
use cockpit::sim::exchange::{AccountId, AccountKind, Exchange, NewOrder};
use rust_decimal::{Decimal, dec};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[path = "support/desk.rs"]
mod desk;

use desk::Sim;

/// The longest that a driver may take; the sweep of the heartbeat alone needs 15 s.
const DRIVER_TIMEOUT: Duration = Duration::from_mins(3);

/// Public development keys; they guard nothing.
const ACCOUNTS: [(&str, &str); 3] = [
    (
        "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    ),
    (
        "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
        "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    ),
    (
        "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
        "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
    ),
];

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

fn run(what: &str, command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| {
        panic!("cannot install Polymarket's published clients: {what}: {error}; python3 with its venv module is needed")
    });
    assert!(
        output.status.success(),
        "cannot install Polymarket's published clients: {what} failed ({}); python3 with its venv module and a package \
         index that has tests/clients/requirements.txt are needed:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}

/// The interpreter of a virtual environment with the clients in it. It is named by the requirements, so that it is made anew
/// exactly when they change; a marker written last tells a finished one from a broken one.
fn python() -> PathBuf {
    let requirements = clients().join("requirements.txt");
    let digest = hex::encode(Sha256::digest(fs::read(&requirements).expect("tests/clients/requirements.txt")));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(target).expect("the target directory can be written");
    let home = target.join(format!("official-clients-{}", &digest[..16]));
    let (python, ready) = (home.join("bin/python"), home.join("ready"));
    let lock = File::create(home.with_extension("lock")).expect("a lock beside the virtual environment");
    lock.lock().expect("the lock of the virtual environment");
    if !ready.exists() {
        if home.exists() {
            fs::remove_dir_all(&home).expect("a broken virtual environment can be removed");
        }
        run("python3 -m venv", Command::new("python3").args(["-m", "venv"]).arg(&home));
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        run("pip install", pip.arg(&requirements));
        fs::write(&ready, "").expect("the marker can be written");
    }
    python
}

fn market(slug: &str, condition: &str, protocol: Protocol, tokens: [&str; 2]) -> Market {
    let token =
        |index: usize, outcome: &str| OutcomeToken { token: TokenId::new(tokens[index]), outcome: outcome.to_owned() };
    Market {
        slug: Slug::new(slug),
        market: MarketId::new(condition),
        tokens: [token(0, "Yes"), token(1, "No")],
        tick_size: Price(dec!(0.01)),
        min_size: Size(dec!(5)),
        neg_risk: false,
        protocol,
        fee: FeeSchedule { rate: dec!(0.07), exponent: 1 },
        opens_at: None,
        closes_at: None,
        accepting_orders: true,
        payouts: None,
        question: None,
        group: None,
    }
}

/// A quiet market on either protocol. Position ids of the newer one: module 1, 16 bytes of base, and the outcome in the
/// lowest byte; the bytes in between are zero.
fn markets() -> [Market; 2] {
    let base = "01a1a2a3a4a5a6a7a8a9aaabacadaeafb0";
    let position = |outcome: &str| {
        let hex = format!("{base}{}{outcome}", "0".repeat(64 - base.len() - 2));
        alloy_primitives::U256::from_str_radix(&hex, 16).expect("a position id").to_string()
    };
    [
        market(
            "quiet",
            &format!("0x{}", "5a".repeat(32)),
            Protocol::V2,
            [
                "71321045679252212594626385532706912750332728571942532289631379312455583992563",
                "52114319501245915516055106046884209969926127482827954674443846427813813222426",
            ],
        ),
        market("quiet-v3", &format!("0x{base}{}", "0".repeat(30)), Protocol::V3, [&position("00"), &position("01")]),
    ]
}

/// The venue without a world around it: resting books, and time that passes.
struct Venue {
    shutdown: CancellationToken,
    description: Value,
}

impl Venue {
    async fn start() -> Self {
        let exchange = Exchange::new(1);
        let house = AccountId::new("0x000000000000000000000000000000000000dEaD");
        exchange.open_account(&house, AccountKind::House, Usd::ZERO);
        for (_, address) in ACCOUNTS {
            exchange.open_account(&AccountId::new(address), AccountKind::Client, Usd(dec!(10000)));
        }
        for market in markets() {
            let token = market.tokens[0].token.clone();
            exchange.list_market(market, clock::now());
            for (side, price) in [(Side::Buy, dec!(0.4)), (Side::Sell, dec!(0.6))] {
                rest(&exchange, &house, &token, side, price);
            }
        }
        let shutdown = CancellationToken::new();
        let (clob, sockets) = (listener().await, listener().await);
        let address = |listener: &TcpListener| listener.local_addr().expect("a local address");
        let description = json!({
            "clob": format!("http://{}", address(&clob)),
            "clob_ws": format!("ws://{}", address(&sockets)),
            "markets": markets().iter().map(described).collect::<Vec<_>>(),
            "accounts": ACCOUNTS.iter().map(|(key, address)| json!({ "private_key": key, "address": address }))
                .collect::<Vec<_>>(),
        });
        tokio::spawn(serve_clob(exchange.clone(), clob, shutdown.clone()));
        tokio::spawn(serve_clob_ws(exchange.clone(), sockets, shutdown.clone()));
        let stopped = shutdown.clone();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(50));
            while !stopped.is_cancelled() {
                ticks.tick().await;
                exchange.advance(clock::now());
            }
        });
        Self { shutdown, description }
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a free port")
}

fn rest(exchange: &Exchange, house: &AccountId, token: &TokenId, side: Side, price: Decimal) {
    let order = NewOrder {
        id: OrderId::new(format!("house {token} {side}")),
        token: token.clone(),
        side,
        price: Price(price),
        size: Size(dec!(1000)),
        tif: TimeInForce::Gtc,
        post_only: false,
        expiration: None,
    };
    exchange.place(house, order, clock::now()).expect("the house's order rests");
}

fn described(market: &Market) -> Value {
    let tokens = market.tokens.iter().map(|token| json!({ "token_id": token.token, "outcome": token.outcome }));
    json!({
        "slug": market.slug,
        "condition_id": market.market,
        "tick_size": market.tick_size,
        "neg_risk": market.neg_risk,
        "tokens": tokens.collect::<Vec<_>>(),
    })
}

/// Runs a driver against a described venue and shows what it said.
async fn drive(script: &str, venue: &Value) {
    let python = tokio::task::spawn_blocking(python).await.expect("the clients are installed");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let description = directory.path().join("sim.json");
    fs::write(&description, venue.to_string()).expect("the description can be written");
    let output = tokio::process::Command::new(python)
        .arg(clients().join(script))
        .env("COCKPIT_SIM", &description)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(DRIVER_TIMEOUT, output).await;
    let output = output.unwrap_or_else(|_| panic!("{script} took longer than {DRIVER_TIMEOUT:?}"));
    let output = output.unwrap_or_else(|error| panic!("{script} cannot be run: {error}"));
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{script}:\n{said}");
    assert!(output.status.success() && said.ends_with("ok: done\n"), "{script}:\n{said}{complained}");
}

const PY_CLOB_CLIENT_V2: &str = "py_clob_client_v2_driver.py";
const POLYMARKET_CLIENT: &str = "polymarket_client_driver.py";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn py_clob_client_v2_works_unmodified() {
    drive(PY_CLOB_CLIENT_V2, &Sim::start("1").hello).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polymarket_client_works_unmodified() {
    drive(POLYMARKET_CLIENT, &Sim::start("1").hello).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn py_clob_client_v2_works_on_both_protocols() {
    drive(PY_CLOB_CLIENT_V2, &Venue::start().await.description).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polymarket_client_works_on_both_protocols() {
    drive(POLYMARKET_CLIENT, &Venue::start().await.description).await;
}
