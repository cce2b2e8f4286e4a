//! The kill switch: easy to stop, hard to start.
//!
//! The gate in memory is flipped by [`KillSwitch::trip`], from any task, without waiting for I/O or for another task's await;
//! everything else that stopping needs is done by the kill procedure in a task of its own. Nothing arms the switch but
//! [`KillSwitch::arm`], which only an accepted command of a person reaches.
//!
//! Invariants: the gate is open exactly when the report's latch is armed, since one lock is held whenever either changes; once
//! `trip` has returned, [`KillSwitch::may_send`] refuses until a higher epoch is armed.

mod changes;
mod file;
pub(super) mod procedure;
mod start;
pub(super) mod watch;

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub use file::{FileError, FileLatch, LatchFile};
pub use start::{Sources, start_latch};

use crate::clock;
use crate::domain::{KillLatch, KillProof, KillReport, KillState, KillStep, Timestamp};

/// The latch in memory, and what is known about the POSTs that it must outlive.
#[derive(Debug)]
pub struct KillSwitch {
    /// The report's latch once more, for whoever asks right before a byte: changed by [`KillSwitch::put`] alone.
    armed: AtomicBool,
    epoch: AtomicU64,
    /// The latch on the bus has been read, or written by us: until then nothing may be sent.
    bus_known: AtomicBool,
    posts: AtomicU64,
    unknown: AtomicU64,
    open: AtomicU64,
    inner: Mutex<Inner>,
    seen: tokio::sync::watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    report: KillReport,
    tripped_at: Instant,
    last_post_end: Option<Instant>,
    trips: u64,
    /// When the newest kill was asked for that was heard of: the same one is heard of in several places.
    killed_at: Timestamp,
    /// The latch that was last seen on the bus, ours or not.
    on_bus: Option<KillLatch>,
}

/// Which kills had been heard of at one moment: what an arming that is accepted then lifts, and nothing newer.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    /// How often the switch was tripped; see [`KillSwitch::arm`].
    pub(super) trips: u64,
    /// When the newest was asked for.
    pub(super) at: Timestamp,
    /// The latch that was last seen on the bus.
    pub(super) on_bus: Option<KillLatch>,
}

/// Counts a POST as in flight for as long as it lives.
#[derive(Debug)]
pub struct PostGuard<'a>(&'a KillSwitch);

impl Drop for PostGuard<'_> {
    fn drop(&mut self) {
        self.0.lock().last_post_end = Some(clock::monotonic());
        self.0.posts.fetch_sub(1, Ordering::SeqCst);
    }
}

impl KillSwitch {
    /// A switch in the state of this latch.
    #[must_use]
    pub fn new(latch: KillLatch) -> Self {
        let (killed, killed_at) = (!latch.is_armed(), latch.at);
        Self {
            armed: AtomicBool::new(!killed),
            epoch: AtomicU64::new(latch.epoch),
            bus_known: AtomicBool::new(false),
            posts: AtomicU64::new(0),
            unknown: AtomicU64::new(0),
            open: AtomicU64::new(0),
            inner: Mutex::new(Inner {
                report: if killed { opened(latch) } else { KillReport::idle(latch) },
                tripped_at: clock::monotonic(),
                last_post_end: None,
                trips: u64::from(killed),
                killed_at,
                on_bus: None,
            }),
            seen: tokio::sync::watch::Sender::new(0),
        }
    }

    /// Whether an order of this epoch may leave now; asked right before the socket.
    ///
    /// # Errors
    /// The reason in words.
    pub fn may_send(&self, epoch: u64) -> Result<(), String> {
        if !self.armed.load(Ordering::SeqCst) {
            return Err("killed".into());
        }
        if !self.bus_known.load(Ordering::SeqCst) {
            return Err("the latch on the bus is not known".into());
        }
        let now = self.epoch.load(Ordering::SeqCst);
        if now == epoch { Ok(()) } else { Err(format!("epoch {epoch} is over, {now} is in force")) }
    }

    /// Closes the gate. Returns whether that changed anything; a switch that is killed stays as it is, but a kill that was asked for
    /// later than the ones before overrules an arming that is under way.
    pub fn trip(&self, latch: KillLatch) -> bool {
        let tripped = {
            let mut inner = self.lock();
            let was_armed = inner.report.latch.is_armed();
            inner.trips += u64::from(was_armed || latch.at > inner.killed_at);
            inner.killed_at = inner.killed_at.max(latch.at);
            if was_armed {
                let epoch = inner.report.latch.epoch.max(latch.epoch);
                inner.tripped_at = clock::monotonic();
                let orders_open = self.open.load(Ordering::SeqCst);
                let opened = opened(KillLatch { epoch, state: KillState::Killed, ..latch });
                self.put(&mut inner, KillReport { orders_open, ..opened });
            }
            was_armed
        };
        if tripped {
            self.notify();
        }
        tripped
    }

