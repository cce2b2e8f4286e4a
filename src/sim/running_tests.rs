use std::collections::BTreeSet;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

fn settings() -> Settings {
    Settings { speed: 1.0, seed: 1, history: None, port: 0 }
}

struct Client(WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>);

impl Client {
    async fn connect(running: &Running) -> Self {
        Self(connect_async(&running.endpoints.kraken_ws).await.expect("connects").0)
    }

    async fn send(&mut self, request: &Value) {
        self.0.send(Message::text(request.to_string())).await.expect("sends");
    }

    /// The next frame, as text.
    async fn text(&mut self) -> String {
        let message =
            timeout(PATIENCE, self.0.next()).await.expect("a frame in time").expect("open").expect("readable");
        message.into_text().expect("text").to_string()
    }

    /// The next frame that fits.
    async fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let frame: Value = serde_json::from_str(&self.text().await).expect("JSON");
            if fits(&frame) {
                return frame;
            }
        }
    }
}

fn is(channel: &'static str, kind: &'static str) -> impl Fn(&Value) -> bool {
    move |frame| frame["channel"] == channel && frame["type"] == kind
}

async fn get(url: String) -> (u16, Value) {
    let answer = timeout(PATIENCE, reqwest::get(&url)).await.expect("in time").expect("answers");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().expect("an object").keys().cloned().collect()
}

/// A recorded frame, or nothing where the recordings are not at hand.
fn fixture(path: &str) -> Option<Value> {
    crate::fixtures::text(path).map(|text| serde_json::from_str(&text).expect("JSON"))
}

/// The frame has every key of the recorded one, on each level that holds data.
fn assert_shape(frame: &Value, path: &str) {
    let Some(recorded) = fixture(path) else { return };
    assert!(keys(frame).is_superset(&keys(&recorded)), "{path}: {frame}");
    for part in ["result", "data"] {
        if let Some(recorded) = recorded.get(part) {
            let (row, recorded) =
                if recorded.is_array() { (&frame[part][0], &recorded[0]) } else { (&frame[part], recorded) };
            assert!(keys(row).is_superset(&keys(recorded)), "{path} {part}: {frame}");
            for (key, value) in recorded.as_object().expect("an object") {
                let same = std::mem::discriminant(&row[key]) == std::mem::discriminant(value);
                assert!(same, "{path} {part}.{key} is of another type: {}", row[key]);
            }
        }
    }
}

#[tokio::test]
async fn a_client_of_kraken_gets_status_acks_snapshots_updates_and_heartbeats() {
    let running = start(settings()).await.expect("starts");
    let mut client = Client::connect(&running).await;
    let status: Value = serde_json::from_str(&client.text().await).expect("JSON");
    assert_shape(&status, "feeds/kraken/ws_v2/status_with_maintenance_arrays.json");
    assert!(status["data"][0]["connection_id"].as_u64().expect("an integer") > 1 << 53);

    client.send(&json!({"method": "subscribe", "req_id": 1, "params": {"channel": "ticker", "symbol": ["BTC/USD", "ETH/USD"]}})).await;
    let ack = client.until(|frame| frame["method"] == "subscribe").await;
    assert_shape(&ack, "feeds/kraken/ws_v2/ws_subscribe_response.json");
    let snapshot = client.until(is("ticker", "snapshot")).await;
    assert_shape(&snapshot, "feeds/kraken/ws_v2/ticker_snapshot_btcusd.json");
    let ack = client.until(|frame| frame["method"] == "subscribe").await;
    assert_eq!(ack["result"]["symbol"], "ETH/USD");

    client
        .send(&json!({"method": "subscribe", "params": {"channel": "trade", "symbol": ["BTC/USD"], "snapshot": true}}))
        .await;
    let snapshot = client.until(is("trade", "snapshot")).await;
    assert_eq!(snapshot["data"].as_array().expect("rows").len(), 50);
    let mut next = snapshot["data"][49]["trade_id"].as_u64().expect("an id") + 1;
    for _ in 0..5 {
        let update = client.until(is("trade", "update")).await;
        assert_shape(&update, "feeds/kraken/ws_v2/ws_trade_update.json");
        for row in update["data"].as_array().expect("rows") {
            assert_eq!(row["trade_id"], next, "consecutive over snapshot and updates");
            next += 1;
        }
    }
    let update = client.until(is("ticker", "update")).await;
    assert!(update["data"][0]["bid"].as_f64() < update["data"][0]["ask"].as_f64());
    let heartbeat = client.until(|frame| frame["channel"] == "heartbeat").await;
    assert_eq!(heartbeat, json!({"channel": "heartbeat"}));

    client.send(&json!({"method": "ping", "req_id": 42})).await;
    let pong = client.until(|frame| frame["method"] == "pong").await;
    assert_shape(&pong, "feeds/kraken/ws_v2/ws_pong.json");
    client.send(&json!({"method": "subscribe", "params": {"channel": "ticker", "symbol": ["XBT/USDT"]}})).await;
    let refusal = client.until(|frame| frame["success"] == false).await;
    assert_shape(&refusal, "feeds/kraken/ws_v2/ack_rejected_symbol.json");
    running.stop().await;
}

