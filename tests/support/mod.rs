//! A private Redis server for one test.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A real `redis-server` on a free port with its data in a directory of its own; gone at the end of the test.
#[derive(Debug)]
pub(crate) struct RedisServer {
    child: Child,
    port: u16,
    dir: tempfile::TempDir,
    extra: Vec<String>,
}

impl RedisServer {
    /// Starts one that writes every command to disk.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Starts one with further configuration words.
    pub(crate) fn with(extra: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("redis").tempdir().expect("a temp dir");
        let port = free_port();
        let extra: Vec<String> = extra.iter().map(|&word| word.to_owned()).collect();
        let child = spawn(port, &dir.path().to_path_buf(), &extra);
        Self { child, port, dir, extra }
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("a server to kill");
        self.child.wait().expect("a server to wait for");
    }

    /// Starts it again on the same port with the data it had.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(self.port, &self.dir.path().to_path_buf(), &self.extra);
    }

    /// Starts it again on the same port with nothing.
    pub(crate) fn restart_empty(&mut self) {
        let data = self.dir.path().join("appendonlydir");
        if data.exists() {
            std::fs::remove_dir_all(data).expect("its data");
        }
        self.restart();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may have been killed by the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

fn spawn(port: u16, dir: &PathBuf, extra: &[String]) -> Child {
    let child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"])
        .args(["--appendfsync", "always", "--maxmemory-policy", "noeviction"])
        .args(extra)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is not installed: run `make setup`");
    let end = cockpit::clock::monotonic() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(cockpit::clock::monotonic() < end, "redis-server does not answer on port {port}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    child
}
