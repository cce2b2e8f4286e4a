//! A table that draws its visible rows only and gives up the least important columns when there is no room.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::text::put;
use crate::domain::Timestamp;
use crate::ui::format;
use crate::ui::model::rows::{Cell, Row, Rows};
use crate::ui::theme::{Role, Theme};

/// One column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// Its name.
    pub(crate) title: &'static str,
    /// Least width.
    pub(crate) least: u16,
    /// Most width.
    pub(crate) most: u16,
    /// Numbers stand on the right and are never cut while the column fits at all.
    pub(crate) right: bool,
    /// The higher, the sooner it goes.
    pub(crate) rank: u8,
}

impl Column {
    /// Numbers.
    pub(crate) const fn number(title: &'static str, least: u16, rank: u8) -> Self {
        Self { title, least, most: 14, right: true, rank }
    }

    /// Words.
    pub(crate) const fn words(title: &'static str, least: u16, most: u16, rank: u8) -> Self {
        Self { title, least, most, right: false, rank }
    }
}

/// What of the rows is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// First row.
    pub(crate) offset: usize,
    /// The selected row, when it is to be seen.
    pub(crate) selected: Option<usize>,
    /// Now, for ages.
    pub(crate) now: Timestamp,
}

/// Draws column names and the rows of the window.
pub(crate) fn table<T, const N: usize>(
    buf: &mut Buffer,
    area: Rect,
    columns: &[Column; N],
    rows: &Rows<T, N>,
    window: Window,
    theme: Theme,
) {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return;
    }
    let visible = usize::from(area.height - 1);
    let shown = || rows.iter().skip(window.offset).take(visible);
    let widths = widths(columns, shown(), area.width, window.now);
    heading(buf, area, columns, &widths, theme);
    for (line, row) in shown().enumerate() {
        let y = area.y + 1 + u16::try_from(line).unwrap_or(u16::MAX - area.y - 1);
        let mut x = area.x;
        for ((cell, column), width) in row.cells.iter().zip(columns).zip(widths) {
            if width == 0 {
                continue;
            }
            let (text, role) = content(cell, window.now);
            aligned(buf, Rect::new(x, y, width, 1), &text, column.right, theme.style(role));
            x += width + 1;
        }
        if window.selected == Some(window.offset + line) {
            buf.set_style(Rect::new(area.x, y, area.width, 1), theme.style(Role::Selected));
        }
    }
}

fn content(cell: &Cell, now: Timestamp) -> (Cow<'_, str>, Role) {
    match cell {
        Cell::Text(text, role) => (Cow::Borrowed(text.as_ref()), *role),
        Cell::Age(Some(at)) => (Cow::Owned(format::age(now.since(*at))), Role::Dim),
        Cell::Age(None) => (Cow::Borrowed("-"), Role::Dim),
    }
}

fn aligned(buf: &mut Buffer, place: Rect, text: &str, right: bool, style: ratatui::style::Style) {
    let width = u16::try_from(format::width(text)).unwrap_or(u16::MAX).min(place.width);
    let x = if right { place.right() - width } else { place.x };
    put(buf, place, (x, place.y), place.width, text, style);
}

fn heading<const N: usize>(buf: &mut Buffer, area: Rect, columns: &[Column; N], widths: &[u16; N], theme: Theme) {
    let mut x = area.x;
    for (column, width) in columns.iter().zip(widths) {
        if *width > 0 {
            aligned(buf, Rect::new(x, area.y, *width, 1), column.title, column.right, theme.style(Role::Dim));
            x += width + 1;
        }
    }
}

/// Width of each column, 0 for those that have no room. Numbers get what they need; words share what is left.
fn widths<'a, T: 'a, const N: usize>(
    columns: &[Column; N],
    rows: impl Iterator<Item = &'a Row<T, N>>,
    room: u16,
    now: Timestamp,
) -> [u16; N] {
    let mut needs = columns.map(|column| u16::try_from(format::width(column.title)).unwrap_or(0).min(column.most));
    for row in rows {
        for (need, (cell, column)) in needs.iter_mut().zip(row.cells.iter().zip(columns)) {
            let width = u16::try_from(format::width(&content(cell, now).0)).unwrap_or(u16::MAX);
            *need = (*need).max(width.min(column.most));
        }
    }
    let mut order: [usize; N] = std::array::from_fn(|index| index);
    order.sort_by_key(|index| columns[*index].rank);
    let mut widths = [0; N];
    let mut left = room;
    for index in order {
        let column = columns[index];
        let wanted = if column.right { needs[index].max(column.least) } else { column.least };
        let gap = u16::from(left < room);
        if wanted + gap <= left {
            widths[index] = wanted;
            left -= wanted + gap;
        } else if left < room {
            break;
        }
    }
    for index in order {
        if widths[index] > 0 && !columns[index].right {
            let more = needs[index].saturating_sub(widths[index]).min(left);
            widths[index] += more;
            left -= more;
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::model::panes::RowId;

    const COLUMNS: [Column; 3] =
        [Column::words("state", 4, 9, 0), Column::number("size", 4, 1), Column::words("why", 3, 40, 2)];

    fn drawn(width: u16, size: &'static str) -> Vec<String> {
        let area = Rect::new(0, 0, width, 2);
        let mut buf = Buffer::empty(area);
        let mut rows = Rows::with_cap(4);
        let cells = [Cell::text("live"), Cell::text(size), Cell::text("a long reason")];
        rows.upsert(Row { id: RowId::Tick("x".into()), item: (), cells });
        let window = Window { offset: 0, selected: None, now: Timestamp::default() };
        table(&mut buf, area, &COLUMNS, &rows, window, Theme::new(false));
        (0..2).map(|y| (0..width).map(|x| buf[(x, y)].symbol()).collect()).collect()
    }

    #[test]
    fn numbers_get_their_room_and_words_share_the_rest() {
        assert_eq!(drawn(20, "10"), ["state size why      ", "live    10 a long r…"]);
        assert_eq!(drawn(20, "123456.78"), ["state      size why ", "live  123456.78 a l…"]);
    }

    #[test]
    fn the_least_important_column_goes_first() {
        assert_eq!(drawn(10, "10"), ["state size", "live    10"]);
        assert_eq!(drawn(5, "10"), ["state", "live "]);
        assert_eq!(drawn(1, "10"), [" ", " "]);
    }
}
