//! From a stream entry to an order that may leave: deadline and epoch, inbox, gate, signature, and the gate once more.

use std::sync::Arc;

use super::{Desk, Effect, Fact, Key, SIGNAL_MOST, Sending, Standing, Step, Tracked, clip};
use crate::bus::{Entry, EntryId, decode};
use crate::domain::{
    Control, DeadLetterReason, Denial, DeniedBy, Fill, IntentId, Market, Order, OrderIntent, Rationale, SignalEntry,
    Timestamp, TradeEvent, span_us,
};
use crate::exec::venue::{SignError, SignedOrder};
use crate::risk::{Approved, Denied};
use crate::store::ledger::{InboxRow, OrderRow, Write};

/// How an approved intent is signed: a plain function, the same intent gives the same bytes.
pub(in crate::exec) type Signer<'a> = &'a (dyn Fn(&Approved<OrderIntent>, &Market) -> Result<Signed, SignError> + 'a);

/// A signed order and how long that took, as the edge measured it.
#[derive(Debug)]
pub(in crate::exec) struct Signed {
    /// The order.
    pub(in crate::exec) order: SignedOrder,
    /// When it was asked for: the gate had passed it.
    pub(in crate::exec) begun: Timestamp,
    /// When it was signed.
    pub(in crate::exec) done: Timestamp,
}

/// The code under which something that cannot be signed is buried.
const fn reason_of(error: &SignError) -> DeadLetterReason {
    match error {
        SignError::OffTick { .. } => DeadLetterReason::Tick,
        SignError::Size { .. } => DeadLetterReason::Size,
        SignError::Field { .. } | SignError::Signer(_) => DeadLetterReason::Unsignable,
    }
}

/// Why the strategy wanted it, as the signal says; a retry of a letter that cannot be read as one has none.
fn rationale_in(payload: &str) -> Option<Rationale> {
    decode::<SignalEntry>(payload.as_bytes()).ok().map(|signal| signal.body.rationale)
}

/// Why a signal cannot be kept whole.
pub(super) fn too_long(payload: &[u8]) -> Option<String> {
    let length = payload.len();
    (length > SIGNAL_MOST).then(|| format!("a signal of {length} bytes; at most {SIGNAL_MOST} are taken"))
}

impl Desk {
    /// A stream entry.
    pub(in crate::exec) fn on_entry(&mut self, entry: &Entry, sign: Signer<'_>, now: Timestamp) -> Step {
        let mut step = Step::default();
        if self.in_hand.contains(&entry.id) {
            return step;
        }
        let payload = String::from_utf8_lossy(&entry.payload).into_owned();
        if entry.payload.is_empty() {
            self.refuse(entry, payload, None, (DeadLetterReason::Trimmed, "trimmed while pending"), now, &mut step);
            return step;
        }
        let read = match too_long(&entry.payload) {
            Some(error) => Err(error),
            None => decode::<SignalEntry>(&entry.payload).map_err(|error| error.to_string()),
        };
        let intent = match read {
            Ok(envelope) => envelope.body.intent,
            Err(error) => {
                self.refuse(entry, clip(&payload), None, (DeadLetterReason::Malformed, &error), now, &mut step);
                return step;
            }
        };
        let key: Key = (intent.intent.clone(), intent.attempt);
        if self.orders.contains_key(&key) {
            step.after.push(Effect::Ack(entry.id));
            return step;
        }
        step.writes.push(Write::Inbox(InboxRow {
            intent: intent.intent.clone(),
            attempt: intent.attempt,
            entry: entry.id.to_string(),
            boot: self.origin.boot.clone(),
            payload: payload.clone(),
            at: now,
        }));
        match self.obstacle(&intent, now) {
            Some((reason, error)) => {
                self.tell_refused((&intent, &payload), reason, now, &mut step);
                self.refuse(entry, payload, Some(&intent), (reason, &error), now, &mut step);
            }
            None => self.admit(entry, payload, intent, sign, now, &mut step),
        }
        step
    }

    /// The inbox has this attempt already, from another run: nothing of what was planned for it is durable.
    pub(in crate::exec) fn on_duplicate(&mut self, intent: &IntentId, attempt: u32) -> Step {
        let mut step = Step::default();
        let key: Key = (intent.clone(), attempt);
        self.release(&key, &mut step);
        self.forget(&key);
        step
    }

    /// The inbox of another run has this intent: it was or is being executed.
    pub(in crate::exec) fn on_taken_before(&mut self, entry: &Entry) -> Step {
        let mut step = Step::default();
        self.unplan(entry);
        step.after.push(Effect::Ack(entry.id));
        step
    }

    /// Nothing of what was planned for this entry is durable, be it an order, a denial or a letter: it never was.
    fn unplan(&mut self, entry: &Entry) {
        self.in_hand.remove(&entry.id);
        self.letters.forget(&entry.id.to_string());
        if let Ok(signal) = decode::<SignalEntry>(&entry.payload) {
            let intent = signal.body.intent;
            self.forget(&(intent.intent, intent.attempt));
        }
    }

    /// A batch that the ledger refuses for good: the entry that it was made for, if any, and what should have followed. An order of
    /// it that was never sent is none.
    pub(in crate::exec) fn on_set_aside(&mut self, entry: Option<&Entry>, after: &[Effect], now: Timestamp) {
        self.folding.stop();
        if let Some(entry) = entry {
            return self.unplan(entry);
        }
        for effect in after {
            let Effect::Post(key) = effect else { continue };
            let Some(tracked) = self.orders.get_mut(key) else { continue };
            if tracked.row.posts == 0 && !tracked.standing.is_held() {
                self.forget(key);
            } else if tracked.sending == Sending::Due {
                tracked.sending = Sending::RetryAt(now);
            }
        }
    }

    fn forget(&mut self, key: &Key) {
        let Some(tracked) = self.orders.remove(key) else { return };
        self.counts -= tracked.row.counts();
        self.active.remove(key);
        self.ended.retain(|ended| ended != key);
        if let Some(order) = tracked.row.order.order {
            self.index.remove(&order);
        }
    }

    /// Why this intent must not even be judged.
    pub(super) fn obstacle(&self, intent: &OrderIntent, now: Timestamp) -> Option<(DeadLetterReason, String)> {
        if !self.latch.is_armed() {
            return Some((DeadLetterReason::Killed, format!("killed by {}: {}", self.latch.by, self.latch.why)));
        }
        if intent.epoch != self.latch.epoch {
            let error = format!("made in epoch {}, epoch {} is in force", intent.epoch, self.latch.epoch);
            return Some((DeadLetterReason::StaleEpoch, error));
        }
        if now > intent.deadline {
            let late = span_us(now.micros() - intent.deadline.micros());
            return Some((DeadLetterReason::Expired, format!("its deadline passed {late} ago")));
        }
        if !self.markets.contains_key(&intent.market) {
            return Some((DeadLetterReason::UnknownMarket, format!("market {} is not known", intent.market)));
        }
        if let Some(until) = self.post_only_until(intent, now).filter(|until| *until > intent.deadline) {
            return Some((DeadLetterReason::Exhausted, format!("the venue takes only post-only orders until {until}")));
        }
        let alive = (1..intent.attempt).any(|attempt| self.is_alive(&(intent.intent.clone(), attempt)));
        alive.then(|| (DeadLetterReason::Malformed, format!("attempt {} while an earlier one lives", intent.attempt)))
    }

    /// Tells as a denial what the gate is not asked about, when a control of its table would have refused it.
    fn tell_refused(
        &self,
        (intent, payload): (&OrderIntent, &str),
        reason: DeadLetterReason,
        now: Timestamp,
        step: &mut Step,
    ) {
        let latch = &self.latch;
        let (control, value, limit) = match reason {
            DeadLetterReason::Killed if !latch.is_armed() => {
                (Control::TradingState, format!("killed by {}: {}", latch.by, latch.why), "active".to_owned())
            }
            DeadLetterReason::Killed | DeadLetterReason::StaleEpoch => {
                (Control::ArmEpoch, format!("epoch {}", intent.epoch), format!("epoch {}", latch.epoch))
            }
            DeadLetterReason::Expired => {
                let span = |to: Timestamp| span_us(to.micros() - intent.tick_received_at.micros());
                (Control::Deadline, format!("{} after its tick", span(now)), span(intent.deadline))
            }
            DeadLetterReason::UnknownMarket => {
                (Control::Market, format!("market {} is not known", intent.market), "a known market".to_owned())
            }
            _ => return,
        };
        let (denial, intent) = (Denial { control, value, limit }, intent.clone());
        let (rationale, checks) = (rationale_in(payload), Vec::new());
        step.emit(TradeEvent::Denied { by: DeniedBy::Hermes, intent, denial, rationale, checks, at: now });
    }

    /// Whether an order may still bring shares, or has brought some.
    pub(super) fn is_alive(&self, key: &Key) -> bool {
        let Some(tracked) = self.orders.get(key) else { return false };
        !tracked.state().is_terminal() || !tracked.row.order.matched.is_zero() || self.risen.contains_key(key)
    }

    fn admit(
        &mut self,
        entry: &Entry,
        payload: String,
        intent: OrderIntent,
        sign: Signer<'_>,
        now: Timestamp,
        step: &mut Step,
    ) {
        let order = Order::new(intent.clone(), now);
        let approved = match self.ask_gate(intent, None, now) {
            Ok(approved) => approved,
            Err(denied) => return self.deny_at_intake((entry, &payload), order, *denied, now, step),
        };
        self.recent.note(approved.inner(), now);
        match self.signed(&approved, sign) {
            Ok(signed) => {
                self.in_hand.insert(entry.id);
                self.launch(order, Some(entry.id), payload, signed, now, step);
            }
            Err((reason, error)) => {
                self.refuse(entry, payload, Some(approved.inner()), (reason, &error), now, step);
            }
        }
    }

    /// Signs what was approved, for the exchange that its market is on.
    pub(super) fn signed(
        &self,
        approved: &Approved<OrderIntent>,
        sign: Signer<'_>,
    ) -> Result<Signed, (DeadLetterReason, String)> {
        let market = &approved.inner().market;
        let Some(market) = self.markets.get(market) else {
            return Err((DeadLetterReason::UnknownMarket, format!("market {market} is not known")));
        };
        let signed = sign(approved, market).map_err(|error| (reason_of(&error), error.to_string()))?;
        if self.index.contains_key(signed.order.order()) {
            let error = format!("its order id {} belongs to another order", signed.order.order());
            return Err((DeadLetterReason::Unsignable, error));
        }
        Ok(signed)
    }

    /// Takes a signed order into the books: durable first, then its POST.
    pub(super) fn launch(
        &mut self,
        mut order: Order,
        entry: Option<EntryId>,
        payload: String,
        signed: Signed,
        now: Timestamp,
        step: &mut Step,
    ) {
        let Signed { order: signed, begun, done } = signed;
        let key: Key = (order.intent.intent.clone(), order.intent.attempt);
        if let Some(market) = self.markets.get(&order.intent.market)
            && self.stored_markets.get(&market.market) != Some(market)
        {
            step.writes.push(Write::Market(Box::new(market.clone())));
            self.stored_markets.insert(market.market.clone(), market.clone());
        }
        order.order = Some(signed.order().clone());
        order.times.gated_at = Some(begun);
        order.times.signed_at = Some(done);
        let row = OrderRow {
            order,
            digest: Some(signed.digest().to_owned()),
            accepted: false,
            adopted: false,
            posts: 0,
            first_error: None,
            shares: (signed.shares() != signed.intent().size).then(|| signed.shares()),
            token: 0,
        };
        let standing = Standing::new(row.shares());
        let mut tracked = Tracked::new(row, standing);
        tracked.entry = entry;
        tracked.payload = payload;
        tracked.signed = Some(Arc::new(signed));
        tracked.sending = Sending::Due;
        self.track(&key, tracked);
        self.learn(&key, Fact::Signed, "signed", now, step);
        if !self.recognise(&key, Vec::new(), now, step) {
            step.after.push(Effect::Post(key));
        }
    }

    /// Takes over trades that were heard of before their order was: then the venue has it, and it is not sent again.
    /// `stored` is what the ledger has of them.
    pub(super) fn recognise(&mut self, key: &Key, stored: Vec<Fill>, now: Timestamp, step: &mut Step) -> bool {
        let Some(tracked) = self.orders.get(key) else { return false };
        let Some(order) = tracked.row.order.order.clone() else { return false };
        let known = self.fills_of(&tracked.row.order.intent.token, &order, stored);
        if let Some(tracked) = self.orders.get_mut(key) {
            for fill in &known {
                tracked.settle(&fill.trade, fill.status);
            }
        }
        for fill in &known {
            let fact = Fact::of_fill(fill.trade.clone(), fill.size, fill.status);
            self.learn(key, fact, "fill", now, step);
        }
        if !known.is_empty() {
            self.release(key, step);
        }
        !known.is_empty()
    }

    fn deny_at_intake(
        &mut self,
        (entry, payload): (&Entry, &str),
        mut order: Order,
        denied: Denied,
        now: Timestamp,
        step: &mut Step,
    ) {
        let key: Key = (order.intent.intent.clone(), order.intent.attempt);
        order.reason = Some(denied.denial.to_string());
        let row = OrderRow {
            order,
            digest: None,
            accepted: false,
            adopted: false,
            posts: 0,
            first_error: None,
            shares: None,
            token: 0,
        };
        self.track(&key, Tracked::new(row.clone(), Standing::new(row.order.intent.size)));
        self.tell_denied(denied, payload, now, step);
        self.learn(&key, Fact::Denied, "denied", now, step);
        step.after.push(Effect::Ack(entry.id));
    }

    fn tell_denied(&mut self, denied: Denied, payload: &str, now: Timestamp, step: &mut Step) {
        let Denied { intent, denial, checks } = denied;
        if let Some(halt) = self.throttle.denied(&intent.strategy, &denial, self.latch.epoch) {
            step.writes.push(Write::Halt { halt, epoch: self.latch.epoch, at: now });
        }
        let rationale = rationale_in(payload);
        step.emit(TradeEvent::Denied { by: DeniedBy::Hermes, intent, denial, rationale, checks, at: now });
    }

    /// The signal that an order came from.
    fn payload(&self, key: &Key) -> &str {
        self.orders.get(key).map_or("", |tracked| &tracked.payload)
    }

    /// The last question before the bytes leave: is this order still to be sent? Gives the bytes, or what becomes of it instead.
    pub(in crate::exec) fn clear_to_send(
        &mut self,
        key: &Key,
        now: Timestamp,
    ) -> Result<(Arc<SignedOrder>, Step), Step> {
        let mut step = Step::default();
        let Some(tracked) = self.orders.get_mut(key) else { return Err(step) };
        if tracked.state().is_terminal() || tracked.standing.is_held() {
            return Err(step);
        }
        let Some(signed) = tracked.signed.clone() else { return Err(step) };
        tracked.row.order.times.committed_at.get_or_insert(now);
        let (intent, posts) = (signed.intent().clone(), tracked.row.posts);
        if !self.latch.is_armed() || self.latch.epoch != intent.epoch {
            self.tell_refused((&intent, self.payload(key)), DeadLetterReason::Killed, now, &mut step);
            self.give_up(key, "killed before it was sent", DeadLetterReason::Killed, now, &mut step);
        } else if now > intent.deadline {
            let reason = if posts == 0 { DeadLetterReason::Expired } else { DeadLetterReason::Exhausted };
            self.tell_refused((&intent, self.payload(key)), DeadLetterReason::Expired, now, &mut step);
            self.give_up(key, "its deadline passed", reason, now, &mut step);
        } else if let Some((until, why)) = self.pause.holds(now) {
            self.wait(key, why, until, now, &mut step);
        } else if let Some(trouble) = self.trouble(now) {
            self.postpone(key, trouble, now);
        } else if let Some(until) = self.post_only_until(&intent, now) {
            self.wait(key, "the venue takes only post-only orders".into(), until, now, &mut step);
        } else if let Err(denied) = self.ask_gate(intent, Some(key), now) {
            let reason = denied.denial.to_string();
            self.amend(key, |row| row.order.reason = Some(reason));
            let payload = self.payload(key).to_owned();
            self.tell_denied(*denied, &payload, now, &mut step);
            self.learn(key, Fact::Denied, "denied", now, &mut step);
            self.release(key, &mut step);
        } else {
            if let Some(tracked) = self.orders.get_mut(key) {
                tracked.sending = Sending::InFlight;
            }
            self.begin(key, now, &mut step);
            return Ok((signed, step));
        }
        Err(step)
    }

    /// The POST begins. That is told at once and written with the answer: signed in the ledger already means perhaps sent.
    fn begin(&mut self, key: &Key, now: Timestamp, step: &mut Step) {
        let mut told = Step::default();
        self.learn(key, Fact::Sending, "sending", now, &mut told);
        step.after.append(&mut told.after);
    }

    /// Ends an order that the venue does not have.
    pub(super) fn give_up(&mut self, key: &Key, why: &str, reason: DeadLetterReason, now: Timestamp, step: &mut Step) {
        let fact = if reason == DeadLetterReason::Killed { Fact::Denied } else { Fact::Expired };
        self.amend(key, |row| row.order.reason = Some(why.to_owned()));
        self.bury_order(key, reason, why.to_owned(), now, step);
        self.learn(key, fact, "given_up", now, step);
        self.release(key, step);
    }

    /// Orders whose POST is asked for or under way.
    pub(in crate::exec) fn sending(&self) -> usize {
        self.orders.sending()
    }

    /// Whether any POST is on the wire.
    pub(in crate::exec) fn is_posting(&self) -> bool {
        self.active.iter().any(|key| self.orders.get(key).is_some_and(|tracked| tracked.sending == Sending::InFlight))
    }
}
