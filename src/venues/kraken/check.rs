//! Whether a row's values can be true. What cannot is refused before anybody decides on it.

use std::time::Duration;

use rust_decimal::Decimal;

use super::frame::{Ticker, Trade};
use crate::domain::{Price, Size, Timestamp};
use crate::venues::strict::Refusal;

/// How far ahead of our clock the venue's may be.
const FUTURE: Duration = Duration::from_mins(1);
/// 2011-07-01, when the venue was founded: an older time is in the wrong unit or a fill value.
const FOUNDED: Timestamp = Timestamp::from_secs(1_309_478_400);

/// Judges a ticker row.
///
/// # Errors
/// [`Refusal`] naming the first field that cannot be true.
pub fn ticker(row: &Ticker<'_>, now: Timestamp) -> Result<(), Refusal> {
    positive("bid", row.bid)?;
    positive("ask", row.ask)?;
    positive("last", row.last)?;
    not_negative("bid_qty", row.bid_qty)?;
    not_negative("ask_qty", row.ask_qty)?;
    if row.bid > row.ask {
        return Err(Refusal::new("bid", format!("{} is above the ask {}", row.bid, row.ask)));
    }
    row.at.map_or(Ok(()), |at| plausible(at, now))
}

/// Judges a trade row.
///
/// # Errors
/// [`Refusal`] naming the first field that cannot be true.
pub fn trade(row: &Trade<'_>, now: Timestamp) -> Result<(), Refusal> {
    positive("price", row.price)?;
    if row.qty.decimal() <= Decimal::ZERO {
        return Err(Refusal::new("qty", format!("{} is not above 0", row.qty)));
    }
    plausible(row.at, now)
}

fn positive(field: &'static str, price: Price) -> Result<(), Refusal> {
    if price.decimal() > Decimal::ZERO {
        return Ok(());
    }
    Err(Refusal::new(field, format!("{price} is not above 0")))
}

fn not_negative(field: &'static str, qty: Size) -> Result<(), Refusal> {
    if qty.decimal() >= Decimal::ZERO {
        return Ok(());
    }
    Err(Refusal::new(field, format!("{qty} is below 0")))
}

fn plausible(at: Timestamp, now: Timestamp) -> Result<(), Refusal> {
    if at < FOUNDED || at > now.plus(FUTURE) {
        let reason = format!("{at} is not between {FOUNDED} and a minute after {now}");
        return Err(Refusal::new("timestamp", reason));
    }
    Ok(())
}
