//! Dead letters: what could not be executed, and what a person does about it.

use std::collections::{HashSet, VecDeque};

use super::intake::Signer;
use super::{Desk, Effect, Key, Step};
use crate::bus::{Entry, decode, encode};
use crate::domain::{
    DeadLetter, DeadLetterReason, DeadLetterState, Order, OrderIntent, SignalEntry, Timestamp, TradeEvent,
};
use crate::store::ledger::{InboxRow, Write};

/// Letters kept in memory; older ones are read from the ledger when a person wants something done about them.
pub(super) const KEPT: usize = 1_000;
/// Older ones that were read lately, so that what was done about one counts before it is durable.
const RECALLED: usize = 64;
/// How many a snapshot shows.
const SHOWN: usize = 100;

/// The build that gives a letter up: version and commit.
const BUILD: &str = env!("COCKPIT_BUILD");

/// The newest letters and how many wait.
#[derive(Debug, Default)]
pub(super) struct Letters {
    /// Newest first.
    newest: VecDeque<DeadLetter>,
    /// Older ones that a person asked about, the last asked for at the end.
    recalled: VecDeque<DeadLetter>,
    /// Of this run: those of earlier ones are durable for certain.
    own: HashSet<String>,
    waiting: u64,
}

impl Letters {
    /// As the ledger has them: the newest, newest first, and how many wait.
    pub(super) fn of(newest: impl IntoIterator<Item = DeadLetter>, waiting: u64) -> Self {
        Self { newest: newest.into_iter().take(KEPT).collect(), waiting, ..Self::default() }
    }

    /// How many letters nothing was done about.
    pub(super) const fn waiting(&self) -> u64 {
        self.waiting
    }

    /// The newest, for a snapshot.
    pub(super) fn shown(&self) -> Vec<DeadLetter> {
        self.newest.iter().take(SHOWN).cloned().collect()
    }

    fn get(&self, id: &str) -> Option<&DeadLetter> {
        self.newest.iter().chain(&self.recalled).find(|letter| letter.id == id)
    }

    /// Takes a letter in; false when it is there already.
    fn add(&mut self, letter: &DeadLetter) -> bool {
        if self.get(&letter.id).is_some() {
            return false;
        }
        self.waiting += 1;
        self.own.insert(letter.id.clone());
        self.newest.push_front(letter.clone());
        if self.newest.len() > KEPT
            && let Some(oldest) = self.newest.pop_back()
        {
            self.own.remove(&oldest.id);
        }
        true
    }

    /// What this run buried of an entry did not become durable: another run had the entry.
    pub(super) fn forget(&mut self, entry: &str) {
        let own = std::mem::take(&mut self.own);
        let before = self.newest.len();
        self.newest.retain(|letter| letter.entry != entry || !own.contains(&letter.id));
        self.waiting = self.waiting.saturating_sub((before - self.newest.len()) as u64);
        self.own = own;
    }

    fn settle(&mut self, letter: &DeadLetter) {
        if let Some(known) = self.newest.iter_mut().chain(&mut self.recalled).find(|known| known.id == letter.id) {
            known.state = letter.state.clone();
            self.waiting = self.waiting.saturating_sub(1);
        }
    }
}

impl Desk {
    /// Whether a letter is in memory.
    pub(in crate::exec) fn has_letter(&self, id: &str) -> bool {
        self.letters.get(id).is_some()
    }

    /// The ledger tells a letter that is too old to be in memory.
    pub(in crate::exec) fn recall_letter(&mut self, letter: DeadLetter) {
        if self.has_letter(&letter.id) {
            return;
        }
        if self.letters.recalled.len() == RECALLED {
            self.letters.recalled.pop_front();
        }
        self.letters.recalled.push_back(letter);
    }

    /// A dead letter: durable, told, and on its stream. The same letter again changes nothing.
    fn bury(&mut self, letter: DeadLetter, step: &mut Step) {
        if !self.letters.add(&letter) {
            return;
        }
        step.writes.push(Write::DeadLetter(Box::new(letter.clone())));
        step.emit(TradeEvent::DeadLetter(letter.clone()));
        step.after.push(Effect::DeadLetter(Box::new(letter)));
    }

    /// A dead letter for an entry that becomes no order.
    pub(super) fn refuse(
        &mut self,
        entry: &Entry,
        original: String,
        intent: Option<&OrderIntent>,
        (reason, error): (DeadLetterReason, &str),
        now: Timestamp,
        step: &mut Step,
    ) {
        let entry_id = entry.id.to_string();
        let letter = DeadLetter {
            id: DeadLetter::id_of(&entry_id, reason),
            entry: entry_id,
            intent: intent.map(|intent| intent.intent.clone()),
            attempt: intent.map_or(0, |intent| intent.attempt),
            reason,
            first_error: error.to_owned(),
            last_error: error.to_owned(),
            original,
            posts: 0,
            first_at: now,
            last_at: now,
            build: BUILD.to_owned(),
            state: DeadLetterState::Waiting,
        };
        self.bury(letter, step);
        step.after.push(Effect::Ack(entry.id));
    }

    /// The dead letter of an order that was in our hands.
    pub(super) fn bury_order(
        &mut self,
        key: &Key,
        reason: DeadLetterReason,
        error: String,
        now: Timestamp,
        step: &mut Step,
    ) {
        let Some(tracked) = self.orders.get(key).filter(|tracked| !tracked.row.adopted) else { return };
        let entry = tracked.entry.map_or_else(|| format!("{}#{}", key.0, key.1), |entry| entry.to_string());
        let letter = DeadLetter {
            id: DeadLetter::id_of(&entry, reason),
            entry,
            intent: Some(key.0.clone()),
            attempt: key.1,
            reason,
            first_error: tracked.row.first_error.clone().unwrap_or_else(|| error.clone()),
            last_error: error,
            original: tracked.payload.clone(),
            posts: tracked.row.posts,
            first_at: tracked.row.order.times.consumed_at.unwrap_or(now),
            last_at: now,
            build: BUILD.to_owned(),
            state: DeadLetterState::Waiting,
        };
        self.bury(letter, step);
    }

