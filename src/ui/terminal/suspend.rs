//! Going to sleep under a shell, and noticing that the terminal is gone.

use std::io;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, getpid, getsid, kill_current_process_group};

/// Why stopping would leave nobody to wake us: nothing when a shell is there.
pub(crate) fn why_not_suspend() -> Option<String> {
    match getsid(None) {
        Ok(session) if session == getpid() => Some("cannot suspend: there is no shell to return to".to_owned()),
        Ok(_) => None,
        Err(error) => Some(format!("cannot suspend: {error}")),
    }
}

/// Stops the whole job, as a shell's job control expects; returns after SIGCONT.
pub(super) fn stop() -> io::Result<()> {
    kill_current_process_group(Signal::STOP).map_err(io::Error::from)
}

/// Whether the terminal has hung up. Its reader does not tell: it would spin.
pub(crate) fn hung_up() -> bool {
    let out = io::stdout();
    let mut fds = [PollFd::new(&out, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut fds, Some(&at_once)) {
        Ok(_) => fds[0].revents().intersects(PollFlags::HUP.union(PollFlags::ERR).union(PollFlags::NVAL)),
        Err(_) => false, // interrupted by a signal: asked again in a second
    }
}
