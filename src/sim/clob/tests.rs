use std::time::Duration;

use alloy_primitives::{Address, U256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use futures::{SinkExt, StreamExt};
use hmac::{Hmac, Mac};
use rust_decimal::{Decimal, dec};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::sync::CancellationToken;

use super::verify::{BadSignature, Domain, OrderTerms, recover_auth};
use super::*;
use crate::clock;
use crate::domain::{
    FeeSchedule, Market, MarketId, OrderId, OutcomeToken, Price, Protocol, Side, Size, Slug, TimeInForce, TokenId, Usd,
};
use crate::sim::exchange::{AccountId, AccountKind, Credentials, NewOrder};

const TOKEN: &str = "71321045679252212594626385532706912750332728571942532289631379312455583992563";
const OTHER: &str = "52114319501245915516055106046884209969926127482827954674443846427813813222426";
const CLIENT: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const PATIENCE: Duration = Duration::from_secs(30);

/// The published vectors, or nothing when the folder is not there.
fn vectors() -> Option<Value> {
    crate::fixtures::text("polymarket/vectors.json").map(|text| serde_json::from_str(&text).expect("JSON"))
}

fn rows<'a>(vectors: &'a Value, name: &str) -> &'a Vec<Value> {
    vectors[name].as_array().expect("a list")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn uint(value: &Value) -> U256 {
    U256::from_str_radix(text(value), 10).expect("an integer")
}

fn terms_of(body: &Value) -> OrderTerms {
    let order = &body["order"];
    OrderTerms {
        salt: U256::from(order["salt"].as_u64().expect("a number")),
        maker: text(&order["maker"]).parse().expect("an address"),
        signer: text(&order["signer"]).parse().expect("an address"),
        token: uint(&order["tokenId"]),
        maker_amount: uint(&order["makerAmount"]),
        taker_amount: uint(&order["takerAmount"]),
        side: u8::from(order["side"] == "SELL"),
        signature_type: u8::try_from(order["signatureType"].as_u64().expect("a number")).expect("small"),
        timestamp: uint(&order["timestamp"]),
        metadata: text(&order["metadata"]).parse().expect("32 bytes"),
        builder: text(&order["builder"]).parse().expect("32 bytes"),
    }
}

#[test]
fn every_published_order_has_its_id_and_its_signer() {
    let Some(vectors) = vectors() else { return };
    for row in rows(&vectors, "orders") {
        let (name, inputs) = (text(&row["name"]), &row["inputs"]);
        let body: Value = serde_json::from_str(text(&row["wire_body"])).expect("the body is JSON");
        let terms = terms_of(&body);
        let domain = Domain::of(terms.token, inputs["neg_risk"].as_bool().expect("a flag"));
        assert_eq!(terms.id(domain).to_string(), text(&row["order_hash"]), "{name}");
        let key: Address = text(&inputs["signer_eoa"]).parse().expect("an address");
        let signature = alloy_primitives::hex::decode(text(&row["signature"])).expect("hex");
        assert_eq!(terms.verify(&signature, key, domain), Ok(()), "{name}");
        assert_eq!(terms.verify(&signature, Address::ZERO, domain), Err(BadSignature::Invalid), "{name}");
        let changed = OrderTerms { taker_amount: terms.taker_amount + U256::ONE, ..terms.clone() };
        assert_eq!(changed.verify(&signature, key, domain), Err(BadSignature::Invalid), "{name}");
        let elsewhere = Domain::of(if inputs["protocol_version"] == "3" { U256::MAX } else { U256::ONE }, false);
        assert_eq!(terms.verify(&signature, key, elsewhere), Err(BadSignature::Version), "{name}");
    }
}

#[test]
fn published_l1_signatures_are_recovered() {
    let Some(vectors) = vectors() else { return };
    for row in rows(&vectors, "l1_clob_auth") {
        let headers = &row["headers"];
        let address: Address = text(&headers["POLY_ADDRESS"]).parse().expect("an address");
        let signature = alloy_primitives::hex::decode(text(&headers["POLY_SIGNATURE"])).expect("hex");
        let (at, nonce) = (text(&headers["POLY_TIMESTAMP"]), row["nonce"].as_u64().expect("a number"));
        assert_eq!(recover_auth(address, at, nonce, &signature), Some(address));
        assert_ne!(recover_auth(address, at, nonce + 1, &signature), Some(address));
    }
}