    /// Gives a letter up.
    ///
    /// # Errors
    /// The reasons against it.
    pub(in crate::exec) fn drop_dead_letter(
        &mut self,
        id: &str,
        by: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<Step, Vec<String>> {
        let letter = self.waiting_letter(id)?;
        let state = DeadLetterState::Dropped { by: by.to_owned(), why: why.to_owned(), at: now };
        let mut step = Step::default();
        self.settle_letter(DeadLetter { state, ..letter }, &mut step);
        Ok(step)
    }

    /// Tries a letter again: a new attempt of its intent, in the present epoch, with a fresh deadline of the same length,
    /// through every gate. While the earlier attempt may live it is refused, and so it is when a gate refuses; the letter then
    /// stays as it is.
    ///
    /// # Errors
    /// The reasons against it.
    pub(in crate::exec) fn retry_dead_letter(
        &mut self,
        id: &str,
        by: &str,
        sign: Signer<'_>,
        now: Timestamp,
    ) -> Result<Step, Vec<String>> {
        let letter = self.waiting_letter(id)?;
        if !letter.reason.is_retryable() {
            return Err(vec![format!("dead letter {id} is '{}': it can never be executed", letter.reason)]);
        }
        let mut envelope = decode::<SignalEntry>(letter.original.as_bytes())
            .map_err(|error| vec![format!("its original cannot be read: {error}")])?;
        let attempt = letter.attempt.saturating_add(1);
        self.proven_dead(&letter, &envelope.body.intent, attempt)?;
        if !self.latch.is_armed() {
            return Err(vec![format!("killed by {}: {}", self.latch.by, self.latch.why)]);
        }
        if let Some(trouble) = self.trouble(now) {
            return Err(vec![trouble]);
        }
        let intent = again(&envelope.body.intent, attempt, self.latch.epoch, now);
        if let Some((_, error)) = self.obstacle(&intent, now) {
            return Err(vec![error]);
        }
        let approved =
            self.ask_gate(intent.clone(), None, now).map_err(|denied| vec![format!("denied: {}", denied.denial)])?;
        self.recent.note(approved.inner(), now);
        let signed = self.signed(&approved, sign).map_err(|(_, error)| vec![error])?;
        envelope.body.intent = intent.clone();
        let payload = encode(&envelope).map_err(|error| vec![error.to_string()])?;
        if let Some(error) = super::intake::too_long(&payload) {
            return Err(vec![error]);
        }
        let payload = String::from_utf8_lossy(&payload).into_owned();
        let mut step = Step::default();
        step.writes.push(Write::Inbox(InboxRow {
            intent: intent.intent.clone(),
            attempt,
            entry: format!("dlq:{id}"),
            boot: self.origin.boot.clone(),
            payload: payload.clone(),
            at: now,
        }));
        let state = DeadLetterState::Retried { attempt, by: by.to_owned(), at: now };
        self.settle_letter(DeadLetter { state, ..letter }, &mut step);
        self.launch(Order::new(intent, now), None, payload, signed, now, &mut step);
        Ok(step)
    }

    fn waiting_letter(&self, id: &str) -> Result<DeadLetter, Vec<String>> {
        let Some(letter) = self.letters.get(id) else {
            return Err(vec![format!("there is no dead letter {id}")]);
        };
        match &letter.state {
            DeadLetterState::Waiting => Ok(letter.clone()),
            DeadLetterState::Retried { attempt, by, at } => {
                Err(vec![format!("{by} had it tried again at {at}, as attempt {attempt}")])
            }
            DeadLetterState::Dropped { by, at, .. } => Err(vec![format!("{by} dropped it at {at}")]),
        }
    }

    /// Whether every earlier attempt has ended without a share and the next one was never made.
    fn proven_dead(&self, letter: &DeadLetter, intent: &OrderIntent, attempt: u32) -> Result<(), Vec<String>> {
        if self.orders.contains_key(&(intent.intent.clone(), attempt)) {
            return Err(vec![format!("attempt {attempt} of {} was made already", intent.intent)]);
        }
        for earlier in 1..attempt {
            let key: Key = (intent.intent.clone(), earlier);
            match self.orders.get(&key) {
                Some(tracked) if self.is_alive(&key) => {
                    return Err(vec![format!("attempt {earlier} is not proven dead: it is {}", tracked.state())]);
                }
                None if earlier == letter.attempt && letter.posts > 0 => {
                    return Err(vec![format!(
                        "attempt {earlier} was sent and is no longer in memory: not proven dead"
                    )]);
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    fn settle_letter(&mut self, letter: DeadLetter, step: &mut Step) {
        self.letters.settle(&letter);
        step.writes.push(Write::DeadLetterState { id: letter.id.clone(), state: letter.state.clone() });
        step.emit(TradeEvent::DeadLetter(letter));
    }
}

/// The same wish once more, as if it had been made now.
fn again(intent: &OrderIntent, attempt: u32, epoch: u64, now: Timestamp) -> OrderIntent {
    OrderIntent {
        tick_received_at: now,
        created_at: now,
        deadline: now.plus(intent.deadline.since(intent.created_at)),
        rest_until: now.plus(intent.rest_until.since(intent.created_at)),
        epoch,
        attempt,
        ..intent.clone()
    }
}
