//! What the tables of the command line have in common: text for people, CSV and JSON for programs, from the same columns.

use std::io::{self, ErrorKind, IsTerminal, Write};

use serde_json::{Map, Value};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::CliError;
use crate::domain::Timestamp;
use crate::text::safe;

/// Width of a terminal that does not tell its own.
const WIDTH: usize = 80;

/// How a table is printed.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(super) struct Format {
    /// Print one line of JSON: an array of objects.
    #[arg(long, conflicts_with = "csv")]
    pub(super) json: bool,
    /// Print CSV with a header.
    #[arg(long)]
    csv: bool,
}

/// A column. Its name is part of the interface.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    name: &'static str,
    /// Whether people see it too.
    shown: bool,
    right: bool,
}

impl Column {
    pub(super) const fn text(name: &'static str) -> Self {
        Self { name, shown: true, right: false }
    }

    pub(super) const fn number(name: &'static str) -> Self {
        Self { name, shown: true, right: true }
    }

    /// For programs only.
    pub(super) const fn hidden(name: &'static str) -> Self {
        Self { name, shown: false, right: false }
    }
}

/// A value in a table.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    /// As it is.
    Text(String),
    /// Clipped for people.
    Long(String, usize),
    /// An instant.
    Time(Timestamp),
    /// Yes or no.
    Flag(bool),
    /// Nothing.
    Nothing,
}

impl Cell {
    #[expect(clippy::needless_pass_by_value, reason = "values and references alike")]
    pub(super) fn text(value: impl ToString) -> Self {
        Self::Text(value.to_string())
    }

    /// People see the first `width` characters.
    #[expect(clippy::needless_pass_by_value, reason = "values and references alike")]
    pub(super) fn long(value: impl ToString, width: usize) -> Self {
        Self::Long(value.to_string(), width)
    }

    pub(super) fn maybe(value: Option<impl ToString>) -> Self {
        value.map_or(Self::Nothing, Self::text)
    }

    fn short(&self) -> String {
        match self {
            Self::Long(text, width) => clipped(&safe(text), *width),
            Self::Text(text) => safe(text),
            Self::Time(at) => clock_time(*at),
            Self::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
            Self::Nothing => "-".to_owned(),
        }
    }

    fn whole(&self) -> String {
        match self {
            Self::Text(text) | Self::Long(text, _) => text.clone(),
            Self::Time(at) => at.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Nothing => String::new(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Flag(flag) => Value::Bool(*flag),
            Self::Nothing => Value::Null,
            other => Value::String(other.whole()),
        }
    }
}

/// `11-22 12:00:00` in UTC.
pub(super) fn clock_time(at: Timestamp) -> String {
    let whole = at.to_string();
    match (whole.get(5..10), whole.get(11..19)) {
        (Some(day), Some(time)) => format!("{day} {time}"),
        _ => whole,
    }
}

/// Prints a table.
///
/// # Errors
/// When standard output fails.
pub(super) fn table(format: Format, columns: &[Column], rows: &[Vec<Cell>]) -> Result<(), CliError> {
    let text = render(format, columns, rows, room());
    if format.json || format.csv { print_data(&text) } else { print(&text) }
}

/// Columns that a line may have: those of the terminal. What goes into a file or a pipe is not cut.
fn room() -> usize {
    if !io::stdout().is_terminal() {
        return usize::MAX;
    }
    crossterm::terminal::size().map_or(WIDTH, |(cols, _)| usize::from(cols))
}

fn render(format: Format, columns: &[Column], rows: &[Vec<Cell>], room: usize) -> String {
    if format.json {
        let object = |row: &Vec<Cell>| {
            let pairs = columns.iter().zip(row).map(|(column, cell)| (column.name.to_owned(), cell.json()));
            Value::Object(pairs.collect::<Map<_, _>>())
        };
        return format!("{}\n", Value::Array(rows.iter().map(object).collect()));
    }
    if format.csv {
        let head = csv_line(columns.iter().map(|column| column.name));
        let rows = rows.iter().map(|row| csv_line(row.iter().map(Cell::whole)));
        return std::iter::once(head).chain(rows).map(|line| line + "\n").collect();
    }
    aligned(columns, rows, room)
}

/// Fields as one line of CSV, without its end.
pub(super) fn csv_line(fields: impl Iterator<Item = impl AsRef<str>>) -> String {
    fields.map(|field| quoted(field.as_ref())).collect::<Vec<_>>().join(",")
}

/// As RFC 4180 wants it. What a spreadsheet would take for a formula stays text.
fn quoted(field: &str) -> String {
    let formula = field.starts_with(['=', '@', '\t'])
        || (field.starts_with(['+', '-']) && field.parse::<rust_decimal::Decimal>().is_err());
    if formula {
        return format!("\"'{}\"", field.replace('"', "\"\""));
    }
    if field.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", field.replace('"', "\"\""));
    }
    field.to_owned()
}

