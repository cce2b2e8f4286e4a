//! How near each limit is.

use crate::domain::LimitUse;
use crate::ui::format;
use crate::ui::model::panes::RowId;
use crate::ui::model::rows::{Cell, Row};
use crate::ui::theme::Role;
use crate::ui::widgets::bar::bar;

/// Width of the bar.
const BAR_COLS: usize = 12;

/// How it looks that so much of a limit is used, in percent.
pub(crate) const fn role(percent: u32) -> Role {
    match percent {
        0..80 => Role::Text,
        80..95 => Role::Warn,
        _ => Role::Bad,
    }
}

/// Cells: control, bar, percent, value, limit, unit and what it is of.
pub(crate) fn limit(used: LimitUse) -> Row<LimitUse, 6> {
    let role = role(used.percent);
    let cells = [
        Cell::text(used.control.to_string()),
        Cell::of(bar(used.percent.saturating_mul(10), BAR_COLS), role),
        Cell::of(format!("{}%", used.percent), role),
        Cell::text(used.value.to_string()),
        Cell::text(used.limit.to_string()),
        Cell::of(format!("{}  {}", used.unit, format::clean(&used.subject)), Role::Dim),
    ];
    Row { id: RowId::Limit(used.control, used.subject.clone()), item: used, cells }
}
