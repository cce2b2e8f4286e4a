//! Dead letters as rows.

use crate::bus::decode;
use crate::domain::{DeadLetter, DeadLetterState, OrderIntent, SignalEntry};
use crate::ui::format;
use crate::ui::model::cells::label_of;
use crate::ui::model::panes::RowId;
use crate::ui::model::rows::{Cell, Row, Rows};
use crate::ui::theme::Role;

/// Letters kept for scrolling.
const LETTERS_MAX: usize = 500;
/// Cells of a row.
pub(crate) const CELLS: usize = 9;

/// A dead letter and what it wanted, as far as that can be read.
#[derive(Clone, Debug)]
pub(crate) struct LetterItem {
    /// The letter.
    pub(crate) letter: DeadLetter,
    /// The intent in its original; absent when that cannot be read.
    pub(crate) intent: Option<OrderIntent>,
}

/// Dead letters, newest first.
#[derive(Clone, Debug)]
pub(crate) struct Letters {
    rows: Rows<LetterItem, CELLS>,
}

impl Default for Letters {
    fn default() -> Self {
        Self { rows: Rows::with_cap(LETTERS_MAX) }
    }
}

impl Letters {
    /// The rows.
    pub(crate) const fn rows(&self) -> &Rows<LetterItem, CELLS> {
        &self.rows
    }

    /// Takes over a snapshot, newest first. What has not changed keeps its row: originals are long.
    pub(crate) fn replace(&mut self, letters: Vec<DeadLetter>) {
        let rows: Vec<_> = letters
            .into_iter()
            .map(|letter| match self.rows.find(&RowId::Letter(letter.id.clone())) {
                Some(known) if known.item.letter == letter => known.clone(),
                _ => row(letter),
            })
            .collect();
        self.rows.replace(rows);
    }

    /// Takes a letter's new state over, or a new letter.
    pub(crate) fn upsert(&mut self, letter: DeadLetter) {
        self.rows.upsert(row(letter));
    }
}

fn row(letter: DeadLetter) -> Row<LetterItem, CELLS> {
    let intent = decode::<SignalEntry>(letter.original.as_bytes()).ok().map(|envelope| envelope.body.intent);
    let item = LetterItem { letter, intent };
    Row { id: RowId::Letter(item.letter.id.clone()), cells: cells(&item), item }
}

/// Cells: state, age, reason, strategy, market, attempt, sent, errors, id.
fn cells(item: &LetterItem) -> [Cell; CELLS] {
    let letter = &item.letter;
    let waits = letter.state == DeadLetterState::Waiting;
    let (strategy, market) = item.intent.as_ref().map_or_else(
        || (Cell::of("-", Role::Dim), Cell::of("not readable", Role::Dim)),
        |intent| (Cell::text(format::clean(intent.strategy.as_str())), Cell::text(label_of(&intent.slug))),
    );
    let number = |number: u32| Cell::of(number.to_string(), if number == 0 { Role::Dim } else { Role::Text });
    let errors = if letter.first_error == letter.last_error {
        letter.last_error.clone()
    } else {
        format!("{}; at first: {}", letter.last_error, letter.first_error)
    };
    [
        state(&letter.state),
        Cell::Age(Some(letter.last_at)),
        Cell::of(letter.reason.code(), if waits { Role::Bad } else { Role::Dim }),
        strategy,
        market,
        number(letter.attempt),
        number(letter.posts),
        Cell::of(format::clean(&errors), if waits { Role::Text } else { Role::Dim }),
        Cell::of(format::clean(&letter.id), Role::Dim),
    ]
}

fn state(state: &DeadLetterState) -> Cell {
    match state {
        DeadLetterState::Waiting => Cell::of("waiting", Role::Warn),
        DeadLetterState::Retried { attempt, .. } => Cell::of(format!("retried #{attempt}"), Role::Good),
        DeadLetterState::Dropped { .. } => Cell::of("dropped", Role::Dim),
    }
}
