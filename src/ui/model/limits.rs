//! How near each limit is.

use crate::domain::{LimitUse, Slug};
use crate::ui::format;
use crate::ui::model::cells::label_of;
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

/// What a limit is of, a market's slug made short: `12:00 btc-updown-5m Up`.
fn subject(of: &str) -> String {
    let (slug, outcome) = of.split_once(' ').map_or((of, None), |(slug, outcome)| (slug, Some(outcome)));
    let market = label_of(&Slug::new(slug));
    outcome.map_or_else(|| market.clone(), |outcome| format!("{market} {}", format::clean(outcome)))
}

/// Cells: control, bar, percent, value to the cent, limit, unit and what it is of.
pub(crate) fn limit(used: LimitUse) -> Row<LimitUse, 6> {
    let role = role(used.percent);
    let cells = [
        Cell::text(used.control.to_string()),
        Cell::of(bar(used.percent.saturating_mul(10), BAR_COLS), role),
        Cell::of(format!("{}%", used.percent), role),
        Cell::text(used.value.round_dp(2).to_string()),
        Cell::text(used.limit.to_string()),
        Cell::of(format!("{}  {}", used.unit, subject(&used.subject)), Role::Dim),
    ];
    Row { id: RowId::Limit(used.control, used.subject.clone()), item: used, cells }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_limit_is_of_has_the_name_that_other_panels_give_it() {
        assert_eq!(subject("btc-updown-5m-1795348800 Up"), "12:00 btc-updown-5m Up");
        assert_eq!(subject("btc-updown-5m-1795348800"), "12:00 btc-updown-5m");
        assert_eq!(subject("account"), "account");
    }
}
