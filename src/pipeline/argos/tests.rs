//! The whole daemon against venues on loopback and a bus that can be switched off.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::{
    Json, Router,
    extract::Query,
    routing::{get, post},
};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};
use tokio_util::sync::CancellationToken;

use super::publisher::Publisher;
use super::rejected::{Rejects, write};
use super::state::Counts;
use super::{ArgosError, Settings, run};
use crate::bus::{
    Bus, BusError, BusLink, BusRef, Channel, Claimed, Entry, EntryId, Envelope, Group, Key, PendingSummary, ReadFrom,
    Stream, Subscription, Trimmed, decode,
};
use crate::domain::{ArgosState, FeedLink, PolymarketData, RejectedPayload, Symbol, Tick, TickKind};
use crate::venues::strict::Refusal;

const PATIENCE: Duration = Duration::from_secs(20);

/// What Argos put on the bus, kept.
#[derive(Debug)]
struct RecordingBus {
    published: Mutex<Vec<(Channel, Bytes)>>,
    appended: Mutex<Vec<(Stream, Bytes)>>,
    state: Mutex<Option<Bytes>>,
    link: watch::Sender<BusLink>,
    /// Whether calls fail although the link is not known to be down.
    failing: AtomicBool,
    /// Ticks that somebody tried to publish.
    tried: AtomicU64,
    written: Notify,
}

impl RecordingBus {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            published: Mutex::default(),
            appended: Mutex::default(),
            state: Mutex::default(),
            link: watch::Sender::new(BusLink::Up),
            failing: AtomicBool::new(false),
            tried: AtomicU64::new(0),
            written: Notify::new(),
        })
    }

    fn check(&self) -> Result<(), BusError> {
        if self.failing.load(Ordering::SeqCst) {
            return Err(BusError::Unreachable("switched off".to_owned()));
        }
        Ok(())
    }

    fn ticks(&self) -> Vec<Envelope<Tick>> {
        self.on(Channel::Crypto).iter().map(|payload| decode(payload).expect("a tick")).collect()
    }

    fn polymarket(&self) -> Vec<PolymarketData> {
        let decoded = self.on(Channel::Polymarket);
        decoded.iter().map(|payload| decode(payload).expect("polymarket data").body).collect()
    }

    fn on(&self, channel: Channel) -> Vec<Bytes> {
        let published = self.published.lock().unwrap();
        published.iter().filter(|(on, _)| *on == channel).map(|(_, payload)| payload.clone()).collect()
    }

    fn rejected(&self) -> Vec<RejectedPayload> {
        let appended = self.appended.lock().unwrap();
        appended.iter().map(|(_, payload)| decode::<RejectedPayload>(payload).expect("a refusal").body).collect()
    }

    fn argos(&self) -> Option<ArgosState> {
        let payload = self.state.lock().unwrap().clone()?;
        Some(decode::<ArgosState>(&payload).expect("a snapshot").body)
    }

    fn link_of(&self, subject: &str) -> Option<FeedLink> {
        self.argos()?.feeds.iter().find(|feed| feed.subject == subject).map(|feed| feed.link)
    }

    /// Waits until something written makes it true.
    async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let waiting = async {
            loop {
                let written = self.written.notified();
                if condition(self) {
                    return;
                }
                written.await;
            }
        };
        let done = timeout(PATIENCE, waiting).await;
        assert!(done.is_ok(), "not within {PATIENCE:?}: {what}; state {:#?}", self.argos());
    }
}