#[tokio::test]
async fn kraken_rest_answers_in_the_venues_envelope() {
    let running = start(settings()).await.expect("starts");
    let base = format!("{}/0/public", running.endpoints.kraken_rest);
    let (status, time) = get(format!("{base}/Time")).await;
    assert_eq!(status, 200);
    assert_shape(&time, "feeds/kraken/rest/http_server_time.json");
    let (_, system) = get(format!("{base}/SystemStatus")).await;
    assert_shape(&system, "feeds/kraken/rest/http_system_status.json");
    let (_, ticker) = get(format!("{base}/Ticker?pair=XBTUSD,SOLUSD")).await;
    assert_eq!(keys(&ticker["result"]), BTreeSet::from(["SOLUSD".to_owned(), "XXBTZUSD".to_owned()]));
    if let Some(recorded) = fixture("feeds/kraken/rest/http_ticker.json") {
        assert_eq!(keys(&ticker["result"]["XXBTZUSD"]), keys(&recorded["result"]["XBTUSDT"]));
    }
    let (status, refusal) = get(format!("{base}/Ticker?pair=NOPE")).await;
    assert_eq!((status, refusal), (200, json!({"error": ["EQuery:Unknown asset pair"]})));
    let (_, pairs) = get(format!("{base}/AssetPairs")).await;
    assert_eq!(pairs["result"]["XXBTZUSD"]["wsname"], "XBT/USD");
    running.stop().await;
}

