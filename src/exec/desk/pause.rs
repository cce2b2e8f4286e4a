//! What the venue's transient refusals say about all orders: maintenance, rate limits, and the post-only window after a restart.

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
    /// Maintenance answers in a row.
    in_a_row: u32,
    /// Only post-only orders before this.
    post_only_until: Option<Timestamp>,
}

impl Pause {
    /// The venue refused for now. Gives the least time before this order is tried again.
    pub(super) fn refused(
        &mut self,
        code: TransientCode,
        reason: &str,
        after: Option<Duration>,
        now: Timestamp,
    ) -> Duration {
        let pause = match code {
            TransientCode::Restarting | TransientCode::CancelOnly | TransientCode::TradingDisabled => {
                // Of many orders that were on their way at one time each is refused: that is one refusal, not many in a row.
                let rest = self.until.as_ref().map_or(Duration::ZERO, |(until, _)| until.since(now));
                if !rest.is_zero() {
                    return rest.max(after.unwrap_or_default());
                }
                let doubled = MAINTENANCE_FIRST.saturating_mul(1 << self.in_a_row.min(8)).min(MAINTENANCE_MOST);
                self.in_a_row += 1;
                doubled.max(after.unwrap_or_default())
            }
            TransientCode::RateLimited => after.unwrap_or(RATE_LIMITED),
            TransientCode::PostOnlyMode => {
                let known = self.post_only_until.filter(|until| *until > now);
                let until = after.map(|after| now.plus(after)).or(known).unwrap_or_else(|| now.plus(POST_ONLY_WINDOW));
                self.post_only_until = Some(until);
                return until.since(now);
            }
            // Nothing was sent: it concerns this order alone.
            TransientCode::OverBudget | TransientCode::Unreachable => return after.unwrap_or_default(),
        };
        let until = now.plus(pause);
        if self.until.as_ref().is_none_or(|(known, _)| *known < until) {
            self.until = Some((until, format!("the venue takes no orders before {until} ({code}): {reason}")));
        }
        pause
    }

    /// The venue took an order.
    pub(super) fn accepted(&mut self, post_only: bool) {
        self.until = None;
        self.in_a_row = 0;
        if !post_only {
            self.post_only_until = None;
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
                let least = pause.refused(TransientCode::Restarting, "425", None, at(millis + late));
                assert_eq!(least, Duration::from_millis(seconds * 1_000 - late.unsigned_abs()));
            }
        }
        assert!(
            pause.trouble(at(22_999)).expect("still").contains("restarting") && pause.trouble(at(23_000)).is_none()
        );
        pause.refused(TransientCode::CancelOnly, "503", None, at(0));
        pause.accepted(false);
        assert_eq!(pause.trouble(at(1)), None);
        assert_eq!(pause.refused(TransientCode::Restarting, "425", None, at(0)), Duration::from_secs(1));
    }

    #[test]
    fn the_post_only_window_is_as_long_as_the_venue_says_and_two_minutes_when_it_does_not() {
        let mut pause = Pause::default();
        let mut refused = |after, now| pause.refused(TransientCode::PostOnlyMode, "503", after, at(now));
        assert_eq!(refused(None, 0), Duration::from_mins(2));
        assert_eq!(refused(None, 30_000), Duration::from_secs(90), "the same window");
        assert_eq!(refused(Some(Duration::from_secs(8)), 30_000), Duration::from_secs(8));
        assert_eq!(refused(Some(Duration::from_secs(200)), 31_000), Duration::from_secs(200), "it was prolonged");
        assert_eq!(pause.trouble(at(31_001)), None, "post-only orders go meanwhile");
    }

    #[test]
    fn a_rate_limit_holds_everybody_for_as_long_as_it_says_and_our_own_budget_only_the_order() {
        let mut pause = Pause::default();
        let after = Some(Duration::from_millis(2_500));
        assert_eq!(pause.refused(TransientCode::RateLimited, "429", after, at(0)), Duration::from_millis(2_500));
        assert!(pause.trouble(at(2_499)).is_some() && pause.trouble(at(2_500)).is_none());
        let mut pause = Pause::default();
        assert_eq!(pause.refused(TransientCode::OverBudget, "", after, at(0)), Duration::from_millis(2_500));
        assert_eq!(pause.trouble(at(1)), None);
    }
}
