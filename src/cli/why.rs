//! `cockpit orders --why`: everything that is known about one order, and where its time went.

use std::fmt::Write as _;

use serde_json::json;

use super::output::{clock_time, print};
use super::text::COLUMNS;
use super::{CliError, print_json};
use crate::bus::decode;
use crate::domain::{
    DeadLetterState, Figure, Journal, Rationale, Reached, Share, SignalEntry, Timestamp, Waterfall, span_us,
};
use crate::store::books::{Books, Story};
use crate::text::{lines, safe};

/// What stands under a word of the first column.
const MARGIN: &str = "           ";
/// Width of the bars, so that a line of the waterfall has 80 columns.
const BAR: usize = 41;

pub(super) async fn run(books: &Books, id: &str, as_json: bool) -> Result<(), CliError> {
    let named = books.named(id).await.map_err(anyhow::Error::from)?;
    let Some((intent, attempt)) = named.last() else {
        return Err(CliError::Usage(format!("no order or intent begins with '{id}'; `cockpit orders` lists them")));
    };
    if let Some((other, _)) = named.iter().find(|(other, _)| other != intent) {
        return Err(CliError::Usage(format!("'{id}' is not unique: {other} and {intent} begin so")));
    }
    let story = books.story(intent, *attempt).await.map_err(anyhow::Error::from)?;
    let Some(story) = story else {
        return Err(CliError::Failed(anyhow::anyhow!("order {intent} attempt {attempt} is gone")));
    };
    if as_json { print_json(&document(&story)) } else { print(&text(&story)) }
}

/// The entry that asked for it, as far as it can be read.
fn signal(story: &Story) -> Option<Result<SignalEntry, String>> {
    let received = story.received.as_ref()?;
    Some(
        decode::<SignalEntry>(received.payload.as_bytes())
            .map(|envelope| envelope.body)
            .map_err(|error| error.to_string()),
    )
}

fn document(story: &Story) -> serde_json::Value {
    let waterfall: Vec<_> = Waterfall::of(&story.row.order)
        .steps()
        .iter()
        .map(|reached| {
            let Reached { step, at, took_us, total_us } = *reached;
            json!({"step": step, "at": at, "took_us": took_us, "total_us": total_us})
        })
        .collect();
    let signal = signal(story);
    let journals: Vec<_> =
        story.journals.iter().map(|(seq, journal)| json!({"seq": seq, "journal": journal})).collect();
    json!({
        "order": story.row,
        "lease": story.row.token,
        "attempts": story.attempts,
        "signal": signal.as_ref().and_then(|signal| signal.as_ref().ok()),
        "entry": story.received.as_ref().map(|row| &row.entry),
        "boot": story.received.as_ref().map(|row| &row.boot),
        "waterfall": waterfall,
        "events": story.events,
        "fills": story.fills,
        "journals": journals,
        "dead_letters": story.letters,
    })
}

// Writing to a string cannot fail, hence the results that are dropped below.

fn text(story: &Story) -> String {
    let mut text = String::new();
    heading(&mut text, story);
    reasons(&mut text, story);
    text.push_str(&waterfall(&Waterfall::of(&story.row.order)));
    timeline(&mut text, story);
    text
}

/// Adds a line behind `head`, broken between words when it is too long; what follows stands under its beginning.
fn wrapped(text: &mut String, head: &str, line: &str) {
    let margin = head.chars().count();
    for (at, line) in lines(&safe(line), COLUMNS.saturating_sub(margin)).iter().enumerate() {
        let head = if at == 0 { head } else { "" };
        let _ = writeln!(text, "{head:<margin$}{line}");
    }
}

