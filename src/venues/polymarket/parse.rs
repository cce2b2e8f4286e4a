//! Orders and trades as the venue writes them, read tolerantly in form (text or number, empty means absent, two status
//! spellings, seconds or milliseconds) and strictly in substance: what cannot be mapped is an error that names the field.

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::domain::{
    FillStatus, Level, MarketId, MoneyError, OrderId, Price, Role, Side, Size, Timestamp, TokenId, TradeId,
};
use crate::exec::venue::{VenueFill, VenueOrder, VenueOrderStatus};

/// Longest value that is repeated in an error.
const SHOWN_CHARS: usize = 64;

/// What could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ParseError {
    /// Not the shape at all.
    #[error("{what}: {reason}")]
    Shape { what: &'static str, reason: String },
    /// One field of it.
    #[error("{what}.{field} is '{value}', not {expected}")]
    Field { what: &'static str, field: &'static str, value: String, expected: &'static str },
}

/// A JSON string or number as it was written. Null and the empty string are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text(Option<String>);

impl Text {
    pub(super) fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }

    fn shown(&self) -> String {
        self.get().unwrap_or("absent").chars().take(SHOWN_CHARS).collect()
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = match raw.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str::<String>(raw.get()).map_err(serde::de::Error::custom)?,
            Some(b'0'..=b'9' | b'-') => raw.get().to_owned(),
            Some(b'n') => String::new(),
            _ => return Err(serde::de::Error::custom("a string or number is wanted")),
        };
        Ok(Self(Some(text.trim().to_owned()).filter(|text| !text.is_empty())))
    }
}

/// Who we are at the venue: what tells our legs of a trade from those of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// Our API key.
    pub(super) api_key: String,
    /// The wallet that our money lies in, checksummed.
    pub(super) maker: String,
}

impl Account {
    fn owns(&self, owner: &Text, maker_address: &Text) -> bool {
        owner.get() == Some(&self.api_key)
            || maker_address.get().is_some_and(|address| address.eq_ignore_ascii_case(&self.maker))
    }
}

