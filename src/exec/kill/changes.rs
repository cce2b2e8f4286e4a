//! When a file is replaced, written or removed, as the kernel tells it.

use std::ffi::OsString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;

/// Room for some events with names of any length.
const BUFFER: usize = 4_096;

/// Changes of one file, seen through its directory: a file that is replaced by a rename is another one.
#[derive(Debug)]
pub(super) struct Changes {
    events: AsyncFd<OwnedFd>,
    name: OsString,
}

impl Changes {
    /// Changes of the file at `path`, which need not be there. Its directory must be.
    ///
    /// # Errors
    /// When the kernel cannot watch the directory.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} is no file", path.display())));
        };
        let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let of_interest = WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::ATTRIB;
        inotify::add_watch(&events, dir, of_interest)?;
        #[expect(deprecated, reason = "its successor is unsafe code; what it warns of, an OwnedFd cannot do")]
        let events = AsyncFd::new(events)?;
        Ok(Self { events, name: name.to_owned() })
    }

    /// Waits for the next change. Cancel-safe: what was told meanwhile is told by the next call.
    ///
    /// # Errors
    /// When the kernel tells nothing any more.
    pub(super) async fn next(&self) -> io::Result<()> {
        loop {
            let mut ready = self.events.readable().await?;
            if self.drain()? {
                return Ok(());
            }
            ready.clear_ready();
        }
    }

    /// Reads what there is, up to the first event of our file.
    fn drain(&self) -> io::Result<bool> {
        let mut buffer = [const { MaybeUninit::uninit() }; BUFFER];
        let mut reader = inotify::Reader::new(self.events.get_ref(), &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    // With the queue full, or the watch gone, nobody knows what happened.
                    let lost = event.events().intersects(ReadFlags::QUEUE_OVERFLOW | ReadFlags::IGNORED);
                    let ours = event.file_name().is_some_and(|name| name.to_bytes() == self.name.as_bytes());
                    if ours || lost {
                        return Ok(true);
                    }
                }
                Err(Errno::AGAIN) => return Ok(false),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    async fn changed(changes: &Changes) {
        tokio::time::timeout(SOON, changes.next()).await.expect("in time").expect("told");
    }

    #[tokio::test]
    async fn a_file_that_is_made_replaced_or_removed_is_told_and_others_are_not() {
        let dir = tempfile::tempdir().expect("dir");
        let (path, other) = (dir.path().join("kill.latch"), dir.path().join("ledger.db"));
        let changes = Changes::of(&path).expect("watched");
        std::fs::write(&other, "x").expect("writes");
        assert!(!changes.drain().expect("read"), "nothing of ours");
        std::fs::write(&path, "x").expect("writes");
        changed(&changes).await;
        while changes.drain().expect("read") {}
        std::fs::rename(&other, &path).expect("replaced");
        changed(&changes).await;
        while changes.drain().expect("read") {}
        std::fs::remove_file(&path).expect("removed");
        changed(&changes).await;
    }

    #[tokio::test]
    async fn a_directory_that_is_not_there_is_an_error() {
        let dir = tempfile::tempdir().expect("dir");
        assert!(Changes::of(&dir.path().join("nowhere/kill.latch")).is_err());
    }
}
