//! What the venue's answer to a POST, or its absence, means for an order.

use std::time::Duration;

use super::{Desk, Fact, Key, Search, Sending, Step};
use crate::domain::{Control, DeadLetterReason, Denial, RejectCode, TimeInForce, Timestamp};
use crate::exec::venue::PostAnswer;
use crate::store::ledger::{Barred, Write};

/// An order that should have ended at once is looked up when nothing was heard of it for this long.
const CHECK_AFTER: Duration = Duration::from_secs(2);

impl Desk {
    /// The answer to a POST. `begun` is the first byte; absent when none left.
    pub(in crate::exec) fn on_posted(
        &mut self,
        key: &Key,
        answer: PostAnswer,
        begun: Option<Timestamp>,
        now: Timestamp,
    ) -> Step {
        let mut step = Step::default();
        let Some(tracked) = self.orders.get_mut(key) else { return step };
        let in_flight = tracked.sending == Sending::InFlight;
        if in_flight {
            tracked.sending = Sending::Idle;
        }
        if let Some(begun) = begun {
            tracked.row.posts += 1;
            if tracked.row.posts == 1 {
                let waited = begun.since(tracked.row.order.intent.tick_received_at).as_micros();
                self.latency.saturating_record(u64::try_from(waited).unwrap_or(u64::MAX).max(1));
            }
            self.amend(key, |row| {
                // The exact time replaces the guess that news before the answer had to make.
                let signed_at = row.order.times.signed_at;
                let sent_at = &mut row.order.times.sent_at;
                if sent_at.is_none() || *sent_at == signed_at {
                    *sent_at = Some(begun);
                }
                row.order.times.answered_at = Some(now);
            });
        }
        self.classify(key, answer, begun, now, &mut step);
        step
    }

    fn classify(&mut self, key: &Key, answer: PostAnswer, begun: Option<Timestamp>, now: Timestamp, step: &mut Step) {
        match answer {
            PostAnswer::Accepted { status, .. } => {
                if let Some(intent) = self.orders.get(key).map(|tracked| &tracked.row.order.intent) {
                    self.pause.accepted(intent.post_only, begun.unwrap_or(now));
                    self.breaker.accepted(intent, begun.unwrap_or(now));
                }
                self.learn_always(key, Fact::Accepted, "accepted", now, step);
                self.release(key, step);
                self.check_later(key, &status, now);
            }
            PostAnswer::ForeignId { got } => {
                let why = format!("the venue answered order {} with id {got}", key.0);
                self.mismatch("order", why.clone(), now, step);
                let limit = "the id that was signed".to_owned();
                self.exceeded(&Denial { control: Control::Invariant, value: why.clone(), limit }, step);
                self.lose_sight(key, why, now, step);
            }
            PostAnswer::Duplicate => self.lose_sight(key, "the venue has it already".into(), now, step),
            PostAnswer::Unknown { reason } => self.lose_sight(key, reason, now, step),
            PostAnswer::Rejected { code, reason } => {
                if matches!(code, RejectCode::Balance | RejectCode::Allowance) {
                    self.counting.recount(now);
                }
                if let Some(tracked) = self.orders.get(key) {
                    let most = self.gate.limits().breaker_rejections;
                    if let Some(code) = self.breaker.refused(&tracked.row.order.intent, code, most, now) {
                        step.writes.push(Write::Barred(Barred { code, epoch: self.latch.epoch, at: now }));
                    }
                }
                self.amend(key, |row| row.order.reason = Some(reason.clone()));
                self.bury_order(key, code.dead_letter(), reason, now, step);
                self.learn_always(key, Fact::Refused, "rejected", now, step);
                self.release(key, step);
            }
            PostAnswer::Transient { code, reason, retry_after } => {
                let least = self.pause.refused(code, (&reason, retry_after), begun.unwrap_or(now), now);
                let news = begun.is_some() || self.orders.get(key).is_some_and(|known| known.row.first_error.is_none());
                self.again(key, reason, least, now, step);
                if news {
                    // A crash from here on forgets neither the try nor what came of it.
                    self.note(key, "refused_for_now", now, step);
                }
            }
            PostAnswer::NotSent { reason } => {
                // The switch was not armed, or for another epoch, right before the first byte; how often it was sent before does
                // not matter.
                self.give_up(key, &format!("not sent: {reason}"), DeadLetterReason::Killed, now, step);
            }
        }
    }

