//! What is done about a kill, in a task of its own: latch file, heartbeats, cancel-all, ledger, bus, then the proof.
//!
//! Each step is begun without waiting for the one before and tried until it succeeds; a step that fails is logged, shown, and
//! stops no other. Kill never trades and computes no money.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{KillSwitch, LatchFile};
use crate::bus::{BusRef, Origin, control};
use crate::clock;
use crate::domain::{KillLatch, KillProof, KillStep};
use crate::exec::venue::{ExecutionVenue, OrderList};
use crate::store::ledger::{Ledger, Write};

/// How long each part may take and how far apart its tries are.
#[derive(Clone, Copy, Debug)]
pub(in crate::exec) struct KillTimings {
    /// Between two snapshots of the proof.
    pub(in crate::exec) snapshot_gap: Duration,
    /// The last snapshot begins no sooner than this after the end of the last POST: beyond the client's timeout and the time
    /// for which the venue may still take a request in.
    pub(in crate::exec) late_post: Duration,
    /// Longest pause between tries.
    pub(in crate::exec) retry: Duration,
    /// Longest that one call may take.
    pub(in crate::exec) call: Duration,
}

impl Default for KillTimings {
    fn default() -> Self {
        Self {
            snapshot_gap: Duration::from_secs(2),
            late_post: Duration::from_secs(20),
            retry: Duration::from_secs(3),
            call: Duration::from_secs(10),
        }
    }
}

/// The parts that stopping works on.
#[derive(Debug)]
pub(in crate::exec) struct Procedure {
    pub(in crate::exec) switch: Arc<KillSwitch>,
    pub(in crate::exec) file: LatchFile,
    pub(in crate::exec) venue: Arc<dyn ExecutionVenue>,
    pub(in crate::exec) ledger: Arc<dyn Ledger>,
    pub(in crate::exec) bus: BusRef,
    pub(in crate::exec) origin: Arc<Origin>,
    pub(in crate::exec) timings: KillTimings,
}

