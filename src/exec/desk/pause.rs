//! What the venue's transient refusals say about all orders: maintenance, rate limits, and the post-only window after a restart.
//!
//! Invariant: of what left before a refusal was heard nothing is newer than the refusal: another refusal of it is the same one, and an
//! acceptance of it ends nothing.

use std::time::Duration;

use super::Desk;
use crate::domain::{OrderIntent, Timestamp, TransientCode};

/// For how long after a restart only post-only orders are taken, when the venue does not say. Source: its matching-engine page.
const POST_ONLY_WINDOW: Duration = Duration::from_mins(2);
/// First pause for maintenance, doubled while it lasts, and the longest. Source: the venue asks for 1 to 2 s, doubling.
const MAINTENANCE_FIRST: Duration = Duration::from_secs(1);
const MAINTENANCE_MOST: Duration = Duration::from_secs(8);
/// How long a 429 without a time stops us.
const RATE_LIMITED: Duration = Duration::from_secs(1);

/// Until when the venue takes nothing, or not everything.
#[derive(Clone, Debug, Default)]
pub(super) struct Pause {
    /// No order is sent before this; why in words.
    until: Option<(Timestamp, String)>,
    /// When the refusal was heard that this follows from.
    refused_at: Option<Timestamp>,
    /// Maintenance answers in a row.
    in_a_row: u32,
    /// Only post-only orders before this.
    post_only_until: Option<Timestamp>,
    /// When the last refusal was heard that said so.
    post_only_at: Option<Timestamp>,
}

impl Pause {
    /// The venue refused for now an order that left at `begun`. Gives the least time before this order is tried again.
    pub(super) fn refused(
        &mut self,
        code: TransientCode,
        (reason, after): (&str, Option<Duration>),
        begun: Timestamp,
        now: Timestamp,
    ) -> Duration {
        let pause = match code {
            TransientCode::Restarting | TransientCode::CancelOnly | TransientCode::TradingDisabled => {
                // Of many orders that were on their way at one time each is refused: that is one refusal, not many in a row.
                if self.refused_at.is_some_and(|heard| begun < heard) {
                    let rest = self.until.as_ref().map_or(Duration::ZERO, |(until, _)| until.since(now));
                    let pause = rest.max(after.unwrap_or_default());
                    self.hold(code, reason, now.plus(pause), now);
                    return pause;
                }
                let doubled = MAINTENANCE_FIRST.saturating_mul(1 << self.in_a_row.min(8)).min(MAINTENANCE_MOST);
                self.in_a_row += 1;
                doubled.max(after.unwrap_or_default())
            }
            TransientCode::RateLimited => after.unwrap_or(RATE_LIMITED),
            TransientCode::PostOnlyMode => {
                let known = self.post_only_until.filter(|until| *until > now);
                let until = after.map(|after| now.plus(after)).or(known).unwrap_or_else(|| now.plus(POST_ONLY_WINDOW));
                (self.post_only_until, self.post_only_at) = (Some(until), Some(now));
                return until.since(now);
            }
            // Nothing was sent: it concerns this order alone.
            TransientCode::OverBudget | TransientCode::Unreachable => return after.unwrap_or_default(),
        };
        self.refused_at = Some(now);
        self.hold(code, reason, now.plus(pause), now);
        pause
    }

    fn hold(&mut self, code: TransientCode, reason: &str, until: Timestamp, now: Timestamp) {
        if until > now && self.until.as_ref().is_none_or(|(known, _)| *known < until) {
            self.until = Some((until, format!("the venue takes no orders before {until} ({code}): {reason}")));
        }
    }

    /// The venue took an order that left at `begun`.
    pub(super) fn accepted(&mut self, post_only: bool, begun: Timestamp) {
        let newer = |heard: Option<Timestamp>| heard.is_none_or(|heard| begun >= heard);
        if newer(self.refused_at) {
            (self.until, self.refused_at, self.in_a_row) = (None, None, 0);
        }
        if !post_only && newer(self.post_only_at) {
            (self.post_only_until, self.post_only_at) = (None, None);
        }
    }

    /// Until when nothing can be sent, and why.
    pub(super) fn holds(&self, now: Timestamp) -> Option<(Timestamp, String)> {
        self.until.clone().filter(|(until, _)| now < *until)
    }

    /// Why nothing can be sent now.
    pub(super) fn trouble(&self, now: Timestamp) -> Option<String> {
        self.holds(now).map(|(_, why)| why)
    }
}

