//! What an order came from: the intent, the strategy's inputs, what each check measured.

use super::Sheet;
use crate::domain::OrderIntent;
use crate::ui::format;
use crate::ui::model::cells::SignalItem;
use crate::ui::theme::Role;

/// What was wanted, in a line.
pub(in crate::ui::view) fn wanted(intent: &OrderIntent) -> String {
    let notional = intent.price.notional(intent.size);
    format!(
        "{} {} {} at {} = {} pUSD, {:?}{}",
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

/// Why the strategy wanted it and what the gate measured.
pub(super) fn rationale(item: &SignalItem, sheet: &mut Sheet) {
    if let Some(why) = &item.rationale {
        sheet.heading("Rationale");
        sheet.text("note", &why.note);
        let change =
            format!("{} against threshold {}", format::percent(why.change, 4), format::percent(why.threshold, 4));
        sheet.text("change", &change);
        let window =
            format!("{}, {} ticks, {} -> {}", format::span_ms(why.window_ms), why.window_ticks, why.first, why.last);
        sheet.text("window", &window);
        sheet.text("watched", why.source.as_str());
        sheet.text("book price", &why.reference.to_string());
    }
    if !item.checks.is_empty() {
        sheet.heading("Checks at approval");
        for check in &item.checks {
            let (mark, role) = if check.passed { ("✓", Role::Good) } else { ("✗", Role::Bad) };
            sheet.field(&check.control.to_string(), &format!("{mark} {} (limit {})", check.value, check.limit), role);
        }
    }
}