/// The venue on loopback with a quiet book and a client that has a key.
struct Bench {
    exchange: Exchange,
    rest: String,
    sockets: String,
    credentials: Credentials,
    shutdown: CancellationToken,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn order(id: &str, side: Side, price: Decimal, shares: Decimal) -> NewOrder {
    NewOrder {
        id: OrderId::new(id),
        token: TokenId::new(TOKEN),
        side,
        price: Price(price),
        size: Size(shares),
        tif: TimeInForce::Gtc,
        post_only: false,
        expiration: None,
    }
}

async fn bench() -> Bench {
    let exchange = Exchange::new(1);
    let (house, client) = (AccountId::new("house"), AccountId::new(CLIENT));
    exchange.open_account(&house, AccountKind::House, Usd::ZERO);
    exchange.open_account(&client, AccountKind::Client, Usd(dec!(1000)));
    let token = |token: &str, name: &str| OutcomeToken { token: TokenId::new(token), outcome: name.to_owned() };
    let market = Market {
        slug: Slug::new("quiet"),
        market: MarketId::new(format!("0x{}", "5a".repeat(32))),
        tokens: [token(TOKEN, "Yes"), token(OTHER, "No")],
        tick_size: Price(dec!(0.01)),
        min_size: Size(dec!(5)),
        neg_risk: false,
        protocol: Protocol::V2,
        fee: FeeSchedule::FREE,
        opens_at: None,
        closes_at: None,
        accepting_orders: true,
        payouts: None,
        question: None,
        group: None,
    };
    exchange.list_market(market, clock::now());
    exchange.place(&house, order("bid", Side::Buy, dec!(0.4), dec!(100)), clock::now()).expect("rests");
    exchange.place(&house, order("ask", Side::Sell, dec!(0.6), dec!(100)), clock::now()).expect("rests");
    let credentials = exchange.create_key(&client, 0).expect("new");
    let bind = || TcpListener::bind("127.0.0.1:0");
    let (rest, sockets) = (bind().await.expect("a port"), bind().await.expect("a port"));
    let address = |listener: &TcpListener| listener.local_addr().expect("bound").to_string();
    let shutdown = CancellationToken::new();
    let bench = Bench {
        rest: format!("http://{}", address(&rest)),
        sockets: format!("ws://{}", address(&sockets)),
        exchange: exchange.clone(),
        credentials,
        shutdown: shutdown.clone(),
    };
    tokio::spawn(serve_clob(exchange.clone(), rest, shutdown.clone()));
    tokio::spawn(serve_clob_ws(exchange, sockets, shutdown));
    bench
}

impl Bench {
    fn signature(&self, message: &str) -> String {
        let secret = URL_SAFE.decode(&self.credentials.secret).expect("base64");
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret).expect("any length");
        mac.update(message.as_bytes());
        URL_SAFE.encode(mac.finalize().into_bytes())
    }

    /// Sends `body` with a signature over `signed`, `age` seconds old.
    async fn send(&self, method: &str, path: &str, body: &str, signed: &str, age: i64) -> (u16, Value) {
        let at = clock::now().secs() - age;
        let bare = path.split('?').next().expect("a path");
        let request = reqwest::Client::new()
            .request(method.parse().expect("a method"), format!("{}{path}", self.rest))
            .header("POLY_ADDRESS", CLIENT)
            .header("POLY_API_KEY", &self.credentials.key)
            .header("POLY_PASSPHRASE", &self.credentials.passphrase)
            .header("POLY_TIMESTAMP", at.to_string())
            .header("POLY_SIGNATURE", self.signature(&format!("{at}{method}{bare}{signed}")))
            .body(body.to_owned());
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    async fn call(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.send(method, path, body, body, 0).await
    }

    async fn socket(&self, path: &str, hello: Value) -> Socket {
        let (mut stream, _) =
            tokio_tungstenite::connect_async(format!("{}{path}", self.sockets)).await.expect("connects");
        stream.send(Message::text(hello.to_string())).await.expect("sends");
        Socket(stream)
    }

    /// A user socket that is known to be listening.
    async fn user(&self) -> Socket {
        let Credentials { key, secret, passphrase, .. } = &self.credentials;
        let auth = json!({ "apiKey": key, "secret": secret, "passphrase": passphrase });
        let mut socket = self.socket("/ws/user", json!({ "type": "user", "auth": auth })).await;
        socket.ping().await;
        socket
    }

    fn place(&self, id: &str, side: Side, price: Decimal, shares: Decimal) {
        self.exchange.place(&AccountId::new(CLIENT), order(id, side, price, shares), clock::now()).expect("accepted");
    }
}

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn text(&mut self) -> Option<String> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("something within the time");
            match next {
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await.expect("still open")).expect("JSON")
    }

    async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.expect("sends");
    }

    /// The answer also tells that everything said before was understood.
    async fn ping(&mut self) {
        self.say("PING").await;
        assert_eq!(self.text().await.as_deref(), Some("PONG"));
    }
}

