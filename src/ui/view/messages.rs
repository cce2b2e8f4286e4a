//! Everything that was reported, newest first.

use crate::ui::format;
use crate::ui::model::Model;
use crate::ui::theme::Role;
use crate::ui::widgets::text::Line;

const INDENT: usize = 10;

/// The layer's lines.
pub(super) fn lines(model: &Model, cols: usize) -> Vec<Line> {
    if model.notices.len() == 0 {
        return vec![vec![("nothing was reported".to_owned(), Role::Dim)]];
    }
    let mut lines = Vec::new();
    for notice in model.notices.newest_first() {
        let times = if notice.times > 1 { format!(" (x{})", notice.times) } else { String::new() };
        let text = format!("{}{times}", notice.text);
        for (index, text) in format::wrap(&text, cols.saturating_sub(INDENT).max(10)).into_iter().enumerate() {
            let time = if index == 0 { format::clock(notice.at) } else { String::new() };
            lines.push(vec![(format!("{time:INDENT$}"), Role::Dim), (text, notice.role())]);
        }
    }
    lines
}
