//! A private, real Redis behind real sentinels: a master, its replicas, and `redis-server --sentinel` processes that watch them;
//! free ports, temporary directories, gone with the value.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::redis_server::{RedisServer, free_port};

/// What the sentinels call the service.
pub(crate) const SERVICE: &str = "desk";
/// The longest that anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// How large a cluster is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Servers besides the master.
    pub(crate) replicas: usize,
    /// Sentinels; a majority of them must agree.
    pub(crate) sentinels: usize,
    /// How long a server may be silent before a sentinel calls it down.
    pub(crate) down_after: Duration,
    /// The password of the sentinels; "" for none.
    pub(crate) sentinel_password: &'static str,
}

impl Layout {
    /// A master and a replica, three sentinels that fail over within a few seconds. Sooner, and a machine under load would see a
    /// failover that nobody asked for.
    pub(crate) const FAILOVER: Self =
        Self { replicas: 1, sentinels: 3, down_after: Duration::from_secs(3), sentinel_password: "" };
    /// One of each, the cheapest with which something can fail over.
    pub(crate) const SMALL: Self = Self { sentinels: 1, ..Self::FAILOVER };
    /// A master and a sentinel that never calls it down.
    pub(crate) const QUIET: Self =
        Self { replicas: 0, sentinels: 1, down_after: Duration::from_mins(10), sentinel_password: "" };
}

/// A running cluster.
#[derive(Debug)]
pub(crate) struct SentinelCluster {
    /// The first was the master when it began.
    pub(crate) servers: Vec<RedisServer>,
    pub(crate) sentinels: Vec<Sentinel>,
    layout: Layout,
}

/// A running (or killed) sentinel.
#[derive(Debug)]
pub(crate) struct Sentinel {
    port: u16,
    folder: TempDir,
    process: Option<Child>,
}

impl SentinelCluster {
    /// [`Layout::FAILOVER`], ready to fail over.
    pub(crate) fn start() -> Self {
        Self::start_with(Layout::FAILOVER)
    }

    /// Any layout; when it returns, every sentinel knows the replicas and the other sentinels, so that a failover can succeed.
    pub(crate) fn start_with(layout: Layout) -> Self {
        let master = RedisServer::start();
        let place = master.port().to_string();
        let replicas = (0..layout.replicas).map(|_| RedisServer::start_with(&["--replicaof", "127.0.0.1", &place]));
        let mut servers: Vec<RedisServer> = replicas.collect();
        servers.insert(0, master);
        until("the replicas follow", || {
            let told = servers[0].command("INFO replication");
            told.matches("state=online").count() == layout.replicas
        });
        let mut cluster = Self { servers, sentinels: Vec::new(), layout };
        cluster.sentinels = (0..layout.sentinels).map(|_| Sentinel::down(free_port())).collect();
        for number in 0..layout.sentinels {
            cluster.start_sentinel(number, 0);
        }
        until("the sentinels know all", || cluster.sentinels.iter().all(|sentinel| cluster.is_ready(sentinel)));
        cluster
    }

    /// Starts a sentinel that is down, with nothing in its memory but that `server` is the master.
    pub(crate) fn start_sentinel(&mut self, number: usize, server: usize) {
        let Layout { sentinels, down_after, sentinel_password, .. } = self.layout;
        let master = self.servers[server].port();
        let mut config = format!(
            "port {}\nbind 127.0.0.1\nsentinel monitor {SERVICE} 127.0.0.1 {master} {}\nsentinel down-after-milliseconds {SERVICE} {}\n\
             sentinel failover-timeout {SERVICE} 4000\n",
            self.sentinels[number].port,
            sentinels / 2 + 1,
            down_after.as_millis()
        );
        if !sentinel_password.is_empty() {
            writeln!(config, "requirepass {sentinel_password}").expect("text");
        }
        self.sentinels[number].up(&config);
        let sentinel = &self.sentinels[number];
        until("the sentinel answers", || {
            !self.ask::<Option<(String, u16)>>(sentinel, "GET-MASTER-ADDR-BY-NAME").is_empty()
        });
    }

    /// `redis+sentinel://127.0.0.1:port,.../desk`.
    pub(crate) fn url(&self) -> String {
        self.url_of(SERVICE)
    }