#[tokio::test]
async fn l2_covers_method_path_body_and_time() {
    let bench = bench().await;
    assert_eq!(bench.call("GET", "/auth/api-keys", "").await.0, 200);
    assert_eq!(bench.call("GET", "/data/orders?next_cursor=MA==", "").await.0, 200, "the query is not covered");
    let body = r#"{"heartbeat_id":"it's"}"#;
    assert_eq!(bench.call("POST", "/v1/heartbeats", body).await.0, 400, "as it is");
    let quoted = body.replace('\'', "\"");
    assert_eq!(bench.send("POST", "/v1/heartbeats", body, &quoted, 0).await.0, 400, "with quotes, as one client does");
    for (signed, age) in [("x", 0), ("", 301)] {
        let (status, answer) = bench.send("GET", "/auth/api-keys", "", signed, age).await;
        assert_eq!((status, text(&answer["error"])), (401, "Unauthorized/Invalid api key"));
    }
}

#[tokio::test]
async fn malformed_orders_are_refused_and_nothing_else_stops() {
    let bench = bench().await;
    for body in ["", "{}", "[]", "null", r#"{"order":{"salt":-1}}"#, r#"{"order":7,"owner":"","orderType":"GTC"}"#] {
        let (status, answer) = bench.call("POST", "/order", body).await;
        assert_eq!((status, text(&answer["error"])), (400, "Invalid order payload"), "{body}");
    }
    let legacy = r#"{"order":{"salt":1,"taker":"0x0","nonce":"0","feeRateBps":"0"},"owner":"","orderType":"GTC"}"#;
    assert_eq!(bench.call("POST", "/order", legacy).await.1["error"], "order_version_mismatch");
    for (method, path) in [("DELETE", "/order"), ("DELETE", "/orders"), ("DELETE", "/cancel-market-orders")] {
        assert_eq!(bench.call(method, path, "{}").await.0, 400, "{path}");
    }
    assert_eq!(bench.call("GET", "/data/order/0x1", "").await.0, 404);
    assert_eq!(bench.call("GET", "/data/trades?after=yesterday", "").await.0, 400);
    assert_eq!(bench.call("GET", "/ok", "").await, (200, json!("OK")));
}

#[tokio::test]
async fn the_market_socket_gives_a_snapshot_and_then_what_changes() {
    let bench = bench().await;
    let hello = json!({ "type": "market", "assets_ids": [TOKEN], "custom_feature_enabled": false });
    let mut socket = bench.socket("/ws/market", hello).await;
    let snapshot = socket.json().await;
    assert_eq!((&snapshot[0]["event_type"], &snapshot[0]["asset_id"]), (&json!("book"), &json!(TOKEN)));
    assert_eq!(snapshot[0]["bids"], json!([{ "price": "0.4", "size": "100" }]));
    socket.ping().await;
    socket.say("no json").await;
    socket.say(&json!({ "operation": "subscribe", "assets_ids": [TOKEN] }).to_string()).await;
    assert_eq!(socket.text().await.as_deref(), Some("NO NEW ASSETS"));
    bench.place("a", Side::Buy, dec!(0.6), dec!(10));
    let last = socket.json().await;
    assert_eq!((text(&last["event_type"]), text(&last["price"])), ("last_trade_price", "0.6"));
    let change = socket.json().await;
    assert_eq!(text(&change["event_type"]), "price_change");
    let levels = change["price_changes"].as_array().expect("a list");
    assert_eq!(levels.len(), 1, "the other token was not asked for");
    assert_eq!((text(&levels[0]["side"]), text(&levels[0]["price"]), text(&levels[0]["size"])), ("SELL", "0.6", "90"));
    let book = socket.json().await;
    assert_eq!((text(&book["event_type"]), &book["hash"]), ("book", &levels[0]["hash"]));
    assert_eq!(book["asks"], json!([{ "price": "0.6", "size": "90" }]));
    socket.say(&json!({ "operation": "unsubscribe", "assets_ids": [TOKEN] }).to_string()).await;
    socket.ping().await;
    bench.place("b", Side::Buy, dec!(0.6), dec!(10));
    socket.ping().await;
}

