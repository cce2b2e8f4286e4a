//! The panels, which of them has the keys, and what is selected in each. Selection is by row id: rows may move under it.

use crate::domain::{Control, IntentId, OrderId, StrategyId, Symbol, TokenId, TradeId};

/// A panel of the overview.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pane {
    /// Crypto prices.
    Ticks,
    /// What each strategy sees.
    Strategies,
    /// Signals and denials.
    Signals,
    /// Orders.
    Orders,
    /// Fills.
    Fills,
    /// Positions.
    Positions,
    /// The `PnL` curve.
    Pnl,
    /// How near each limit is.
    Risk,
}

impl Pane {
    /// Every panel, in the order in which the focus goes round.
    pub(crate) const ALL: [Self; 8] = [
        Self::Ticks,
        Self::Strategies,
        Self::Signals,
        Self::Orders,
        Self::Fills,
        Self::Positions,
        Self::Pnl,
        Self::Risk,
    ];

    /// Its name.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Ticks => "Ticks",
            Self::Strategies => "Strategies",
            Self::Signals => "Signals",
            Self::Orders => "Orders",
            Self::Fills => "Fills",
            Self::Positions => "Positions",
            Self::Pnl => "PnL today",
            Self::Risk => "Limits",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Ticks => 0,
            Self::Strategies => 1,
            Self::Signals => 2,
            Self::Orders => 3,
            Self::Fills => 4,
            Self::Positions => 5,
            Self::Pnl => 6,
            Self::Risk => 7,
        }
    }
}

/// Which row, whatever its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RowId {
    /// A symbol's price.
    Tick(Symbol),
    /// A strategy on an instrument.
    Strategy(StrategyId, Symbol),
    /// A signal or denial: intent, attempt, which verdict.
    Signal(IntentId, u32, Verdict),
    /// An order: intent, attempt.
    Order(IntentId, u32),
    /// A fill: trade, our order in it.
    Fill(TradeId, OrderId),
    /// A position.
    Position(TokenId),
    /// The use of a limit: control, of what.
    Limit(Control, String),
}

/// What was said about an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verdict {
    /// Emitted by Athena.
    Emitted,
    /// Refused by Athena's gate.
    DeniedByAthena,
    /// Refused by Hermes' gate.
    DeniedByHermes,
}

/// What is selected in one panel. Without a selection the panel follows its first row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// The row.
    pub(crate) id: Option<RowId>,
    /// Its place when it was last seen.
    pub(crate) index: usize,
    /// First row shown.
    pub(crate) offset: usize,
}

impl Selection {
    /// Keeps the selected row on screen: `rows` in all, `height` of them visible.
    pub(crate) fn reveal(&mut self, rows: usize, height: usize) {
        if height == 0 {
            self.offset = 0;
            return;
        }
        if self.id.is_none() {
            self.offset = 0;
        } else if self.index < self.offset {
            self.offset = self.index;
        } else if self.index >= self.offset + height {
            self.offset = self.index + 1 - height;
        }
        self.offset = self.offset.min(rows.saturating_sub(height));
    }
}

/// Focus and selections.
#[derive(Clone, Debug)]
pub(crate) struct Panes {
    focus: Pane,
    /// Whether the focused panel has the whole screen.
    pub(crate) zoomed: bool,
    selections: [Selection; Pane::ALL.len()],
}

impl Default for Panes {
    fn default() -> Self {
        Self { focus: Pane::Orders, zoomed: false, selections: Default::default() }
    }
}

impl Panes {
    /// The panel that has the keys.
    pub(crate) const fn focus(&self) -> Pane {
        self.focus
    }

    /// Gives a panel the keys.
    pub(crate) const fn set_focus(&mut self, pane: Pane) {
        self.focus = pane;
    }

    /// Goes round by `step` panels.
    pub(crate) fn cycle(&mut self, forward: bool) {
        let count = Pane::ALL.len();
        let step = if forward { 1 } else { count - 1 };
        self.focus = Pane::ALL[(self.focus.index() + step) % count];
    }

    /// What is selected in `pane`.
    pub(crate) const fn selection(&self, pane: Pane) -> &Selection {
        &self.selections[pane.index()]
    }

    /// What is selected in `pane`, to change it.
    pub(crate) const fn selection_mut(&mut self, pane: Pane) -> &mut Selection {
        &mut self.selections[pane.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selected_row_is_always_visible() {
        let mut selection = Selection { id: Some(RowId::Tick(Symbol::new("BTC/USD"))), index: 9, offset: 0 };
        selection.reveal(20, 4);
        assert_eq!(selection.offset, 6);
        selection.index = 7;
        selection.reveal(20, 4);
        assert_eq!(selection.offset, 6, "moving within the page does not scroll");
        selection.index = 2;
        selection.reveal(3, 4);
        assert_eq!(selection.offset, 0, "fewer rows than room: nothing is scrolled away");
        selection.reveal(3, 0);
        assert_eq!(selection.offset, 0);
    }

    #[test]
    fn the_focus_goes_round_both_ways() {
        let mut panes = Panes::default();
        let start = panes.focus();
        for _ in Pane::ALL {
            panes.cycle(true);
        }
        assert_eq!(panes.focus(), start);
        panes.cycle(true);
        panes.cycle(false);
        assert_eq!(panes.focus(), start);
    }
}