#[async_trait]
impl Bus for RecordingBus {
    async fn publish(&self, channel: Channel, payload: Bytes) -> Result<(), BusError> {
        self.publish_all(channel, vec![payload]).await
    }
    async fn publish_all(&self, channel: Channel, payloads: Vec<Bytes>) -> Result<(), BusError> {
        let checked = self.check();
        let ticks = if channel == Channel::Crypto { payloads.len() as u64 } else { 0 };
        // Counted after the verdict, so that a test that sees the count knows how it ended.
        self.tried.fetch_add(ticks, Ordering::SeqCst);
        self.written.notify_waiters();
        checked?;
        self.published.lock().unwrap().extend(payloads.into_iter().map(|payload| (channel, payload)));
        self.written.notify_waiters();
        Ok(())
    }
    async fn append(&self, stream: Stream, payload: Bytes) -> Result<EntryId, BusError> {
        self.check()?;
        self.appended.lock().unwrap().push((stream, payload));
        self.written.notify_waiters();
        Ok(EntryId::START)
    }
    async fn set(&self, key: &Key, value: Bytes) -> Result<(), BusError> {
        assert_eq!(*key, Key::ARGOS);
        self.check()?;
        *self.state.lock().unwrap() = Some(value);
        self.written.notify_waiters();
        Ok(())
    }
    fn link(&self) -> watch::Receiver<BusLink> {
        self.link.subscribe()
    }
    async fn subscribe(&self, _: &[Channel], _: usize) -> Result<Subscription, BusError> {
        unused()
    }
    async fn read(&self, _: Stream, _: EntryId, _: usize, _: Duration) -> Result<Vec<Entry>, BusError> {
        unused()
    }
    async fn tail(&self, _: Stream, _: usize) -> Result<Vec<Entry>, BusError> {
        unused()
    }
    async fn len(&self, _: Stream) -> Result<u64, BusError> {
        unused()
    }
    async fn create_group(&self, _: Stream, _: Group) -> Result<(), BusError> {
        unused()
    }
    async fn read_group(
        &self,
        _: Stream,
        _: Group,
        _: &str,
        _: ReadFrom,
        _: usize,
        _: Duration,
    ) -> Result<Vec<Entry>, BusError> {
        unused()
    }
    async fn claim(
        &self,
        _: Stream,
        _: Group,
        _: &str,
        _: Duration,
        _: EntryId,
        _: usize,
    ) -> Result<Claimed, BusError> {
        unused()
    }
    async fn ack(&self, _: Stream, _: Group, _: &[EntryId]) -> Result<u64, BusError> {
        unused()
    }
    async fn pending(&self, _: Stream, _: Group) -> Result<PendingSummary, BusError> {
        unused()
    }
    async fn trim(&self, _: Stream, _: EntryId) -> Result<Trimmed, BusError> {
        unused()
    }
    async fn get(&self, _: &Key) -> Result<Option<Bytes>, BusError> {
        unused()
    }

    async fn replace(&self, _: &Key, _: Option<&[u8]>, _: Bytes) -> Result<bool, BusError> {
        unused()
    }
}

fn unused<T>() -> Result<T, BusError> {
    Err(BusError::Refused("argos does not call this".to_owned()))
}

type Peer = WebSocketStream<TcpStream>;

/// Venues on loopback.
struct Venues {
    settings: Settings,
    /// Makes the Kraken server close its connection.
    hang_up: Arc<Notify>,
    /// Trades the Kraken server pushes when told.
    push: Arc<Notify>,
    _stop: tokio_util::sync::DropGuard,
}

async fn venues() -> Venues {
    let stop = CancellationToken::new();
    let (hang_up, push) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (kraken, clob, gamma) = (listener().await, listener().await, listener().await);
    let settings = Settings {
        kraken_ws: format!("ws://{}", kraken.local_addr().unwrap()),
        clob: format!("http://{}", gamma.local_addr().unwrap()),
        clob_ws: format!("ws://{}", clob.local_addr().unwrap()),
        gamma: format!("http://{}", gamma.local_addr().unwrap()),
        symbols: vec![Symbol::new("BTC/USD"), Symbol::new("XBT/USD")],
        markets: vec!["quiet".to_owned()],
        silence: Duration::from_secs(30),
        subscribe_within: Duration::from_secs(10),
    };
    let (ended, other, pushed) = (Arc::clone(&hang_up), stop.clone(), Arc::clone(&push));
    let connections = Arc::new(AtomicUsize::new(0));
    tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
        while let Ok((stream, _)) = kraken.accept().await {
            let number = connections.fetch_add(1, Ordering::SeqCst);
            let session = serve_kraken(stream, number, Arc::clone(&ended), Arc::clone(&pushed));
            tokio::spawn(other.clone().run_until_cancelled_owned(session));
        }
    }));
    let other = stop.clone();
    tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
        while let Ok((stream, _)) = clob.accept().await {
            tokio::spawn(other.clone().run_until_cancelled_owned(serve_books(stream)));
        }
    }));
    let router = Router::new().route("/markets", get(catalogue)).route("/books", post(books));
    tokio::spawn(stop.clone().run_until_cancelled_owned(async move { axum::serve(gamma, router).await.unwrap() }));
    Venues { settings, hang_up, push, _stop: stop.drop_guard() }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

