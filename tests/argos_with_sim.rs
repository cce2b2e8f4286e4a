//! Argos against the simulated venues over their real sockets: what the venues say arrives on the bus, nothing is refused.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::time::Duration;

use cockpit::bus::memory::MemoryBus;
use cockpit::bus::{BusRef, Channel, Delivery, Key, Stream, decode};
use cockpit::domain::{ArgosState, Book, FeedLink, Market, PolymarketData, Symbol, Tick, TickKind, TokenId};
use cockpit::pipeline::argos;
use cockpit::sim;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(90);

/// What was seen on the bus.
#[derive(Default)]
struct Seen {
    trades: HashMap<Symbol, Vec<u64>>,
    quotes: HashMap<Symbol, usize>,
    markets: HashMap<String, Market>,
    books: HashMap<TokenId, Book>,
}

impl Seen {
    fn take(&mut self, channel: Channel, payload: &[u8]) {
        if channel == Channel::Crypto {
            let tick = decode::<Tick>(payload).expect("a tick").body;
            match tick.kind {
                TickKind::Trade { trade_id, .. } => self.trades.entry(tick.symbol).or_default().push(trade_id),
                TickKind::Quote { bid, ask, .. } => {
                    assert!(bid <= ask);
                    *self.quotes.entry(tick.symbol).or_default() += 1;
                }
            }
            return;
        }
        match decode::<PolymarketData>(payload).expect("polymarket data").body {
            PolymarketData::Market(market) => {
                self.markets.insert(market.slug.to_string(), market);
            }
            PolymarketData::Book(book) => {
                if let (Some(bid), Some(ask)) = (book.best_bid(), book.best_ask()) {
                    assert!(bid.price < ask.price, "a crossed book was published: {book:?}");
                }
                self.books.insert(book.token.clone(), book);
            }
        }
    }

    fn is_enough(&self) -> bool {
        let pair = |symbol: &str| {
            let symbol = Symbol::new(symbol);
            self.trades.get(&symbol).is_some_and(|ids| ids.len() >= 80) && self.quotes.get(&symbol) >= Some(&20)
        };
        let two_sided = |market: &Market| {
            let book = |token| self.books.get(token).is_some_and(|book: &Book| book.mid().is_some());
            market.tokens.iter().all(|outcome| book(&outcome.token))
        };
        let rolling = self.markets.values().filter(|market| market.slug.as_str().starts_with("btc-updown-5m-"));
        let heard = self.books.values().any(|book| book.known_at() > book.received_at);
        pair("BTC/USD") && pair("ETH/USD") && self.markets.len() >= 2 && rolling.into_iter().any(two_sided) && heard
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_venues_say_arrives_on_the_bus() {
    let settings = sim::Settings { speed: 5.0, seed: 7, history: None, port: 0 };
    let venues = sim::start(settings).await.expect("simulated venues");
    let quiet =
        venues.markets.iter().find(|market| !market.slug.contains("updown")).expect("a quiet market").slug.clone();
    let bus: BusRef = MemoryBus::new();
    let mut feed = bus.subscribe(&[Channel::Crypto, Channel::Polymarket], 100_000).await.expect("subscribes");
    let shutdown = CancellationToken::new();
    let settings = argos::Settings {
        kraken_ws: venues.endpoints.kraken_ws.clone(),
        gamma: venues.endpoints.gamma.clone(),
        clob: venues.endpoints.clob.clone(),
        clob_ws: venues.endpoints.clob_ws.clone(),
        symbols: vec![Symbol::new("BTC/USD"), Symbol::new("ETH/USD")],
        markets: vec!["btc-updown-5m-{start}".to_owned(), quiet.clone()],
        silence: Duration::from_secs(30),
        subscribe_within: Duration::from_secs(10),
    };
    let daemon = tokio::spawn(argos::run(settings, BusRef::clone(&bus), shutdown.clone()));

    let mut seen = Seen::default();
    let collecting = async {
        while !(seen.is_enough() && all_up(&bus).await) {
            match feed.recv().await.expect("the bus lives") {
                Delivery::Message { channel, payload } => seen.take(channel, &payload),
                other => panic!("messages were lost: {other:?}"),
            }
        }
    };
    let done = timeout(PATIENCE, collecting).await.is_ok();
    assert!(done, "not within {PATIENCE:?}: {:?} {:#?}", seen.markets.keys(), state(&bus).await);
    shutdown.cancel();
    timeout(PATIENCE, daemon).await.expect("stops in time").expect("no panic").expect("no error");
    venues.stop().await;

    for (symbol, ids) in &seen.trades {
        let consecutive = ids.windows(2).all(|pair| pair[1] == pair[0] + 1);
        assert!(consecutive, "{symbol}: trades are missing or doubled");
    }
    assert!(seen.markets.contains_key(&quiet));
    let state = state(&bus).await.expect("a snapshot");
    assert_eq!((state.ticks.rejected, state.ticks.dropped), (0, 0), "{:?}", bus.tail(Stream::Rejected, 3).await);
    assert_eq!(state.ticks.received, state.ticks.published);
    assert!(state.feeds.iter().all(|feed| feed.gaps == 0 && feed.reconnects == 0), "{:#?}", state.feeds);
}

async fn state(bus: &BusRef) -> Option<ArgosState> {
    let payload = bus.get(&Key::ARGOS).await.expect("the bus answers")?;
    Some(decode::<ArgosState>(&payload).expect("a snapshot").body)
}

async fn all_up(bus: &BusRef) -> bool {
    // The window before the last roll may still wait for its result.
    let up = |feed: &cockpit::domain::FeedState| {
        feed.link == FeedLink::Up || feed.reason.as_deref().is_some_and(|reason| reason.starts_with("ended"))
    };
    state(bus).await.is_some_and(|state| state.feeds.len() >= 6 && state.feeds.iter().all(up))
}
