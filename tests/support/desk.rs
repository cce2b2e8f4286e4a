//! The real binary, its simulated venues and its configuration, for tests that treat it as its user does.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

/// The binary under test.
pub(crate) const COCKPIT: &str = env!("CARGO_BIN_EXE_cockpit");

/// A child that does not outlive the test.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// Starts `cockpit` with these arguments; its output goes to a file in `dir` named after it.
    pub(crate) fn start(name: &str, dir: &Path, args: &[&str]) -> Self {
        Self::start_with(name, dir, args, &[])
    }

    /// The same with further environment variables.
    pub(crate) fn start_with(name: &str, dir: &Path, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let log = fs::File::create(dir.join(format!("{name}.log"))).expect("a log file");
        let child = Command::new(COCKPIT)
            .args(args)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        Self { child, name: name.to_owned() }
    }

    /// SIGKILL.
    pub(crate) fn kill_hard(&mut self) {
        self.child.kill().expect("a process to kill");
        self.child.wait().expect("a process to wait for");
    }

    /// SIGTERM, then waits for the end.
    pub(crate) fn stop(&mut self) -> i32 {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().expect("kill runs");
        assert!(status.success(), "{} had already ended", self.name);
        let status = eventually(&format!("{} to stop", self.name), Duration::from_mins(1), || {
            self.child.try_wait().expect("a child")
        });
        status.code().unwrap_or(-1)
    }

    /// How it ended; nothing while it runs.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child")
    }

    /// Sends it a signal, such as `STOP` or `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status().expect("kill runs");
        assert!(sent.success(), "{} had already ended", self.name);
    }

    /// Whether it is still running.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A child that has already been waited for cannot be killed: that is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again until there is an answer, every 50 ms; fails loudly when the time is over.
pub(crate) fn eventually<T>(what: &str, within: Duration, ask: impl FnMut() -> Option<T>) -> T {
    eventually_every(Duration::from_millis(50), what, within, ask)
}

fn eventually_every<T>(pause: Duration, what: &str, within: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = cockpit::clock::monotonic() + within;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(cockpit::clock::monotonic() < end, "waited {} s for {what}", within.as_secs());
        std::thread::park_timeout(pause);
    }
}

/// Waits, when less than `needed` is left of the five minutes of the rolling market, until the next ones have begun: around a roll
/// nothing is traded for half a minute.
pub(crate) fn away_from_the_roll(needed: Duration) {
    const WINDOW: i64 = 300;
    let window = || cockpit::clock::now().secs() / WINDOW;
    let (this, now) = (window(), cockpit::clock::now().secs());
    let left = u64::try_from(WINDOW - now.rem_euclid(WINDOW)).expect("positive");
    if left < needed.as_secs() {
        eventually("the next window", needed * 2, || (window() > this).then_some(()));
    }
}

/// `cockpit sim --json` as a process of its own.
#[derive(Debug)]
pub(crate) struct Sim {
    _process: Process,
    /// What it printed.
    pub(crate) hello: Value,
}

impl Sim {
    /// Starts it on free ports with the tape at `speed`.
    pub(crate) fn start(speed: &str) -> Self {
        let mut child = Command::new(COCKPIT)
            .args(["sim", "--json", "--speed", speed])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a piped stdout");
        let process = Process { child, name: "sim".to_owned() };
        BufReader::new(stdout).read_line(&mut line).expect("one line");
        let hello = serde_json::from_str(&line).unwrap_or_else(|error| panic!("'{line}' is not JSON: {error}"));
        Self { _process: process, hello }
    }

    /// An address it printed.
    pub(crate) fn url(&self, name: &str) -> &str {
        self.hello[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.hello))
    }

    /// The venue's own view.
    pub(crate) fn truth(&self) -> Value {
        get_json(&format!("{}/state", self.url("truth")))
    }
}