/// An order of a list, an answer or an event; `kind` (`type` on the wire) only in events.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireOrder {
    id: Text,
    status: Text,
    market: Text,
    asset_id: Text,
    outcome: Text,
    side: Text,
    price: Text,
    original_size: Text,
    size_matched: Text,
    #[serde(rename = "type")]
    kind: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireTrade {
    id: Text,
    taker_order_id: Text,
    market: Text,
    asset_id: Text,
    outcome: Text,
    side: Text,
    size: Text,
    price: Text,
    status: Text,
    match_time: Text,
    matchtime: Text,
    last_update: Text,
    timestamp: Text,
    owner: Text,
    trade_owner: Text,
    maker_address: Text,
    trader_side: Text,
    maker_orders: Option<Vec<WireMaker>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireMaker {
    order_id: Text,
    owner: Text,
    maker_address: Text,
    asset_id: Text,
    outcome: Text,
    side: Text,
    matched_amount: Text,
    price: Text,
}

/// An id of an order; hex is compared in lower case everywhere.
pub(super) fn order_id(text: &str) -> OrderId {
    OrderId::new(text.to_ascii_lowercase())
}

/// Reads one order.
pub(super) fn order(json: &str) -> Result<VenueOrder, ParseError> {
    const WHAT: &str = "order";
    let wire: WireOrder = shape(WHAT, json)?;
    let (id, size) = (required(WHAT, "id", &wire.id)?, Size(amount(WHAT, "original_size", &wire.original_size)?));
    let matched = match wire.size_matched.get() {
        Some(_) => Some(Size(amount(WHAT, "size_matched", &wire.size_matched)?)),
        None => None,
    };
    Ok(VenueOrder {
        order: order_id(id),
        status: order_status(&wire, matched.is_some_and(|matched| matched >= size)),
        status_text: wire.status.get().or(wire.kind.get()).unwrap_or_default().to_owned(),
        market: MarketId::new(required(WHAT, "market", &wire.market)?),
        token: TokenId::new(required(WHAT, "asset_id", &wire.asset_id)?),
        outcome: wire.outcome.get().unwrap_or_default().to_owned(),
        side: side(WHAT, &wire.side)?,
        price: Price(amount(WHAT, "price", &wire.price)?),
        size,
        matched,
    })
}

fn order_status(wire: &WireOrder, is_full: bool) -> VenueOrderStatus {
    let text = wire.status.get().unwrap_or_default().to_ascii_uppercase();
    let word = text.strip_prefix("ORDER_STATUS_").unwrap_or(&text);
    let is_cancellation = wire.kind.get().is_some_and(|kind| kind.eq_ignore_ascii_case("CANCELLATION"));
    match word {
        _ if is_cancellation || word.starts_with("CANCELED") || word.starts_with("CANCELLED") || word == "INVALID" => {
            VenueOrderStatus::Cancelled
        }
        "LIVE" => VenueOrderStatus::Live,
        "DELAYED" => VenueOrderStatus::Delayed,
        "MATCHED" => VenueOrderStatus::Matched,
        "" if is_full => VenueOrderStatus::Matched,
        "" if wire.kind.get().is_some() => VenueOrderStatus::Live,
        _ => VenueOrderStatus::Other,
    }
}

/// Reads one trade and gives our parts in it: one for the taker order when it is ours, one for every maker order of ours.
pub(super) fn fills(json: &str, account: &Account) -> Result<Vec<VenueFill>, ParseError> {
    const WHAT: &str = "trade";
    let wire: WireTrade = shape(WHAT, json)?;
    let common = VenueFill {
        trade: TradeId::new(required(WHAT, "id", &wire.id)?),
        order: OrderId::new(""),
        market: MarketId::new(required(WHAT, "market", &wire.market)?),
        token: TokenId::new(""),
        outcome: String::new(),
        side: Side::Buy,
        size: Size::ZERO,
        price: Price::ZERO,
        met: Vec::new(),
        role: Role::Taker,
        status: fill_status(&wire.status),
        matched_at: matched_at(&wire)?,
    };
    let makers = wire.maker_orders.as_deref().unwrap_or_default();
    let mut ours = Vec::new();
    for maker in makers.iter().filter(|maker| account.owns(&maker.owner, &maker.maker_address)) {
        ours.push(maker_leg(maker, common.clone())?);
    }
    let is_taker = match wire.trader_side.get() {
        Some(word) if word.eq_ignore_ascii_case("TAKER") => true,
        Some(word) if word.eq_ignore_ascii_case("MAKER") => false,
        // A word that we do not know says no more than none.
        Some(_) | None => {
            ours.is_empty() && (account.owns(&wire.owner, &wire.maker_address) || owns_trade(account, &wire))
        }
    };
    if is_taker {
        ours.push(taker_leg(&wire, makers, common)?);
    }
    Ok(ours)
}

fn owns_trade(account: &Account, wire: &WireTrade) -> bool {
    wire.trade_owner.get() == Some(&account.api_key)
}

fn maker_leg(maker: &WireMaker, common: VenueFill) -> Result<VenueFill, ParseError> {
    const WHAT: &str = "trade.maker_orders";
    Ok(VenueFill {
        order: order_id(required(WHAT, "order_id", &maker.order_id)?),
        token: TokenId::new(required(WHAT, "asset_id", &maker.asset_id)?),
        outcome: maker.outcome.get().unwrap_or_default().to_owned(),
        side: side(WHAT, &maker.side)?,
        size: Size(amount(WHAT, "matched_amount", &maker.matched_amount)?),
        price: Price(amount(WHAT, "price", &maker.price)?),
        role: Role::Maker,
        ..common
    })
}

fn taker_leg(wire: &WireTrade, makers: &[WireMaker], common: VenueFill) -> Result<VenueFill, ParseError> {
    const WHAT: &str = "trade";
    let size = Size(amount(WHAT, "size", &wire.size)?);
    let stated = Price(amount(WHAT, "price", &wire.price)?);
    let token = required(WHAT, "asset_id", &wire.asset_id)?;
    let met = met(token, size, makers).unwrap_or_default();
    Ok(VenueFill {
        order: order_id(required(WHAT, "taker_order_id", &wire.taker_order_id)?),
        token: TokenId::new(token),
        outcome: wire.outcome.get().unwrap_or_default().to_owned(),
        side: side(WHAT, &wire.side)?,
        price: average(&met).unwrap_or(stated),
        met,
        size,
        ..common
    })
}

/// What the taker met: each maker's shares at its own price, seen from the taker's token. Nothing when the makers do not add
/// up to the trade, in which case the price that the trade states is all there is.
fn met(token: &str, size: Size, makers: &[WireMaker]) -> Option<Vec<Level>> {
    let mut met = Vec::with_capacity(makers.len());
    let mut shares = Decimal::ZERO;
    for maker in makers {
        let size: Size = maker.matched_amount.get()?.parse().ok()?;
        let price: Price = maker.price.get()?.parse().ok()?;
        let price = if maker.asset_id.get()? == token { price } else { price.complement() };
        shares = shares.checked_add(size.0)?;
        met.push(Level { price, size });
    }
    (shares == size.0).then_some(met)
}

/// What was paid a share; nothing for no shares.
fn average(met: &[Level]) -> Option<Price> {
    let (mut shares, mut paid) = (Decimal::ZERO, Decimal::ZERO);
    for met in met {
        shares = shares.checked_add(met.size.0)?;
        paid = paid.checked_add(met.price.notional(met.size).0)?;
    }
    paid.checked_div(shares).map(|price| Price(price.normalize()))
}

/// The id of a row that cannot be read otherwise.
pub(super) fn id(json: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        id: Text,
    }
    serde_json::from_str::<Named>(json).ok()?.id.get().map(ToOwned::to_owned)
}

