//! Always on screen: which world, what may be sent, the latch, profit, exposure, and whether the data is alive.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::domain::{Exposure, Mode, TradingState};
use crate::ui::format;
use crate::ui::keymap::Action;
use crate::ui::layout::Class;
use crate::ui::model::cells::gain;
use crate::ui::model::desk::{Books, Presence};
use crate::ui::model::limits;
use crate::ui::model::system::skew_words;
use crate::ui::model::{Link, Model};
use crate::ui::theme::{Role, Theme};
use crate::ui::widgets::bar::bar;
use crate::ui::widgets::strip::{Segment, strip};
use crate::ui::widgets::text::Line;

/// Draws both rows.
pub(super) fn draw(model: &Model, theme: Theme, class: Class, area: Rect, buf: &mut Buffer) {
    let row = |index: u16| Rect::new(area.x, area.y + index, area.width, area.height.saturating_sub(index).min(1));
    let mut first = vec![Segment::new(0, mode(model)), Segment::new(0, trading(model)), Segment::new(0, latch(model))];
    let mut second = Vec::new();
    let money = [Segment::new(1, pnl(model, class)), Segment::new(2, exposure(model, class))];
    if class == Class::Single {
        second.extend(money);
    } else {
        first.extend(money);
    }
    second.push(Segment::new(0, link(model, class)));
    second.extend(daemons(model, class));
    strip(buf, row(0), first, &kill_hint(model), theme);
    strip(buf, row(1), second, &Line::new(), theme);
}

/// The world, as a badge.
pub(super) fn mode(model: &Model) -> Line {
    let mode = model.mode();
    let role = match mode {
        Mode::Sim => Role::Sim,
        Mode::Paper => Role::Paper,
        Mode::Live => Role::Live,
    };
    vec![(format!(" {mode} "), role)]
}

/// What may be sent; with a question mark when nobody has said so lately, or a kill is not confirmed yet.
pub(super) fn trading(model: &Model) -> Line {
    let desk = &model.desk;
    let Some(books) = &desk.books else { return vec![("trading ?".to_owned(), Role::Warn)] };
    // A kill is told by an event, the state only by the next snapshot: the stricter of the two is shown.
    let state = if desk.kill_confirmed() { TradingState::Halted } else { books.trading_state };
    let (text, role) = match state {
        TradingState::Active => ("active", Role::Good),
        TradingState::Reducing => ("REDUCING", Role::Warn),
        TradingState::Halted => ("HALTED", Role::Bad),
    };
    let killing = super::needs_banner(model) && !desk.kill_confirmed();
    let known = desk.hermes.is_up(model.now) && !matches!(model.link, Link::Down { .. }) && !killing;
    if known { vec![(text.to_owned(), role)] } else { vec![(format!("{text} ?"), Role::Warn)] }
}

/// The latch in two words: killed only when Hermes says so.
pub(super) fn latch(model: &Model) -> Line {
    let desk = &model.desk;
    let epoch = desk.epoch();
    let (text, role) = match (desk.killed(), &model.kill) {
        _ if desk.kill_confirmed() => (format!("KILLED #{epoch}"), Role::Killed),
        (_, Some(_)) => ("KILL requested".to_owned(), Role::Killed),
        (Some(true), None) => ("KILL on bus".to_owned(), Role::Killed),
        (Some(false), None) => (format!("armed #{epoch}"), Role::Text),
        (None, None) => ("latch ?".to_owned(), Role::Warn),
    };
    vec![(text, role)]
}

/// The key that kills.
pub(super) fn kill_hint(model: &Model) -> Line {
    vec![(model.keymap.hint(Action::Kill), Role::Key), (" KILL".to_owned(), Role::Bad)]
}

fn pnl(model: &Model, class: Class) -> Line {
    let label = if class == Class::Single { "PnL " } else { "PnL today " };
    let mut line = vec![(label.to_owned(), Role::Dim)];
    match &model.desk.books {
        Some(books) => {
            let today = books.today;
            line.push((format!("{} {}", format::arrow(today.0), format::signed_usd(today)), gain(today.0)));
        }
        None => line.push(("-".to_owned(), Role::Dim)),
    }
    line
}

