//! What a text of the user channel means. Pure.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::parse::{self, Account, ParseError, Text};
use crate::exec::venue::UserEvent;

/// What one text brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    /// In the order in which they were sent.
    pub(super) events: Vec<UserEvent>,
    /// Orders and trades that could not be read: something is missed.
    pub(super) malformed: Vec<String>,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    event_type: Text,
}

/// Reads a text: one object or an array of them. Anything else ("PONG", "NO NEW ASSETS") brings nothing.
pub(super) fn read(text: &str, account: &Account) -> Frame {
    let mut frame = Frame::default();
    let text = text.trim();
    let parts: Result<Vec<Box<RawValue>>, _> = match text.as_bytes().first() {
        Some(b'[') => serde_json::from_str(text),
        Some(b'{') => serde_json::from_str(text).map(|part| vec![part]),
        _ => return frame,
    };
    match parts {
        Ok(parts) => parts.iter().for_each(|part| read_part(part.get(), account, &mut frame)),
        Err(error) => frame.malformed.push(format!("frame: {error}")),
    }
    frame
}

fn read_part(json: &str, account: &Account, frame: &mut Frame) {
    match events(json, account) {
        Ok(events) => frame.events.extend(events),
        Err(error) => frame.malformed.push(error.to_string()),
    }
}

fn events(json: &str, account: &Account) -> Result<Vec<UserEvent>, ParseError> {
    let kind: Kind =
        serde_json::from_str(json).map_err(|error| ParseError::Shape { what: "frame", reason: error.to_string() })?;
    match kind.event_type.get() {
        Some("order") => Ok(vec![UserEvent::Order(parse::order(json)?)]),
        Some("trade") => Ok(parse::fills(json, account)?.into_iter().map(UserEvent::Fill).collect()),
        other => {
            tracing::debug!(event_type = other, "an event of the user channel that nobody asked for");
            Ok(Vec::new())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account { api_key: "key".into(), maker: "0xmaker".into() }
    }

    const ORDER: &str = r#"{"event_type":"order","type":"PLACEMENT","id":"0xA","market":"0xm","asset_id":"1","side":"BUY",
        "price":"0.5","original_size":"10","size_matched":"","status":"LIVE","outcome":"Up"}"#;
    const TRADE: &str = r#"{"event_type":"trade","type":"TRADE","id":"t","taker_order_id":"0xB","market":"0xm",
        "asset_id":"1","side":"BUY","price":"0.5","size":"10","status":"MATCHED","matchtime":"1795348800",
        "owner":"key","trader_side":"TAKER","maker_orders":[]}"#;

    #[test]
    fn an_object_and_an_array_are_read_alike() {
        assert_eq!(read(ORDER, &account()).events.len(), 1);
        let both = read(&format!("[{ORDER},{TRADE}]"), &account());
        assert!(matches!(both.events[..], [UserEvent::Order(_), UserEvent::Fill(_)]), "{both:?}");
        assert_eq!(both.malformed, Vec::<String>::new());
    }

    #[test]
    fn one_bad_part_costs_nothing_but_itself() {
        let frame = read(&format!("[{},{TRADE},7]", ORDER.replace("BUY", "HOLD")), &account());
        assert!(matches!(frame.events[..], [UserEvent::Fill(_)]), "{frame:?}");
        assert_eq!(frame.malformed.len(), 2);
        assert!(frame.malformed[0].contains("order.side is 'HOLD'"), "{frame:?}");
        assert_eq!(read("{\"event_type\":", &account()).malformed.len(), 1);
    }

    #[test]
    fn words_and_strange_events_bring_nothing() {
        for text in ["PONG", "NO NEW ASSETS", "", "[]", r#"{"event_type":"weather"}"#, "{}"] {
            assert_eq!(read(text, &account()), Frame::default(), "{text}");
        }
    }
}
