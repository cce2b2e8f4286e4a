//! One key press with its modifiers, as terminals really report it, and its name in keymaps.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// One key press.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Chord {
    key: Key,
    ctrl: bool,
    alt: bool,
    shift: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Key {
    Char(char),
    Function(u8),
    Enter,
    Esc,
    Tab,
    Backspace,
    Delete,
    Insert,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
}

const NAMED: [(Key, &str); 14] = [
    (Key::Enter, "enter"),
    (Key::Esc, "esc"),
    (Key::Tab, "tab"),
    (Key::Backspace, "backspace"),
    (Key::Delete, "delete"),
    (Key::Insert, "insert"),
    (Key::Up, "up"),
    (Key::Down, "down"),
    (Key::Left, "left"),
    (Key::Right, "right"),
    (Key::Home, "home"),
    (Key::End, "end"),
    (Key::PageUp, "pageup"),
    (Key::PageDown, "pagedown"),
];

impl Chord {
    /// What a key event stands for; nothing for releases and for keys that cannot be bound.
    pub(crate) fn of(event: KeyEvent) -> Option<Self> {
        if event.kind == KeyEventKind::Release {
            return None;
        }
        let key = match event.code {
            KeyCode::Char(character) => Key::Char(character),
            KeyCode::F(number) => Key::Function(number),
            KeyCode::Enter => Key::Enter,
            KeyCode::Esc => Key::Esc,
            KeyCode::Tab | KeyCode::BackTab => Key::Tab,
            KeyCode::Backspace => Key::Backspace,
            KeyCode::Delete => Key::Delete,
            KeyCode::Insert => Key::Insert,
            KeyCode::Up => Key::Up,
            KeyCode::Down => Key::Down,
            KeyCode::Left => Key::Left,
            KeyCode::Right => Key::Right,
            KeyCode::Home => Key::Home,
            KeyCode::End => Key::End,
            KeyCode::PageUp => Key::PageUp,
            KeyCode::PageDown => Key::PageDown,
            _ => return None,
        };
        let shift = event.modifiers.contains(KeyModifiers::SHIFT) || event.code == KeyCode::BackTab;
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        Some(Self { key, ctrl, alt: event.modifiers.contains(KeyModifiers::ALT), shift }.normal())
    }

    /// Reads a key's name: `q`, `K`, `?`, `ctrl-c`, `shift-tab`, `alt-x`, `space`, `f1`, `pagedown`.
    ///
    /// # Errors
    /// What is wrong with the name, and what would be right.
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        let (mut rest, mut ctrl, mut alt, mut shift) = (name, false, false, false);
        loop {
            let (flag, tail) = if let Some(tail) = rest.strip_prefix("ctrl-") {
                (&mut ctrl, tail)
            } else if let Some(tail) = rest.strip_prefix("alt-") {
                (&mut alt, tail)
            } else if let Some(tail) = rest.strip_prefix("shift-") {
                (&mut shift, tail)
            } else {
                break;
            };
            *flag = true;
            rest = tail;
        }
        let key = Key::parse(rest).ok_or_else(|| {
            format!("'{name}' is not a key; write one character, or a name such as enter, space, shift-tab, ctrl-c, f1, pagedown")
        })?;
        if let (true, Key::Char(letter @ ('i' | 'm' | '['))) = (ctrl, key) {
            return Err(format!("'{name}' reaches a program as another key ({})", twin(letter)));
        }
        Ok(Self { key, ctrl, alt, shift }.normal())
    }

    /// The character it types into an input, when it types one.
    pub(crate) const fn typed(self) -> Option<char> {
        match self.key {
            Key::Char(character) if !self.ctrl && !self.alt => Some(character),
            _ => None,
        }
    }

    /// Whether it erases the character before the cursor.
    pub(crate) fn is_backspace(self) -> bool {
        self.key == Key::Backspace || self == Self { key: Key::Char('h'), ctrl: true, alt: false, shift: false }
    }

    /// Whether it erases all that was typed.
    pub(crate) fn is_erase(self) -> bool {
        self == Self { key: Key::Char('u'), ctrl: true, alt: false, shift: false }
    }

    /// Whether it is Enter.
    pub(crate) fn is_enter(self) -> bool {
        self == Self { key: Key::Enter, ctrl: false, alt: false, shift: false }
    }

    /// Whether it is Esc.
    pub(crate) fn is_escape(self) -> bool {
        self == Self { key: Key::Esc, ctrl: false, alt: false, shift: false }
    }

    /// Whether it is needed to type, to confirm or to leave an input, so that the kill must not sit on it.
    pub(crate) const fn edits_inputs(self) -> bool {
        match self.key {
            Key::Char(character) => !self.ctrl && !self.alt && !character.is_ascii_uppercase(),
            Key::Function(_) => false,
            _ => !self.ctrl && !self.alt,
        }
    }

    /// The same press always compares equal: shift is part of a character, control does not know case.
    fn normal(self) -> Self {
        match self.key {
            Key::Char(character) if self.ctrl => {
                Self { key: Key::Char(character.to_ascii_lowercase()), shift: false, ..self }
            }
            Key::Char(character) if self.shift => {
                Self { key: Key::Char(character.to_ascii_uppercase()), shift: false, ..self }
            }
            _ => self,
        }
    }
}

