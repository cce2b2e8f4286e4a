//! The markets that Athena has heard of, each with the latest book of its two tokens.

use std::collections::VecDeque;
use std::time::Duration;

use super::rolling::Selector;
use crate::domain::{Book, Market, MarketId, Timestamp, TokenId};

/// Most markets kept. Beyond that a new one is refused and counted: the desk trades a handful.
const CAPACITY: usize = 256;

/// How long a closed market is kept, for a late sale to be judged with its name.
const KEEP_CLOSED: Duration = Duration::from_mins(1);

#[derive(Clone, Debug)]
struct Listed {
    market: Market,
    books: [Option<Book>; 2],
}

/// Every market known, bounded.
#[derive(Clone, Debug, Default)]
pub struct Markets {
    listed: Vec<Listed>,
    /// The latest markets whose result is known: it is final, and an older description that comes late does not list them again.
    resolved: VecDeque<MarketId>,
    refused: u64,
}

impl Markets {
    /// Takes a description; books are kept when the tokens are the same. A resolved market is forgotten for good.
    pub fn put_market(&mut self, market: &Market) {
        if market.payouts.is_some() && !self.resolved.contains(&market.market) {
            if self.resolved.len() == CAPACITY {
                self.resolved.pop_front();
            }
            self.resolved.push_back(market.market.clone());
        }
        let place = self.listed.iter().position(|listed| listed.market.market == market.market);
        match place {
            Some(place) if market.payouts.is_some() => {
                self.listed.swap_remove(place);
            }
            Some(place) => {
                let listed = &mut self.listed[place];
                if listed.market.tokens != market.tokens {
                    listed.books = [None, None];
                }
                listed.market.clone_from(market);
            }
            None if self.resolved.contains(&market.market) => {}
            None if self.listed.len() >= CAPACITY => self.refused += 1,
            None => self.listed.push(Listed { market: market.clone(), books: [None, None] }),
        }
    }

    /// Takes a book. One of an unknown market is ignored: the description comes round every few seconds. So is one that reached us
    /// before the one at hand.
    pub fn put_book(&mut self, book: &Book) {
        let Some(listed) = self.listed.iter_mut().find(|listed| listed.market.market == book.market) else { return };
        let Some(index) = listed.market.tokens.iter().position(|outcome| outcome.token == book.token) else { return };
        let place = &mut listed.books[index];
        if place.as_ref().is_none_or(|known| known.known_at() <= book.known_at()) {
            *place = Some(book.clone());
        }
    }

    /// Forgets all books: messages are missing, so none of them is the latest any more.
    pub fn forget_books(&mut self) {
        for listed in &mut self.listed {
            listed.books = [None, None];
        }
    }

    /// Forgets markets that closed a while ago, with their books; not those that take orders beyond the end that they name.
    pub fn purge(&mut self, now: Timestamp) {
        let lately = |at: Timestamp| now.since(at) <= KEEP_CLOSED;
        self.listed.retain(|listed| {
            let trades = || listed.books.iter().flatten().any(|book| lately(book.known_at()));
            listed.market.closes_at.is_none_or(lately) || (listed.market.accepting_orders && trades())
        });
    }

    /// The market that the selector means now: begun, not closed, the latest begun. A fixed one is closed when it takes no orders,
    /// whatever end it names; of rolling ones the next takes its place at that end.
    #[must_use]
    pub fn current(&self, selector: &Selector, now: Timestamp) -> Option<&Market> {
        self.listed
            .iter()
            .map(|listed| &listed.market)
            .filter(|market| {
                let fixed = matches!(selector, Selector::Fixed(_));
                market.closes_at.is_none_or(|at| now < at) || (fixed && market.accepting_orders)
            })
            .filter_map(|market| Some((selector.start_of(market)?, market)))
            .filter(|(start, _)| *start <= now)
            .max_by_key(|(start, _)| *start)
            .map(|(_, market)| market)
    }

    /// Every market known.
    pub fn all(&self) -> impl Iterator<Item = &Market> + Clone {
        self.listed.iter().map(|listed| &listed.market)
    }

    /// A market by its id.
    #[must_use]
    pub fn market(&self, market: &MarketId) -> Option<&Market> {
        self.listed.iter().map(|listed| &listed.market).find(|listed| listed.market == *market)
    }

    /// The latest book of a market's token.
    #[must_use]
    pub fn book(&self, market: &MarketId, token: &TokenId) -> Option<&Book> {
        let listed = self.listed.iter().find(|listed| listed.market.market == *market)?;
        let index = listed.market.tokens.iter().position(|outcome| outcome.token == *token)?;
        listed.books[index].as_ref()
    }

    /// How many markets are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.listed.len()
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// Descriptions refused for lack of room.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Price;
    use crate::risk::checks::bench::{book, market};

    const START: i64 = 1_795_348_800;

    fn window(start: i64) -> Market {
        Market {
            slug: format!("btc-updown-5m-{start}").into(),
            market: format!("0x{start}").into(),
            opens_at: Some(Timestamp::from_secs(start)),
            closes_at: Some(Timestamp::from_secs(start + 300)),
            ..market()
        }
    }

