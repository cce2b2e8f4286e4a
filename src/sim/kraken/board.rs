//! What the venue knows of its pairs, and the frames that tell of it. Pure: events and `now` in, text out.

use std::collections::VecDeque;
use std::fmt::Write as _;

use axum::extract::ws::Utf8Bytes;

use super::text::{Micros, Scaled, ratio};
use crate::domain::{Side, Timestamp};
use crate::sim::tape::{EventKind, Pair, Quote, Trade};

/// Decimals of a quantity on Kraken's wire.
const QTY_DECIMALS: u32 = 8;
/// How many trades the snapshot of `trade` holds.
const SNAPSHOT_TRADES: usize = 50;
/// The first trade id of a pair; from there they are consecutive.
const FIRST_TRADE_ID: u64 = 10_218_208;

/// Why a frame is sent, which decides who gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// Channel `trade`.
    Trade,
    /// Channel `ticker`, because of a trade, a change of the best prices, or both.
    Ticker { traded: bool, moved: bool },
}

/// A frame for every subscriber of its topic, serialised once.
#[derive(Clone, Debug)]
pub(super) struct Update {
    /// Counts up; a subscriber whose snapshot was taken later has it already.
    pub(super) seq: u64,
    pub(super) pair: usize,
    pub(super) topic: Topic,
    pub(super) text: Utf8Bytes,
}

/// One pair, counted since the simulator started.
#[derive(Debug)]
pub(super) struct PairBoard {
    pub(super) pair: Pair,
    pub(super) quote: Quote,
    pub(super) last: Trade,
    pub(super) open: i64,
    pub(super) low: i64,
    pub(super) high: i64,
    /// In units of quantity, and of price times quantity.
    pub(super) volume: i128,
    pub(super) turnover: i128,
    pub(super) trades: u64,
    /// When the last event happened.
    pub(super) at: Timestamp,
    quoted: bool,
    recent: VecDeque<String>,
}

impl PairBoard {
    const fn new(pair: Pair) -> Self {
        let quote = Quote { bid: 0, bid_qty: 0, ask: 0, ask_qty: 0 };
        let last = Trade { price: 0, qty: 0, side: Side::Buy };
        Self {
            pair,
            quote,
            last,
            open: 0,
            low: 0,
            high: 0,
            volume: 0,
            turnover: 0,
            trades: 0,
            at: Timestamp::from_micros(0),
            quoted: false,
            recent: VecDeque::new(),
        }
    }

    fn trade(&mut self, trade: Trade, now: Timestamp) {
        if self.trades == 0 {
            (self.open, self.low, self.high) = (trade.price, trade.price, trade.price);
        }
        self.low = self.low.min(trade.price);
        self.high = self.high.max(trade.price);
        self.volume = self.volume.saturating_add(i128::from(trade.qty));
        self.turnover = self.turnover.saturating_add(i128::from(trade.price) * i128::from(trade.qty));
        self.last = trade;
        let row = format!(
            r#"{{"symbol":"{}","side":"{}","price":{},"qty":{},"ord_type":"market","trade_id":{},"timestamp":"{}"}}"#,
            self.pair.symbol,
            trade.side,
            self.price(trade.price),
            self.qty(trade.qty.into()),
            FIRST_TRADE_ID + self.trades,
            Micros(now),
        );
        self.trades += 1;
        self.recent.push_back(row);
    }

    pub(super) fn price(&self, units: i64) -> Scaled {
        Scaled(units.into(), self.pair.price_decimals)
    }

    /// A quantity with the eight decimals that Kraken writes.
    pub(super) fn qty(&self, units: i128) -> Scaled {
        let missing = QTY_DECIMALS.saturating_sub(self.pair.qty_decimals);
        Scaled(units.saturating_mul(10_i128.pow(missing)), self.pair.qty_decimals + missing)
    }

    /// Volume-weighted average price with one decimal more than a price has.
    pub(super) fn vwap(&self) -> Scaled {
        let Scaled(tenths, _) = ratio(self.turnover, self.volume, 1);
        Scaled(tenths, self.pair.price_decimals + 1)
    }