/// Share of the limit in per mille; a limit of zero counts as full once anything is at stake.
pub(super) fn per_mille(exposure: Exposure) -> u32 {
    if exposure.limit.is_zero() {
        return if exposure.gross.is_zero() { 0 } else { 1_000 };
    }
    let share = exposure.gross.0.checked_div(exposure.limit.0).unwrap_or(Decimal::ONE);
    share.saturating_mul(Decimal::ONE_THOUSAND).max(Decimal::ZERO).to_u32().unwrap_or(u32::MAX)
}

/// How near the limit is.
pub(super) const fn exposure_role(per_mille: u32) -> Role {
    match per_mille {
        0..800 => Role::Text,
        800..1_000 => Role::Warn,
        _ => Role::Bad,
    }
}

fn exposure(model: &Model, class: Class) -> Line {
    let label = if class == Class::Single { "exp " } else { "exposure " };
    let mut line = vec![(label.to_owned(), Role::Dim)];
    let Some(books) = &model.desk.books else {
        line.push(("-".to_owned(), Role::Dim));
        return line;
    };
    let share = per_mille(books.exposure);
    let role = exposure_role(share);
    let percent = format!("{}%", share / 10);
    if class == Class::Single {
        line.push((percent, role));
    } else if class == Class::Compact {
        line.push((format!("{percent} {}", bar(share, 6)), role));
    } else {
        let amounts = format!("{}/{} ", format::usd(books.exposure.gross), format::usd(books.exposure.limit));
        line.push((amounts, Role::Text));
        line.push((format!("{percent} {}", bar(share, 10)), role));
    }
    line
}

fn link(model: &Model, class: Class) -> Line {
    match &model.link {
        Link::Up => vec![("bus ".to_owned(), Role::Dim), ("up".to_owned(), Role::Good)],
        Link::Connecting => vec![("bus connecting".to_owned(), Role::Warn)],
        Link::Degraded { since, .. } if class == Class::Single => {
            vec![(format!("bus DEGRADED {}", format::age(model.now.since(*since))), Role::Bad)]
        }
        Link::Degraded { reason, since } => {
            let text = format!("bus degraded {}: {reason}; no new orders", format::age(model.now.since(*since)));
            vec![(text, Role::Bad)]
        }
        Link::Down { since, .. } if class == Class::Single => {
            vec![(format!("bus DOWN {}", format::age(model.now.since(*since))), Role::Bad)]
        }
        Link::Down { reason, since } => {
            vec![(format!("bus down {}: {reason}, retrying", format::age(model.now.since(*since))), Role::Bad)]
        }
    }
}

fn daemons(model: &Model, class: Class) -> Vec<Segment> {
    let desk = &model.desk;
    let all = [("argos", desk.argos), ("athena", desk.athena), ("hermes", desk.hermes)];
    let mut segments = Vec::new();
    if class == Class::Single {
        let up = all.iter().filter(|(_, presence)| presence.is_up(model.now)).count();
        let role = if up == all.len() { Role::Good } else { Role::Bad };
        let data = desk.ticks.newest().map_or_else(|| "-".to_owned(), |at| format::age(model.now.since(at)));
        return vec![Segment::new(0, vec![(format!("{up}/3"), role), (format!(" {data}"), Role::Text)])];
    }
    segments.extend(all.iter().map(|(name, presence)| Segment::new(1, daemon(model, name, *presence))));
    let data = desk.ticks.newest().map_or_else(
        || ("data -".to_owned(), Role::Dim),
        |at| {
            let age = model.now.since(at);
            (
                format!("data {} {}/s", format::age(age), desk.rate),
                if age.as_secs() > 5 { Role::Warn } else { Role::Text },
            )
        },
    );
    segments.push(Segment::new(2, vec![data]));
    let feeds = &desk.feeds;
    if feeds.all > 0 {
        let (text, role) = match &feeds.trouble {
            None => (format!("feeds {}/{}", feeds.up, feeds.all), Role::Text),
            Some(trouble) if class >= Class::Normal => {
                (format!("feeds {}/{} ({})", feeds.up, feeds.all, format::fit(trouble, 40)), Role::Warn)
            }
            Some(_) => (format!("feeds {}/{}", feeds.up, feeds.all), Role::Warn),
        };
        segments.push(Segment::new(3, vec![(text, role)]));
    }
    segments.extend(troubles(model, class));
    segments.extend(account(model));
    segments.push(Segment::new(7, vec![("desk ".to_owned(), Role::Dim), (model.place.clone(), Role::Text)]));
    segments
}

