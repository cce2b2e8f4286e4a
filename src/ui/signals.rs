//! Signals of the operating system that concern a program on a terminal.

use std::io;

use rustix::process::Signal as Number;
use tokio::signal::unix::{self, SignalKind};

/// What the outside wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Hang-up or termination: leave cleanly.
    Leave,
    /// Stop until continued.
    Suspend,
    /// Running again.
    Continued,
}

/// The signals that are listened to.
#[derive(Debug)]
pub(crate) struct Signals {
    hangup: unix::Signal,
    terminate: unix::Signal,
    interrupt: unix::Signal,
    suspend: unix::Signal,
    continued: unix::Signal,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// When a handler cannot be put in place.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            hangup: unix::signal(SignalKind::hangup())?,
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            suspend: unix::signal(SignalKind::from_raw(Number::TSTP.as_raw()))?,
            continued: unix::signal(SignalKind::from_raw(Number::CONT.as_raw()))?,
        })
    }

    /// The next one. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.hangup.recv() => Signal::Leave,
            _ = self.terminate.recv() => Signal::Leave,
            _ = self.interrupt.recv() => Signal::Leave,
            _ = self.suspend.recv() => Signal::Suspend,
            _ = self.continued.recv() => Signal::Continued,
        }
    }
}
