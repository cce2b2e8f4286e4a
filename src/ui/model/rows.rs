//! Table rows with their text made once, when the data changes, not when it is drawn.

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::domain::Timestamp;
use crate::ui::model::panes::RowId;
use crate::ui::theme::Role;

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Text and what it means.
    Text(Cow<'static, str>, Role),
    /// How long ago something was; made into text when drawn.
    Age(Option<Timestamp>),
}

impl Cell {
    /// Ordinary text.
    pub(crate) fn text(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Text(text.into(), Role::Text)
    }

    /// Text that means something.
    pub(crate) fn of(text: impl Into<Cow<'static, str>>, role: Role) -> Self {
        Self::Text(text.into(), role)
    }
}

/// One row: what it stands for and its cells.
#[derive(Clone, Debug)]
pub(crate) struct Row<T, const N: usize> {
    /// Its identity.
    pub(crate) id: RowId,
    /// What it stands for.
    pub(crate) item: T,
    /// Its cells.
    pub(crate) cells: [Cell; N],
}

/// Rows in the order in which they are shown, never more than `cap`.
#[derive(Clone, Debug)]
pub(crate) struct Rows<T, const N: usize> {
    rows: VecDeque<Row<T, N>>,
    cap: usize,
}

impl<T, const N: usize> Rows<T, N> {
    /// No rows, room for `cap`.
    pub(crate) const fn with_cap(cap: usize) -> Self {
        Self { rows: VecDeque::new(), cap }
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row at `index`.
    pub(crate) fn get(&self, index: usize) -> Option<&Row<T, N>> {
        self.rows.get(index)
    }

    /// Where the row of that id is.
    pub(crate) fn position(&self, id: &RowId) -> Option<usize> {
        self.rows.iter().position(|row| row.id == *id)
    }

    /// The row of that id.
    pub(crate) fn find(&self, id: &RowId) -> Option<&Row<T, N>> {
        self.rows.iter().find(|row| row.id == *id)
    }

    /// All rows.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Row<T, N>> {
        self.rows.iter()
    }

    /// Replaces the row of the same id where it stands, or puts a new one first.
    pub(crate) fn upsert(&mut self, row: Row<T, N>) {
        match self.rows.iter_mut().find(|known| known.id == row.id) {
            Some(known) => *known = row,
            None => self.rows.push_front(row),
        }
        self.rows.truncate(self.cap);
    }

    /// Puts a new row first; false when it is known.
    pub(crate) fn insert_new(&mut self, row: Row<T, N>) -> bool {
        if self.position(&row.id).is_some() {
            return false;
        }
        self.rows.push_front(row);
        self.rows.truncate(self.cap);
        true
    }

    /// Takes over other rows, in their order.
    pub(crate) fn replace(&mut self, rows: impl IntoIterator<Item = Row<T, N>>) {
        self.rows.clear();
        self.rows.extend(rows.into_iter().take(self.cap));
    }

    /// Of the rows that `of` picks out, keeps the first `most`.
    pub(crate) fn keep_first(&mut self, most: usize, of: impl Fn(&T) -> bool) {
        let mut seen = 0;
        self.rows.retain(|row| {
            seen += usize::from(of(&row.item));
            seen <= most || !of(&row.item)
        });
    }

    /// Moves the rows that `of` picks out to the front of `other`.
    pub(crate) fn move_to(&mut self, other: &mut Self, of: impl Fn(&T) -> bool) {
        let (mut moved, kept): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.rows).into_iter().partition(|row| of(&row.item));
        self.rows = kept;
        moved.append(&mut other.rows);
        other.rows = moved;
        other.rows.truncate(other.cap);
    }

    /// Brings the rows into order; equal ones keep theirs.
    pub(crate) fn sort_by_key<K: Ord>(&mut self, key: impl Fn(&T) -> K) {
        self.rows.make_contiguous().sort_by_key(|row| key(&row.item));
    }
}
