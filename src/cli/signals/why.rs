//! Everything about one signal, denial or skip, for a terminal of 80 columns.

use super::super::CliError;
use super::super::output::say;
use super::super::text::{COLUMNS, labelled, under};
use crate::domain::{
    CheckResult, DeadLetter, DeniedBy, Figure, Order, OrderIntent, Rationale, Side, SignalEntry, Skip, StrategyId,
    Timestamp, TradeEvent, Withdrawal,
};

/// Where values begin.
const INDENT: usize = 16;

/// Prints what the events of one id tell, in their order.
pub(super) fn print(events: &[TradeEvent]) -> Result<(), CliError> {
    let mut explained = false;
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            say!("")?;
        }
        match event {
            TradeEvent::Signal(SignalEntry { intent, rationale, checks, doubt }) => {
                say!("SIGNAL  {}", intent.intent)?;
                if let Some(doubt) = doubt {
                    labelled("in doubt", INDENT, &format!("whether Hermes was given it: {doubt}"))?;
                }
                wanted(intent, Some(rationale))?;
                judged(checks)?;
                times(intent, intent.created_at)?;
                explained = true;
            }
            TradeEvent::Denied { by, intent, denial, rationale, checks, at } => {
                let by = match by {
                    DeniedBy::Athena => "Athena, before it was emitted",
                    DeniedBy::Hermes => "Hermes, before it was sent",
                };
                say!("DENIED  {}", intent.intent)?;
                labelled("by", INDENT, by)?;
                labelled("because", INDENT, &denial.to_string())?;
                if !explained {
                    wanted(intent, rationale.as_ref())?;
                }
                judged(checks)?;
                times(intent, *at)?;
                explained = true;
            }
            TradeEvent::Skipped(skip) => skipped(skip)?,
            TradeEvent::Order(order) => self::order(order)?,
            TradeEvent::Withdrawn(Withdrawal { intent, denial, at }) => {
                say!("WITHDRAWN  {intent}")?;
                labelled("because", INDENT, &denial.to_string())?;
                labelled("at", INDENT, &at.to_string())?;
            }
            TradeEvent::DeadLetter(letter) => dead(letter)?,
            _ => {}
        }
    }
    Ok(())
}

fn wanted(intent: &OrderIntent, rationale: Option<&Rationale>) -> Result<(), CliError> {
    let OrderIntent { side, size, outcome, slug, price, .. } = intent;
    let better = match side {
        Side::Buy => "or less",
        Side::Sell => "or more",
    };
    labelled("wanted", INDENT, &format!("{side} {size} {outcome} of {slug} at {price} {better}"))?;
    let Some(rationale) = rationale else { return Ok(()) };
    labelled("why", INDENT, &rationale.note.to_string())?;
    parameters(&intent.strategy, rationale.params)?;
    labelled("source", INDENT, rationale.source.as_str())?;
    let (crossed, by) = rationale.crossing();
    labelled(crossed, INDENT, &by)?;
    let Rationale { window_ticks, window_ms, first, last, reference, .. } = rationale;
    if rationale.has_window() {
        labelled("window", INDENT, &format!("{window_ticks} ticks in {window_ms} ms, {first} to {last}"))?;
    }
    labelled("priced against", INDENT, &reference.to_string())?;
    if let (Some(fair), Some(edge)) = (rationale.fair, rationale.edge) {
        labelled("worth", INDENT, &format!("{fair}, edge {edge} after price and fee"))?;
    }
    inputs(&rationale.inputs)
}

fn parameters(strategy: &StrategyId, version: u64) -> Result<(), CliError> {
    if version == 0 {
        labelled("parameters", INDENT, "of a version that is not known")
    } else {
        labelled("parameters", INDENT, &format!("{strategy} version {version} (cockpit params history {strategy})"))
    }
}

fn inputs(inputs: &[Figure]) -> Result<(), CliError> {
    if inputs.is_empty() {
        return Ok(());
    }
    say!("inputs")?;
    for Figure { name, value } in inputs {
        labelled(&format!("  {name}"), INDENT, &value.to_string())?;
    }
    Ok(())
}

fn judged(checks: &[CheckResult]) -> Result<(), CliError> {
    if checks.is_empty() {
        return labelled("checks", INDENT, "none: it was refused before they ran");
    }
    say!("checks")?;
    checks.iter().flat_map(lines).try_for_each(|line| say!("{line}"))
}

