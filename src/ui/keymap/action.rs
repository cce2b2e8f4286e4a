//! The one table of what can be done by key or by name. Keymaps, help, palette and hints are made from it.

macro_rules! actions {
    ($($variant:ident $name:literal [$($key:literal),*] $doc:literal;)*) => {
        /// Something the reader can ask for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum Action {
            $(#[doc = $doc] $variant,)*
        }

        impl Action {
            /// Every action, in the order in which help lists them.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name in keymaps and in the palette.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it does, in one line.
            pub(crate) const fn doc(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }

            /// Its keys when no keymap says otherwise.
            #[cfg(test)]
            pub(crate) const fn default_keys(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($key),*],)* }
            }
        }
    };
}

actions! {
    Kill "kill" ["K"] "Stop all trading now, from anywhere: one press, no question";
    Arm "arm" ["A"] "Lift the kill: asks for a typed word, the desk may refuse";
    Overview "overview" ["1"] "Go to the overview: the desk at a glance";
    Risk "risk" ["5"] "Go to the risk: how near each limit is";
    Dlq "dlq" ["6"] "Go to the dead letters: what could not be executed";
    System "system" ["8"] "Go to the system: lease, clocks, bus, feeds, latencies, losses";
    Open "open" ["enter"] "Why: inputs, checks and times of the selected row";
    Close "close" ["esc"] "Close the top layer, else dismiss the message, else follow the newest row";
    Retry "retry" ["R"] "Try a dead letter again: a new attempt through every gate, once you confirm it";
    Drop "drop" ["D"] "Give a dead letter up: asks for the reason";
    Skips "skips" ["s"] "Hide the skips among the signals, or show them again";
    NextPane "next_pane" ["tab"] "Go to the next panel of the screen";
    PrevPane "prev_pane" ["shift-tab"] "Go to the previous panel of the screen";
    Down "down" ["j", "down"] "Next row";
    Up "up" ["k", "up"] "Previous row";
    Left "left" ["h", "left"] "Go to the panel on the left";
    Right "right" ["l", "right"] "Go to the panel on the right";
    PageDown "page_down" ["ctrl-d", "pagedown"] "One page down";
    PageUp "page_up" ["ctrl-u", "pageup"] "One page up";
    Top "top" ["g", "home"] "First row";
    Bottom "bottom" ["G", "end"] "Last row";
    Zoom "zoom" ["z"] "Give the whole screen to the panel, and back";
    Help "help" ["?", "f1"] "Every action and its keys";
    Palette "palette" [":"] "Run an action by name";
    Filter "filter" ["/"] "Search, where there is something to search";
    Messages "messages" ["m"] "Everything that was reported since the start";
    Redraw "redraw" ["ctrl-l"] "Draw the whole screen again";
    Suspend "suspend" ["ctrl-z"] "Put the cockpit to sleep and return to the shell";
    Quit "quit" ["q", "ctrl-c"] "Leave; a desk that runs elsewhere goes on";
}

impl Action {
    /// The action of that name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.name() == name)
    }

    /// Actions whose name or description holds `text`: those whose name begins with it first.
    pub(crate) fn matching(text: &str) -> Vec<Self> {
        let text = text.trim().to_lowercase();
        let mut found: Vec<Self> = Self::ALL
            .iter()
            .copied()
            .filter(|action| action.name().contains(&text) || action.doc().to_lowercase().contains(&text))
            .collect();
        found.sort_by_key(|action| (!action.name().starts_with(&text), !action.name().contains(&text)));
        found
    }
}