/// A word that we do not know says no more than that the trade is there: nothing of it is certain until another word comes.
fn fill_status(text: &Text) -> FillStatus {
    let word = text.get().unwrap_or_default().to_ascii_uppercase();
    match word.strip_prefix("TRADE_STATUS_").unwrap_or(&word) {
        "MINED" => FillStatus::Mined,
        "RETRYING" => FillStatus::Retrying,
        "CONFIRMED" => FillStatus::Confirmed,
        "FAILED" => FillStatus::Failed,
        "MATCHED" | "MATCHED_NOT_BROADCASTED" => FillStatus::Matched,
        other => {
            tracing::warn!(status = other, "a settlement status that we do not know; the trade counts as matched");
            FillStatus::Matched
        }
    }
}

fn matched_at(wire: &WireTrade) -> Result<Timestamp, ParseError> {
    let given = [&wire.match_time, &wire.matchtime, &wire.timestamp, &wire.last_update]
        .into_iter()
        .find(|text| text.get().is_some());
    let text = given.unwrap_or(&wire.match_time);
    text.get().and_then(instant).ok_or_else(|| field("trade", "match_time", text, "seconds, milliseconds or RFC 3339"))
}

/// Seconds, milliseconds or microseconds since the epoch, told apart by magnitude, or RFC 3339.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    if let Ok(count) = text.parse::<i64>() {
        return match count {
            1..100_000_000_000 => Some(Timestamp::from_secs(count)),
            100_000_000_000..100_000_000_000_000 => Some(Timestamp::from_millis(count)),
            100_000_000_000_000.. => Some(Timestamp::from_micros(count)),
            _ => None,
        };
    }
    let at = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos() / 1_000).ok().map(Timestamp::from_micros)
}

fn shape<'a, T: Deserialize<'a>>(what: &'static str, json: &'a str) -> Result<T, ParseError> {
    serde_json::from_str(json).map_err(|error| ParseError::Shape { what, reason: error.to_string() })
}

fn required<'a>(what: &'static str, name: &'static str, text: &'a Text) -> Result<&'a str, ParseError> {
    text.get().ok_or_else(|| field(what, name, text, "a text"))
}

fn amount(what: &'static str, name: &'static str, text: &Text) -> Result<Decimal, ParseError> {
    let refused = || field(what, name, text, "a decimal number that is not negative");
    let parsed: Result<Size, MoneyError> = text.get().ok_or_else(refused)?.parse();
    parsed.ok().map(|size| size.0).filter(|value| !value.is_sign_negative() || value.is_zero()).ok_or_else(refused)
}

fn side(what: &'static str, text: &Text) -> Result<Side, ParseError> {
    match text.get().unwrap_or_default().to_ascii_uppercase().as_str() {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        _ => Err(field(what, "side", text, "BUY or SELL")),
    }
}

fn field(what: &'static str, field: &'static str, text: &Text, expected: &'static str) -> ParseError {
    ParseError::Field { what, field, value: text.shown(), expected }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
