//! The markets that Athena needs, each with the latest book of its two tokens: those that her strategies trade, and those without which the
//! gate could not judge them.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use super::rolling::{Selector, names};
use crate::domain::{Book, FeeSchedule, GroupId, Map, Market, MarketId, Slug, Timestamp, TokenId};

/// Markets that there is room for whatever is traded here: groups, and what others hold. Beyond its room a new one is refused and counted.
const LEAST: usize = 16_384;
/// Room for each strategy on an instrument: the market before, the one at hand, the next, and one to spare.
const EACH: usize = 4;

/// How long a closed market is kept, for a late sale to be judged with its name; and any other after it was told of last.
const KEEP: Duration = Duration::from_mins(1);

#[derive(Clone, Debug)]
struct Listed {
    market: Market,
    books: [Option<Book>; 2],
    /// A strategy here trades it: its group is needed too.
    traded: bool,
    told_at: Timestamp,
}

/// Every market needed, bounded. No question but [`Self::all`] costs more the more there are.
#[derive(Clone, Debug)]
pub struct Markets {
    listed: Vec<Listed>,
    /// Where each stands.
    places: Map<MarketId, usize>,
    /// Each under all its names.
    named: Map<String, Vec<MarketId>>,
    /// How many that are traded here each group has.
    groups: Map<GroupId, usize>,
    /// The latest markets whose result is known: it is final, and an older description that comes late does not list them again.
    resolved: VecDeque<MarketId>,
    is_resolved: HashSet<MarketId>,
    room: usize,
    refused: u64,
}

impl Default for Markets {
    fn default() -> Self {
        Self::for_strategies(0)
    }
}

impl Markets {
    /// None known yet, with room for so many strategies, each on an instrument of its own.
    #[must_use]
    pub fn for_strategies(count: usize) -> Self {
        Self {
            listed: Vec::new(),
            places: Map::default(),
            named: Map::default(),
            groups: Map::default(),
            resolved: VecDeque::new(),
            is_resolved: HashSet::new(),
            room: LEAST + EACH * count,
            refused: 0,
        }
    }

    /// Takes a description, told at `now`, of a market that is `traded` here or needed otherwise; books are kept when the tokens are the same.
    /// A resolved market is forgotten for good.
    pub fn put_market(&mut self, market: &Market, traded: bool, now: Timestamp) {
        let id = &market.market;
        if market.payouts.is_some() {
            return self.resolve(id);
        }
        let Some(place) = self.places.get(id) else { return self.list(market, traded, now) };
        let listed = &mut self.listed[*place];
        listed.told_at = now;
        if listed.market == *market && listed.traded == traded {
            return;
        }
        if listed.market.tokens != market.tokens {
            listed.books = [None, None];
        }
        let before = std::mem::replace(&mut listed.market, market.clone());
        let was_traded = std::mem::replace(&mut listed.traded, traded);
        self.regroup(before.group.as_ref().filter(|_| was_traded), market.group.as_ref().filter(|_| traded));
        if before.slug != market.slug {
            self.rename(id, Some(&before.slug), Some(&market.slug));
        }
    }

    fn list(&mut self, market: &Market, traded: bool, now: Timestamp) {
        let id = &market.market;
        if self.is_resolved.contains(id) {
            return;
        }
        if self.listed.len() >= self.room {
            self.refused += 1;
            return;
        }
        self.places.insert(id.clone(), self.listed.len());
        self.listed.push(Listed { market: market.clone(), books: [None, None], traded, told_at: now });
        self.regroup(None, market.group.as_ref().filter(|_| traded));
        self.rename(id, None, Some(&market.slug));
    }

    fn regroup(&mut self, before: Option<&GroupId>, after: Option<&GroupId>) {
        if before == after {
            return;
        }
        if let Some(count) = before.and_then(|group| self.groups.get_mut(group)) {
            *count -= 1;
            if *count == 0 {
                self.groups.retain(|_, count| *count > 0);
            }
        }
        if let Some(group) = after {
            *self.groups.entry(group.clone()).or_default() += 1;
        }
    }

    /// Whether a market is in the group of one that is traded here.
    #[must_use]
    pub fn need(&self, market: &Market) -> bool {
        market.group.as_ref().is_some_and(|group| self.groups.contains_key(group))
    }

    /// Whether a market that is known is traded here.
    #[must_use]
    pub fn is_traded(&self, market: &MarketId) -> bool {
        self.listed(market).is_some_and(|listed| listed.traded)
    }

    /// What a market charges; the most that any does while it is not known.
    #[must_use]
    pub fn fees_of(&self, market: &MarketId) -> FeeSchedule {
        self.market(market).map_or(FeeSchedule::DEAREST, |market| market.fee)
    }

    fn resolve(&mut self, id: &MarketId) {
        self.remove(id);
        if !self.is_resolved.insert(id.clone()) {
            return;
        }
        if self.resolved.len() == self.room
            && let Some(oldest) = self.resolved.pop_front()
        {
            self.is_resolved.remove(&oldest);
        }
        self.resolved.push_back(id.clone());
    }

