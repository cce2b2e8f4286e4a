//! A CSV of one's own as tape: `time,symbol,price[,qty,side]`, one trade a row, in the order of time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Event, EventKind, Pair, Quote, Recording, Trade};
use crate::domain::{Side, Symbol};

const HEADERS: [&str; 2] = ["time,symbol,price", "time,symbol,price,qty,side"];
/// Fewest decimals of a price, so that a spread of one unit stays small.
const PRICE_DECIMALS: u32 = 2;
const QTY_DECIMALS: u32 = 8;
/// Most decimals that a price may have: beyond that a large price no longer fits.
const MAX_DECIMALS: u32 = 8;
/// Quantity of a trade whose row has none.
const DEFAULT_QTY: Decimal = rust_decimal::dec!(0.01);
/// Unix times from here on are milliseconds: as seconds they would lie beyond the year 5000.
const FIRST_MILLIS: i64 = 100_000_000_000;
/// Most pairs in one file.
const MAX_PAIRS: usize = 64;

/// Why a history file cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// The file cannot be read.
    #[error("history file {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A value is wrong.
    #[error("history line {line}, column {column}: '{value}' is not {expected}")]
    Value {
        /// Counted from 1, the header included.
        line: usize,
        /// Column name, `header` or `row`.
        column: &'static str,
        /// What was found, clipped.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// It names too many pairs.
    #[error("history has {count} pairs; at most {MAX_PAIRS} can be played")]
    Pairs {
        /// How many.
        count: usize,
    },
    /// It lacks what the simulated markets need.
    #[error("history has no {what}")]
    Lacks {
        /// What is missing.
        what: &'static str,
    },
}

pub(super) fn read(path: &Path) -> Result<Recording, HistoryError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| HistoryError::Unreadable { path: path.to_owned(), reason: error.to_string() })?;
    parse(&text)
}

struct Row {
    at_ms: i64,
    symbol: String,
    price: Decimal,
    qty: Decimal,
    side: Option<Side>,
}

fn parse(text: &str) -> Result<Recording, HistoryError> {
    let mut lines = text.trim_start_matches('\u{feff}').lines().zip(1_usize..);
    let header = lines.next().map(|(header, _)| header.trim()).unwrap_or_default();
    if !HEADERS.contains(&header) {
        let expected = "the header 'time,symbol,price' or 'time,symbol,price,qty,side'";
        return Err(wrong(1, "header", header, expected));
    }
    let columns = header.split(',').count();
    let mut rows: Vec<Row> = Vec::new();
    for (text, line) in lines.filter(|(text, _)| !text.trim().is_empty()) {
        let row = row(text, line, columns)?;
        if rows.last().is_some_and(|last| last.at_ms > row.at_ms) {
            let time = text.split(',').next().unwrap_or_default();
            return Err(wrong(line, "time", time, "at or after the time of the row above; sort the file by time"));
        }
        rows.push(row);
    }
    assemble(&rows)
}

fn wrong(line: usize, column: &'static str, value: &str, expected: &'static str) -> HistoryError {
    HistoryError::Value { line, column, value: value.chars().take(80).collect(), expected }
}

fn row(text: &str, line: usize, columns: usize) -> Result<Row, HistoryError> {
    let fields: Vec<&str> = text.split(',').map(str::trim).collect();
    if fields.len() != columns {
        return Err(wrong(line, "row", text, "a row with as many columns as the header"));
    }
    let symbol_is_right = fields[1].split_once('/').is_some_and(|(base, quote)| {
        let is_code = |code: &str| {
            !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        };
        is_code(base) && is_code(quote)
    });
    if !symbol_is_right {
        return Err(wrong(line, "symbol", fields[1], "a pair such as BTC/USD"));
    }
    let price = positive(fields[2])
        .filter(|price| price.scale() <= MAX_DECIMALS && units(*price, MAX_DECIMALS).is_some())
        .ok_or_else(|| wrong(line, "price", fields[2], "a price above 0 with at most 8 decimals"))?;
    let qty = match fields.get(3) {
        None => DEFAULT_QTY,
        Some(qty) => positive(qty)
            .filter(|qty| qty.scale() <= QTY_DECIMALS && units(*qty, QTY_DECIMALS).is_some())
            .ok_or_else(|| wrong(line, "qty", qty, "a quantity above 0 with at most 8 decimals"))?,
    };
    let side = match fields.get(4) {
        None => None,
        Some(&"buy") => Some(Side::Buy),
        Some(&"sell") => Some(Side::Sell),
        Some(other) => return Err(wrong(line, "side", other, "buy or sell, the side of the taker")),
    };
    let at_ms = millis(fields[0]).ok_or_else(|| {
        wrong(line, "time", fields[0], "a time such as 2025-03-25T23:07:00.5Z, or Unix seconds or milliseconds")
    })?;
    Ok(Row { at_ms, symbol: fields[1].to_owned(), price, qty, side })
}

fn positive(text: &str) -> Option<Decimal> {
    Decimal::from_str_exact(text).ok().map(|value| value.normalize()).filter(|value| *value > Decimal::ZERO)
}

fn units(value: Decimal, decimals: u32) -> Option<i64> {
    value.checked_mul(Decimal::from(10_i64.pow(decimals)))?.to_i64()
}

fn millis(text: &str) -> Option<i64> {
    if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
        return i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok();
    }
    let number = Decimal::from_str_exact(text).ok().filter(|number| *number >= Decimal::ZERO)?;
    if number >= Decimal::from(FIRST_MILLIS) { number.to_i64() } else { (number * Decimal::ONE_THOUSAND).to_i64() }
}

