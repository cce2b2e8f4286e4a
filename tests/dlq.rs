//! Dead letters on the command line: listed, shown, tried again, given up, and taken away as JSON lines.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use serde_json::Value;

#[path = "support/desk.rs"]
mod desk;
#[path = "support/letters.rs"]
mod letters;
#[path = "support/mod.rs"]
mod support;

use desk::{Home, eventually, json};
use letters::PATIENCE;

/// Exit code, standard output and standard error.
fn run(home: &Home, args: &[&str]) -> (Option<i32>, String, String) {
    let output = home.run(args);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn list(home: &Home) -> Vec<Value> {
    let letters = json(home, &["dlq", "list", "--json"]);
    letters.as_array().expect("a list").clone()
}

fn letter<'a>(letters: &'a [Value], reason: &str) -> Option<&'a Value> {
    letters.iter().find(|letter| letter["reason"] == reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_listed_shown_retried_and_another_given_up() {
    let mut buried = letters::two().await;
    tokio::task::spawn_blocking(move || {
        let (home, sim) = (&buried.home, &buried.sim);
        let letters = list(home);
        let (bad, late) = (letter(&letters, "malformed").expect("one"), letter(&letters, "expired").expect("one"));
        assert_eq!((&late["state"], &late["intent"]), (&"waiting".into(), &"too-late".into()), "{late}");
        let (bad, late) = (bad["id"].as_str().expect("an id"), late["id"].as_str().expect("an id"));

        let (code, shown, err) = run(home, &["dlq", "show", bad]);
        assert_eq!(code, Some(0), "{err}");
        assert!(shown.contains("it cannot be retried, only dropped") && shown.contains("first error"), "{shown}");
        assert!(!shown.contains('\u{1b}'), "an escape sequence reaches the terminal: {shown:?}");
        let (code, _, err) = run(home, &["dlq", "retry", bad]);
        assert!(code == Some(5) && err.contains("can never be executed"), "{code:?}: {err}");
        let (code, _, err) = run(home, &["dlq", "show", "no-such-letter"]);
        assert!(code == Some(2) && err.contains("no dead letter 'no-such-letter'"), "{code:?}: {err}");

        // Hermes refuses until it has a fresh book; then the intent is a resting order of its second attempt.
        eventually("the retry", PATIENCE, || (run(home, &["dlq", "retry", late]).0 == Some(0)).then_some(()));
        let open = || sim.truth()["open_orders"].as_u64();
        eventually("the order at the venue", PATIENCE, || (open() == Some(1)).then_some(()));
        let (code, _, err) = run(home, &["dlq", "retry", late]);
        assert!(code == Some(5) && err.contains("had it tried again"), "{code:?}: {err}");
        assert_eq!(run(home, &["dlq", "drop", bad, "--why", "a test"]).0, Some(0));

        let letters = list(home);
        let states =
            [letter(&letters, "malformed"), letter(&letters, "expired")].map(|found| &found.expect("one")["state"]);
        assert_eq!(states, ["dropped", "retried"]);
        home.wait_for("nothing to wait any more", PATIENCE, |status| status["dlq"] == 0);
        assert_eq!(buried.hermes.stop(), 0);

        // The ledger tells without a daemon, oldest first.
        let (code, lines, err) = run(home, &["dlq", "export"]);
        assert_eq!(code, Some(0), "{err}");
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let told: Vec<_> = lines.iter().map(|line| (&line["reason"], &line["state"]["state"])).collect();
        assert_eq!(told, [(&"malformed".into(), &"dropped".into()), (&"expired".into(), &"retried".into())]);
        assert_eq!(lines[0]["state"]["why"], "a test");
    })
    .await
    .expect("the command line");
}
