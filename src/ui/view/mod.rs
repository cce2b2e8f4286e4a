//! The model on the screen. Pure: the same model draws the same cells.

mod arm;
mod banner;
mod detail;
mod footer;
mod header;
mod help;
mod messages;
mod palette;
mod pnl;
mod popup;
mod remedy;
mod small;
mod tables;
mod ticks;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use crate::ui::layout::{Class, Layout};
use crate::ui::model::letters::Remedy;
use crate::ui::model::overlay::Overlay;
use crate::ui::model::panes::Pane;
use crate::ui::model::{Link, Model};
use crate::ui::theme::{Role, Theme};
use crate::ui::widgets::panel::panel;
use crate::ui::widgets::text::{Line, put};

/// Draws everything. `area` is what the terminal says now; the model may still think of another size.
pub(crate) fn view(model: &Model, theme: Theme, area: Rect, buf: &mut Buffer) {
    let layout = Layout::of(area, needs_banner(model), model.panes.focus(), model.panes.zoomed);
    if layout.class == Class::TooSmall {
        small::draw(model, theme, area, buf);
        return;
    }
    for (pane, place) in &layout.panes {
        draw_pane(model, theme, *pane, *place, &layout, buf);
    }
    header::draw(model, theme, layout.class, layout.header, buf);
    banner::draw(model, theme, layout.banner, buf);
    footer::draw(model, theme, layout.footer, buf);
    for overlay in model.overlays.iter() {
        draw_overlay(model, theme, overlay, layout.body, buf);
    }
}

/// Whether the kill has lines of its own.
pub(crate) fn needs_banner(model: &Model) -> bool {
    model.kill.is_some() || model.desk.killed() == Some(true)
}

/// How far the top layer can be scrolled.
pub(crate) fn most_scroll(model: &Model) -> usize {
    let layout = Layout::of(model.area(), needs_banner(model), model.panes.focus(), model.panes.zoomed);
    let Some(overlay) = model.overlays.top() else { return 0 };
    let Some(lines) = scrolled_lines(model, overlay, popup::text_width(layout.body)) else { return 0 };
    lines.len().saturating_sub(usize::from(popup::inner_height(layout.body, lines.len())))
}

fn scrolled_lines(model: &Model, overlay: &Overlay, cols: usize) -> Option<Vec<Line>> {
    match overlay {
        Overlay::Help { filter, .. } => Some(help::lines(model, filter.text(), cols)),
        Overlay::Detail { row, .. } => Some(detail::lines(model, row, cols)),
        Overlay::Messages { .. } => Some(messages::lines(model, cols)),
        Overlay::Palette { .. } | Overlay::Arm { .. } | Overlay::Retry { .. } | Overlay::Drop { .. } => None,
    }
}

fn draw_overlay(model: &Model, theme: Theme, overlay: &Overlay, body: Rect, buf: &mut Buffer) {
    let lines = scrolled_lines(model, overlay, popup::text_width(body)).unwrap_or_default();
    match overlay {
        Overlay::Help { scroll, filter, typing } => {
            let title = help::title(model, filter.text(), *typing);
            popup::draw(buf, body, &title, &lines, *scroll, theme);
        }
        Overlay::Detail { row, scroll } => popup::draw(buf, body, detail::title(row), &lines, *scroll, theme),
        Overlay::Messages { scroll } => popup::draw(buf, body, "Messages", &lines, *scroll, theme),
        Overlay::Palette { input, selected } => palette::draw(input.text(), *selected, body, theme, buf),
        Overlay::Retry { letter } => remedy::draw(model, (letter, Remedy::Retry, ""), body, theme, buf),
        Overlay::Drop { letter, input } => remedy::draw(model, (letter, Remedy::Drop, input.text()), body, theme, buf),
        Overlay::Arm { input } => arm::draw(model, input.text(), body, theme, buf),
    }
}

