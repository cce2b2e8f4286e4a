//! A screen too small for panels still says what the desk does, and the kill key still works.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{banner, header};
use crate::ui::model::Model;
use crate::ui::theme::{Role, Theme};
use crate::ui::widgets::text::{Line, put_line};

/// Draws as many lines as there are rows, the most important first.
pub(super) fn draw(model: &Model, theme: Theme, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    let space = || (" ".to_owned(), Role::Text);
    let mut state: Line = header::latch(model);
    state.push(space());
    state.extend(header::kill_hint(model));
    let mut world: Line = header::mode(model);
    world.push(space());
    world.extend(header::trading(model));
    let mut lines = vec![state, world];
    if super::needs_banner(model) {
        lines.push(vec![(banner::headline(model), Role::Bad)]);
    }
    if let Some(notice) = model.notices.shown() {
        lines.push(vec![(notice.text.clone(), notice.role())]);
    }
    lines.push(vec![(format!("too small: {}x{}, needs 40x10", area.width, area.height), Role::Dim)]);
    for (line, y) in lines.iter().zip(area.y..area.bottom()) {
        put_line(buf, area, y, line, theme);
    }
}
