//! The real binary in a real pseudo-terminal, as its user sees it.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use portable_pty::CommandBuilder;

#[path = "support/terminal.rs"]
mod terminal;

use terminal::{COCKPIT, PATIENCE, Terminal};

/// The embedded desk, with a state directory of its own.
fn embedded(rows: u16, cols: u16) -> (Terminal, tempfile::TempDir) {
    let home = tempfile::tempdir().expect("a temp dir");
    let state = home.path().join("s");
    (Terminal::open(rows, cols, &["--state-dir", state.to_str().expect("UTF-8")]), home)
}

#[test]
fn the_embedded_desk_trades_on_screen_and_shift_k_proves_zero() {
    let (mut terminal, _home) = embedded(30, 120);
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
    let (mut terminal, _home) = embedded(10, 40);
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
    let (mut terminal, _home) = embedded(24, 80);
    terminal.wait_for("the first frame", PATIENCE, |text| text.contains("SIM"));
    let theirs = format!("/proc/{}/fd/2", terminal.id());
    let place = std::fs::read_link(&theirs).expect("an open file");
    assert!(place.ends_with("s/cockpit.log"), "{}", place.display());
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn a_terminal_that_stands_still_does_not_keep_the_desk_from_stopping() {
    let (mut terminal, home) = embedded(30, 120);
    terminal.wait_for("the first frame", PATIENCE, |text| text.contains("SIM"));
    terminal.stall();
    // Nobody reads any more. Whole screens fill what the kernel holds for the reader, and whoever writes stands still.
    for _ in 0..32 {
        terminal.press("\u{c}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
    terminal.signal("TERM");
    assert_eq!(terminal.exit_code(), 0);
    let log = std::fs::read_to_string(home.path().join("s/cockpit.log")).expect("a log");
    assert!(log.contains("the cockpit closes"), "the desk was stopped in good order: {log}");
}

#[test]
fn a_terminal_that_hangs_up_ends_the_cockpit() {
    let (mut terminal, home) = embedded(24, 80);
    terminal.wait_for("the first frame", PATIENCE, |text| text.contains("SIM"));
    terminal.hang_up();
    assert_eq!(terminal.exit_code(), 0);
    assert!(!home.path().join("s/hermes.sock").exists(), "the desk has stopped with it");
}

/// The shell's part is played by `sh -m`, which makes a job of the cockpit and takes the terminal back when it stops.
#[test]
fn ctrl_z_gives_the_terminal_to_the_shell_and_fg_brings_the_screen_back() {
    let home = tempfile::tempdir().expect("a temp dir");
    let state = home.path().join("s");
    let mut shell = CommandBuilder::new("sh");
    shell.args(["-c", "set -m; \"$0\" --state-dir \"$1\"; echo STOPPED; read -r go; fg; echo ENDED $?; read -r go"]);
    shell.args([COCKPIT, state.to_str().expect("UTF-8")]);
    let mut terminal = Terminal::run(24, 80, shell);
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
