//! The binary in a pseudo-terminal: keys in, the screen out.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};

/// The binary under test.
pub(crate) const COCKPIT: &str = env!("CARGO_BIN_EXE_cockpit");
/// Longer than anything but a roll of the market takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A terminal with the cockpit in it, which does not outlive the test.
pub(crate) struct Terminal {
    screen: Arc<Mutex<vt100::Parser>>,
    keys: Option<Box<dyn Write + Send>>,
    reader: Option<std::thread::JoinHandle<()>>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    stalled: Arc<AtomicBool>,
}

impl Terminal {
    /// Starts `cockpit` with these arguments.
    pub(crate) fn open(rows: u16, cols: u16, args: &[&str]) -> Self {
        let mut command = CommandBuilder::new(COCKPIT);
        command.args(args);
        Self::run(rows, cols, command)
    }

    /// Runs a command in a terminal of its own.
    pub(crate) fn run(rows: u16, cols: u16, mut command: CommandBuilder) -> Self {
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pty");
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command).expect("the cockpit starts");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows, cols, 0)));
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let sink = Arc::clone(&screen);
        let stalled = Arc::new(AtomicBool::new(false));
        let stalls = Arc::clone(&stalled);
        let reader = std::thread::spawn(move || {
            let mut buffer = vec![0_u8; 65_536];
            while let Ok(read) = reader.read(&mut buffer) {
                if read == 0 || stalls.load(Ordering::SeqCst) {
                    break;
                }
                sink.lock().expect("the screen").process(&buffer[..read]);
            }
        });
        let keys = pair.master.take_writer().expect("a writer");
        Self { screen, keys: Some(keys), reader: Some(reader), child, master: Some(pair.master), stalled }
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
        let pty = self.keys.as_mut().expect("a terminal");
        pty.write_all(keys.as_bytes()).expect("the pty takes keys");
        pty.flush().expect("the pty takes keys");
    }

    /// Gives it another size.
    pub(crate) fn resize(&self, rows: u16, cols: u16) {
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        self.master.as_ref().expect("a terminal").resize(size).expect("a resize");
        self.screen.lock().expect("the screen").screen_mut().set_size(rows, cols);
    }

    /// Stops reading: whoever writes stands still once the kernel holds no more.
    pub(crate) fn stall(&self) {
        self.stalled.store(true, Ordering::SeqCst);
    }

    /// Takes the terminal away, as a lost connection does.
    pub(crate) fn hang_up(&mut self) {
        self.stall();
        self.reader.take().expect("a reader").join().expect("it ends with what comes next");
        self.keys = None;
        self.master = None;
    }

    /// Sends a process a signal.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.id();
        let sent = std::process::Command::new("kill").args([&format!("-{name}"), &id]).status().expect("kill runs");
        assert!(sent.success(), "{id} had already ended");
    }

    /// The process in it.
    pub(crate) fn id(&self) -> String {
        self.child.process_id().expect("it runs").to_string()
    }

    /// Waits for its end.
    pub(crate) fn exit_code(&mut self) -> u32 {
        let end = cockpit::clock::monotonic() + PATIENCE;
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
