//! The dependency rules of ARCHITECTURE.md, checked by reading every `use crate::` and every `crate::` path.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// `(where, may use)`: the longest matching prefix rules; `domain` uses nothing.
const RULES: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &["domain"]),
    ("bus", &["domain", "clock"]),
    ("risk", &["domain"]),
    ("pipeline/athena/daemon", &["domain", "risk", "bus", "clock", "pipeline"]),
    ("pipeline/athena", &["domain", "risk", "pipeline"]),
    ("pipeline", &["domain", "bus", "clock", "venues", "pipeline"]),
    ("exec/lifecycle", &["domain"]),
    ("exec", &["domain", "risk", "bus", "clock", "store", "failpoint", "exec"]),
    ("store", &["domain", "store"]),
    ("venues/polymarket/venue", &["domain", "clock", "venues", "exec", "risk"]),
    ("venues", &["domain", "clock", "venues", "exec"]),
    ("sim", &["domain", "clock", "sim"]),
    ("ui", &["domain", "bus", "clock", "text", "ui"]),
    ("text", &[]),
    ("config", &["domain", "risk", "bus", "pipeline", "sim", "config"]),
    ("failpoint", &[]),
    ("telemetry", &[]),
];

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    assert!(files.len() > 50, "only {} files found", files.len());
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a source file");
            let name = path.strip_prefix(&root).expect("below src").with_extension("");
            (name.to_string_lossy().trim_end_matches("/mod").to_owned(), text)
        })
        .collect()
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
}

/// The part of a file that ships: without comments and without its tests.
fn shipped(name: &str, text: &str) -> String {
    let file = name.rsplit('/').next().unwrap_or_default();
    let only_in_tests = ["tests", "fixtures", "test_server", "bench"].contains(&file) || file.ends_with("_tests");
    if only_in_tests || name.contains("/tests/") {
        return String::new();
    }
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn rule(name: &str) -> Option<&'static (&'static str, &'static [&'static str])> {
    RULES
        .iter()
        .filter(|(prefix, _)| name == *prefix || name.starts_with(&format!("{prefix}/")))
        .max_by_key(|(prefix, _)| prefix.len())
}

/// Top-level modules named after `crate::`, also inside `crate::{...}` groups.
fn used(code: &str) -> Vec<String> {
    let ident = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut modules = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            modules.push(ident(rest));
            continue;
        };
        let mut depth = 1;
        let mut start = true;
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => start = true,
                c if start && c.is_alphabetic() => {
                    modules.push(ident(&group[i..]));
                    start = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    modules
}

#[test]
fn every_module_uses_only_what_its_rule_allows() {
    let mut broken = Vec::new();
    for (name, text) in sources() {
        let Some((prefix, allowed)) = rule(&name) else { continue };
        let own = prefix.split('/').next().unwrap_or_default();
        // Recordings are there for tests only.
        for module in used(&shipped(&name, &text)).into_iter().filter(|module| module != "fixtures") {
            let inside_own = module == own && !prefix.contains('/');
            if !inside_own && !allowed.contains(&module.as_str()) {
                broken.push(format!("src/{name}.rs uses crate::{module}; {prefix} may use {allowed:?}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_simulator_shares_no_wire_type_with_the_clients_that_it_tests() {
    for (name, text) in sources() {
        if name.starts_with("sim") {
            let code = shipped(&name, &text);
            assert!(!code.contains("crate::venues"), "src/{name}.rs uses the venue clients");
        }
    }
}

#[test]
fn only_the_clock_reads_time_and_only_ui_and_cli_print() {
    let mut broken = Vec::new();
    for (name, text) in sources() {
        // Tokio's own timer is for waiting at the edge; tests steer it. It tells nobody what time it is.
        let code = shipped(&name, &text).replace("tokio::time::Instant", "");
        for call in ["SystemTime::now", "time::Instant::now", "Utc::now", "OffsetDateTime::now"] {
            if code.contains(call) && name != "clock" {
                broken.push(format!("src/{name}.rs calls {call}"));
            }
        }
        for call in ["println!", "eprintln!", "print!(", "stdout()"] {
            if code.contains(call) && !["ui", "cli", "main"].iter().any(|place| name.starts_with(place)) {
                broken.push(format!("src/{name}.rs prints with {call}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn adapters_are_named_only_by_the_composition_root() {
    let mut broken = Vec::new();
    for (name, text) in sources() {
        if name.starts_with("wire") || name.starts_with("cli") || name.starts_with("bus") || name.starts_with("store") {
            continue;
        }
        let code = shipped(&name, &text);
        for adapter in ["MemoryBus", "RedisBus", "SqliteLedger", "PostgresLedger"] {
            if code.contains(adapter) {
                broken.push(format!("src/{name}.rs names {adapter}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn files_stay_small() {
    let mut long = Vec::new();
    for (name, text) in sources() {
        let lines = text.lines().count();
        let reasoned = text.lines().take(10).any(|line| line.contains("Longer than 600 lines because"));
        if lines > 600 && !reasoned {
            long.push(format!("src/{name}.rs: {lines} lines"));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}
