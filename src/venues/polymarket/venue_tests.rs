#[path = "connect_tests.rs"]
mod connect;
#[path = "trades_tests.rs"]
mod trades;

use rust_decimal::dec;
use serde_json::{Value, json};

use super::super::budget::Rates;
use super::super::intent::tests::{NOW, UP, intent, market};
use super::super::signing::SignatureType;
use super::super::test_server::{API_KEY, CREDENTIALS, EXCHANGES, KEY, Seen, Server, collateral};
use super::*;
use crate::domain::{
    Book, CallClass, Funds, Level, Price, Protocol, RejectCode, Side, Size, TokenId, TradingState, Usd,
};
use crate::exec::venue::VenueOrderStatus;
use crate::risk::checks::bench;
use crate::risk::{Equity, Holdings, Limits, Recent, RiskGate, RiskView};

const POSITION: &str = "663574927012476832975694178961957910328055987427402067619466963999000625152";

fn settings(url: &str) -> Settings {
    Settings {
        clob: url.to_owned(),
        clob_ws: "ws://127.0.0.1:9".into(),
        chain_id: 137,
        signature_type: SignatureType::Eoa,
        wallet: None,
        rates: Rates::STANDARD,
    }
}

fn key() -> LocalKey {
    LocalKey::from_hex(KEY).expect("key")
}

fn venue(url: &str) -> Arc<PolymarketVenue> {
    PolymarketVenue::new(&settings(url), key()).expect("a venue")
}

async fn connected(
    script: impl Fn(&Seen, usize) -> (u16, String) + Send + Sync + 'static,
) -> (Server, Arc<PolymarketVenue>) {
    let server = Server::start(script).await;
    let venue = venue(&server.url);
    venue.connect().await.expect("connects");
    (server, venue)
}

fn standard(_: &Seen, _: usize) -> (u16, String) {
    (0, String::new())
}

fn approved(intent: OrderIntent, market: &Market) -> Approved<OrderIntent> {
    let now = Timestamp::from_secs(NOW);
    let level = |price| vec![Level { price: Price(price), size: Size(dec!(1000)) }];
    let book = Book {
        market: market.market.clone(),
        token: intent.token.clone(),
        bids: level(dec!(0.50)),
        asks: level(dec!(0.52)),
        event_at: now,
        received_at: now,
        heard_at: None,
    };
    let limits = Limits {
        order_size: Size(dec!(10000)),
        order_notional: Usd(dec!(10000)),
        price_collar: dec!(0.9),
        position_cap: Size(dec!(10000)),
        gross_exposure: Usd(dec!(10000)),
        data_age: Duration::from_mins(1),
        ..bench::wide()
    };
    let holdings = Holdings::new();
    let view = RiskView {
        trading_state: TradingState::Active,
        epoch: intent.epoch,
        market: Some(market),
        book: Some(&book),
        source_at: Some(now),
        holdings: &holdings,
        recent: &Recent::new(),
        equity: Ok(Equity::default()),
        group: None,
        halted: None,
        breaker: None,
        repeats: 0,
        funds: Some(Funds { free: Usd(dec!(10_000_000)), allowance: None }),
        fee: RiskView::fee_of(&intent, Some(market)),
    };
    RiskGate::new(limits).check(intent, &view, now).expect("within every limit")
}

#[tokio::test]
async fn the_same_intent_gives_the_same_bytes_and_another_attempt_another_order() {
    let (_server, venue) = connected(standard).await;
    let market = market();
    let first = venue.sign(&approved(intent(), &market), &market).expect("signs");
    let again = venue.sign(&approved(intent(), &market), &market).expect("signs");
    assert_eq!((first.order(), first.body(), first.digest()), (again.order(), again.body(), again.digest()));
    assert_eq!(venue.identify(&intent(), &market).as_ref(), Ok(first.order()));
    assert_eq!(first.digest(), hex::encode(Sha256::digest(first.body())));

    let retry = OrderIntent { attempt: 2, ..intent() };
    let other = venue.sign(&approved(retry, &market), &market).expect("signs");
    assert_ne!(other.order(), first.order());

    let body: Value = serde_json::from_slice(first.body()).expect("json");
    assert_eq!(body["owner"], API_KEY);
    assert_eq!(
        (&body["orderType"], &body["postOnly"], &body["order"]["expiration"]),
        (&json!("GTC"), &json!(false), &json!("0"))
    );
    assert_eq!(body["order"]["timestamp"], "1795348800000");
    assert_eq!((&body["order"]["makerAmount"], &body["order"]["takerAmount"]), (&json!("5200000"), &json!("10000000")));
    assert!(!format!("{first:?} {venue:?}").contains(body["order"]["signature"].as_str().expect("text")));
}

