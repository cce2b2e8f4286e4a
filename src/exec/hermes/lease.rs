//! The lease of the account: who may send. One Hermes has it; every other waits.
//!
//! Invariant: [`Tenure::may_send`] says yes only while no other Hermes can have the lease. What the ledger granted counts from
//! before it was asked, and a part of it is left unused, so that our end always comes before the ledger's.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::domain::Timestamp;
use crate::failpoint::{self, Failpoint};
use crate::store::ledger::{Lease, Ledger, LedgerError};

/// For how long the lease is taken each time.
pub(super) const TTL: Duration = Duration::from_secs(2);

/// Times of the lease.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeaseTimes {
    /// For how long it is taken each time.
    pub(super) ttl: Duration,
    /// How often it is renewed.
    pub(super) renew: Duration,
    /// The part of it that we do not use: for clocks that run at different speeds.
    pub(super) margin: Duration,
    /// A loop that was not heard of for this long is stuck: its lease is left to run out.
    pub(super) stuck: Duration,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        Self {
            ttl: TTL,
            renew: Duration::from_millis(500),
            margin: Duration::from_millis(200),
            stuck: Duration::from_secs(2),
        }
    }
}

/// An instant on both clocks. The monotonic one stands still while the machine sleeps, the other one may be set back: the
/// one that says that more time has passed is believed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    monotonic: Instant,
    wall: Timestamp,
}

impl Mark {
    /// Now.
    pub(super) fn now() -> Self {
        Self { monotonic: clock::monotonic(), wall: clock::now() }
    }

    fn elapsed(&self) -> Duration {
        let now = Self::now();
        now.monotonic.duration_since(self.monotonic).max(now.wall.since(self.wall))
    }
}

/// What is known of the lease.
#[derive(Clone, Debug)]
enum Standing {
    /// Ours when last asked.
    Held,
    /// The ledger could not be asked: why, and since which attempt.
    Unanswered(String, Mark),
    /// Another's; in words. Final.
    Lost(String),
}

#[derive(Debug)]
struct Inner {
    granted: Mark,
    standing: Standing,
}

/// One turn at the lease, from the moment that it was ours until it is another's.
#[derive(Debug)]
pub(super) struct Tenure {
    /// Grows with every turn, whoever has it.
    pub(super) token: u64,
    times: LeaseTimes,
    inner: Mutex<Inner>,
    over: CancellationToken,
}

impl Tenure {
    /// Granted by an answer to a question that was asked at `asked`.
    pub(super) fn new(token: u64, asked: Mark, times: LeaseTimes) -> Self {
        let inner = Mutex::new(Inner { granted: asked, standing: Standing::Held });
        Self { token, times, inner, over: CancellationToken::new() }
    }

    /// Whether an order may leave as far as the lease goes; asked right before the socket.
    ///
    /// # Errors
    /// The reason in words.
    pub(super) fn may_send(&self) -> Result<(), String> {
        let inner = self.lock();
        if let Standing::Lost(why) = &inner.standing {
            return Err(why.clone());
        }
        let usable = self.times.ttl.saturating_sub(self.times.margin);
        let age = inner.granted.elapsed();
        if age < usable {
            return Ok(());
        }
        let why = match &inner.standing {
            Standing::Unanswered(why, _) => why.as_str(),
            Standing::Held | Standing::Lost(_) => "it was not renewed",
        };
        Err(format!("the lease of the account ran out {} ms ago: {why}", age.saturating_sub(usable).as_millis()))
    }

    /// Why nothing may be sent; absent when the lease is ours.
    pub(super) fn trouble(&self) -> Option<String> {
        self.may_send().err()
    }

    /// Whether we may speak for the account: it is ours, or nobody can be asked whose it is. After a stop of the whole process
    /// that is false until the ledger has answered.
    pub(super) fn may_speak(&self) -> bool {
        let standing = self.lock().standing.clone();
        match standing {
            Standing::Lost(_) => false,
            Standing::Unanswered(_, asked) => asked.elapsed() < self.times.ttl * 3,
            Standing::Held => self.may_send().is_ok(),
        }
    }

    /// Another has it: this turn is over.
    pub(super) fn lose(&self, why: String) {
        {
            let mut inner = self.lock();
            if !matches!(inner.standing, Standing::Lost(_)) {
                inner.standing = Standing::Lost(why);
            }
        }
        self.over.cancel();
    }

    /// Resolves when another has it.
    pub(super) async fn lost(&self) {
        self.over.cancelled().await;
    }

    fn renewed(&self, asked: Mark) {
        let mut inner = self.lock();
        if !matches!(inner.standing, Standing::Lost(_)) {
            *inner = Inner { granted: asked, standing: Standing::Held };
        }
    }

    fn unanswered(&self, why: String) {
        let mut inner = self.lock();
        if !matches!(inner.standing, Standing::Lost(_)) {
            inner.standing = Standing::Unanswered(why, Mark::now());
        }
    }