    /// As [`Desk::learn`], but the answer is written even when the state was known before it.
    fn learn_always(&mut self, key: &Key, fact: Fact, what: &'static str, now: Timestamp, step: &mut Step) {
        let written = step.writes.len();
        self.learn(key, fact, what, now, step);
        let silent = !step.writes[written..].iter().any(|write| matches!(write, super::Write::Order { .. }));
        if silent {
            self.note(key, what, now, step);
        }
    }

    /// Writes an order down as it is and tells of it.
    fn note(&mut self, key: &Key, what: &'static str, now: Timestamp, step: &mut Step) {
        if let Some(row) = self.orders.get(key).map(|tracked| tracked.row.clone()) {
            self.record(key, &row, what, now, step);
        }
    }

    /// Nobody knows what became of it: only evidence may settle it.
    fn lose_sight(&mut self, key: &Key, reason: String, now: Timestamp, step: &mut Step) {
        tracing::warn!(intent = %key.0, attempt = key.1, reason, "nobody knows what became of an order: the venue is asked");
        if let Some(tracked) = self.orders.get_mut(key)
            && !tracked.standing.is_held()
            && !tracked.state().is_terminal()
        {
            tracked.search = Some(Search { since: now, absences: 0, next_at: now });
            tracked.row.first_error.get_or_insert_with(|| reason.clone());
            self.amend(key, |row| row.order.reason = Some(reason));
        }
        self.learn_always(key, Fact::OutcomeUnknown, "unknown", now, step);
        self.release(key, step);
        self.search(now, step);
    }

    /// Refused for now: the same bytes again, later, while the deadline allows.
    fn again(&mut self, key: &Key, reason: String, least: Duration, now: Timestamp, step: &mut Step) {
        let (first, most) = (self.rules.retry_first, self.rules.retry_most);
        let Some(tracked) = self.orders.get_mut(key) else { return };
        if tracked.state().is_terminal() || tracked.standing.is_held() {
            return;
        }
        tracked.row.first_error.get_or_insert_with(|| reason.clone());
        let doubled = first.saturating_mul(1_u32 << tracked.row.posts.saturating_sub(1).min(16)).min(most);
        let pause = jittered(doubled, key, tracked.row.posts).max(least + jittered(least, key, tracked.row.posts) / 8);
        self.wait(key, reason, now.plus(pause), now, step);
    }

    /// Not before `retry_at`; what cannot wait for so long is given up: at once when it was never sent, else at its deadline, and
    /// only when a lookup then does not find it.
    pub(super) fn wait(&mut self, key: &Key, reason: String, retry_at: Timestamp, now: Timestamp, step: &mut Step) {
        let Some(tracked) = self.orders.get_mut(key) else { return };
        tracked.row.first_error.get_or_insert_with(|| reason.clone());
        let deadline = tracked.row.order.intent.deadline;
        if retry_at > deadline && tracked.row.posts == 0 {
            return self.give_up(key, &reason, DeadLetterReason::Exhausted, now, step);
        }
        tracked.sending = Sending::RetryAt(retry_at.min(deadline.plus(Duration::from_micros(1))));
        self.amend(key, |row| row.order.reason = Some(reason));
    }

    /// Not possible now for a reason of our own; asked again shortly.
    pub(super) fn postpone(&mut self, key: &Key, trouble: String, now: Timestamp) {
        let retry_at = now.plus(self.rules.retry_first);
        let Some(tracked) = self.orders.get_mut(key) else { return };
        tracked.row.first_error.get_or_insert(trouble);
        tracked.sending = Sending::RetryAt(retry_at);
    }

    /// What is matched, held or cannot rest is followed up in case the event socket says nothing.
    fn check_later(&mut self, key: &Key, status: &str, now: Timestamp) {
        let Some(tracked) = self.orders.get_mut(key) else { return };
        let rests = matches!(tracked.row.order.intent.tif, TimeInForce::Gtc | TimeInForce::Gtd) && status == "live";
        if !rests && !tracked.state().is_terminal() {
            tracked.check_at = Some(now.plus(CHECK_AFTER));
        }
    }
}

/// A pause spread by up to a quarter either way, by the order's own name: no source of chance is needed, and two orders that
/// failed together do not return together.
fn jittered(pause: Duration, key: &Key, posts: u32) -> Duration {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ u64::from(posts);
    for byte in key.0.as_str().bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let percent = 75 + u32::try_from((hash >> 32) % 51).unwrap_or(0);
    pause.saturating_mul(percent) / 100
}
