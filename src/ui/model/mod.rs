//! Everything the cockpit knows. One task owns it; `update` changes it, `view` reads it.

pub(crate) mod cells;
pub(crate) mod control;
pub(crate) mod decisions;
pub(crate) mod desk;
pub(crate) mod flow;
pub(crate) mod letters;
pub(crate) mod limits;
pub(crate) mod notices;
pub(crate) mod overlay;
pub(crate) mod panes;
pub(crate) mod parameters;
pub(crate) mod rows;
pub(crate) mod screens;
pub(crate) mod sequence;
pub(crate) mod series;
pub(crate) mod system;
pub(crate) mod ticks;

use std::collections::VecDeque;

use ratatui::layout::Rect;

use crate::domain::{Ack, Mode, Timestamp};
use crate::ui::keymap::Keymap;
use control::KillRequest;
use desk::Desk;
use flow::Flow;
use notices::Notices;
use overlay::Overlays;
use panes::{Pane, Panes, RowId};

/// Answers kept, for one that comes before we know the id of its command.
const ACKS_KEPT: usize = 32;
/// Armings remembered that were asked for again. One is asked for at most every few seconds, and each is over after 30 s.
const ARMS_KEPT: usize = 8;

/// Whether the bus can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// Not known yet.
    Connecting,
    /// It answers.
    Up,
    /// It answers but takes no writes: reading, cancelling and the kill go on.
    Degraded {
        /// Why.
        reason: String,
        /// Since when.
        since: Timestamp,
    },
    /// It does not.
    Down {
        /// Why.
        reason: String,
        /// Since when.
        since: Timestamp,
    },
}

/// The model.
#[derive(Debug)]
pub(crate) struct Model {
    /// Now, as of the last message.
    pub(crate) now: Timestamp,
    /// Which world is configured.
    pub(crate) configured: Mode,
    /// Where the desk is.
    pub(crate) place: String,
    /// Which key does what.
    pub(crate) keymap: Keymap,
    /// The terminal's size.
    pub(crate) size: (u16, u16),
    /// The bus.
    pub(crate) link: Link,
    /// The desk.
    pub(crate) desk: Desk,
    /// A kill that was asked for and is not confirmed.
    pub(crate) kill: Option<KillRequest>,
    /// The arming that was asked for.
    pub(crate) arm: Flow,
    /// Armings that were asked for again before they were answered, by id: what comes of them still counts.
    pub(crate) arms_before: VecDeque<String>,
    /// Whether a kill was asked for while an arming was out: if that arming takes effect, it is killed again.
    pub(crate) arm_overruled: bool,
    /// Answers of daemons, the newest last.
    pub(crate) acks: VecDeque<Ack>,
    /// Focus and selections.
    pub(crate) panes: Panes,
    /// What lies over the screen.
    pub(crate) overlays: Overlays,
    /// Reports.
    pub(crate) notices: Notices,
    /// When leaving was asked for and not confirmed.
    pub(crate) quit_asked_at: Option<Timestamp>,
    /// Whether the terminal takes frames slowly.
    pub(crate) slow_terminal: bool,
}

impl Model {
    /// Knows nothing of the desk yet.
    pub(crate) fn new(configured: Mode, place: &str, keymap: Keymap, size: (u16, u16), now: Timestamp) -> Self {
        Self {
            now,
            configured,
            place: crate::ui::format::clean(place),
            keymap,
            size,
            link: Link::Connecting,
            desk: Desk::default(),
            kill: None,
            arm: Flow::Idle,
            arms_before: VecDeque::new(),
            arm_overruled: false,
            acks: VecDeque::new(),
            panes: Panes::default(),
            overlays: Overlays::default(),
            notices: Notices::default(),
            quit_asked_at: None,
            slow_terminal: false,
        }
    }

    /// Which world the desk says it trades in; what is configured until it has spoken.
    pub(crate) fn mode(&self) -> Mode {
        self.desk.books.as_ref().map_or(self.configured, |books| books.mode)
    }

    /// The screen.
    pub(crate) const fn area(&self) -> Rect {
        Rect::new(0, 0, self.size.0, self.size.1)
    }

    /// Keeps an answer for a command whose id is not known yet.
    pub(crate) fn keep_ack(&mut self, ack: Ack) {
        if self.acks.len() >= ACKS_KEPT {
            self.acks.pop_front();
        }
        self.acks.push_back(ack);
    }

    /// Remembers an arming that is asked for again.
    pub(crate) fn keep_arm(&mut self, id: String) {
        if self.arms_before.len() >= ARMS_KEPT {
            self.arms_before.pop_front();
        }
        self.arms_before.push_back(id);
    }

    /// How many rows a panel has.
    pub(crate) fn rows(&self, pane: Pane) -> usize {
        match pane {
            Pane::Ticks => self.desk.ticks.rows().len(),
            Pane::Strategies => self.desk.strategies.len(),
            Pane::Signals => self.desk.decisions.rows().len(),
            Pane::Orders => self.desk.orders.len(),
            Pane::Fills => self.desk.fills.len(),
            Pane::Positions => self.desk.positions.len(),
            Pane::Letters => self.desk.letters.rows().len(),
            Pane::System => self.desk.system.rows().len(),
            Pane::Risk => self.desk.limits.len(),
            Pane::Pnl => 0,
        }
    }

    /// The row at a place in a panel.
    pub(crate) fn row_at(&self, pane: Pane, index: usize) -> Option<RowId> {
        match pane {
            Pane::Ticks => self.desk.ticks.rows().get(index).map(|row| RowId::Tick(row.symbol.clone())),
            Pane::Strategies => self.desk.strategies.get(index).map(|row| row.id.clone()),
            Pane::Signals => self.desk.decisions.rows().get(index).map(|row| row.id.clone()),
            Pane::Orders => self.desk.orders.get(index).map(|row| row.id.clone()),
            Pane::Fills => self.desk.fills.get(index).map(|row| row.id.clone()),
            Pane::Positions => self.desk.positions.get(index).map(|row| row.id.clone()),
            Pane::Letters => self.desk.letters.rows().get(index).map(|row| row.id.clone()),
            Pane::System => self.desk.system.rows().get(index).map(|row| row.id.clone()),
            Pane::Risk => self.desk.limits.get(index).map(|row| row.id.clone()),
            Pane::Pnl => None,
        }
    }

    /// The place of a row in its panel.
    pub(crate) fn place_of(&self, pane: Pane, id: &RowId) -> Option<usize> {
        match pane {
            Pane::Ticks => {
                self.desk.ticks.rows().iter().position(|row| matches!(id, RowId::Tick(symbol) if *symbol == row.symbol))
            }
            Pane::Strategies => self.desk.strategies.position(id),
            Pane::Signals => self.desk.decisions.rows().position(id),
            Pane::Orders => self.desk.orders.position(id),
            Pane::Fills => self.desk.fills.position(id),
            Pane::Positions => self.desk.positions.position(id),
            Pane::Letters => self.desk.letters.rows().position(id),
            Pane::System => self.desk.system.rows().position(id),
            Pane::Risk => self.desk.limits.position(id),
            Pane::Pnl => None,
        }
    }
}
