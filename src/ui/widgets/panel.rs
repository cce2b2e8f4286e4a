//! A bordered panel; the one that has the keys is thick and coloured.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Block, BorderType, Widget};

use super::text::put;
use crate::ui::format;
use crate::ui::theme::{Role, Theme};

/// Draws the border with a title on the left and a remark on the right; returns the room inside.
pub(crate) fn panel(
    buf: &mut Buffer,
    area: Rect,
    (title, remark): (&str, &[(String, Role)]),
    focused: bool,
    theme: Theme,
) -> Rect {
    let area = area.intersection(buf.area);
    let (border, border_role, title_role) = if focused {
        (BorderType::Thick, Role::BorderFocused, Role::TitleFocused)
    } else {
        (BorderType::Plain, Role::Border, Role::Title)
    };
    let block = Block::bordered().border_type(border).border_style(theme.style(border_role));
    let inner = block.inner(area);
    block.render(area, buf);
    if area.width < 4 {
        return inner;
    }
    let line = Rect::new(area.x + 1, area.y, area.width - 2, 1);
    let title = format!(" {title} ");
    let used = put(buf, line, (line.x, line.y), line.width, &title, theme.style(title_role));
    let wanted = super::text::line_width(remark);
    if wanted > 0 && usize::from(used) + wanted + 3 <= usize::from(line.width) {
        let wanted = u16::try_from(wanted).unwrap_or(line.width);
        let start = line.right() - wanted - 2;
        let place = Rect::new(start, line.y, wanted + 2, 1);
        put(buf, place, (start, line.y), 1, " ", theme.style(Role::Text));
        super::text::put_line(buf, Rect::new(start + 1, line.y, wanted, 1), line.y, remark, theme);
        put(buf, place, (start + 1 + wanted, line.y), 1, " ", theme.style(Role::Text));
    }
    debug_assert!(format::width(&title) >= 2, "a title has its margins");
    inner
}