fn heading(text: &mut String, story: &Story) {
    let (order, intent) = (&story.row.order, &story.row.order.intent);
    wrapped(text, "order      ", order.order.as_ref().map_or("not signed", |id| id.as_str()));
    let whose = if story.row.adopted { "adopted: not ours by intent".to_owned() } else { intent.strategy.to_string() };
    wrapped(text, "intent     ", &format!("{} ({whose})", intent.intent));
    if story.attempts.len() > 1 {
        wrapped(text, "attempt    ", &format!("{} of {:?}", intent.attempt, story.attempts));
    }
    let post_only = if intent.post_only { ", post only" } else { "" };
    let wanted = format!("{} {} at {}, {}{post_only}", intent.side, intent.size, intent.price, intent.tif);
    wrapped(text, "wanted     ", &wanted);
    wrapped(text, MARGIN, &format!("{} in {}", intent.outcome, intent.slug));
    let reason = order.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    let stands = format!("{}, {} of {} matched{reason}", order.state, order.matched, intent.size);
    wrapped(text, "stands     ", &stands);
    if let Some(received) = &story.received {
        wrapped(text, "taken      ", &format!("entry {}, run {}", received.entry, received.boot));
    }
    wrapped(text, "written    ", &format!("under lease {}, in epoch {}", story.row.token, intent.epoch));
}

fn reasons(text: &mut String, story: &Story) {
    let Some(signal) = signal(story) else { return };
    text.push('\n');
    let signal = match signal {
        Ok(signal) => signal,
        Err(error) => return wrapped(text, "why        ", &format!("the entry cannot be read: {error}")),
    };
    decision(text, &signal);
    text.push_str("\nRISK\n");
    for check in &signal.checks {
        let verdict = if check.passed { "ok" } else { "NO" };
        let head = format!("  {verdict}  {:<18} ", check.control.to_string());
        wrapped(text, &head, &format!("{} (limit {})", check.value, check.limit));
    }
}

/// What the strategy went by.
fn decision(text: &mut String, signal: &SignalEntry) {
    let (why, strategy) = (&signal.rationale, &signal.intent.strategy);
    wrapped(text, "why        ", &why.note.to_string());
    let parameters = match why.params {
        0 => "parameters of a version that is not known".to_owned(),
        version => format!("parameters of {strategy}, version {version} (cockpit params history {strategy})"),
    };
    wrapped(text, MARGIN, &parameters);
    let (crossed, by) = why.crossing();
    wrapped(text, MARGIN, &format!("{}: {crossed} {by}", why.source));
    if why.has_window() {
        let Rationale { window_ticks, window_ms, first, last, .. } = why;
        wrapped(text, MARGIN, &format!("{window_ticks} ticks in {window_ms} ms, {first} to {last}"));
    }
    wrapped(text, MARGIN, &format!("priced against {}", why.reference));
    if let (Some(fair), Some(edge)) = (why.fair, why.edge) {
        wrapped(text, MARGIN, &format!("reckoned worth {fair}, of which price and fee leave {edge}"));
    }
    for (at, Figure { name, value }) in why.inputs.iter().enumerate() {
        let head = if at == 0 { "inputs     " } else { MARGIN };
        wrapped(text, head, &format!("{name}: {value}"));
    }
}

/// A line for each step, its bar from where the one before ended.
fn waterfall(way: &Waterfall) -> String {
    let mut text = String::from("\nSTEP             TOOK       TOTAL\n");
    for (reached, share) in way.shares(BAR) {
        text.push_str(&line(reached, share));
        text.push('\n');
    }
    text
}

fn line(reached: &Reached, share: Share) -> String {
    let bar = match share {
        Share::Within { before, own } => format!("{}{}", " ".repeat(before), "#".repeat(own)),
        Share::Beyond => format!("{}>", " ".repeat(BAR - 1)),
    };
    let (took, total) = (span_us(reached.took_us), span_us(reached.total_us));
    format!("{:<10} {took:>10}  {total:>10}   {bar}", reached.step)
}

