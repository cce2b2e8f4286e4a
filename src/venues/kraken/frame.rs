//! One text frame of Kraken's WebSocket v2, read strictly and without judging its values.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::domain::{Price, Side, Size, Timestamp};
use crate::venues::strict::{Refusal, array, boolean, integer, number, object, quote, rfc3339, text};

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// The state of the trading engine: first frame of a connection, and again when it changes.
    Status {
        /// `online`, `cancel_only`, `post_only` or `maintenance`.
        system: Cow<'a, str>,
    },
    /// The venue is there.
    Heartbeat,
    /// The answer to a ping.
    Pong,
    /// A request was accepted.
    Ack(Ack<'a>),
    /// A request was refused; the socket stays open.
    Rejection(Rejection<'a>),
    /// Rows of `ticker`.
    Tickers(Vec<Row<'a, Ticker<'a>>>),
    /// Rows of `trade`.
    Trades(Vec<Row<'a, Trade<'a>>>),
    /// Text that is not JSON, such as the proxy's word that it restarts.
    Notice(&'a str),
    /// A channel or method that we do not follow.
    Other(Cow<'a, str>),
}

/// A row that was read, or why not with its own text.
pub type Row<'a, T> = Result<T, BadRow<'a>>;

/// A row that is refused while its neighbours go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow<'a> {
    /// Why.
    pub refusal: Refusal,
    /// The row as received.
    pub raw: &'a str,
}

/// An accepted request; for subscriptions one comes for each symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack<'a> {
    /// `subscribe`, `unsubscribe`.
    pub method: Cow<'a, str>,
    /// The number that we gave.
    pub req_id: Option<u64>,
    /// The channel, when it is said.
    pub channel: Option<Cow<'a, str>>,
    /// The symbol, when it is said.
    pub symbol: Option<Cow<'a, str>>,
}

/// A refused request. Not every rejection names its channel or symbol; only the number is always there when we gave one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection<'a> {
    /// `subscribe`, `unsubscribe`; empty when the venue does not say.
    pub method: Cow<'a, str>,
    /// The number that we gave.
    pub req_id: Option<u64>,
    /// The symbol, when it is said.
    pub symbol: Option<Cow<'a, str>>,
    /// The venue's words.
    pub error: Cow<'a, str>,
}

/// A row of `ticker`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticker<'a> {
    /// The pair.
    pub symbol: Cow<'a, str>,
    /// Best bid.
    pub bid: Price,
    /// Quantity at the best bid.
    pub bid_qty: Size,
    /// Best ask.
    pub ask: Price,
    /// Quantity at the best ask.
    pub ask_qty: Size,
    /// Last traded price.
    pub last: Price,
    /// Frames of 2026 carry it, those of 2024 do not.
    pub at: Option<Timestamp>,
    /// The row as received.
    pub raw: &'a str,
}

/// A row of `trade`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade<'a> {
    /// The pair.
    pub symbol: Cow<'a, str>,
    /// The taker's side.
    pub side: Side,
    /// Price.
    pub price: Price,
    /// Quantity.
    pub qty: Size,
    /// Consecutive for each pair.
    pub trade_id: u64,
    /// When it happened.
    pub at: Timestamp,
    /// The row as received.
    pub raw: &'a str,
}

#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(borrow)]
    channel: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<&'a RawValue>,
    #[serde(borrow)]
    success: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow, rename = "Error")]
    capital_error: Option<&'a RawValue>,
    #[serde(borrow)]
    symbol: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    req_id: Option<&'a RawValue>,
}

/// Reads a frame.
///
/// # Errors
/// [`Refusal`] naming the field, or `frame` when it is JSON that does not parse or is no object.
pub fn parse(frame: &str) -> Result<Frame<'_>, Refusal> {
    let trimmed = frame.trim_ascii();
    if !trimmed.starts_with('{') {
        return match serde_json::from_str::<IgnoredAny>(trimmed) {
            Ok(IgnoredAny) => Err(Refusal::new("frame", format!("{} is not an object", quote(trimmed)))),
            Err(_) if trimmed.starts_with('[') => Err(Refusal::new("frame", "an array cut short, not an object")),
            Err(_) => Ok(Frame::Notice(frame)),
        };
    }
    let outer: Outer<'_> = object("frame", trimmed)?;
    if outer.channel.is_some() {
        return data(&outer);
    }
    if outer.method.is_some() {
        return reply(&outer);
    }
    if let Some(error) = outer.error.or(outer.capital_error) {
        return rejection(&outer, Cow::Borrowed(""), text("error", Some(error))?);
    }
    Err(Refusal::new("channel", "missing, and there is no method either"))
}

fn data<'a>(outer: &Outer<'a>) -> Result<Frame<'a>, Refusal> {
    let channel = text("channel", outer.channel)?;
    match channel.as_ref() {
        "heartbeat" => Ok(Frame::Heartbeat),
        "status" => status(outer),
        "ticker" => Ok(Frame::Tickers(rows(outer, ticker)?)),
        "trade" => Ok(Frame::Trades(rows(outer, trade)?)),
        _ => Ok(Frame::Other(channel)),
    }
}