fn aligned(columns: &[Column], rows: &[Vec<Cell>], room: usize) -> String {
    let shown: Vec<(usize, &Column)> = columns.iter().enumerate().filter(|(_, column)| column.shown).collect();
    let mut lines: Vec<Vec<String>> = vec![shown.iter().map(|(_, column)| column.name.to_uppercase()).collect()];
    lines.extend(rows.iter().map(|row| shown.iter().map(|(at, _)| row[*at].short()).collect::<Vec<_>>()));
    let width = |at: usize| lines.iter().map(|line| line[at].width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..shown.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let mut row = String::new();
        for ((field, width), (_, column)) in line.iter().zip(&widths).zip(&shown) {
            let pad = " ".repeat(width - field.width());
            let field = if column.right { format!("{pad}{field}  ") } else { format!("{field}{pad}  ") };
            row.push_str(&field);
        }
        text.push_str(&clipped(row.trim_end(), room));
        text.push('\n');
    }
    text
}

/// What fits, with a sign when that is not all of it.
fn clipped(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= width
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// Writes a line to standard output, as `println!` would; see [`print()`].
macro_rules! say {
    ($($args:tt)*) => {
        $crate::cli::output::print(&(::std::format!($($args)*) + "\n"))
    };
}
pub(super) use say;

/// Writes text for people to standard output: what came from venues in it cannot drive their terminal.
///
/// # Errors
/// When standard output fails.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    print_data(&text.split('\n').map(safe).collect::<Vec<_>>().join("\n"))
}

/// Writes to standard output as it is, for programs. A reader that has gone away, such as `head`, is no error.
///
/// # Errors
/// When standard output fails otherwise.
pub(super) fn print_data(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(CliError::Failed(anyhow::anyhow!("standard output: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_venue_says_cannot_drive_the_terminal_and_programs_get_it_whole() {
        let columns = [Column::text("id"), Column::text("why")];
        let rows = [vec![Cell::text("a\u{1b}]0;x\u{7}"), Cell::long("no\nmoney\u{9b}2J at all", 12)]];
        assert_eq!(render(Format::default(), &columns, &rows, WIDTH), "ID     WHY\na]0;x  no money2J …\n");
        let json = render(Format { json: true, csv: false }, &columns, &rows, WIDTH);
        let back: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(back[0]["why"], "no\nmoney\u{9b}2J at all");
    }

    #[test]
    fn fields_with_commas_and_quotes_are_quoted_and_formulas_are_text() {
        let fields = ["plain", "a,b", "say \"x\"", "=1+1", "-0.0001", "-x", "-inf", ""];
        let line = csv_line(fields.iter());
        assert_eq!(line, "plain,\"a,b\",\"say \"\"x\"\"\",\"'=1+1\",-0.0001,\"'-x\",\"'-inf\",");
    }

    #[test]
    fn one_table_in_three_forms() {
        let columns = [Column::text("id"), Column::number("size"), Column::hidden("why"), Column::text("at")];
        let rows = [
            vec![Cell::long("abcdefgh", 4), Cell::text(5), Cell::text("a, \"b\""), Cell::Time(Timestamp::from_secs(0))],
            vec![Cell::text("市場"), Cell::text(-10), Cell::text("=1+1"), Cell::Nothing],
        ];
        let text = render(Format::default(), &columns, &rows, WIDTH);
        assert_eq!(text, "ID    SIZE  AT\nabc…     5  01-01 00:00:00\n市場   -10  -\n");
        let csv = render(Format { csv: true, json: false }, &columns, &rows, WIDTH);
        let expected = "id,size,why,at\nabcdefgh,5,\"a, \"\"b\"\"\",1970-01-01T00:00:00.000Z\n市場,-10,\"'=1+1\",\n";
        assert_eq!(csv, expected);
        let json = render(Format { json: true, csv: false }, &columns, &rows, WIDTH);
        let back: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!((&back[0]["id"], &back[1]["at"]), (&Value::from("abcdefgh"), &Value::Null));
    }

    #[test]
    fn a_line_has_the_width_of_the_terminal_and_is_whole_in_a_pipe() {
        let columns = [Column::text("id"), Column::text("reason")];
        let rows = [vec![Cell::text("a"), Cell::text("not enough balance")]];
        let text = |room| render(Format::default(), &columns, &rows, room);
        assert_eq!(text(12), "ID  REASON\na   not eno…\n");
        assert_eq!(text(usize::MAX), "ID  REASON\na   not enough balance\n");
    }
}
