//! Crypto prices: last, change, a line of their last minutes, age.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::ui::format;
use crate::ui::model::Model;
use crate::ui::model::cells::gain;
use crate::ui::model::panes::Pane;
use crate::ui::model::ticks::TickRow;
use crate::ui::theme::{Role, Theme};
use crate::ui::widgets::spark::spark;
use crate::ui::widgets::text::put;

/// A price older than this is dimmed, in seconds.
const OLD_SECS: u64 = 5;
const AGE_COLS: u16 = 4;

/// Draws the panel.
pub(super) fn draw(model: &Model, theme: Theme, area: Rect, buf: &mut Buffer) {
    let rows = model.desk.ticks.rows();
    if rows.is_empty() || area.is_empty() {
        super::empty(model, theme, Pane::Ticks, area, buf);
        return;
    }
    let selection = model.panes.selection(Pane::Ticks);
    let shown = rows.iter().enumerate().skip(selection.offset).take(usize::from(area.height - 1));
    let columns = Columns::of(rows, area.width);
    columns.draw(buf, area, area.y, ["pair", "last", "change", "by second", "age"], &[theme.style(Role::Dim); 5]);
    for ((index, row), y) in shown.zip(area.y + 1..area.bottom()) {
        let age = model.now.since(row.seen_at);
        let change = theme.style(gain(row.change));
        let plain = theme.style(if age.as_secs() > OLD_SECS { Role::Dim } else { Role::Text });
        let history = spark(row.recent.newest(usize::from(columns.spark)));
        let symbol = format::clean(row.symbol.as_str());
        let texts = [symbol.as_str(), &row.last, &row.change_text, &history, &format::age(age)];
        columns.draw(buf, area, y, texts, &[plain, plain, change, change, theme.style(Role::Dim)]);
        if model.panes.focus() == Pane::Ticks && selection.id.is_some() && selection.index == index {
            buf.set_style(Rect::new(area.x, y, area.width, 1).intersection(buf.area), theme.style(Role::Selected));
        }
    }
}

struct Columns {
    symbol: u16,
    last: u16,
    change: u16,
    spark: u16,
}

impl Columns {
    fn of(rows: &[TickRow], room: u16) -> Self {
        let widest = |text: fn(&TickRow) -> &str, least: usize, most: usize| {
            let width = rows.iter().map(|row| format::width(text(row))).max().unwrap_or(0).clamp(least, most);
            u16::try_from(width).unwrap_or(0)
        };
        let symbol = widest(|row| row.symbol.as_str(), 7, 12);
        let last = widest(|row| row.last.as_str(), 7, 16);
        let change = widest(|row| row.change_text.as_str(), 9, 14);
        let spark = room.saturating_sub(symbol + last + change + AGE_COLS + 4);
        Self { symbol, last, change, spark: if spark < 4 { 0 } else { spark } }
    }

    fn draw(&self, buf: &mut Buffer, area: Rect, y: u16, texts: [&str; 5], styles: &[ratatui::style::Style; 5]) {
        let widths =
            [(self.symbol, false), (self.last, true), (self.change, false), (self.spark, false), (AGE_COLS, true)];
        let mut x = area.x;
        for ((text, style), (width, right)) in texts.iter().zip(styles).zip(widths) {
            if width == 0 {
                continue;
            }
            let used = u16::try_from(format::width(text)).unwrap_or(width).min(width);
            let start = if right { x + width - used } else { x };
            put(buf, area, (start, y), used.max(1), text, *style);
            x += width + 1;
        }
    }
}