/// GET over a plain socket: tests that are not async need no runtime for it.
pub(crate) fn get_json(url: &str) -> Value {
    let rest = url.strip_prefix("http://").expect("a plain http address");
    let (host, path) = rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, path.to_owned()));
    let mut socket = std::net::TcpStream::connect(host).expect("the venue answers");
    let request = format!("GET /{path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    std::io::Write::write_all(&mut socket, request.as_bytes()).expect("a request");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
    assert!(head.starts_with("HTTP/1.0 200") || head.starts_with("HTTP/1.1 200"), "{url}: {head}");
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{url}: {error}: {body}"))
}

/// A desk's configuration in a directory of its own.
#[derive(Debug)]
pub(crate) struct Home {
    /// Holds everything; removed at the end.
    pub(crate) dir: tempfile::TempDir,
}

impl Home {
    /// A desk on this bus, trading on these venues.
    pub(crate) fn new(bus: &str, sim: &Sim) -> Self {
        let dir = tempfile::Builder::new().prefix("desk").tempdir().expect("a temp dir");
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml")).expect("config.toml");
        let venues = format!(
            "\n[venues]\nkraken_ws = \"{}\"\nclob = \"{}\"\nclob_ws = \"{}\"\ngamma = \"{}\"\n",
            sim.url("kraken_ws"),
            sim.url("clob"),
            sim.url("clob_ws"),
            sim.url("gamma")
        );
        let text = text
            .replace("\"auto\"", &format!("\"{}\"", dir.path().join("state").display()))
            .replace("\"memory://\"\n", &format!("\"{bus}\"\n"))
            // A machine that is busy with other tests is no reason to let an intent expire.
            .replace("send_within_ms = 2000", "send_within_ms = 30000")
            .replace("data_age_ms = 3000", "data_age_ms = 30000")
            + &venues;
        fs::write(dir.path().join("desk.toml"), text).expect("a config file");
        Self { dir }
    }

    /// The configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.dir.path().join("desk.toml")
    }

    /// Replaces text in the configuration.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.config()).expect("a config file");
        assert!(text.contains(from), "no '{from}' in the configuration");
        fs::write(self.config(), text.replace(from, to)).expect("a config file");
    }

    /// Sets keys of `[risk]` so that no intent of a test comes near a limit, on any market.
    pub(crate) fn allow_everything(&self) {
        let text = fs::read_to_string(self.config()).expect("a config file");
        let (before, risk) = text.split_once("[risk]\n").expect("a section of limits");
        let (risk, after) = risk.split_once("\n[").expect("a section behind it");
        let widest = |line: &str| match line.split_once(" = ").map_or("", |(key, _)| key) {
            "markets" => {
                "markets = [\"btc-updown-5m-{start}\", \"quiet-sample-market\", \"quiet-sample-market-{start}\"]"
                    .to_owned()
            }
            key @ ("order_size" | "order_notional" | "position_cap" | "market_cap" | "gross_exposure"
            | "market_loss" | "group_loss" | "strategy_exposure" | "daily_loss" | "daily_drawdown"
            | "rolling_loss") => {
                format!("{key} = \"1000000\"")
            }
            key @ ("open_orders" | "strategy_rate" | "account_rate" | "repeated_executions") => {
                format!("{key} = 10000")
            }
            key @ ("duplicate_ms" | "blackout_s") => format!("{key} = 0"),
            key @ "data_age_ms" => format!("{key} = 60000"),
            _ => line.to_owned(),
        };
        let risk: Vec<String> = risk.lines().map(widest).collect();
        fs::write(self.config(), format!("{before}[risk]\n{}\n[{after}", risk.join("\n"))).expect("a config file");
    }

    /// Starts daemons or whatever the arguments say, with this configuration.
    pub(crate) fn start(&self, name: &str, args: &[&str]) -> Process {
        self.start_with(name, args, &[])
    }

    /// The same with further environment variables.
    pub(crate) fn start_with(&self, name: &str, args: &[&str], variables: &[(&str, &str)]) -> Process {
        let config = self.config();
        let mut all = args.to_vec();
        all.extend(["--config", config.to_str().expect("a UTF-8 path")]);
        Process::start_with(name, self.dir.path(), &all, variables)
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        Command::new(COCKPIT).args(args).arg("--config").arg(self.config()).output().expect("the binary runs")
    }

    /// `cockpit status --json`, when a desk answers.
    pub(crate) fn status(&self) -> Option<Value> {
        let output = self.run(&["status", "--json"]);
        output.status.success().then(|| serde_json::from_slice(&output.stdout).expect("status is JSON"))
    }

    /// Waits until the status satisfies a condition.
    pub(crate) fn wait_for(&self, what: &str, within: Duration, holds: impl Fn(&Value) -> bool) -> Value {
        // Each look is a process: more often, and the looking is what keeps the machine busy.
        eventually_every(Duration::from_millis(300), what, within, || self.status().filter(|status| holds(status)))
    }
}

