//! Names the build, version and commit, as `COCKPIT_BUILD`: for `cockpit --version` and for dead letters.
//!
//! The commit is the one that is checked out, or `COCKPIT_COMMIT` of the environment where an archive is built; without either the
//! version stands alone. Only a HEAD that moves, or another value of that variable, makes the script run again.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=COCKPIT_COMMIT");
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let given = env::var("COCKPIT_COMMIT").ok().filter(|commit| !commit.trim().is_empty());
    let build = match given.or_else(checked_out) {
        Some(commit) => format!("{version}+{}", commit.trim()),
        None => version,
    };
    println!("cargo:rustc-env=COCKPIT_BUILD={build}");
}

/// The commit of this directory's own repository; a repository further up is another's.
fn checked_out() -> Option<String> {
    let top = Path::new(&git(&["rev-parse", "--show-toplevel"])?).canonicalize().ok()?;
    if top != Path::new(&env::var("CARGO_MANIFEST_DIR").ok()?).canonicalize().ok()? {
        return None;
    }
    // The first is written whenever HEAD moves. A path that does not exist would make every build a new one.
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]).unwrap_or_default();
    let candidates = [&["logs/HEAD"][..], &["HEAD", branch.as_str()]];
    let existing = |names: &&[&str]| {
        let paths = names.iter().filter_map(|name| git(&["rev-parse", "--git-path", name]));
        paths.filter(|path| Path::new(path).is_file()).collect::<Vec<_>>()
    };
    let watched = candidates.iter().map(existing).find(|paths| !paths.is_empty())?;
    for path in watched {
        println!("cargo:rerun-if-changed={path}");
    }
    git(&["rev-parse", "--short", "HEAD"])
}

/// What git says; nothing when it is not there or has nothing to say.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
