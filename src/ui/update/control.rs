//! Stopping and arming.

use crate::domain::{Ack, AckVerdict};
use crate::ui::effect::Effect;
use crate::ui::model::Model;
use crate::ui::model::control::{ArmFlow, KillRequest};
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
        ArmFlow::Waiting { id, late: true, .. } => Some(id.clone()),
        arm if arm.is_out() => return Vec::new(),
        _ => None,
    };
    if let Some(id) = late {
        model.keep_arm(id);
    }
    if model.kill.is_some() {
        model.arm = ArmFlow::Failed("a kill is under way; wait until it is confirmed".to_owned());
        return Vec::new();
    }
    model.arm_overruled = false;
    model.arm = ArmFlow::Sending { since: model.now };
    vec![Effect::Arm { why: ARM_WHY.to_owned() }]
}

/// The command to arm is on the bus, or is not.
pub(super) fn arm_sent(model: &mut Model, outcome: Result<String, String>) -> Vec<Effect> {
    match outcome {
        Ok(id) => {
            let ack = model.acks.iter().filter(|ack| ack.id == id).cloned().collect::<Vec<_>>();
            model.arm = ArmFlow::Waiting { id, since: model.now, accepted_by: None, late: false };
            ack.into_iter().flat_map(|ack| self::ack(model, ack)).collect()
        }
        Err(error) => {
            let error = crate::ui::format::clean(&error);
            model.notices.bad(&format!("arming not delivered: {error}"), model.now);
            model.arm = ArmFlow::Failed(error);
            Vec::new()
        }
    }
}

/// A daemon answered a command, ours or somebody else's.
pub(super) fn ack(model: &mut Model, ack: Ack) -> Vec<Effect> {
    let now = model.now;
    let before = model.arms_before.iter().position(|id| *id == ack.id);
    if let Some(place) = before.filter(|_| ack.verdict != AckVerdict::Accepted) {
        model.arms_before.remove(place);
    }
    let is_ours = model.arm.answer(&ack) || before.is_some();
    if !is_ours {
        model.keep_ack(ack);
        return Vec::new();
    }
    let by = crate::ui::format::clean(&ack.by);
    if ack.verdict == AckVerdict::Applied && model.arm_overruled {
        model.arm_overruled = false;
        model.notices.bad("the arming took effect after the kill: killing again", now);
        return kill(model);
    }
    if before.is_some() {
        if ack.verdict == AckVerdict::Applied {
            model.notices.info(&format!("armed: {by} confirms an earlier command"), now);
        }
        return Vec::new();
    }
    match &model.arm {
        ArmFlow::Applied => {
            model.notices.info(&format!("armed: {by} confirms"), now);
            model.overlays.close_arm();
        }
        ArmFlow::Denied(reasons) => {
            let text = format!("arming refused by {by}: {}", reasons.join("; "));
            model.notices.bad(&text, now);
        }
        ArmFlow::Idle | ArmFlow::Sending { .. } | ArmFlow::Waiting { .. } | ArmFlow::Failed(_) => {}
    }
    Vec::new()
}

/// A second has passed: a kill that is not in force is tried again, a late answer is reported.
pub(super) fn second(model: &mut Model) -> Vec<Effect> {
    let now = model.now;
    if let Some(news) = model.arm.expire(now) {
        model.notices.bad(&format!("arming: {news}"), now);
    }
    match &mut model.kill {
        Some(request) if request.due(now) => {
            request.again(now);
            vec![Effect::Kill { why: KILL_WHY.to_owned() }]
        }
        _ => Vec::new(),
    }
}
