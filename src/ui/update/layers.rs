//! Keys on what lies over the screen. The top layer takes a key or lets it through.

use crate::ui::effect::Effect;
use crate::ui::keymap::{Action, Chord};
use crate::ui::model::Model;
use crate::ui::model::control::ARM_WORD;
use crate::ui::model::overlay::{Input, Overlay};
use crate::ui::update::{actions, control};

/// What became of a key.
pub(super) enum Handled {
    /// Not for this layer.
    Ignored,
    /// Taken.
    Consumed(Vec<Effect>),
}

const DONE: Handled = Handled::Consumed(Vec::new());

/// Offers a key to the top layer.
pub(super) fn key(model: &mut Model, chord: Chord, action: Option<Action>) -> Handled {
    let Some(top) = model.overlays.top() else { return Handled::Ignored };
    if top.takes_text() {
        return text_key(model, chord, action);
    }
    match action {
        Some(Action::Quit) if chord.typed().is_some() => {
            model.overlays.close();
            DONE
        }
        Some(
            Action::Kill
            | Action::Arm
            | Action::Close
            | Action::Help
            | Action::Palette
            | Action::Messages
            | Action::Redraw
            | Action::Suspend
            | Action::Quit,
        ) => Handled::Ignored,
        Some(Action::Filter) => {
            if let Some(Overlay::Help { typing, .. }) = model.overlays.top_mut() {
                *typing = true;
            }
            DONE
        }
        Some(action) => {
            scroll(model, action);
            DONE
        }
        None => DONE,
    }
}

/// In an input, what types a character types it; only keys that type nothing keep their meaning. Enter and Esc have theirs
/// whatever the keymap says: there must be a way on and a way out.
fn text_key(model: &mut Model, chord: Chord, action: Option<Action>) -> Handled {
    if let Some(character) = chord.typed() {
        edit(model, |input| input.push(character));
        return DONE;
    }
    if chord.is_backspace() {
        edit(model, Input::pop);
        return DONE;
    }
    if chord.is_erase() {
        edit(model, Input::clear);
        return DONE;
    }
    if chord.is_enter() {
        return Handled::Consumed(enter(model));
    }
    if chord.is_escape() {
        leave(model);
        return DONE;
    }
    match action {
        Some(Action::Up) => move_choice(model, false),
        Some(Action::Down) => move_choice(model, true),
        Some(Action::Open) => return Handled::Consumed(enter(model)),
        Some(Action::Close) => leave(model),
        Some(Action::Quit | Action::Suspend | Action::Redraw) => return Handled::Ignored,
        _ => {}
    }
    DONE
}

/// Changes what was typed; what was chosen of the matches begins anew.
pub(super) fn edit(model: &mut Model, change: impl FnOnce(&mut Input)) {
    match model.overlays.top_mut() {
        Some(Overlay::Palette { input, selected }) => {
            change(input);
            *selected = 0;
        }
        Some(Overlay::Help { filter, scroll, .. }) => {
            change(filter);
            *scroll = 0;
        }
        Some(Overlay::Arm { input }) => change(input),
        Some(Overlay::Detail { .. } | Overlay::Messages { .. }) | None => {}
    }
}

fn move_choice(model: &mut Model, down: bool) {
    match model.overlays.top_mut() {
        Some(Overlay::Palette { input, selected }) => {
            let last = Action::matching(input.text()).len().saturating_sub(1);
            *selected = if down { (*selected + 1).min(last) } else { selected.saturating_sub(1) };
        }
        Some(Overlay::Help { scroll, .. }) => {
            *scroll = if down { scroll.saturating_add(1) } else { scroll.saturating_sub(1) };
        }
        _ => {}
    }
}

/// Esc in a search of the help ends the search; elsewhere it closes the layer.
fn leave(model: &mut Model) {
    if let Some(Overlay::Help { typing, filter, .. }) = model.overlays.top_mut() {
        *typing = false;
        filter.clear();
    } else {
        model.overlays.close();
    }
}

fn enter(model: &mut Model) -> Vec<Effect> {
    match model.overlays.top_mut() {
        Some(Overlay::Palette { input, selected }) => {
            let chosen = Action::matching(input.text()).get(*selected).copied();
            let Some(action) = chosen else { return Vec::new() };
            model.overlays.close();
            actions::run(model, action)
        }
        Some(Overlay::Help { typing, .. }) => {
            *typing = false;
            Vec::new()
        }
        Some(Overlay::Arm { input }) if input.text() == ARM_WORD => {
            input.clear();
            control::arm(model)
        }
        _ => Vec::new(),
    }
}

/// Lines are clamped to what there is after every update.
fn scroll(model: &mut Model, action: Action) {
    let page = usize::from(model.size.1 / 2).max(1);
    let Some(Overlay::Help { scroll, .. } | Overlay::Detail { scroll, .. } | Overlay::Messages { scroll }) =
        model.overlays.top_mut()
    else {
        return;
    };
    *scroll = match action {
        Action::Down => scroll.saturating_add(1),
        Action::Up => scroll.saturating_sub(1),
        Action::PageDown => scroll.saturating_add(page),
        Action::PageUp => scroll.saturating_sub(page),
        Action::Top => 0,
        Action::Bottom => usize::MAX,
        _ => *scroll,
    };
}
