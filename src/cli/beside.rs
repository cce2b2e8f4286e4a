//! The ways to kill past the bus, on the machine that Hermes runs on: its own socket, and the latch file that it watches.

use std::path::PathBuf;
use std::time::Duration;

use crate::bus::control;
use crate::clock;
use crate::domain::{Ack, AckVerdict, Action, KillLatch, KillState, Timestamp};
use crate::exec::kill::LatchFile;
use crate::exec::socket::{self, Reply, Request};

/// How long Hermes may take to say that it is killed. One that stands still is left a latch file, which it finds when it goes on.
const SOCKET_WITHIN: Duration = Duration::from_secs(2);

/// Hermes, on the machine whose state directory this is.
#[derive(Clone, Debug)]
pub(super) struct Beside {
    state_dir: PathBuf,
}

/// Hermes has not said that it is killed. The latch file is the last way: it is obeyed at once by a Hermes that runs, and by
/// every one that starts there.
#[derive(Debug, thiserror::Error)]
#[error("socket: {socket}; {file}")]
pub(super) struct NotTaken {
    socket: String,
    file: String,
    /// Whether the latch file is written.
    pub(super) is_written: bool,
}

impl Beside {
    pub(super) const fn of(state_dir: PathBuf) -> Self {
        Self { state_dir }
    }

    /// Closes the gate over the socket; gives when Hermes said that it is closed. When nobody there says so, it writes the latch file.
    pub(super) async fn kill(&self, by: &str, why: &str) -> Result<Timestamp, NotTaken> {
        let socket = match self.over_socket(by, why).await {
            Ok(at) => return Ok(at),
            Err(error) => error,
        };
        let place = self.state_dir.display();
        let (is_written, file) = match self.write_latch(by, why).await {
            Ok(()) => {
                (true, format!("the latch file in {place} is written: no desk on it trades before `cockpit arm`"))
            }
            Err(error) => (false, format!("and the latch file cannot be written: {error}")),
        };
        Err(NotTaken { socket, file, is_written })
    }

    async fn over_socket(&self, by: &str, why: &str) -> Result<Timestamp, String> {
        let command = control::make(by, Action::Kill { why: why.to_owned() }, clock::now());
        let path = socket::path_in(&self.state_dir);
        let asked = tokio::time::timeout(SOCKET_WITHIN, socket::ask(&path, Request::Command(command))).await;
        match asked.map_err(|_| format!("no answer within {} s", SOCKET_WITHIN.as_secs()))? {
            Ok(Reply::Ack(Ack { verdict: AckVerdict::Applied | AckVerdict::Accepted, at, .. })) => Ok(at),
            Ok(Reply::Ack(Ack { verdict: AckVerdict::Denied { reasons }, .. })) => Err(reasons.join("; ")),
            Ok(other) => Err(format!("hermes answered something else: {other:?}")),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn write_latch(&self, by: &str, why: &str) -> Result<(), String> {
        let (by, why) = (by.to_owned(), why.to_owned());
        let latch = KillLatch { epoch: 0, state: KillState::Killed, by, why, at: clock::now() };
        let file = LatchFile::in_dir(&self.state_dir);
        let written = tokio::task::spawn_blocking(move || file.write(&latch)).await;
        written.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }
}

#[async_trait::async_trait]
impl crate::ui::KillPath for Beside {
    async fn kill(&self, by: &str, why: &str) -> Result<(), String> {
        Self::kill(self, by, why).await.map(|_at| ()).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::kill::FileLatch;

    #[tokio::test]
    async fn where_nobody_answers_the_latch_file_is_written() {
        let dir = tempfile::tempdir().expect("dir");
        let state = dir.path().join("state");
        let error = Beside::of(state.clone()).kill("cockpit:a", "K").await.expect_err("nobody is there");
        assert!(error.is_written && error.to_string().contains("latch file in"), "{error}");
        let FileLatch::Present(latch) = LatchFile::in_dir(&state).read() else { panic!("no latch") };
        assert_eq!((latch.state, latch.by.as_str(), latch.why.as_str()), (KillState::Killed, "cockpit:a", "K"));
    }

    #[tokio::test]
    async fn where_it_cannot_be_written_that_is_said() {
        let dir = tempfile::tempdir().expect("dir");
        let state = dir.path().join("a file");
        std::fs::write(&state, "").expect("writes");
        let error = Beside::of(state).kill("cockpit:a", "K").await.expect_err("nobody is there");
        assert!(!error.is_written && error.to_string().contains("cannot be written"), "{error}");
    }
}
