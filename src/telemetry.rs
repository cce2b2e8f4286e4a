//! Where logs go. A log line never reaches the screen of the cockpit and never holds a secret.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::EnvFilter;

/// Size at which a log file is put aside as `.1`; the one before that is lost.
const ROTATE_BYTES: u64 = 16 * 1024 * 1024;

/// Where log lines are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Standard error: for daemons without a screen.
    Stderr,
    /// A file: while the cockpit owns the terminal.
    File(PathBuf),
}

/// Starts logging. `filter` has been checked by the configuration.
///
/// # Errors
/// When the file cannot be opened or the filter cannot be read.
pub fn init(sink: &Sink, filter: &str) -> io::Result<()> {
    let filter = EnvFilter::try_new(filter).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_target(true).with_ansi(false);
    match sink {
        Sink::Stderr => builder.with_writer(io::stderr).init(),
        Sink::File(path) => builder.with_writer(Mutex::new(Rotating::open(path)?)).init(),
    }
    Ok(())
}

/// A log file of bounded size.
#[derive(Debug)]
struct Rotating {
    path: PathBuf,
    file: File,
    written: u64,
}

impl Rotating {
    fn open(path: &Path) -> io::Result<Self> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let written = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, written })
    }
}

impl Write for Rotating {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written > ROTATE_BYTES {
            std::fs::rename(&self.path, self.path.with_extension("log.1"))?;
            *self = Self::open(&self.path)?;
        }
        let written = self.file.write(bytes)?;
        self.written += u64::try_from(written).unwrap_or(u64::MAX);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Has panics written to the log, before they are printed.
pub fn log_panics() {
    let before = Mutex::new(std::panic::take_hook());
    std::panic::set_hook(Box::new(move |info| {
        tracing::error!(target: "cockpit::panic", "{info}");
        before.lock().unwrap_or_else(PoisonError::into_inner)(info);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_is_put_aside_once_and_writing_goes_on() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("cockpit.log");
        let mut log = Rotating::open(&path).expect("opens");
        log.write_all(b"old\n").expect("writes");
        log.written = ROTATE_BYTES + 1;
        log.write_all(b"new\n").expect("writes");
        assert_eq!(std::fs::read_to_string(&path).expect("new file"), "new\n");
        assert_eq!(std::fs::read_to_string(path.with_extension("log.1")).expect("old file"), "old\n");
    }
}
