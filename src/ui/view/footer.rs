//! The last line: the newest report, or the screens and what the keys do.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::ui::format;
use crate::ui::keymap::Action;
use crate::ui::model::Model;
use crate::ui::model::screens::Screen;
use crate::ui::theme::{Role, Theme};
use crate::ui::widgets::strip::{Segment, strip};
use crate::ui::widgets::text::Line;

type Hint = (Action, &'static str, u8);

const HELP: [Hint; 2] = [(Action::Help, "help", 0), (Action::Palette, "run", 2)];
const OF_PANELS: [Hint; 3] = [(Action::NextPane, "panel", 1), (Action::Open, "why", 1), (Action::Zoom, "zoom", 3)];
const OF_LETTERS: [Hint; 3] = [(Action::Open, "open", 2), (Action::Retry, "retry", 1), (Action::Drop, "drop", 1)];
const OF_FACTS: [Hint; 1] = [(Action::Open, "open", 2)];
const GENERAL: [Hint; 3] = [(Action::Down, "row", 4), (Action::Messages, "messages", 5), (Action::Quit, "quit", 1)];

/// What the keys do on a screen.
fn hints(screen: Screen) -> impl Iterator<Item = &'static Hint> {
    let own = match screen {
        Screen::Overview => &OF_PANELS[..],
        Screen::Dlq => &OF_LETTERS[..],
        Screen::Risk | Screen::System => &OF_FACTS,
    };
    HELP.iter().chain(own).chain(&GENERAL)
}

/// Draws the line.
pub(super) fn draw(model: &Model, theme: Theme, area: Rect, buf: &mut Buffer) {
    if let Some(notice) = model.notices.shown() {
        let times = if notice.times > 1 { format!(" (x{})", notice.times) } else { String::new() };
        let text = format!("{} {}{times}", format::clock(notice.at), notice.text);
        let right: Line = vec![(model.keymap.hint(Action::Close), Role::Key), (" dismiss".to_owned(), Role::Dim)];
        strip(buf, area, vec![Segment::new(0, vec![(text, notice.role())])], &right, theme);
        return;
    }
    let mut segments: Vec<Segment> = Screen::ALL.iter().map(|screen| tab(model, *screen)).collect();
    segments.extend(hints(model.panes.screen()).map(|(action, what, rank)| {
        let line = vec![(model.keymap.hint(*action), Role::Key), (format!(" {what}"), Role::Dim)];
        Segment::new(*rank, line)
    }));
    strip(buf, area, segments, &vec![(format::clock(model.now), Role::Dim)], theme);
}

/// A screen's key and name; the one that is shown stands out and stays longest.
fn tab(model: &Model, screen: Screen) -> Segment {
    let shown = model.panes.screen() == screen;
    let (rank, role) = if shown { (0, Role::Selected) } else { (1, Role::Dim) };
    let name = format!(" {} ", screen.title());
    Segment::new(rank, vec![(model.keymap.hint(screen.action()), Role::Key), (name, role)])
}
