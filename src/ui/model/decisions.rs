//! What strategies decided: signals, denials and skips. Skips may be hidden, and never push signals or denials out.

use std::cmp::Reverse;

use crate::domain::{Skip, Timestamp};
use crate::ui::model::cells::SignalItem;
use crate::ui::model::panes::RowId;
use crate::ui::model::rows::{Row, Rows};

/// Signals and denials kept.
const WISHES_MAX: usize = 500;
/// Skips kept.
const SKIPS_MAX: usize = 200;

/// One decision.
#[derive(Clone, Debug)]
pub(crate) enum Decision {
    /// A wish, as it was emitted or refused.
    Wish(Box<SignalItem>),
    /// None, although the price moved as the strategy waits for.
    Skip(Skip),
}

impl Decision {
    const fn at(&self) -> Timestamp {
        match self {
            Self::Wish(item) => item.at,
            Self::Skip(skip) => skip.at,
        }
    }

    const fn is_skip(&self) -> bool {
        matches!(self, Self::Skip(_))
    }
}

/// All of them, newest first.
#[derive(Debug)]
pub(crate) struct Decisions {
    shown: Rows<Decision, 7>,
    hidden: Rows<Decision, 7>,
    hides_skips: bool,
}

impl Default for Decisions {
    fn default() -> Self {
        // Room for the new one, before it is seen which of the old ones it takes the place of.
        let shown = Rows::with_cap(WISHES_MAX + SKIPS_MAX + 1);
        Self { shown, hidden: Rows::with_cap(SKIPS_MAX), hides_skips: false }
    }
}

impl Decisions {
    /// What is shown.
    pub(crate) const fn rows(&self) -> &Rows<Decision, 7> {
        &self.shown
    }

    /// How many skips are kept out of sight.
    pub(crate) fn hidden(&self) -> usize {
        self.hidden.len()
    }

    /// A decision, shown or hidden.
    pub(crate) fn find(&self, id: &RowId) -> Option<&Decision> {
        self.shown.find(id).or_else(|| self.hidden.find(id)).map(|row| &row.item)
    }

    /// The signal or denial of that id.
    pub(crate) fn wish(&self, id: &RowId) -> Option<&SignalItem> {
        match &self.shown.find(id)?.item {
            Decision::Wish(item) => Some(item),
            Decision::Skip(_) => None,
        }
    }

    /// Puts a new one first; one that is known stays as it is.
    pub(crate) fn insert(&mut self, row: Row<Decision, 7>) {
        if self.hides_skips && row.item.is_skip() {
            self.hidden.insert_new(row);
            return;
        }
        self.shown.insert_new(row);
        self.shown.keep_first(SKIPS_MAX, Decision::is_skip);
        self.shown.keep_first(WISHES_MAX, |decision| !decision.is_skip());
    }

    /// Hides the skips, or shows them again. True when they are hidden now.
    pub(crate) fn toggle_skips(&mut self) -> bool {
        self.hides_skips = !self.hides_skips;
        if self.hides_skips {
            self.shown.move_to(&mut self.hidden, Decision::is_skip);
        } else {
            self.hidden.move_to(&mut self.shown, Decision::is_skip);
            self.shown.sort_by_key(|decision| Reverse(decision.at()));
        }
        self.hides_skips
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::model::cells::{self, Markets};
    use crate::ui::testing::{at, signal, skip};

    fn wish(number: i64) -> Row<Decision, 7> {
        cells::signal(cells::emitted(signal(number, at(number)), at(number)), &Markets::default())
    }

    fn skipped(number: i64) -> Row<Decision, 7> {
        cells::skip(skip(number, at(number)))
    }

    #[test]
    fn skips_push_no_signal_out_and_signals_no_skip() {
        let mut decisions = Decisions::default();
        decisions.insert(wish(0));
        for number in 1..=1_000 {
            decisions.insert(skipped(number));
        }
        assert_eq!(decisions.rows().len(), SKIPS_MAX + 1);
        assert!(decisions.wish(&wish(0).id).is_some());
        for number in 1..=1_000 {
            decisions.insert(wish(number));
        }
        assert_eq!(decisions.rows().len(), SKIPS_MAX + WISHES_MAX);
        assert!(decisions.wish(&wish(0).id).is_none() && decisions.wish(&wish(501).id).is_some());
        assert!(decisions.find(&skipped(801).id).is_some() && decisions.find(&skipped(800).id).is_none());
    }

    #[test]
    fn hidden_skips_are_kept_and_come_back_to_their_places() {
        let mut decisions = Decisions::default();
        for row in [skipped(1), wish(2), skipped(3)] {
            decisions.insert(row);
        }
        assert!(decisions.toggle_skips());
        decisions.insert(skipped(4));
        decisions.insert(wish(5));
        decisions.insert(skipped(6));
        assert_eq!((decisions.rows().len(), decisions.hidden()), (2, 4));
        assert!(decisions.find(&skipped(4).id).is_some(), "an open sheet stays");
        assert!(!decisions.toggle_skips());
        let order: Vec<_> = decisions.rows().iter().map(|row| row.item.at()).collect();
        assert_eq!(order, [6, 5, 4, 3, 2, 1].map(at));
        assert_eq!(decisions.hidden(), 0);
    }
}