impl Key {
    fn parse(name: &str) -> Option<Self> {
        if name == "space" {
            return Some(Self::Char(' '));
        }
        if let Some((key, _)) = NAMED.iter().find(|(_, known)| *known == name) {
            return Some(*key);
        }
        let mut characters = name.chars();
        match (characters.next(), characters.next()) {
            (Some(character), None) if !character.is_control() && character != ' ' => Some(Self::Char(character)),
            (Some('f'), Some(_)) => {
                let number: u8 = name[1..].parse().ok()?;
                (1..=12).contains(&number).then_some(Self::Function(number))
            }
            _ => None,
        }
    }
}

const fn twin(letter: char) -> &'static str {
    match letter {
        'i' => "tab",
        'm' => "enter",
        _ => "esc",
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (set, prefix) in [(self.ctrl, "ctrl-"), (self.alt, "alt-"), (self.shift, "shift-")] {
            if set {
                f.write_str(prefix)?;
            }
        }
        match self.key {
            Key::Char(' ') => f.write_str("space"),
            Key::Char(character) => write!(f, "{character}"),
            Key::Function(number) => write!(f, "f{number}"),
            named => f.write_str(NAMED.iter().find(|(key, _)| *key == named).map_or("", |(_, name)| name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn press(code: KeyCode, modifiers: KeyModifiers) -> Option<Chord> {
        Chord::of(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn terminals_disagree_about_shift_and_we_do_not() {
        let kill = Chord::parse("K").expect("a key");
        assert_eq!(press(KeyCode::Char('K'), KeyModifiers::NONE), Some(kill));
        assert_eq!(press(KeyCode::Char('K'), KeyModifiers::SHIFT), Some(kill));
        assert_eq!(press(KeyCode::Char('k'), KeyModifiers::SHIFT), Some(kill));
        assert_eq!(Chord::parse("shift-k"), Ok(kill));
        assert_ne!(press(KeyCode::Char('k'), KeyModifiers::NONE), Some(kill));
        let back = Chord::parse("shift-tab").expect("a key");
        assert_eq!(press(KeyCode::BackTab, KeyModifiers::SHIFT), Some(back));
        assert_eq!(press(KeyCode::BackTab, KeyModifiers::NONE), Some(back));
    }

    #[test]
    fn a_release_is_nothing() {
        let event = KeyEvent::new_with_kind(KeyCode::Char('K'), KeyModifiers::NONE, KeyEventKind::Release);
        assert_eq!(Chord::of(event), None);
    }

    #[test]
    fn what_is_not_a_key_is_named_with_what_would_be() {
        for wrong in ["", "ctrl-", "entr", "f13", "f0", "kk", "Enter"] {
            let error = Chord::parse(wrong).expect_err(wrong);
            assert!(error.contains("shift-tab") && error.contains(&format!("'{wrong}'")), "{error}");
        }
        assert!(Chord::parse("ctrl-m").expect_err("enter").contains("enter"));
    }

    proptest! {
        #[test]
        fn a_printed_key_reads_back_as_itself(
            character in proptest::char::range('!', '~'), ctrl in any::<bool>(), alt in any::<bool>(), named in 0_usize..15,
        ) {
            let key = NAMED.get(named).map_or(Key::Char(character), |(key, _)| *key);
            let chord = Chord { key, ctrl, alt, shift: false }.normal();
            prop_assume!(!(ctrl && matches!(chord.key, Key::Char('i' | 'm' | '['))));
            prop_assert_eq!(Chord::parse(&chord.to_string()), Ok(chord));
        }
    }
}
