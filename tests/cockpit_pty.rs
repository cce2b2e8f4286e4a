//! The real binary in a real pseudo-terminal, as its user sees it.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};

const COCKPIT: &str = env!("CARGO_BIN_EXE_cockpit");
/// Longer than anything but a roll of the market takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

struct Terminal {
    screen: Arc<Mutex<vt100::Parser>>,
    keys: Option<Box<dyn Write + Send>>,
    reader: Option<std::thread::JoinHandle<()>>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    stalled: Arc<AtomicBool>,
    home: tempfile::TempDir,
}

impl Terminal {
    fn open(rows: u16, cols: u16) -> Self {
        let home = tempfile::tempdir().expect("a temp dir");
        let state = home.path().join("s");
        let mut command = CommandBuilder::new(COCKPIT);
        command.args(["--state-dir", state.to_str().expect("UTF-8")]);
        Self::run(rows, cols, command, home)
    }

    /// Runs a command in a terminal of its own.
    fn run(rows: u16, cols: u16, mut command: CommandBuilder, home: tempfile::TempDir) -> Self {
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
        Self { screen, keys: Some(keys), reader: Some(reader), child, master: Some(pair.master), stalled, home }
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
        let pty = self.keys.as_mut().expect("a terminal");
        pty.write_all(keys.as_bytes()).expect("the pty takes keys");
        pty.flush().expect("the pty takes keys");
    }

    fn resize(&self, rows: u16, cols: u16) {
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        self.master.as_ref().expect("a terminal").resize(size).expect("a resize");
        self.screen.lock().expect("the screen").screen_mut().set_size(rows, cols);
    }

    /// Stops reading: whoever writes stands still once the kernel holds no more.
    fn stall(&self) {
        self.stalled.store(true, Ordering::SeqCst);
    }

    /// Takes the terminal away, as a lost connection does.
    fn hang_up(&mut self) {
        self.stall();
        self.reader.take().expect("a reader").join().expect("it ends with what comes next");
        self.keys = None;
        self.master = None;
    }

    fn signal(&self, name: &str, id: &str) {
        let sent = std::process::Command::new("kill").args([&format!("-{name}"), id]).status().expect("kill runs");
        assert!(sent.success(), "{id} had already ended");
    }

    fn id(&self) -> String {
        self.child.process_id().expect("it runs").to_string()
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
        terminal.resize(rows, cols);
    }
    // What was drawn for one size and read at another is drawn again.
    terminal.press("\u{c}");
    terminal.wait_for("the overview", PATIENCE, |text| text.contains("BTC/USD"));
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn what_is_printed_on_standard_error_goes_into_the_log_and_not_over_the_screen() {
    let mut terminal = Terminal::open(24, 80);
    terminal.wait_for("the first frame", PATIENCE, |text| text.contains("SIM"));
    let theirs = format!("/proc/{}/fd/2", terminal.id());
    let place = std::fs::read_link(&theirs).expect("an open file");
    assert!(place.ends_with("s/cockpit.log"), "{}", place.display());
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn a_terminal_that_stands_still_does_not_keep_the_desk_from_stopping() {
    let mut terminal = Terminal::open(30, 120);
    terminal.wait_for("the first frame", PATIENCE, |text| text.contains("SIM"));
    terminal.stall();
    // Nobody reads any more. Whole screens fill what the kernel holds for the reader, and whoever writes stands still.
    for _ in 0..32 {
        terminal.press("\u{c}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
    terminal.signal("TERM", &terminal.id());
    assert_eq!(terminal.exit_code(), 0);
    let log = std::fs::read_to_string(terminal.home.path().join("s/cockpit.log")).expect("a log");
    assert!(log.contains("the cockpit closes"), "the desk was stopped in good order: {log}");
}

#[test]
fn a_terminal_that_hangs_up_ends_the_cockpit() {
    let mut terminal = Terminal::open(24, 80);
    terminal.wait_for("the first frame", PATIENCE, |text| text.contains("SIM"));
    terminal.hang_up();
    assert_eq!(terminal.exit_code(), 0);
    assert!(!terminal.home.path().join("s/hermes.sock").exists(), "the desk has stopped with it");
}

/// The shell's part is played by `sh -m`, which makes a job of the cockpit and takes the terminal back when it stops.
#[test]
fn ctrl_z_gives_the_terminal_to_the_shell_and_fg_brings_the_screen_back() {
    let home = tempfile::tempdir().expect("a temp dir");
    let state = home.path().join("s");
    let mut shell = CommandBuilder::new("sh");
    shell.args(["-c", "set -m; \"$0\" --state-dir \"$1\"; echo STOPPED; read -r go; fg; echo ENDED $?; read -r go"]);
    shell.args([COCKPIT, state.to_str().expect("UTF-8")]);
    let mut terminal = Terminal::run(24, 80, shell, home);
    terminal.wait_for("the first frame", PATIENCE, |text| text.contains("SIM"));
    terminal.press("\u{1a}");
    let shell = terminal.wait_for("the shell", PATIENCE, |text| text.contains("STOPPED"));
    assert!(!shell.contains("SIM"), "the cockpit has left the screen: {shell}");
    terminal.press("go\n");
    terminal.wait_for("the screen again", PATIENCE, |text| text.contains("SIM") && !text.contains("STOPPED"));
    terminal.press("q");
    let shell = terminal.wait_for("the shell again", PATIENCE, |text| text.contains("ENDED 0"));
    assert!(!shell.contains("SIM"), "{shell}");
    terminal.press("go\n");
    assert_eq!(terminal.exit_code(), 0);
}
