//! Profit of the UTC day: its parts, the exposure it takes, and its curve over this session.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use rust_decimal::Decimal;

use super::header::{exposure_role, per_mille};
use crate::domain::Usd;
use crate::ui::format;
use crate::ui::model::Model;
use crate::ui::model::cells::gain;
use crate::ui::model::panes::Pane;
use crate::ui::theme::{Role, Theme};
use crate::ui::widgets::bar::bar;
use crate::ui::widgets::curve::curve;
use crate::ui::widgets::strip::{Segment, strip};
use crate::ui::widgets::text::{Line, put};

/// Rows of figures above the curve, while it keeps at least as many.
const FIGURES: u16 = 2;
/// A bar with fewer columns tells nothing.
const BAR_LEAST: usize = 5;

/// Draws the panel.
pub(super) fn draw(model: &Model, theme: Theme, area: Rect, buf: &mut Buffer) {
    let Some(books) = &model.desk.books else {
        super::empty(model, theme, Pane::Pnl, area, buf);
        return;
    };
    let amount = |rank, label: &str, value: Usd| {
        let line = vec![(format!("{label} "), Role::Dim), (format::signed_usd(value), gain(value.0))];
        Segment::new(rank, line)
    };
    let mut figures = vec![
        amount(0, "today", books.today),
        amount(1, "realised", books.pnl.realised),
        amount(2, "unreal", books.pnl.unrealised),
    ];
    let fees = amount(3, "fees", -books.pnl.fees);
    let with_exposure = area.height > 2 * FIGURES;
    if with_exposure {
        let row = Rect::new(area.x, area.y + 1, area.width, 1);
        strip(buf, row, exposure(model, area.width, fees), &Line::new(), theme);
    } else {
        figures.push(fees);
    }
    strip(buf, Rect { height: area.height.min(1), ..area }, figures, &Line::new(), theme);
    let used = if with_exposure { FIGURES } else { 1 };
    let chart = Rect::new(area.x, area.y + used.min(area.height), area.width, area.height.saturating_sub(used));
    draw_curve(model, theme, chart, buf);
}

/// The fees stand here because the row above has no room for the fourth part of what it adds up; the bar takes what is left.
fn exposure(model: &Model, width: u16, fees: Segment) -> Vec<Segment> {
    let Some(books) = &model.desk.books else { return Vec::new() };
    let share = per_mille(books.exposure);
    let amounts =
        format!("{} of {} ({}%)", format::usd(books.exposure.gross), format::usd(books.exposure.limit), share / 10);
    let stake = Segment::new(0, vec![("at stake ".to_owned(), Role::Dim), (amounts, exposure_role(share))]);
    let room = usize::from(width).saturating_sub(stake.width() + fees.width() + 4).min(24);
    let mut row = vec![stake, fees];
    if room >= BAR_LEAST {
        row.push(Segment::new(4, vec![(bar(share, room), exposure_role(share))]));
    }
    row
}

fn draw_curve(model: &Model, theme: Theme, area: Rect, buf: &mut Buffer) {
    let values = model.desk.curve.values();
    let (Some(least), Some(most)) = (values.iter().min(), values.iter().max()) else { return };
    if area.is_empty() {
        return;
    }
    let label = |value: i64| format::signed_usd(Usd(Decimal::new(value, 6)));
    let (top, bottom) = (label(*most), label(*least));
    let gutter = u16::try_from(format::width(&top).max(format::width(&bottom)) + 1).unwrap_or(0);
    if area.width < gutter + 8 {
        curve(buf, area, values, theme);
        return;
    }
    put(buf, area, (area.x, area.y), gutter, &top, theme.style(Role::Dim));
    if area.height > 1 && top != bottom {
        put(buf, area, (area.x, area.bottom() - 1), gutter, &bottom, theme.style(Role::Dim));
    }
    curve(buf, Rect::new(area.x + gutter, area.y, area.width - gutter, area.height), values, theme);
}
