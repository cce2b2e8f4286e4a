//! Stopping and arming.

use crate::domain::{AckVerdict, Action};
use crate::ui::effect::Effect;
use crate::ui::model::Model;
use crate::ui::model::control::KillRequest;
use crate::ui::model::flow::Flow;
use crate::ui::msg::Delivered;

const KILL_WHY: &str = "kill key";
const ARM_WHY: &str = "armed from the cockpit";

/// The kill was asked for: at once, whatever else is going on.
pub(super) fn kill(model: &mut Model) -> Vec<Effect> {
    if model.arm.is_out() || !model.arms_before.is_empty() {
        model.arm_overruled = true;
    }
    if let Some(crate::ui::model::overlay::Overlay::Arm { input }) = model.overlays.top_mut() {
        input.clear();
    }
    match &mut model.kill {
        Some(request) if request.busy(model.now) => return Vec::new(),
        Some(request) => request.again(model.now),
        None => model.kill = Some(KillRequest::new(model.desk.epoch(), model.now)),
    }
    model.notices.info("KILL requested", model.now);
    vec![Effect::Kill { why: KILL_WHY.to_owned() }]
}

/// An attempt to kill has ended. When the kill is confirmed already, how it got there is history.
pub(super) fn kill_sent(model: &mut Model, outcome: Result<Delivered, String>) -> Vec<Effect> {
    let now = model.now;
    if let Ok(Delivered::Bus(latch)) = &outcome {
        model.desk.latch = Some(latch.clone());
    }
    let Some(request) = &mut model.kill else { return Vec::new() };
    request.in_flight = false;
    match outcome {
        Ok(delivered) => {
            request.delivered_at = Some(now);
            request.is_past_bus = delivered == Delivered::Beside;
            request.error = None;
            let told = if request.is_past_bus {
                "Hermes has the KILL, past the bus; waiting for his report"
            } else {
                "KILL is on the bus; waiting for Hermes"
            };
            model.notices.info(told, now);
        }
        Err(error) => {
            let error = crate::ui::format::clean(&error);
            model.notices.bad(&format!("kill not delivered over the bus: {error}; use `cockpit kill`"), now);
            request.delivered_at = None;
            request.error = Some(error);
        }
    }
    confirm(model);
    Vec::new()
}

/// Drops the request once the desk's report shows that it is in force.
pub(super) fn confirm(model: &mut Model) {
    let Some(request) = &model.kill else { return };
    if model.desk.kill.as_ref().is_some_and(|report| request.confirmed_by(report)) {
        model.kill = None;
        // The kill block tells the state from here on; an earlier failure to deliver is history.
        model.notices.dismiss();
        model.notices.info("KILLED: Hermes confirms; nothing trades", model.now);
    }
}

/// The arming word was typed. One command at a time, but one whose answer is late does not stand in the way.
pub(super) fn arm(model: &mut Model) -> Vec<Effect> {
    let late = match &model.arm {
        Flow::Waiting { id, late: true, .. } => Some(id.clone()),
        arm if arm.is_out() => return Vec::new(),
        _ => None,
    };
    if let Some(id) = late {
        model.keep_arm(id);
    }
    if model.kill.is_some() {
        model.arm = Flow::Failed("a kill is under way; wait until it is confirmed".to_owned());
        return Vec::new();
    }
    model.arm_overruled = false;
    model.arm = Flow::Sending { since: model.now };
    vec![Effect::Command(Action::Arm { why: ARM_WHY.to_owned() })]
}

/// Hermes answered the arming.
pub(super) fn arm_answered(model: &mut Model, by: &str) -> Vec<Effect> {
    let now = model.now;
    match &model.arm {
        Flow::Applied if model.arm_overruled => return kill_again(model),
        Flow::Applied => {
            model.notices.info(&format!("armed: {by} confirms"), now);
            model.overlays.close_arm();
        }
        Flow::Denied(reasons) => {
            let text = format!("arming refused by {by}: {}", reasons.join("; "));
            model.notices.bad(&text, now);
        }
        Flow::Idle | Flow::Sending { .. } | Flow::Waiting { .. } | Flow::Failed(_) => {}
    }
    Vec::new()
}

/// An arming that was asked for again before it was answered is answered after all.
pub(super) fn earlier_arm_answered(model: &mut Model, verdict: &AckVerdict, by: &str) -> Vec<Effect> {
    if *verdict == AckVerdict::Applied {
        if model.arm_overruled {
            return kill_again(model);
        }
        model.notices.info(&format!("armed: {by} confirms an earlier command"), model.now);
    }
    Vec::new()
}

fn kill_again(model: &mut Model) -> Vec<Effect> {
    model.arm_overruled = false;
    model.notices.bad("the arming took effect after the kill: killing again", model.now);
    kill(model)
}

/// A second has passed: a kill that is not in force is tried again.
pub(super) fn second(model: &mut Model) -> Vec<Effect> {
    let now = model.now;
    match &mut model.kill {
        Some(request) if request.due(now) => {
            request.again(now);
            vec![Effect::Kill { why: KILL_WHY.to_owned() }]
        }
        _ => Vec::new(),
    }
}
