//! A private, real `redis-server`: free port, temporary directory, gone with the value.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::Rng;
use tempfile::TempDir;

const START_LIMIT: Duration = Duration::from_secs(30);
/// How long an answer may take while many servers share a disk.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
const ATTEMPTS: usize = 5;

/// A running (or killed) server.
#[derive(Debug)]
pub(crate) struct RedisServer {
    port: u16,
    folder: TempDir,
    options: Vec<String>,
    process: Option<Child>,
}

/// What survives a kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    Kept,
    Lost,
}

impl RedisServer {
    /// Starts one that writes every command to disk before it answers.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with the user `desk`, password `pw`, who has the rights that the README gives and no others.
    #[allow(dead_code, reason = "each test binary uses a part of it")]
    pub(crate) fn start_restricted() -> Self {
        let readme = include_str!("../../README.md");
        let (_, rights) = readme.split_once("redis-cli ACL SETUSER desk ").expect("the user's rights");
        let (rights, _) = rights.split_once("```").expect("the end of the rights");
        let rights = rights.replace("PASSWORD", "pw").replace(['\\', '\''], "");
        let user = ["--user", "desk"].into_iter().chain(rights.split_whitespace());
        Self::start_with(&user.collect::<Vec<_>>())
    }

    /// Starts one with further command line options, such as `--requirepass x`.
    pub(crate) fn start_with(options: &[&str]) -> Self {
        let mut server = Self::down_with(options);
        for _ in 1..ATTEMPTS {
            if server.try_up().is_ok() {
                return server;
            }
            // Somebody else took the port between our asking for it and the server's binding it.
            server.port = free_port();
        }
        server.up();
        server
    }

    /// Chooses a port, but starts nothing yet.
    pub(crate) fn down() -> Self {
        Self::down_with(&[])
    }

    /// The same with options; `{port}` and `{folder}` in them are filled in.
    pub(crate) fn down_with(options: &[&str]) -> Self {
        Self {
            port: free_port(),
            folder: tempfile::tempdir().expect("a temporary directory"),
            options: options.iter().map(ToString::to_string).collect(),
            process: None,
        }
    }

    /// `redis://127.0.0.1:port`.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The same with `user:password@` or `:password@` before the host.
    pub(crate) fn url_as(&self, credentials: &str) -> String {
        format!("redis://{credentials}@127.0.0.1:{}", self.port)
    }

    /// `rediss://127.0.0.1:port`, for a server that was started with `--tls-port {port}`.
    pub(crate) fn tls_url(&self) -> String {
        format!("rediss://127.0.0.1:{}", self.port)
    }

    /// Where it listens.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Its directory.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it on its port and waits until it answers.
    pub(crate) fn up(&mut self) {
        self.try_up().expect("redis-server starts");
    }

    /// SIGKILL, as a crash.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("redis-server can be killed");
            process.wait().expect("redis-server ends");
        }
    }

    /// Kills it and starts it again on the same port.
    pub(crate) fn restart(&mut self, data: Data) {
        self.kill();
        if data == Data::Lost {
            let log = self.folder().join("appendonlydir");
            std::fs::remove_dir_all(log).expect("the append-only log can be removed");
        }
        self.up();
    }

    /// SIGSTOP or SIGCONT: the sockets stay open, nobody answers.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.process.as_ref().expect("redis-server runs").id();
        let sent = Command::new("kill").arg(format!("-{name}")).arg(id.to_string()).status().expect("kill runs");
        assert!(sent.success(), "kill -{name} {id}");
    }

    /// Sends one command in plain words over a connection of its own; the answer, when it is a line or a text.
    pub(crate) fn command(&self, line: &str) -> String {
        self.ask(line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    fn ask(&self, line: &str) -> std::io::Result<String> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        (&stream).write_all(format!("{line}\r\n").as_bytes())?;
        let mut stream = BufReader::new(stream);
        let mut answer = String::new();
        stream.read_line(&mut answer)?;
        let Some(Ok(length)) = answer.trim_end().strip_prefix('$').map(str::parse) else {
            return Ok(answer.trim_end().to_owned());
        };
        let mut text = vec![0; length];
        stream.read_exact(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn try_up(&mut self) -> Result<(), String> {
        let mut process = self.spawn();
        let begun = cockpit::clock::monotonic();
        loop {
            if let Some(status) = process.try_wait().map_err(|error| error.to_string())? {
                return Err(format!("redis-server on port {} ended: {status}; {}", self.port, self.log()));
            }
            if self.is_ready() {
                self.process = Some(process);
                return Ok(());
            }
            if begun.elapsed() > START_LIMIT {
                process.kill().map_err(|error| error.to_string())?;
                process.wait().map_err(|error| error.to_string())?;
                return Err(format!("redis-server on port {} does not answer; {}", self.port, self.log()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn spawn(&self) -> Child {
        let folder = self.folder().to_str().expect("a path in UTF-8");
        let mut command = Command::new("redis-server");
        if !self.options.iter().any(|option| option == "--tls-port") {
            command.args(["--port", &self.port.to_string()]);
        }
        command
            .args(["--bind", "127.0.0.1", "--dir", folder, "--save", "", "--daemonize", "no"])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--logfile", "redis.log"])
            .args(
                self.options
                    .iter()
                    .map(|option| option.replace("{port}", &self.port.to_string()).replace("{folder}", folder)),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().unwrap_or_else(|error| {
            panic!("redis-server cannot be started ({error}): run `make setup`, which installs what the tests need")
        })
    }

    /// By its own log: on the port somebody else might answer, who was faster.
    fn is_ready(&self) -> bool {
        self.log().rsplit("Redis is starting").next().is_some_and(|life| life.contains("Ready to accept connections"))
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder().join("redis.log")).unwrap_or_default()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // Both fail only when it is gone already.
            let _gone = process.kill();
            let _gone = process.wait();
        }
    }
}

/// A port below those that the system hands to outgoing connections, one of which could otherwise take it while the server is down.
pub(crate) fn free_port() -> u16 {
    loop {
        let port = rand::rng().random_range(12_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
