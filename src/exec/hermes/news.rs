//! Where the loop's news comes from, and in which order it is heard: the lease, the end, the kill, then time, and only then what may
//! come without end. So a loop that is never idle beats, cancels and retries all the same; and time waits a tick after each tick,
//! so that it leaves room for the rest however long its work takes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::venue::UserEvent;
use super::commands::Asked;
use super::consumer::Consumed;
use super::lease::Tenure;
use super::scribe::{Outcome, Scribe};
use super::venue_calls::Report;

/// Between two looks at time.
pub(super) const TICK: Duration = Duration::from_millis(50);

/// What the loop hears.
#[derive(Debug)]
pub(super) enum News {
    /// Another has the account.
    Displaced,
    /// Hermes is to end.
    Stop,
    /// The latch has changed.
    Kill,
    /// Time has passed.
    Tick,
    /// A commit has ended.
    Commit(Outcome),
    /// A call to the venue has ended.
    Report(Report),
    /// The account's socket tells something.
    Event(UserEvent),
    /// Somebody asks for something.
    Asked(Asked),
    /// An entry of the stream of signals.
    Entry(Consumed),
}

/// What the loop listens to at the moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    /// Answers and events: there is room for what follows from them.
    pub(super) listens: bool,
    /// New entries.
    pub(super) room: bool,
    /// The end is not known yet.
    pub(super) lasts: bool,
}

/// Where news comes from.
#[derive(Debug)]
pub(super) struct Inputs {
    pub(super) tenure: Arc<Tenure>,
    pub(super) shutdown: CancellationToken,
    pub(super) kills: watch::Receiver<u64>,
    pub(super) reports: mpsc::Receiver<Report>,
    pub(super) events: mpsc::Receiver<UserEvent>,
    pub(super) asked: mpsc::Receiver<Asked>,
    pub(super) entries: mpsc::Receiver<Consumed>,
    /// How long after a look at time the next one follows.
    pub(super) every: Duration,
    /// When that is; absent right after a look.
    pub(super) tick_at: Option<Instant>,
}

impl Inputs {
    /// The most urgent news; waits until there is some.
    pub(super) async fn next(&mut self, scribe: &mut Scribe, open: Open) -> News {
        let tick_at = *self.tick_at.get_or_insert_with(|| Instant::now() + self.every);
        tokio::select! {
            biased;
            () = self.tenure.lost() => News::Displaced,
            () = self.shutdown.cancelled(), if open.lasts => News::Stop,
            Ok(()) = self.kills.changed() => News::Kill,
            () = reached(tick_at) => {
                self.tick_at = None;
                News::Tick
            }
            outcome = scribe.next() => News::Commit(outcome),
            Some(report) = self.reports.recv(), if open.listens => News::Report(report),
            Some(event) = self.events.recv(), if open.listens => News::Event(event),
            Some(asked) = self.asked.recv() => News::Asked(asked),
            Some(consumed) = self.entries.recv(), if open.room => News::Entry(consumed),
        }
    }
}

/// A timer is looked at only when the runtime is idle or has done much; the clock at once.
async fn reached(at: Instant) {
    if Instant::now() < at {
        tokio::time::sleep_until(at).await;
    }
}

#[cfg(test)]
mod tests {
    use super::super::lease::{LeaseTimes, Mark};
    use super::super::scribe::tests::Paper;
    use super::*;

    const OPEN: Open = Open { listens: true, room: true, lasts: true };

    fn word(news: &News) -> &'static str {
        match news {
            News::Displaced => "displaced",
            News::Stop => "stop",
            News::Kill => "kill",
            News::Tick => "tick",
            News::Commit(_) => "commit",
            News::Report(_) => "report",
            News::Event(_) => "event",
            News::Asked(_) => "asked",
            News::Entry(_) => "entry",
        }
    }

    /// More of everything than the loop can ever take in.
    struct Flood {
        inputs: Inputs,
        scribe: Scribe,
        kills: watch::Sender<u64>,
        reports: mpsc::Sender<Report>,
        events: mpsc::Sender<UserEvent>,
        asks: mpsc::Sender<Asked>,
        entries: mpsc::Sender<Consumed>,
    }

    impl Flood {
        fn new() -> Self {
            let (kills, killed) = watch::channel(0);
            let (reports, report) = mpsc::channel(1);
            let (events, event) = mpsc::channel(1);
            let (asks, asked) = mpsc::channel(1);
            let (entries, entry) = mpsc::channel(1);
            let inputs = Inputs {
                tenure: Arc::new(Tenure::new(1, Mark::now(), LeaseTimes::default())),
                shutdown: CancellationToken::new(),
                kills: killed,
                reports: report,
                events: event,
                asked,
                entries: entry,
                every: Duration::from_hours(1),
                tick_at: Some(Instant::now()),
            };
            let scribe = Scribe::new(Arc::new(Paper::default()), 10);
            Self { inputs, scribe, kills, reports, events, asks, entries }
        }

        /// Every channel is full again whenever the loop listens.
        async fn next(&mut self) -> &'static str {
            self.reports.try_send(Report::Heartbeat(Ok(()))).ok();
            self.events.try_send(UserEvent::Connected).ok();
            self.asks.try_send(Asked::Published("letter".into())).ok();
            self.entries.try_send(Consumed::Idle).ok();
            word(&self.inputs.next(&mut self.scribe, OPEN).await)
        }
    }

    #[tokio::test]
    async fn time_is_heard_of_however_much_else_there_is_and_leaves_room_for_it() {
        let mut flood = Flood::new();
        assert_eq!(flood.next().await, "tick", "the first at once");
        for _ in 0..3 {
            for _ in 0..100 {
                assert_eq!(flood.next().await, "report", "not one tick behind the other");
            }
            flood.inputs.tick_at = Some(Instant::now());
            assert_eq!(flood.next().await, "tick");
        }
    }

    #[tokio::test]
    async fn a_kill_the_end_and_a_lost_lease_come_before_time() {
        let mut flood = Flood::new();
        flood.kills.send(1).expect("heard");
        assert_eq!([flood.next().await, flood.next().await], ["kill", "tick"]);
        flood.inputs.tick_at = Some(Instant::now());
        flood.kills.send(2).expect("heard");
        flood.inputs.shutdown.cancel();
        assert_eq!(flood.next().await, "stop");
        flood.inputs.tenure.lose("test".into());
        assert_eq!(flood.next().await, "displaced");
    }

    #[tokio::test]
    async fn what_there_is_no_room_for_waits() {
        let mut flood = Flood::new();
        (flood.inputs.every, flood.inputs.tick_at) = (TICK, None);
        flood.reports.try_send(Report::Heartbeat(Ok(()))).expect("room");
        flood.asks.try_send(Asked::Published("letter".into())).expect("room");
        let full = Open { listens: false, room: false, lasts: true };
        assert_eq!(word(&flood.inputs.next(&mut flood.scribe, full).await), "asked");
        assert_eq!(word(&flood.inputs.next(&mut flood.scribe, full).await), "tick", "nothing else is heard");
        assert_eq!(word(&flood.inputs.next(&mut flood.scribe, OPEN).await), "report");
    }
}
