//! Polymarket's published Python clients, unmodified, against `cockpit sim`.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

#[path = "support/desk.rs"]
mod desk;

use desk::Sim;

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// A virtual environment with exactly the pinned clients; kept below `target/` under the hash of their list.
fn python() -> PathBuf {
    let list = here().join("requirements.txt");
    let hash = hex::encode(Sha256::digest(std::fs::read(&list).expect("requirements.txt")));
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("clients-{}", &hash[..12]));
    let (python, ready) = (home.join("bin/python"), home.join("ready"));
    if ready.exists() {
        return python;
    }
    run(
        Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home),
        "make a virtual environment (`make setup`)",
    );
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&list);
    run(&mut install, "install Polymarket's clients from PyPI");
    std::fs::write(ready, "").expect("a mark");
    python
}

fn run(command: &mut Command, what: &str) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("cannot {what}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cannot {what}:\n{text}\n{errors}");
    text
}

/// Both in one test: they share the environment that is installed first.
#[test]
fn both_published_clients_work_against_the_simulator() {
    let python = python();
    let sim = Sim::start("1");
    let drive = |script: &str| {
        let mut command = Command::new(&python);
        command.arg(here().join(script)).env("VENUE", sim.hello.to_string()).env("PYTHONDONTWRITEBYTECODE", "1");
        run(&mut command, script)
    };
    let clob = drive("clob_client.py");
    for step in
        ["key derivation", "book", "limit", "FOK", "cancel", "cancel-all", "trades", "heartbeat", "duplicate refused"]
    {
        assert!(clob.contains(&format!("ok: {step} ")), "py-clob-client-v2 did not do '{step}':\n{clob}");
    }
    let unified = drive("unified_client.py");
    for step in ["key derivation", "book", "limit", "FOK", "cancel", "cancel-all", "open orders", "trades", "heartbeat"]
    {
        assert!(unified.contains(&format!("ok: {step} ")), "polymarket-client did not do '{step}':\n{unified}");
    }
    for channel in ["market channel", "market channel: change", "user channel: order", "user channel: trade"] {
        assert!(
            unified.contains(&format!("ok: {channel} ")),
            "polymarket-client heard nothing of '{channel}':\n{unified}"
        );
    }
    let truth = sim.truth();
    assert_eq!(truth["open_orders"], 0, "both cancelled everything: {truth}");
}
