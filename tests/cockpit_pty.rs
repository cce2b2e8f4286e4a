//! The real binary in a real pseudo-terminal, as its user sees it.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Longer than anything but a roll of the market takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

struct Terminal {
    screen: Arc<Mutex<vt100::Parser>>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    _home: tempfile::TempDir,
}

impl Terminal {
    fn open(rows: u16, cols: u16) -> Self {
        let home = tempfile::tempdir().expect("a temp dir");
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pty");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_cockpit"));
        command.args(["--state-dir", home.path().join("s").to_str().expect("UTF-8")]);
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
        Self { screen, keys, child, master: pair.master, _home: home }
    }

    fn text(&self) -> String {
        self.screen.lock().expect("the screen").screen().contents()
    }

    fn wait_for(&self, what: &str, within: Duration, holds: impl Fn(&str) -> bool) -> String {
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

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the pty takes keys");
        self.keys.flush().expect("the pty takes keys");
    }

    fn exit_code(&mut self) -> u32 {
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

#[test]
fn the_embedded_desk_trades_on_screen_and_shift_k_proves_zero() {
    let mut terminal = Terminal::open(30, 120);
    terminal.wait_for("the first frame", PATIENCE, |text| text.contains("SIM"));
    terminal.wait_for("ticks", PATIENCE, |text| text.contains("BTC/USD") && text.contains("ETH/USD"));
    // Up to a roll of the market, over its cut-off and the warming of the new window, and a move.
    terminal.wait_for("an order", PATIENCE * 3, |text| text.contains("B Up") || text.contains("B Down"));
    terminal.press("?");
    terminal.press("K");
    terminal.wait_for("the proof", PATIENCE, |text| text.contains("PROVED"));
    terminal.press("\u{1b}");
    // Sent together, the two would be one Alt chord.
    terminal.wait_for("the help to close", PATIENCE, |text| !text.contains("Help"));
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn the_smallest_terminals_still_show_the_state_and_resizing_never_breaks() {
    let mut terminal = Terminal::open(10, 40);
    terminal.wait_for("the mode", PATIENCE, |text| text.contains("SIM"));
    for (rows, cols) in [(1, 1), (3, 20), (60, 200), (24, 80)] {
        terminal.master.resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).expect("a resize");
        terminal.screen.lock().expect("the screen").screen_mut().set_size(rows, cols);
    }
    // What was drawn for one size and read at another is drawn again.
    terminal.press("\u{c}");
    terminal.wait_for("the overview", PATIENCE, |text| text.contains("BTC/USD"));
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
}
