//! The panels that are tables. Columns stand in the order in which `model::cells` makes their cells.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::ui::model::Model;
use crate::ui::model::panes::Pane;
use crate::ui::model::rows::Rows;
use crate::ui::model::{letters, system};
use crate::ui::theme::Theme;
use crate::ui::widgets::table::{Column, Window, table};

const SIGNALS: [Column; 7] = [
    Column::words("time", 8, 8, 6),
    Column::words("", 1, 1, 0),
    Column::words("", 1, 1, 1),
    Column::words("token", 5, 14, 3),
    Column::number("size", 3, 5),
    Column::number("price", 4, 4),
    Column::words("reason", 18, 200, 2),
];

const ORDERS: [Column; 8] = [
    Column::words("state", 7, 9, 0),
    Column::words("", 1, 1, 1),
    Column::words("token", 5, 14, 2),
    Column::number("price", 4, 3),
    Column::number("size", 4, 4),
    Column::number("matched", 4, 5),
    Column::number("age", 3, 6),
    Column::words("market or reason", 8, 200, 7),
];

const FILLS: [Column; 8] = [
    Column::words("time", 8, 8, 6),
    Column::words("", 1, 1, 1),
    Column::words("token", 5, 14, 2),
    Column::number("price", 4, 0),
    Column::number("size", 4, 3),
    Column::number("fee", 4, 5),
    Column::words("status", 9, 9, 4),
    Column::words("role, market", 5, 200, 7),
];

const POSITIONS: [Column; 7] = [
    Column::words("token", 5, 14, 0),
    Column::number("size", 4, 1),
    Column::number("avg", 4, 5),
    Column::number("mark", 4, 2),
    Column::number("realised", 5, 6),
    Column::number("unreal", 5, 3),
    Column::words("market", 6, 60, 4),
];

const STRATEGIES: [Column; 7] = [
    Column::words("watches", 7, 12, 0),
    Column::words("change", 9, 14, 1),
    Column::words("trigger", 7, 10, 3),
    Column::number("window", 3, 5),
    Column::number("ticks", 3, 6),
    Column::words("trades", 13, 40, 4),
    Column::words("state", 8, 200, 2),
];

const LETTERS: [Column; letters::CELLS] = [
    Column::words("state", 10, 12, 0),
    Column::number("age", 3, 2),
    Column::words("reason", 9, 14, 1),
    Column::words("strategy", 10, 16, 5),
    Column::words("market", 19, 32, 4),
    Column::number("attempt", 2, 7),
    Column::number("sent", 2, 8),
    Column::words("error", 12, 200, 3),
    Column::words("entry", 15, 24, 6),
];

const SYSTEM: [Column; system::CELLS] =
    [Column::words("what", 14, 30, 0), Column::number("age", 3, 2), Column::words("now", 20, 200, 1)];

const LIMITS: [Column; 6] = [
    Column::words("control", 8, 18, 0),
    Column::words("", 12, 12, 2),
    Column::number("used", 4, 1),
    Column::number("value", 4, 3),
    Column::number("limit", 4, 4),
    Column::words("of", 8, 200, 5),
];

/// Draws a table panel.
pub(super) fn draw(model: &Model, theme: Theme, pane: Pane, area: Rect, buf: &mut Buffer) {
    let desk = &model.desk;
    match pane {
        Pane::Strategies => rows(model, theme, pane, (&STRATEGIES, &desk.strategies), area, buf),
        Pane::Signals => rows(model, theme, pane, (&SIGNALS, desk.decisions.rows()), area, buf),
        Pane::Orders => rows(model, theme, pane, (&ORDERS, &desk.orders), area, buf),
        Pane::Fills => rows(model, theme, pane, (&FILLS, &desk.fills), area, buf),
        Pane::Positions => rows(model, theme, pane, (&POSITIONS, &desk.positions), area, buf),
        Pane::Letters => rows(model, theme, pane, (&LETTERS, desk.letters.rows()), area, buf),
        Pane::System => rows(model, theme, pane, (&SYSTEM, desk.system.rows()), area, buf),
        Pane::Risk => rows(model, theme, pane, (&LIMITS, &desk.limits), area, buf),
        Pane::Ticks | Pane::Pnl => {}
    }
}

fn rows<T, const N: usize>(
    model: &Model,
    theme: Theme,
    pane: Pane,
    (columns, rows): (&[Column; N], &Rows<T, N>),
    area: Rect,
    buf: &mut Buffer,
) {
    if rows.is_empty() {
        super::empty(model, theme, pane, area, buf);
        return;
    }
    let selection = model.panes.selection(pane);
    let selected = (model.panes.focus() == pane && selection.id.is_some()).then_some(selection.index);
    let window = Window { offset: selection.offset, selected, now: model.now };
    table(buf, area, columns, rows, window, theme);
}
