use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio_tungstenite::accept_async;

use super::super::signing::ApiCredentials;
use super::*;

const PATIENCE: Duration = Duration::from_secs(20);
const ORDER: &str = r#"{"event_type":"order","type":"PLACEMENT","id":"0xa","market":"0xm","asset_id":"1","side":"BUY",
    "price":"0.5","original_size":"10","size_matched":"","status":"LIVE","outcome":"Up"}"#;

type Accepted = WebSocketStream<TcpStream>;

struct Venue {
    listener: TcpListener,
}

impl Venue {
    async fn start() -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        (Self { listener }, address)
    }

    /// Takes a connection and reads subscription and first PING.
    async fn accept(&self) -> Accepted {
        let (socket, _) = timeout(PATIENCE, self.listener.accept()).await.expect("in time").expect("a connection");
        let mut socket = accept_async(socket).await.expect("a handshake");
        let hello: serde_json::Value = serde_json::from_str(&text(&mut socket).await).expect("json");
        let auth = serde_json::json!({ "apiKey": "key", "secret": "c2VjcmV0", "passphrase": "pass" });
        assert_eq!(hello, serde_json::json!({ "type": "user", "auth": auth }));
        assert_eq!(text(&mut socket).await, "PING");
        socket
    }
}

async fn text(socket: &mut Accepted) -> String {
    let message = timeout(PATIENCE, socket.next()).await.expect("in time").expect("open").expect("a message");
    message.into_text().expect("text").to_string()
}

async fn say(socket: &mut Accepted, text: &str) {
    socket.send(Message::text(text)).await.expect("sent");
}

fn timing() -> Timing {
    Timing {
        connect: Duration::from_secs(5),
        ping: Duration::from_millis(50),
        silence: Duration::from_secs(10),
        backoff_first: Duration::from_millis(5),
        backoff_most: Duration::from_millis(20),
    }
}

fn stream(address: SocketAddr, timing: Timing) -> mpsc::Receiver<UserEvent> {
    renewable(address, timing).0
}

/// The same with the way to renew its credentials.
fn renewable(address: SocketAddr, timing: Timing) -> (mpsc::Receiver<UserEvent>, watch::Sender<Option<Arc<L2Signer>>>) {
    let credentials = ApiCredentials::new("key", "c2VjcmV0", "pass");
    let signer = L2Signer::new(Address::ZERO, credentials).expect("signer");
    let (session, receiver) = watch::channel(None);
    let stream = UserStream { url: format!("ws://{address}/ws/user"), session: receiver, maker: Address::ZERO, timing };
    let events = stream.spawn(std::future::pending());
    session.send(Some(Arc::new(signer))).expect("the stream waits for credentials");
    (events, session)
}

async fn next(events: &mut mpsc::Receiver<UserEvent>) -> UserEvent {
    timeout(PATIENCE, events.recv()).await.expect("in time").expect("an event")
}