fn status<'a>(outer: &Outer<'a>) -> Result<Frame<'a>, Refusal> {
    #[derive(Deserialize)]
    struct Status<'a> {
        #[serde(borrow)]
        system: Option<&'a RawValue>,
    }
    let rows = array("data", outer.data)?;
    let row = rows.first().ok_or_else(|| Refusal::new("data", "empty, must hold one row"))?;
    let status: Status<'a> = object("data", row.get())?;
    Ok(Frame::Status { system: text("system", status.system)? })
}

fn rows<'a, T>(outer: &Outer<'a>, read: fn(&'a str) -> Result<T, Refusal>) -> Result<Vec<Row<'a, T>>, Refusal> {
    let kind = text("type", outer.kind)?;
    if !matches!(kind.as_ref(), "snapshot" | "update") {
        return Err(Refusal::new("type", format!("'{}' is not snapshot or update", quote(&kind))));
    }
    let rows = array("data", outer.data)?;
    Ok(rows.into_iter().map(|row| read(row.get()).map_err(|refusal| BadRow { refusal, raw: row.get() })).collect())
}

fn ticker(raw: &str) -> Result<Ticker<'_>, Refusal> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        symbol: Option<&'a RawValue>,
        #[serde(borrow)]
        bid: Option<&'a RawValue>,
        #[serde(borrow)]
        bid_qty: Option<&'a RawValue>,
        #[serde(borrow)]
        ask: Option<&'a RawValue>,
        #[serde(borrow)]
        ask_qty: Option<&'a RawValue>,
        #[serde(borrow)]
        last: Option<&'a RawValue>,
        #[serde(borrow)]
        timestamp: Option<&'a RawValue>,
    }
    let wire: Wire<'_> = object("data", raw)?;
    Ok(Ticker {
        symbol: text("symbol", wire.symbol)?,
        bid: Price(number("bid", wire.bid)?),
        bid_qty: Size(number("bid_qty", wire.bid_qty)?),
        ask: Price(number("ask", wire.ask)?),
        ask_qty: Size(number("ask_qty", wire.ask_qty)?),
        last: Price(number("last", wire.last)?),
        at: wire.timestamp.map(|at| rfc3339("timestamp", Some(at))).transpose()?,
        raw,
    })
}

fn trade(raw: &str) -> Result<Trade<'_>, Refusal> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        symbol: Option<&'a RawValue>,
        #[serde(borrow)]
        side: Option<&'a RawValue>,
        #[serde(borrow)]
        price: Option<&'a RawValue>,
        #[serde(borrow)]
        qty: Option<&'a RawValue>,
        #[serde(borrow)]
        trade_id: Option<&'a RawValue>,
        #[serde(borrow)]
        timestamp: Option<&'a RawValue>,
    }
    let wire: Wire<'_> = object("data", raw)?;
    let side = text("side", wire.side)?;
    Ok(Trade {
        symbol: text("symbol", wire.symbol)?,
        side: match side.as_ref() {
            "buy" => Side::Buy,
            "sell" => Side::Sell,
            _ => return Err(Refusal::new("side", format!("'{}' is not buy or sell", quote(&side)))),
        },
        price: Price(number("price", wire.price)?),
        qty: Size(number("qty", wire.qty)?),
        trade_id: integer("trade_id", wire.trade_id)?,
        at: rfc3339("timestamp", wire.timestamp)?,
        raw,
    })
}

fn reply<'a>(outer: &Outer<'a>) -> Result<Frame<'a>, Refusal> {
    let method = text("method", outer.method)?;
    if method == "pong" {
        return Ok(Frame::Pong);
    }
    if !matches!(method.as_ref(), "subscribe" | "unsubscribe") {
        return Ok(Frame::Other(method));
    }
    if boolean("success", outer.success)? {
        ack(outer, method)
    } else {
        rejection(outer, method, text("error", outer.error)?)
    }
}

fn ack<'a>(outer: &Outer<'a>, method: Cow<'a, str>) -> Result<Frame<'a>, Refusal> {
    #[derive(Default, Deserialize)]
    struct Accepted<'a> {
        #[serde(borrow)]
        channel: Option<&'a RawValue>,
        #[serde(borrow)]
        symbol: Option<&'a RawValue>,
    }
    let result: Accepted<'a> = match outer.result {
        Some(result) => object("result", result.get())?,
        None => Accepted::default(),
    };
    Ok(Frame::Ack(Ack {
        method,
        req_id: outer.req_id.map(|id| integer("req_id", Some(id))).transpose()?,
        channel: result.channel.map(|channel| text("channel", Some(channel))).transpose()?,
        symbol: result.symbol.map(|symbol| text("symbol", Some(symbol))).transpose()?,
    }))
}

fn rejection<'a>(outer: &Outer<'a>, method: Cow<'a, str>, error: Cow<'a, str>) -> Result<Frame<'a>, Refusal> {
    Ok(Frame::Rejection(Rejection {
        method,
        req_id: outer.req_id.map(|id| integer("req_id", Some(id))).transpose()?,
        symbol: outer.symbol.map(|symbol| text("symbol", Some(symbol))).transpose()?,
        error,
    }))
}
