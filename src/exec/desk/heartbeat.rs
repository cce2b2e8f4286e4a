//! The dead man's switch: fed only while Hermes can answer for its orders, and what a miss means.

use std::time::Duration;

use super::{Desk, Effect, Step};
use crate::domain::Timestamp;

/// The venue cancels everything when it hears no heartbeat for this long. Source: the venue's heartbeat page.
const WINDOW: Duration = Duration::from_secs(10);
/// Between a heartbeat that failed and the next. With the two seconds that one may take, several fit into the window.
const AGAIN: Duration = Duration::from_millis(250);
/// While the account's socket is open the books may be this many times as old as for sending: a short outage of the venue's lists
/// leaves it no reason to sweep.
const VOUCHED: u32 = 2;
/// A loop that was not heard of for this long cannot answer for its orders.
const LOOP_FRESH: Duration = Duration::from_secs(2);

/// Where the heartbeats stand.
#[derive(Debug, Default)]
pub(super) struct Beats {
    /// When the last was sent.
    sent_at: Option<Timestamp>,
    /// When the next is due; at once while none was sent.
    next_at: Option<Timestamp>,
    /// When the last that was taken was sent.
    taken_at: Option<Timestamp>,
    under_way: bool,
    /// The loop's last tick, and how long it was away before that.
    ticked_at: Option<Timestamp>,
    away: Duration,
    missed: bool,
}

impl Desk {
    /// Why the switch must not be fed: the health predicate. Lease held, loop alive, gate evaluated, truth fresh, ledger
    /// writable, not killed.
    pub(in crate::exec) fn unfit(&self, now: Timestamp) -> Option<String> {
        if !self.latch.is_armed() {
            return Some("killed".into());
        }
        let lost = self.health.lease.clone().or_else(|| self.health.ledger.clone());
        if lost.is_some() {
            return lost;
        }
        if self.beats.away >= LOOP_FRESH {
            return Some(format!("the loop stood still for {} ms", self.beats.away.as_millis()));
        }
        // The gate needs the books: without a first comparison there is nothing that it could be asked about.
        if self.reconcile.clean_at().is_none() {
            let socket = self.health.user.clone();
            return Some(socket.unwrap_or_else(|| "the books were never compared with the venue".into()));
        }
        let stale = self.stale_books(now)?;
        // A socket that is open may be mute: without comparisons it vouches for the books for a while and no longer.
        self.health.user.clone().or_else(|| self.books_older_than(self.books_fresh() * VOUCHED, now).map(|_| stale))
    }

    /// Sends one when it is due. Called by the loop, which proves that the loop lives.
    pub(super) fn heartbeat(&mut self, now: Timestamp, step: &mut Step) {
        self.beats.away = self.beats.ticked_at.map_or(Duration::ZERO, |last| now.since(last));
        self.beats.ticked_at = Some(now);
        self.watch_lapse(now, step);
        let due = self.beats.next_at.is_none_or(|next| next <= now);
        if due && !self.beats.under_way && self.unfit(now).is_none() {
            self.beats.under_way = true;
            self.beats.sent_at = Some(now);
            self.beats.next_at = Some(now.plus(self.rules.heartbeat_every));
            step.urgent.push(Effect::Heartbeat);
        }
    }

    /// A heartbeat was answered.
    pub(in crate::exec) fn on_heartbeat(&mut self, result: Result<(), String>, now: Timestamp) -> Step {
        let mut step = Step::default();
        self.beats.under_way = false;
        match result {
            // Nothing is fed while killed, and what was under way then tells nothing.
            _ if !self.latch.is_armed() => {}
            Ok(()) => {
                let sent = self.beats.sent_at.unwrap_or(now);
                let late = self.beats.taken_at.is_some_and(|taken| sent.since(taken) > WINDOW);
                self.beats.taken_at = Some(sent);
                self.beats.missed = false;
                if self.health.heartbeat.take().is_some() || late {
                    self.doubt_open(now, &mut step);
                }
            }
            Err(error) => {
                self.health.heartbeat = Some(format!("heartbeat: {error}"));
                // Tried again at once rather than after an interval: the venue sweeps after ten seconds.
                self.beats.next_at = Some(now.plus(AGAIN.min(self.rules.heartbeat_every)));
            }
        }
        step
    }

    /// Nothing is fed while killed, so an old failure would stand for ever.
    pub(super) fn forget_beats(&mut self) {
        self.health.heartbeat = None;
        self.beats.taken_at = None;
        self.beats.missed = false;
    }

    /// None was taken for as long as the venue waits: it sweeps now, whatever the reason was.
    fn watch_lapse(&mut self, now: Timestamp, step: &mut Step) {
        let lapsed = self.beats.taken_at.is_some_and(|taken| now.since(taken) > WINDOW);
        if lapsed && !self.beats.missed && self.latch.is_armed() {
            self.beats.missed = true;
            let why = format!("heartbeat: none was taken for {} s", WINDOW.as_secs());
            self.health.heartbeat.get_or_insert(why);
            self.doubt_open(now, step);
        }
    }

    /// Every open order is of unknown fate: it stays reserved, says so, and is compared before anything new is sent.
    fn doubt_open(&mut self, now: Timestamp, step: &mut Step) {
        let open: Vec<super::Key> = self.active.iter().cloned().collect();
        for key in open {
            let Some(tracked) = self.orders.get_mut(&key).filter(|tracked| tracked.standing.is_held()) else {
                continue;
            };
            let before = tracked.row.clone();
            tracked.doubted.get_or_insert(now);
            tracked.row.order.state = tracked.shown();
            tracked.row.order.reason = Some("a heartbeat was missed: the venue may have cancelled it".into());
            if tracked.row != before {
                self.record(&key, &before, "doubted", now, step);
                step.may_cut();
            }
        }
        self.reconcile_now(now);
    }

    /// The venue showed an order as it was when it was asked at `begun`: a doubt from before is settled.
    pub(super) fn absolve(&mut self, key: &super::Key, begun: Timestamp, now: Timestamp, step: &mut Step) {
        let doubted = |tracked: &&mut super::Tracked| tracked.doubted.is_some_and(|since| since <= begun);
        let Some(tracked) = self.orders.get_mut(key).filter(doubted) else { return };
        let before = tracked.row.clone();
        tracked.doubted = None;
        tracked.row.order.state = tracked.shown();
        tracked.row.order.reason = tracked.row.adopted.then(|| super::FOREIGN.to_owned());
        self.record(key, &before, "seen", now, step);
    }
}