    /// The same for another service, or with options behind it.
    pub(crate) fn url_of(&self, service: &str) -> String {
        let hosts: Vec<String> = self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port)).collect();
        format!("redis+sentinel://{}/{service}", hosts.join(","))
    }

    /// Which server the first sentinel that answers names as the master.
    pub(crate) fn master(&self) -> usize {
        let named =
            self.sentinels.iter().flat_map(|it| self.ask::<Option<(String, u16)>>(it, "GET-MASTER-ADDR-BY-NAME"));
        let (_, port) = named.flatten().next().expect("a sentinel that answers");
        self.servers.iter().position(|server| server.port() == port).expect("one of the servers")
    }

    /// SIGKILL to the master; which one it was.
    pub(crate) fn kill_master(&mut self) -> usize {
        let master = self.master();
        self.servers[master].kill();
        master
    }

    /// Waits until the sentinels name another master, and that server agrees; which one it is.
    pub(crate) fn until_failed_over(&self, from: usize) -> usize {
        until("another master", || {
            let master = self.master();
            master != from && self.servers[master].command("INFO replication").contains("role:master")
        });
        self.master()
    }

    /// Asks for a failover while all is well.
    pub(crate) fn order_failover(&self) {
        assert!(!self.ask::<redis::Value>(&self.sentinels[0], "FAILOVER").is_empty(), "refused; {}", self.logs());
    }

    /// How many connections each sentinel has taken so far.
    pub(crate) fn connections_taken(&self) -> Vec<u64> {
        self.sentinels.iter().map(|sentinel| sentinel.connections_taken(self.layout.sentinel_password)).collect()
    }

    /// What the servers and the sentinels have logged.
    pub(crate) fn logs(&self) -> String {
        let servers = self.servers.iter().map(|server| (server.port(), server.log()));
        let sentinels = self.sentinels.iter().map(|sentinel| (sentinel.port, sentinel.log()));
        servers.chain(sentinels).map(|(port, log)| format!("--- {port}\n{log}")).collect::<Vec<_>>().concat()
    }

    fn is_ready(&self, sentinel: &Sentinel) -> bool {
        let told = self.ask::<HashMap<String, String>>(sentinel, "MASTER");
        let others = told.first().and_then(|told| told.get("num-other-sentinels")?.parse::<usize>().ok());
        let replicas = self.ask::<Vec<HashMap<String, String>>>(sentinel, "REPLICAS").concat();
        let follows = |replica: &HashMap<String, String>| {
            replica.get("master-link-status").is_some_and(|status| status == "ok")
                && replica.get("flags").is_some_and(|flags| flags == "slave")
        };
        others == Some(self.layout.sentinels - 1)
            && replicas.len() == self.layout.replicas
            && replicas.iter().all(follows)
    }

    /// The answer to `SENTINEL question desk`; nothing when there is none.
    fn ask<T: redis::FromRedisValue>(&self, sentinel: &Sentinel, question: &str) -> Vec<T> {
        let asked = sentinel
            .connect(self.layout.sentinel_password)
            .and_then(|mut connection| redis::cmd("SENTINEL").arg(question).arg(SERVICE).query::<T>(&mut connection));
        asked.into_iter().collect()
    }
}

impl Sentinel {
    /// Starts one with a configuration of its own, in which `{port}` is filled in; it may not answer yet.
    pub(crate) fn start_with(config: &str) -> Self {
        let mut sentinel = Self::down(free_port());
        sentinel.up(&config.replace("{port}", &sentinel.port.to_string()));
        sentinel
    }

    /// Where it listens.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    fn down(port: u16) -> Self {
        Self { port, folder: tempfile::tempdir().expect("a temporary directory"), process: None }
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("a sentinel can be killed");
            process.wait().expect("a sentinel ends");
        }
    }

    fn up(&mut self, config: &str) {
        assert!(self.process.is_none(), "it runs already");
        let (folder, file) = (self.folder.path(), self.folder.path().join("sentinel.conf"));
        let text = format!("dir {}\nlogfile sentinel.log\n{config}", folder.display());
        std::fs::write(&file, text).expect("a configuration can be written");
        let mut command = Command::new("redis-server");
        command.arg(&file).arg("--sentinel").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap_or_else(|error| {
            panic!("redis-server cannot be started ({error}): run `make setup`, which installs what the tests need")
        });
        self.process = Some(process);
    }

    fn connect(&self, password: &str) -> redis::RedisResult<redis::Connection> {
        let login = if password.is_empty() { String::new() } else { format!(":{password}@") };
        let client = redis::Client::open(format!("redis://{login}127.0.0.1:{}", self.port))?;
        client.get_connection_with_timeout(Duration::from_secs(2))
    }

    fn connections_taken(&self, password: &str) -> u64 {
        let mut connection = self.connect(password).expect("the sentinel answers");
        let told: String = redis::cmd("INFO").arg("stats").query(&mut connection).expect("statistics");
        let line = told.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        line.and_then(|count| count.trim().parse().ok()).expect("a number")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("sentinel.log")).unwrap_or_default()
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // Both fail only when it is gone already.
            let _gone = process.kill();
            let _gone = process.wait();
        }
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = cockpit::clock::monotonic();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(ASK_AGAIN);
    }
}
