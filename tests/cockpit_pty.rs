//! The real binary in a real pseudo-terminal, as its user sees it.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

#[path = "support/terminal.rs"]
mod terminal;

use terminal::Terminal;

/// The embedded desk, with a state directory of its own.
fn embedded(rows: u16, cols: u16) -> (Terminal, tempfile::TempDir) {
    let home = tempfile::tempdir().expect("a temp dir");
    let state = home.path().join("s");
    (Terminal::open(rows, cols, &["--state-dir", state.to_str().expect("UTF-8")]), home)
}

#[test]
fn the_embedded_desk_trades_on_screen_and_shift_k_proves_zero() {
    let (mut terminal, _home) = embedded(30, 120);
    terminal.wait_for("the first frame", Duration::from_secs(10), |text| text.contains("SIM"));
    terminal.wait_for("ticks", Duration::from_secs(15), |text| text.contains("BTC/USD") && text.contains("ETH/USD"));
    // Up to a roll of the market, over its cut-off and the warming of the new window, and a move.
    terminal.wait_for("an order", Duration::from_mins(2), |text| text.contains("B Up") || text.contains("B Down"));
    terminal.press("?");
    terminal.press("K");
    terminal.wait_for("the proof", Duration::from_secs(45), |text| text.contains("PROVED"));
    terminal.press("\u{1b}");
    // Sent together, the two would be one Alt chord.
    terminal.wait_for("the help to close", Duration::from_secs(5), |text| !text.contains("Help"));
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn the_smallest_terminals_still_show_the_state_and_resizing_never_breaks() {
    let (mut terminal, _home) = embedded(10, 40);
    terminal.wait_for("the mode", Duration::from_secs(10), |text| text.contains("SIM"));
    for (rows, cols) in [(1, 1), (3, 20), (60, 200), (24, 80)] {
        terminal.resize(rows, cols);
    }
    terminal.wait_for("the overview", Duration::from_secs(15), |text| text.contains("BTC/USD"));
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
}
