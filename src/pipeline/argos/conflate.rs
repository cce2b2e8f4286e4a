//! Books on their way to the bus: the latest of each token, not more often than the pace. A book that was overtaken by a
//! newer one is not a loss.

use std::collections::HashMap;
use std::time::Duration;

use crate::domain::{Book, Timestamp, TokenId};

/// Least time between two books of one token: twenty a second.
const PACE: Duration = Duration::from_millis(50);
/// A book that does not change is repeated this often for those who came late.
const REPEAT: Duration = Duration::from_secs(3);
/// One that was found to be true still is repeated this often, so that its age stays small.
const HEARD: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Slot {
    latest: Book,
    waiting: bool,
    heard: bool,
    sent_at: Option<Timestamp>,
}

/// The latest books.
#[derive(Debug, Default)]
pub(super) struct Conflater {
    slots: HashMap<TokenId, Slot>,
}

impl Conflater {
    /// Takes a book; it replaces the one before.
    pub(super) fn offer(&mut self, book: Book) {
        let sent_at = self.slots.get(&book.token).and_then(|slot| slot.sent_at);
        self.slots.insert(book.token.clone(), Slot { latest: book, waiting: true, heard: false, sent_at });
    }

    /// A token's book was still true at that time.
    pub(super) fn heard(&mut self, token: &TokenId, at: Timestamp) {
        if let Some(slot) = self.slots.get_mut(token) {
            slot.latest.heard_at = slot.latest.heard_at.max(Some(at));
            slot.heard = true;
        }
    }

    /// A token's book is no longer true: what was waiting is not sent, nothing is repeated.
    pub(super) fn forget(&mut self, token: &TokenId) {
        self.slots.remove(token);
    }

    /// The tokens whose books are held.
    pub(super) fn tokens(&self) -> Vec<TokenId> {
        self.slots.keys().cloned().collect()
    }

    /// What is to be sent now.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<Book> {
        let mut due = Vec::new();
        for slot in self.slots.values_mut().filter(|slot| slot.due_at(now) <= now) {
            (slot.waiting, slot.heard) = (false, false);
            slot.sent_at = Some(now);
            due.push(slot.latest.clone());
        }
        due
    }

    /// When something will be due; nothing while there are no books.
    pub(super) fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        self.slots.values().map(|slot| slot.due_at(now)).min()
    }
}

impl Slot {
    fn due_at(&self, now: Timestamp) -> Timestamp {
        let pause = match (self.waiting, self.heard) {
            (true, _) => PACE,
            (false, true) => HEARD,
            (false, false) => REPEAT,
        };
        // A clock that was set back must not hold a book up.
        self.sent_at.map_or(now, |sent_at| sent_at.min(now).plus(pause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::MarketId;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    fn book(token: &str, millis: i64) -> Book {
        Book {
            market: MarketId::new("m"),
            token: TokenId::new(token),
            bids: vec![],
            asks: vec![],
            event_at: at(millis),
            received_at: at(millis),
            heard_at: None,
        }
    }

    #[test]
    fn the_first_goes_at_once_and_then_only_the_latest_at_the_pace() {
        let mut conflater = Conflater::default();
        conflater.offer(book("a", 0));
        assert_eq!(conflater.due(at(0)), [book("a", 0)]);
        for millis in 1..50 {
            conflater.offer(book("a", millis));
            assert!(conflater.due(at(millis)).is_empty());
        }
        assert_eq!(conflater.next_due(at(49)), Some(at(50)));
        assert_eq!(conflater.due(at(50)), [book("a", 49)]);
        assert!(conflater.due(at(200)).is_empty(), "nothing new");
    }

    #[test]
    fn tokens_do_not_slow_each_other_and_a_quiet_book_is_repeated_until_forgotten() {
        let mut conflater = Conflater::default();
        conflater.offer(book("a", 0));
        conflater.due(at(0));
        conflater.offer(book("b", 1));
        assert_eq!(conflater.due(at(1)), [book("b", 1)]);
        assert_eq!(conflater.due(at(3_000)), [book("a", 0)]);
        conflater.heard(&TokenId::new("a"), at(3_400));
        assert!(conflater.due(at(3_500)).iter().all(|book| book.token != TokenId::new("a")));
        let again = conflater.due(at(4_000));
        let again = again.iter().find(|book| book.token == TokenId::new("a")).expect("heard of, so told");
        assert_eq!((again.received_at, again.known_at()), (at(0), at(3_400)));
        conflater.forget(&TokenId::new("a"));
        conflater.forget(&TokenId::new("b"));
        assert!(conflater.due(at(9_000)).is_empty() && conflater.next_due(at(9_000)).is_none());
    }
}
