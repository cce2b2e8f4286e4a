//! Where an order's time went: a step a line, each with a bar from where the one before ended.

use super::Sheet;
use crate::domain::{Order, Reached, Share, Waterfall, span_us};
use crate::ui::theme::Role;
use crate::ui::widgets::text::Line;

/// Columns of the figures: step, took, total.
const FIGURES: usize = 34;
/// A bar with fewer columns tells nothing.
const BAR_LEAST: usize = 10;
/// A bar with more columns tells no more.
const BAR_MOST: usize = 48;

/// Writes the waterfall down.
pub(super) fn waterfall(order: &Order, sheet: &mut Sheet) {
    sheet.heading("Waterfall");
    sheet.line(&format!("{:<9} {:>11} {:>11}", "step", "took", "total"), Role::Dim);
    let cols =
        Some(sheet.cols.saturating_sub(FIGURES)).filter(|cols| *cols >= BAR_LEAST).map(|cols| cols.min(BAR_MOST));
    let way = Waterfall::of(order);
    for (reached, share) in way.shares(cols.unwrap_or(1)) {
        let mut line = figures(reached);
        line.extend(cols.map(|cols| bar(share, cols)));
        sheet.lines.push(line);
    }
}

fn figures(reached: &Reached) -> Line {
    let took_role = if reached.took_us < 0 { Role::Warn } else { Role::Text };
    vec![
        (format!("{:<9} ", reached.step), Role::Dim),
        (format!("{:>11} ", span_us(reached.took_us)), took_role),
        (format!("{:>11} ", span_us(reached.total_us)), Role::Dim),
    ]
}

fn bar(share: Share, cols: usize) -> (String, Role) {
    match share {
        Share::Within { before, own } => (format!("{}{}", " ".repeat(before), "█".repeat(own)), Role::Title),
        Share::Beyond => (format!("{:>cols$}", "▸"), Role::Dim),
    }
}
