//! A signal, denial or skip, and why.

use super::{Sheet, cause};
use crate::domain::{OrderIntent, Skip};
use crate::ui::model::Model;
use crate::ui::model::cells::SignalItem;
use crate::ui::model::decisions::Decision;
use crate::ui::model::panes::Verdict;
use crate::ui::theme::Role;

/// Writes a decision down.
pub(super) fn describe(model: &Model, decision: &Decision, sheet: &mut Sheet) {
    match decision {
        Decision::Wish(item) => wish(model, item, sheet),
        Decision::Skip(skip) => skipped(skip, sheet),
    }
}

/// Why an intent was wanted, and what Athena's gate measured; said to be lost when the signal is no longer kept.
pub(super) fn behind(model: &Model, intent: &OrderIntent, sheet: &mut Sheet) {
    let Some(item) = model.desk.signal_of(intent) else {
        sheet.line("the signal behind it is no longer kept here", Role::Dim);
        return;
    };
    if let Some(why) = &item.rationale {
        cause::rationale(&intent.strategy, why, sheet);
    }
    cause::checks("Checks at approval", &item.checks, sheet);
}

fn wish(model: &Model, item: &SignalItem, sheet: &mut Sheet) {
    let intent = &item.intent;
    let (text, role, said) = match item.verdict {
        Verdict::Emitted if item.doubt.is_some() => {
            ("approved; whether Hermes was given it is not known", Role::Warn, "in doubt")
        }
        Verdict::Emitted => ("approved and sent to Hermes", Role::Good, "on the stream"),
        Verdict::DeniedByAthena => ("DENIED by Athena's gate, before the signal", Role::Warn, "denied"),
        Verdict::DeniedByHermes => ("DENIED by Hermes' gate, before the order", Role::Warn, "denied"),
    };
    sheet.field("verdict", text, role);
    if item.verdict == Verdict::Emitted {
        refused(model, intent, sheet);
    }
    if let Some(doubt) = &item.doubt {
        sheet.text("in doubt", doubt);
    }
    if let Some(denial) = &item.denial {
        sheet.field("control", &denial.control.to_string(), Role::Warn);
        sheet.field("measured", &denial.value, Role::Warn);
        sheet.text("limit", &denial.limit);
    }
    cause::intent(intent, sheet);
    match (item.verdict, &item.rationale) {
        (Verdict::Emitted, Some(why)) => {
            cause::rationale(&intent.strategy, why, sheet);
            cause::checks("Checks at approval", &item.checks, sheet);
        }
        (_, Some(why)) => {
            cause::checks("Checks at denial", &item.checks, sheet);
            cause::rationale(&intent.strategy, why, sheet);
        }
        (_, None) => {
            cause::checks("Checks at denial", &item.checks, sheet);
            behind(model, intent, sheet);
        }
    }
    sheet.heading("Times");
    let first = intent.tick_received_at;
    sheet.time("tick received", Some(first), first);
    sheet.time("decided", Some(intent.created_at), first);
    sheet.time(said, Some(item.at), first);
    sheet.time("deadline", Some(intent.deadline), first);
    sheet.time("rests until", Some(intent.rest_until), first);
}

/// What Hermes did instead of sending it, if anything.
fn refused(model: &Model, intent: &OrderIntent, sheet: &mut Sheet) {
    if let Some(denial) = model.desk.denial_of(intent) {
        sheet.field("since then", "DENIED by Hermes", Role::Warn);
        sheet.field("control", &denial.control.to_string(), Role::Warn);
        sheet.field("measured", &denial.value, Role::Warn);
        sheet.text("limit", &denial.limit);
    } else if let Some(letter) = model.desk.letters.of(intent) {
        let text = format!("given up by Hermes: {}: {}", letter.reason, letter.last_error);
        sheet.field("since then", &text, Role::Warn);
    }
}

fn skipped(skip: &Skip, sheet: &mut Sheet) {
    sheet.field("verdict", "skipped: the price moved as the strategy waits for, and it did not wish", Role::Dim);
    sheet.field("reason", &skip.reason, Role::Warn);
    sheet.text("note", &skip.note);
    let untold = match skip.untold {
        0 => "none since the last that was told".to_owned(),
        1 => "1 crossing was skipped since the last that was told".to_owned(),
        more => format!("{more} crossings were skipped since the last that was told"),
    };
    sheet.text("not told", &untold);
    sheet.text("strategy", skip.strategy.as_str());
    cause::parameters(&skip.strategy, skip.params, sheet);
    sheet.text("watched", skip.source.as_str());
    sheet.text("market", skip.slug.as_ref().map_or("none was open", |slug| slug.as_str()));
    sheet.text("skip id", skip.id.as_str());
    cause::inputs(&skip.inputs, sheet);
    sheet.heading("Times");
    sheet.time("at the venue", Some(skip.event_at), skip.event_at);
    sheet.time("tick received", Some(skip.received_at), skip.event_at);
    sheet.time("decided", Some(skip.at), skip.event_at);
}
