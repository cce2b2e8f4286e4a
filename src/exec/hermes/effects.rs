//! What the desk decided is done: at once what is urgent, the rest once its writes are durable.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::desk::{Effect, Signed, Step};
use super::super::venue::{ExecutionVenue, SignError};
use super::commands::{self, trip};
use super::runner::Runner;
use super::scribe::Waiting;
use crate::bus::Entry;
use crate::clock;
use crate::domain::{Ack, AckVerdict, DeadLetterState, Market, OrderIntent, TradeEvent};
use crate::failpoint::{self, Failpoint};
use crate::risk::Approved;
use crate::store::ledger::LedgerError;

impl Runner {
    /// A stream entry: the desk judges it, signs it, and has it sent once it is durable.
    pub(super) fn take_in(&mut self, entry: Entry) {
        failpoint::hit(Failpoint::EntryRead);
        self.take_data();
        let venue = self.hands.calls.venue();
        let step = self.hands.desk.on_entry(&entry, &|approved, market| sign(venue, approved, market), clock::now());
        self.perform(step, Some(entry));
    }

    /// Does what was decided.
    pub(super) fn perform(&mut self, step: Step, entry: Option<Entry>) {
        self.settle(step, Waiting { entry, ..Waiting::default() });
    }

    /// The same, with what goes with it.
    pub(super) fn settle(&mut self, step: Step, with: Waiting) {
        let mut steps = VecDeque::from([(step, with)]);
        while let Some((step, with)) = steps.pop_front() {
            let Step { writes, cuts, urgent, after } = step;
            let mut then: Vec<Step> = urgent.into_iter().filter_map(|effect| self.act(effect)).collect();
            let waiting = Waiting { writes: Arc::new(writes), cuts, after, ..with };
            if let Some(done) = self.hands.scribe.push(waiting) {
                then.extend(self.conclude(done));
            }
            steps.extend(then.into_iter().map(|step| (step, Waiting::default())));
        }
    }

    /// Its writes are durable.
    pub(super) fn finish(&mut self, done: Waiting) {
        for step in self.conclude(done) {
            self.perform(step, None);
        }
    }

    fn conclude(&mut self, done: Waiting) -> Vec<Step> {
        let steps = done.after.into_iter().filter_map(|effect| self.act(effect)).collect();
        if let Some((reply, ack)) = done.reply {
            commands::conclude(reply, ack, &self.hands.outbox.acks());
        }
        steps
    }

    /// Another run has the intent.
    pub(super) fn on_taken(&mut self, refused: Waiting, error: &LedgerError) {
        if let Some((reply, ack)) = refused.reply {
            let ack = Ack { verdict: AckVerdict::Denied { reasons: vec![error.to_string()] }, ..ack };
            commands::conclude(reply, ack, &self.hands.outbox.acks());
        }
        let step = match (refused.entry, error) {
            (Some(entry), _) => self.hands.desk.on_taken_before(&entry),
            (None, LedgerError::Duplicate { intent, attempt }) => self.hands.desk.on_duplicate(intent, *attempt),
            (None, _) => return tracing::error!(%error, "what was decided is not in the ledger"),
        };
        self.perform(step, None);
    }

    /// The ledger can never take this. Kept whole in the log file; nothing of what should have followed is done, and since the
    /// books now lack something, a person has to look before anything is sent again.
    pub(super) fn on_refused(&mut self, refused: Waiting, error: &LedgerError) {
        tracing::error!(%error, writes = ?refused.writes, "the ledger refuses this for good: it is set aside");
        trip(&self.hands.switch, "hermes", &format!("{error}; it is set aside in the log, and missing in the books"));
        if let Some((reply, ack)) = refused.reply {
            let ack = Ack { verdict: AckVerdict::Denied { reasons: vec![error.to_string()] }, ..ack };
            commands::conclude(reply, ack, &self.hands.outbox.acks());
        }
        self.hands.desk.on_set_aside(refused.entry.as_ref(), &refused.after, clock::now());
        let step = self.hands.desk.limits_refused(&refused.after, clock::now());
        self.perform(step, None);
    }

    /// One effect; what follows from it is a step of its own.
    fn act(&mut self, effect: Effect) -> Option<Step> {
        let hands = &mut self.hands;
        match effect {
            Effect::Post(key) => match hands.desk.clear_to_send(&key, clock::now()) {
                Ok((signed, step)) => {
                    failpoint::hit(Failpoint::Cleared);
                    hands.calls.post(key, signed);
                    return Some(step);
                }
                Err(step) => return Some(step),
            },
            Effect::Cancel(orders) => {
                failpoint::hit(Failpoint::Cancelling);
                hands.calls.cancel(orders);
            }
            Effect::Lookup { order, since } => hands.calls.lookup(order, since),
            Effect::Snapshot { since, trades } => hands.calls.snapshot(since, trades),
            Effect::Recall(order) => hands.calls.recall(order),
            Effect::History { market, token } => hands.calls.history(market, token),
            Effect::CountOrders => hands.calls.count_orders(),
            Effect::Balances { tokens, refresh } => hands.calls.balances(tokens, refresh),
            Effect::Heartbeat => hands.calls.heartbeat(),
            Effect::Emit(event) => {
                hands.outbox.event(&event);
                self.dirty = true;
                // What a person has done about a letter is told where the letter itself was told.
                if let TradeEvent::DeadLetter(letter) = *event
                    && letter.state != DeadLetterState::Waiting
                {
                    hands.outbox.dead_letter(Box::new(letter));
                }
            }
            Effect::DeadLetter(letter) => hands.outbox.dead_letter(letter),
            Effect::Ack(id) => {
                if let Err(error) = hands.acks.try_send(id) {
                    tracing::warn!(%error, "an entry was not acknowledged; it comes again and is known then");
                }
            }
            Effect::LimitsDurable(version) => {
                hands.desk.limits_durable(version);
                self.dirty = true;
            }
            Effect::Mirror(book) => hands.outbox.params(&book),
            Effect::Kill(why) => trip(&hands.switch, "hermes", &why),
            Effect::Disturb(why) => hands.switch.disturb(&why),
        }
        None
    }
}

/// Signs, and says how long that took.
pub(super) fn sign(
    venue: &dyn ExecutionVenue,
    approved: &Approved<OrderIntent>,
    market: &Market,
) -> Result<Signed, SignError> {
    failpoint::hit(Failpoint::GatePassed);
    let begun = clock::now();
    let signed = venue.sign(approved, market).map(|order| Signed { order, begun, done: clock::now() });
    failpoint::hit(Failpoint::Signed);
    signed
}
