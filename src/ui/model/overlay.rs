//! What lies over the screen: a stack, the top one has the keys.

use crate::ui::model::panes::RowId;

/// Longest text an input takes.
const INPUT_MAX: usize = 64;

/// A line of typed text; the cursor is at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Input {
    text: String,
}

impl Input {
    /// What was typed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Adds a character, when there is room and it is one that can be seen.
    pub(crate) fn push(&mut self, character: char) {
        if !character.is_control() && self.text.chars().count() < INPUT_MAX {
            self.text.push(character);
        }
    }

    /// Takes the last character away.
    pub(crate) fn pop(&mut self) {
        self.text.pop();
    }

    /// Empties it.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
    }
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Overlay {
    /// Every action and its keys.
    Help {
        /// First line shown.
        scroll: usize,
        /// What is searched for.
        filter: Input,
        /// Whether typing goes into the search.
        typing: bool,
    },
    /// Actions by name.
    Palette {
        /// What is searched for.
        input: Input,
        /// Which of the matches.
        selected: usize,
    },
    /// The typed word that arms.
    Arm {
        /// What was typed.
        input: Input,
    },
    /// Whether a dead letter is to be tried again.
    Retry {
        /// Its id.
        letter: String,
    },
    /// Why a dead letter is given up.
    Drop {
        /// Its id.
        letter: String,
        /// The reason.
        input: Input,
    },
    /// Why: everything about one row.
    Detail {
        /// The row.
        row: RowId,
        /// First line shown.
        scroll: usize,
    },
    /// Everything that was reported.
    Messages {
        /// First line shown.
        scroll: usize,
    },
}

impl Overlay {
    fn same_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Whether typed characters go into it.
    pub(crate) const fn takes_text(&self) -> bool {
        match self {
            Self::Palette { .. } | Self::Arm { .. } | Self::Drop { .. } => true,
            Self::Help { typing, .. } => *typing,
            Self::Retry { .. } | Self::Detail { .. } | Self::Messages { .. } => false,
        }
    }
}

/// The layers, the top one last. Each kind is there at most once, so the stack is bounded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overlays {
    stack: Vec<Overlay>,
}

impl Overlays {
    /// Puts a layer on top; one of its kind that was open is closed.
    pub(crate) fn open(&mut self, overlay: Overlay) {
        self.stack.retain(|open| !open.same_kind(&overlay));
        self.stack.push(overlay);
    }

    /// Closes the top layer; false when there was none.
    pub(crate) fn close(&mut self) -> bool {
        self.stack.pop().is_some()
    }

    /// Closes the arming layer wherever it lies.
    pub(crate) fn close_arm(&mut self) {
        self.stack.retain(|overlay| !matches!(overlay, Overlay::Arm { .. }));
    }

    /// The top layer.
    pub(crate) fn top(&self) -> Option<&Overlay> {
        self.stack.last()
    }

    /// The top layer, to change it.
    pub(crate) fn top_mut(&mut self) -> Option<&mut Overlay> {
        self.stack.last_mut()
    }

    /// From the bottom to the top.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Overlay> {
        self.stack.iter()
    }
}
