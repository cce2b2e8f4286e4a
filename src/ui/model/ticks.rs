//! Crypto prices: the latest of each symbol with its short history.

use rust_decimal::Decimal;

use crate::domain::{Price, Symbol, Tick, Timestamp};
use crate::ui::format;
use crate::ui::model::series::{Recent, millionths};

/// Most symbols shown.
const SYMBOLS_MAX: usize = 128;
/// Most decimals shown of a crypto price.
const DECIMALS_MAX: u32 = 8;

/// One symbol.
#[derive(Clone, Debug)]
pub(crate) struct TickRow {
    /// Which.
    pub(crate) symbol: Symbol,
    /// Last price as text, in the venue's own decimals.
    pub(crate) last: String,
    /// Change since the cockpit was attached, relative.
    pub(crate) change: Decimal,
    /// That as text.
    pub(crate) change_text: String,
    /// One price a second.
    pub(crate) recent: Recent,
    /// When its last tick came here.
    pub(crate) seen_at: Timestamp,
    /// The last tick itself.
    pub(crate) tick: Tick,
    first: Price,
    decimals: u32,
}

/// Every symbol, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ticks {
    rows: Vec<TickRow>,
}

impl Ticks {
    /// All symbols, by name.
    pub(crate) fn rows(&self) -> &[TickRow] {
        &self.rows
    }

    /// Takes a tick in. False when there is no room for another symbol.
    pub(crate) fn apply(&mut self, tick: Tick, now: Timestamp) -> bool {
        match self.rows.binary_search_by(|row| row.symbol.cmp(&tick.symbol)) {
            Ok(index) => self.rows[index].apply(tick, now),
            Err(_) if self.rows.len() >= SYMBOLS_MAX => return false,
            Err(index) => self.rows.insert(index, TickRow::new(tick, now)),
        }
        true
    }

    /// When the newest tick of any symbol came here.
    pub(crate) fn newest(&self) -> Option<Timestamp> {
        self.rows.iter().map(|row| row.seen_at).max()
    }
}

impl TickRow {
    fn new(tick: Tick, now: Timestamp) -> Self {
        let mut row = Self {
            symbol: tick.symbol.clone(),
            last: String::new(),
            change: Decimal::ZERO,
            change_text: String::new(),
            recent: Recent::default(),
            seen_at: now,
            first: tick.last(),
            decimals: 0,
            tick: tick.clone(),
        };
        row.apply(tick, now);
        row
    }

    fn apply(&mut self, tick: Tick, now: Timestamp) {
        let last = tick.last();
        self.decimals = self.decimals.max(last.0.normalize().scale().min(DECIMALS_MAX));
        self.last = format::price(last, self.decimals);
        self.change = (last.0.saturating_sub(self.first.0)).checked_div(self.first.0).unwrap_or_default();
        self.change_text = format!("{} {}", format::arrow(self.change), format::percent(self.change, 3));
        self.recent.push(millionths(last.0), now);
        self.seen_at = now;
        self.tick = tick;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Side, Size, TickKind};

    fn tick(symbol: &str, price: &str) -> Tick {
        let kind = TickKind::Trade {
            price: price.parse().expect("a price"),
            qty: Size(Decimal::ONE),
            side: Side::Buy,
            trade_id: 1,
        };
        Tick { symbol: symbol.into(), kind, event_at: Timestamp::default(), received_at: Timestamp::default() }
    }

    #[test]
    fn decimals_are_the_venues_and_do_not_jump() {
        let mut ticks = Ticks::default();
        for (symbol, price) in [("SHIB/USD", "0.00000842"), ("BTC/USD", "86123.5"), ("BTC/USD", "86124.00000")] {
            assert!(ticks.apply(tick(symbol, price), Timestamp::from_secs(1)));
        }
        let shown: Vec<_> = ticks.rows().iter().map(|row| (row.symbol.as_str(), row.last.as_str())).collect();
        assert_eq!(shown, [("BTC/USD", "86124.0"), ("SHIB/USD", "0.00000842")]);
        assert_eq!(ticks.rows()[0].change_text, "▲ +0.001%");
    }

    #[test]
    fn a_zero_price_does_not_divide() {
        let mut ticks = Ticks::default();
        ticks.apply(tick("X/USD", "0"), Timestamp::from_secs(1));
        ticks.apply(tick("X/USD", "5"), Timestamp::from_secs(2));
        assert_eq!(ticks.rows()[0].change, Decimal::ZERO);
    }

    #[test]
    fn the_number_of_symbols_is_bounded() {
        let mut ticks = Ticks::default();
        let taken =
            (0..1_000).filter(|index| ticks.apply(tick(&format!("S{index}"), "1"), Timestamp::default())).count();
        assert_eq!(taken, SYMBOLS_MAX);
    }
}
