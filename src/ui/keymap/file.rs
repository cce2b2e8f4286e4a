//! Reading a keymap file: `[keys]`, then `action = ["key", ...]`, with every problem reported at once.

use std::collections::{BTreeMap, HashMap};

use toml::Value;

use super::{Action, Chord};

/// The entries of a file, or everything that is wrong with it.
pub(super) fn parse(text: &str) -> Result<BTreeMap<Action, Vec<Chord>>, Vec<String>> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| vec![error.to_string()])?;
    let mut problems = Vec::new();
    let mut entries = BTreeMap::new();
    for (section, value) in &table {
        match value {
            Value::Table(keys) if section == "keys" => {
                for (name, keys) in keys {
                    match entry(name, keys) {
                        Ok((action, chords)) => {
                            entries.insert(action, chords);
                        }
                        Err(mut wrong) => problems.append(&mut wrong),
                    }
                }
            }
            _ => problems.push(format!("{section}: unknown; a keymap has one table, [keys]")),
        }
    }
    problems.extend(conflicts(&entries));
    if problems.is_empty() { Ok(entries) } else { Err(problems) }
}

fn entry(name: &str, keys: &Value) -> Result<(Action, Vec<Chord>), Vec<String>> {
    let Some(action) = Action::of(name) else {
        let known: Vec<_> = Action::ALL.iter().map(|action| action.name()).collect();
        return Err(vec![format!("keys.{name}: no such action; there are {}", known.join(", "))]);
    };
    let Value::Array(keys) = keys else {
        return Err(vec![format!("keys.{name}: must be a list of keys such as [\"q\", \"ctrl-c\"]")]);
    };
    let mut chords = Vec::new();
    let mut problems = Vec::new();
    for key in keys {
        match key.as_str().map(Chord::parse) {
            Some(Ok(chord)) => chords.push(chord),
            Some(Err(wrong)) => problems.push(format!("keys.{name}: {wrong}")),
            None => problems.push(format!("keys.{name}: {key} is not a key; keys are text in quotes")),
        }
    }
    if problems.is_empty() { Ok((action, chords)) } else { Err(problems) }
}

fn conflicts(entries: &BTreeMap<Action, Vec<Chord>>) -> Vec<String> {
    let mut owners: HashMap<Chord, Action> = HashMap::new();
    let mut problems = Vec::new();
    for (action, chords) in entries {
        for chord in chords {
            if let Some(other) = owners.insert(*chord, *action) {
                problems.push(format!(
                    "keys.{}: '{chord}' is given to {} as well; a key does one thing",
                    action.name(),
                    other.name()
                ));
            }
        }
    }
    problems
}