async fn catalogue(Query(query): Query<Vec<(String, String)>>) -> Json<Value> {
    assert!(query.contains(&("slug".to_owned(), "quiet".to_owned())));
    Json(json!([{
        "slug": "quiet", "conditionId": format!("0x{}", "ab".repeat(32)), "version": "v1",
        "clobTokenIds": "[\"111\",\"222\"]", "outcomes": "[\"Yes\",\"No\"]", "outcomePrices": "[\"0.5\",\"0.5\"]",
        "orderPriceMinTickSize": 0.01, "orderMinSize": 5, "acceptingOrders": true, "closed": false, "feesEnabled": false
    }]))
}

/// The books as the socket told them.
async fn books(Json(wanted): Json<Vec<Value>>) -> Json<Value> {
    let shown = |wanted: &Value| {
        let mut bids = vec![json!({"price": "0.40", "size": "10"})];
        if wanted["token_id"] == "111" {
            bids.push(json!({"price": "0.45", "size": "3"}));
        }
        json!({"market": "0xm", "asset_id": wanted["token_id"], "timestamp": "1735689600000", "hash": "",
            "bids": bids, "asks": [{"price": "0.60", "size": "10"}],
            "min_order_size": "5", "tick_size": "0.01", "neg_risk": false, "last_trade_price": ""})
    };
    Json(Value::Array(wanted.iter().map(shown).collect()))
}

async fn say(peer: &mut Peer, frame: &Value) {
    // The client may be gone already, which is part of the test.
    let _ = peer.send(Message::text(frame.to_string())).await;
}

fn trades(kind: &str, ids: std::ops::RangeInclusive<u64>) -> Value {
    let row = |id: u64| {
        json!({"symbol": "BTC/USD", "side": "sell", "price": 100.5, "qty": 0.25, "ord_type": "market",
            "trade_id": id, "timestamp": format!("2025-01-01T00:00:{id:02}.000001Z")})
    };
    json!({"channel": "trade", "type": kind, "data": ids.map(row).collect::<Vec<_>>()})
}

async fn serve_kraken(stream: TcpStream, number: usize, hang_up: Arc<Notify>, push: Arc<Notify>) {
    let mut peer = accept_async(stream).await.unwrap();
    say(&mut peer, &json!({"channel": "status", "type": "update", "data": [{"system": "online"}]})).await;
    let mut heartbeat = tokio::time::interval(Duration::from_millis(500));
    let mut pushed = 10;
    loop {
        tokio::select! {
            message = peer.next() => match message {
                Some(Ok(Message::Text(text))) => answer_kraken(&mut peer, number, &text).await,
                Some(Ok(_)) => {}
                _ => return,
            },
            () = hang_up.notified() => return,
            () = push.notified() => {
                pushed += 1;
                say(&mut peer, &trades("update", pushed..=pushed)).await;
            }
            _ = heartbeat.tick() => say(&mut peer, &json!({"channel": "heartbeat"})).await,
        }
    }
}

async fn answer_kraken(peer: &mut Peer, number: usize, text: &str) {
    let request: Value = serde_json::from_str(text).unwrap();
    let (symbol, id) = (&request["params"]["symbol"][0], &request["req_id"]);
    if symbol == "XBT/USD" {
        let error = "Currency pair not supported XBT/USD";
        say(peer, &json!({"method": "subscribe", "req_id": id, "success": false, "error": error, "symbol": symbol}))
            .await;
        return;
    }
    let channel = &request["params"]["channel"];
    let result = json!({"channel": channel, "symbol": symbol, "snapshot": true});
    say(peer, &json!({"method": "subscribe", "req_id": id, "success": true, "result": result})).await;
    if channel == "ticker" {
        let row = json!({"symbol": "BTC/USD", "bid": 100.4, "bid_qty": 1, "ask": 100.6, "ask_qty": 2, "last": 100.5});
        say(peer, &json!({"channel": "ticker", "type": "snapshot", "data": [row]})).await;
        let bad = json!({"symbol": "BTC/USD", "bid": 100.7, "bid_qty": 1, "ask": 100.6, "ask_qty": 2, "last": 100.5});
        say(peer, &json!({"channel": "ticker", "type": "update", "data": [bad]})).await;
    } else {
        let ids = if number == 0 { 1..=3 } else { 2..=6 };
        say(peer, &trades("snapshot", ids)).await;
    }
}

