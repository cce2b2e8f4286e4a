//! A dead letter: what it was, why it could not be executed, what was done about it, and the original as it came.

use super::{Sheet, cause};
use crate::domain::{DeadLetter, DeadLetterState};
use crate::ui::format;
use crate::ui::model::letters::LetterItem;
use crate::ui::theme::Role;

/// Lines of the original that are shown.
const ORIGINAL_LINES: usize = 120;

/// Writes the letter down.
pub(super) fn describe(item: &LetterItem, sheet: &mut Sheet) {
    let letter = &item.letter;
    let (state, role) = state(letter);
    sheet.field("state", &state, role);
    sheet.field("reason", letter.reason.code(), Role::Warn);
    sheet.text("last error", &letter.last_error);
    if letter.first_error != letter.last_error {
        sheet.text("first error", &letter.first_error);
    }
    sheet.text("sent", &times(letter.posts));
    sheet.text("first seen", &letter.first_at.to_string());
    sheet.text("given up", &letter.last_at.to_string());
    sheet.text("entry", &letter.entry);
    sheet.text("id", &letter.id);
    sheet.text("build", &letter.build);
    match &item.intent {
        Some(intent) => cause::intent(intent, sheet),
        None => sheet.field("intent", "not readable", Role::Warn),
    }
    sheet.heading("Original");
    let original = printable(&letter.original);
    for line in original.iter().take(ORIGINAL_LINES) {
        let indent = line.len() - line.trim_start().len();
        for part in format::wrap(line.trim_start(), sheet.cols.saturating_sub(indent).max(10)) {
            sheet.line(&format!("{:indent$}{part}", ""), Role::Text);
        }
    }
    if original.len() > ORIGINAL_LINES {
        sheet.line(&format!("… all of it: cockpit dlq show {}", format::clean(&letter.id)), Role::Dim);
    }
}

fn state(letter: &DeadLetter) -> (String, Role) {
    match &letter.state {
        DeadLetterState::Waiting if letter.reason.is_retryable() => {
            ("waiting: retry it or drop it".to_owned(), Role::Warn)
        }
        DeadLetterState::Waiting => ("waiting: it can never be executed, only dropped".to_owned(), Role::Warn),
        DeadLetterState::Retried { attempt, by, at } => {
            (format!("retried as attempt {attempt} by {by} at {at}"), Role::Good)
        }
        DeadLetterState::Dropped { by, why, at } => (format!("dropped by {by} at {at}: {why}"), Role::Dim),
    }
}

fn times(posts: u32) -> String {
    match posts {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        more => format!("{more} times"),
    }
}

/// JSON on lines of its own, anything else as it came; nothing that a terminal would obey.
fn printable(original: &str) -> Vec<String> {
    let pretty =
        serde_json::from_str::<serde_json::Value>(original).and_then(|value| serde_json::to_string_pretty(&value));
    pretty.as_deref().unwrap_or(original).lines().take(ORIGINAL_LINES + 1).map(format::clean).collect()
}
