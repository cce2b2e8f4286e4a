//! Lifting the kill: hard on purpose. A word must be typed, and the desk has the last say.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::popup;
use crate::ui::format;
use crate::ui::model::Model;
use crate::ui::model::control::{ARM_WORD, ArmFlow};
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
        status(model),
    ];
    let reasons: Vec<String> = match &model.arm {
        ArmFlow::Denied(reasons) => reasons.iter().map(|reason| format!("- {}", format::clean(reason))).collect(),
        ArmFlow::Failed(error) => vec![format!("- {error}")],
        ArmFlow::Idle | ArmFlow::Sending { .. } | ArmFlow::Waiting { .. } | ArmFlow::Applied => Vec::new(),
    };
    for reason in reasons {
        lines.extend(format::wrap(&reason, cols).into_iter().map(|text| vec![(text, Role::Bad)]));
    }
    if matches!(model.arm, ArmFlow::Idle) {
        let text = format!(
            "Orders may be sent again at once, in {} mode. Hermes refuses while the books are not clean.",
            model.mode()
        );
        lines.extend(format::wrap(&text, cols).into_iter().map(|text| vec![(text, Role::Dim)]));
    }
    lines
}

fn status(model: &Model) -> Line {
    let since = |at| format::age(model.now.since(at));
    let (text, role) = match &model.arm {
        ArmFlow::Idle if model.desk.killed() == Some(false) => ("the desk is armed already".to_owned(), Role::Warn),
        ArmFlow::Idle => ("nothing was asked yet".to_owned(), Role::Dim),
        ArmFlow::Sending { since: at } => (format!("sending, {}", since(*at)), Role::Warn),
        ArmFlow::Waiting { since: at, late: true, .. } => {
            (format!("NO ANSWER for {}: is Hermes up? A late answer still counts; or ask again", since(*at)), Role::Bad)
        }
        ArmFlow::Waiting { since: at, accepted_by: Some(by), .. } => {
            (format!("accepted by {}, {}", format::clean(by), since(*at)), Role::Warn)
        }
        ArmFlow::Waiting { since: at, .. } => (format!("asked, waiting for an answer, {}", since(*at)), Role::Warn),
        ArmFlow::Denied(_) => ("REFUSED".to_owned(), Role::Bad),
        ArmFlow::Failed(_) => ("FAILED".to_owned(), Role::Bad),
        ArmFlow::Applied => ("armed".to_owned(), Role::Good),
    };
    vec![(text, role)]
}
