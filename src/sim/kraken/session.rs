//! One connection's subscriptions: requests in, answers out. Pure.
//!
//! Wording of rejections: `reference feeds 1.2`, recorded from the venue. Channels other than `ticker` and `trade` are not
//! simulated and answered as the venue answers a channel that does not exist.

use std::collections::HashMap;

use axum::extract::ws::Utf8Bytes;
use serde_json::{Map, Value, json};

use super::board::{Board, Topic, Update};
use super::text::Micros;
use crate::domain::Timestamp;

/// Requests longer than this are not read.
const MAX_REQUEST: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Channel {
    Ticker,
    Trade,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    Trades,
    Bbo,
}

#[derive(Clone, Copy, Debug)]
struct Subscription {
    trigger: Trigger,
    /// Updates up to this one are in the snapshot.
    since: u64,
}

/// What one connection listens to.
#[derive(Debug, Default)]
pub(super) struct Session {
    subscriptions: HashMap<(Channel, usize), Subscription>,
}

/// The parts of a request that its answers repeat.
struct Asked<'a> {
    method: &'a str,
    req_id: Option<&'a Value>,
    time_in: Timestamp,
}

impl Asked<'_> {
    fn answer(&self, fields: Vec<(&str, Value)>, now: Timestamp) -> Utf8Bytes {
        let mut object: Map<String, Value> = fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        if !self.method.is_empty() {
            object.entry("method").or_insert_with(|| self.method.into());
        }
        if let Some(req_id) = self.req_id {
            object.insert("req_id".to_owned(), req_id.clone());
        }
        object.insert("time_in".to_owned(), Micros(self.time_in).to_string().into());
        object.insert("time_out".to_owned(), Micros(now).to_string().into());
        Value::Object(object).to_string().into()
    }

    fn refuse(&self, error: &str, symbol: Option<&str>) -> Utf8Bytes {
        let mut fields = vec![("error", Value::from(error)), ("success", false.into())];
        if let Some(symbol) = symbol {
            fields.push(("symbol", symbol.into()));
        }
        self.answer(fields, self.time_in)
    }
}

/// The parameters of a subscription, checked.
struct Wanted<'a> {
    channel: Channel,
    symbols: Vec<&'a str>,
    trigger: Trigger,
    snapshot: bool,
}

impl Session {
    /// Answers one text frame.
    pub(super) fn request(&mut self, text: &str, board: &Board, now: Timestamp) -> Vec<Utf8Bytes> {
        let nothing = Asked { method: "", req_id: None, time_in: now };
        if text.len() > MAX_REQUEST {
            return vec![nothing.refuse("Exceeded max message size", None)];
        }
        let Ok(Value::Object(request)) = serde_json::from_str::<Value>(text) else {
            return vec![nothing.refuse("Malformed request", None)];
        };
        let method = request.get("method").and_then(Value::as_str).unwrap_or_default();
        let req_id = request.get("req_id");
        let asked = Asked { method, req_id: req_id.filter(|id| id.is_u64()), time_in: now };
        if req_id.is_some_and(|id| !id.is_u64()) {
            return vec![asked.refuse("Req_id field must be an integer", None)];
        }
        let params = request.get("params");
        match method {
            "ping" if params.is_some() => {
                vec![asked.refuse("Unsupported field: 'params' for the given msg type: ping", None)]
            }
            "ping" => vec![asked.answer(vec![("method", "pong".into())], now)],
            "subscribe" | "unsubscribe" => match wanted(method, params) {
                Ok(wanted) => {
                    wanted.symbols.iter().flat_map(|symbol| self.one(&asked, &wanted, symbol, board)).collect()
                }
                Err(error) => vec![asked.refuse(&error, None)],
            },
            _ => vec![asked.refuse("Unsupported event", None)],
        }
    }

