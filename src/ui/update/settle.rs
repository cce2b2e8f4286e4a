//! After every message: selections point at rows that exist, scrolling stays within what there is.

use crate::ui::layout::{self, Layout};
use crate::ui::model::Model;
use crate::ui::model::overlay::Overlay;
use crate::ui::model::panes::Pane;
use crate::ui::view;

/// Where everything is on the screen now.
pub(crate) fn layout(model: &Model) -> Layout {
    Layout::of(model.area(), view::needs_banner(model), model.panes.focus(), model.panes.zoomed)
}

/// Makes the model whole again.
pub(super) fn settle(model: &mut Model) {
    let layout = layout(model);
    for pane in Pane::ALL {
        keep_selection(model, pane);
        let rows = model.rows(pane);
        let height = layout.pane(pane).map_or(0, |area| usize::from(layout::data_rows(area)));
        model.panes.selection_mut(pane).reveal(rows, height);
    }
    if model.overlays.top().is_some() {
        let most = view::most_scroll(model);
        if let Some(Overlay::Help { scroll, .. } | Overlay::Detail { scroll, .. } | Overlay::Messages { scroll }) =
            model.overlays.top_mut()
        {
            *scroll = (*scroll).min(most);
        }
    }
}

/// The selection follows its row; when the row is gone, the one that took its place is selected.
fn keep_selection(model: &mut Model, pane: Pane) {
    let selection = model.panes.selection(pane);
    let Some(id) = &selection.id else { return };
    if model.row_at(pane, selection.index).as_ref() == Some(id) {
        return;
    }
    let (id, index) = if let Some(index) = model.place_of(pane, id) {
        (Some(id.clone()), index)
    } else {
        let index = selection.index.min(model.rows(pane).saturating_sub(1));
        (model.row_at(pane, index), index)
    };
    let selection = model.panes.selection_mut(pane);
    selection.id = id;
    selection.index = index;
}
