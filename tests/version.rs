//! The build names its commit, so that a dead letter can be traced to the code that gave up.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

/// The commit of this repository; nothing where the sources lie in none of their own.
fn commit() -> Option<String> {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
        output.status.success().then(|| String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned())
    };
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let own = Path::new(&top).canonicalize().ok() == Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().ok();
    own.then(|| git(&["rev-parse", "--short", "HEAD"]))?
}

#[test]
fn the_version_is_that_of_the_commit() {
    let output = Command::new(env!("CARGO_BIN_EXE_cockpit")).arg("--version").output().expect("the binary runs");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let version = env!("CARGO_PKG_VERSION");
    let expected = match option_env!("COCKPIT_COMMIT").map(ToOwned::to_owned).or_else(commit) {
        Some(commit) => format!("cockpit {version}+{commit}\n"),
        None => format!("cockpit {version}\n"),
    };
    assert_eq!(said, expected);
}
