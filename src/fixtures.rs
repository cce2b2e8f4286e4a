//! Recorded payloads, for tests. They lie outside the project: `SHARED_FIXTURES`, else `../shared/fixtures`.

use std::path::PathBuf;
use std::process::Command;

/// Where a recorded file or folder lies; nothing, and a word about it, when there are no recordings at all. Where there are some it must
/// be among them: a test without it would pass and have tested nothing.
#[expect(clippy::print_stderr, reason = "a test that is skipped must say so")]
pub(crate) fn path(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SHARED_FIXTURES")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/fixtures")), PathBuf::from);
    if !root.exists() {
        eprintln!("skipped: there are no recordings in {}", root.display());
        return None;
    }
    let path = root.join(name);
    assert!(path.exists(), "{} is not among the recordings", path.display());
    Some(path)
}

/// A recorded file's text.
pub(crate) fn text(name: &str) -> Option<String> {
    path(name).map(|path| std::fs::read_to_string(path).expect("a readable fixture"))
}

/// The text of a recorded file that is packed with `xz`.
pub(crate) fn unpacked(name: &str) -> Option<String> {
    let output = Command::new("xz").arg("-dc").arg(path(name)?).output().expect("the tool xz");
    assert!(output.status.success(), "xz: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).expect("UTF-8"))
}
