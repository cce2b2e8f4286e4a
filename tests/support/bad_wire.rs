//! A wire to the venue that loses, delays, repeats and reorders: a proxy for REST and the account's socket, with a seed.
//!
//! The venue behind it is whole, so that its own view stays the truth to compare with.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Request, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::any;
use futures::{SinkExt, StreamExt};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::Message as Upstream;
use tokio_util::task::AbortOnDropHandle;

/// How often what goes wrong, in percent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    /// The venue has answered; the answer does not arrive.
    pub(crate) reply_lost: u32,
    /// The answer arrives a little later.
    pub(crate) reply_late: u32,
    /// The answer arrives after everybody has given it up.
    pub(crate) reply_stalled: u32,
    /// What is posted never reaches the venue.
    pub(crate) request_lost: u32,
    /// What is posted reaches the venue after its sender has given it up.
    pub(crate) request_late: u32,
    /// An event is told twice.
    pub(crate) event_repeated: u32,
    /// An event is overtaken by those behind it.
    pub(crate) event_late: u32,
}

impl Rates {
    /// A wire that is bad in every way, and on which everything that is posted arrives in the end.
    #[allow(dead_code, reason = "each test binary uses a part of it")]
    pub(crate) const BAD: Self = Self {
        reply_lost: 10,
        reply_late: 5,
        reply_stalled: 0,
        request_lost: 0,
        request_late: 2,
        event_repeated: 10,
        event_late: 20,
    };

    /// A wire on which nothing goes wrong until it is cut.
    #[allow(dead_code, reason = "each test binary uses a part of it")]
    pub(crate) const GOOD: Self = Self {
        reply_lost: 0,
        reply_late: 0,
        reply_stalled: 0,
        request_lost: 0,
        request_late: 0,
        event_repeated: 0,
        event_late: 0,
    };
}

/// How late at most, in milliseconds.
const EVENT_DELAY: u64 = 400;
const REPLY_DELAY: u64 = 300;
const REQUEST_DELAY: u64 = 1_500;
/// Longer than any caller waits for the answer to an order.
const STALL: Duration = Duration::from_secs(8);

/// The first loss, delay, repetition comes no later than at this occasion for one.
const AT_THE_LATEST: u64 = 5;

/// The wire; it is cut when dropped.
#[derive(Debug)]
pub(crate) struct BadWire {
    /// Where Hermes finds the venue, behind `http://` and `ws://`.
    address: String,
    wire: Arc<Wire>,
    _serving: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Wire {
    clob: String,
    sockets: String,
    client: reqwest::Client,
    rates: Rates,
    whole: watch::Sender<bool>,
    chance: Mutex<StdRng>,
    lost: AtomicU64,
    lost_posts: LostPosts,
    replies: Kind,
    replies_late: Kind,
    repeated: Kind,
    held_up: Kind,
    overtaken: AtomicU64,
}

/// One way of going wrong: how often it could have, and did.
#[derive(Debug, Default)]
struct Kind {
    occasions: AtomicU64,
    struck: AtomicU64,
}

/// What went wrong on a wire.
#[allow(dead_code, reason = "each test binary uses a part of it")]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Injected {
    /// Answers that never arrived.
    pub(crate) lost: u64,
    /// Answers that came late.
    pub(crate) replies_late: u64,
    /// Events that were told twice.
    pub(crate) repeated: u64,
    /// Events that came after one that was told later.
    pub(crate) overtaken: u64,
}

/// Orders that were posted and of which no answer arrived in time.
#[derive(Debug, Default)]
pub(crate) struct LostPosts {
    /// The venue had answered.
    pub(crate) answered: AtomicU64,
    /// The venue answered, too late.
    pub(crate) stalled: AtomicU64,
    /// The venue got it afterwards.
    pub(crate) late: AtomicU64,
    /// The venue never got it.
    pub(crate) never: AtomicU64,
}

