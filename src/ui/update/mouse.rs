//! The mouse: a click chooses, the wheel scrolls. Nothing that trades or stops trading hangs on it.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use crate::ui::layout;
use crate::ui::model::Model;
use crate::ui::model::overlay::Overlay;
use crate::ui::update::actions::{Move, select};
use crate::ui::update::settle;

/// Rows that one notch of the wheel moves.
const NOTCH: usize = 3;

/// Whether anything can come of such an event.
pub(crate) const fn is_used(kind: MouseEventKind) -> bool {
    matches!(kind, MouseEventKind::Down(MouseButton::Left) | MouseEventKind::ScrollDown | MouseEventKind::ScrollUp)
}

/// Folds a mouse event in.
pub(super) fn mouse(model: &mut Model, event: MouseEvent) {
    let down = match event.kind {
        MouseEventKind::Down(MouseButton::Left) => return click(model, event.column, event.row),
        MouseEventKind::ScrollDown => true,
        MouseEventKind::ScrollUp => false,
        MouseEventKind::Down(_)
        | MouseEventKind::Up(_)
        | MouseEventKind::Drag(_)
        | MouseEventKind::Moved
        | MouseEventKind::ScrollLeft
        | MouseEventKind::ScrollRight => return,
    };
    match model.overlays.top_mut() {
        Some(Overlay::Help { scroll, .. } | Overlay::Detail { scroll, .. } | Overlay::Messages { scroll }) => {
            *scroll = if down { scroll.saturating_add(NOTCH) } else { scroll.saturating_sub(NOTCH) };
        }
        Some(Overlay::Palette { .. } | Overlay::Arm { .. } | Overlay::Retry { .. } | Overlay::Drop { .. }) => {}
        None => {
            if let Some((pane, _)) = settle::layout(model).at(event.column, event.row) {
                let step = isize::try_from(NOTCH).unwrap_or(1);
                select(model, pane, Move::By(if down { step } else { -step }));
            }
        }
    }
}

fn click(model: &mut Model, column: u16, row: u16) {
    if model.overlays.top().is_some() {
        return;
    }
    let Some((pane, area)) = settle::layout(model).at(column, row) else { return };
    model.panes.set_focus(pane);
    let offset = model.panes.selection(pane).offset;
    let Some(row) = layout::data_row_at(area, row).map(|row| offset + usize::from(row)) else { return };
    if row < model.rows(pane) {
        select(model, pane, Move::To(row));
    }
}