/// What there is room for on wide screens only.
fn account(model: &Model) -> Vec<Segment> {
    let mut segments = Vec::new();
    if let Some(books) = &model.desk.books {
        let orders = books.orders;
        let text = format!("open {} filled {} rejected {}", orders.open, orders.filled, orders.rejected);
        segments.push(Segment::new(6, vec![(text, Role::Text)]));
        segments.push(Segment::new(8, vec![(format!("fills {}", books.fills), Role::Text)]));
        let agreed = books.reconciled_at.map_or_else(
            || ("not reconciled".to_owned(), Role::Warn),
            |at| (format!("reconciled {}", format::age(model.now.since(at))), Role::Text),
        );
        segments.push(Segment::new(8, vec![agreed]));
        let lease = books.fencing_token.map(|token| Segment::new(8, vec![(format!("lease #{token}"), Role::Text)]));
        segments.extend(lease);
    }
    if let Some(latch) = model.desk.kill.as_ref().map(|report| &report.latch).filter(|latch| latch.is_armed()) {
        let age = format::age(model.now.since(latch.at));
        let text = format!("armed by {} {age} ago: {}", format::clean(&latch.by), format::clean(&latch.why));
        segments.push(Segment::new(9, vec![(format::fit(&text, 48).into_owned(), Role::Dim)]));
    }
    segments
}

fn daemon(model: &Model, name: &str, presence: Presence) -> Line {
    let (mark, role) = match presence.age(model.now) {
        None => ("○ -".to_owned(), Role::Dim),
        Some(age) if presence.is_up(model.now) => (format!("● {}", format::age(age)), Role::Good),
        Some(age) => (format!("✗ {}", format::age(age)), Role::Bad),
    };
    vec![(format!("{name} "), Role::Dim), (mark, role)]
}

/// The limit that is used most, from the first level that is told.
fn nearest_limit(model: &Model) -> Option<Segment> {
    let nearest = &model.desk.limits.get(0)?.item;
    let text = format!("{} {}%", nearest.control, nearest.percent);
    (nearest.percent >= 50).then(|| Segment::new(2, vec![(text, limits::role(nearest.percent.max(80)))]))
}

/// What is shown only when there is something to show.
fn troubles(model: &Model, class: Class) -> Vec<Segment> {
    let mut segments = Vec::new();
    segments.extend(nearest_limit(model));
    let losses = model.desk.losses;
    if let Some(books) = &model.desk.books {
        let cols = if class == Class::Wide { 48 } else { 32 };
        let trouble = books.trouble.as_ref().filter(|_| class >= Class::Normal);
        if let Some(trouble) = trouble {
            segments.push(Segment::new(2, vec![(format::fit(trouble, cols).into_owned(), Role::Warn)]));
        }
        let untold = usize::from(trouble.is_none() && books.trouble.is_some());
        let concerns = concerns(books) + untold;
        if concerns > 0 {
            let role = if untold > 0 { Role::Bad } else { Role::Warn };
            segments.push(Segment::new(1, vec![(format!("concerns {concerns}"), role)]));
        }
        if books.orders.unknown > 0 {
            segments.push(Segment::new(1, vec![(format!("unknown {}", books.orders.unknown), Role::Bad)]));
        }
        if books.dlq > 0 {
            segments.push(Segment::new(4, vec![(format!("dlq {}", books.dlq), Role::Warn)]));
        }
    }
    let counted = [
        ("lost", losses.data.saturating_add(losses.daemons)),
        ("gaps", losses.events),
        ("unreadable", losses.unreadable),
    ];
    for (name, count) in counted.into_iter().filter(|(_, count)| *count > 0) {
        segments.push(Segment::new(5, vec![(format!("{name} {count}"), Role::Warn)]));
    }
    if model.slow_terminal {
        segments.push(Segment::new(6, vec![("slow tty".to_owned(), Role::Warn)]));
    }
    segments
}

/// How many things a trader should know although nothing failed; the system screen names them.
fn concerns(books: &Books) -> usize {
    let lease = usize::from(books.fencing_token.is_none());
    let clock = usize::from(books.venue_skew_ms.and_then(skew_words).is_some());
    books.halted.len() + books.bus_concerns.len() + books.limit_concerns.len() + lease + clock
}
