//! The kill block: what stopped the desk, what has been done about it, and whether it is proved.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::{KillProof, KillReport, KillStep};
use crate::ui::format;
use crate::ui::keymap::Action;
use crate::ui::model::Model;
use crate::ui::theme::{Role, Theme};
use crate::ui::widgets::text::{Line, line_width, put, put_line};

const STEPS: [(KillStep, &str); 7] = [
    (KillStep::GateClosed, "gate"),
    (KillStep::LatchFile, "file"),
    (KillStep::HeartbeatStopped, "beat"),
    (KillStep::CancelAll, "cancel"),
    (KillStep::LatchLedger, "ledger"),
    (KillStep::LatchBus, "bus"),
    (KillStep::QueueDrained, "queue"),
];

/// Draws as many of its four lines as there is room for; with two, the headline and the proof.
pub(super) fn draw(model: &Model, theme: Theme, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return;
    }
    let first = Rect { height: 1, ..area };
    buf.set_style(first, theme.style(Role::Killed));
    put(buf, first, (area.x, area.y), area.width, &headline(model), theme.style(Role::Killed));
    let report = model.desk.kill.as_ref().filter(|report| !report.latch.is_armed());
    let below: Vec<Line> = if area.height <= 2 {
        vec![proof(report)]
    } else {
        vec![steps(report, usize::from(area.width)), proof(report), advice(model)]
    };
    for (line, y) in below.iter().zip(area.y + 1..area.bottom()) {
        put_line(buf, area, y, line, theme);
    }
}

/// What stopped the desk, or how far the wish to stop it has come.
pub(super) fn headline(model: &Model) -> String {
    let now = model.now;
    if let Some(request) = &model.kill {
        let asked = format::age(now.since(request.at));
        return match (&request.error, request.delivered_at) {
            (Some(error), _) => format!(
                " KILL REQUESTED {asked} ago, not delivered over the bus: {error}; retrying ({}); use `cockpit kill`",
                request.attempts
            ),
            (None, Some(_)) => {
                let place = if request.is_past_bus {
                    "with Hermes past the bus, no report yet"
                } else {
                    "on the bus, waiting for Hermes"
                };
                format!(" KILL REQUESTED {asked} ago, {place} ({})", request.attempts)
            }
            (None, None) => format!(" KILL REQUESTED {asked} ago, sending ({})", request.attempts),
        };
    }
    let reported = model.desk.kill.as_ref().map(|report| &report.latch).filter(|latch| !latch.is_armed());
    let (latch, silent) = match (reported, &model.desk.latch) {
        (Some(latch), _) => (latch, ""),
        (None, Some(latch)) => (latch, " · by the bus; Hermes has not confirmed"),
        (None, None) => return " KILLED".to_owned(),
    };
    format!(
        " KILLED by {}: {} · {} ago · epoch {}{silent}",
        format::clean(&latch.by),
        format::clean(&latch.why),
        format::age(now.since(latch.at)),
        latch.epoch
    )
}

fn steps(report: Option<&KillReport>, cols: usize) -> Line {
    let Some(report) = report else { return vec![(" no step reported yet".to_owned(), Role::Dim)] };
    let build = |gap: &str, mark: &str| -> Line {
        STEPS
            .iter()
            .map(|(step, name)| match report.steps.iter().find(|(done, _)| done == step) {
                Some((_, millis)) => (format!("{gap}✓{mark}{name} {}", format::span_ms(*millis)), Role::Good),
                None => (format!("{gap}·{mark}{name}"), Role::Warn),
            })
            .collect()
    };
    let roomy = build("  ", " ");
    if line_width(&roomy) <= cols { roomy } else { build(" ", "") }
}

fn proof(report: Option<&KillReport>) -> Line {
    let Some(report) = report else { return vec![(" waiting for Hermes".to_owned(), Role::Warn)] };
    let open = report.venue_open_orders.map_or_else(|| "?".to_owned(), |open| open.to_string());
    let mut line = vec![
        (format!(" cancelled {}/{}", report.orders_cancelled, report.orders_open), Role::Text),
        (format!("  venue reports {open} open"), if open == "0" { Role::Good } else { Role::Warn }),
    ];
    match &report.proof {
        KillProof::None => {}
        KillProof::Proving { zero_seen } => {
            line.push((format!("  zero {zero_seen}/3"), Role::Text));
            let waits = if *zero_seen < 2 { "" } else { ", waits out late orders" };
            line.push((format!("  PROVING{waits}"), Role::Warn));
        }
        KillProof::Proved { at } => {
            line.push(("  zero 3/3".to_owned(), Role::Good));
            line.push((format!("  PROVED {}", format::clock(*at)), Role::Good));
        }
        KillProof::Incomplete { why } => {
            line.push((format!("  INCOMPLETE: {}; retrying", format::clean(why)), Role::Bad));
        }
    }
    line
}

fn advice(model: &Model) -> Line {
    if !model.desk.kill_confirmed() {
        return vec![(" not confirmed yet: the desk may still be trading".to_owned(), Role::Bad)];
    }
    vec![
        (" nothing trades until it is armed again: ".to_owned(), Role::Dim),
        (model.keymap.hint(Action::Arm), Role::Key),
        (" and the typed word".to_owned(), Role::Dim),
    ]
}
