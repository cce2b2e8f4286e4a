//! What must not last: that nothing is heard of the books of what is at stake, and that nobody knows what became of an order.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Desk, Key};
use crate::domain::{Book, Control, Denial, OrderState, Timestamp, TokenId};
use crate::risk::seconds;

impl Desk {
    /// Notes when the last was heard of the books that the desk depends on; to be told once a second.
    pub(super) fn listen(&mut self, now: Timestamp) {
        let tokens = self.depended_on(now);
        let newest = tokens.iter().filter_map(|token| self.books.get(*token)).map(Book::known_at).max();
        let (newest, known) = (newest.unwrap_or_default().min(now), self.heard_at.unwrap_or(now));
        self.heard_at = (!tokens.is_empty()).then(|| known.max(newest));
    }

    /// How long all books that the desk depends on have been mute, as it was noted last.
    pub(super) fn mute(&self, now: Timestamp) -> Duration {
        self.heard_at.map_or(Duration::ZERO, |heard| now.since(heard))
    }

    /// Tokens that are on order or held, and whose books are to be expected: from a market's close to its result there are none, and
    /// of a market that nobody has described they never come. What is only held may be of a market that nobody follows any more: it
    /// counts from its first book on.
    fn depended_on(&self, now: Timestamp) -> BTreeSet<&TokenId> {
        let open = self.active.iter().filter_map(|key| self.orders.get(key));
        let open = open.filter(|tracked| tracked.state().is_open()).map(|tracked| &tracked.row.order.intent.token);
        let held = self.portfolio.held().filter(|token| self.books.contains_key(*token));
        open.chain(held).filter(|token| self.portfolio.is_trading(token, now)).collect()
    }

    /// The order that has been of unknown outcome for the longest, as far as this run could ask the venue about it.
    pub(super) fn longest_unknown(&self, now: Timestamp) -> Option<(Duration, &Key)> {
        if self.counts.unknown == 0 {
            return None;
        }
        let age = |key| {
            let tracked = self.orders.get(key).filter(|tracked| tracked.state() == OrderState::Unknown)?;
            let since = tracked.doubted.or(tracked.search.map(|search| search.since))?;
            Some((now.since(since), key))
        };
        self.active.iter().filter_map(age).max()
    }

    /// What has lasted for too long.
    pub(super) fn lasting_too_long(&self, now: Timestamp) -> Vec<Denial> {
        let limits = self.gate.limits();
        let words = |duration| format!("{} s", seconds(duration).normalize());
        let mute = Some(self.mute(now)).filter(|mute| *mute > limits.data_mute).map(|mute| Denial {
            control: Control::DataMute,
            value: format!("{} without news of any book of what is held or on order", words(mute)),
            limit: words(limits.data_mute),
        });
        let unknown = self.longest_unknown(now).filter(|(age, _)| *age > limits.unknown_kill);
        let unknown = unknown.map(|(age, key)| Denial {
            control: Control::UnknownOutcome,
            value: format!("{} for order {}", words(age), key.0),
            limit: words(limits.unknown_kill),
        });
        mute.into_iter().chain(unknown).collect()
    }
}
