use std::time::Duration;

use proptest::prelude::*;
use rust_decimal::dec;

use super::check;
use super::frame::{Frame, parse};
use super::session::{Channel, Config, Effect, Event, Session, State};
use crate::domain::{FeedLink, Price, Size, Symbol, Tick, TickKind, Timestamp};
use crate::fixtures;

const TICKER: &str = r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":62703.4,"bid_qty":0.03,"ask":62710.3,"ask_qty":1E-8,"last":62702.90}]}"#;
const HEARTBEAT: &str = r#"{"channel":"heartbeat"}"#;

fn now() -> Timestamp {
    Timestamp::from_secs(1_795_348_800)
}

fn after(millis: u64) -> Timestamp {
    now().plus(Duration::from_millis(millis))
}

fn trade_frame(kind: &str, ids: &[u64]) -> String {
    let rows: Vec<String> = ids
        .iter()
        .map(|id| {
            format!(
                r#"{{"symbol":"BTC/USD","side":"buy","price":100.10,"qty":0.5,"ord_type":"limit","trade_id":{id},"timestamp":"2026-11-22T11:59:{:02}.5Z"}}"#,
                id % 60
            )
        })
        .collect();
    format!(r#"{{"channel":"trade","type":"{kind}","data":[{}]}}"#, rows.join(","))
}

fn session(symbols: &[&str]) -> Session {
    let config = Config {
        symbols: symbols.iter().map(Symbol::new).collect(),
        silence: Duration::from_secs(4),
        subscribe_within: Duration::from_secs(10),
    };
    Session::new(config, now())
}

fn on(session: &mut Session, event: Event<'_>, at: Timestamp) -> Vec<Effect> {
    let mut out = Vec::new();
    session.on(event, at, &mut out);
    out
}

fn ticks(effects: &[Effect]) -> Vec<&Tick> {
    effects.iter().filter_map(|effect| if let Effect::Tick(tick) = effect { Some(tick) } else { None }).collect()
}

fn sent(effects: &[Effect]) -> Vec<serde_json::Value> {
    let texts = effects.iter().filter_map(|effect| if let Effect::Send(text) = effect { Some(text) } else { None });
    texts.map(|text| serde_json::from_str(text).expect("a request is JSON")).collect()
}

fn link(session: &Session, channel: Channel, symbol: &str) -> FeedLink {
    let found = session.subscriptions().iter().find(|each| each.channel == channel && each.symbol.as_str() == symbol);
    found.expect("subscription").link(session.is_connected())
}

#[test]
fn every_recorded_frame_is_read() {
    let Some(folder) = fixtures::path("feeds/kraken/ws_v2") else { return };
    let mut seen = 0;
    for file in std::fs::read_dir(folder).expect("a folder") {
        let path = file.expect("entry").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("name").to_owned();
        let text = std::fs::read_to_string(&path).expect("fixture");
        let frame = parse(&text).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        let expected = match name.as_str() {
            "heartbeat" => matches!(frame, Frame::Heartbeat),
            "ws_pong" => matches!(frame, Frame::Pong),
            "status_with_maintenance_arrays" => matches!(frame, Frame::Status { ref system } if system == "online"),
            "ack_ohlc_ok" => matches!(frame, Frame::Ack(ref ack) if ack.symbol.as_deref() == Some("BTC/USDT")),
            "ws_subscribe_response" => matches!(frame, Frame::Ack(ref ack) if ack.req_id == Some(1)),
            "ack_rejected_symbol" => {
                matches!(frame, Frame::Rejection(ref no) if no.symbol.as_deref() == Some("XBT/USDT") && no.req_id.is_none())
            }
            "ack_rejected_depth" => matches!(frame, Frame::Rejection(ref no) if no.symbol.is_none()),
            "ticker_snapshot_btcusd" | "ws_ticker_snapshot" => {
                let Frame::Tickers(rows) = &frame else { panic!("{name}: not a ticker") };
                rows.iter().all(|row| row.as_ref().is_ok_and(|row| check::ticker(row, now()).is_ok()))
            }
            "ws_trade_update" => {
                let Frame::Trades(rows) = &frame else { panic!("{name}: no trades") };
                rows.len() == 2 && rows[0].as_ref().is_ok_and(|row| row.price.to_string() == "105944.20")
            }
            _ => matches!(frame, Frame::Other(ref channel) if channel == "book" || channel == "ohlc"),
        };
        assert!(expected, "{name}: {frame:?}");
        seen += 1;
    }
    assert_eq!(seen, 14);
}

#[test]
fn decimal_text_is_kept_digit_by_digit() {
    let text = TICKER.replace("62703.4", "62703.12345678901234567890123").replace("0.03,", "0.030000000,");
    let Ok(Frame::Tickers(rows)) = parse(&text) else { panic!("a ticker") };
    let row = rows[0].as_ref().expect("row");
    assert_eq!(row.bid.to_string(), "62703.12345678901234567890123");
    assert_eq!(row.bid_qty.to_string(), "0.030000000");
    assert_eq!(row.ask_qty, Size(dec!(0.00000001)));
    assert_eq!(row.last.to_string(), "62702.90");
}

/// The field that a frame is refused for, by the parser or by the value checks.
fn refused_field(text: &str) -> String {
    let mut session = session(&["BTC/USD"]);
    let effects = on(&mut session, Event::Text(text), now());
    let fields: Vec<_> = effects
        .iter()
        .filter_map(
            |effect| if let Effect::Refuse { refusal, .. } = effect { Some(refusal.field.to_string()) } else { None },
        )
        .collect();
    assert!(ticks(&effects).is_empty(), "{text} must not be published");
    assert_eq!(fields.len(), 1, "{text}: {effects:?}");
    fields[0].clone()
}

#[test]
fn each_bad_frame_is_refused_for_the_right_field() {
    let trade = trade_frame("update", &[7]);
    let cases = [
        (TICKER.replace("\"bid\":62703.4,", ""), "bid"),
        (TICKER.replace("62703.4", "\"62703.4\""), "bid"),
        (TICKER.replace("62703.4", "null"), "bid"),
        (TICKER.replace("62703.4", "0"), "bid"),
        (TICKER.replace("62703.4", "-1"), "bid"),
        (TICKER.replace("62703.4", "62710.4"), "bid"),
        (TICKER.replace("0.03,", "-0.03,"), "bid_qty"),
        (TICKER.replace("62710.3", "[1]"), "ask"),
        (TICKER.replace("1E-8", "1E-30"), "ask_qty"),
        (TICKER.replace("62702.90", "62702.90,\"last\":1"), "last"),
        (TICKER.replace("62702.90", "62702.90,\"timestamp\":17"), "timestamp"),
        (TICKER.replace("62702.90", "62702.90,\"timestamp\":\"2026-11-22T12:01:01Z\""), "timestamp"),
        (TICKER.replace("62702.90", "62702.90,\"timestamp\":\"1970-01-21T00:00:00Z\""), "timestamp"),
        (TICKER.replace("\"BTC/USD\"", "\"ETH/USD\""), "symbol"),
        (TICKER.replace("\"BTC/USD\"", "5"), "symbol"),
        (TICKER.replace("\"update\"", "\"delta\""), "type"),
        (TICKER.replace("\"type\":\"update\",", ""), "type"),
        (TICKER.replace("[{", "{").replace("}]", "}"), "data"),
        (r#"{"channel":"ticker","type":"update"}"#.to_owned(), "data"),
        (r#"{"channel":"ticker","type":"update","data":[5]}"#.to_owned(), "data"),
        (trade.replace("\"buy\"", "\"b\""), "side"),
        (trade.replace("0.5", "0"), "qty"),
        (trade.replace(":7,", ":7.5,"), "trade_id"),
        (trade.replace(":7,", ":\"7\","), "trade_id"),
        (trade.replace(":7,", ":99999999999999999999,"), "trade_id"),
        (trade.replace("2026-11-22T11", "2026-13-22T11"), "timestamp"),
        (trade.replace("100.10", "true"), "price"),
        (r#"{"channel":7}"#.to_owned(), "channel"),
        (r#"{"chan":"ticker"}"#.to_owned(), "channel"),
        (r#"{"method":"subscribe","result":{}}"#.to_owned(), "success"),
        (r#"{"method":"subscribe","success":false}"#.to_owned(), "error"),
        (r#"{"channel":"status","data":[{"system":1}]}"#.to_owned(), "system"),
        (r#"{"channel":"ticker","#.to_owned(), "frame"),
        ("[{\"channel\":\"ticker\"}]".to_owned(), "frame"),
        ("42".to_owned(), "frame"),
        (r#"{"Error":"Exceeded msg rate"}"#.to_owned(), "req_id"),
    ];
    for (text, field) in cases {
        assert_eq!(refused_field(&text), field, "{text}");
    }
}

#[test]
fn text_that_is_not_json_is_a_notice_and_unknown_keys_are_tolerated() {
    assert!(matches!(parse("CloudFlare WebSocket proxy restarting"), Ok(Frame::Notice(_))));
    assert!(matches!(parse(""), Ok(Frame::Notice(_))));
    let more = TICKER.replace("\"bid\"", "\"mood\":{\"deep\":[1]},\"bid\"").replace("\"type\"", "\"extra\":1,\"type\"");
    let Ok(Frame::Tickers(rows)) = parse(&more) else { panic!("a ticker") };
    assert!(rows[0].is_ok());
    assert!(matches!(parse(r#"{"channel":"level9","type":"x"}"#), Ok(Frame::Other(name)) if name == "level9"));
}

#[test]
fn one_bad_row_does_not_stop_its_neighbours() {
    let mut session = session(&["BTC/USD"]);
    let text = trade_frame("update", &[7, 8, 9]).replace(":8,", ":-8,");
    let effects = on(&mut session, Event::Text(&text), now());
    assert_eq!(ticks(&effects).len(), 2);
    let raws: Vec<_> = effects
        .iter()
        .filter_map(|effect| if let Effect::Refuse { raw, .. } = effect { Some(raw) } else { None })
        .collect();
    assert!(raws.len() == 1 && raws[0].contains("\"trade_id\":-8,") && !raws[0].contains("\"trade_id\":7,"));
}

#[test]
fn subscriptions_are_paced_and_go_from_asked_to_live() {
    let mut session = session(&["BTC/USD", "ETH/USD", "SOL/USD"]);
    assert_eq!(link(&session, Channel::Ticker, "BTC/USD"), FeedLink::Connecting);
    let asked = sent(&on(&mut session, Event::Opened, now()));
    assert_eq!(asked.len(), 4, "a burst, not all six");
    assert_eq!(asked[0]["params"]["channel"], "ticker");
    assert_eq!(asked[0]["params"]["symbol"], serde_json::json!(["BTC/USD"]));
    assert_eq!(asked[1]["params"]["snapshot"], true);
    assert_eq!(sent(&on(&mut session, Event::Timer, after(100))).len(), 1);
    assert_eq!(sent(&on(&mut session, Event::Timer, after(200))).len(), 1);
    assert_eq!(sent(&on(&mut session, Event::Timer, after(300))).len(), 0);

    assert_eq!(link(&session, Channel::Ticker, "BTC/USD"), FeedLink::Subscribing);
    let ack = format!(r#"{{"method":"subscribe","req_id":{},"success":true,"result":{{}}}}"#, asked[0]["req_id"]);
    on(&mut session, Event::Text(&ack), after(310));
    assert!(matches!(session.subscriptions()[0].state, State::Acked { .. }));
    let effects = on(&mut session, Event::Text(TICKER), after(320));
    assert!(effects.contains(&Effect::Changed));
    let tick = ticks(&effects)[0];
    assert_eq!((tick.event_at, tick.received_at), (after(320), after(320)), "no time of its own: that of its arrival");
    assert!(matches!(tick.kind, TickKind::Quote { last: Price(last), .. } if last == dec!(62702.9)));
    assert_eq!(link(&session, Channel::Ticker, "BTC/USD"), FeedLink::Up);
    assert!(!on(&mut session, Event::Text(TICKER), after(330)).contains(&Effect::Changed), "live already");
}

#[test]
fn a_refused_symbol_is_shown_and_never_asked_again_while_the_others_live() {
    let mut session = session(&["XBT/USD", "BTC/USD"]);
    let asked = sent(&on(&mut session, Event::Opened, now()));
    let no = format!(
        r#"{{"method":"subscribe","req_id":{},"success":false,"error":"Currency pair not supported XBT/USD","symbol":"XBT/USD"}}"#,
        asked[0]["req_id"]
    );
    on(&mut session, Event::Text(&no), after(5));
    let by_symbol_only =
        r#"{"method":"subscribe","success":false,"error":"Currency pair not supported XBT/USD","symbol":"XBT/USD"}"#;
    on(&mut session, Event::Text(by_symbol_only), after(6));
    on(&mut session, Event::Text(TICKER), after(7));
    on(&mut session, Event::Text(&trade_frame("snapshot", &[1, 2])), after(8));
    let refused: Vec<_> = session.subscriptions().iter().filter(|each| each.state == State::Refused).collect();
    assert_eq!(refused.len(), 2);
    assert_eq!(refused[0].reason(), Some("Currency pair not supported XBT/USD"));
    assert_eq!(link(&session, Channel::Trade, "BTC/USD"), FeedLink::Up);

    on(&mut session, Event::Closed { reason: "test" }, after(9));
    let again = sent(&on(&mut session, Event::Opened, after(10)));
    assert_eq!(again.len(), 2, "only the accepted pair is asked for again");
    assert!(again.iter().all(|request| request["params"]["symbol"][0] == "BTC/USD"));
    assert_eq!(link(&session, Channel::Ticker, "XBT/USD"), FeedLink::Refused);
}

#[test]
fn a_refusal_that_may_pass_is_asked_again_later_and_already_subscribed_is_no_refusal() {
    let mut session = session(&["BTC/USD"]);
    let asked = sent(&on(&mut session, Event::Opened, now()));
    let no = |index: usize, words: &str| {
        format!(r#"{{"method":"subscribe","req_id":{},"success":false,"error":"{words}"}}"#, asked[index]["req_id"])
    };
    on(&mut session, Event::Text(&no(0, "EService:Busy")), after(1));
    on(&mut session, Event::Text(&no(1, "Already subscribed to one")), after(1));
    assert!(matches!(session.subscriptions()[1].state, State::Acked { .. }));
    on(&mut session, Event::Text(&trade_frame("update", &[1])), after(2));
    for second in 1..60 {
        on(&mut session, Event::Text(HEARTBEAT), after(second * 1_000));
        assert!(sent(&on(&mut session, Event::Timer, after(second * 1_000))).is_empty());
    }
    on(&mut session, Event::Text(HEARTBEAT), after(60_100));
    assert_eq!(sent(&on(&mut session, Event::Timer, after(60_100))).len(), 1);
}

#[test]
fn heartbeats_keep_a_quiet_connection_and_silence_ends_it() {
    let mut session = session(&["BTC/USD"]);
    on(&mut session, Event::Opened, now());
    on(&mut session, Event::Text(TICKER), after(100));
    on(&mut session, Event::Text(&trade_frame("snapshot", &[1])), after(100));
    on(&mut session, Event::Text(HEARTBEAT), after(3_000));
    assert!(on(&mut session, Event::Timer, after(6_900)).is_empty());
    let effects = on(&mut session, Event::Timer, after(7_001));
    assert_eq!(effects, [Effect::Redial { reason: "no frame for 4001 ms".to_owned() }]);
}

#[test]
fn a_lost_subscription_is_asked_again_alone_and_a_mute_connection_is_given_up() {
    let mut lost = session(&["BTC/USD"]);
    on(&mut lost, Event::Opened, now());
    on(&mut lost, Event::Text(TICKER), after(9_000));
    let again = sent(&on(&mut lost, Event::Timer, after(10_001)));
    assert_eq!(again.len(), 1);
    assert_eq!(again[0]["params"]["channel"], "trade");
    let ack = format!(r#"{{"method":"subscribe","req_id":{},"success":true}}"#, again[0]["req_id"]);
    on(&mut lost, Event::Text(&ack), after(10_100));
    on(&mut lost, Event::Text(HEARTBEAT), after(20_000));
    let methods: Vec<_> =
        sent(&on(&mut lost, Event::Timer, after(20_002))).iter().map(|sent| sent["method"].clone()).collect();
    assert_eq!(methods, ["unsubscribe", "subscribe"], "accepted but mute: begun anew");

    let mut mute = session(&["BTC/USD"]);
    on(&mut mute, Event::Opened, now());
    let mut gave_up = None;
    for second in 1..60_u64 {
        on(&mut mute, Event::Text(HEARTBEAT), after(second * 1_000));
        let effects = on(&mut mute, Event::Timer, after(second * 1_000));
        if effects.iter().any(|effect| matches!(effect, Effect::Redial { .. })) {
            gave_up = Some(second);
            break;
        }
    }
    assert!(matches!(gave_up, Some(30..40)), "{gave_up:?}");
}

#[test]
fn a_snapshot_after_a_reconnect_publishes_only_what_was_missed() {
    let mut session = session(&["BTC/USD"]);
    let ids = |effects: &[Effect]| -> Vec<u64> {
        let id = |tick: &&Tick| if let TickKind::Trade { trade_id, .. } = tick.kind { trade_id } else { 0 };
        ticks(effects).iter().map(id).collect()
    };
    on(&mut session, Event::Opened, now());
    assert_eq!(ids(&on(&mut session, Event::Text(&trade_frame("snapshot", &[3, 1, 2])), now())), [1, 2, 3]);
    assert_eq!(ids(&on(&mut session, Event::Text(&trade_frame("update", &[4])), now())), [4]);
    on(&mut session, Event::Closed { reason: "test" }, after(1));
    on(&mut session, Event::Opened, after(2));
    assert_eq!(ids(&on(&mut session, Event::Text(&trade_frame("snapshot", &[3, 4, 5, 6])), after(3))), [5, 6]);
    assert_eq!(ids(&on(&mut session, Event::Text(&trade_frame("update", &[9])), after(4))), [9]);
    let trades = &session.subscriptions()[1];
    assert_eq!((trades.gaps, trades.duplicates, session.reconnects()), (2, 2, 1));
}

proptest! {
    #[test]
    fn no_text_makes_the_session_panic(text in "\\PC{0,200}") {
        on(&mut session(&["BTC/USD"]), Event::Text(&text), now());
    }

    #[test]
    fn no_mutation_of_a_frame_makes_the_session_panic(
        which in 0_usize..5, at in 0_usize..300, cut in 0_usize..6, put in "[-0-9eE.,:{}\\[\\]\"a-z\\\\]{0,6}"
    ) {
        let trade = trade_frame("snapshot", &[1, 2]);
        let ack = r#"{"method":"subscribe","req_id":1,"success":true,"result":{"channel":"trade","symbol":"BTC/USD"}}"#;
        let status = r#"{"channel":"status","type":"update","data":[{"system":"online","connection_id":16174536464690282295}]}"#;
        let frame = [TICKER, &trade, ack, status, HEARTBEAT][which];
        let (from, to) = (at.min(frame.len()), (at + cut).min(frame.len()));
        let text = format!("{}{put}{}", &frame[..from], &frame[to..]);
        let mut session = session(&["BTC/USD"]);
        on(&mut session, Event::Opened, now());
        let effects = on(&mut session, Event::Text(&text), now());
        for tick in ticks(&effects) {
            prop_assert!(tick.last().decimal() > rust_decimal::Decimal::ZERO);
        }
    }
}
