//! Every action, the keys it really has, and what it does: made from the action table and the keymap in force.

use crate::ui::format;
use crate::ui::keymap::Action;
use crate::ui::model::Model;
use crate::ui::theme::Role;
use crate::ui::widgets::text::Line;

/// The layer's title, with the search.
pub(super) fn title(model: &Model, filter: &str, typing: bool) -> String {
    match (typing, filter.is_empty()) {
        (true, _) => format!("Help · search: {filter}▏"),
        (false, false) => format!("Help · search: {filter}"),
        (false, true) => format!("Help · {} searches", model.keymap.hint(Action::Filter)),
    }
}

/// Its lines.
pub(super) fn lines(model: &Model, filter: &str, cols: usize) -> Vec<Line> {
    let wanted = filter.trim().to_lowercase();
    let entries: Vec<(Action, String)> = Action::ALL
        .iter()
        .map(|action| (*action, model.keymap.keys_text(*action)))
        .filter(|(action, keys)| {
            action.name().contains(&wanted)
                || action.doc().to_lowercase().contains(&wanted)
                || keys.to_lowercase().contains(&wanted)
        })
        .collect();
    if entries.is_empty() {
        return vec![vec![(format!("nothing matches '{filter}'"), Role::Dim)]];
    }
    let keys_cols = entries.iter().map(|(_, keys)| format::width(keys)).max().unwrap_or(0).max(7) + 2;
    let name_cols = entries.iter().map(|(action, _)| action.name().len()).max().unwrap_or(0) + 2;
    let doc_cols = cols.saturating_sub(keys_cols + name_cols);
    let mut lines = Vec::new();
    for (action, keys) in entries {
        let keys = if keys.is_empty() { "(none)".to_owned() } else { keys };
        let gap = " ".repeat(keys_cols.saturating_sub(format::width(&keys)));
        let head = [(format!("{keys}{gap}"), Role::Key), (format!("{:name_cols$}", action.name()), Role::Text)];
        if doc_cols >= 24 {
            for (index, doc) in format::wrap(action.doc(), doc_cols).into_iter().enumerate() {
                let mut line =
                    if index == 0 { head.to_vec() } else { vec![(" ".repeat(keys_cols + name_cols), Role::Text)] };
                line.push((doc, Role::Dim));
                lines.push(line);
            }
        } else {
            lines.push(head.to_vec());
            lines.extend(
                format::wrap(action.doc(), cols.saturating_sub(2))
                    .into_iter()
                    .map(|doc| vec![(format!("  {doc}"), Role::Dim)]),
            );
        }
    }
    lines
}
