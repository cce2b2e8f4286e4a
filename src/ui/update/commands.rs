//! Commands to the desk, whatever they ask: on the bus or not, answered, or not answered in time.

use crate::domain::{Ack, Action};
use crate::ui::effect::Effect;
use crate::ui::format;
use crate::ui::model::Model;
use crate::ui::model::flow::{ANSWER_WITHIN, Flow};
use crate::ui::update::{control, letters};

/// A command is on the bus, or is not. Its answer may have come before its id was known.
pub(super) fn sent(model: &mut Model, action: &Action, outcome: Result<String, String>) -> Vec<Effect> {
    let early: Vec<Ack> =
        model.acks.iter().filter(|ack| outcome.as_ref().is_ok_and(|id| ack.id == *id)).cloned().collect();
    let flow = Flow::sent(outcome, model.now);
    let what = match action {
        Action::Arm { .. } => "arming".to_owned(),
        Action::DlqRetry { id } => format!("retry of {id}"),
        Action::DlqDrop { id, .. } => format!("drop of {id}"),
        Action::Kill { .. } | Action::SetParams { .. } | Action::RollbackParams { .. } => return Vec::new(),
    };
    if let Flow::Failed(error) = &flow {
        model.notices.bad(&format!("{what} not delivered: {error}"), model.now);
    }
    match action {
        Action::DlqRetry { id } | Action::DlqDrop { id, .. } => model.desk.letters.progress(id, flow),
        _ => model.arm = flow,
    }
    early.into_iter().flat_map(|ack| answered(model, ack)).collect()
}

/// A daemon answered a command, ours or somebody else's.
pub(super) fn answered(model: &mut Model, ack: Ack) -> Vec<Effect> {
    let by = format::clean(&ack.by);
    if model.arm.answer(&ack) {
        return control::arm_answered(model, &by);
    }
    match model.desk.letters.answer(&ack) {
        Some(ask) => letters::answered(model, &ask, &by),
        None => model.keep_ack(ack),
    }
    Vec::new()
}

/// A second has passed: an answer that is late is reported, once.
pub(super) fn second(model: &mut Model) {
    let mut late: Vec<String> = Vec::new();
    if model.arm.expire(model.now) {
        late.push("arming".to_owned());
    }
    late.extend(model.desk.letters.expire(model.now).iter().map(ToString::to_string));
    for what in late {
        let text = format!("{what}: no answer in {} s; is Hermes up?", ANSWER_WITHIN.as_secs());
        model.notices.bad(&text, model.now);
    }
}