fn timeline(text: &mut String, story: &Story) {
    let mut lines: Vec<(Timestamp, i64, String)> = Vec::new();
    for event in &story.events {
        let order = &event.row.order;
        let reason = order.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
        let line = format!("order {}: {}, matched {}{reason}", event.what, order.state, order.matched);
        lines.push((event.at, event.seq, line));
    }
    for event in &story.fills {
        let fill = &event.fill;
        let trade: String = fill.trade.as_str().chars().take(10).collect();
        let line = format!("fill {trade}: {} at {}, fee {}, {}", fill.size, fill.price, fill.fee, fill.status);
        lines.push((event.at, event.seq, line));
    }
    lines.sort_by_key(|(_, seq, _)| *seq);
    let _ = writeln!(text, "\nHISTORY");
    for (at, seq, line) in &lines {
        let millis = at.micros().rem_euclid(1_000_000) / 1_000;
        wrapped(text, &format!("{}.{millis:03} {seq:>6}  ", clock_time(*at)), line);
    }
    for (seq, journal) in &story.journals {
        let _ = writeln!(text, "\nJOURNAL {}, row {seq}", journal.kind);
        postings(text, journal);
    }
    for letter in &story.letters {
        let _ = writeln!(text, "\nDEAD LETTER {}", letter.id);
        wrapped(text, "  ", &letter.last_error);
        let sent = match letter.posts {
            0 => "never sent".to_owned(),
            1 => "sent once".to_owned(),
            posts => format!("sent {posts} times"),
        };
        wrapped(text, "  ", &format!("{sent}; {}", done(&letter.state)));
    }
}

fn postings(text: &mut String, journal: &Journal) {
    for posting in &journal.postings {
        let account = serde_json::to_string(&posting.account).unwrap_or_default().replace(['"', '{', '}'], "");
        let asset = match &posting.asset {
            crate::domain::Asset::Usd => "pUSD".to_owned(),
            crate::domain::Asset::Token(token) => {
                format!("shares of {}", token.as_str().chars().take(10).collect::<String>())
            }
        };
        let _ = writeln!(text, "  {account:<24} {:>16} {asset}", posting.amount.normalize());
    }
    if let Some(note) = &journal.note {
        wrapped(text, "  ", note);
    }
}

/// What was done about a dead letter.
pub(super) fn done(state: &DeadLetterState) -> String {
    match state {
        DeadLetterState::Waiting => "nothing was done about it".to_owned(),
        DeadLetterState::Retried { attempt, by, at } => {
            format!("{by} had it tried again at {at}, as attempt {attempt}")
        }
        DeadLetterState::Dropped { by, why, at } => format!("{by} dropped it at {at}: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waterfall_fits_eighty_columns() {
        let reached = |took_us, total_us| Reached { step: "confirmed", at: Timestamp::default(), took_us, total_us };
        let whole = line(&reached(1_090, 2_000), Share::Within { before: 0, own: BAR });
        assert!(whole.chars().count() <= 80 && whole.contains("1.0 ms") && whole.contains("2.0 ms"), "{whole}");
        let last = line(&reached(-600, 910), Share::Within { before: BAR - 1, own: 1 });
        assert!(
            last.chars().count() == whole.chars().count() && last.contains("-600 us") && last.ends_with(" #"),
            "{last}"
        );
        let beyond = line(&reached(60_000_000, 65_000_000), Share::Beyond);
        assert!(
            beyond.chars().count() == whole.chars().count() && beyond.contains("1 min 0 s") && beyond.ends_with(" >"),
            "{beyond}"
        );
    }

    #[test]
    fn what_a_venue_says_stays_on_its_lines() {
        let mut text = String::new();
        wrapped(&mut text, "reason  ", &format!("not\u{1b}[2J enough\n{}", "balance ".repeat(12).trim()));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("reason  not[2J enough balance"), "{text}");
        assert!(lines[1].starts_with("        balance") && lines.iter().all(|line| line.len() <= 80), "{text}");
    }
}