#[tokio::test]
async fn every_wallet_and_protocol_signs_what_the_venue_would_verify() {
    let server = Server::start(standard).await;
    for signature_type in [SignatureType::Eoa, SignatureType::Proxy, SignatureType::Safe, SignatureType::DepositWallet]
    {
        for (protocol, token) in [(Protocol::V2, UP), (Protocol::V3, POSITION)] {
            let settings = Settings { signature_type, ..settings(&server.url) };
            let venue = PolymarketVenue::new(&settings, key()).expect("a venue");
            venue.connect().await.expect("connects");
            let mut market = market();
            market.protocol = protocol;
            market.tokens[0].token = TokenId::new(token);
            let intent = OrderIntent { token: token.into(), ..intent() };
            let signed = venue.sign(&approved(intent.clone(), &market), &market).expect("signs");
            let body: Value = serde_json::from_slice(signed.body()).expect("json");
            let signature = body["order"]["signature"].as_str().expect("text").trim_start_matches("0x");
            let (order, exchange) = venue.order_of(&intent, &market).expect("an order");
            let verified = signing::verify_order(&order, &exchange, &hex::decode(signature).expect("hex"));
            assert_eq!(verified, Ok(key().address()), "{signature_type} {protocol:?}");
        }
    }
}

#[test]
fn settings_are_refused_by_name() {
    let refuse = |change: &dyn Fn(&mut Settings), said: &str| {
        let mut settings = settings("http://127.0.0.1:1");
        change(&mut settings);
        let error = PolymarketVenue::new(&settings, key()).expect_err(said).to_string();
        assert!(error.contains(said), "{error}");
    };
    refuse(&|settings| settings.clob = "127.0.0.1:1".into(), "clob '127.0.0.1:1'");
    refuse(&|settings| settings.clob_ws = "http://x".into(), "ws:// or wss://");
    refuse(&|settings| settings.chain_id = 1, "chain_id 1 is not 137");
    refuse(&|settings| settings.wallet = Some("0x12".into()), "expected 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
}

#[tokio::test]
async fn a_post_carries_exactly_the_signed_bytes() {
    let (server, venue) = connected(|seen, _| match seen.path.as_str() {
        "/order" => {
            let body: Value = serde_json::from_slice(&seen.body).expect("json");
            assert_eq!(body["owner"], API_KEY);
            (425, r#"{"error":"restarting"}"#.into())
        }
        _ => (0, String::new()),
    })
    .await;
    let market = market();
    let order = venue.sign(&approved(intent(), &market), &market).expect("signs");
    let answer = venue.post(&order, &|| Ok(())).await;
    assert_eq!(
        answer,
        PostAnswer::Transient {
            code: TransientCode::Restarting,
            reason: "restarting".into(),
            retry_after: Some(Duration::from_secs(7)),
        }
    );
    let [seen] = &server.seen("/order")[..] else { panic!("one POST") };
    seen.assert_l2();
    assert_eq!(seen.body, order.body().to_vec());
    assert_eq!(seen.headers["content-type"], "application/json");
}

#[tokio::test]
async fn a_closed_gate_lets_no_byte_out() {
    let (server, venue) = connected(standard).await;
    let market = market();
    let order = venue.sign(&approved(intent(), &market), &market).expect("signs");
    let answer = venue.post(&order, &|| Err("killed".into())).await;
    assert_eq!(answer, PostAnswer::NotSent { reason: "killed".into() });
    assert!(server.seen("/order").is_empty());
}

#[tokio::test]
async fn cancels_go_in_chunks_and_one_failure_stops_none() {
    let (server, venue) = connected(|seen, before| match seen.path.as_str() {
        "/orders" if before == 1 => (500, r#"{"error":"could not"}"#.into()),
        "/orders" => {
            let ids: Vec<String> = serde_json::from_slice(&seen.body).expect("ids");
            let refused = json!({ ids[0].clone(): "Order already matched" });
            (200, json!({ "canceled": ids[1..], "not_canceled": refused }).to_string())
        }
        _ => (0, String::new()),
    })
    .await;
    let ids: Vec<_> = (0..201).map(|number| OrderId::new(format!("0x{number:064x}"))).collect();
    let error = venue.cancel(&ids).await.expect_err("the second chunk fails");
    assert!(matches!(error, VenueError::Refused { status: 500, .. }), "{error}");
    let seen = server.seen("/orders");
    let sizes: Vec<_> = seen
        .iter()
        .map(|request| {
            request.assert_l2();
            serde_json::from_slice::<Vec<String>>(&request.body).expect("ids").len()
        })
        .collect();
    assert_eq!(sizes, [80, 80, 41]);

    let answer = venue.cancel(&ids[..3]).await.expect("cancels");
    assert_eq!(answer.cancelled, &ids[1..3]);
    assert_eq!(answer.not_cancelled, [(ids[0].clone(), "Order already matched".to_owned())]);
    assert_eq!(venue.cancel(&[]).await, Ok(CancelAnswer::default()));
    assert_eq!(server.seen("/orders").len(), 4);
    let cancels = limit(&venue, CallClass::Cancels);
    assert!(cancels.waited > 0 && cancels.refused == 0, "{cancels:?}");
}

fn limit(venue: &PolymarketVenue, class: CallClass) -> CallLimit {
    venue.limits().into_iter().find(|limit| limit.class == class).expect("every class")
}

#[tokio::test]
async fn an_order_over_the_budget_is_not_sent_and_holds_up_no_cancel() {
    let (server, venue) = connected(|seen, _| match seen.path.as_str() {
        "/order" => (429, r#"{"error":"Too Many Requests"}"#.into()),
        "/cancel-all" => (200, r#"{"canceled":["0x1","0x2"],"not_canceled":{}}"#.into()),
        "/v1/heartbeats" => (200, r#"{"heartbeat_id":"a"}"#.into()),
        _ => (0, String::new()),
    })
    .await;
    let market = market();
    let late = OrderIntent { deadline: clock::now().plus(Duration::from_mins(1)), ..intent() };
    let order = venue.sign(&approved(late, &market), &market).expect("signs");
    let code = |answer: PostAnswer| match answer {
        PostAnswer::Transient { code, retry_after, .. } => (code, retry_after.expect("a wait")),
        other => panic!("{other:?}"),
    };
    let (first, wait) = code(venue.post(&order, &|| Ok(())).await);
    assert_eq!((first, wait), (TransientCode::RateLimited, Duration::from_secs(7)));
    // The venue's 429 stands for its seven seconds: the next order does not even ask whether it may be sent.
    let (second, wait) = code(venue.post(&order, &|| panic!("not asked")).await);
    assert_eq!(second, TransientCode::OverBudget);
    assert!(wait > Duration::from_secs(5), "{wait:?}");
    assert_eq!(server.seen("/order").len(), 1);

    venue.heartbeat().await.expect("a budget of its own");
    assert_eq!(venue.cancel_all().await.expect("a budget of its own").cancelled.len(), 2);
    let orders = limit(&venue, CallClass::Orders);
    assert_eq!((orders.throttled, orders.refused, orders.waited), (1, 1, 0));
    assert!((1..=7_000).contains(&orders.paused_ms), "{orders:?}");
    assert!(limit(&venue, CallClass::Cancels).available < 120, "one and one for each cancelled order");
}

fn row(id: u32) -> Value {
    json!({ "id": format!("0x{id}"), "status": "LIVE", "market": "0xm", "asset_id": UP, "side": "BUY",
        "original_size": "10", "size_matched": "0", "price": "0.5", "outcome": "Up" })
}

fn page(rows: &[Value], next: &str) -> (u16, String) {
    (200, json!({ "limit": 2, "count": rows.len(), "next_cursor": next, "data": rows }).to_string())
}

#[tokio::test]
async fn every_page_of_open_orders_is_read() {
    let (server, venue) = connected(|seen, _| match (seen.path.as_str(), seen.query.as_str()) {
        ("/data/orders", "next_cursor=MA%3D%3D") => page(&[row(1), row(2)], "Mg=="),
        ("/data/orders", "next_cursor=Mg%3D%3D") => page(&[row(3)], "LTE="),
        ("/cancel-all", _) => (200, r#"{"canceled":["0x1"],"not_canceled":{}}"#.into()),
        _ => (0, String::new()),
    })
    .await;
    let orders = venue.open_orders().await.expect("orders").orders;
    let ids: Vec<_> = orders.iter().map(|order| order.order.as_str()).collect();
    assert_eq!(ids, ["0x1", "0x2", "0x3"]);
    assert_eq!(orders[0].status, VenueOrderStatus::Live);
    server.seen("/data/orders").iter().for_each(Seen::assert_l2);
    assert_eq!(venue.cancel_all().await.expect("cancels").cancelled, [OrderId::new("0x1")]);
}

#[tokio::test]
async fn a_list_without_an_end_is_no_list() {
    let fails = async |second: (u16, String), said: &str| {
        let (_server, venue) = connected(move |seen, before| match (seen.path.as_str(), before) {
            ("/data/orders", 0) => page(&[row(1)], "Mg=="),
            ("/data/orders", _) => second.clone(),
            _ => (0, String::new()),
        })
        .await;
        let error = venue.open_orders().await.expect_err(said).to_string();
        assert!(error.contains(said), "{error}");
    };
    fails(page(&[row(2)], "Mg=="), "leads nowhere").await;
    fails(page(&[row(2)], ""), "leads nowhere").await;
    fails((200, r#"{"data":[]}"#.into()), "next_cursor").await;
    fails((503, r#"{"error":"later"}"#.into()), "503: later").await;
}

#[tokio::test]
async fn an_open_order_that_cannot_be_read_is_named_beside_those_that_can() {
    let (mut bad, mut nameless) = (row(2), row(4));
    bad["id"] = json!("0xAB2");
    bad["price"] = json!("a lot");
    nameless["id"] = json!(null);
    let rows = [vec![row(1), bad], vec![nameless, json!({ "orderID": "0xAB5" }), row(3)]];
    let (_server, venue) = connected(move |seen, before| match (seen.path.as_str(), before) {
        ("/data/orders", 0) => page(&rows[0], "Mg=="),
        ("/data/orders", _) => page(&rows[1], "LTE="),
        _ => (0, String::new()),
    })
    .await;
    let list = venue.open_orders().await.expect("a list");
    assert_eq!(list.orders.iter().map(|order| order.order.as_str()).collect::<Vec<_>>(), ["0x1", "0x3"]);
    assert_eq!(list.open(), 5, "each of them is open");
    let [bad, nameless, other] = &list.unreadable[..] else { panic!("{list:?}") };
    assert_eq!(bad.id, Some(OrderId::new("0xab2")));
    assert!(bad.reason.contains("order.price is 'a lot'"), "{}", bad.reason);
    assert_eq!((&nameless.id, &other.id), (&None, &None));
    assert!(nameless.reason.contains("order.id"), "{}", nameless.reason);
    assert!(other.names(&OrderId::new("0xab5")) && !other.names(&OrderId::new("0xab6")));
    assert!(!format!("{list:?}").contains(API_KEY), "what is shown names no key");
}

#[tokio::test]
async fn an_order_that_the_venue_does_not_know_is_nothing() {
    let ask =
        async |status: u16, body: String| {
            let (_server, venue) = connected(move |seen, _| {
                if seen.path.starts_with("/data/order/") { (status, body.clone()) } else { (0, String::new()) }
            })
            .await;
            venue.order(&OrderId::new("0x1")).await
        };
    assert_eq!(ask(404, r#"{"error":"not found"}"#.into()).await, Ok(None));
    for nothing in ["null", "", "{}", " \n"] {
        assert_eq!(ask(200, nothing.into()).await, Ok(None), "{nothing:?}");
    }
    let mut cancelled = row(1);
    cancelled["status"] = json!("ORDER_STATUS_CANCELED");
    let found = ask(200, cancelled.to_string()).await.expect("an answer").expect("an order");
    assert_eq!(found.status, VenueOrderStatus::Cancelled);
    assert!(matches!(ask(200, row(2).to_string()).await, Err(VenueError::Unreadable(_))));
    assert!(matches!(ask(500, String::new()).await, Err(VenueError::Refused { status: 500, .. })));
}

#[tokio::test]
async fn balances_are_exact_and_name_what_each_spender_may_take() {
    let (server, venue) = connected(|seen, before| match (seen.path.as_str(), before) {
        ("/balance-allowance", 2) => (200, format!(r#"{{"balance":5000001,"allowances":{{"0xE1":"{}"}}}}"#, u128::MAX)),
        ("/balance-allowance", 3) => (200, r#"{"balance":"0"}"#.into()),
        ("/balance-allowance", 5) => (200, r#"{"balance":"12.5"}"#.into()),
        ("/balance-allowance/update", _) => (200, String::new()),
        _ => (0, String::new()),
    })
    .await;
    let tokens = [TokenId::new(UP), TokenId::new(POSITION)];
    let balances = venue.balances(&tokens).await.expect("balances");
    assert_eq!(balances.collateral.balance, dec!(1000.500001));
    assert_eq!(balances.collateral.allowances.len(), 3);
    assert_eq!(balances.collateral.allowances[0].amount, Some(dec!(0)));
    let (first, second) = (&balances.tokens[0], &balances.tokens[1]);
    assert_eq!((&first.0, first.1.balance, first.1.allowances[0].amount), (&tokens[0], dec!(5.000001), None));
    assert_eq!((&second.0, second.1.balance, second.1.allowances.len()), (&tokens[1], dec!(0), 0));
    let queries: Vec<_> = server.seen("/balance-allowance").into_iter().skip(1).map(|seen| seen.query).collect();
    let asked = |kind: &str, token: &str| format!("asset_type={kind}&signature_type=0&token_id={token}");
    assert_eq!(queries[0], "asset_type=COLLATERAL&signature_type=0");
    assert_eq!(queries[1..], [asked("CONDITIONAL", UP), asked("CONDITIONAL-V2", POSITION)]);

    assert_eq!(venue.collateral().await, Ok(Usd(dec!(1000.500001))));
    assert!(venue.collateral().await.expect_err("not millionths").to_string().contains("'12.5'"));
    venue.refresh_balances(&tokens).await.expect("refreshed");
    assert_eq!(server.seen("/balance-allowance/update").len(), 3);
}

#[tokio::test]
async fn a_broken_heartbeat_chain_is_repaired_at_once() {
    let (server, venue) = connected(|seen, before| match (seen.path.as_str(), before) {
        ("/v1/heartbeats", 0) => (200, r#"{"heartbeat_id":"a"}"#.into()),
        ("/v1/heartbeats", 1) => (400, r#"{"error_msg":"Invalid Heartbeat ID","heartbeat_id":"b"}"#.into()),
        ("/v1/heartbeats", 2) => (200, r#"{"heartbeat_id":"c"}"#.into()),
        ("/v1/heartbeats", 3 | 4) => (400, r#"{"error":"Invalid Heartbeat ID","heartbeat_id":"d"}"#.into()),
        ("/v1/heartbeats", 5) => (200, r#"{"heartbeat_id":"e"}"#.into()),
        ("/v1/heartbeats", _) => (400, r#"{"error":"no such account"}"#.into()),
        _ => (0, String::new()),
    })
    .await;
    venue.heartbeat().await.expect("the first");
    venue.heartbeat().await.expect("repaired");
    let twice = venue.heartbeat().await.expect_err("refused twice");
    assert!(matches!(&twice, VenueError::HeartbeatBroken(words) if words.contains("Invalid Heartbeat ID")), "{twice}");
    venue.heartbeat().await.expect("with the adopted id");
    let refused = venue.heartbeat().await.expect_err("refused without an id, and a new chain too");
    assert!(matches!(refused, VenueError::Refused { status: 400, .. }), "{refused}");
    let ids: Vec<Value> = server
        .seen("/v1/heartbeats")
        .iter()
        .map(|seen| serde_json::from_slice::<Value>(&seen.body).expect("json")["heartbeat_id"].clone())
        .collect();
    assert_eq!(ids, ["", "a", "b", "c", "d", "d", "e", ""].map(Value::from));
}