async fn serve_books(stream: TcpStream) {
    let mut peer = accept_async(stream).await.unwrap();
    while let Some(Ok(message)) = peer.next().await {
        let Message::Text(text) = message else { continue };
        if text.as_str() == "PING" {
            let _ = peer.send(Message::text("PONG")).await;
            continue;
        }
        let request: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(request, json!({"type": "market", "assets_ids": ["111", "222"]}));
        let book = |token: &str| {
            json!({"event_type": "book", "market": "0xm", "asset_id": token, "timestamp": "1735689600000", "hash": "",
                "bids": [{"price": "0.40", "size": "10"}], "asks": [{"price": "0.60", "size": "10"}]})
        };
        say(&mut peer, &json!([book("111"), book("222")])).await;
        let change = json!({"asset_id": "111", "price": "0.45", "size": "3", "side": "BUY"});
        say(&mut peer, &json!({"event_type": "price_change", "market": "0xm", "timestamp": "1735689600001", "price_changes": [change]})).await;
    }
}

fn trade_ids(bus: &RecordingBus) -> Vec<u64> {
    let id = |tick: &Envelope<Tick>| {
        if let TickKind::Trade { trade_id, .. } = tick.body.kind { Some(trade_id) } else { None }
    };
    bus.ticks().iter().filter_map(id).collect()
}

fn start(
    bus: &Arc<RecordingBus>,
    venues: &Venues,
) -> (CancellationToken, tokio::task::JoinHandle<Result<(), ArgosError>>) {
    let shutdown = CancellationToken::new();
    let bus: BusRef = Arc::clone(bus) as BusRef;
    (shutdown.clone(), tokio::spawn(run(venues.settings.clone(), bus, shutdown)))
}