#[tokio::test]
async fn the_user_socket_tells_a_kill_and_every_settlement_step() {
    let bench = bench().await;
    let mut socket = bench.user().await;
    let fok = NewOrder { tif: TimeInForce::Fok, ..order("f", Side::Buy, dec!(0.6), dec!(200)) };
    bench.exchange.place(&AccountId::new(CLIENT), fok, clock::now()).expect_err("killed");
    let kill = socket.json().await;
    assert_eq!((text(&kill["type"]), text(&kill["size_matched"])), ("CANCELLATION", ""));
    assert!(text(&kill["status"]).starts_with("CANCELED_order couldn't be fully filled."));
    bench.place("a", Side::Buy, dec!(0.6), dec!(10));
    let placed = socket.json().await;
    assert_eq!((text(&placed["type"]), text(&placed["status"])), ("PLACEMENT", "MATCHED"));
    let matched = socket.json().await;
    assert_eq!((text(&matched["event_type"]), text(&matched["status"])), ("trade", "MATCHED"));
    for (after, status) in [(5, "MINED"), (10, "CONFIRMED")] {
        bench.exchange.advance(clock::now().plus(Duration::from_secs(after)));
        let frame = socket.json().await;
        assert_eq!((&frame["id"], text(&frame["status"])), (&matched["id"], status));
        assert!(text(&frame["transaction_hash"]).starts_with("0x"));
    }
}

#[tokio::test]
async fn a_user_socket_with_wrong_credentials_is_closed() {
    let bench = bench().await;
    let auth = json!({ "apiKey": bench.credentials.key, "secret": "wrong", "passphrase": "wrong" });
    let mut socket = bench.socket("/ws/user", json!({ "type": "user", "auth": auth })).await;
    assert_eq!(socket.text().await, None);
}

#[tokio::test]
async fn a_shutdown_ends_the_sockets() {
    let bench = bench().await;
    let mut socket = bench.user().await;
    bench.shutdown.cancel();
    assert_eq!(socket.text().await, None);
}

#[tokio::test]
async fn a_deaf_socket_answers_ping_when_its_silence_is_over() {
    let bench = bench().await;
    let mut socket = bench.user().await;
    let rule = json!({ "kind": "ws_stall", "probability": 1, "limit": 1, "for_ms": 5_000, "pong": false });
    let plan = json!({ "faults": [rule] }).to_string();
    bench.exchange.faults().set(crate::sim::faults::Plan::parse(plan.as_bytes()).expect("a plan"));
    bench.place("0xlost", Side::Buy, dec!(0.41), dec!(10));
    let thought_of = async {
        while bench.exchange.faults().struck("ws_stall") == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, thought_of).await.expect("the event is on its way");
    let began = clock::monotonic();
    socket.ping().await;
    assert!(began.elapsed() > Duration::from_secs(1), "{:?}", began.elapsed());
    bench.place("0xtold", Side::Buy, dec!(0.41), dec!(10));
    assert_eq!(socket.json().await["id"], "0xtold");
}

#[tokio::test]
async fn faults_of_the_account_leave_the_market_alone_and_the_other_way_round() {
    let bench = bench().await;
    let mut user = bench.user().await;
    let mut market = bench.socket("/ws/market", json!({ "type": "market", "assets_ids": [TOKEN] })).await;
    assert_eq!(market.json().await[0]["event_type"], "book");
    let rule = json!({ "kind": "ws_duplicate", "probability": 1, "on": ["market"] });
    let plan = json!({ "faults": [rule] }).to_string();
    bench.exchange.faults().set(crate::sim::faults::Plan::parse(plan.as_bytes()).expect("a plan"));
    for id in ["0xone", "0xtwo"] {
        bench.place(id, Side::Buy, dec!(0.41), dec!(10));
    }
    let told = [market.json().await, market.json().await, market.json().await, market.json().await];
    assert_eq!((&told[0], &told[2]), (&told[1], &told[3]));
    assert_ne!(told[0], told[2]);
    assert_eq!((&user.json().await["id"], &user.json().await["id"]), (&json!("0xone"), &json!("0xtwo")));
}