    /// Lifts the latch, unless the switch was tripped after `trips` were counted. Only an accepted command may call this.
    ///
    /// # Errors
    /// When a kill came in between: it stays killed.
    pub fn arm(&self, latch: KillLatch, trips: u64) -> Result<(), String> {
        {
            let mut inner = self.lock();
            if inner.trips != trips {
                return Err("killed again meanwhile".into());
            }
            self.put(&mut inner, KillReport::idle(latch));
        }
        self.notify();
        Ok(())
    }

    /// An arming that could not be written everywhere: killed in its epoch, so that what was written of it is overruled.
    pub fn refuse_arming(&self, latch: KillLatch) {
        {
            let mut inner = self.lock();
            inner.tripped_at = clock::monotonic();
            inner.trips += 1;
            inner.killed_at = inner.killed_at.max(latch.at);
            self.put(&mut inner, opened(KillLatch { state: KillState::Killed, ..latch }));
        }
        self.notify();
    }

    /// Puts a report in force, and the gate where its latch has it; closed before and opened after everything else.
    fn put(&self, inner: &mut Inner, report: KillReport) {
        let armed = report.latch.is_armed();
        self.armed.fetch_and(armed, Ordering::SeqCst);
        self.epoch.store(report.latch.epoch, Ordering::SeqCst);
        inner.report = report;
        self.armed.store(armed, Ordering::SeqCst);
    }

    /// The latch in force.
    #[must_use]
    pub fn latch(&self) -> KillLatch {
        self.lock().report.latch.clone()
    }

    /// The latch and how far stopping has come.
    #[must_use]
    pub fn report(&self) -> KillReport {
        self.lock().report.clone()
    }

    /// How often it was tripped; see [`Self::arm`].
    #[must_use]
    pub fn trips(&self) -> u64 {
        self.lock().trips
    }

    /// Which kills have been heard of until now.
    pub(super) fn heard(&self) -> Heard {
        let Inner { trips, killed_at, on_bus, .. } = &*self.lock();
        Heard { trips: *trips, at: *killed_at, on_bus: on_bus.clone() }
    }

    /// This latch was seen on the bus, and obeyed.
    fn seen_on_bus(&self, latch: KillLatch) {
        self.lock().on_bus = Some(latch);
    }

