//! A dead letter: what it was, why it could not be executed, what was done about it, and the original as it came.

use super::{Sheet, cause};
use crate::domain::{DeadLetter, DeadLetterState, Order, Timestamp};
use crate::ui::format;
use crate::ui::keymap::Action;
use crate::ui::model::Model;
use crate::ui::model::cells::order_state;
use crate::ui::model::flow::Flow;
use crate::ui::model::letters::{LetterAsk, LetterItem};
use crate::ui::model::panes::RowId;
use crate::ui::theme::Role;

/// Lines of the original that are shown.
const ORIGINAL_LINES: usize = 120;

/// Writes the letter down.
pub(super) fn describe(model: &Model, item: &LetterItem, sheet: &mut Sheet) {
    let letter = &item.letter;
    let (state, role) = state(model, letter);
    sheet.field("state", &state, role);
    if let Some((asked, role)) = model.desk.letters.asked(&letter.id).and_then(|ask| asked(model, ask)) {
        sheet.field("asked here", &asked, role);
    }
    if let Some(order) = retried(model, letter) {
        let (_, role) = order_state(order.state);
        let reason = order.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        let text = format!("{}, {} of {} matched{reason}", order.state, order.matched, order.intent.size);
        sheet.field("its order", &text, role);
    }
    sheet.field("reason", letter.reason.code(), Role::Warn);
    sheet.text("last error", &letter.last_error);
    sheet.text("", &letter.last_at.to_string());
    let first = if letter.first_error == letter.last_error { "the same" } else { &letter.first_error };
    sheet.text("first error", first);
    sheet.text("", &letter.first_at.to_string());
    sheet.text("sent", &times(letter.posts));
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

fn state(model: &Model, letter: &DeadLetter) -> (String, Role) {
    let (retry, drop) = (model.keymap.hint(Action::Retry), model.keymap.hint(Action::Drop));
    match &letter.state {
        DeadLetterState::Waiting if letter.reason.is_retryable() => {
            (format!("waiting: {retry} retries it, {drop} drops it"), Role::Warn)
        }
        DeadLetterState::Waiting => (format!("waiting: it can never be executed; {drop} drops it"), Role::Warn),
        DeadLetterState::Retried { attempt, by, at } => {
            (format!("retried as attempt {attempt} by {by} at {at}"), Role::Good)
        }
        DeadLetterState::Dropped { by, why, at } => (format!("dropped by {by} at {at}: {why}"), Role::Dim),
    }
}

/// How far what was asked here is, while the letter's own state does not tell it.
fn asked(model: &Model, ask: &LetterAsk) -> Option<(String, Role)> {
    let name = ask.remedy.name();
    let ago = |at: Timestamp| format::age(model.now.since(at));
    Some(match &ask.flow {
        Flow::Sending { since } => (format!("{name}: sending, {}", ago(*since)), Role::Warn),
        Flow::Waiting { since, late: true, .. } => {
            (format!("{name}: NO ANSWER for {}: is Hermes up? A late answer still counts", ago(*since)), Role::Bad)
        }
        Flow::Waiting { since, accepted_by: Some(by), .. } => {
            (format!("{name}: accepted by {by}, {}", ago(*since)), Role::Warn)
        }
        Flow::Waiting { since, .. } => (format!("{name}: waiting for an answer, {}", ago(*since)), Role::Warn),
        Flow::Denied(reasons) => (format!("{name}: REFUSED: {}", reasons.join("; ")), Role::Bad),
        Flow::Failed(error) => (format!("{name}: NOT DELIVERED: {error}"), Role::Bad),
        Flow::Idle | Flow::Applied => return None,
    })
}

/// The order that a retry has made.
fn retried<'a>(model: &'a Model, letter: &DeadLetter) -> Option<&'a Order> {
    let DeadLetterState::Retried { attempt, .. } = &letter.state else { return None };
    let id = RowId::Order(letter.intent.clone()?, *attempt);
    model.desk.orders.find(&id).map(|row| &row.item)
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