    /// A panic while the lock was held leaves plain data behind, which is still the best that is known.
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The loop's sign of life.
#[derive(Debug)]
pub(super) struct Pulse {
    began: Instant,
    /// Microseconds from `began`; negative before the first beat.
    last: AtomicI64,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self { began: clock::monotonic(), last: AtomicI64::new(-1) }
    }

    /// The loop is alive.
    pub(super) fn beat(&self) {
        let micros = clock::monotonic().duration_since(self.began).as_micros();
        self.last.store(i64::try_from(micros).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// How long the loop has not been heard of; nothing before its first beat.
    fn silence(&self) -> Option<Duration> {
        let last = u64::try_from(self.last.load(Ordering::Relaxed)).ok()?;
        Some(clock::monotonic().duration_since(self.began).saturating_sub(Duration::from_micros(last)))
    }
}

/// Renews the lease for as long as the loop lives, until the turn is over.
pub(super) async fn keep(
    ledger: Arc<dyn Ledger>,
    holder: String,
    tenure: Arc<Tenure>,
    pulse: Arc<Pulse>,
    end: CancellationToken,
) {
    let mut every = tokio::time::interval(tenure.times.renew);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = end.cancelled() => return,
            () = tenure.lost() => return,
        }
        if let Some(silence) = pulse.silence().filter(|silence| *silence > tenure.times.stuck) {
            tracing::error!(ms = silence.as_millis(), "the loop stands still: its lease is not renewed");
            continue;
        }
        let asked = Mark::now();
        match ask(ledger.as_ref(), &holder, tenure.times.ttl).await {
            Ok(Lease::Ours { token }) if token == tenure.token => tenure.renewed(asked),
            Ok(Lease::Ours { token }) => {
                tenure.lose(format!(
                    "the lease ran out and had another turn meanwhile: {token}, ours was {}",
                    tenure.token
                ));
            }
            Ok(Lease::Theirs { holder, .. }) => tenure.lose(format!("{holder} has the lease of the account")),
            Err(error @ LedgerError::Fenced { .. }) => tenure.lose(error.to_string()),
            Err(error) => {
                tracing::warn!(%error, "the lease of the account is not renewed, trying again");
                tenure.unanswered(error.to_string());
            }
        }
    }
}

/// Asks for the lease, bounded in time.
pub(super) async fn ask(ledger: &dyn Ledger, holder: &str, ttl: Duration) -> Result<Lease, LedgerError> {
    let answer = tokio::time::timeout(ttl, ledger.lease(holder, ttl))
        .await
        .unwrap_or_else(|_| Err(LedgerError::Unavailable(format!("no answer about the lease within {ttl:?}"))));
    failpoint::hit_any(|| matches!(answer, Ok(Lease::Ours { .. })).then_some(Failpoint::Leased));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(ttl_ms: u64) -> LeaseTimes {
        LeaseTimes {
            ttl: Duration::from_millis(ttl_ms),
            margin: Duration::from_millis(ttl_ms / 10),
            ..LeaseTimes::default()
        }
    }

    #[test]
    fn it_runs_out_by_itself_before_the_ledger_lets_another_have_it() {
        let ago = |ms: u64| {
            let now = Mark::now();
            let earlier = now.monotonic.checked_sub(Duration::from_millis(ms)).expect("the machine runs longer");
            Mark { monotonic: earlier, wall: now.wall.minus(Duration::from_millis(ms)) }
        };
        let tenure = Tenure::new(1, ago(0), times(60_000));
        assert_eq!(tenure.may_send(), Ok(()));
        assert!(tenure.may_speak());
        let tenure = Tenure::new(1, ago(54_500), times(60_000));
        assert!(tenure.may_send().is_err_and(|why| why.contains("not renewed")), "the margin is not used");
        assert!(!tenure.may_speak(), "nobody was asked since");
        tenure.unanswered("no route".into());
        assert!(tenure.may_speak() && tenure.trouble().is_some_and(|why| why.contains("no route")));
        tenure.renewed(Mark::now());
        assert_eq!(tenure.may_send(), Ok(()));
    }

    #[test]
    fn the_clock_that_says_more_time_has_passed_is_believed() {
        let now = Mark::now();
        let slept = Mark { monotonic: now.monotonic, wall: now.wall.minus(Duration::from_secs(100)) };
        assert!(Tenure::new(1, slept, times(60_000)).may_send().is_err(), "the machine slept");
        let set_back = Mark { monotonic: now.monotonic, wall: now.wall.plus(Duration::from_secs(100)) };
        assert_eq!(Tenure::new(1, set_back, times(60_000)).may_send(), Ok(()), "the clock was set back");
    }

    #[tokio::test]
    async fn once_lost_it_never_comes_back() {
        let tenure = Tenure::new(1, Mark::now(), times(60_000));
        tenure.lose("b has the lease".into());
        tenure.lost().await;
        tenure.renewed(Mark::now());
        tenure.unanswered("x".into());
        assert_eq!(tenure.may_send(), Err("b has the lease".into()));
        assert!(!tenure.may_speak());
    }
}