    /// Forgets a market with its books.
    pub fn remove(&mut self, id: &MarketId) {
        let Some(place) = self.places.remove(id) else { return };
        let gone = self.listed.swap_remove(place);
        if let Some(moved) = self.listed.get(place) {
            self.places.insert(moved.market.market.clone(), place);
        }
        self.regroup(gone.market.group.as_ref().filter(|_| gone.traded), None);
        self.rename(id, Some(&gone.market.slug), None);
    }

    fn rename(&mut self, id: &MarketId, before: Option<&Slug>, after: Option<&Slug>) {
        for name in before.into_iter().flat_map(names) {
            let Some(found) = self.named.get_mut(name) else { continue };
            found.retain(|known| known != id);
            if found.is_empty() {
                self.named.remove(name);
            }
        }
        for name in after.into_iter().flat_map(names) {
            self.named.entry(name.to_owned()).or_default().push(id.clone());
        }
    }

    fn listed(&self, id: &MarketId) -> Option<&Listed> {
        self.listed.get(*self.places.get(id)?)
    }

    /// Takes a book. One of an unknown market is ignored: the description comes round every second. So is one that reached us
    /// before the one at hand.
    pub fn put_book(&mut self, book: &Book) {
        let Some(listed) = self.places.get(&book.market).and_then(|place| self.listed.get_mut(*place)) else { return };
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

    /// Forgets the books of markets that closed a while ago, unless they take orders beyond the end that they name; and which of those are not
    /// told of any more, with what is known of them. Gives their ids.
    pub fn purge(&mut self, now: Timestamp) -> Vec<MarketId> {
        let lately = |at: Timestamp| now.since(at) <= KEEP;
        let mut gone = Vec::new();
        for listed in &mut self.listed {
            let trades = || listed.books.iter().flatten().any(|book| lately(book.known_at()));
            let market = &listed.market;
            if market.closes_at.is_none_or(lately) || (market.accepting_orders && trades()) {
                continue;
            }
            listed.books = [None, None];
            if !lately(listed.told_at) {
                gone.push(market.market.clone());
            }
        }
        for id in &gone {
            self.remove(id);
        }
        gone
    }

    /// The market that the selector means now: begun, not closed, the latest begun. A fixed one is closed when it takes no orders,
    /// whatever end it names; of rolling ones the next takes its place at that end.
    #[must_use]
    pub fn current(&self, selector: &Selector, now: Timestamp) -> Option<&Market> {
        let named = self.named.get(selector.name()).into_iter().flatten();
        named
            .filter_map(|id| self.market(id))
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
        self.listed(market).map(|listed| &listed.market)
    }

    /// The latest book of a market's token.
    #[must_use]
    pub fn book(&self, market: &MarketId, token: &TokenId) -> Option<&Book> {
        let listed = self.listed(market)?;
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

    /// Told when its window begins.
    fn put(markets: &mut Markets, market: &Market) {
        markets.put_market(market, true, market.opens_at.unwrap_or_default());
    }

    fn current(markets: &Markets, now: i64) -> Option<String> {
        let selector = Selector::new("btc-updown-5m-{start}");
        markets.current(&selector, Timestamp::from_secs(now)).map(|market| market.slug.to_string())
    }

    #[test]
    fn the_current_market_changes_at_the_roll_and_not_before() {
        let mut markets = Markets::default();
        assert_eq!(current(&markets, START), None);
        put(&mut markets, &window(START + 300));
        put(&mut markets, &window(START));
        assert_eq!(current(&markets, START - 1), None);
        assert_eq!(current(&markets, START).as_deref(), Some("btc-updown-5m-1795348800"));
        assert_eq!(current(&markets, START + 299).as_deref(), Some("btc-updown-5m-1795348800"));
        assert_eq!(current(&markets, START + 300).as_deref(), Some("btc-updown-5m-1795349100"));
        assert_eq!(current(&markets, START + 600), None);
    }

    #[test]
    fn closed_and_resolved_markets_go_with_their_books() {
        let mut markets = Markets::default();
        put(&mut markets, &market());
        markets.put_book(&book("up", "0.40", "0.60", Timestamp::from_secs(START)));
        assert!(markets.book(&"0xmarket".into(), &"up".into()).is_some());
        markets.purge(Timestamp::from_secs(START + 360));
        assert_eq!(markets.len(), 1);
        markets.purge(Timestamp::from_secs(START + 361));
        assert!(markets.is_empty() && markets.book(&"0xmarket".into(), &"up".into()).is_none());

        put(&mut markets, &market());
        put(&mut markets, &Market { payouts: Some([Price::ZERO, Price::ZERO]), ..market() });
        assert!(markets.is_empty());
        put(&mut markets, &market());
        assert!(markets.is_empty(), "an older description that comes late");
    }

    #[test]
    fn a_fixed_market_that_takes_orders_beyond_its_named_end_stays_as_long_as_its_books_are_told() {
        let mut markets = Markets::default();
        put(&mut markets, &market());
        let (fixed, late) = (Selector::new("btc-updown-5m-1795348800"), Timestamp::from_secs(START + 3_600));
        markets.put_book(&book("up", "0.40", "0.60", late));
        markets.purge(late);
        assert!(markets.current(&fixed, late).is_some());
        assert!(markets.current(&Selector::new("btc-updown-5m-{start}"), late).is_none());
        markets.purge(late.plus(KEEP * 2));
        assert!(markets.is_empty());
        put(&mut markets, &Market { accepting_orders: false, ..market() });
        markets.put_book(&book("up", "0.40", "0.60", late));
        assert!(markets.current(&fixed, late).is_none());
        markets.purge(late);
        assert!(markets.is_empty());
    }

    #[test]
    fn one_that_is_over_stays_known_without_books_until_nobody_tells_of_it() {
        let mut markets = Markets::default();
        let of_group = Market { group: Some("event".into()), ..market() };
        put(&mut markets, &of_group);
        markets.put_book(&book("up", "0.40", "0.60", Timestamp::from_secs(START)));
        let told = Timestamp::from_secs(START + 3_600);
        markets.put_market(&of_group, true, told);
        assert!(markets.purge(told).is_empty());
        assert!(markets.need(&of_group) && markets.is_traded(&"0xmarket".into()));
        assert!(markets.book(&"0xmarket".into(), &"up".into()).is_none());
        assert!(markets.purge(told.plus(KEEP)).is_empty());
        assert_eq!(markets.purge(told.plus(KEEP * 2)), ["0xmarket".into()]);
        assert!(markets.is_empty() && !markets.need(&of_group));
    }

    #[test]
    fn the_next_market_and_its_books_are_at_hand_before_the_roll() {
        let next = window(START + 300);
        let mut markets = Markets::default();
        put(&mut markets, &window(START));
        put(&mut markets, &next);
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
            put(&mut markets, &window(start));
            put(&mut markets, &window(start + 300));
            put(&mut markets, &Market { payouts: Some([Price::ZERO, Price::ZERO]), ..window(start - 600) });
            markets.purge(Timestamp::from_secs(start));
            assert!(markets.len() <= 4 && markets.resolved.len() <= LEAST);
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
        put(&mut markets, &market());
        markets.put_book(&book("up", "0.41", "0.60", at(2)));
        markets.put_book(&book("up", "0.40", "0.60", at(1)));
        assert_eq!(markets.book(&market_id, &up).map(|book| book.received_at), Some(at(2)));
        put(&mut markets, &Market { tick_size: Price(rust_decimal::dec!(0.001)), ..market() });
        assert!(markets.book(&market_id, &up).is_some(), "a repeated description keeps the books");
        markets.forget_books();
        assert!(markets.book(&market_id, &up).is_none());
    }

    #[test]
    fn a_flood_of_markets_is_refused_and_counted() {
        let mut markets = Markets { room: 256, ..Markets::default() };
        for start in 0..300 {
            put(&mut markets, &window(START + start * 300));
        }
        assert_eq!((markets.len(), markets.refused()), (256, 44));
    }

    #[test]
    fn there_is_room_for_a_roll_of_a_series_each_and_each_finds_its_own() {
        const SERIES: usize = 1_000;
        let of = |series: usize, start: i64| Market {
            slug: format!("x{series}-updown-5m-{start}").into(),
            market: format!("0x{series}-{start}").into(),
            ..window(start)
        };
        let mut markets = Markets::for_strategies(SERIES);
        for (start, series) in [START, START + 300].into_iter().flat_map(|start| (0..SERIES).map(move |of| (start, of)))
        {
            put(&mut markets, &of(series, start));
        }
        assert_eq!((markets.len(), markets.refused()), (2 * SERIES, 0));
        let finds_its_own = |markets: &Markets, start: i64| {
            for series in 0..SERIES {
                let selector = Selector::new(&format!("x{series}-updown-5m-{{start}}"));
                let found = markets.current(&selector, Timestamp::from_secs(start)).map(|market| market.market.clone());
                assert_eq!(found, Some(of(series, start).market));
            }
        };
        finds_its_own(&markets, START);
        // Some are resolved, the others closed a while ago; whatever was moved is found where it is.
        for series in (0..SERIES).step_by(3) {
            put(&mut markets, &Market { payouts: Some([Price::ZERO, Price::ZERO]), ..of(series, START) });
        }
        markets.purge(Timestamp::from_secs(START + 361));
        assert_eq!(markets.len(), SERIES);
        finds_its_own(&markets, START + 361 - 61);
        markets.purge(Timestamp::from_secs(START + 661));
        assert!(
            markets.is_empty() && markets.groups.is_empty() && markets.named.is_empty() && markets.places.is_empty()
        );
    }

    #[test]
    fn a_market_that_is_renamed_is_found_by_its_new_name_only() {
        let mut markets = Markets::default();
        put(&mut markets, &window(START));
        put(&mut markets, &Market { slug: "other-1795348800".into(), ..window(START) });
        assert_eq!(current(&markets, START), None);
        let now = Timestamp::from_secs(START);
        assert!(markets.current(&Selector::new("other-{start}"), now).is_some());
        assert!(markets.current(&Selector::new("other-1795348800"), now).is_some());
    }
}
