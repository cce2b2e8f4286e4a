//! One text frame of the market channel: an object, an array of objects, or plain text.

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::{Level, MarketId, Price, Side, Size, Timestamp, TokenId};
use crate::venues::strict::{Refusal, array, decimal_text, millis, number_or_text, object, quote, text};

/// What one object of a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarketEvent {
    /// A token's whole book.
    Book {
        /// Its market.
        market: MarketId,
        /// The token.
        token: TokenId,
        /// Buyers, in no promised order.
        bids: Vec<Level>,
        /// Sellers, in no promised order.
        asks: Vec<Level>,
        /// When it was so.
        at: Timestamp,
    },
    /// Levels that changed, perhaps of several tokens.
    Changes {
        /// Their market.
        market: MarketId,
        /// The new levels, to be applied in order.
        changes: Vec<Change>,
        /// When.
        at: Timestamp,
    },
    /// The price grid changed.
    TickSize {
        /// The token.
        token: TokenId,
        /// The new grid.
        tick_size: Price,
    },
    /// Something that we do not follow, such as the last trade's price.
    Other(String),
}

/// A level's new size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The token.
    pub token: TokenId,
    /// Which side of its book.
    pub side: Side,
    /// The level; a size of zero removes it.
    pub level: Level,
}

/// An object that is refused while its neighbours go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadEvent {
    /// Why.
    pub refusal: Refusal,
    /// The object as received.
    pub raw: String,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    event_type: Option<&'a RawValue>,
    #[serde(borrow)]
    market: Option<&'a RawValue>,
    #[serde(borrow)]
    asset_id: Option<&'a RawValue>,
    #[serde(borrow)]
    bids: Option<&'a RawValue>,
    #[serde(borrow)]
    asks: Option<&'a RawValue>,
    #[serde(borrow)]
    price_changes: Option<&'a RawValue>,
    #[serde(borrow)]
    new_tick_size: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
}

/// Reads a frame. Plain text such as `PONG` gives nothing.
pub fn parse(frame: &str) -> Vec<Result<MarketEvent, BadEvent>> {
    let bad = |refusal: Refusal, raw: &str| BadEvent { refusal, raw: raw.to_owned() };
    let trimmed = frame.trim_ascii();
    match trimmed.as_bytes().first() {
        Some(b'{') => vec![event(trimmed).map_err(|refusal| bad(refusal, trimmed))],
        Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(trimmed) {
            Ok(list) => {
                list.into_iter().map(|raw| event(raw.get()).map_err(|refusal| bad(refusal, raw.get()))).collect()
            }
            Err(error) => vec![Err(bad(Refusal::new("frame", error.to_string()), trimmed))],
        },
        _ => Vec::new(),
    }
}

fn event(raw: &str) -> Result<MarketEvent, Refusal> {
    let wire: Wire<'_> = object("frame", raw)?;
    let kind = match wire.event_type {
        Some(kind) => text("event_type", Some(kind))?,
        None => shape(&wire).into(),
    };
    match kind.as_ref() {
        "book" => Ok(MarketEvent::Book {
            market: MarketId::new(text("market", wire.market)?),
            token: TokenId::new(text("asset_id", wire.asset_id)?),
            bids: levels("bids", wire.bids)?,
            asks: levels("asks", wire.asks)?,
            at: millis("timestamp", wire.timestamp)?,
        }),
        "price_change" => Ok(MarketEvent::Changes {
            market: MarketId::new(text("market", wire.market)?),
            changes: array("price_changes", wire.price_changes)?
                .into_iter()
                .map(|raw| change(raw.get()))
                .collect::<Result<_, _>>()?,
            at: millis("timestamp", wire.timestamp)?,
        }),
        "tick_size_change" => Ok(MarketEvent::TickSize {
            token: TokenId::new(text("asset_id", wire.asset_id)?),
            tick_size: tick_size(&wire)?,
        }),
        other => Ok(MarketEvent::Other(other.to_owned())),
    }
}

/// Recordings of some clients lack the type; the shape tells it.
const fn shape(wire: &Wire<'_>) -> &'static str {
    if wire.price_changes.is_some() {
        "price_change"
    } else if wire.bids.is_some() || wire.asks.is_some() {
        "book"
    } else if wire.new_tick_size.is_some() {
        "tick_size_change"
    } else {
        "untyped"
    }
}

fn tick_size(wire: &Wire<'_>) -> Result<Price, Refusal> {
    let tick = number_or_text("new_tick_size", wire.new_tick_size)?.normalize();
    if tick <= Decimal::ZERO || tick >= Decimal::new(5, 1) {
        return Err(Refusal::new("new_tick_size", format!("{tick} is not between 0 and 0.5")));
    }
    Ok(Price(tick))
}

fn levels(field: &'static str, raw: Option<&RawValue>) -> Result<Vec<Level>, Refusal> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        price: Option<&'a RawValue>,
        #[serde(borrow)]
        size: Option<&'a RawValue>,
    }
    let rows = array(field, raw)?;
    let read = |row: &RawValue| {
        let wire: Wire<'_> = object(field, row.get())?;
        level(wire.price, wire.size)
    };
    rows.into_iter().map(read).collect()
}

fn level(price: Option<&RawValue>, size: Option<&RawValue>) -> Result<Level, Refusal> {
    let (price, size) = (decimal_text("price", price)?, decimal_text("size", size)?);
    if price <= Decimal::ZERO || price >= Decimal::ONE {
        return Err(Refusal::new("price", format!("{price} is not between 0 and 1")));
    }
    if size < Decimal::ZERO {
        return Err(Refusal::new("size", format!("{size} is below 0")));
    }
    Ok(Level { price: Price(price.normalize()), size: Size(size.normalize()) })
}

fn change(raw: &str) -> Result<Change, Refusal> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        asset_id: Option<&'a RawValue>,
        #[serde(borrow)]
        price: Option<&'a RawValue>,
        #[serde(borrow)]
        size: Option<&'a RawValue>,
        #[serde(borrow)]
        side: Option<&'a RawValue>,
    }
    let wire: Wire<'_> = object("price_changes", raw)?;
    let side = text("side", wire.side)?;
    Ok(Change {
        token: TokenId::new(text("asset_id", wire.asset_id)?),
        side: match side.as_ref() {
            "BUY" => Side::Buy,
            "SELL" => Side::Sell,
            _ => return Err(Refusal::new("side", format!("'{}' is not BUY or SELL", quote(&side)))),
        },
        level: level(wire.price, wire.size)?,
    })
}
