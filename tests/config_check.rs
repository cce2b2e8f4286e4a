//! `cockpit config check` on a corpus of configurations: every problem at once, with key, value and what is allowed.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::Command;

const COCKPIT: &str = env!("CARGO_BIN_EXE_cockpit");

fn check(path: &Path) -> (Option<i32>, String) {
    let output = Command::new(COCKPIT).args(["config", "check"]).arg(path).output().expect("the binary runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_commented_default_is_in_order() {
    let (code, stderr) = check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml"));
    assert_eq!(code, Some(0), "{stderr}");
}

/// Each file of the corpus says in its first lines, after `#!`, what must be printed.
#[test]
fn every_bad_configuration_is_refused_with_all_its_problems() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config/bad");
    let default = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml")).expect("config.toml");
    let dir = tempfile::tempdir().expect("a temp dir");
    let mut checked = 0;
    for entry in fs::read_dir(corpus).expect("the corpus") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a case");
        let (mut config, mut expected) = (default.clone(), Vec::new());
        for line in text.lines() {
            if let Some(words) = line.strip_prefix("expect ") {
                expected.push(words.to_owned());
            } else if let Some((from, to)) = line.split_once(" => ") {
                assert!(config.contains(from), "{}: no '{from}' in config.toml", path.display());
                config = config.replace(from, to);
            }
        }
        let file = dir.path().join("case.toml");
        fs::write(&file, config).expect("a config file");
        let (code, stderr) = check(&file);
        assert_eq!(code, Some(2), "{}: {stderr}", path.display());
        assert!(!expected.is_empty(), "{} expects nothing", path.display());
        for words in expected {
            assert!(stderr.contains(&words), "{}: no '{words}' in:\n{stderr}", path.display());
        }
        checked += 1;
    }
    assert!(checked >= 5, "only {checked} cases");
}

/// What is piped into `head` ends when `head` does, in silence.
#[test]
fn a_reader_that_has_gone_away_is_no_panic() {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml");
    for args in [vec!["config", "default"], vec!["config", "check", config.to_str().expect("UTF-8")], vec!["schema"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let child = Command::new(COCKPIT).args(&args).stdout(writer).stderr(std::process::Stdio::piped()).output();
        let output = child.expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{args:?}");
    }
}

/// The desk must not trade before it is known that its screen can be shown.
#[test]
fn a_cockpit_without_a_terminal_or_with_a_wrong_keymap_starts_nothing() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let state = dir.path().join("state");
    let keymap = dir.path().join("keys.toml");
    fs::write(&keymap, "[keys]\nkil = [\"K\"]\n").expect("a keymap");
    let default = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml")).expect("config.toml");
    let with_keys = default.replace("keymap = \"\"", &format!("keymap = \"{}\"", keymap.display()));
    assert_ne!(with_keys, default, "config.toml names the keymap");
    for (text, said) in [(&default, "standard output is not one"), (&with_keys, "keys.kil: no such action")] {
        let file = dir.path().join("desk.toml");
        fs::write(&file, text).expect("a config file");
        let child = Command::new(COCKPIT).arg("--config").arg(&file).arg("--state-dir").arg(&state).output();
        let output = child.expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(said), "{stderr}");
        assert!(!state.exists(), "nothing was started");
    }
}

#[test]
fn a_desk_refuses_to_start_on_a_bad_configuration() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let file = dir.path().join("desk.toml");
    fs::write(&file, "mode = \"live\"\n").expect("a config file");
    let output =
        Command::new(COCKPIT).args(["run", "--for", "1s", "--config"]).arg(&file).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("mode = \"live\"") && stderr.contains("risk.daily_drawdown = (missing)"), "{stderr}");
}
