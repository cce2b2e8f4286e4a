//! Actions on the screen itself.

use std::time::Duration;

use crate::domain::Mode;
use crate::ui::effect::Effect;
use crate::ui::keymap::Action;
use crate::ui::layout::{self, Layout};
use crate::ui::model::Model;
use crate::ui::model::flow::Flow;
use crate::ui::model::letters::Remedy;
use crate::ui::model::overlay::{Input, Overlay};
use crate::ui::model::panes::Pane;
use crate::ui::model::screens::Screen;
use crate::ui::update::{control, letters, settle};

/// Leaving real or paper money must be asked for twice within this time.
const QUIT_AGAIN_WITHIN: Duration = Duration::from_secs(3);

/// Does what was asked for, by key or by name.
pub(super) fn run(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::Kill => return control::kill(model),
        Action::Arm => {
            if !model.arm.is_out() {
                model.arm = Flow::Idle;
            }
            model.overlays.open(Overlay::Arm { input: Input::default() });
        }
        Action::Overview => model.panes.show(Screen::Overview),
        Action::Risk => model.panes.show(Screen::Risk),
        Action::Dlq => model.panes.show(Screen::Dlq),
        Action::System => model.panes.show(Screen::System),
        Action::Open => open(model),
        Action::Close => close(model),
        Action::Retry => letters::begin(model, Remedy::Retry),
        Action::Drop => letters::begin(model, Remedy::Drop),
        Action::Skips => skips(model),
        Action::NextPane => model.panes.cycle(true),
        Action::PrevPane => model.panes.cycle(false),
        Action::Left => beside(model, false),
        Action::Right => beside(model, true),
        Action::Down => select(model, model.panes.focus(), Move::By(1)),
        Action::Up => select(model, model.panes.focus(), Move::By(-1)),
        Action::PageDown => page(model, 1),
        Action::PageUp => page(model, -1),
        Action::Top => select(model, model.panes.focus(), Move::To(0)),
        Action::Bottom => select(model, model.panes.focus(), Move::To(usize::MAX)),
        Action::Zoom => model.panes.zoomed = !model.panes.zoomed,
        Action::Help => {
            model.overlays.open(Overlay::Help { scroll: 0, filter: Input::default(), typing: false });
        }
        Action::Palette => model.overlays.open(Overlay::Palette { input: Input::default(), selected: 0 }),
        Action::Filter => model.notices.reply("nothing to search here; ? then / searches the keys", model.now),
        Action::Messages => model.overlays.open(Overlay::Messages { scroll: 0 }),
        Action::Redraw => return vec![Effect::Redraw],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Quit => return quit(model),
    }
    Vec::new()
}

fn skips(model: &mut Model) {
    let text = if model.desk.decisions.toggle_skips() { "skips are hidden" } else { "skips are shown" };
    model.notices.reply(text, model.now);
}

/// Where a selection goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Move {
    /// By rows.
    By(isize),
    /// To a row, at most the last.
    To(usize),
}

/// Moves the selection of a panel.
pub(super) fn select(model: &mut Model, pane: Pane, to: Move) {
    let rows = model.rows(pane);
    let Some(last) = rows.checked_sub(1) else { return };
    let selection = model.panes.selection(pane);
    let index = match (to, &selection.id) {
        (Move::To(index), _) => index,
        (Move::By(step), Some(_)) => selection.index.saturating_add_signed(step),
        (Move::By(_), None) => 0,
    };
    let index = index.min(last);
    let id = model.row_at(pane, index);
    let selection = model.panes.selection_mut(pane);
    selection.id = id;
    selection.index = index;
}

fn page(model: &mut Model, direction: isize) {
    let pane = model.panes.focus();
    let rows = settle::layout(model).pane(pane).map_or(1, layout::data_rows).max(1);
    select(model, pane, Move::By(direction * isize::try_from(rows).unwrap_or(1)));
}

fn beside(model: &mut Model, right: bool) {
    let layout: Layout = settle::layout(model);
    match layout.beside(model.panes.focus(), right) {
        Some(pane) => model.panes.set_focus(pane),
        None if layout.panes.len() == 1 => model.panes.cycle(right),
        None => {}
    }
}

fn open(model: &mut Model) {
    let pane = model.panes.focus();
    let chosen = model.panes.selection(pane).id.clone().or_else(|| model.row_at(pane, 0));
    if let Some(row) = chosen {
        model.overlays.open(Overlay::Detail { row, scroll: 0 });
    }
}

/// Exactly one thing is closed: a layer, else the message, else the selection, else the zoom.
fn close(model: &mut Model) {
    if model.overlays.close() || model.notices.dismiss() {
        return;
    }
    let selection = model.panes.selection_mut(model.panes.focus());
    if selection.id.take().is_some() {
        return;
    }
    model.panes.zoomed = false;
}

fn quit(model: &mut Model) -> Vec<Effect> {
    let undelivered = model.kill.as_ref().is_some_and(|request| request.delivered_at.is_none());
    let asked = model.quit_asked_at.is_some_and(|at| model.now.since(at) <= QUIT_AGAIN_WITHIN);
    if asked || (model.mode() == Mode::Sim && !undelivered) {
        return vec![Effect::Quit];
    }
    model.quit_asked_at = Some(model.now);
    let why = if undelivered {
        "the kill has not reached the bus yet; ask again to leave all the same".to_owned()
    } else {
        format!("ask again to leave; the desk at {} goes on", model.place)
    };
    model.notices.reply(&why, model.now);
    Vec::new()
}
