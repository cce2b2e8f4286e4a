//! `update(model, msg, now) -> effects`: the only way the model changes. No clock, no I/O.

mod actions;
mod commands;
mod control;
mod feed;
mod layers;
mod letters;
mod mouse;
mod settle;

use crossterm::event::KeyEvent;

pub(crate) use mouse::is_used;

use crate::domain::Timestamp;
use crate::ui::effect::Effect;
use crate::ui::format;
use crate::ui::keymap::{Action, Chord};
use crate::ui::model::Model;
use crate::ui::model::overlay::Overlay;
use crate::ui::msg::Msg;
use crate::ui::settings::EMBEDDED;

/// Folds one message into the model and says what is to be done outside.
pub(crate) fn update(model: &mut Model, msg: Msg, now: Timestamp) -> Vec<Effect> {
    model.now = now;
    let effects = match msg {
        Msg::Key(event) => key(model, event),
        Msg::Mouse(event) => {
            mouse::mouse(model, event);
            Vec::new()
        }
        Msg::Paste(text) => {
            paste(model, &text);
            Vec::new()
        }
        Msg::Resize(width, height) => {
            model.size = (width, height);
            Vec::new()
        }
        Msg::Second => second(model),
        Msg::SuspendAsked => vec![Effect::Suspend],
        Msg::Continued => vec![Effect::Redraw],
        Msg::Slept(time) => {
            if model.place == EMBEDDED {
                let time = format::age(time);
                model
                    .notices
                    .bad(&format!("the desk stood still for {time}, with the cockpit: orders rested unattended"), now);
            }
            Vec::new()
        }
        Msg::SuspendRefused(why) => {
            model.notices.info(&why, now);
            Vec::new()
        }
        Msg::SlowTerminal(slow) => {
            model.slow_terminal = slow;
            Vec::new()
        }
        Msg::KillSent(outcome) => control::kill_sent(model, outcome),
        Msg::CommandSent { action, outcome } => commands::sent(model, &action, outcome),
        Msg::Feed(feed) => feed::feed(model, *feed),
    };
    settle::settle(model);
    effects
}

/// The kill comes first: before layers, before inputs. Then the top layer, then the screen.
fn key(model: &mut Model, event: KeyEvent) -> Vec<Effect> {
    let Some(chord) = Chord::of(event) else { return Vec::new() };
    let action = model.keymap.action(chord);
    if action == Some(Action::Kill) {
        return control::kill(model);
    }
    match layers::key(model, chord, action) {
        layers::Handled::Consumed(effects) => effects,
        layers::Handled::Ignored => action.map_or_else(Vec::new, |action| actions::run(model, action)),
    }
}

/// Pasted text goes into a search or a reason and nowhere else: it never runs anything, and the arming word must be typed.
fn paste(model: &mut Model, text: &str) {
    let now = model.now;
    match model.overlays.top_mut() {
        Some(Overlay::Palette { .. } | Overlay::Help { typing: true, .. } | Overlay::Drop { .. }) => {
            layers::edit(model, |input| text.chars().for_each(|character| input.push(character)));
        }
        Some(Overlay::Arm { .. }) => model.notices.reply("pasted text ignored: the word must be typed", now),
        Some(_) | None => model.notices.reply("pasted text ignored", now),
    }
}

fn second(model: &mut Model) -> Vec<Effect> {
    model.notices.expire(model.now);
    model.desk.second();
    commands::second(model);
    control::second(model)
}

#[cfg(test)]
mod tests;
