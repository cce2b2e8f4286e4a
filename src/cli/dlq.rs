//! Dead letters. They are read from the ledger, which keeps them all; what is done about one is asked of Hermes.

use serde_json::Value;

use super::desk::Desk;
use super::output::{Cell, Column, Format, print, table};
use super::{CliError, Globals, actor, print_json};
use crate::domain::{AckVerdict, Action, DeadLetter, DeadLetterState};
use crate::wire;

/// Most letters that are looked through for one id.
const ALL: u32 = 1_000_000;

/// What is done with dead letters.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// The newest ones.
    List {
        /// Only those that nothing was done about.
        #[arg(long)]
        waiting: bool,
        /// The newest so many.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        limit: u32,
        #[command(flatten)]
        format: Format,
    },
    /// Everything about one.
    Show {
        /// Its id, or the beginning of it.
        id: String,
        /// Print it as one line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Try one again: a new attempt of its intent, with a fresh deadline, through every gate.
    Retry {
        /// Its id, or the beginning of it.
        id: String,
    },
    /// Give one up.
    Drop {
        /// Its id, or the beginning of it.
        id: String,
        /// Why, for the record.
        #[arg(long)]
        why: String,
    },
    /// All of them with every field, as JSON lines, oldest first.
    Export,
}

/// Part of the interface: new ones only at the end.
const COLUMNS: [Column; 14] = [
    Column::text("last_at"),
    Column::text("id"),
    Column::text("reason"),
    Column::text("state"),
    Column::number("posts"),
    Column::text("last_error"),
    Column::hidden("intent"),
    Column::hidden("attempt"),
    Column::hidden("entry"),
    Column::hidden("first_error"),
    Column::hidden("first_at"),
    Column::hidden("build"),
    Column::hidden("state_by"),
    Column::hidden("state_at"),
];

pub(super) async fn run(globals: &Globals, command: &Command) -> Result<(), CliError> {
    match command {
        Command::List { waiting, limit, format } => {
            let shown = letters(globals, *limit).await?;
            let shown = shown.iter().filter(|letter| !waiting || letter.state == DeadLetterState::Waiting);
            table(*format, &COLUMNS, &shown.map(row).collect::<Vec<_>>())
        }
        Command::Show { id, json: true } => print_json(&named(globals, id).await?),
        Command::Show { id, json: false } => print(&described(&named(globals, id).await?)),
        Command::Retry { id } => {
            let id = named(globals, id).await?.id;
            ask(globals, Action::DlqRetry { id: id.clone() }, &format!("{id} is tried again")).await
        }
        Command::Drop { id, why } => {
            let id = named(globals, id).await?.id;
            let action = Action::DlqDrop { id: id.clone(), why: why.clone() };
            ask(globals, action, &format!("{id} is given up")).await
        }
        Command::Export => {
            let mut all = letters(globals, ALL).await?;
            all.reverse();
            let lines: Result<Vec<String>, _> = all.iter().map(serde_json::to_string).collect();
            let text: String = lines.map_err(anyhow::Error::from)?.into_iter().map(|line| line + "\n").collect();
            print(&text)
        }
    }
}

async fn letters(globals: &Globals, limit: u32) -> Result<Vec<DeadLetter>, CliError> {
    let books = wire::books(&globals.config()?)?;
    Ok(books.letters(limit).await.map_err(anyhow::Error::from)?)
}

/// The letter of that id, or the only one whose id begins like that.
async fn named(globals: &Globals, id: &str) -> Result<DeadLetter, CliError> {
    let mut found: Vec<DeadLetter> = letters(globals, ALL).await?;
    if let Some(exact) = found.iter().position(|letter| letter.id == id) {
        return Ok(found.swap_remove(exact));
    }
    found.retain(|letter| letter.id.starts_with(id));
    match found.len() {
        1 => Ok(found.swap_remove(0)),
        0 => Err(CliError::Usage(format!("no dead letter '{id}'; `cockpit dlq list` shows their ids"))),
        many => Err(CliError::Usage(format!("'{id}' is the beginning of {many} ids; give more of it"))),
    }
}

async fn ask(globals: &Globals, action: Action, done: &str) -> Result<(), CliError> {
    let ack = Desk::of(&globals.config()?)?.command(&actor("cli"), action).await?;
    match ack.verdict {
        AckVerdict::Applied => print(&format!("{done}\n")),
        AckVerdict::Accepted => print(&format!("{done}, not yet confirmed\n")),
        AckVerdict::Denied { reasons } => Err(CliError::Refused(format!("not done: {}", reasons.join("; ")))),
    }
}

fn row(letter: &DeadLetter) -> Vec<Cell> {
    let (state, by, at) = match &letter.state {
        DeadLetterState::Waiting => ("waiting", None, None),
        DeadLetterState::Retried { by, at, .. } => ("retried", Some(by), Some(at)),
        DeadLetterState::Dropped { by, at, .. } => ("dropped", Some(by), Some(at)),
    };
    vec![
        Cell::Time(letter.last_at),
        Cell::text(&letter.id),
        Cell::text(letter.reason),
        Cell::text(state),
        Cell::text(letter.posts),
        Cell::long(&letter.last_error, 60),
        Cell::maybe(letter.intent.as_ref()),
        Cell::text(letter.attempt),
        Cell::text(&letter.entry),
        Cell::text(&letter.first_error),
        Cell::Time(letter.first_at),
        Cell::text(&letter.build),
        Cell::maybe(by),
        at.map_or(Cell::Nothing, |at| Cell::Time(*at)),
    ]
}

fn described(letter: &DeadLetter) -> String {
    let intent = letter
        .intent
        .as_ref()
        .map_or_else(|| "not readable".to_owned(), |intent| format!("{intent}, attempt {}", letter.attempt));
    let state = match &letter.state {
        DeadLetterState::Waiting if letter.reason.is_retryable() => "waiting: retry it or drop it".to_owned(),
        DeadLetterState::Waiting => "waiting: it cannot be retried, only dropped".to_owned(),
        DeadLetterState::Retried { attempt, by, at } => format!("retried as attempt {attempt} by {by} at {at}"),
        DeadLetterState::Dropped { by, why, at } => format!("dropped by {by} at {at}: {why}"),
    };
    // What is not JSON is shown as it came, without what a terminal would obey.
    let original = serde_json::from_str::<Value>(&letter.original)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| letter.original.chars().filter(|c| !c.is_control() || *c == '\n').collect());
    format!(
        "id           {}\nentry        {}\nintent       {intent}\nreason       {}\nstate        {state}\nposts        {}\n\
         first error  {} ({})\nlast error   {} ({})\nbuild        {}\noriginal\n{original}\n",
        letter.id,
        letter.entry,
        letter.reason,
        letter.posts,
        letter.first_error,
        letter.first_at,
        letter.last_error,
        letter.last_at,
        letter.build,
    )
}