fn assemble(rows: &[Row]) -> Result<Recording, HistoryError> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Err(HistoryError::Lacks { what: "rows" });
    };
    let mut index: HashMap<&str, usize> = HashMap::new();
    let mut pairs: Vec<Pair> = Vec::new();
    for row in rows {
        let at = *index.entry(&row.symbol).or_insert_with(|| {
            pairs.push(Pair {
                symbol: Symbol::new(&row.symbol),
                price_decimals: PRICE_DECIMALS,
                qty_decimals: QTY_DECIMALS,
            });
            pairs.len() - 1
        });
        pairs[at].price_decimals = pairs[at].price_decimals.max(row.price.scale());
    }
    if pairs.len() > MAX_PAIRS {
        return Err(HistoryError::Pairs { count: pairs.len() });
    }
    let mut events = Vec::with_capacity(rows.len() * 2);
    let mut before: Vec<Option<i64>> = vec![None; pairs.len()];
    for row in rows {
        let pair = index[row.symbol.as_str()];
        // Checked row by row, so neither can fail here; a zero would only be played as the smallest price.
        let price = units(row.price, pairs[pair].price_decimals).unwrap_or_default();
        let qty = units(row.qty, QTY_DECIMALS).unwrap_or_default();
        let fell = before[pair].is_some_and(|before| price < before);
        let side = row.side.unwrap_or(if fell { Side::Sell } else { Side::Buy });
        before[pair] = Some(price);
        let at_ms = u64::try_from(row.at_ms - first.at_ms).unwrap_or_default();
        let quote = Quote { bid: price, bid_qty: qty, ask: price.saturating_add(1), ask_qty: qty };
        events.push(Event { at_ms, pair, kind: EventKind::Quote(quote) });
        events.push(Event { at_ms, pair, kind: EventKind::Trade(Trade { price, qty, side }) });
    }
    let span = u64::try_from(last.at_ms - first.at_ms).unwrap_or_default();
    // The pause before the next pass is an average gap between rows, and at least a second.
    let pause = (span / rows.len() as u64).max(1_000);
    Ok(Recording { pairs, events, start_ms: 0, length_ms: span + pause })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(text).expect_err("must be refused").to_string()
    }

    #[test]
    fn the_three_forms_of_time_mean_the_same() {
        let csv = "time,symbol,price\n2025-03-25T23:07:00.5Z,BTC/USD,87232.01\n1742944021,BTC/USD,87232.1\n1742944022000,BTC/USD,87230\n";
        let recording = parse(csv).expect("reads");
        let times: Vec<u64> = recording.events.iter().step_by(2).map(|event| event.at_ms).collect();
        assert_eq!(times, [0, 500, 1_500]);
        let EventKind::Trade(trade) = recording.events[5].kind else { panic!("a trade") };
        assert_eq!((trade.price, trade.qty, trade.side), (8_723_000, 1_000_000, Side::Sell));
        assert_eq!(recording.length_ms, 2_500);
    }

    #[test]
    fn quantity_and_side_are_taken_when_given() {
        let csv = "time,symbol,price,qty,side\n1,ETH/USD,2059.123,0.5,sell\n";
        let recording = parse(csv).expect("reads");
        assert_eq!(recording.pairs[0].price_decimals, 3);
        assert_eq!(
            recording.events[1].kind,
            EventKind::Trade(Trade { price: 2_059_123, qty: 50_000_000, side: Side::Sell })
        );
    }

    #[test]
    fn errors_name_line_column_value_and_what_is_right() {
        assert_eq!(
            refused("time,symbol,price\n1,BTC/USD,8x\n"),
            "history line 2, column price: '8x' is not a price above 0 with at most 8 decimals"
        );
        assert_eq!(
            refused("time,symbol,price\n1,BTC/USD,1\nyesterday,BTC/USD,1\n"),
            "history line 3, column time: 'yesterday' is not a time such as 2025-03-25T23:07:00.5Z, or Unix seconds or milliseconds"
        );
        assert!(refused("when,what\n").starts_with("history line 1, column header: 'when,what' is not the header"));
        assert!(
            refused("time,symbol,price\n1,XBTUSD,1\n")
                .contains("column symbol: 'XBTUSD' is not a pair such as BTC/USD")
        );
        assert!(refused("time,symbol,price\n1,BTC/USD\n").contains("column row"));
        assert!(refused("time,symbol,price\n1,BTC/USD,0\n").contains("column price"));
        assert!(refused("time,symbol,price\n2,BTC/USD,1\n1,BTC/USD,1\n").contains("sort the file by time"));
        assert!(refused("time,symbol,price,qty,side\n1,BTC/USD,1,1,long\n").contains("column side: 'long'"));
        assert!(refused("time,symbol,price,qty,side\n1,BTC/USD,1,-1,buy\n").contains("column qty: '-1'"));
        assert_eq!(refused("time,symbol,price\n"), "history has no rows");
        let many = (0..65).map(|pair| format!("1,C{pair}/USD,1")).collect::<Vec<_>>().join("\n");
        assert_eq!(refused(&format!("time,symbol,price\n{many}")), "history has 65 pairs; at most 64 can be played");
        assert!(refused("time,symbol,price\n1,BTC/USD,79228162514264337593543950335\n").contains("column price"));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = read(Path::new("/nonexistent/tape.csv")).expect_err("must be refused").to_string();
        assert!(error.starts_with("history file /nonexistent/tape.csv: "), "{error}");
    }
}
