//! Why: everything that is known about one row.

mod cause;
mod decision;
mod letter;
mod parameters;
mod thing;
mod way;

pub(super) use cause::wanted;

use crate::domain::Timestamp;
use crate::ui::format;
use crate::ui::model::Model;
use crate::ui::model::panes::RowId;
use crate::ui::theme::Role;
use crate::ui::widgets::text::Line;

/// Columns of labels, the gap after them included: of ordinary ones, and most of those that others named.
const LABEL_COLS: usize = 16;
const LABEL_MOST: usize = 28;

/// The layer's title.
pub(super) const fn title(row: &RowId) -> &'static str {
    match row {
        RowId::Tick(_) => "Tick",
        RowId::Strategy(..) => "Strategy",
        RowId::Signal(..) => "Signal: why",
        RowId::Skip(_) => "Skip: why",
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

    fn gap(&mut self) {
        self.lines.push(Line::new());
    }

    /// A label and its value, wrapped under itself.
    fn field(&mut self, label: &str, value: &str, role: Role) {
        self.labelled(LABEL_COLS, label, value, role);
    }

    /// Fields whose labels come from elsewhere, their values below each other.
    fn fields(&mut self, fields: Vec<(&str, String, Role)>) {
        let cols = self.label_cols(fields.iter().map(|(label, ..)| *label));
        for (label, value, role) in fields {
            self.labelled(cols, label, &value, role);
        }
    }

    /// Columns that labels take.
    fn label_cols<'a>(&self, labels: impl Iterator<Item = &'a str>) -> usize {
        let widest = labels.map(|label| format::width(&format::clean(label)) + 2).max().unwrap_or(0);
        widest.clamp(LABEL_COLS, LABEL_MOST).min((self.cols / 2).max(LABEL_COLS))
    }

    /// A label in so many columns, its value wrapped beside it.
    fn labelled(&mut self, cols: usize, label: &str, value: &str, role: Role) {
        let room = self.cols.saturating_sub(cols).max(10);
        let label = format::clean(label);
        let label = format::fit(&label, cols.saturating_sub(1));
        for (index, text) in format::wrap(&format::clean(value), room).into_iter().enumerate() {
            let label = if index == 0 { label.as_ref() } else { "" };
            let pad = cols.saturating_sub(format::width(label));
            self.lines.push(vec![(format!("{label}{:pad$}", ""), Role::Dim), (text, role)]);
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
