//! What a strategy watches, and what it trades on it.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use super::Symbol;

/// A symbol that is watched and the market that is traded on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// What is watched: a pair, or a station.
    pub symbol: Symbol,
    /// A slug, a slug with the one outcome that is traded such as `will-btc-reach-100k#Yes`, a rolling pattern such as
    /// `btc-updown-5m-{start}`, or a daily event such as `highest-temperature-in-nyc-on-{date}`.
    pub market: String,
}

impl Instrument {
    /// The outcome of its market that alone is traded, if one is named.
    #[must_use]
    pub fn outcome(&self) -> Option<&str> {
        split_outcome(&self.market).1
    }
}

/// What stands before the `#` of what a strategy trades, and the outcome behind it.
#[must_use]
pub fn split_outcome(market: &str) -> (&str, Option<&str>) {
    market.split_once('#').map_or((market, None), |(slug, outcome)| (slug, Some(outcome)))
}

impl fmt::Display for Instrument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.symbol, self.market)
    }
}

/// The pairs of a strategy: at least one, each once. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruments(Arc<[Instrument]>);

impl Instruments {
    /// These instruments; nothing when there is none, or one symbol comes twice.
    #[must_use]
    pub fn new(instruments: Vec<Instrument>) -> Option<Self> {
        let mut seen = HashSet::new();
        let once = instruments.iter().all(|instrument| seen.insert(&instrument.symbol));
        (once && !instruments.is_empty()).then(|| Self(instruments.into()))
    }

    /// Of one pair.
    #[must_use]
    pub fn one(symbol: &str, market: &str) -> Self {
        Self(Arc::new([Instrument { symbol: Symbol::new(symbol), market: market.to_owned() }]))
    }

    /// From text such as `BTC/USD btc-updown-5m-{start}, ETH/USD eth-updown-5m-{start}`. Whether pairs and markets are well formed is not
    /// looked at.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let instrument = |item: &str| {
            let (symbol, market) = item.trim().split_once(' ')?;
            Some(Instrument { symbol: Symbol::new(symbol), market: market.to_owned() })
        };
        Self::new(text.split(',').map(instrument).collect::<Option<_>>()?)
    }

    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Instrument> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Instruments {
    type Item = &'a Instrument;
    type IntoIter = std::slice::Iter<'a, Instrument>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Instruments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, instrument) in self.iter().enumerate() {
            let gap = if index == 0 { "" } else { ", " };
            write!(f, "{gap}{instrument}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let text = "BTC/USD btc-updown-5m-{start}, ETH/USD who-wins#New York Knicks";
        let read = Instruments::parse(text).expect("two");
        assert_eq!((read.iter().count(), read.to_string().as_str()), (2, text));
        let outcomes: Vec<_> = read.iter().map(Instrument::outcome).collect();
        assert_eq!(outcomes, [None, Some("New York Knicks")]);
        assert_eq!(
            Instruments::parse("BTC/USD btc-updown-5m-{start}"),
            Some(Instruments::one("BTC/USD", "btc-updown-5m-{start}"))
        );
    }

    #[test]
    fn none_and_the_same_twice_are_refused() {
        for wrong in ["", "BTC/USD", "BTC/USD a, ", "BTC/USD a, ETH/USD b, BTC/USD c"] {
            assert_eq!(Instruments::parse(wrong), None, "{wrong}");
        }
    }
}
