//! Dead letters in the cockpit, attached to a desk that runs elsewhere: seen, opened, one dropped, one tried again.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

#[path = "support/desk.rs"]
mod desk;
#[path = "support/letters.rs"]
mod letters;
#[path = "support/mod.rs"]
mod support;
#[path = "support/terminal.rs"]
mod terminal;

use desk::{Sim, eventually};
use letters::PATIENCE;
use terminal::Terminal;

const SOON: Duration = Duration::from_secs(30);
const ESC: &str = "\u{1b}";

/// Asks for the retry until Hermes grants it: it refuses until it has a fresh book.
fn retry(terminal: &mut Terminal) {
    let end = cockpit::clock::monotonic() + PATIENCE;
    loop {
        terminal.press("R");
        terminal.wait_for("the question", SOON, |text| text.contains("Attempt 2 in SIM mode"));
        terminal.press("\r");
        let pending = ["Retry?", "retry…", "retry ✓", "NO ANSWER"];
        let text = terminal.wait_for("an answer", SOON, |text| !pending.iter().any(|part| text.contains(part)));
        if text.contains("retried #2") {
            return;
        }
        assert!(cockpit::clock::monotonic() < end, "never granted; the screen:\n{text}");
    }
}

fn press_keys(terminal: &mut Terminal, sim: &Sim) {
    terminal.wait_for("the desk", SOON, |text| text.contains("dlq 2"));
    terminal.press("6");
    terminal.wait_for("both letters", SOON, |text| {
        text.contains("2 waiting") && text.contains("malformed") && text.contains("expired")
    });

    // The newest is the one that came too late; the other can only be dropped.
    terminal.press("G");
    terminal.wait_for("the last row", SOON, |text| text.contains("2/2"));
    terminal.press("\r");
    terminal.wait_for("the whole letter", SOON, |text| text.contains("Original") && text.contains("a signal[2J"));
    terminal.press(ESC);
    terminal.wait_for("the list", SOON, |text| !text.contains("Original"));
    terminal.press("R");
    terminal.wait_for("why not", SOON, |text| text.contains("it can only be dropped"));
    terminal.press("D");
    terminal.wait_for("the question", SOON, |text| text.contains("Drop?"));
    terminal.press("a test\r");
    terminal.wait_for("the outcome", SOON, |text| text.contains("dropped") && text.contains("1 waiting"));

    terminal.press("g");
    terminal.wait_for("the first row", SOON, |text| text.contains("1/2"));
    retry(terminal);
    eventually("the order at the venue", SOON, || (sim.truth()["open_orders"] == 1).then_some(()));
    terminal.press("\r");
    terminal.wait_for("its order", SOON, |text| {
        text.contains("retried as attempt 2 by cockpit:") && text.contains("live, 0 of 5")
    });
    terminal.press(ESC);
    terminal.wait_for("the list", SOON, |text| !text.contains("its order"));
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_seen_dropped_and_tried_again_on_screen() {
    let mut buried = letters::two().await;
    tokio::task::spawn_blocking(move || {
        let (home, sim) = (&buried.home, &buried.sim);
        let config = home.config();
        let mut terminal = Terminal::open(24, 80, &["--config", config.to_str().expect("UTF-8")]);
        press_keys(&mut terminal, sim);
        home.wait_for("nothing to wait any more", PATIENCE, |status| status["dlq"] == 0);
        assert_eq!(buried.hermes.stop(), 0);
    })
    .await
    .expect("the keys");
}
