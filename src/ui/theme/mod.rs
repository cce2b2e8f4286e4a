//! What things mean, and how a meaning looks. Views name roles, never colours.
//!
//! Sixteen colours come first: they follow the terminal's own palette and need no COLORTERM, which ssh does not pass on.
//! Without colour the same roles are told apart by bold, dim, underline and reverse; signs and arrows carry the rest.

use ratatui::style::{Color, Modifier, Style};

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    /// Ordinary text.
    Text,
    /// Less important, or old.
    Dim,
    /// Names of panels and columns.
    Title,
    /// Name of the panel that has the keys.
    TitleFocused,
    /// Borders.
    Border,
    /// Border of the panel that has the keys.
    BorderFocused,
    /// A gain, a rising price, a buy.
    Up,
    /// A loss, a falling price, a sell.
    Down,
    /// All is well.
    Good,
    /// Look here.
    Warn,
    /// Something is wrong.
    Bad,
    /// Something the reader acts on: a key, a name to type.
    Key,
    /// The selected row.
    Selected,
    /// The killed banner.
    Killed,
    /// Simulated money.
    Sim,
    /// Live data, simulated money.
    Paper,
    /// Real money.
    Live,
}

/// How roles look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Theme {
    colour: bool,
}

impl Theme {
    /// In the terminal's sixteen colours, or without any.
    pub(crate) const fn new(colour: bool) -> Self {
        Self { colour }
    }

    /// How `role` looks.
    pub(crate) fn style(self, role: Role) -> Style {
        if self.colour { coloured(role) } else { monochrome(role) }
    }
}

fn coloured(role: Role) -> Style {
    let style = Style::new();
    match role {
        Role::Text => style,
        Role::Dim | Role::Border => style.fg(Color::DarkGray),
        Role::Title | Role::BorderFocused => style.fg(Color::Cyan),
        Role::TitleFocused => style.fg(Color::Cyan).add_modifier(Modifier::BOLD),
        Role::Up | Role::Good => style.fg(Color::Green),
        Role::Down => style.fg(Color::Red),
        Role::Warn => style.fg(Color::Yellow).add_modifier(Modifier::BOLD),
        Role::Bad => style.fg(Color::Red).add_modifier(Modifier::BOLD),
        Role::Key => style.fg(Color::Magenta).add_modifier(Modifier::BOLD),
        Role::Selected => style.add_modifier(Modifier::REVERSED),
        Role::Killed | Role::Live => style.fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD),
        Role::Sim => style.fg(Color::Black).bg(Color::Green),
        Role::Paper => style.fg(Color::Black).bg(Color::Yellow),
    }
}

fn monochrome(role: Role) -> Style {
    let style = Style::new();
    match role {
        Role::Text | Role::Title | Role::Border | Role::Up | Role::Down | Role::Good => style,
        Role::Dim => style.add_modifier(Modifier::DIM),
        Role::TitleFocused | Role::BorderFocused | Role::Warn | Role::Key => style.add_modifier(Modifier::BOLD),
        Role::Bad => style.add_modifier(Modifier::BOLD.union(Modifier::UNDERLINED)),
        Role::Selected | Role::Sim | Role::Paper => style.add_modifier(Modifier::REVERSED),
        Role::Killed | Role::Live => style.add_modifier(Modifier::REVERSED.union(Modifier::BOLD)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Role; 17] = [
        Role::Text,
        Role::Dim,
        Role::Title,
        Role::TitleFocused,
        Role::Border,
        Role::BorderFocused,
        Role::Up,
        Role::Down,
        Role::Good,
        Role::Warn,
        Role::Bad,
        Role::Key,
        Role::Selected,
        Role::Killed,
        Role::Sim,
        Role::Paper,
        Role::Live,
    ];

    #[test]
    fn monochrome_has_no_colour_at_all() {
        for role in ALL {
            let style = Theme::new(false).style(role);
            assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
        }
    }

    #[test]
    fn colours_are_of_the_first_sixteen() {
        for role in ALL {
            let style = Theme::new(true).style(role);
            for colour in [style.fg, style.bg].into_iter().flatten() {
                assert!(!matches!(colour, Color::Rgb(..) | Color::Indexed(_)), "{role:?}");
            }
        }
    }

    #[test]
    fn what_must_be_seen_differs_from_plain_text_in_both() {
        for colour in [true, false] {
            let theme = Theme::new(colour);
            for role in [Role::Warn, Role::Bad, Role::Key, Role::Selected, Role::Killed, Role::Live, Role::TitleFocused]
            {
                assert_ne!(theme.style(role), theme.style(Role::Text), "{role:?} colour={colour}");
            }
        }
    }
}
