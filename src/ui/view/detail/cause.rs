//! What a decision came from: the intent, the strategy's figures and inputs, what each check measured.

use super::Sheet;
use crate::domain::{CheckResult, Figure, OrderIntent, Rationale, StrategyId};
use crate::ui::format;
use crate::ui::theme::Role;

/// What was wanted, in a line.
pub(in crate::ui::view) fn wanted(intent: &OrderIntent) -> String {
    let notional = intent.price.notional(intent.size);
    format!(
        "{} {} {} at {} = {} pUSD, {}{}",
        intent.side,
        intent.size,
        intent.outcome,
        intent.price,
        format::usd(notional),
        intent.tif,
        if intent.post_only { ", post-only" } else { "" }
    )
}

/// What was wanted, in full.
pub(super) fn intent(intent: &OrderIntent, sheet: &mut Sheet) {
    sheet.heading("Intent");
    sheet.text("wanted", &wanted(intent));
    sheet.text("market", intent.slug.as_str());
    sheet.text("strategy", intent.strategy.as_str());
    sheet.text("intent id", intent.intent.as_str());
    sheet.text("epoch", &format!("{}, attempt {}", intent.epoch, intent.attempt));
}

/// Why the strategy wanted it, with everything that it looked at.
pub(super) fn rationale(strategy: &StrategyId, why: &Rationale, sheet: &mut Sheet) {
    sheet.heading("Rationale");
    sheet.text("note", &why.note.to_string());
    parameters(strategy, why.params, sheet);
    sheet.text("watched", why.source.as_str());
    let (crossed, by) = why.crossing();
    sheet.text(crossed, &by);
    if why.has_window() {
        let window =
            format!("{}, {} ticks, {} -> {}", format::span_ms(why.window_ms), why.window_ticks, why.first, why.last);
        sheet.text("window", &window);
    }
    sheet.text("book price", &why.reference.to_string());
    sheet.text("fair value", &why.fair.map_or_else(|| "not reckoned".to_owned(), |fair| fair.to_string()));
    if let Some(edge) = why.edge {
        sheet.text("edge", &format!("{edge} after price and fee"));
    }
    inputs(&why.inputs, sheet);
}

/// Which version of a strategy's parameters decided.
pub(super) fn parameters(strategy: &StrategyId, version: u64, sheet: &mut Sheet) {
    let text = if version == 0 {
        "of a version that is not known".to_owned()
    } else {
        format!("{strategy} version {version}")
    };
    sheet.text("parameters", &text);
}

/// Everything that was looked at.
pub(super) fn inputs(inputs: &[Figure], sheet: &mut Sheet) {
    if inputs.is_empty() {
        return;
    }
    sheet.heading("Inputs");
    let names: Vec<_> = inputs.iter().map(|figure| figure.name.to_string()).collect();
    let figures = names.iter().zip(inputs).map(|(name, figure)| (name.as_str(), figure.value.to_string(), Role::Text));
    sheet.fields(figures.collect());
}

/// What a gate measured, check by check.
pub(super) fn checks(title: &str, checks: &[CheckResult], sheet: &mut Sheet) {
    if checks.is_empty() {
        return;
    }
    sheet.heading(title);
    let names: Vec<_> = checks.iter().map(|check| check.control.to_string()).collect();
    let measured = names.iter().zip(checks).map(|(name, check)| {
        let (mark, role) = if check.passed { ("✓", Role::Good) } else { ("✗", Role::Bad) };
        (name.as_str(), format!("{mark} {} (limit {})", check.value, check.limit), role)
    });
    sheet.fields(measured.collect());
}