    /// Whether the gate is open.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        self.armed.load(Ordering::SeqCst)
    }

    /// Whether the latch on the bus has been seen or written since start.
    #[must_use]
    pub fn is_bus_known(&self) -> bool {
        self.bus_known.load(Ordering::SeqCst)
    }

    /// The latch on the bus has been seen or written.
    pub fn bus_is_known(&self) {
        if !self.bus_known.swap(true, Ordering::SeqCst) {
            self.notify();
        }
    }

    /// Counts a POST as in flight until the guard is dropped.
    #[must_use]
    pub fn post_begins(&self) -> PostGuard<'_> {
        self.posts.fetch_add(1, Ordering::SeqCst);
        PostGuard(self)
    }

    /// How many orders are open, and how many have an unknown outcome, as the books have it.
    pub fn set_orders(&self, open: u64, unknown: u64) {
        self.open.store(open, Ordering::SeqCst);
        self.unknown.store(unknown, Ordering::SeqCst);
    }

    /// The venue showed an open order although zero was proved: stop and prove again.
    pub fn disturb(&self, why: &str) {
        let disturbed = {
            let mut inner = self.lock();
            let proved = matches!(inner.report.proof, KillProof::Proved { .. });
            if proved {
                inner.report.proof = KillProof::Incomplete { why: why.to_owned() };
            }
            proved
        };
        if disturbed {
            self.notify();
        }
    }

    /// Resolves at every change of latch or report; late comers see the change that they missed.
    #[must_use]
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.seen.subscribe()
    }

    fn posts_in_flight(&self) -> u64 {
        self.posts.load(Ordering::SeqCst)
    }

    fn unknown_orders(&self) -> u64 {
        self.unknown.load(Ordering::SeqCst)
    }

    fn since_last_post(&self) -> Option<Duration> {
        self.lock().last_post_end.map(|end| clock::monotonic().duration_since(end))
    }

    /// Records a step of the kill that is under way, once.
    pub(super) fn step(&self, step: KillStep) {
        let recorded = {
            let mut inner = self.lock();
            let new = !inner.report.latch.is_armed() && !inner.report.steps.iter().any(|(known, _)| *known == step);
            if new {
                let elapsed = clock::monotonic().duration_since(inner.tripped_at).as_millis();
                inner.report.steps.push((step, u64::try_from(elapsed).unwrap_or(u64::MAX)));
            }
            new
        };
        if recorded {
            self.notify();
        }
    }

    /// Changes the report of the kill that is under way.
    fn amend(&self, change: impl FnOnce(&mut KillReport)) {
        let changed = {
            let mut inner = self.lock();
            if inner.report.latch.is_armed() {
                return;
            }
            let before = inner.report.clone();
            change(&mut inner.report);
            before != inner.report
        };
        if changed {
            self.notify();
        }
    }

    fn notify(&self) {
        self.seen.send_modify(|version| *version += 1);
    }

    /// A panic while the lock was held leaves plain data behind, which is still the best that is known.
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn opened(latch: KillLatch) -> KillReport {
    KillReport {
        steps: vec![(KillStep::GateClosed, 0)],
        proof: KillProof::Proving { zero_seen: 0 },
        ..KillReport::idle(latch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latch(epoch: u64, state: KillState) -> KillLatch {
        KillLatch { epoch, state, by: "test".into(), why: String::new(), at: Timestamp::from_secs(1) }
    }

    fn armed() -> KillSwitch {
        let switch = KillSwitch::new(latch(3, KillState::Armed));
        switch.bus_is_known();
        switch
    }

    #[test]
    fn nothing_is_sent_before_the_bus_is_known_nor_in_another_epoch_nor_once_tripped() {
        let switch = KillSwitch::new(latch(3, KillState::Armed));
        assert!(switch.may_send(3).is_err());
        switch.bus_is_known();
        assert_eq!(switch.may_send(3), Ok(()));
        assert!(switch.may_send(2).is_err());
        assert!(switch.trip(latch(0, KillState::Killed)));
        assert_eq!(switch.may_send(3), Err("killed".into()));
        assert_eq!(switch.latch().epoch, 3, "a kill that knows no epoch keeps ours");
    }

    #[test]
    fn a_second_kill_changes_nothing_and_arming_is_refused_when_one_came_in_between() {
        let switch = armed();
        switch.trip(latch(3, KillState::Killed));
        let trips = switch.trips();
        assert!(!switch.trip(KillLatch { by: "other".into(), ..latch(3, KillState::Killed) }));
        assert_eq!(switch.latch().by, "test");
        switch.arm(latch(4, KillState::Armed), trips).expect("arms");
        assert_eq!(switch.may_send(4), Ok(()));
        switch.trip(latch(4, KillState::Killed));
        assert!(switch.arm(latch(5, KillState::Armed), trips).is_err());
        assert!(!switch.is_armed());
    }

    #[test]
    fn a_kill_asked_for_while_killed_overrules_an_arming_and_the_same_kill_heard_again_does_not() {
        let switch = armed();
        let first = latch(3, KillState::Killed);
        switch.trip(first.clone());
        let trips = switch.trips();
        switch.trip(first.clone());
        assert_eq!(switch.trips(), trips, "read again from the bus or the file");
        let later = KillLatch { at: Timestamp::from_secs(2), ..first.clone() };
        assert!(!switch.trip(later.clone()));
        assert!(switch.arm(latch(4, KillState::Armed), trips).is_err(), "a person has killed meanwhile");
        let trips = switch.trips();
        switch.trip(first);
        switch.trip(later);
        switch.arm(latch(4, KillState::Armed), trips).expect("nothing new was asked for");
    }

    #[test]
    fn a_kill_that_crosses_an_arming_leaves_the_gate_closed_whichever_comes_first() {
        const CROSSINGS: u64 = 50_000;
        let switch = KillSwitch::new(latch(0, KillState::Killed));
        switch.bus_is_known();
        let (begun, ended) = (AtomicU64::new(0), AtomicU64::new(0));
        // Both sides spin, so that they leave within nanoseconds of each other.
        let until = |counter: &AtomicU64, turn: u64| {
            let mut spins = 0_u32;
            while counter.load(Ordering::SeqCst) < turn {
                spins += 1;
                if spins.is_multiple_of(1_000) {
                    std::thread::yield_now();
                } else {
                    std::hint::spin_loop();
                }
            }
        };
        let killed = |turn: u64| {
            let at = Timestamp::from_secs(i64::try_from(turn).expect("small") + 1);
            KillLatch { at, ..latch(0, KillState::Killed) }
        };
        let mut left_open = Vec::new();
        std::thread::scope(|threads| {
            threads.spawn(|| {
                for turn in 1..=CROSSINGS {
                    until(&begun, turn);
                    switch.trip(killed(turn));
                    ended.store(turn, Ordering::SeqCst);
                }
            });
            for turn in 1..=CROSSINGS {
                let (epoch, trips) = (switch.latch().epoch + 1, switch.trips());
                begun.store(turn, Ordering::SeqCst);
                let armed = switch.arm(latch(epoch, KillState::Armed), trips);
                until(&ended, turn);
                let latch = switch.latch();
                if latch.is_armed() || switch.may_send(latch.epoch) != Err("killed".into()) {
                    left_open.push((turn, armed));
                }
            }
        });
        assert_eq!(left_open, [], "of {CROSSINGS} crossings");
    }

    #[test]
    fn posts_are_counted_while_they_last() {
        let switch = armed();
        let guard = switch.post_begins();
        assert_eq!((switch.posts_in_flight(), switch.since_last_post()), (1, None));
        drop(guard);
        assert_eq!(switch.posts_in_flight(), 0);
        assert!(switch.since_last_post().is_some());
    }
}
