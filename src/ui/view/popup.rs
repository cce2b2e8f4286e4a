//! A layer in the middle of the body, so that header and kill block stay in sight.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};

use crate::ui::theme::{Role, Theme};
use crate::ui::widgets::panel::panel;
use crate::ui::widgets::text::{Line, put_line};

const WIDEST: u16 = 96;

/// Columns of text inside a layer over `body`.
pub(super) fn text_width(body: Rect) -> usize {
    usize::from(body.width.min(WIDEST).saturating_sub(4))
}

/// Rows of text inside a layer over `body` that has so many lines.
pub(super) fn inner_height(body: Rect, lines: usize) -> u16 {
    u16::try_from(lines).unwrap_or(u16::MAX).min(body.height.saturating_sub(2))
}

/// Clears and frames a layer with room for `lines` rows; returns the room inside, with a margin left and right.
pub(super) fn frame(buf: &mut Buffer, body: Rect, title: &str, remark: &Line, lines: usize, theme: Theme) -> Rect {
    let width = body.width.min(WIDEST);
    let height = (inner_height(body, lines) + 2).min(body.height);
    let x = body.x + (body.width - width) / 2;
    let y = body.y + (body.height - height) / 2;
    let area = Rect::new(x, y, width, height).intersection(buf.area);
    Clear.render(area, buf);
    let inner = panel(buf, area, (title, remark), true, theme);
    Rect { x: inner.x + u16::from(inner.width > 2), width: inner.width.saturating_sub(2), ..inner }
}

/// Draws scrolled lines in a layer.
pub(super) fn draw(buf: &mut Buffer, body: Rect, title: &str, lines: &[Line], scroll: usize, theme: Theme) {
    let height = usize::from(inner_height(body, lines.len()));
    let remark = if lines.len() > height {
        vec![(format!("{}-{} of {}", scroll + 1, (scroll + height).min(lines.len()), lines.len()), Role::Dim)]
    } else {
        Line::new()
    };
    let inner = frame(buf, body, title, &remark, lines.len(), theme);
    for (line, y) in lines.iter().skip(scroll).zip(inner.y..inner.bottom()) {
        put_line(buf, inner, y, line, theme);
    }
}
