//! The panels, which of them has the keys on each screen, and what is selected. Selection is by row id: rows may move under it.

use crate::domain::{Control, IntentId, OrderId, StrategyId, Symbol, TokenId, TradeId};
use crate::ui::model::screens::Screen;

/// A panel.
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
    /// Dead letters.
    Letters,
    /// What keeps the desk going.
    System,
}

impl Pane {
    /// Every panel of every screen.
    pub(crate) const ALL: [Self; 10] = [
        Self::Ticks,
        Self::Strategies,
        Self::Signals,
        Self::Orders,
        Self::Fills,
        Self::Positions,
        Self::Pnl,
        Self::Risk,
        Self::Letters,
        Self::System,
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
            Self::Letters => "Dead letters",
            Self::System => "System",
        }
    }

    /// The screen that it is on.
    pub(crate) const fn screen(self) -> Screen {
        match self {
            Self::Ticks
            | Self::Strategies
            | Self::Signals
            | Self::Orders
            | Self::Fills
            | Self::Positions
            | Self::Pnl => Screen::Overview,
            Self::Risk => Screen::Risk,
            Self::Letters => Screen::Dlq,
            Self::System => Screen::System,
        }
    }

    const fn index(self) -> usize {
        self as usize
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
    /// A skip.
    Skip(IntentId),
    /// An order: intent, attempt.
    Order(IntentId, u32),
    /// A fill: trade, our order in it.
    Fill(TradeId, OrderId),
    /// A position.
    Position(TokenId),
    /// A dead letter.
    Letter(String),
    /// A fact about the system.
    Fact(String),
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

/// Which screen, the focus of each, and selections.
#[derive(Clone, Debug)]
pub(crate) struct Panes {
    screen: Screen,
    focus: [Pane; Screen::ALL.len()],
    /// Whether the focused panel has the whole screen.
    pub(crate) zoomed: bool,
    selections: [Selection; Pane::ALL.len()],
}

impl Default for Panes {
    fn default() -> Self {
        Self {
            screen: Screen::Overview,
            focus: Screen::ALL.map(Screen::first_focus),
            zoomed: false,
            selections: Default::default(),
        }
    }
}

impl Panes {
    /// The screen that is shown.
    pub(crate) const fn screen(&self) -> Screen {
        self.screen
    }

    /// Shows a screen, with the focus where it was when it was left.
    pub(crate) const fn show(&mut self, screen: Screen) {
        self.screen = screen;
    }

    /// The panel that has the keys.
    pub(crate) const fn focus(&self) -> Pane {
        self.focus[self.screen.index()]
    }

    /// Gives a panel the keys, and shows its screen.
    pub(crate) const fn set_focus(&mut self, pane: Pane) {
        self.screen = pane.screen();
        self.focus[self.screen.index()] = pane;
    }

    /// Goes round the panels of the screen, one on or one back.
    pub(crate) fn cycle(&mut self, forward: bool) {
        let panes = self.screen.panes();
        let step = if forward { 1 } else { panes.len() - 1 };
        let place = panes.iter().position(|pane| *pane == self.focus()).unwrap_or(0);
        self.set_focus(panes[(place + step) % panes.len()]);
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
        for _ in Screen::Overview.panes() {
            panes.cycle(true);
        }
        assert_eq!(panes.focus(), start);
        panes.cycle(true);
        panes.cycle(false);
        assert_eq!(panes.focus(), start);
    }

    #[test]
    fn each_screen_keeps_its_focus() {
        let mut panes = Panes::default();
        panes.set_focus(Pane::Fills);
        panes.show(Screen::Dlq);
        assert_eq!(panes.focus(), Pane::Letters);
        panes.cycle(true);
        assert_eq!(panes.focus(), Pane::Letters, "a screen with one panel");
        panes.show(Screen::Overview);
        assert_eq!(panes.focus(), Pane::Fills);
    }
}
