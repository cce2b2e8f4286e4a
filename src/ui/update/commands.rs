//! Commands to the desk, whatever they ask: on the bus or not, answered, or not answered in time.

use crate::domain::{Ack, AckVerdict, Action};
use crate::ui::effect::Effect;
use crate::ui::format;
use crate::ui::model::Model;
use crate::ui::model::flow::Flow;
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
    if let Some(place) = model.arms_before.iter().position(|id| *id == ack.id) {
        if ack.verdict != AckVerdict::Accepted {
            model.arms_before.remove(place);
        }
        return control::earlier_arm_answered(model, &ack.verdict, &by);
    }
    match model.desk.letters.answer(&ack) {
        Some(ask) => letters::answered(model, &ask, &by),
        None => model.keep_ack(ack),
    }
    Vec::new()
}

/// A second has passed: an answer that is late, or that cannot come any more, is reported, once.
pub(super) fn second(model: &mut Model) {
    let mut late: Vec<String> = Vec::new();
    late.extend(model.arm.expire(model.now).map(|news| format!("arming: {news}")));
    late.extend(model.desk.letters.expire(model.now).iter().map(|(ask, news)| format!("{ask}: {news}")));
    for text in late {
        model.notices.bad(&text, model.now);
    }
}
