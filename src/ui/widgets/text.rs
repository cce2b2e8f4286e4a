//! Text into cells: clipped, measured, safe at any size.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::ui::format;
use crate::ui::theme::{Role, Theme};

/// Pieces of text, each with its meaning.
pub(crate) type Line = Vec<(String, Role)>;

/// Writes `text` at a point within `area`, at most `cols` columns; returns how many it took.
pub(crate) fn put(
    buf: &mut Buffer,
    area: Rect,
    at: (u16, u16),
    cols: u16,
    text: &str,
    style: impl Into<ratatui::style::Style>,
) -> u16 {
    let area = area.intersection(buf.area);
    let (x, y) = at;
    if !area.contains(at.into()) {
        return 0;
    }
    let room = cols.min(area.right() - x);
    let fitted = format::fit(text, usize::from(room));
    let (end, _) = buf.set_stringn(x, y, &fitted, usize::from(room), style.into());
    end - x
}

/// Writes a line from the left edge of `area` at the row `y`; returns how many columns it took.
pub(crate) fn put_line(buf: &mut Buffer, area: Rect, y: u16, line: &[(String, Role)], theme: Theme) -> u16 {
    let mut x = area.x;
    for (text, role) in line {
        let room = area.right().saturating_sub(x);
        x += put(buf, area, (x, y), room, text, theme.style(*role));
    }
    x - area.x
}

/// Columns that a line takes.
pub(crate) fn line_width(line: &[(String, Role)]) -> usize {
    line.iter().map(|(text, _)| format::width(text)).sum()
}
