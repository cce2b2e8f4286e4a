//! Actions by name: type to filter, enter runs.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::popup;
use crate::ui::format;
use crate::ui::keymap::Action;
use crate::ui::theme::{Role, Theme};
use crate::ui::widgets::text::{Line, put_line};

/// Draws the layer.
pub(super) fn draw(input: &str, selected: usize, body: Rect, theme: Theme, buf: &mut Buffer) {
    let found = Action::matching(input);
    let inner = popup::frame(buf, body, "Run", &Line::new(), found.len().max(1) + 1, theme);
    if inner.is_empty() {
        return;
    }
    put_line(buf, inner, inner.y, &[(format!(":{input}▏"), Role::Key)], theme);
    if found.is_empty() {
        put_line(buf, inner, inner.y + 1, &[("no such action".to_owned(), Role::Warn)], theme);
        return;
    }
    let visible = usize::from(inner.height - 1);
    let offset = (selected + 1).saturating_sub(visible);
    for ((index, action), y) in found.iter().enumerate().skip(offset).zip(inner.y + 1..inner.bottom()) {
        let doc = format::fit(action.doc(), usize::from(inner.width).saturating_sub(14)).into_owned();
        let line = [(format!("{:12}  ", action.name()), Role::Text), (doc, Role::Dim)];
        put_line(buf, inner, y, &line, theme);
        if index == selected {
            buf.set_style(Rect::new(inner.x, y, inner.width, 1), theme.style(Role::Selected));
        }
    }
}