/// A check on one line when value and limit have room side by side, else the limit under the value.
fn lines(check: &CheckResult) -> Vec<String> {
    const HEAD: usize = 29;
    const VALUE: usize = 24;
    let mark = if check.passed { "ok" } else { "FAILED" };
    let head = format!("  {mark:<6}  {}", check.control);
    let (value, limit) = (check.value.to_string(), check.limit.to_string());
    if value.chars().count() <= VALUE && HEAD + VALUE + 1 + limit.chars().count() <= COLUMNS {
        return vec![format!("{head:<HEAD$}{value:<VALUE$} {limit}")];
    }
    let mut lines = under(&head, HEAD, &value);
    lines.extend(under("", HEAD, &format!("limit: {limit}")));
    lines
}

fn times(intent: &OrderIntent, judged_at: Timestamp) -> Result<(), CliError> {
    say!("times")?;
    let received = intent.tick_received_at;
    labelled("  tick received", INDENT + 2, &received.to_string())?;
    step("  decided", intent.created_at, received)?;
    if judged_at != intent.created_at {
        step("  denied", judged_at, received)?;
    }
    labelled("  send before", INDENT + 2, &intent.deadline.to_string())?;
    labelled("  rests until", INDENT + 2, &intent.rest_until.to_string())
}

fn step(name: &str, at: Timestamp, from: Timestamp) -> Result<(), CliError> {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds to the microsecond for a person")]
    let after = (at.micros() - from.micros()) as f64 / 1_000.0;
    labelled(name, INDENT + 2, &format!("{at}  {after:+.3} ms"))
}

fn skipped(skip: &Skip) -> Result<(), CliError> {
    say!("SKIPPED  {}", skip.id)?;
    labelled("because", INDENT, &format!("{}: {}", skip.reason, skip.note))?;
    if let Some(slug) = &skip.slug {
        labelled("market", INDENT, slug.as_str())?;
    }
    parameters(&skip.strategy, skip.params)?;
    if skip.untold > 0 {
        labelled("not told", INDENT, &format!("{} crossings were skipped since the last that was told", skip.untold))?;
    }
    inputs(&skip.inputs)?;
    say!("times")?;
    step("  at the venue", skip.event_at, skip.received_at)?;
    labelled("  tick received", INDENT + 2, &skip.received_at.to_string())?;
    step("  decided", skip.at, skip.received_at)
}

fn dead(letter: &DeadLetter) -> Result<(), CliError> {
    say!("DEAD LETTER  {}", letter.id)?;
    labelled("because", INDENT, &format!("{}: {}", letter.reason, letter.last_error))?;
    if letter.first_error != letter.last_error {
        labelled("first", INDENT, &letter.first_error)?;
    }
    labelled("sent", INDENT, &format!("{} times", letter.posts))?;
    labelled("state", INDENT, &super::super::why::done(&letter.state))?;
    say!("times")?;
    labelled("  taken", INDENT + 2, &letter.first_at.to_string())?;
    labelled("  given up", INDENT + 2, &letter.last_at.to_string())
}

fn order(order: &Order) -> Result<(), CliError> {
    let id = order.order.as_ref().map_or("not signed", |id| id.as_str());
    say!("ORDER  {id}")?;
    labelled("state", INDENT, &format!("{}, matched {} of {}", order.state, order.matched, order.intent.size))?;
    if let Some(reason) = &order.reason {
        labelled("reason", INDENT, reason)?;
    }
    say!("times")?;
    let times = &order.times;
    let steps = [
        ("  consumed", times.consumed_at),
        ("  gated", times.gated_at),
        ("  signed", times.signed_at),
        ("  committed", times.committed_at),
        ("  sent", times.sent_at),
        ("  answered", times.answered_at),
        ("  matched", times.matched_at),
        ("  confirmed", times.confirmed_at),
        ("  ended", times.ended_at),
    ];
    let mut reached: Vec<_> = steps.into_iter().filter_map(|(name, at)| Some((name, at?))).collect();
    reached.sort_by_key(|(_, at)| *at);
    reached.into_iter().try_for_each(|(name, at)| step(name, at, order.intent.tick_received_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Control;

    #[test]
    fn name_value_and_limit_of_a_check_never_run_together() {
        let check = |control, value: &'static str, limit: &'static str| CheckResult {
            control,
            passed: true,
            value: value.into(),
            limit: limit.into(),
        };
        let short = lines(&check(Control::OrderSize, "20 shares", "100 shares"));
        assert_eq!(short, ["  ok      order_size         20 shares                100 shares"]);
        let named = lines(&check(Control::RepeatedExecution, "1 in 300 s", "100"));
        assert_eq!(named, ["  ok      repeated_execution 1 in 300 s               100"]);
        let wide = lines(&check(Control::MarketLoss, "43.06 pUSD in the worst outcome", "150 pUSD"));
        let margin = " ".repeat(29);
        assert_eq!(
            wide,
            [
                "  ok      market_loss        43.06 pUSD in the worst outcome".to_owned(),
                format!("{margin}limit: 150 pUSD")
            ]
        );
    }
}
