//! `cockpit params`: a strategy's parameters, or the risk limits, as they are in force and as they were.

use std::collections::BTreeMap;

use serde::Serialize;

use super::desk::Desk;
use super::output::say;
use super::text::labelled;
use super::{CliError, Globals, actor, print_json};
use crate::domain::{Ack, AckVerdict, Action, ParamBook, ParamDoc, ParamVersion, StrategyId};

/// Subcommands of `cockpit params`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Every parameter with its value, range and meaning.
    List {
        /// Only this strategy's; `risk` for the limits.
        strategy: Option<StrategyId>,
        /// Print the books as one line of JSON, without their histories.
        #[arg(long)]
        json: bool,
    },
    /// The values in force.
    Get {
        /// Which strategy; `risk` for the limits.
        strategy: StrategyId,
        /// Only this parameter: prints its value alone.
        name: Option<String>,
        /// Print as one line of JSON, with the version.
        #[arg(long)]
        json: bool,
    },
    /// Change parameters while the desk runs, all of these or none.
    Set {
        /// Which strategy; `risk` for the limits.
        strategy: StrategyId,
        /// What to change, such as threshold=0.001; markets= with nothing behind it is an empty list.
        #[arg(required = true, value_name = "NAME=VALUE", value_parser = assignment)]
        changes: Vec<(String, String)>,
        /// Why, for the record.
        #[arg(long)]
        why: String,
        /// Refuse unless this version is in force.
        #[arg(long, value_name = "VERSION")]
        expect: Option<u64>,
        /// It is meant although it widens a limit.
        #[arg(long)]
        confirm: bool,
        /// Print the acknowledgement as one line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Who changed what, when and why; the newest first.
    History {
        /// Which strategy; `risk` for the limits.
        strategy: StrategyId,
        /// Print the versions as one line of JSON, the oldest first.
        #[arg(long)]
        json: bool,
    },
    /// Put the values of an earlier version in force again.
    Rollback {
        /// Which strategy; `risk` for the limits.
        strategy: StrategyId,
        /// Which version.
        version: u64,
        /// Why, for the record.
        #[arg(long)]
        why: String,
        /// Refuse unless this version is in force.
        #[arg(long, value_name = "VERSION")]
        expect: Option<u64>,
        /// It is meant although it widens a limit.
        #[arg(long)]
        confirm: bool,
        /// Print the acknowledgement as one line of JSON.
        #[arg(long)]
        json: bool,
    },
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("'{text}' is not NAME=VALUE, such as threshold=0.001")),
    }
}

pub(super) async fn run(globals: &Globals, command: Command) -> Result<(), CliError> {
    let desk = Desk::of(&globals.config()?)?;
    match command {
        Command::List { strategy, json } => list(&desk, strategy.as_ref(), json).await,
        Command::Get { strategy, name, json } => get(&book(&desk, &strategy).await?, name.as_deref(), json),
        Command::History { strategy, json } => history(&book(&desk, &strategy).await?, json),
        Command::Set { strategy, changes, why, expect, confirm, json } => {
            let changes = together(changes)?;
            let action = Action::SetParams { strategy: strategy.clone(), expected: expect, changes, why, confirm };
            change(&desk, &strategy, action, json).await
        }
        Command::Rollback { strategy, version: to, why, expect: expected, confirm, json } => {
            let action = Action::RollbackParams { strategy: strategy.clone(), to, expected, why, confirm };
            change(&desk, &strategy, action, json).await
        }
    }
}

/// A parameter named twice is a slip of the hand: which value is meant?
fn together(changes: Vec<(String, String)>) -> Result<BTreeMap<String, String>, CliError> {
    let mut map = BTreeMap::new();
    for (name, value) in changes {
        if let Some(first) = map.insert(name.clone(), value.clone()) {
            return Err(CliError::Usage(format!("{name} is given twice, as {first} and as {value}")));
        }
    }
    Ok(map)
}

async fn book(desk: &Desk, strategy: &StrategyId) -> Result<ParamBook, CliError> {
    let books = desk.books().await?;
    let names: Vec<_> = books.iter().map(|book| book.strategy.to_string()).collect();
    books.into_iter().find(|book| book.strategy == *strategy).ok_or_else(|| {
        CliError::Usage(format!("no parameters of '{strategy}'; there are those of {}", names.join(", ")))
    })
}

fn in_force(book: &ParamBook) -> Result<&ParamVersion, CliError> {
    book.in_force().ok_or_else(|| CliError::NoDaemon(format!("{} has no parameters yet", book.strategy)))
}

async fn list(desk: &Desk, strategy: Option<&StrategyId>, json: bool) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Listed<'a> {
        in_force: &'a ParamVersion,
        table: &'a [ParamDoc],
    }
    let books = match strategy {
        Some(strategy) => vec![book(desk, strategy).await?],
        None => desk.books().await?,
    };
    let versions: Vec<_> = books.iter().map(in_force).collect::<Result<_, _>>()?;
    if json {
        let listed = books.iter().zip(&versions).map(|(book, in_force)| Listed { in_force, table: &book.table });
        return print_json(&listed.collect::<Vec<_>>());
    }
    for (book, version) in books.iter().zip(versions) {
        heading(version)?;
        let width = names_width(&book.table);
        for doc in &book.table {
            let value = version.values.get(&doc.name).map_or("-", String::as_str);
            let unit = if doc.unit.is_empty() { String::new() } else { format!(" {}", doc.unit) };
            let fixed = if doc.fixed { "; fixed while the desk runs" } else { "" };
            let tighter = doc.tighter.map(|tighter| format!("; {tighter} is tighter")).unwrap_or_default();
            say!("")?;
            let shown = format!("{value}{unit}  ({}{fixed}{tighter})", doc.allowed);
            labelled(&format!("  {}", doc.name), width, &shown)?;
            labelled("", width, &doc.doc)?;
        }
    }
    Ok(())
}