fn draw_pane(model: &Model, theme: Theme, pane: Pane, place: Rect, layout: &Layout, buf: &mut Buffer) {
    let stale = staleness(model, pane);
    let mut remark: Line = Vec::new();
    if let Some(age) = &stale {
        remark.push((age.clone(), Role::Warn));
    }
    if let (Pane::Letters, Some(books)) = (pane, model.desk.books.as_ref().filter(|books| books.dlq > 0)) {
        remark.push((format!("{}{} waiting", gap(&remark), books.dlq), Role::Warn));
    }
    let hidden = model.desk.decisions.hidden();
    if pane == Pane::Signals && hidden > 0 {
        remark.push((format!("{}skips hidden: {hidden}", gap(&remark)), Role::Dim));
    }
    let rows = model.rows(pane);
    let counted =
        matches!(pane, Pane::Signals | Pane::Orders | Pane::Fills | Pane::Positions | Pane::Risk | Pane::Letters);
    if rows > 0 && counted {
        let gap = gap(&remark);
        let selection = model.panes.selection(pane);
        let text = match selection.id {
            Some(_) => format!("{gap}{}/{rows}", selection.index + 1),
            None => format!("{gap}{rows}"),
        };
        remark.push((text, Role::Dim));
    }
    let alone = layout.panes.len() == 1;
    let others = pane.screen().panes();
    let title = if alone && others.len() > 1 {
        format!("{} ‹{}/{}›", pane.title(), number(pane, others), others.len())
    } else {
        pane.title().to_owned()
    };
    let inner = panel(buf, place, (&title, &remark), alone || model.panes.focus() == pane, theme);
    match pane {
        Pane::Ticks => ticks::draw(model, theme, inner, buf),
        Pane::Pnl => pnl::draw(model, theme, inner, buf),
        Pane::Strategies
        | Pane::Signals
        | Pane::Orders
        | Pane::Fills
        | Pane::Positions
        | Pane::Risk
        | Pane::Letters
        | Pane::System => {
            tables::draw(model, theme, pane, inner, buf);
        }
    }
    if stale.is_some() {
        buf.set_style(inner.intersection(buf.area), Style::new().add_modifier(Modifier::DIM));
    }
}

const fn gap(before: &Line) -> &'static str {
    if before.is_empty() { "" } else { "  " }
}

fn number(pane: Pane, among: &[Pane]) -> usize {
    among.iter().position(|known| *known == pane).unwrap_or(0) + 1
}

/// How old a panel's data is, when it is too old to be taken for the present.
fn staleness(model: &Model, pane: Pane) -> Option<String> {
    let presence = match pane {
        Pane::Ticks => model.desk.argos,
        Pane::Strategies | Pane::Signals => model.desk.athena,
        Pane::Orders | Pane::Fills | Pane::Positions | Pane::Pnl | Pane::Risk | Pane::Letters | Pane::System => {
            model.desk.hermes
        }
    };
    let down = matches!(model.link, Link::Down { .. });
    let age = presence.age(model.now)?;
    (down || !presence.is_up(model.now)).then(|| format!("{} old", crate::ui::format::age(age)))
}

/// What an empty panel waits for.
fn empty(model: &Model, theme: Theme, pane: Pane, area: Rect, buf: &mut Buffer) {
    let (daemon, waiting, nothing) = match pane {
        Pane::Ticks => (model.desk.argos, "waiting for Argos…", "waiting for ticks…"),
        Pane::Strategies => (model.desk.athena, "waiting for Athena…", "no strategies"),
        Pane::Signals => (model.desk.athena, "waiting for Athena…", "no signals yet"),
        Pane::Orders => (model.desk.hermes, "waiting for Hermes…", "no orders yet"),
        Pane::Fills => (model.desk.hermes, "waiting for Hermes…", "no fills yet"),
        Pane::Positions => (model.desk.hermes, "waiting for Hermes…", "flat: no positions"),
        Pane::Pnl => (model.desk.hermes, "waiting for Hermes…", "waiting for figures…"),
        Pane::System => (model.desk.hermes, "waiting for Hermes…", "nothing known yet"),
        Pane::Letters => (model.desk.hermes, "waiting for Hermes…", "no dead letters"),
        Pane::Risk => (model.desk.hermes, "waiting for Hermes…", "nothing measured yet"),
    };
    let text = match (&model.link, daemon.age(model.now)) {
        (Link::Down { .. }, _) => "bus down, retrying",
        (Link::Connecting, None) => "connecting…",
        (_, None) => waiting,
        (_, Some(_)) => nothing,
    };
    let y = area.y + area.height.saturating_sub(1) / 2;
    put(buf, area, (area.x.saturating_add(1), y), area.width, text, theme.style(Role::Dim));
}

#[cfg(test)]
pub(crate) mod tests;
