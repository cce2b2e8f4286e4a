//! The parameters of a strategy and the limits that are in force: values, what each may hold and means, and who set them.

use super::Sheet;
use crate::domain::{ParamDoc, ParamsInForce, StrategyId};
use crate::ui::model::Model;
use crate::ui::theme::Role;

/// Writes a strategy's parameters down, and which limits it trades under.
pub(super) fn of(model: &Model, strategy: &StrategyId, sheet: &mut Sheet) {
    let Some(params) = model.desk.parameters.of(strategy) else { return };
    sheet.heading("Parameters");
    sheet.text("in force", &in_words(model, params));
    limits(model, sheet);
    sheet.text("to change one", &format!("cockpit params set {strategy} NAME=VALUE --why REASON"));
    let Some(book) = model.desk.parameters.book(strategy) else {
        sheet.gap();
        sheet.fields(params.values.iter().map(|(name, value)| (name.as_str(), value.clone(), Role::Text)).collect());
        return;
    };
    let cols = sheet.label_cols(book.table.iter().map(|doc| doc.name.as_str()));
    for doc in &book.table {
        let value = params.values.get(&doc.name).map_or("-", String::as_str);
        sheet.gap();
        documented(doc, value, cols, sheet);
    }
}

/// Writes down which version of the limits is in force.
pub(super) fn limits(model: &Model, sheet: &mut Sheet) {
    match model.desk.parameters.limits() {
        Some(limits) => sheet.text("risk limits", &in_words(model, limits)),
        None => sheet.field("risk limits", "Hermes has not told which are in force", Role::Dim),
    }
}

/// `version 3, set 2026-11-22T11:55:00.000Z by cli:alice: a calm night`.
fn in_words(model: &Model, params: &ParamsInForce) -> String {
    let set = model.desk.parameters.version(params);
    let set = set.map_or_else(String::new, |set| format!(", set {} by {}: {}", set.at, set.by, set.why));
    format!("version {}{set}", params.version)
}

fn documented(doc: &ParamDoc, value: &str, cols: usize, sheet: &mut Sheet) {
    let gap = if doc.unit.is_empty() { "" } else { " " };
    let fixed = if doc.fixed { "; fixed while the desk runs" } else { "" };
    sheet.labelled(cols, &doc.name, &format!("{value}{gap}{}", doc.unit), Role::Text);
    sheet.labelled(cols, "", &format!("{}{fixed}. {}", doc.allowed, doc.doc), Role::Dim);
}