    /// Whether there is anything to tell: a quote and a trade.
    pub(super) const fn is_ready(&self) -> bool {
        self.quoted && self.trades > 0
    }

    fn ticker(&self, kind: &str) -> Utf8Bytes {
        let change = i128::from(self.last.price) - i128::from(self.open);
        format!(
            concat!(
                r#"{{"channel":"ticker","type":"{}","data":[{{"symbol":"{}","bid":{},"bid_qty":{},"ask":{},"ask_qty":{},"#,
                r#""last":{},"volume":{},"vwap":{},"low":{},"high":{},"change":{},"change_pct":{},"timestamp":"{}"}}]}}"#
            ),
            kind,
            self.pair.symbol,
            self.price(self.quote.bid),
            self.qty(self.quote.bid_qty.into()),
            self.price(self.quote.ask),
            self.qty(self.quote.ask_qty.into()),
            self.price(self.last.price),
            self.qty(self.volume),
            self.vwap(),
            self.price(self.low),
            self.price(self.high),
            Scaled(change, self.pair.price_decimals),
            ratio(change * 100, self.open.into(), 2),
            Micros(self.at),
        )
        .into()
    }

    fn trades<'a>(kind: &str, rows: impl Iterator<Item = &'a String>) -> Utf8Bytes {
        let mut text = format!(r#"{{"channel":"trade","type":"{kind}","data":["#);
        for (index, row) in rows.enumerate() {
            let comma = if index == 0 { "" } else { "," };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}{row}");
        }
        text.push_str("]}");
        text.into()
    }
}

/// Every pair.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) pairs: Vec<PairBoard>,
    seq: u64,
}

impl Board {
    pub(super) fn new(pairs: &[Pair]) -> Self {
        Self { pairs: pairs.iter().cloned().map(PairBoard::new).collect(), seq: 0 }
    }

    /// The number of the newest update.
    pub(super) const fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn pair(&self, symbol: &str) -> Option<usize> {
        self.pairs.iter().position(|board| board.pair.symbol.as_str() == symbol)
    }

    /// What a new subscriber of `ticker` sees first.
    pub(super) fn ticker_snapshot(&self, pair: usize) -> Option<Utf8Bytes> {
        self.pairs.get(pair).filter(|board| board.is_ready()).map(|board| board.ticker("snapshot"))
    }

    /// The last trades, oldest first.
    pub(super) fn trade_snapshot(&self, pair: usize) -> Option<Utf8Bytes> {
        self.pairs.get(pair).map(|board| PairBoard::trades("snapshot", board.recent.iter()))
    }

