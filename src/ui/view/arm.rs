//! Lifting the kill: hard on purpose. A word must be typed, and the desk has the last say.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::popup;
use crate::ui::format;
use crate::ui::model::Model;
use crate::ui::model::control::ARM_WORD;
use crate::ui::model::flow::Flow;
use crate::ui::theme::{Role, Theme};
use crate::ui::widgets::text::{Line, put_line};

/// Draws the layer.
pub(super) fn draw(model: &Model, input: &str, body: Rect, theme: Theme, buf: &mut Buffer) {
    let lines = lines(model, input, popup::text_width(body));
    let inner = popup::frame(buf, body, "Arm", &Line::new(), lines.len(), theme);
    for (line, y) in lines.iter().zip(inner.y..inner.bottom()) {
        put_line(buf, inner, y, line, theme);
    }
}

fn lines(model: &Model, input: &str, cols: usize) -> Vec<Line> {
    let mut lines = vec![
        vec![
            ("type ".to_owned(), Role::Text),
            (ARM_WORD.to_owned(), Role::Key),
            (" and press ".to_owned(), Role::Text),
            ("enter".to_owned(), Role::Key),
            (": ".to_owned(), Role::Text),
            (format!("{input}▏"), if input == ARM_WORD { Role::Good } else { Role::Text }),
        ],
        status(model, input),
    ];
    let reasons: Vec<String> = match &model.arm {
        Flow::Denied(reasons) => reasons.iter().map(|reason| format!("- {}", format::clean(reason))).collect(),
        Flow::Failed(error) => vec![format!("- {error}")],
        Flow::Idle | Flow::Sending { .. } | Flow::Waiting { .. } | Flow::Applied => Vec::new(),
    };
    for reason in reasons {
        lines.extend(format::wrap(&reason, cols).into_iter().map(|text| vec![(text, Role::Bad)]));
    }
    if matches!(model.arm, Flow::Idle) {
        let text = format!(
            "Orders may be sent again at once, in {} mode. Hermes refuses while the books are not clean.",
            model.mode()
        );
        lines.extend(format::wrap(&text, cols).into_iter().map(|text| vec![(text, Role::Dim)]));
    }
    lines
}

fn status(model: &Model, input: &str) -> Line {
    let since = |at| format::age(model.now.since(at));
    let (text, role) = match &model.arm {
        Flow::Idle if !ARM_WORD.starts_with(input) => ("not the word: nothing is asked by it".to_owned(), Role::Warn),
        Flow::Idle if model.desk.killed() == Some(false) => ("the desk is armed already".to_owned(), Role::Warn),
        Flow::Idle => ("nothing was asked yet".to_owned(), Role::Dim),
        Flow::Sending { since: at } => (format!("sending, {}", since(*at)), Role::Warn),
        Flow::Waiting { since: at, late: true, .. } => {
            (format!("NO ANSWER for {}: is Hermes up? A late answer still counts; or ask again", since(*at)), Role::Bad)
        }
        Flow::Waiting { since: at, accepted_by: Some(by), .. } => {
            (format!("accepted by {}, {}", format::clean(by), since(*at)), Role::Warn)
        }
        Flow::Waiting { since: at, .. } => (format!("asked, waiting for an answer, {}", since(*at)), Role::Warn),
        Flow::Denied(_) => ("REFUSED".to_owned(), Role::Bad),
        Flow::Failed(_) => ("FAILED".to_owned(), Role::Bad),
        Flow::Applied => ("armed".to_owned(), Role::Good),
    };
    vec![(text, role)]
}
