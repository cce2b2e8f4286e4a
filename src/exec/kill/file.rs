//! The latch file: `kill.latch` in the state directory.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::domain::KillLatch;

/// The file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("latch file {path}: {source}")]
pub struct FileError {
    /// Which file.
    pub path: String,
    /// Why.
    pub source: io::Error,
}

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileLatch {
    /// There is none.
    Absent,
    /// A latch.
    Present(KillLatch),
    /// Something that is not a latch: counts as killed.
    Unreadable(String),
}

/// The latch on disk.
#[derive(Clone, Debug)]
pub struct LatchFile {
    path: PathBuf,
}

impl LatchFile {
    /// The file in this directory.
    #[must_use]
    pub fn in_dir(state_dir: &Path) -> Self {
        Self { path: state_dir.join("kill.latch") }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says now.
    #[must_use]
    pub fn read(&self) -> FileLatch {
        match fs::read(&self.path) {
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(latch) => FileLatch::Present(latch),
                Err(error) => FileLatch::Unreadable(format!("{}: {error}", self.path.display())),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => FileLatch::Absent,
            Err(error) => FileLatch::Unreadable(format!("{}: {error}", self.path.display())),
        }
    }

    /// Replaces it whole: after a crash there is the old latch or the new one, never a part.
    ///
    /// # Errors
    /// [`FileError`] when any step of it fails; the old latch is then still there.
    pub fn write(&self, latch: &KillLatch) -> Result<(), FileError> {
        self.replace(latch).map_err(|source| FileError { path: self.path.display().to_string(), source })
    }

    fn replace(&self, latch: &KillLatch) -> io::Result<()> {
        let dir = self.path.parent().unwrap_or_else(|| Path::new("."));
        fs::create_dir_all(dir)?;
        let scratch = self.path.with_extension("latch.new");
        let mut file = File::create(&scratch)?;
        file.write_all(&serde_json::to_vec(latch)?)?;
        file.sync_all()?;
        fs::rename(&scratch, &self.path)?;
        File::open(dir)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{KillState, Timestamp};

    #[test]
    fn absent_then_whole_then_unreadable() {
        let dir = tempfile::tempdir().expect("dir");
        let file = LatchFile::in_dir(&dir.path().join("state"));
        assert_eq!(file.read(), FileLatch::Absent);
        let latch = KillLatch {
            epoch: 4,
            state: KillState::Killed,
            by: "cli".into(),
            why: "test".into(),
            at: Timestamp::from_secs(1),
        };
        file.write(&latch).expect("writes");
        assert_eq!(file.read(), FileLatch::Present(latch));
        fs::write(&file.path, b"{\"epoch\":4").expect("truncates");
        assert!(matches!(file.read(), FileLatch::Unreadable(_)));
    }

    #[test]
    fn a_directory_in_its_place_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().expect("dir");
        fs::create_dir(dir.path().join("kill.latch")).expect("dir");
        let file = LatchFile::in_dir(dir.path());
        assert!(matches!(file.read(), FileLatch::Unreadable(_)));
        let latch = KillLatch {
            epoch: 1,
            state: KillState::Armed,
            by: "t".into(),
            why: String::new(),
            at: Timestamp::default(),
        };
        let error = file.write(&latch).expect_err("cannot replace a directory");
        assert!(error.to_string().contains("kill.latch"), "{error}");
    }
}