/// The slugs of all markets, read page by page, which must be the same as at once.
async fn paged(gamma: &str) -> Vec<serde_json::Value> {
    let (_, all) = get(format!("{gamma}/markets/keyset?limit=100")).await;
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let (_, page) = get(format!("{gamma}/markets/keyset?limit=5{after}")).await;
        seen.extend(page["markets"].as_array().expect("markets").iter().map(|market| market["slug"].clone()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        after = format!("&after_cursor={cursor}");
    }
    let slugs: Vec<_> =
        all["markets"].as_array().expect("markets").iter().map(|market| market["slug"].clone()).collect();
    assert_eq!(seen, slugs, "page by page as at once");
    assert!(seen.len() > 5);
    seen
}

#[tokio::test]
async fn gamma_finds_open_markets_by_slug_in_the_recorded_shape() {
    // Not over the end of a window: the market would have closed before it is asked for.
    while clock::now().secs() % 300 >= 295 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let running = start(settings()).await.expect("starts");
    let [rolling, quiet] = running.markets.as_slice() else { panic!("two markets: {:?}", running.markets) };
    assert!(rolling.slug.starts_with("btc-updown-5m-"));
    assert_eq!(quiet.slug, "quiet-sample-market");
    let gamma = &running.endpoints.gamma;
    let (status, found) = get(format!("{gamma}/markets?slug={}", rolling.slug)).await;
    assert_eq!(status, 200);
    let market = &found[0];
    assert_eq!(market["conditionId"], rolling.condition_id.as_str());
    let inside = |field: &str| -> Vec<String> {
        serde_json::from_str(market[field].as_str().expect("a string")).expect("JSON in the string")
    };
    assert_eq!(inside("outcomes"), ["Up", "Down"]);
    assert_eq!(inside("clobTokenIds"), [rolling.tokens[0].token_id.as_str(), rolling.tokens[1].token_id.as_str()]);
    let prices: Vec<Price> = inside("outcomePrices").iter().map(|price| price.parse().expect("a price")).collect();
    assert_eq!(prices[0] + prices[1], Price(rust_decimal::dec!(1)));
    assert_eq!((market["closed"].as_bool(), market["acceptingOrders"].as_bool()), (Some(false), Some(true)));
    assert_eq!(market["orderPriceMinTickSize"], json!(0.01));
    assert_eq!(market["feeSchedule"]["rate"], json!(0.07));
    if let Some(recorded) = fixture("feeds/polymarket/gamma_market.json") {
        let recorded = recorded.get(0).unwrap_or(&recorded);
        for key in [
            "id",
            "question",
            "conditionId",
            "slug",
            "endDate",
            "startDate",
            "eventStartTime",
            "outcomes",
            "outcomePrices",
            "clobTokenIds",
            "active",
            "closed",
            "enableOrderBook",
            "orderPriceMinTickSize",
            "orderMinSize",
            "acceptingOrders",
            "negRisk",
            "events",
            "makerBaseFee",
            "takerBaseFee",
            "feesEnabled",
            "feeType",
            "bestBid",
            "bestAsk",
            "spread",
        ] {
            let same = std::mem::discriminant(&market[key]) == std::mem::discriminant(&recorded[key]);
            assert!(same, "{key}: {} instead of {}", market[key], recorded[key]);
        }
    }
    assert_eq!(get(format!("{gamma}/markets?slug={}&closed=true", rolling.slug)).await.1, json!([]));
    assert_eq!(get(format!("{gamma}/markets?slug=nothing")).await.1, json!([]));
    assert_eq!(get(format!("{gamma}/markets?closed=maybe")).await.0, 422);
    let (_, events) = get(format!("{gamma}/events?slug={}", rolling.slug)).await;
    assert_eq!(events[0]["markets"][0]["conditionId"], rolling.condition_id.as_str());
    assert!(paged(gamma).await.contains(&json!(rolling.slug)));
    let (_, one) = get(format!("{gamma}/markets/slug/{}", quiet.slug)).await;
    assert_eq!(one["slug"], "quiet-sample-market");
    assert_eq!(get(format!("{gamma}/markets/slug/nothing")).await.0, 404);
    running.stop().await;
}

#[tokio::test]
async fn the_truth_lists_orders_trades_open_orders_and_balances() {
    let running = start(settings()).await.expect("starts");
    let (status, truth) = get(format!("{}/state", running.endpoints.truth)).await;
    assert_eq!(status, 200);
    for key in ["orders", "trades", "open_orders", "balances"] {
        assert!(truth.get(key).is_some(), "{key}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_and_ports_count_up() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("binds");
    let port = taken.local_addr().expect("an address").port();
    let error = start(Settings { port, ..settings() }).await.expect_err("must fail").to_string();
    assert!(error.contains(&format!("port {port} of 127.0.0.1 cannot be had")), "{error}");
    assert!(error.contains("kraken_ws"), "{error}");
}

#[tokio::test]
async fn settings_out_of_range_are_refused_with_what_is_right() {
    for speed in [0.0, -1.0, f64::NAN, f64::INFINITY, 1_001.0] {
        let error = start(Settings { speed, ..settings() }).await.expect_err("must fail").to_string();
        assert!(error.contains("is not above 0 and at most 1000"), "{error}");
    }
    let error = start(Settings { port: 65_531, ..settings() }).await.expect_err("must fail").to_string();
    assert!(error.contains("65530"), "{error}");
}

#[tokio::test]
async fn a_history_of_ones_own_is_played() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tape.csv");
    let history = Some(file.clone());
    std::fs::write(&file, "time,symbol,price\n1,BTC/USD,100\n2,BTC/USD,101.5\n3,BTC/USD,99\n").expect("writes");
    let running = start(Settings { history: history.clone(), speed: 10.0, ..settings() }).await.expect("starts");
    let mut client = Client::connect(&running).await;
    client.send(&json!({"method": "subscribe", "params": {"channel": "trade", "symbol": ["BTC/USD"]}})).await;
    let update = client.until(|frame| frame["channel"] == "trade" && frame["data"][0]["price"] == json!(101.5)).await;
    assert_eq!(update["data"][0]["side"], "buy");
    running.stop().await;
    std::fs::write(&file, "time,symbol,price\n1,ETH/USD,100\n").expect("writes");
    let error = start(Settings { history, ..settings() }).await.expect_err("must fail").to_string();
    assert_eq!(error, "history has no row of BTC/USD, the pair that the rolling market follows");
}

#[tokio::test]
async fn stopping_closes_connections_and_frees_the_ports() {
    let running = start(settings()).await.expect("starts");
    let address = running.endpoints.kraken_rest.trim_start_matches("http://").to_owned();
    let mut client = Client::connect(&running).await;
    client.text().await;
    timeout(PATIENCE, running.stop()).await.expect("stops");
    assert!(TcpListener::bind(&address).await.is_ok());
    timeout(PATIENCE, async { while client.0.next().await.is_some_and(|message| message.is_ok()) {} })
        .await
        .expect("the connection ends");
}

#[test]
fn accounts_are_the_public_development_ones_and_keys_are_not_shown() {
    let accounts = open_accounts(&Exchange::new(1)).expect("made");
    let addresses: Vec<&str> = accounts.iter().map(|account| account.address.as_str()).collect();
    assert_eq!(
        addresses,
        [
            "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
            "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
            "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
        ]
    );
    let shown = format!("{accounts:?}");
    assert!(!shown.contains("ac0974") && shown.contains("0xf39F"), "{shown}");
}