    /// One symbol of a request: its own answer, then its snapshot.
    fn one(&mut self, asked: &Asked<'_>, wanted: &Wanted<'_>, symbol: &str, board: &Board) -> Vec<Utf8Bytes> {
        let Some(pair) = board.pair(symbol) else {
            return vec![asked.refuse(&format!("Currency pair not supported {symbol}"), Some(symbol))];
        };
        let key = (wanted.channel, pair);
        let result = match wanted.channel {
            Channel::Ticker => json!({
                "channel": "ticker",
                "event_trigger": match wanted.trigger { Trigger::Trades => "trades", Trigger::Bbo => "bbo" },
                "snapshot": wanted.snapshot,
                "symbol": symbol,
            }),
            Channel::Trade => json!({"channel": "trade", "snapshot": wanted.snapshot, "symbol": symbol}),
        };
        let ack = asked.answer(vec![("result", result), ("success", true.into())], asked.time_in);
        if asked.method == "unsubscribe" {
            return match self.subscriptions.remove(&key) {
                Some(_) => vec![ack],
                None => vec![asked.refuse("Subscription Not Found", Some(symbol))],
            };
        }
        if self.subscriptions.contains_key(&key) {
            return vec![asked.refuse("Already subscribed", Some(symbol))];
        }
        self.subscriptions.insert(key, Subscription { trigger: wanted.trigger, since: board.seq() });
        let snapshot = match wanted.channel {
            _ if !wanted.snapshot => None,
            Channel::Ticker => board.ticker_snapshot(pair),
            Channel::Trade => board.trade_snapshot(pair),
        };
        std::iter::once(ack).chain(snapshot).collect()
    }

    /// Whether this connection gets the update.
    pub(super) fn wants(&self, update: &Update) -> bool {
        let channel = match update.topic {
            Topic::Trade => Channel::Trade,
            Topic::Ticker { .. } => Channel::Ticker,
        };
        self.subscriptions.get(&(channel, update.pair)).is_some_and(|subscription| {
            update.seq > subscription.since
                && match (update.topic, subscription.trigger) {
                    (Topic::Trade, _) => true,
                    (Topic::Ticker { traded, .. }, Trigger::Trades) => traded,
                    (Topic::Ticker { moved, .. }, Trigger::Bbo) => moved,
                }
        })
    }
}

fn wanted<'a>(method: &str, params: Option<&'a Value>) -> Result<Wanted<'a>, String> {
    let params = params.and_then(Value::as_object).ok_or("Params field must be an object")?;
    let (channel, allowed): (_, &[&str]) = match params.get("channel").and_then(Value::as_str) {
        Some("ticker") => (Channel::Ticker, &["channel", "symbol", "event_trigger", "snapshot"]),
        Some("trade") => (Channel::Trade, &["channel", "symbol", "snapshot"]),
        Some(_) => return Err("Unsupported event".to_owned()),
        None => return Err("Channel field must be a string".to_owned()),
    };
    if let Some(field) = params.keys().find(|key| !allowed.contains(&key.as_str())) {
        return Err(format!("Unsupported field: '{field}' for the given msg type: {method}"));
    }
    let symbols = params.get("symbol").and_then(Value::as_array).filter(|symbols| !symbols.is_empty());
    let symbols = symbols
        .and_then(|symbols| symbols.iter().map(Value::as_str).collect::<Option<Vec<_>>>())
        .ok_or("Symbol field must be an array of strings")?;
    let trigger = match params.get("event_trigger").map(Value::as_str) {
        None | Some(Some("trades")) => Trigger::Trades,
        Some(Some("bbo")) => Trigger::Bbo,
        Some(_) => return Err("Event_trigger field must be trades or bbo".to_owned()),
    };
    let snapshot = match params.get("snapshot") {
        None => channel == Channel::Ticker,
        Some(snapshot) => snapshot.as_bool().ok_or("Snapshot field must be a boolean")?,
    };
    Ok(Wanted { channel, symbols, trigger, snapshot })
}

