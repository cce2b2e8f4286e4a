//! The binary in a pseudo-terminal: keys in, the screen out.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};

const fn size_of(rows: u16, cols: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

/// A terminal with the cockpit in it, which does not outlive the test.
pub(crate) struct Terminal {
    screen: Arc<Mutex<vt100::Parser>>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    /// Starts `cockpit` with these arguments.
    pub(crate) fn open(rows: u16, cols: u16, args: &[&str]) -> Self {
        let pair = native_pty_system().openpty(size_of(rows, cols)).expect("a pty");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_cockpit"));
        command.args(args);
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command).expect("the cockpit starts");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows, cols, 0)));
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let sink = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut buffer = vec![0_u8; 65_536];
            while let Ok(read) = reader.read(&mut buffer) {
                if read == 0 {
                    break;
                }
                sink.lock().expect("the screen").process(&buffer[..read]);
            }
        });
        let keys = pair.master.take_writer().expect("a writer");
        Self { screen, keys, child, master: pair.master }
    }

    /// What is on the screen.
    pub(crate) fn text(&self) -> String {
        self.screen.lock().expect("the screen").screen().contents()
    }

    /// Waits until the screen satisfies a condition.
    pub(crate) fn wait_for(&self, what: &str, within: Duration, holds: impl Fn(&str) -> bool) -> String {
        let end = cockpit::clock::monotonic() + within;
        loop {
            let text = self.text();
            if holds(&text) {
                return text;
            }
            assert!(cockpit::clock::monotonic() < end, "waited {} s for {what}; the screen:\n{text}", within.as_secs());
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// Types keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the pty takes keys");
        self.keys.flush().expect("the pty takes keys");
    }

    /// Gives it another size.
    pub(crate) fn resize(&self, rows: u16, cols: u16) {
        self.master.resize(size_of(rows, cols)).expect("a resize");
        self.screen.lock().expect("the screen").screen_mut().set_size(rows, cols);
    }

    /// Waits for its end.
    pub(crate) fn exit_code(&mut self) -> u32 {
        let end = cockpit::clock::monotonic() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.exit_code();
            }
            assert!(cockpit::clock::monotonic() < end, "the cockpit did not end; the screen:\n{}", self.text());
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