/// Standard output of a command that must succeed.
pub(crate) fn ok(home: &Home, args: &[&str]) -> String {
    let output = home.run(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {stderr}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The same as JSON.
pub(crate) fn json(home: &Home, args: &[&str]) -> Value {
    let text = ok(home, args);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error}: {text}"))
}

/// A decimal string of the status document or the truth, as a number to compare.
pub(crate) fn decimal(value: &Value) -> rust_decimal::Decimal {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value} is not a decimal string"))
}

/// Asserts that a desk that has stopped and the venue agree on orders, fills and positions.
pub(crate) fn assert_books_equal_truth(status: &Value, sim: &Sim) {
    let truth = sim.truth();
    let account = sim.hello["accounts"][0]["address"].as_str().expect("an address").to_lowercase();
    let mine = |order: &&Value| order["account"].as_str().is_some_and(|a| a.to_lowercase() == account);
    let orders: Vec<&Value> = truth["orders"].as_array().expect("orders").iter().filter(mine).collect();
    let accepted = status["orders"]["accepted"].as_u64().expect("a count");
    assert_eq!(accepted, orders.len() as u64, "accepted orders; truth: {truth}");
    let ids: std::collections::HashSet<&str> = orders.iter().filter_map(|order| order["id"].as_str()).collect();
    assert_eq!(ids.len(), orders.len(), "an order id occurs twice");
    let trades = truth["trades"].as_array().expect("trades");
    let legs: u64 = trades
        .iter()
        .map(|trade| {
            let maker = trade["maker_order_ids"].as_array().expect("makers").iter();
            let taker = std::iter::once(&trade["taker_order_id"]);
            maker.chain(taker).filter(|id| id.as_str().is_some_and(|id| ids.contains(id))).count() as u64
        })
        .sum();
    assert_eq!(status["fills"].as_u64().expect("a count"), legs, "fills; truth: {truth}");
    assert_positions(status, &truth, &account);
}

fn assert_positions(status: &Value, truth: &Value, account: &str) {
    let (_, balances) = truth["balances"]
        .as_object()
        .expect("balances")
        .iter()
        .find(|(address, _)| address.to_lowercase() == account)
        .expect("our account");
    let mut held: std::collections::BTreeMap<String, rust_decimal::Decimal> = std::collections::BTreeMap::new();
    for (token, shares) in balances["tokens"].as_object().expect("tokens") {
        if !decimal(shares).is_zero() {
            held.insert(token.clone(), decimal(shares).normalize());
        }
    }
    let ours: std::collections::BTreeMap<String, rust_decimal::Decimal> = status["positions"]
        .as_array()
        .expect("positions")
        .iter()
        .map(|p| (p["token"].as_str().expect("a token").to_owned(), decimal(&p["size"]).normalize()))
        // What was traded today is shown although nothing of it is held, until midnight.
        .filter(|(_, shares)| !shares.is_zero())
        .collect();
    assert_eq!(ours, held, "positions against balances");
}