impl Procedure {
    /// Waits for kills and carries each out, until shutdown.
    pub(in crate::exec) async fn run(self, shutdown: CancellationToken) {
        let mut changes = self.switch.changes();
        loop {
            let trips = self.switch.trips();
            if !self.switch.is_armed() {
                tokio::select! {
                    () = self.stop() => {}
                    () = superseded(&self.switch, trips) => {}
                    () = shutdown.cancelled() => return,
                }
                continue;
            }
            tokio::select! {
                result = changes.changed() => if result.is_err() { return },
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// One kill from gate to proof, and then on guard until somebody arms. Its parts run side by side: none waits for another.
    async fn stop(&self) {
        let latch = self.switch.latch();
        tracing::warn!(epoch = latch.epoch, by = %latch.by, why = %latch.why, "killed");
        self.switch.step(KillStep::HeartbeatStopped);
        tokio::join!(
            biased;
            self.insist("latch file", KillStep::LatchFile, || self.write_file(&latch)),
            self.keep_proved(),
            self.insist("ledger", KillStep::LatchLedger, || self.write_ledger(&latch)),
            self.insist("bus", KillStep::LatchBus, || self.write_bus(&latch)),
        );
    }

    /// Tries a step until it succeeds.
    async fn insist<F: Future<Output = Result<(), String>>>(
        &self,
        name: &'static str,
        step: KillStep,
        attempt: impl Fn() -> F,
    ) {
        loop {
            match self.bounded(attempt()).await {
                Ok(()) => return self.switch.step(step),
                Err(error) => tracing::error!(step = name, %error, "a step of the kill failed, trying again"),
            }
            tokio::time::sleep(self.timings.retry).await;
        }
    }

    async fn bounded<T>(&self, call: impl Future<Output = Result<T, String>>) -> Result<T, String> {
        tokio::time::timeout(self.timings.call, call)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {:?}", self.timings.call)))
    }

    async fn write_file(&self, latch: &KillLatch) -> Result<(), String> {
        let (file, latch) = (self.file.clone(), latch.clone());
        let written = tokio::task::spawn_blocking(move || file.write(&latch)).await;
        written.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    async fn write_ledger(&self, latch: &KillLatch) -> Result<(), String> {
        self.ledger.commit(&[Write::Latch(latch.clone())]).await.map_err(|error| error.to_string())
    }

    async fn write_bus(&self, latch: &KillLatch) -> Result<(), String> {
        control::put_latch(&self.bus, &self.origin, latch, clock::now()).await.map_err(|error| error.to_string())
    }

    /// Proves, and proves again whenever the venue shows an open order afterwards.
    async fn keep_proved(&self) {
        let mut changes = self.switch.changes();
        loop {
            if !matches!(self.switch.report().proof, KillProof::Proved { .. }) {
                self.cancel_and_prove().await;
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    async fn cancel_and_prove(&self) {
        let mut zero_seen = 0_u8;
        let mut must_cancel = true;
        loop {
            if must_cancel {
                must_cancel = !self.cancel_all().await;
            }
            let begun = Instant::now();
            let shown = self.bounded(async { self.venue.open_orders().await.map_err(|error| error.to_string()) }).await;
            let pause = match shown {
                Ok(list) => {
                    let open = list.open();
                    self.switch.amend(|report| report.venue_open_orders = Some(open));
                    must_cancel |= open > 0;
                    match self.obstacle(&list, must_cancel) {
                        Some(why) => {
                            zero_seen = 0;
                            self.switch.amend(|report| report.proof = KillProof::Incomplete { why });
                            self.timings.snapshot_gap
                        }
                        None if zero_seen < 2 || self.is_late(begun) => {
                            zero_seen = if zero_seen < 2 { zero_seen + 1 } else { 3 };
                            if zero_seen == 3 {
                                let at = clock::now();
                                return self.switch.amend(|report| report.proof = KillProof::Proved { at });
                            }
                            self.switch.amend(|report| report.proof = KillProof::Proving { zero_seen });
                            self.timings.snapshot_gap
                        }
                        // Two zeros are seen; the third counts only once no POST can arrive late any more.
                        None => self.timings.snapshot_gap,
                    }
                }
                Err(error) => {
                    zero_seen = 0;
                    let why = format!("open orders cannot be read: {error}");
                    self.switch.amend(|report| report.proof = KillProof::Incomplete { why });
                    self.timings.retry
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Whether a snapshot begun at `begun` is out of reach of the last POST.
    fn is_late(&self, begun: Instant) -> bool {
        self.switch
            .since_last_post()
            .is_none_or(|since| since.saturating_sub(begun.elapsed()) >= self.timings.late_post)
    }

    fn obstacle(&self, list: &OrderList, not_cancelled: bool) -> Option<String> {
        let open = list.open();
        let (posts, unknown) = (self.switch.posts_in_flight(), self.switch.unknown_orders());
        if let Some(hole) = list.unreadable.first() {
            let unreadable = list.unreadable.len();
            Some(format!("{open} orders open at the venue, {unreadable} of which cannot be read: {}", hole.reason))
        } else if open > 0 {
            Some(format!("{open} orders open at the venue"))
        } else if posts > 0 {
            Some(format!("{posts} POSTs in flight"))
        } else if unknown > 0 {
            Some(format!("{unknown} orders of unknown outcome"))
        } else if not_cancelled {
            Some("the venue has not confirmed cancel-all".into())
        } else {
            None
        }
    }

    /// Whether the venue answered.
    async fn cancel_all(&self) -> bool {
        match self.bounded(async { self.venue.cancel_all().await.map_err(|error| error.to_string()) }).await {
            Ok(answer) => {
                self.switch.step(KillStep::CancelAll);
                let cancelled = u64::try_from(answer.cancelled.len()).unwrap_or(u64::MAX);
                self.switch.amend(|report| report.orders_cancelled = report.orders_cancelled.saturating_add(cancelled));
                true
            }
            Err(error) => {
                tracing::error!(%error, "cancel-all failed, trying again");
                let why = format!("cancel-all failed: {error}");
                self.switch.amend(|report| report.proof = KillProof::Incomplete { why });
                false
            }
        }
    }
}

/// Resolves when the switch is armed, or killed anew.
async fn superseded(switch: &KillSwitch, trips: u64) {
    let mut changes = switch.changes();
    while !switch.is_armed() && switch.trips() == trips {
        if changes.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}
