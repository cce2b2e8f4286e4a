//! The screens: which panels each has, and the action that goes there.

use crate::ui::keymap::Action;
use crate::ui::model::panes::Pane;

/// One screenful of panels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Screen {
    /// The desk at a glance.
    Overview,
    /// How near each limit is.
    Risk,
    /// Dead letters.
    Dlq,
    /// What keeps the desk going.
    System,
}

impl Screen {
    /// Every screen, in the order of their numbers.
    pub(crate) const ALL: [Self; 4] = [Self::Overview, Self::Risk, Self::Dlq, Self::System];

    /// Its name.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Risk => "Risk",
            Self::Dlq => "DLQ",
            Self::System => "System",
        }
    }

    /// Its panels, in the order in which the focus goes round.
    pub(crate) const fn panes(self) -> &'static [Pane] {
        match self {
            Self::Overview => {
                &[Pane::Ticks, Pane::Strategies, Pane::Signals, Pane::Orders, Pane::Fills, Pane::Positions, Pane::Pnl]
            }
            Self::Risk => &[Pane::Risk],
            Self::Dlq => &[Pane::Letters],
            Self::System => &[Pane::System],
        }
    }

    /// The panel that has the keys before another was chosen.
    pub(crate) const fn first_focus(self) -> Pane {
        match self {
            Self::Overview => Pane::Orders,
            Self::Risk => Pane::Risk,
            Self::Dlq => Pane::Letters,
            Self::System => Pane::System,
        }
    }

    /// What goes there.
    pub(crate) const fn action(self) -> Action {
        match self {
            Self::Overview => Action::Overview,
            Self::Risk => Action::Risk,
            Self::Dlq => Action::Dlq,
            Self::System => Action::System,
        }
    }

    /// Where it stands among all.
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_panel_is_on_exactly_one_screen() {
        for pane in Pane::ALL {
            let on: Vec<_> = Screen::ALL.into_iter().filter(|screen| screen.panes().contains(&pane)).collect();
            assert_eq!(on, [pane.screen()], "{pane:?}");
        }
        for (index, screen) in Screen::ALL.into_iter().enumerate() {
            assert_eq!(screen.index(), index, "{screen:?}");
            assert!(screen.panes().contains(&screen.first_focus()), "{screen:?}");
        }
    }
}
