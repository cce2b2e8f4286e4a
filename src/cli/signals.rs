//! `cockpit signals`: what the strategies wanted, what was denied or skipped, and why.

mod record;
mod why;

use self::record::{Kind, Record};
use super::desk::Desk;
use super::output::{print, print_data};
use super::{CliError, Globals, print_json};
use crate::bus::EntryId;
use crate::domain::{IntentId, TradeEvent};

/// Arguments of `cockpit signals`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Everything about one of them: its id, or as much of it as is unique.
    #[arg(long, value_name = "ID", conflicts_with_all = ["csv", "denied", "skipped", "limit"])]
    why: Option<String>,
    /// Only what was denied, by Athena or by Hermes.
    #[arg(long)]
    denied: bool,
    /// Only crossings that did not become a wish.
    #[arg(long)]
    skipped: bool,
    /// How many, the newest.
    #[arg(long, default_value_t = 20)]
    limit: usize,
    /// Print as one line of JSON.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print as CSV with a heading.
    #[arg(long)]
    csv: bool,
}

pub(super) async fn run(globals: &Globals, args: &Args) -> Result<(), CliError> {
    let desk = Desk::of(&globals.config()?)?;
    if let Some(wanted) = &args.why {
        return explain(&desk, wanted, args.json).await;
    }
    let mut records = std::collections::VecDeque::new();
    each(&desk, |event| {
        let Some(record) = Record::of(event) else { return };
        let all = !args.denied && !args.skipped;
        if all || (args.denied && record.kind == Kind::Denied) || (args.skipped && record.kind == Kind::Skipped) {
            records.push_back(record);
            if records.len() > args.limit {
                records.pop_front();
            }
        }
    })
    .await?;
    if args.json {
        return print_json(&records);
    }
    let heading = args.csv.then(|| record::HEADING.to_owned());
    let lines = records.iter().map(|record| if args.csv { record.csv() } else { record.line() });
    let text: String = heading.into_iter().chain(lines).map(|line| line + "\n").collect();
    if args.csv { print_data(&text) } else { print(&text) }
}

/// Hands every event that the stream holds to `take`, oldest first, a page at a time.
async fn each(desk: &Desk, mut take: impl FnMut(TradeEvent)) -> Result<(), CliError> {
    let mut after = EntryId::START;
    while let Some((last, events)) = desk.events(after).await? {
        events.into_iter().for_each(&mut take);
        after = last;
    }
    Ok(())
}

/// Which signal, denial, skip or order an event is about.
fn subject(event: &TradeEvent) -> Option<&IntentId> {
    match event {
        TradeEvent::Signal(entry) => Some(&entry.intent.intent),
        TradeEvent::Denied { intent, .. } => Some(&intent.intent),
        TradeEvent::Skipped(skip) => Some(&skip.id),
        TradeEvent::Order(order) => Some(&order.intent.intent),
        TradeEvent::Withdrawn(withdrawn) => Some(&withdrawn.intent),
        TradeEvent::DeadLetter(letter) => letter.intent.as_ref(),
        _ => None,
    }
}

async fn explain(desk: &Desk, wanted: &str, json: bool) -> Result<(), CliError> {
    let mut found: Vec<(IntentId, TradeEvent)> = Vec::new();
    each(desk, |event| {
        let Some(id) = subject(&event).filter(|id| id.as_str().contains(wanted)).cloned() else { return };
        // Of an order only its newest state tells more than the one before.
        if matches!(event, TradeEvent::Order(_)) {
            found.retain(|(known, event)| *known != id || !matches!(event, TradeEvent::Order(_)));
        }
        found.push((id, event));
    })
    .await?;
    let mut ids: Vec<_> = found.iter().map(|(id, _)| id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    match ids[..] {
        [] => Err(CliError::Usage(format!("no signal, denial or skip '{wanted}' among the events that are kept"))),
        [_] => {
            let events: Vec<_> = found.into_iter().map(|(_, event)| event).collect();
            if json {
                return print_json(&events);
            }
            why::print(&events)
        }
        _ => {
            let some: Vec<_> = ids.iter().take(5).copied().collect();
            let more = if ids.len() > some.len() { ", ..." } else { "" };
            Err(CliError::Usage(format!("'{wanted}' is part of {} ids: {}{more}", ids.len(), some.join(", "))))
        }
    }
}
