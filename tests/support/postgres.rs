//! A private, real `PostgreSQL` server: free port, temporary directory, gone with the value.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rand::Rng;
use tempfile::TempDir;

const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(10);
const ATTEMPTS: usize = 5;
/// The superuser of the private server.
const USER: &str = "desk";

/// A running (or killed) server with one empty database after the other.
#[derive(Debug)]
pub(crate) struct PostgresServer {
    port: u16,
    folder: TempDir,
    binaries: PathBuf,
    process: Option<Child>,
}

impl PostgresServer {
    /// Starts one that syncs every commit to disk.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let mut server = Self { port: 0, folder, binaries: binaries(), process: None };
        server.make_cluster();
        for _ in 1..ATTEMPTS {
            server.port = free_port();
            if server.try_up().is_ok() {
                return server;
            }
        }
        server.up();
        server
    }

    /// `postgres://desk@127.0.0.1:port/postgres`.
    pub(crate) fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// The same at another port: that of a proxy.
    pub(crate) fn url_at(&self, port: u16) -> String {
        format!("postgres://{USER}@127.0.0.1:{port}/postgres?sslmode=disable")
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Starts it on its port and waits until it answers.
    pub(crate) fn up(&mut self) {
        self.try_up().expect("postgres starts");
    }

    /// SIGKILL, as a crash. Its own processes end with it.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("postgres can be killed");
            process.wait().expect("postgres ends");
        }
    }

    /// SIGSTOP or SIGCONT for every process of the server: the sockets stay open, nobody answers.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.process.as_ref().expect("postgres runs").id().to_string();
        let children = Command::new("pgrep").args(["-P", &id]).output().expect("pgrep runs");
        let children = String::from_utf8_lossy(&children.stdout).into_owned();
        for id in std::iter::once(id.as_str()).chain(children.split_whitespace()) {
            // A child may have ended since it was listed.
            let _gone = Command::new("kill").arg(format!("-{name}")).arg(id).stderr(Stdio::null()).status();
        }
    }

    /// Runs SQL as the superuser; what it prints.
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.sql_in("postgres", sql)
    }

    /// The same in another database.
    pub(crate) fn sql_in(&self, database: &str, sql: &str) -> String {
        let port = self.port.to_string();
        let output = Command::new(self.binaries.join("psql"))
            .args([
                "-X",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                "127.0.0.1",
                "-p",
                &port,
                "-U",
                USER,
                database,
                "-c",
                sql,
            ])
            .output()
            .expect("psql runs");
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn make_cluster(&self) {
        // The server's user must be able to reach its directory.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.folder.path(), open).expect("permissions");
        let data = self.data();
        std::fs::create_dir(&data).expect("a directory");
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o700)).expect("permissions");
        if let Some((user, group)) = other_user() {
            chown(&data, Some(user), Some(group)).expect("the directory changes hands");
        }
        let output = self
            .command("initdb")
            .args(["-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"])
            .output()
            .expect("initdb runs");
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A program of the server on its directory, never as root: it refuses that.
    fn command(&self, program: &str) -> Command {
        let path = self.binaries.join(program);
        let mut command = match other_user() {
            None => Command::new(path),
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                let ids = [format!("--reuid={user}"), format!("--regid={group}")];
                command.args(ids).arg("--clear-groups").arg(path);
                command
            }
        };
        command.env("LC_ALL", "C.UTF-8").arg("-D").arg(self.data()).current_dir("/").stdin(Stdio::null());
        command
    }

    fn try_up(&mut self) -> Result<(), String> {
        let begun = cockpit::clock::monotonic();
        let mut process = self.spawn();
        loop {
            if let Some(status) = process.try_wait().map_err(|error| error.to_string())? {
                // The processes of a server that was killed need a moment to notice.
                let lingering = self.log().contains("is still in use") || self.log().contains("lock file");
                if !lingering || begun.elapsed() > START_LIMIT {
                    return Err(format!("postgres on port {} ended: {status}; {}", self.port, self.log()));
                }
                std::thread::sleep(Duration::from_millis(50));
                process = self.spawn();
                continue;
            }
            if self.answers() {
                self.process = Some(process);
                return Ok(());
            }
            if begun.elapsed() > START_LIMIT {
                process.kill().map_err(|error| error.to_string())?;
                process.wait().map_err(|error| error.to_string())?;
                return Err(format!("postgres on port {} does not answer; {}", self.port, self.log()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn spawn(&self) -> Child {
        let log = std::fs::File::create(self.folder.path().join("log")).expect("a log file");
        let sockets = self.data();
        self.command("postgres")
            .args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1", "-k"])
            .arg(sockets)
            .args(["-c", "fsync=on", "-c", "shared_buffers=16MB", "-c", "max_connections=30"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("postgres can be started")
    }

    fn answers(&self) -> bool {
        let port = self.port.to_string();
        let asked =
            Command::new(self.binaries.join("pg_isready")).args(["-q", "-h", "127.0.0.1", "-p", &port]).status();
        asked.is_ok_and(|status| status.success())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        // Immediate shutdown, which ends its processes and frees what they share; all of it fails only when it is gone.
        let _gone = Command::new("kill").args(["-QUIT", &process.id().to_string()]).stderr(Stdio::null()).status();
        let begun = cockpit::clock::monotonic();
        while begun.elapsed() < STOP_LIMIT {
            if !matches!(process.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _gone = process.kill();
        let _gone = process.wait();
    }
}

/// The newest installed version's programs.
fn binaries() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    found.retain(|path| path.join("initdb").exists());
    found.sort();
    found.pop().unwrap_or_else(|| {
        panic!("no PostgreSQL server under /usr/lib/postgresql: run `make setup`, which installs what the tests need")
    })
}

/// Somebody else's ids when we are root.
fn other_user() -> Option<(u32, u32)> {
    let root = id(&["-u"])? == 0;
    let of = |user: &str| Some((id(&["-u", user])?, id(&["-g", user])?));
    root.then(|| of("postgres").or_else(|| of("nobody"))).flatten()
}

fn id(args: &[&str]) -> Option<u32> {
    let output: Output = Command::new("id").args(args).output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// A port below those that the system hands to outgoing connections, one of which could otherwise take it while the server is
/// down.
fn free_port() -> u16 {
    loop {
        let port = rand::rng().random_range(12_000..32_000);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
