//! A desk that logs all it can, and what it leaves behind: no file, no line and no message on the bus holds a secret.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

#[path = "support/desk.rs"]
mod desk;
#[path = "support/mod.rs"]
mod support;

use desk::{Home, Sim, eventually};
use support::redis_server::RedisServer;

/// Longer than a window of the rolling market, at whose end nothing is begun.
const PATIENCE: Duration = Duration::from_mins(6);

/// Everything that went over the wire to the venue, both ways.
type Wire = Arc<Mutex<Vec<u8>>>;

/// Passes connections on to the venue and keeps what they carry. Its threads end with the process.
fn listen_in(venue: &str) -> (String, Wire) {
    let venue: SocketAddr = venue.strip_prefix("http://").and_then(|to| to.parse().ok()).expect("http://address:port");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let (wire, kept) = (Wire::default(), Wire::default());
    let all = Arc::clone(&kept);
    drop(wire);
    thread::spawn(move || {
        for caller in listener.incoming().map_while(Result::ok) {
            let Ok(venue) = TcpStream::connect(venue) else { continue };
            for (from, to) in [(&caller, &venue), (&venue, &caller)] {
                let (from, to) = (from.try_clone().expect("a copy"), to.try_clone().expect("a copy"));
                let kept = Arc::clone(&kept);
                thread::spawn(move || carry(from, to, &kept));
            }
        }
    });
    (address, all)
}

fn carry(mut from: TcpStream, mut to: TcpStream, kept: &Wire) {
    let mut bytes = [0; 16_384];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        kept.lock().expect("lock").extend_from_slice(&bytes[..count]);
        if to.write_all(&bytes[..count]).is_err() {
            return;
        }
    }
    let _closed = to.shutdown(std::net::Shutdown::Write);
}

/// The values under a name in all JSON on the wire.
fn values(wire: &Wire, name: &str) -> Vec<String> {
    let wire = String::from_utf8_lossy(&wire.lock().expect("lock")).into_owned();
    let mark = format!("\"{name}\":\"");
    wire.split(&mark).skip(1).filter_map(|rest| rest.split('"').next().map(ToOwned::to_owned)).collect()
}

/// Every file below a directory.
fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn holds(text: &[u8], secret: &str) -> bool {
    text.windows(secret.len()).any(|window| window.eq_ignore_ascii_case(secret.as_bytes()))
}

#[test]
fn a_desk_that_logs_everything_leaves_no_secret_behind() {
    let redis = RedisServer::start();
    let sim = Sim::start("3");
    let (address, wire) = listen_in(sim.url("clob"));
    let home = Home::new(&redis.url(), &sim);
    home.edit(&format!("clob = \"{}\"", sim.url("clob")), &format!("clob = \"{address}\""));
    home.edit("filter = \"info\"", "filter = \"trace,tungstenite=trace,hyper=trace,h2=trace,reqwest=trace\"");
    home.allow_everything();
    let heard = fs::File::create(home.dir.path().join("redis.heard")).expect("a file");
    let mut ear = Command::new("redis-cli")
        .args(["-u", &redis.url(), "monitor"])
        .stdin(Stdio::null())
        .stdout(heard)
        .spawn()
        .expect("redis-cli");
    let mut running = home.start("run", &["run"]);
    let sent = |status: &Value| status["orders"]["sent"].as_u64() > Some(0);
    home.wait_for("an order", PATIENCE, sent);
    let mut secrets: Vec<String> = ["secret", "passphrase", "signature"]
        .iter()
        .flat_map(|name| {
            let found = eventually(name, PATIENCE, || Some(values(&wire, name)).filter(|found| !found.is_empty()));
            found.into_iter().map(|value| value.trim_start_matches("0x").to_owned())
        })
        .collect();
    secrets.push(cockpit::sim::DESK_KEY.trim_start_matches("0x").to_owned());
    assert_eq!(running.stop(), 0);
    ear.kill().expect("it listens until now");
    ear.wait().expect("its end");
    assert!(secrets.len() >= 4 && secrets.iter().all(|secret| secret.len() >= 32), "{} found", secrets.len());
    let mut bytes = 0;
    for file in files(home.dir.path()) {
        let text = fs::read(&file).expect("readable");
        bytes += text.len();
        let found = secrets.iter().position(|secret| holds(&text, secret));
        assert_eq!(found, None, "a secret lies in {}", file.display());
    }
    let log = fs::read_to_string(home.dir.path().join("run.log")).expect("a log");
    assert!(log.contains("cockpit::exec") && bytes > 100_000, "it logged, and told: {bytes} bytes");
    let heard = fs::read_to_string(home.dir.path().join("redis.heard")).expect("what Redis was told");
    assert!(heard.contains("trade.events"), "the bus was listened to");
}
