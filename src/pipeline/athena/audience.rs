//! Who is asked about an event: only the strategies that it may concern, so that its cost does not grow with the number of instruments.

use std::sync::Arc;

use super::event::Event;
use super::rolling::{Selector, names};
use super::strategy::Runner;
use crate::domain::{Map, Market, MarketId, PolymarketData, Symbol};

/// Strategies by their place among all of them.
pub(super) type Places = Arc<[usize]>;

#[derive(Debug)]
pub(super) struct Audience {
    everyone: Places,
    nobody: Places,
    /// Those on an instrument.
    watching: Map<Symbol, Places>,
    /// What is traded, under the name by which its markets are found.
    meant: Map<String, Vec<Selector>>,
    /// Those that look at markets themselves, by which alone they can tell which concern them.
    followers: Places,
    /// Those that follow a market which was described. A book of another one leads to nothing: it is not kept either.
    following: Map<MarketId, Places>,
}

impl Audience {
    pub(super) fn new<'a>(runners: impl Iterator<Item = &'a dyn Runner>) -> Self {
        let mut watching = Map::<Symbol, Vec<usize>>::default();
        let mut meant = Map::<String, Vec<Selector>>::default();
        let (mut count, mut followers) = (0, Vec::new());
        for (place, runner) in runners.enumerate() {
            let instrument = runner.instrument();
            watching.entry(instrument.symbol.clone()).or_default().push(place);
            let selector = Selector::new(&instrument.market);
            let of_name = meant.entry(selector.name().to_owned()).or_default();
            if !of_name.contains(&selector) {
                of_name.push(selector);
            }
            if runner.is_follower() {
                followers.push(place);
            }
            count += 1;
        }
        Self {
            everyone: (0..count).collect(),
            nobody: Arc::new([]),
            watching: watching.into_iter().map(|(symbol, places)| (symbol, places.into())).collect(),
            meant,
            followers: followers.into(),
            following: Map::default(),
        }
    }

    /// Whom an event may concern.
    pub(super) fn of(&self, event: &Event) -> Places {
        let concerned = match event {
            Event::Tick(tick) => self.watching.get(&tick.symbol),
            Event::Weather(data) => self.watching.get(&Symbol::new(data.station().as_str())),
            Event::Polymarket(PolymarketData::Book(book)) => self.following.get(&book.market),
            Event::Polymarket(PolymarketData::Market(market)) => self.following.get(&market.market),
            Event::Gap | Event::Lag | Event::Timer => Some(&self.everyone),
            // They change what the engine knows; strategies see that when something concerns them.
            Event::Trade { .. }
            | Event::Hermes(_)
            | Event::OnItsWay(_)
            | Event::Latch(_)
            | Event::LatchAbsent
            | Event::LatchUnreadable(_) => None,
        };
        Arc::clone(concerned.unwrap_or(&self.nobody))
    }

    /// Those on an instrument.
    pub(super) fn watching(&self, symbol: &Symbol) -> &[usize] {
        self.watching.get(symbol).unwrap_or(&self.nobody)
    }

    /// A market is described for the first time, or by other words: each of those that look at markets says whether it follows it. Gives
    /// whether any strategy trades it.
    pub(super) fn describe<'a>(&mut self, market: &Market, runner: impl Fn(usize) -> &'a dyn Runner) -> bool {
        let follows = |place: &usize| runner(*place).follows(market);
        let following: Vec<usize> = self.followers.iter().copied().filter(follows).collect();
        if following.is_empty() {
            self.forget(&market.market);
            return self.is_meant(market);
        }
        self.following.insert(market.market.clone(), following.into());
        true
    }

    fn is_meant(&self, market: &Market) -> bool {
        let selectors = names(&market.slug).filter_map(|name| self.meant.get(name)).flatten();
        selectors.into_iter().any(|selector| selector.start_of(market).is_some())
    }

    /// Forgets a market that is not known any more.
    pub(super) fn forget(&mut self, market: &MarketId) {
        self.following.remove(market);
    }
}

#[cfg(test)]
mod tests;
