//! Waiting for the account: nothing is sent, nothing is consumed, nothing is told. The lease is asked for until it is ours.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::super::kill::{FileLatch, LatchFile};
use super::lease::{self, LeaseTimes, Mark, TTL, Tenure};
use super::office::{Office, Seat};
use crate::bus::{BusRef, Origin, control};
use crate::clock;
use crate::domain::KillLatch;
use crate::store::ledger::{Lease, Ledger};

/// How often the lease is asked for at least, and at most.
const ASK_EVERY: Duration = Duration::from_millis(250);
const ASK_SOONEST: Duration = Duration::from_millis(20);
/// Pause after the ledger could not be asked.
const LEDGER_AGAIN: Duration = Duration::from_millis(500);
const LATCH_EVERY: Duration = Duration::from_millis(500);
/// From the last renewal of one that died to the lease of the other: the lease lapses, and is asked for at the latest `ASK_EVERY` later.
/// What is left of the promised three seconds is for reading the books.
const _: () = assert!(TTL.as_millis() + ASK_EVERY.as_millis() <= 2_500, "a standby takes over in under 3 s");

/// What waiting needs.
#[derive(Debug)]
pub(super) struct Standby {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) bus: BusRef,
    pub(super) file: LatchFile,
    pub(super) origin: Arc<Origin>,
    pub(super) office: Arc<Office>,
    pub(super) times: LeaseTimes,
}

/// The one at work, as seen from here.
#[derive(Debug)]
struct Other {
    name: String,
    /// When its lease ends unless it is renewed.
    lapses: std::time::Instant,
    /// It was seen renewing: it lives.
    lives: bool,
}

impl Standby {
    /// Waits until the lease is ours, and says whether another one was seen at work meanwhile; nothing at shutdown. Whatever is wrong
    /// with the ledger, a standby that asks again may still be of use, and one that has ended never is.
    pub(super) async fn wait(&self, holder: &str, end: &CancellationToken) -> Option<(Tenure, bool)> {
        let follow = CancellationToken::new();
        let _ends_with_us = follow.clone().drop_guard();
        let mut other: Option<Other> = None;
        let mut told = String::new();
        loop {
            let asked = Mark::now();
            let pause = match lease::ask(self.ledger.as_ref(), holder, self.times.ttl).await {
                Ok(Lease::Ours { token }) => {
                    let lived = other.as_ref().is_some_and(|other| other.lives);
                    return Some((Tenure::new(token, asked, self.times), lived));
                }
                Ok(Lease::Theirs { holder, expires_in }) => {
                    self.say(&mut told, format!("{holder} has the lease of the account"));
                    if self.sees(&mut other, holder, expires_in) {
                        tokio::spawn(self.follow_latch(follow.clone()));
                    }
                    expires_in.clamp(ASK_SOONEST, ASK_EVERY)
                }
                Err(error) => {
                    self.say(&mut told, format!("the lease of the account cannot be asked for: {error}"));
                    LEDGER_AGAIN
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = end.cancelled() => return None,
            }
        }
    }

    fn say(&self, told: &mut String, why: String) {
        if *told != why {
            tracing::info!(%why, "standby");
            self.office.sit(Seat::Standby(why.clone()));
            *told = why;
        }
    }

    /// Whether it has just become clear that the other one lives: a dead one's lease is not renewed.
    fn sees(&self, other: &mut Option<Other>, name: String, expires_in: Duration) -> bool {
        let lapses = clock::monotonic() + expires_in;
        let Some(known) = other.as_mut().filter(|known| known.name == name) else {
            *other = Some(Other { name, lapses, lives: false });
            return false;
        };
        let renewed = lapses > known.lapses + self.times.renew / 2;
        known.lapses = known.lapses.max(lapses);
        let news = renewed && !known.lives;
        known.lives |= renewed;
        news
    }

    /// Keeps our latch file as strict as the latch in force, and the latch in force as strict as our file. A desk at work goes
    /// by its own file; ours takes its place when we take over. A missing one is made only while the other is alive and
    /// follows the latch on the bus itself: otherwise a missing file stays what it is, a reason not to trade.
    fn follow_latch(&self, end: CancellationToken) -> impl Future<Output = ()> + Send + 'static {
        let (bus, file, origin) = (Arc::clone(&self.bus), self.file.clone(), Arc::clone(&self.origin));
        async move {
            let mut every = tokio::time::interval(LATCH_EVERY);
            every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = every.tick() => {}
                    () = end.cancelled() => return,
                }
                tokio::select! {
                    () = join_latches(&bus, &file, &origin) => {}
                    () = end.cancelled() => return,
                }
            }
        }
    }
}

async fn join_latches(bus: &BusRef, file: &LatchFile, origin: &Origin) {
    // Without a latch on the bus there is nothing to follow; the next look may find one.
    let Ok(Some(in_force)) = control::latch(bus).await else { return };
    let (reader, theirs) = (file.clone(), in_force.clone());
    let joined = tokio::task::spawn_blocking(move || join(&reader, &theirs)).await;
    match joined {
        Ok(Ok(Some(stricter))) if !stricter.is_armed() && in_force.is_armed() => {
            if let Err(error) = control::put_latch(bus, origin, &stricter, clock::now()).await {
                tracing::warn!(%error, "the kill in our latch file is not on the bus yet");
            }
        }
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the latch in force is not in our file"),
        Err(error) => tracing::warn!(%error, "the latch in force is not in our file"),
    }
}

/// Brings the file up to the latch in force; gives what the file then says, unless that cannot be read.
fn join(file: &LatchFile, in_force: &KillLatch) -> Result<Option<KillLatch>, super::FileError> {
    let joined = match file.read() {
        FileLatch::Present(ours) => {
            let joined = ours.clone().stricter(in_force.clone());
            if joined == ours {
                return Ok(Some(joined));
            }
            joined
        }
        FileLatch::Absent => in_force.clone(),
        FileLatch::Unreadable(_) => return Ok(None),
    };
    file.write(&joined)?;
    Ok(Some(joined))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{KillState, Timestamp};

    fn latch(epoch: u64, state: KillState, at: i64) -> KillLatch {
        KillLatch { epoch, state, by: "t".into(), why: String::new(), at: Timestamp::from_secs(at) }
    }

    #[test]
    fn the_file_of_a_standby_becomes_as_strict_as_the_latch_in_force_and_is_lifted_only_by_a_later_arming() {
        let dir = tempfile::tempdir().expect("dir");
        let file = LatchFile::in_dir(dir.path());
        let armed = latch(3, KillState::Armed, 10);
        assert_eq!(join(&file, &armed).expect("writes"), Some(armed.clone()), "made");
        let killed = latch(3, KillState::Killed, 20);
        file.write(&killed).expect("writes");
        assert_eq!(join(&file, &armed).expect("reads"), Some(killed), "a kill of ours stays");
        let lifted = latch(4, KillState::Armed, 30);
        assert_eq!(join(&file, &lifted).expect("writes"), Some(lifted.clone()));
        assert_eq!(file.read(), FileLatch::Present(lifted.clone()));
        std::fs::write(dir.path().join("kill.latch"), b"garbage").expect("writes");
        assert_eq!(join(&file, &lifted).expect("reads"), None, "what cannot be read stays a reason not to trade");
    }
}
