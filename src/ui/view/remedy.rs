//! The questions before a dead letter is retried or dropped: what it is, and what will happen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::popup;
use crate::ui::format;
use crate::ui::keymap::Action;
use crate::ui::model::Model;
use crate::ui::model::letters::Remedy;
use crate::ui::model::panes::RowId;
use crate::ui::theme::{Role, Theme};
use crate::ui::widgets::text::{Line, put_line};

/// Draws the layer; `why` is what was typed so far.
pub(super) fn draw(
    model: &Model,
    (letter, remedy, why): (&str, Remedy, &str),
    body: Rect,
    theme: Theme,
    buf: &mut Buffer,
) {
    let lines = lines(model, letter, remedy, why, popup::text_width(body));
    let title = match remedy {
        Remedy::Retry => "Retry?",
        Remedy::Drop => "Drop?",
    };
    let inner = popup::frame(buf, body, title, &Line::new(), lines.len(), theme);
    for (line, y) in lines.iter().zip(inner.y..inner.bottom()) {
        put_line(buf, inner, y, line, theme);
    }
}

/// What must be seen comes first: there may be room for little.
fn lines(model: &Model, letter: &str, remedy: Remedy, why: &str, cols: usize) -> Vec<Line> {
    let text = |text: &str, role: Role| -> Vec<Line> {
        format::wrap(&format::clean(text), cols).into_iter().map(|text| vec![(text, role)]).collect()
    };
    let Some(row) = model.desk.letters.rows().find(&RowId::Letter(letter.to_owned())) else {
        return text("it is no longer kept here", Role::Warn);
    };
    let (letter, intent) = (&row.item.letter, &row.item.intent);
    let mut what = match intent {
        Some(intent) => text(&super::detail::wanted(intent), Role::Text),
        None => text("an entry that cannot be read", Role::Text),
    };
    what.extend(intent.iter().flat_map(|intent| text(&format!("{} in {}", intent.strategy, intent.slug), Role::Text)));
    let error = text(&format!("{}: {}", letter.reason, letter.last_error), Role::Dim);
    let keys = keys(model, remedy, why);
    match remedy {
        Remedy::Retry => {
            let next = letter.attempt.saturating_add(1);
            let told = format!("Attempt {next} in {} mode: a fresh deadline, and every gate again.", model.mode());
            [what, vec![keys], vec![Line::new()], text(&told, Role::Warn), error].concat()
        }
        Remedy::Drop => {
            let input = vec![("why: ".to_owned(), Role::Text), (format!("{why}▏"), Role::Good)];
            let told = text("It stays on record and is never tried again.", Role::Warn);
            [vec![input, keys, Line::new()], what, error, told].concat()
        }
    }
}

fn keys(model: &Model, remedy: Remedy, why: &str) -> Line {
    let deed = match remedy {
        Remedy::Retry => " retries  ",
        Remedy::Drop if why.trim().is_empty() => " needs a reason  ",
        Remedy::Drop => " drops  ",
    };
    vec![
        (model.keymap.hint(Action::Open), Role::Key),
        (deed.to_owned(), Role::Dim),
        (model.keymap.hint(Action::Close), Role::Key),
        (" leaves it as it is".to_owned(), Role::Dim),
    ]
}