#[cfg(test)]
mod tests {
    use super::super::board::tests::{pairs, quote, trade};
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_795_348_800);

    fn board() -> Board {
        let mut board = Board::new(&pairs());
        board.apply(&[(0, quote(100)), (0, trade(100, 1)), (1, quote(200)), (1, trade(200, 1))], NOW);
        board
    }

    fn ask(session: &mut Session, board: &Board, request: &Value) -> Vec<Value> {
        let answers = session.request(&request.to_string(), board, NOW);
        answers.iter().map(|text| serde_json::from_str(text.as_str()).expect("JSON")).collect()
    }

    fn subscribe(params: &Value) -> Value {
        json!({"method": "subscribe", "params": params, "req_id": 7})
    }

    #[test]
    fn every_symbol_has_its_own_ack_and_snapshot() {
        let (mut session, board) = (Session::default(), board());
        let request = subscribe(&json!({"channel": "ticker", "symbol": ["BTC/USD", "XBT/USD", "ETH/USD"]}));
        let answers = ask(&mut session, &board, &request);
        assert_eq!(answers.len(), 5);
        assert_eq!(answers[0]["result"]["symbol"], "BTC/USD");
        assert_eq!(answers[0]["req_id"], 7);
        assert_eq!(answers[1]["type"], "snapshot");
        assert_eq!(answers[2]["error"], "Currency pair not supported XBT/USD");
        assert_eq!(answers[2]["symbol"], "XBT/USD");
        assert!(answers[2].get("result").is_none());
        assert_eq!(answers[4]["data"][0]["symbol"], "ETH/USD");
    }

    #[test]
    fn refusals_are_in_the_venues_words() {
        let (mut session, board) = (Session::default(), board());
        let request = subscribe(&json!({"channel": "trade", "symbol": ["BTC/USD"]}));
        assert_eq!(ask(&mut session, &board, &request).len(), 1, "no snapshot unless asked for");
        let mut error = |request: Value| ask(&mut session, &board, &request)[0]["error"].as_str().map(str::to_owned);
        assert_eq!(error(request).as_deref(), Some("Already subscribed"));
        let cases = [
            (json!({"channel": "book", "symbol": ["BTC/USD"]}), "Unsupported event"),
            (
                json!({"channel": "trade", "symbol": ["BTC/USD"], "interval": 1}),
                "Unsupported field: 'interval' for the given msg type: subscribe",
            ),
            (json!({"channel": "trade", "symbol": "BTC/USD"}), "Symbol field must be an array of strings"),
            (
                json!({"channel": "ticker", "symbol": ["BTC/USD"], "event_trigger": "all"}),
                "Event_trigger field must be trades or bbo",
            ),
            (json!({}), "Channel field must be a string"),
            (json!(null), "Params field must be an object"),
        ];
        for (params, words) in cases {
            assert_eq!(error(subscribe(&params)).as_deref(), Some(words));
        }
        assert_eq!(
            error(json!({"method": "ping", "params": {}})).as_deref(),
            Some("Unsupported field: 'params' for the given msg type: ping")
        );
        assert_eq!(error(json!({"method": "dance"})).as_deref(), Some("Unsupported event"));
        assert_eq!(error(json!([])).as_deref(), Some("Malformed request"));
        let unsubscribe = json!({"method": "unsubscribe", "params": {"channel": "ticker", "symbol": ["BTC/USD"]}});
        assert_eq!(error(unsubscribe).as_deref(), Some("Subscription Not Found"));
    }

    #[test]
    fn an_update_reaches_those_who_asked_for_its_trigger_and_not_what_their_snapshot_has() {
        let (mut session, mut board) = (Session::default(), board());
        let stale = board.apply(&[(0, trade(101, 1))], NOW);
        ask(&mut session, &board, &subscribe(&json!({"channel": "trade", "symbol": ["BTC/USD"], "snapshot": true})));
        let bbo = json!({"channel": "ticker", "symbol": ["BTC/USD"], "event_trigger": "bbo"});
        ask(&mut session, &board, &subscribe(&bbo));
        assert!(stale.iter().all(|update| !session.wants(update)));
        let traded = board.apply(&[(0, trade(102, 1)), (1, trade(1, 1))], NOW);
        let wanted: Vec<_> = traded.iter().filter(|update| session.wants(update)).map(|update| update.topic).collect();
        assert_eq!(wanted, [Topic::Trade]);
        let moved = board.apply(&[(0, quote(103))], NOW);
        assert!(session.wants(&moved[0]));
        ask(
            &mut session,
            &board,
            &json!({"method": "unsubscribe", "params": {"channel": "ticker", "symbol": ["BTC/USD"]}}),
        );
        assert!(!session.wants(&moved[0]));
    }
}
