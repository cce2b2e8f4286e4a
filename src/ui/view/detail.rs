//! Why: everything that is known about one row.

mod cause;
mod letter;
mod thing;
mod way;

pub(super) use cause::wanted;

use crate::domain::Timestamp;
use crate::ui::format;
use crate::ui::model::Model;
use crate::ui::model::panes::RowId;
use crate::ui::theme::Role;
use crate::ui::widgets::text::Line;

const LABEL_COLS: usize = 16;

/// The layer's title.
pub(super) const fn title(row: &RowId) -> &'static str {
    match row {
        RowId::Tick(_) => "Tick",
        RowId::Strategy(..) => "Strategy",
        RowId::Signal(..) => "Signal: why",
        RowId::Order(..) => "Order: why",
        RowId::Fill(..) => "Fill: why",
        RowId::Position(_) => "Position",
        RowId::Letter(_) => "Dead letter",
        RowId::Fact(_) => "System",
        RowId::Limit(..) => "Limit",
    }
}

/// Its lines.
pub(super) fn lines(model: &Model, row: &RowId, cols: usize) -> Vec<Line> {
    let mut sheet = Sheet { lines: Vec::new(), cols };
    thing::describe(model, row, &mut sheet);
    if sheet.lines.is_empty() {
        sheet.line("it is no longer kept here", Role::Dim);
    }
    sheet.lines
}

/// Lines being written.
struct Sheet {
    lines: Vec<Line>,
    cols: usize,
}

impl Sheet {
    fn line(&mut self, text: &str, role: Role) {
        self.lines.push(vec![(text.to_owned(), role)]);
    }

    fn heading(&mut self, text: &str) {
        if !self.lines.is_empty() {
            self.lines.push(Line::new());
        }
        self.line(text, Role::Title);
    }

    /// A label and its value, wrapped under itself.
    fn field(&mut self, label: &str, value: &str, role: Role) {
        let room = self.cols.saturating_sub(LABEL_COLS).max(10);
        for (index, text) in format::wrap(&format::clean(value), room).into_iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            self.lines.push(vec![(format!("{label:LABEL_COLS$}"), Role::Dim), (text, role)]);
        }
    }

    fn text(&mut self, label: &str, value: &str) {
        self.field(label, value, Role::Text);
    }

    /// A step's time, and how long after the first one it came.
    fn time(&mut self, label: &str, at: Option<Timestamp>, first: Timestamp) {
        let Some(at) = at else { return };
        let after = at.since(first);
        let after = if after.as_millis() < 1_000 {
            format!("+{}.{:03}ms", after.as_micros() / 1_000, after.as_micros() % 1_000)
        } else {
            format!("+{}.{:03}s", after.as_secs(), after.subsec_millis())
        };
        self.text(label, &format!("{at}  {after}"));
    }
}