async fn stop(shutdown: &CancellationToken, daemon: tokio::task::JoinHandle<Result<(), ArgosError>>) {
    shutdown.cancel();
    timeout(PATIENCE, daemon).await.expect("stops in time").expect("no panic").expect("no error");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_venues_sockets_to_the_bus_and_over_a_reconnect() {
    let (bus, venues) = (RecordingBus::new(), venues().await);
    let (shutdown, daemon) = start(&bus, &venues);
    let up = |bus: &RecordingBus, subject: &str| bus.link_of(subject) == Some(FeedLink::Up);
    bus.until("both feeds and the market are up", |bus| {
        up(bus, "ticker BTC/USD") && up(bus, "trade BTC/USD") && up(bus, "quiet")
    })
    .await;
    bus.until("the unknown pair is shown as refused", |bus| {
        bus.link_of("ticker XBT/USD") == Some(FeedLink::Refused)
            && bus.link_of("trade XBT/USD") == Some(FeedLink::Refused)
    })
    .await;
    bus.until("the trades are there", |bus| trade_ids(bus) == [1, 2, 3]).await;
    bus.until("the crossed quote is kept", |bus| !bus.rejected().is_empty()).await;
    let refused = &bus.rejected()[0];
    assert_eq!((refused.source.as_str(), refused.field.as_str()), ("kraken", "bid"));
    assert!(refused.raw.contains("100.7"), "{refused:?}");
    bus.until("market and folded book are told", |bus| {
        let told = bus.polymarket();
        told.iter().any(|data| matches!(data, PolymarketData::Market(market) if market.slug.as_str() == "quiet"))
            && told.iter().any(|data| match data {
                PolymarketData::Book(book) => book.bids.len() == 2 && book.token.as_str() == "111",
                PolymarketData::Market(_) => false,
            })
    })
    .await;

    venues.hang_up.notify_one();
    bus.until("what was missed is published, once", |bus| trade_ids(bus) == [1, 2, 3, 4, 5, 6]).await;
    bus.until("up again", |bus| {
        up(bus, "trade BTC/USD") && bus.argos().is_some_and(|state| state.feeds.iter().any(|feed| feed.reconnects == 1))
    })
    .await;
    stop(&shutdown, daemon).await;

    let state = bus.argos().expect("a last snapshot");
    assert_eq!(state.ticks.received, state.ticks.published + state.ticks.rejected + state.ticks.dropped);
    assert_eq!(state.ticks.published, bus.ticks().len() as u64);
    assert_eq!((state.ticks.rejected, state.ticks.dropped), (2, 0));
    assert_eq!(state.markets.len(), 1);
    let numbers: Vec<u64> = bus.ticks().iter().map(|tick| tick.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "no gap in our own numbering");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_bus_fails_ticks_are_counted_as_dropped_and_it_goes_on_after() {
    let (bus, venues) = (RecordingBus::new(), venues().await);
    bus.failing.store(true, Ordering::SeqCst);
    let (shutdown, daemon) = start(&bus, &venues);
    bus.until("a quote and three trades were tried", |bus| bus.tried.load(Ordering::SeqCst) == 4).await;
    assert!(bus.argos().is_none() && bus.ticks().is_empty());
    bus.failing.store(false, Ordering::SeqCst);
    bus.until("the snapshot tells what was lost", |bus| bus.argos().is_some_and(|state| state.ticks.dropped == 4))
        .await;
    venues.push.notify_one();
    bus.until("ticks flow", |bus| trade_ids(bus) == [11]).await;
    stop(&shutdown, daemon).await;
    let ticks = bus.argos().expect("a snapshot").ticks;
    assert_eq!((ticks.received, ticks.published, ticks.rejected, ticks.dropped), (6, 1, 1, 4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_book_that_does_not_change_is_told_with_the_time_at_which_it_was_still_so() {
    let (bus, venues) = (RecordingBus::new(), venues().await);
    let (shutdown, daemon) = start(&bus, &venues);
    for token in ["111", "222"] {
        let what = format!("the book of {token} is heard of twice");
        bus.until(&what, |bus| {
            let heard = |data: PolymarketData| match data {
                PolymarketData::Book(book) if book.token.as_str() == token => book.heard_at,
                PolymarketData::Book(_) | PolymarketData::Market(_) => None,
            };
            let mut times: Vec<_> = bus.polymarket().into_iter().filter_map(heard).collect();
            times.dedup();
            times.len() >= 2 && times.is_sorted()
        })
        .await;
    }
    stop(&shutdown, daemon).await;
    assert!(bus.argos().is_some_and(|state| state.feeds.iter().all(|feed| feed.reconnects == 0)));
}

#[tokio::test]
async fn a_bus_that_is_known_to_be_down_is_not_waited_for() {
    let bus = RecordingBus::new();
    let mut publisher = Publisher::new(&(Arc::clone(&bus) as BusRef), "boot");
    bus.link.send_replace(BusLink::Down("no server".to_owned()));
    assert!(!publisher.publish(Channel::Crypto, &[1]).await);
    assert_eq!(bus.tried.load(Ordering::SeqCst), 0);
    bus.link.send_replace(BusLink::Up);
    assert!(publisher.publish(Channel::Crypto, &[2]).await);
    assert!(publisher.set(&Key::ARGOS, &3).await);
}

#[tokio::test]
async fn a_flood_of_refusals_is_bounded_and_counted() {
    let counts = Arc::new(Counts::default());
    let (rejects, queue) = Rejects::new(Arc::clone(&counts));
    for _ in 0..1_000 {
        rejects.refuse("kraken", Refusal::new("bid", "bad"), &"é".repeat(5_000), crate::clock::now());
    }
    drop(rejects);
    let bus = RecordingBus::new();
    write(queue, Publisher::new(&(Arc::clone(&bus) as BusRef), "boot"), Arc::clone(&counts)).await;
    let kept = bus.rejected();
    assert!((200..=256).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept[0].raw.len(), 2_048);
    assert_eq!(counts.rejected.load(Ordering::SeqCst), 1_000);
    assert_eq!(counts.rejected_unkept.load(Ordering::SeqCst), 1_000 - kept.len() as u64);
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_with_key_value_and_what_is_right() {
    let good = Settings {
        kraken_ws: "ws://127.0.0.1:1".to_owned(),
        gamma: "http://127.0.0.1:1".to_owned(),
        clob: "http://127.0.0.1:1".to_owned(),
        clob_ws: "ws://127.0.0.1:1".to_owned(),
        symbols: vec![Symbol::new("BTC/USD")],
        markets: vec![],
        silence: Duration::from_secs(4),
        subscribe_within: Duration::from_secs(10),
    };
    let cases = [
        (Settings { kraken_ws: "http://x".to_owned(), ..good.clone() }, "argos.kraken_ws 'http://x' is not a ws:// or"),
        (Settings { gamma: "x".to_owned(), ..good.clone() }, "argos.gamma 'x' is not an http://"),
        (Settings { clob: "x".to_owned(), ..good.clone() }, "argos.clob 'x' is not an http://"),
        (Settings { symbols: vec![], ..good.clone() }, "argos.symbols '[]' is not a list of at least one"),
        (
            Settings { markets: vec!["btc-{start}".to_owned()], ..good.clone() },
            "argos.markets 'btc-{start}' is not a pattern",
        ),
        (Settings { silence: Duration::ZERO, ..good }, "argos.silence '0' is not"),
    ];
    for (settings, words) in cases {
        let error = run(settings, RecordingBus::new(), CancellationToken::new()).await.expect_err(words);
        assert!(error.to_string().starts_with(words), "{error}");
    }
}
