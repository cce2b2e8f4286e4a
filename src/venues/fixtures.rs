//! Recorded payloads, for tests. They lie outside the project: `SHARED_FIXTURES`, else beside it.

use std::path::PathBuf;

/// Where a recorded file or folder lies; nothing, and a word about it, when it is not there.
#[expect(clippy::print_stderr, reason = "a test that is skipped must say so")]
pub(crate) fn path(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SHARED_FIXTURES")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/fixtures")), PathBuf::from);
    let path = root.join(name);
    if !path.exists() {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}

/// A recorded file's text.
pub(crate) fn text(name: &str) -> Option<String> {
    path(name).map(|path| std::fs::read_to_string(path).expect("a readable fixture"))
}