impl Desk {
    /// When the venue will take this order, when it does not now because only post-only orders are taken.
    pub(super) fn post_only_until(&self, intent: &OrderIntent, now: Timestamp) -> Option<Timestamp> {
        self.pause.post_only_until.filter(|until| now < *until && !intent.post_only)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    #[test]
    fn maintenance_doubles_up_to_its_bound_and_an_accepted_order_ends_it() {
        let mut pause = Pause::default();
        for (seconds, millis) in [(1, 0), (2, 1_000), (4, 3_000), (8, 7_000), (8, 15_000)] {
            for late in [0, 1, 200] {
                // Others that were on their way are refused too: they wait for the same end.
                let least = pause.refused(TransientCode::Restarting, ("425", None), at(millis), at(millis + 1 + late));
                assert_eq!(least, Duration::from_millis(seconds * 1_000 - late.unsigned_abs()));
            }
        }
        assert!(
            pause.trouble(at(23_000)).expect("still").contains("restarting") && pause.trouble(at(23_001)).is_none()
        );
        pause.refused(TransientCode::CancelOnly, ("503", None), at(23_001), at(23_002));
        pause.accepted(false, at(23_002));
        assert_eq!(pause.trouble(at(23_003)), None);
        assert_eq!(
            pause.refused(TransientCode::Restarting, ("425", None), at(23_003), at(23_004)),
            Duration::from_secs(1),
            "from the beginning"
        );
    }

    #[test]
    fn what_left_before_a_refusal_was_heard_neither_ends_the_pause_nor_counts_again() {
        let mut pause = Pause::default();
        pause.refused(TransientCode::Restarting, ("425", None), at(0), at(10));
        pause.accepted(false, at(9));
        assert!(pause.trouble(at(11)).is_some(), "it was taken before the venue went down");
        let late = pause.refused(TransientCode::Restarting, ("425", None), at(9), at(1_500));
        assert_eq!(late, Duration::ZERO, "the pause was over when its answer came");
        let second = Some(Duration::from_secs(3));
        assert_eq!(pause.refused(TransientCode::Restarting, ("425", second), at(9), at(1_600)), Duration::from_secs(3));
        assert!(pause.trouble(at(4_599)).is_some(), "what the venue asks for holds everybody");
        let next = pause.refused(TransientCode::Restarting, ("425", None), at(5_000), at(5_010));
        assert_eq!(next, Duration::from_secs(2), "the second in a row");

        pause.refused(TransientCode::RateLimited, ("429", second), at(8_000), at(8_010));
        pause.accepted(false, at(8_009));
        assert!(pause.trouble(at(8_011)).is_some(), "nor of a rate limit");

        let mut pause = Pause::default();
        pause.refused(TransientCode::PostOnlyMode, ("503", None), at(0), at(10));
        pause.accepted(false, at(9));
        assert_eq!(pause.post_only_until, Some(at(120_010)));
        pause.accepted(true, at(20));
        assert_eq!(pause.post_only_until, Some(at(120_010)), "such orders it takes all the time");
        pause.accepted(false, at(20));
        assert_eq!(pause.post_only_until, None);
    }

    #[test]
    fn the_post_only_window_is_as_long_as_the_venue_says_and_two_minutes_when_it_does_not() {
        let mut pause = Pause::default();
        let mut refused = |after, now| pause.refused(TransientCode::PostOnlyMode, ("503", after), at(now), at(now));
        assert_eq!(refused(None, 0), Duration::from_mins(2));
        assert_eq!(refused(None, 30_000), Duration::from_secs(90), "the same window");
        assert_eq!(refused(Some(Duration::from_secs(8)), 30_000), Duration::from_secs(8));
        assert_eq!(refused(Some(Duration::from_secs(200)), 31_000), Duration::from_secs(200), "it was prolonged");
        assert_eq!(pause.trouble(at(31_001)), None, "post-only orders go meanwhile");
    }

    #[test]
    fn a_rate_limit_holds_everybody_for_as_long_as_it_says_and_our_own_budget_only_the_order() {
        let mut pause = Pause::default();
        let long = Duration::from_millis(2_500);
        let refused = |pause: &mut Pause, code| pause.refused(code, ("429", Some(long)), at(0), at(0));
        assert_eq!(refused(&mut pause, TransientCode::RateLimited), long);
        assert!(pause.trouble(at(2_499)).is_some() && pause.trouble(at(2_500)).is_none());
        let mut pause = Pause::default();
        assert_eq!(refused(&mut pause, TransientCode::OverBudget), long);
        assert_eq!(pause.trouble(at(1)), None);
    }
}
