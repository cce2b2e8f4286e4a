//! Who is asked about an event: only the strategies that it may concern, so that its cost does not grow with the number of instruments.

use std::sync::Arc;

use super::event::Event;
use super::markets::Markets;
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
    /// Those that follow a market which was described. A book of another one leads to nothing: it is not kept either.
    following: Map<MarketId, Places>,
}

impl Audience {
    pub(super) fn new<'a>(runners: impl Iterator<Item = &'a dyn Runner>) -> Self {
        let mut watching = Map::<Symbol, Vec<usize>>::default();
        let mut count = 0;
        for (place, runner) in runners.enumerate() {
            watching.entry(runner.key().1).or_default().push(place);
            count += 1;
        }
        Self {
            everyone: (0..count).collect(),
            nobody: Arc::new([]),
            watching: watching.into_iter().map(|(symbol, places)| (symbol, places.into())).collect(),
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
            Event::Trade { .. }
            | Event::Hermes(_)
            | Event::OnItsWay(_)
            | Event::Latch(_)
            | Event::LatchAbsent
            | Event::LatchUnreadable(_)
            | Event::Gap
            | Event::Lag
            | Event::Timer => Some(&self.everyone),
        };
        Arc::clone(concerned.unwrap_or(&self.nobody))
    }

    /// Those on an instrument.
    pub(super) fn watching(&self, symbol: &Symbol) -> &[usize] {
        self.watching.get(symbol).unwrap_or(&self.nobody)
    }

    /// A market is described for the first time, or by other words: each strategy says whether it follows it.
    pub(super) fn describe<'a>(&mut self, market: &Market, runners: impl Iterator<Item = &'a dyn Runner>) {
        let follows = |(place, runner): (usize, &dyn Runner)| runner.follows(market).then_some(place);
        self.following.insert(market.market.clone(), runners.enumerate().filter_map(follows).collect());
    }

    /// Forgets the markets that are not known any more.
    pub(super) fn forget(&mut self, markets: &Markets) {
        if self.following.len() > markets.len() {
            self.following.retain(|market, _| markets.market(market).is_some());
        }
    }
}

#[cfg(test)]
mod tests;
