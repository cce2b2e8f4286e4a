//! The compact form of a recording: varints, and for each event only what changed since the pair's last one.
//!
//! Layout: `CKTAPE1`, pairs (name, price decimals, quantity decimals), length in ms, number of events, events. An event is a
//! head byte, the ms since the event before it, and its numbers as zigzag differences (quantities of trades as they are).
//! Head: bits 0-2 pair; bit 3 trade; of a trade bit 4 = sell; of a quote bits 4-7 = bid, bid quantity, ask, ask quantity
//! changed.

use super::{Event, EventKind, Pair, Quote, Recording, TapeError, Trade};
use crate::domain::{Side, Symbol};

const MAGIC: &[u8] = b"CKTAPE1";
const TRADE: u8 = 1 << 3;
const SELL: u8 = 1 << 4;
const CHANGED: [u8; 4] = [1 << 4, 1 << 5, 1 << 6, 1 << 7];
const PAIR_MASK: u8 = 0b111;

/// What the next event of a pair is a difference to.
#[derive(Clone, Copy, Default)]
struct Last {
    quote: [i64; 4],
    trade: i64,
}

pub(super) fn decode(bytes: &[u8]) -> Result<Recording, TapeError> {
    let mut reader = Reader { bytes, at: 0 };
    if reader.take(MAGIC.len())? != MAGIC {
        return Err(TapeError { at: 0, what: "it does not begin with CKTAPE1" });
    }
    let pairs = (0..reader.varint()?).map(|_| reader.pair()).collect::<Result<Vec<_>, _>>()?;
    let length_ms = reader.varint()?;
    let count = reader.varint()?;
    let mut last = vec![Last::default(); pairs.len()];
    let mut events = Vec::new();
    let mut at_ms = 0_u64;
    for _ in 0..count {
        let head = reader.byte()?;
        at_ms = at_ms.saturating_add(reader.varint()?);
        let pair = usize::from(head & PAIR_MASK);
        let last = last.get_mut(pair).ok_or(TapeError { at: reader.at, what: "no such pair" })?;
        let kind = reader.event(head, last)?;
        events.push(Event { at_ms, pair, kind });
    }
    if reader.at != bytes.len() || length_ms <= at_ms {
        return Err(TapeError { at: reader.at, what: "its end is not where its head says" });
    }
    Ok(Recording { pairs, events, start_ms: 0, length_ms })
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], TapeError> {
        let end = self.at.saturating_add(count);
        let taken = self.bytes.get(self.at..end).ok_or(TapeError { at: self.at, what: "it ends too early" })?;
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, TapeError> {
        Ok(self.take(1)?[0])
    }

    fn varint(&mut self) -> Result<u64, TapeError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(TapeError { at: self.at, what: "a number is too long" })
    }

    fn difference(&mut self) -> Result<i64, TapeError> {
        let zigzag = self.varint()?;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    fn pair(&mut self) -> Result<Pair, TapeError> {
        let length = usize::from(self.byte()?);
        let at = self.at;
        let name =
            std::str::from_utf8(self.take(length)?).map_err(|_| TapeError { at, what: "a name is not UTF-8" })?;
        Ok(Pair {
            symbol: Symbol::new(name),
            price_decimals: u32::from(self.byte()?),
            qty_decimals: u32::from(self.byte()?),
        })
    }

    fn event(&mut self, head: u8, last: &mut Last) -> Result<EventKind, TapeError> {
        if head & TRADE != 0 {
            last.trade = last.trade.wrapping_add(self.difference()?);
            let qty = self.varint()?.cast_signed();
            let side = if head & SELL == 0 { Side::Buy } else { Side::Sell };
            return Ok(EventKind::Trade(Trade { price: last.trade, qty, side }));
        }
        for (value, changed) in last.quote.iter_mut().zip(CHANGED) {
            if head & changed != 0 {
                *value = value.wrapping_add(self.difference()?);
            }
        }
        let [bid, bid_qty, ask, ask_qty] = last.quote;
        Ok(EventKind::Quote(Quote { bid, bid_qty, ask, ask_qty }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn put_varint(out: &mut Vec<u8>, mut value: u64) {
        while value >= 0x80 {
            out.push(u8::try_from(value & 0x7f).expect("seven bits") | 0x80);
            value >>= 7;
        }
        out.push(u8::try_from(value).expect("seven bits"));
    }

    fn put_difference(out: &mut Vec<u8>, value: i64) {
        put_varint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    fn encode(recording: &Recording) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        put_varint(&mut out, recording.pairs.len() as u64);
        for pair in &recording.pairs {
            out.push(u8::try_from(pair.symbol.as_str().len()).expect("a short name"));
            out.extend_from_slice(pair.symbol.as_str().as_bytes());
            out.push(u8::try_from(pair.price_decimals).expect("few decimals"));
            out.push(u8::try_from(pair.qty_decimals).expect("few decimals"));
        }
        put_varint(&mut out, recording.length_ms);
        put_varint(&mut out, recording.events.len() as u64);
        let mut last = vec![Last::default(); recording.pairs.len()];
        let mut at_ms = 0;
        for event in &recording.events {
            put_event(&mut out, event, event.at_ms - at_ms, &mut last[event.pair]);
            at_ms = event.at_ms;
        }
        out
    }

    fn put_event(out: &mut Vec<u8>, event: &Event, gap: u64, last: &mut Last) {
        let pair = u8::try_from(event.pair).expect("at most 8 pairs");
        match event.kind {
            EventKind::Trade(trade) => {
                out.push(pair | TRADE | if trade.side == Side::Sell { SELL } else { 0 });
                put_varint(out, gap);
                put_difference(out, trade.price - last.trade);
                put_varint(out, trade.qty.cast_unsigned());
                last.trade = trade.price;
            }
            EventKind::Quote(quote) => {
                let now = [quote.bid, quote.bid_qty, quote.ask, quote.ask_qty];
                let mask = (0..4).filter(|&i| now[i] != last.quote[i]).fold(0, |mask, i| mask | CHANGED[i]);
                out.push(pair | mask);
                put_varint(out, gap);
                (0..4).filter(|&i| now[i] != last.quote[i]).for_each(|i| put_difference(out, now[i] - last.quote[i]));
                last.quote = now;
            }
        }
    }

    const SPECS: [(&str, u32, u32); 3] = [("BTC/USD", 2, 5), ("ETH/USD", 2, 4), ("SOL/USD", 2, 3)];

    fn scaled(number: &Value, decimals: u32) -> i64 {
        let text = number.as_str().map_or_else(|| number.to_string(), ToOwned::to_owned);
        let value: rust_decimal::Decimal = text.parse().expect("a decimal");
        let units = value * rust_decimal::Decimal::from(10_i64.pow(decimals));
        assert!(units.fract().is_zero(), "{text} has more than {decimals} decimals");
        i64::try_from(units).expect("fits")
    }

    /// Reads the recording as its authors published it: one JSON object a line.
    fn original(lines: &str) -> Recording {
        let mut events = Vec::new();
        for line in lines.lines() {
            let item = &serde_json::from_str::<Value>(line).expect("JSON")["Item"];
            let received = item["time_received"].as_str().expect("a time");
            let at =
                time::OffsetDateTime::parse(received, &time::format_description::well_known::Rfc3339).expect("time");
            let pair = usize::try_from(item["instrument"].as_u64().expect("an index")).expect("fits");
            let (_, price_decimals, qty_decimals) = SPECS[pair];
            let kind = if let Some(quote) = item["kind"].get("OrderBookL1") {
                EventKind::Quote(Quote {
                    bid: scaled(&quote["best_bid"]["price"], price_decimals),
                    bid_qty: scaled(&quote["best_bid"]["amount"], qty_decimals),
                    ask: scaled(&quote["best_ask"]["price"], price_decimals),
                    ask_qty: scaled(&quote["best_ask"]["amount"], qty_decimals),
                })
            } else {
                let trade = &item["kind"]["Trade"];
                EventKind::Trade(Trade {
                    price: scaled(&trade["price"], price_decimals),
                    qty: scaled(&trade["amount"], qty_decimals),
                    side: if trade["side"] == "Buy" { Side::Buy } else { Side::Sell },
                })
            };
            events.push((at, Event { at_ms: 0, pair, kind }));
        }
        events.sort_by_key(|(at, _)| *at);
        let first = events[0].0;
        let events: Vec<Event> = events
            .into_iter()
            .map(|(at, event)| Event {
                at_ms: u64::try_from((at - first).whole_milliseconds()).expect("fits"),
                ..event
            })
            .collect();
        let length_ms = events.last().expect("events").at_ms + 100;
        let pairs = SPECS.map(|(name, price_decimals, qty_decimals)| Pair {
            symbol: Symbol::new(name),
            price_decimals,
            qty_decimals,
        });
        Recording { pairs: pairs.to_vec(), events, start_ms: 0, length_ms }
    }

    /// Proves that the embedded tape is the published recording. With `COCKPIT_WRITE_TAPE` set it writes the tape there:
    /// that is how the embedded file was made.
    #[test]
    fn the_embedded_tape_is_the_published_recording() {
        let packed = "history/binance_spot_l1_trades_btc_eth_sol_20250325.jsonl.xz";
        let Some(lines) = crate::fixtures::unpacked(packed) else { return };
        let recording = original(&lines);
        let bytes = encode(&recording);
        if let Some(path) = std::env::var_os("COCKPIT_WRITE_TAPE") {
            std::fs::write(path, &bytes).expect("writes the tape");
        } else {
            assert!(bytes == super::super::EMBEDDED, "the embedded tape differs from the recording");
        }
        assert!(bytes.len() < 500_000, "{} bytes", bytes.len());
        assert!(decode(&bytes).expect("decodes") == recording);
    }

    #[test]
    fn the_embedded_tape_reads_and_moves_soon_after_its_start() {
        let recording = Recording::embedded().expect("reads");
        assert_eq!(recording.events.len(), 50_000);
        let bids: Vec<i64> = recording
            .events
            .iter()
            .filter(|event| event.pair == 0 && (40_000..60_000).contains(&event.at_ms))
            .filter_map(|event| match event.kind {
                EventKind::Quote(quote) => Some(quote.bid),
                EventKind::Trade(_) => None,
            })
            .collect();
        let (low, high) = (bids.iter().min().expect("quotes"), bids.iter().max().expect("quotes"));
        assert!(high - low > 2_000, "more than 20 USD within 20 s, not {low} to {high}");
    }

    fn any_event() -> impl Strategy<Value = (u64, usize, EventKind)> {
        let qty = 0_i64..1_000_000_000;
        let quote = (1_i64..10_000_000, qty.clone(), 1_i64..10_000_000, qty.clone())
            .prop_map(|(bid, bid_qty, ask, ask_qty)| EventKind::Quote(Quote { bid, bid_qty, ask, ask_qty }));
        let trade = (1_i64..10_000_000, qty, any::<bool>()).prop_map(|(price, qty, sell)| {
            EventKind::Trade(Trade { price, qty, side: if sell { Side::Sell } else { Side::Buy } })
        });
        (0_u64..100_000, 0_usize..3, prop_oneof![quote, trade])
    }

    proptest! {
        #[test]
        fn what_is_encoded_comes_back(gaps in prop::collection::vec(any_event(), 0..60)) {
            let mut at_ms = 0;
            let events: Vec<Event> = gaps
                .into_iter()
                .map(|(gap, pair, kind)| {
                    at_ms += gap;
                    Event { at_ms, pair, kind }
                })
                .collect();
            let pairs = SPECS.map(|(name, price_decimals, qty_decimals)| Pair {
                symbol: Symbol::new(name), price_decimals, qty_decimals,
            });
            let recording = Recording { pairs: pairs.to_vec(), events, start_ms: 0, length_ms: at_ms + 1 };
            let bytes = encode(&recording);
            prop_assert_eq!(decode(&bytes).expect("decodes"), recording);
            for cut in 0..bytes.len() {
                prop_assert!(decode(&bytes[..cut]).is_err());
            }
        }

        #[test]
        fn garbage_is_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut tape = MAGIC.to_vec();
            tape.extend_from_slice(&bytes);
            let _ = decode(&tape); // either answer is right: only a panic would be wrong
            prop_assert!(decode(&bytes).is_err());
        }
    }
}
