//! Folding market data to the latest of each instrument, with what was lost counted.

use std::collections::BTreeMap;

use crate::bus::{Channel, CodecError, Delivery, decode};
use crate::domain::{Book, Market, MarketId, PolymarketData, Symbol, Tick, TokenId};
use crate::ui::model::sequence::{Place, Sequence};
use crate::ui::msg::MarketBatch;

/// Instruments of one kind that wait for one batch at most.
const INSTRUMENTS_MAX: usize = 1_024;

/// What has come since the last batch.
#[derive(Debug, Default)]
pub(super) struct Conflater {
    ticks: BTreeMap<Symbol, Tick>,
    books: BTreeMap<TokenId, Book>,
    markets: BTreeMap<MarketId, Market>,
    received: u64,
    lost: u64,
    excused: u64,
    unreadable: u64,
    error: Option<String>,
    resumed: bool,
    crypto: Sequence,
    polymarket: Sequence,
}

impl Conflater {
    /// Folds a delivery in.
    pub(super) fn fold(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Lagged(missed) => {
                self.lost = self.lost.saturating_add(missed);
                self.excused = self.excused.saturating_add(missed);
            }
            Delivery::Resumed => self.resumed = true,
            Delivery::Message { channel, payload } => {
                self.received = self.received.saturating_add(1);
                if let Err(error) = self.message(channel, &payload) {
                    self.unreadable = self.unreadable.saturating_add(1);
                    self.error = Some(format!("{channel}: {error}"));
                }
            }
        }
    }

    fn message(&mut self, channel: Channel, payload: &[u8]) -> Result<(), CodecError> {
        match channel {
            Channel::Crypto => {
                let envelope = decode::<Tick>(payload)?;
                let place = self.crypto.place(&envelope.source, &envelope.boot, envelope.seq);
                self.count(place);
                let tick = envelope.body;
                self.lost += latest(&mut self.ticks, tick.symbol.clone(), tick);
            }
            Channel::Polymarket => {
                let envelope = decode::<PolymarketData>(payload)?;
                let place = self.polymarket.place(&envelope.source, &envelope.boot, envelope.seq);
                self.count(place);
                self.lost += match envelope.body {
                    PolymarketData::Book(book) => latest(&mut self.books, book.token.clone(), book),
                    PolymarketData::Market(market) => latest(&mut self.markets, market.market.clone(), market),
                };
            }
            Channel::Weather | Channel::Kill => {}
        }
        Ok(())
    }

    /// A gap in the numbers; the part of it that the bus has reported as lost already is not counted again.
    fn count(&mut self, place: Place) {
        if let Place::Gap(missing) = place {
            let known = missing.min(self.excused);
            self.excused -= known;
            self.lost = self.lost.saturating_add(missing - known);
        }
    }

    /// Whether there is nothing to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.received == 0 && self.lost == 0 && !self.resumed
    }

    /// Everything since the last batch.
    pub(super) fn take(&mut self) -> MarketBatch {
        MarketBatch {
            ticks: std::mem::take(&mut self.ticks).into_values().collect(),
            books: std::mem::take(&mut self.books).into_values().collect(),
            markets: std::mem::take(&mut self.markets).into_values().collect(),
            received: std::mem::take(&mut self.received),
            lost: std::mem::take(&mut self.lost),
            unreadable: std::mem::take(&mut self.unreadable),
            error: self.error.take(),
            resumed: std::mem::take(&mut self.resumed),
        }
    }
}

/// Keeps the latest; 1 when there was no room for another instrument.
fn latest<K: Ord, V>(known: &mut BTreeMap<K, V>, key: K, value: V) -> u64 {
    if known.len() >= INSTRUMENTS_MAX && !known.contains_key(&key) {
        return 1;
    }
    known.insert(key, value);
    0
}
