//! Standard error while the cockpit has the terminal: what a library prints there goes into the log file, not over the screen.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The terminal as standard error, while the log file is in its place. Static, because a panic on any thread puts it back.
static ASIDE: Mutex<Option<OwnedFd>> = Mutex::new(None);

/// Standard error goes into the log file for as long as this lives.
#[derive(Debug)]
pub(crate) struct StderrInLog(());

impl StderrInLog {
    /// Puts the file in the place of standard error; one that is no terminal disturbs nobody and stays.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(crate) fn begin(log: &Path) -> io::Result<Self> {
        if io::stderr().is_terminal() {
            let file = OpenOptions::new().create(true).append(true).open(log)?;
            let terminal = io::stderr().as_fd().try_clone_to_owned()?;
            rustix::stdio::dup2_stderr(&file)?;
            *ASIDE.lock().unwrap_or_else(PoisonError::into_inner) = Some(terminal);
        }
        Ok(Self(()))
    }
}

impl Drop for StderrInLog {
    fn drop(&mut self) {
        restore();
    }
}

/// Makes the terminal standard error again, from any thread.
pub(super) fn restore() {
    let aside = ASIDE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(terminal) = aside {
        // Without it messages go on into the log file, where they can be read as well.
        let _ = rustix::stdio::dup2_stderr(&terminal);
    }
}
