//! What a person does about a dead letter: tries it again or gives it up. Both are asked twice and done by Hermes.

use crate::domain::{Action, DeadLetter, DeadLetterState, Timestamp};
use crate::ui::effect::Effect;
use crate::ui::model::Model;
use crate::ui::model::flow::Flow;
use crate::ui::model::letters::{LetterAsk, Remedy};
use crate::ui::model::notices::Notices;
use crate::ui::model::overlay::{Input, Overlay};
use crate::ui::model::panes::{Pane, RowId};

/// Asks whether the letter in front of the reader is meant, unless nothing could come of it.
pub(super) fn begin(model: &mut Model, remedy: Remedy) {
    let now = model.now;
    let Some(letter) = in_front(model) else {
        let text = format!(
            "{} is for a dead letter; {} shows them",
            remedy.name(),
            model.keymap.hint(crate::ui::keymap::Action::Dlq)
        );
        model.notices.reply(&text, now);
        return;
    };
    if let Err(why) = possible(model, letter, remedy) {
        model.notices.reply(&why, now);
        return;
    }
    let letter = letter.id.clone();
    model.overlays.open(match remedy {
        Remedy::Retry => Overlay::Retry { letter },
        Remedy::Drop => Overlay::Drop { letter, input: Input::default() },
    });
}

/// The letter that is open, else the selected one.
fn in_front(model: &Model) -> Option<&DeadLetter> {
    let row = match model.overlays.top() {
        Some(Overlay::Detail { row, .. }) => row.clone(),
        None if model.panes.focus() == Pane::Letters => {
            let selected = model.panes.selection(Pane::Letters).id.clone();
            selected.or_else(|| model.row_at(Pane::Letters, 0))?
        }
        Some(_) | None => return None,
    };
    model.desk.letters.rows().find(&row).map(|row| &row.item.letter)
}

fn possible(model: &Model, letter: &DeadLetter, remedy: Remedy) -> Result<(), String> {
    if model.desk.letters.asked(&letter.id).is_some_and(|ask| ask.flow.is_out()) {
        return Err("asked already, and not answered yet".to_owned());
    }
    match &letter.state {
        DeadLetterState::Retried { by, .. } => return Err(format!("{by} has had it tried again")),
        DeadLetterState::Dropped { by, .. } => return Err(format!("{by} has dropped it")),
        DeadLetterState::Waiting => {}
    }
    match remedy {
        Remedy::Retry if !letter.reason.is_retryable() => {
            Err(format!("'{}' can never be executed; it can only be dropped", letter.reason))
        }
        Remedy::Retry if model.kill.is_some() => Err("a kill is under way".to_owned()),
        Remedy::Retry | Remedy::Drop => Ok(()),
    }
}

/// The reader has confirmed. What has changed since the question was asked counts.
pub(super) fn confirm(model: &mut Model, id: &str, remedy: Remedy, why: &str) -> Vec<Effect> {
    let now = model.now;
    let Some(letter) = model.desk.letters.rows().find(&RowId::Letter(id.to_owned())).map(|row| &row.item.letter) else {
        model.notices.bad(&format!("{} of {id} not sent: it is no longer kept here", remedy.name()), now);
        return Vec::new();
    };
    if let Err(reason) = possible(model, letter, remedy) {
        model.notices.bad(&format!("{} of {id} not sent: {reason}", remedy.name()), now);
        return Vec::new();
    }
    model.desk.letters.ask(id, remedy, now);
    vec![Effect::Command(match remedy {
        Remedy::Retry => Action::DlqRetry { id: id.to_owned() },
        Remedy::Drop => Action::DlqDrop { id: id.to_owned(), why: why.to_owned() },
    })]
}

/// Hermes answered.
pub(super) fn answered(model: &mut Model, ask: &LetterAsk, by: &str) {
    let now = model.now;
    match &ask.flow {
        Flow::Denied(reasons) => {
            model.notices.bad(&format!("{ask} refused by {by}: {}", reasons.join("; ")), now);
        }
        Flow::Applied => model.notices.reply(&format!("{ask}: {by} confirms"), now),
        Flow::Idle | Flow::Sending { .. } | Flow::Waiting { .. } | Flow::Failed(_) => {}
    }
}

/// A letter appeared, or something was done about one.
pub(super) fn news(notices: &mut Notices, letter: &DeadLetter, now: Timestamp) {
    let id = &letter.id;
    match &letter.state {
        DeadLetterState::Waiting => {
            notices.bad(&format!("dead letter ({}): {}", letter.reason, letter.last_error), now);
        }
        DeadLetterState::Retried { attempt, by, .. } => {
            notices.info(&format!("dead letter {id} is attempt {attempt} now, asked by {by}"), now);
        }
        DeadLetterState::Dropped { by, why, .. } => {
            notices.info(&format!("dead letter {id} dropped by {by}: {why}"), now);
        }
    }
}

#[cfg(test)]
mod tests;