    fn current(markets: &Markets, now: i64) -> Option<String> {
        let selector = Selector::new("btc-updown-5m-{start}");
        markets.current(&selector, Timestamp::from_secs(now)).map(|market| market.slug.to_string())
    }

    #[test]
    fn the_current_market_changes_at_the_roll_and_not_before() {
        let mut markets = Markets::default();
        assert_eq!(current(&markets, START), None);
        markets.put_market(&window(START + 300));
        markets.put_market(&window(START));
        assert_eq!(current(&markets, START - 1), None);
        assert_eq!(current(&markets, START).as_deref(), Some("btc-updown-5m-1795348800"));
        assert_eq!(current(&markets, START + 299).as_deref(), Some("btc-updown-5m-1795348800"));
        assert_eq!(current(&markets, START + 300).as_deref(), Some("btc-updown-5m-1795349100"));
        assert_eq!(current(&markets, START + 600), None);
    }

    #[test]
    fn closed_and_resolved_markets_go_with_their_books() {
        let mut markets = Markets::default();
        markets.put_market(&market());
        markets.put_book(&book("up", "0.40", "0.60", Timestamp::from_secs(START)));
        assert!(markets.book(&"0xmarket".into(), &"up".into()).is_some());
        markets.purge(Timestamp::from_secs(START + 360));
        assert_eq!(markets.len(), 1);
        markets.purge(Timestamp::from_secs(START + 361));
        assert!(markets.is_empty() && markets.book(&"0xmarket".into(), &"up".into()).is_none());

        markets.put_market(&market());
        markets.put_market(&Market { payouts: Some([Price::ZERO, Price::ZERO]), ..market() });
        assert!(markets.is_empty());
        markets.put_market(&market());
        assert!(markets.is_empty(), "an older description that comes late");
    }

    #[test]
    fn a_fixed_market_that_takes_orders_beyond_its_named_end_stays_as_long_as_its_books_are_told() {
        let mut markets = Markets::default();
        markets.put_market(&market());
        let (fixed, late) = (Selector::new("btc-updown-5m-1795348800"), Timestamp::from_secs(START + 3_600));
        markets.put_book(&book("up", "0.40", "0.60", late));
        markets.purge(late);
        assert!(markets.current(&fixed, late).is_some());
        assert!(markets.current(&Selector::new("btc-updown-5m-{start}"), late).is_none());
        markets.purge(late.plus(KEEP_CLOSED * 2));
        assert!(markets.is_empty());
        markets.put_market(&Market { accepting_orders: false, ..market() });
        markets.put_book(&book("up", "0.40", "0.60", late));
        assert!(markets.current(&fixed, late).is_none());
        markets.purge(late);
        assert!(markets.is_empty());
    }

    #[test]
    fn the_next_market_and_its_books_are_at_hand_before_the_roll() {
        let next = window(START + 300);
        let mut markets = Markets::default();
        markets.put_market(&window(START));
        markets.put_market(&next);
        let mut book = book("up", "0.49", "0.51", Timestamp::from_secs(START + 299));
        book.market = next.market.clone();
        markets.put_book(&book);
        assert_eq!(current(&markets, START + 299).as_deref(), Some("btc-updown-5m-1795348800"));
        assert_eq!(current(&markets, START + 300).as_deref(), Some(next.slug.as_str()));
        assert!(markets.book(&next.market, &"up".into()).is_some());
    }

    #[test]
    fn a_day_of_rolls_leaves_nothing_behind() {
        let mut markets = Markets::default();
        for start in (START..START + 86_400).step_by(300) {
            markets.put_market(&window(start));
            markets.put_market(&window(start + 300));
            markets.put_market(&Market { payouts: Some([Price::ZERO, Price::ZERO]), ..window(start - 600) });
            markets.purge(Timestamp::from_secs(start));
            assert!(markets.len() <= 4 && markets.resolved.len() <= CAPACITY);
        }
        assert_eq!(markets.refused(), 0);
    }

    #[test]
    fn a_book_needs_its_market_and_never_goes_back() {
        let (market_id, up) = ("0xmarket".into(), "up".into());
        let at = |secs| Timestamp::from_secs(START + secs);
        let mut markets = Markets::default();
        markets.put_book(&book("up", "0.40", "0.60", at(1)));
        assert!(markets.book(&market_id, &up).is_none());
        markets.put_market(&market());
        markets.put_book(&book("up", "0.41", "0.60", at(2)));
        markets.put_book(&book("up", "0.40", "0.60", at(1)));
        assert_eq!(markets.book(&market_id, &up).map(|book| book.received_at), Some(at(2)));
        markets.put_market(&Market { tick_size: Price(rust_decimal::dec!(0.001)), ..market() });
        assert!(markets.book(&market_id, &up).is_some(), "a repeated description keeps the books");
        markets.forget_books();
        assert!(markets.book(&market_id, &up).is_none());
    }

    #[test]
    fn a_flood_of_markets_is_refused_and_counted() {
        let mut markets = Markets::default();
        for start in 0..300 {
            markets.put_market(&window(START + start * 300));
        }
        assert_eq!((markets.len(), markets.refused()), (CAPACITY, 44));
    }
}
