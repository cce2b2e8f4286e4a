//! Dead letters as rows, with what the reader asked about each.

use std::collections::VecDeque;
use std::fmt;

use crate::bus::decode;
use crate::domain::{Ack, DeadLetter, DeadLetterState, OrderIntent, SignalEntry, Timestamp};
use crate::ui::format;
use crate::ui::model::cells::label_of;
use crate::ui::model::flow::Flow;
use crate::ui::model::panes::RowId;
use crate::ui::model::rows::{Cell, Row, Rows};
use crate::ui::theme::Role;

/// Letters kept for scrolling.
const LETTERS_MAX: usize = 500;
/// Questions kept; the oldest go first, and with them only what their answers would be told of.
const ASKS_MAX: usize = 64;
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

/// What a person can do about a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Try it again.
    Retry,
    /// Give it up.
    Drop,
}

impl Remedy {
    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Drop => "drop",
        }
    }
}

/// What was asked about a letter, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LetterAsk {
    /// The letter's id.
    pub(crate) letter: String,
    /// What was asked.
    pub(crate) remedy: Remedy,
    /// How far it is.
    pub(crate) flow: Flow,
}

impl fmt::Display for LetterAsk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.remedy.name(), self.letter)
    }
}

/// Dead letters, newest first, and what was asked about them.
#[derive(Clone, Debug)]
pub(crate) struct Letters {
    rows: Rows<LetterItem, CELLS>,
    /// Oldest first; at most one a letter.
    asks: VecDeque<LetterAsk>,
}

impl Default for Letters {
    fn default() -> Self {
        Self { rows: Rows::with_cap(LETTERS_MAX), asks: VecDeque::new() }
    }
}

impl Letters {
    /// The rows.
    pub(crate) const fn rows(&self) -> &Rows<LetterItem, CELLS> {
        &self.rows
    }

    /// The newest letter of an attempt.
    pub(crate) fn of(&self, intent: &OrderIntent) -> Option<&DeadLetter> {
        let letters = self.rows.iter().map(|row| &row.item.letter);
        letters
            .into_iter()
            .find(|letter| letter.intent.as_ref() == Some(&intent.intent) && letter.attempt == intent.attempt)
    }

    /// What was last asked about a letter.
    pub(crate) fn asked(&self, letter: &str) -> Option<&LetterAsk> {
        self.asks.iter().find(|ask| ask.letter == letter)
    }

    /// Takes over a snapshot, newest first. What has not changed keeps its row: originals are long.
    pub(crate) fn replace(&mut self, letters: Vec<DeadLetter>) {
        let rows: Vec<_> = letters
            .into_iter()
            .map(|letter| match self.rows.find(&RowId::Letter(letter.id.clone())) {
                Some(known) if known.item.letter == letter => known.clone(),
                _ => self.row(item(letter)),
            })
            .collect();
        self.rows.replace(rows);
    }

    /// Takes a letter's new state over, or a new letter.
    pub(crate) fn upsert(&mut self, letter: DeadLetter) {
        self.rows.upsert(self.row(item(letter)));
    }

    /// Something is asked about a letter from now on.
    pub(crate) fn ask(&mut self, letter: &str, remedy: Remedy, now: Timestamp) {
        self.asks.retain(|ask| ask.letter != letter);
        if self.asks.len() >= ASKS_MAX {
            self.asks.pop_front();
        }
        self.asks.push_back(LetterAsk { letter: letter.to_owned(), remedy, flow: Flow::Sending { since: now } });
        self.refresh(letter);
    }

    /// What was asked about a letter is so far now.
    pub(crate) fn progress(&mut self, letter: &str, flow: Flow) {
        if let Some(ask) = self.asks.iter_mut().find(|ask| ask.letter == letter) {
            ask.flow = flow;
        }
        self.refresh(letter);
    }

    /// Takes an answer; tells what it answers, unless that is nothing of ours.
    pub(crate) fn answer(&mut self, ack: &Ack) -> Option<LetterAsk> {
        let ask = self.asks.iter_mut().find_map(|ask| ask.flow.answer(ack).then(|| ask.clone()))?;
        self.refresh(&ask.letter);
        Some(ask)
    }

    /// Marks answers whose time is over as late or given up; those for which that is news, with the news.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<(LetterAsk, &'static str)> {
        let news = |ask: &mut LetterAsk| ask.flow.expire(now).map(|news| (ask.clone(), news));
        let late: Vec<_> = self.asks.iter_mut().filter_map(news).collect();
        for (ask, _) in &late {
            self.refresh(&ask.letter);
        }
        late
    }

    fn refresh(&mut self, letter: &str) {
        if let Some(known) = self.rows.find(&RowId::Letter(letter.to_owned())) {
            self.rows.upsert(self.row(known.item.clone()));
        }
    }

    fn row(&self, item: LetterItem) -> Row<LetterItem, CELLS> {
        let cells = cells(&item, self.asked(&item.letter.id));
        Row { id: RowId::Letter(item.letter.id.clone()), cells, item }
    }
}

fn item(letter: DeadLetter) -> LetterItem {
    let intent = decode::<SignalEntry>(letter.original.as_bytes()).ok().map(|envelope| envelope.body.intent);
    LetterItem { letter, intent }
}

/// Cells: state, age, reason, strategy, market, attempt, sent, errors, entry.
fn cells(item: &LetterItem, ask: Option<&LetterAsk>) -> [Cell; CELLS] {
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
        state(&letter.state, ask),
        Cell::Age(Some(letter.last_at)),
        Cell::of(letter.reason.code(), if waits { Role::Bad } else { Role::Dim }),
        strategy,
        market,
        number(letter.attempt),
        number(letter.posts),
        Cell::of(format::clean(&errors), if waits { Role::Text } else { Role::Dim }),
        Cell::of(format::clean(&letter.entry), Role::Dim),
    ]
}

/// What was done about it; while nothing was, how far what was asked is.
fn state(state: &DeadLetterState, ask: Option<&LetterAsk>) -> Cell {
    match (state, ask.map(|ask| (ask.remedy.name(), &ask.flow))) {
        (DeadLetterState::Retried { attempt, .. }, _) => Cell::of(format!("retried #{attempt}"), Role::Good),
        (DeadLetterState::Dropped { .. }, _) => Cell::of("dropped", Role::Dim),
        (DeadLetterState::Waiting, None) => Cell::of("waiting", Role::Warn),
        (DeadLetterState::Waiting, Some((name, flow))) => match flow {
            Flow::Idle => Cell::of("waiting", Role::Warn),
            Flow::Sending { .. } | Flow::Waiting { late: false, .. } => Cell::of(format!("{name}…"), Role::Warn),
            Flow::Waiting { late: true, .. } => Cell::of("NO ANSWER", Role::Bad),
            Flow::Denied(_) => Cell::of("refused", Role::Bad),
            Flow::Failed(_) => Cell::of("NOT SENT", Role::Bad),
            Flow::Applied => Cell::of(format!("{name} ✓"), Role::Good),
        },
    }
}
