//! The thread that writes frames to the terminal: one at a time, each in one write.

use std::io::{self, Write as _};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::clock::monotonic;

/// Writes frames. One may be under way; the loop does not draw until it is done.
#[derive(Debug)]
pub(super) struct Writer {
    frames: SyncSender<Vec<u8>>,
    done: mpsc::Receiver<io::Result<Duration>>,
    busy: bool,
}

impl Writer {
    /// Starts the thread. It ends when the writer is dropped.
    ///
    /// # Errors
    /// When standard output cannot be duplicated or no thread can be made.
    pub(super) fn start() -> io::Result<Self> {
        use std::os::fd::AsFd as _;
        let mut out = std::fs::File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let (frames, jobs) = sync_channel::<Vec<u8>>(1);
        let (report, done) = mpsc::channel(1);
        std::thread::Builder::new().name("cockpit-screen".to_owned()).spawn(move || {
            while let Ok(frame) = jobs.recv() {
                let started = monotonic();
                let written = out.write_all(&frame).map(|()| started.elapsed());
                if report.blocking_send(written).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { frames, done, busy: false })
    }

    /// Whether a frame is being written.
    pub(super) const fn busy(&self) -> bool {
        self.busy
    }

    /// Hands a frame over. Call it only when none is being written.
    ///
    /// # Errors
    /// When the thread has ended or is busy.
    pub(super) fn send(&mut self, frame: Vec<u8>) -> io::Result<()> {
        self.frames.try_send(frame).map_err(|error| match error {
            TrySendError::Full(_) => io::Error::new(io::ErrorKind::WouldBlock, "a frame is still being written"),
            TrySendError::Disconnected(_) => io::Error::new(io::ErrorKind::BrokenPipe, "the screen writer has ended"),
        })?;
        self.busy = true;
        Ok(())
    }

    /// Waits until the frame has been written; for ever when none was handed over. Cancel-safe.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) async fn written(&mut self) -> io::Result<Duration> {
        if !self.busy {
            return std::future::pending().await;
        }
        let written = self
            .done
            .recv()
            .await
            .unwrap_or_else(|| Err(io::Error::new(io::ErrorKind::BrokenPipe, "the screen writer has ended")));
        self.busy = false;
        written
    }
}