async fn lost(events: &mut mpsc::Receiver<UserEvent>) -> String {
    match next(events).await {
        UserEvent::Disconnected { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn it_is_connected_once_the_venue_answers_and_again_after_every_loss() {
    let (venue, address) = Venue::start().await;
    let mut events = stream(address, timing());
    let mut socket = venue.accept().await;
    say(&mut socket, "PONG").await;
    assert_eq!(next(&mut events).await, UserEvent::Connected);
    say(&mut socket, &format!("[{ORDER}]")).await;
    assert!(matches!(next(&mut events).await, UserEvent::Order(order) if order.order.as_str() == "0xa"));
    assert_eq!(text(&mut socket).await, "PING");
    drop(socket);
    let reason = lost(&mut events).await;
    assert!(reason.contains("read failed") || reason.contains("closed"), "{reason}");
    let mut socket = venue.accept().await;
    say(&mut socket, ORDER).await;
    assert_eq!(next(&mut events).await, UserEvent::Connected, "before the first event");
    assert!(matches!(next(&mut events).await, UserEvent::Order(_)));
    socket.close(None).await.expect("closed");
    assert_eq!(lost(&mut events).await, "closed by the venue");
}

#[tokio::test]
async fn renewed_credentials_are_subscribed_with() {
    let (venue, address) = Venue::start().await;
    let (mut events, session) = renewable(address, timing());
    let mut socket = venue.accept().await;
    say(&mut socket, "PONG").await;
    assert_eq!(next(&mut events).await, UserEvent::Connected);
    session.send_modify(|_| {});
    assert_eq!(lost(&mut events).await, "the API credentials are renewed");
    let mut socket = venue.accept().await;
    say(&mut socket, "PONG").await;
    assert_eq!(next(&mut events).await, UserEvent::Connected);
}

#[tokio::test]
async fn a_socket_that_says_nothing_is_dropped() {
    let (venue, address) = Venue::start().await;
    let mut events = stream(address, Timing { silence: Duration::from_secs(2), ..timing() });
    let _silent = venue.accept().await;
    assert_eq!(lost(&mut events).await, "silent for 2s");
    let mut socket = venue.accept().await;
    say(&mut socket, "PONG").await;
    assert_eq!(next(&mut events).await, UserEvent::Connected);
}

#[tokio::test]
async fn an_unreachable_venue_is_tried_again() {
    let (venue, address) = Venue::start().await;
    drop(venue);
    let mut events = stream(address, timing());
    for _ in 0..3 {
        assert!(lost(&mut events).await.starts_with("cannot connect"));
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_read_asks_for_a_reconciliation_once() {
    let (venue, address) = Venue::start().await;
    let mut events = stream(address, Timing { ping: Duration::from_mins(1), ..timing() });
    let mut socket = venue.accept().await;
    say(&mut socket, "PONG").await;
    assert_eq!(next(&mut events).await, UserEvent::Connected);
    say(&mut socket, &ORDER.replace("BUY", "HOLD")).await;
    say(&mut socket, &ORDER.replace("BUY", "LEND")).await;
    say(&mut socket, ORDER).await;
    say(&mut socket, "PONG").await;
    say(&mut socket, "PONG").await;
    say(&mut socket, ORDER).await;
    assert!(matches!(next(&mut events).await, UserEvent::Order(_)));
    assert_eq!(next(&mut events).await, UserEvent::Connected);
    assert!(matches!(next(&mut events).await, UserEvent::Order(_)));
}

#[tokio::test]
async fn a_reader_that_stalls_costs_the_socket_and_is_told() {
    let (venue, address) = Venue::start().await;
    let mut events = stream(address, timing());
    let mut socket = venue.accept().await;
    say(&mut socket, "PONG").await;
    let batch = format!("[{}]", vec![ORDER; CAPACITY].join(","));
    say(&mut socket, &batch).await;
    // The channel is full by now or will be; the socket is dropped, and nothing more is read until somebody reads here.
    while timeout(PATIENCE, socket.next()).await.expect("in time").is_some_and(|message| message.is_ok()) {}
    assert_eq!(next(&mut events).await, UserEvent::Connected);
    for _ in 1..CAPACITY {
        assert!(matches!(next(&mut events).await, UserEvent::Order(_)));
    }
    assert!(lost(&mut events).await.contains("1024 events behind"));
    let mut socket = venue.accept().await;
    say(&mut socket, "PONG").await;
    assert_eq!(next(&mut events).await, UserEvent::Connected);
}

#[tokio::test]
async fn it_ends_with_its_reader() {
    let (venue, address) = Venue::start().await;
    let events = stream(address, timing());
    let mut socket = venue.accept().await;
    drop(events);
    while timeout(PATIENCE, socket.next()).await.expect("in time").is_some_and(|message| message.is_ok()) {}
}

#[test]
fn waits_double_within_bounds() {
    let timing = Timing::default();
    for (failures, whole) in [(0, 250), (1, 500), (3, 2_000), (6, 15_000), (40, 15_000), (u32::MAX, 15_000)] {
        let wait = backoff(&timing, failures);
        let (least, most) = (Duration::from_millis(whole / 2), Duration::from_millis(whole));
        assert!(wait >= least && wait <= most, "{failures}: {wait:?}");
    }
}
