//! Where logs go. A log line never reaches the screen of the cockpit and never holds a secret.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, registry};

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
    match sink {
        Sink::Stderr => subscriber(filter, io::stderr).init(),
        Sink::File(path) => subscriber(filter, Mutex::new(Rotating::open(path)?)).init(),
    }
    Ok(())
}

fn subscriber(filter: EnvFilter, writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) -> impl Subscriber {
    let lines = fmt::layer().with_target(true).with_ansi(false).with_writer(writer);
    registry().with(filter).with(filter_fn(may_be_written)).with(lines)
}

/// Libraries show whole frames and headers below `info`, credentials and signatures with them: whatever the filter says, none of
/// that is written.
fn may_be_written(line: &Metadata<'_>) -> bool {
    let ours = line.target().strip_prefix("cockpit").is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    ours || *line.level() <= Level::INFO
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
    use std::sync::Arc;

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

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("lock").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_libraries_say_below_info_is_written_under_no_filter() {
        let paper = Paper::default();
        let copy = paper.clone();
        let filter = EnvFilter::new("trace,tungstenite=trace,tungstenite::protocol=trace");
        tracing::subscriber::with_default(subscriber(filter, move || copy.clone()), || {
            tracing::trace!(target: "tungstenite::protocol", "frame one");
            tracing::debug!(target: "hyper::proto", "frame two");
            tracing::debug!(target: "cockpitish", "frame three");
            tracing::info!(target: "hyper::proto", "line one");
            tracing::trace!(target: "cockpit::exec", "line two");
            tracing::trace!(target: "cockpit", "line three");
        });
        let text = String::from_utf8(paper.0.lock().expect("lock").clone()).expect("text");
        assert_eq!((text.matches("frame").count(), text.matches("line").count()), (0, 3), "{text}");
    }
}