impl BadWire {
    /// A wire to the venue at these addresses.
    pub(crate) async fn to(clob: &str, sockets: &str, rates: Rates, seed: u64) -> Self {
        let wire = Arc::new(Wire {
            clob: clob.to_owned(),
            sockets: sockets.to_owned(),
            client: reqwest::Client::builder().no_proxy().build().expect("a client"),
            rates,
            whole: watch::Sender::new(true),
            chance: Mutex::new(StdRng::seed_from_u64(seed)),
            lost: AtomicU64::new(0),
            lost_posts: LostPosts::default(),
            replies: Kind::default(),
            replies_late: Kind::default(),
            repeated: Kind::default(),
            held_up: Kind::default(),
            overtaken: AtomicU64::new(0),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let router = Router::new().route("/ws/{channel}", any(socket)).fallback(request).with_state(Arc::clone(&wire));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("served") });
        Self { address, wire, _serving: AbortOnDropHandle::new(serving) }
    }

    /// The venue's REST, as this wire has it.
    pub(crate) fn clob(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The venue's sockets, as this wire has them.
    pub(crate) fn sockets(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// What went wrong so far.
    #[allow(dead_code, reason = "each test binary uses a part of it")]
    pub(crate) fn injected(&self) -> Injected {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Injected {
            lost: count(&self.wire.lost),
            replies_late: count(&self.wire.replies_late.struck),
            repeated: count(&self.wire.repeated.struck),
            overtaken: count(&self.wire.overtaken),
        }
    }

    /// Cuts it, or puts it together again. While it is cut nothing comes through in either direction.
    #[allow(dead_code, reason = "each test binary uses a part of it")]
    pub(crate) fn set_whole(&self, whole: bool) {
        self.wire.whole.send_replace(whole);
    }

    /// Orders whose answer never arrived, by what became of them.
    #[allow(dead_code, reason = "each test binary uses a part of it")]
    pub(crate) fn lost_posts(&self) -> &LostPosts {
        &self.wire.lost_posts
    }
}

impl Wire {
    /// Whether something happens that happens in so many of a hundred cases.
    fn happens(&self, percent: u32) -> bool {
        self.chance.lock().expect("never poisoned").random_range(0..100) < percent
    }

    /// The same for a kind that no run is without: at the latest it strikes at an early occasion for the first time.
    fn strikes(&self, kind: &Kind, percent: u32) -> bool {
        let occasion = kind.occasions.fetch_add(1, Ordering::Relaxed) + 1;
        let due = percent > 0 && occasion >= AT_THE_LATEST && kind.struck.load(Ordering::Relaxed) == 0;
        let strikes = self.happens(percent) || due;
        kind.struck.fetch_add(u64::from(strikes), Ordering::Relaxed);
        strikes
    }

    /// Some time up to so many milliseconds.
    fn delay(&self, most: u64) -> Duration {
        Duration::from_millis(self.chance.lock().expect("never poisoned").random_range(1..=most))
    }

    async fn pass(&self, method: Method, path: &str, headers: axum::http::HeaderMap, body: Bytes) -> Response {
        let mut call = self.client.request(method, format!("{}{path}", self.clob)).body(body);
        for (name, value) in headers.iter().filter(|(name, _)| !matches!(name.as_str(), "host" | "content-length")) {
            call = call.header(name, value);
        }
        let reply = call.send().await.expect("the venue answers");
        let mut response = Response::builder().status(reply.status());
        for (name, value) in reply.headers() {
            if !matches!(name.as_str(), "transfer-encoding" | "connection" | "content-length") {
                response = response.header(name, value);
            }
        }
        response.body(Body::from(reply.bytes().await.expect("a whole answer"))).expect("a response")
    }

    /// The connection breaks off where the answer should be.
    fn lose(&self) -> Response {
        self.lost.fetch_add(1, Ordering::Relaxed);
        let broken = futures::stream::iter([Err::<Bytes, io::Error>(io::ErrorKind::ConnectionReset.into())]);
        Response::builder().header("content-length", 100).body(Body::from_stream(broken)).expect("a response")
    }
}

async fn request(State(wire): State<Arc<Wire>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("a whole request");
    let path = parts.uri.path_and_query().expect("a path").to_string();
    if !*wire.whole.borrow() {
        return wire.lose();
    }
    // What the account is opened with, and the dead-man's switch, go through: without them nothing is traded at all.
    let exposed = path.starts_with("/order") || path.starts_with("/data/") || path.starts_with("/cancel");
    if !exposed {
        return wire.pass(parts.method, &path, parts.headers, body).await;
    }
    let (rates, lost) = (wire.rates, &wire.lost_posts);
    let posts = parts.method == Method::POST;
    if posts && wire.happens(rates.request_lost) {
        lost.never.fetch_add(1, Ordering::Relaxed);
        return wire.lose();
    }
    if posts && wire.happens(rates.request_late) {
        lost.late.fetch_add(1, Ordering::Relaxed);
        let late = Arc::clone(&wire);
        tokio::spawn(async move {
            tokio::time::sleep(late.delay(REQUEST_DELAY)).await;
            late.pass(parts.method, &path, parts.headers, body).await;
        });
        return wire.lose();
    }
    let response = wire.pass(parts.method, &path, parts.headers, body).await;
    if wire.strikes(&wire.replies, rates.reply_lost) {
        lost.answered.fetch_add(u64::from(posts), Ordering::Relaxed);
        return wire.lose();
    }
    if posts && wire.happens(rates.reply_stalled) {
        lost.stalled.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(STALL).await;
    } else if wire.strikes(&wire.replies_late, rates.reply_late) {
        tokio::time::sleep(wire.delay(REPLY_DELAY)).await;
    }
    response
}

async fn socket(State(wire): State<Arc<Wire>>, Path(channel): Path<String>, upgrade: WebSocketUpgrade) -> Response {
    let mut whole = wire.whole.subscribe();
    if !*whole.borrow() {
        return wire.lose();
    }
    upgrade.on_upgrade(move |client| async move {
        tokio::select! {
            () = relay(wire, channel, client) => {}
            _ = whole.wait_for(|whole| !whole) => {}
        }
    })
}

/// Passes on until either end closes. What the client says arrives as it was said.
async fn relay(wire: Arc<Wire>, channel: String, client: WebSocket) {
    let Ok((venue, _)) = tokio_tungstenite::connect_async(format!("{}/ws/{channel}", wire.sockets)).await else {
        return;
    };
    let ((mut to_client, mut from_client), (mut to_venue, mut from_venue)) = (client.split(), venue.split());
    let (late, mut due) = mpsc::channel::<(String, bool)>(1_024);
    let mut held: u64 = 0;
    loop {
        tokio::select! {
            said = from_client.next() => {
                let Some(Ok(Message::Text(text))) = said else { return };
                if to_venue.send(Upstream::text(text.as_str())).await.is_err() {
                    return;
                }
            }
            told = from_venue.next() => {
                let text = match told {
                    Some(Ok(Upstream::Text(text))) => text.to_string(),
                    Some(Ok(Upstream::Ping(_) | Upstream::Pong(_))) => continue,
                    _ => return,
                };
                let repeated = wire.strikes(&wire.repeated, wire.rates.event_repeated);
                let held_up = wire.strikes(&wire.held_up, wire.rates.event_late);
                if held_up || repeated {
                    let (late, delay, text) = (late.clone(), wire.delay(EVENT_DELAY), text.clone());
                    tokio::spawn(async move {
                        tokio::time::sleep(delay).await;
                        // The socket may be closed by then.
                        let _closed = late.send((text, held_up)).await;
                    });
                }
                if held_up {
                    held += 1;
                } else {
                    wire.overtaken.fetch_add(std::mem::take(&mut held), Ordering::Relaxed);
                }
                if !held_up && to_client.send(Message::Text(text.into())).await.is_err() {
                    return;
                }
            }
            Some((text, held_up)) = due.recv() => {
                held = held.saturating_sub(u64::from(held_up));
                if to_client.send(Message::Text(text.into())).await.is_err() {
                    return;
                }
            }
        }
    }
}