/// Columns that the names take, with what stands before and behind them.
fn names_width(table: &[ParamDoc]) -> usize {
    table.iter().map(|doc| doc.name.chars().count()).max().unwrap_or(0) + 4
}

fn heading(version: &ParamVersion) -> Result<(), CliError> {
    let ParamVersion { strategy, version, by, why, at, .. } = version;
    labelled(&format!("{strategy} "), strategy.as_str().len() + 1, &format!("version {version}, {at}, by {by}: {why}"))
}

fn get(book: &ParamBook, name: Option<&str>, json: bool) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Got<'a> {
        strategy: &'a StrategyId,
        version: u64,
        values: BTreeMap<&'a str, &'a str>,
    }
    let version = in_force(book)?;
    let wanted = |known: &str| name.is_none_or(|name| name == known);
    let values: BTreeMap<_, _> =
        version.values.iter().map(|(name, value)| (name.as_str(), value.as_str())).filter(|(n, _)| wanted(n)).collect();
    if values.is_empty() {
        let names: Vec<_> = book.table.iter().map(|doc| doc.name.as_str()).collect();
        let reason = format!("no parameter '{}'; there are {}", name.unwrap_or_default(), names.join(", "));
        return Err(CliError::Usage(reason));
    }
    if json {
        return print_json(&Got { strategy: &book.strategy, version: version.version, values });
    }
    for (known, value) in values {
        if name.is_some() {
            say!("{value}")?;
        } else {
            say!("{known}={value}")?;
        }
    }
    Ok(())
}

fn history(book: &ParamBook, json: bool) -> Result<(), CliError> {
    if json {
        return print_json(&book.versions);
    }
    for version in book.versions.iter().rev() {
        say!("{:>4}  {}  {}", version.version, version.at, version.by)?;
        told(version)?;
    }
    Ok(())
}

/// A version among those of others.
pub(super) fn version_line(version: &ParamVersion) -> Result<(), CliError> {
    say!("{} version {}  {}  {}", version.strategy, version.version, version.at, version.by)?;
    told(version)
}

/// Why it was made, and what it changed.
fn told(version: &ParamVersion) -> Result<(), CliError> {
    labelled("", 6, &version.why)?;
    let changed: Vec<_> = version.changed.iter().map(ToString::to_string).collect();
    if changed.is_empty() { Ok(()) } else { labelled("", 6, &changed.join(", ")) }
}

async fn change(desk: &Desk, strategy: &StrategyId, action: Action, json: bool) -> Result<(), CliError> {
    let ack: Ack = desk.command(&actor("cli"), action).await?;
    if json {
        print_json(&ack)?;
    }
    let decided = ack.version;
    let version = ack.version.map_or_else(|| "an unknown version".to_owned(), |version| format!("version {version}"));
    match ack.verdict {
        AckVerdict::Applied => {
            if !json {
                say!("{strategy}: {version} is in force at {}", ack.by)?;
            }
            if ack.not_heard_from.is_empty() {
                return Ok(());
            }
            let others = ack.not_heard_from.join(", ");
            Err(CliError::NoDaemon(format!(
                "not heard from {others}: whether {version} is in force there is not known yet; \
                 asked once more, without --expect, this command says it"
            )))
        }
        AckVerdict::Accepted if decided.is_some() => Err(CliError::NoDaemon(format!(
            "{strategy}: {version} is decided and waits for the ledger: what it tightens is in force, what it widens is not yet; \
             `cockpit params history {strategy}` shows it once it is durable"
        ))),
        AckVerdict::Accepted => Err(CliError::NoDaemon(format!(
            "{} was asked and has not answered: whether it is in force is not known, `cockpit params history {strategy}` shows it then",
            ack.by
        ))),
        AckVerdict::Denied { reasons } => {
            let reasons: Vec<_> = reasons.iter().map(|reason| format!("\n  {reason}")).collect();
            Err(CliError::Refused(format!("nothing is changed, {version} stays in force:{}", reasons.concat())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_has_a_name_and_a_value() {
        assert_eq!(assignment("threshold=0.1"), Ok(("threshold".into(), "0.1".into())));
        assert_eq!(assignment("market=a=b"), Ok(("market".into(), "a=b".into())));
        assert_eq!(assignment("markets="), Ok(("markets".into(), String::new())), "an empty list allows nothing");
        for wrong in ["", "threshold", "=", "=1"] {
            assert!(assignment(wrong).is_err_and(|error| error.contains(wrong)), "{wrong}");
        }
    }

    #[test]
    fn a_name_given_twice_is_refused() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert!(together(vec![pair("a", "1"), pair("b", "2")]).is_ok());
        let refused = together(vec![pair("a", "1"), pair("a", "2")]).expect_err("twice");
        assert_eq!((refused.code(), refused.to_string().as_str()), (2, "a is given twice, as 1 and as 2"));
    }
}
