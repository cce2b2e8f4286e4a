//! Which key does what: the built-in map, and the reader's file merged over it.

mod action;
mod chord;
mod file;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

pub(crate) use action::Action;
pub(crate) use chord::Chord;

/// The map that ships, in the form of a keymap file.
const BUILT_IN: &str = include_str!("../../../keymaps/default.toml");

/// Why a keymap cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeymapError {
    /// The file cannot be read.
    #[error("keymap {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file says what cannot be; every problem at once.
    #[error("keymap {file}:\n  {}", problems.join("\n  "))]
    Invalid {
        /// Which file.
        file: String,
        /// What is wrong, each naming the entry and what would be right.
        problems: Vec<String>,
    },
}

/// Which key does what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keymap {
    by_chord: HashMap<Chord, Action>,
    by_action: BTreeMap<Action, Vec<Chord>>,
}

impl Keymap {
    /// The map that ships.
    ///
    /// # Errors
    /// When the embedded file is wrong, which a test excludes.
    pub(crate) fn built_in() -> Result<Self, KeymapError> {
        Self::default().merged("keymaps/default.toml", BUILT_IN)
    }

    /// The map that ships with the reader's file, if any, merged over it.
    ///
    /// # Errors
    /// When the file cannot be read or is wrong.
    pub(crate) fn load(path: Option<&Path>) -> Result<Self, KeymapError> {
        let map = Self::built_in()?;
        let Some(path) = path else { return Ok(map) };
        let text =
            std::fs::read_to_string(path).map_err(|source| KeymapError::Read { path: path.to_owned(), source })?;
        map.merged(&path.display().to_string(), &text)
    }

    /// This map with the file's entries over it: an action named there has exactly the keys given there, and a key given
    /// there is taken from whatever had it.
    fn merged(mut self, file: &str, text: &str) -> Result<Self, KeymapError> {
        let invalid = |problems| KeymapError::Invalid { file: file.to_owned(), problems };
        let entries = file::parse(text).map_err(invalid)?;
        for action in entries.keys() {
            self.by_action.remove(action);
        }
        for keys in self.by_action.values_mut() {
            keys.retain(|key| !entries.values().any(|taken| taken.contains(key)));
        }
        self.by_action.extend(entries);
        self.by_chord =
            self.by_action.iter().flat_map(|(action, keys)| keys.iter().map(|key| (*key, *action))).collect();
        let problems = self.kill_problems();
        if problems.is_empty() { Ok(self) } else { Err(invalid(problems)) }
    }

    fn kill_problems(&self) -> Vec<String> {
        let keys = self.keys(Action::Kill);
        if keys.is_empty() {
            return vec!["keys.kill: the kill must have a key; leave it out to keep K".to_owned()];
        }
        keys.iter()
            .filter(|key| key.edits_inputs())
            .map(|key| {
                format!("keys.kill: '{key}' is needed for typing; the kill works inside inputs too: use a capital letter, a ctrl- or alt- key, or f1 to f12")
            })
            .collect()
    }

    /// What `chord` does.
    pub(crate) fn action(&self, chord: Chord) -> Option<Action> {
        self.by_chord.get(&chord).copied()
    }

    /// The keys of `action`, the preferred one first.
    pub(crate) fn keys(&self, action: Action) -> &[Chord] {
        self.by_action.get(&action).map_or(&[], Vec::as_slice)
    }

    /// The preferred key of `action`, or how to do it without one.
    pub(crate) fn hint(&self, action: Action) -> String {
        self.keys(action).first().map_or_else(|| format!(":{}", action.name()), ToString::to_string)
    }

    /// All keys of `action` as text.
    pub(crate) fn keys_text(&self, action: Action) -> String {
        self.keys(action).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests;