    /// Takes in what happened at once: at most one frame a pair and channel comes of it.
    pub(super) fn apply(&mut self, events: &[(usize, EventKind)], now: Timestamp) -> Vec<Update> {
        let mut updates = Vec::new();
        for index in 0..self.pairs.len() {
            let Some(board) = self.pairs.get_mut(index) else { continue };
            let (before, was_ready) = (board.quote, board.is_ready());
            let trades_before = board.trades;
            for (_, kind) in events.iter().filter(|(pair, _)| *pair == index) {
                board.at = now;
                match kind {
                    EventKind::Quote(quote) => (board.quote, board.quoted) = (*quote, true),
                    EventKind::Trade(trade) => board.trade(*trade, now),
                }
            }
            let fresh = usize::try_from(board.trades - trades_before).unwrap_or(usize::MAX);
            let mut push = |topic, text| {
                self.seq += 1;
                updates.push(Update { seq: self.seq, pair: index, topic, text });
            };
            if fresh > 0 {
                let skip = board.recent.len().saturating_sub(fresh);
                push(Topic::Trade, PairBoard::trades("update", board.recent.iter().skip(skip)));
                board.recent.drain(..board.recent.len().saturating_sub(SNAPSHOT_TRADES));
            }
            let moved = (before.bid, before.ask) != (board.quote.bid, board.quote.ask) || !was_ready;
            if board.is_ready() && (fresh > 0 || moved) {
                push(Topic::Ticker { traded: fresh > 0, moved }, board.ticker("update"));
            }
        }
        updates
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::Symbol;

    pub(in crate::sim::kraken) fn pairs() -> Vec<Pair> {
        ["BTC/USD", "ETH/USD"]
            .map(|name| Pair { symbol: Symbol::new(name), price_decimals: 2, qty_decimals: 5 })
            .to_vec()
    }

    pub(in crate::sim::kraken) fn quote(bid: i64) -> EventKind {
        EventKind::Quote(Quote { bid, bid_qty: 242_385, ask: bid + 1, ask_qty: 264_517 })
    }

    pub(in crate::sim::kraken) fn trade(price: i64, qty: i64) -> EventKind {
        EventKind::Trade(Trade { price, qty, side: Side::Sell })
    }

    const NOW: Timestamp = Timestamp::from_micros(1_795_348_800_000_007);

    #[test]
    fn frames_hold_the_recorded_digits() {
        let mut board = Board::new(&pairs());
        let updates =
            board.apply(&[(0, quote(8_723_200)), (0, trade(8_723_200, 12)), (0, trade(8_723_201, 2_026))], NOW);
        let texts: Vec<&str> = updates.iter().map(|update| update.text.as_str()).collect();
        assert_eq!(
            texts[0],
            concat!(
                r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":87232.00,"#,
                r#""qty":0.00012000,"ord_type":"market","trade_id":10218208,"timestamp":"2026-11-22T12:00:00.000007Z"},"#,
                r#"{"symbol":"BTC/USD","side":"sell","price":87232.01,"qty":0.02026000,"ord_type":"market","#,
                r#""trade_id":10218209,"timestamp":"2026-11-22T12:00:00.000007Z"}]}"#
            )
        );
        assert_eq!(
            texts[1],
            concat!(
                r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":87232.00,"bid_qty":2.42385000,"#,
                r#""ask":87232.01,"ask_qty":2.64517000,"last":87232.01,"volume":0.02038000,"vwap":87232.010,"#,
                r#""low":87232.00,"high":87232.01,"change":0.01,"change_pct":0.00,"timestamp":"2026-11-22T12:00:00.000007Z"}]}"#
            )
        );
        assert_eq!(texts.len(), 2);
    }

    #[test]
    fn a_change_of_quantity_alone_is_not_told_and_a_trade_is_no_move() {
        let mut board = Board::new(&pairs());
        board.apply(&[(0, quote(100)), (0, trade(100, 1))], NOW);
        let EventKind::Quote(mut same) = quote(100) else { panic!("a quote") };
        same.bid_qty += 1;
        assert!(board.apply(&[(0, EventKind::Quote(same))], NOW).is_empty());
        let topics: Vec<Topic> = board.apply(&[(0, trade(101, 1))], NOW).iter().map(|update| update.topic).collect();
        assert_eq!(topics, [Topic::Trade, Topic::Ticker { traded: true, moved: false }]);
        let topics: Vec<Topic> = board.apply(&[(0, quote(102))], NOW).iter().map(|update| update.topic).collect();
        assert_eq!(topics, [Topic::Ticker { traded: false, moved: true }]);
    }

    #[test]
    fn the_trade_snapshot_holds_the_last_fifty() {
        let mut board = Board::new(&pairs());
        for price in 1..=120 {
            board.apply(&[(1, trade(price, 1))], NOW);
        }
        let snapshot: serde_json::Value =
            serde_json::from_str(board.trade_snapshot(1).expect("a pair").as_str()).expect("JSON");
        let rows = snapshot["data"].as_array().expect("rows");
        assert_eq!(rows.len(), 50);
        assert_eq!(rows[49]["trade_id"], FIRST_TRADE_ID + 119);
        assert!(board.ticker_snapshot(1).is_none(), "no quote yet");
    }
}
