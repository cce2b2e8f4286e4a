//! A simulated venue of its own, with markets on every exchange, and the adapter connected to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alloy_primitives::{U256, keccak256};
use cockpit::clock;
use cockpit::domain::{
    FeeSchedule, Market, MarketId, OrderId, OrderIntent, OutcomeToken, Price, Protocol, Side, Size, TimeInForce,
    Timestamp, TokenId, Usd,
};
use cockpit::exec::venue::{ExecutionVenue, PostAnswer, SignedOrder, UserEvent, VenueFill, VenueOrder};

use cockpit::sim::clob;
use cockpit::sim::exchange::{AccountId, AccountKind, Exchange, NewOrder};
use cockpit::venues::polymarket::signing::{LocalKey, SignatureType};
use cockpit::venues::polymarket::{PolymarketVenue, Rates, Settings};
use rust_decimal::{Decimal, dec};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::approved::approve;

pub(crate) const COLLATERAL: Decimal = dec!(10_000);
/// Bound on every wait; a slow machine needs a fraction of it.
const PATIENCE: Duration = Duration::from_secs(40);
/// Shares of the house on each side.
const DEPTH: Decimal = dec!(2_000);

/// An order to be tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) side: Side,
    pub(crate) price: Decimal,
    pub(crate) size: Decimal,
    pub(crate) tif: TimeInForce,
    pub(crate) post_only: bool,
}

impl Wish {
    pub(crate) const fn price(&self) -> Price {
        Price(self.price)
    }

    pub(crate) const fn size(&self) -> Size {
        Size(self.size)
    }
}

pub(crate) const fn wish(side: Side, price: Decimal, size: Decimal) -> Wish {
    Wish { side, price, size, tif: TimeInForce::Gtc, post_only: false }
}

/// A market of its own on one of the exchanges, free of fees.
pub(crate) fn market(protocol: Protocol, neg_risk: bool, tick: Decimal) -> Market {
    let slug = format!("{protocol:?}-{neg_risk}-{tick}").to_lowercase();
    let hash = keccak256(&slug);
    let token = |index: u64| {
        let id = U256::from_be_bytes(hash.0);
        // A position id has zeros in bits 40 to 103; a CTF token id is a hash.
        let id = match protocol {
            Protocol::V2 => id ^ U256::from(index),
            Protocol::V3 => ((id >> 128_usize) << 104_usize) | U256::from(index),
        };
        OutcomeToken { token: TokenId::new(id.to_string()), outcome: if index == 0 { "Yes" } else { "No" }.into() }
    };
    Market {
        slug: slug.as_str().into(),
        market: MarketId::new(hash.to_string()),
        tokens: [token(0), token(1)],
        tick_size: Price(tick),
        min_size: Size(dec!(5)),
        neg_risk,
        protocol,
        fee: FeeSchedule::FREE,
        opens_at: None,
        closes_at: None,
        accepting_orders: true,
        payouts: None,
        question: None,
        group: None,
    }
}

/// What the account's socket tells, with a bound on every wait.
pub(crate) struct Events(mpsc::Receiver<UserEvent>);

impl Events {
    async fn until<T>(&mut self, what: &str, fits: impl Fn(UserEvent) -> Option<T>) -> T {
        let search = async {
            loop {
                let event = self.0.recv().await.unwrap_or_else(|| panic!("the socket ended before {what}"));
                if let Some(found) = fits(event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, search).await.unwrap_or_else(|_| panic!("waited for {what}"))
    }

    /// Whatever comes next.
    pub(crate) async fn next(&mut self) -> UserEvent {
        self.until("an event", Some).await
    }

    pub(crate) async fn order(&mut self, id: &OrderId) -> VenueOrder {
        self.until("an order", |event| match event {
            UserEvent::Order(order) if order.order == *id => Some(order),
            _ => None,
        })
        .await
    }

    pub(crate) async fn fill(&mut self, id: &OrderId) -> VenueFill {
        self.until("a fill", |event| match event {
            UserEvent::Fill(fill) if fill.order == *id => Some(fill),
            _ => None,
        })
        .await
    }
}

pub(crate) struct Bench {
    pub(crate) exchange: Exchange,
    pub(crate) venue: Arc<PolymarketVenue>,
    pub(crate) began: Timestamp,
    /// What was lost on round trips.
    pub(crate) paid: Decimal,
    settings: Settings,
    intents: AtomicU64,
    shutdown: CancellationToken,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Bench {
    pub(crate) async fn start(signature_type: SignatureType, wallet: Option<&str>) -> Self {
        let exchange = Exchange::new(7);
        let shutdown = CancellationToken::new();
        let rest = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let sockets = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let settings = Settings {
            clob: format!("http://{}", rest.local_addr().expect("an address")),
            clob_ws: format!("ws://{}", sockets.local_addr().expect("an address")),
            chain_id: 137,
            signature_type,
            wallet: wallet.map(str::to_owned),
            rates: Rates::STANDARD,
        };
        tokio::spawn(clob::serve_clob(exchange.clone(), rest, shutdown.clone()));
        tokio::spawn(clob::serve_clob_ws(exchange.clone(), sockets, shutdown.clone()));
        exchange.open_account(&house(), AccountKind::House, Usd(dec!(1_000_000)));
        let key = key(cockpit::sim::DESK_KEY);
        exchange.open_account(&AccountId::new(key.address().to_checksum(None)), AccountKind::Client, Usd(COLLATERAL));
        let venue = PolymarketVenue::new(&settings, key).expect("a venue");
        let began = clock::now();
        Self { exchange, venue, began, paid: Decimal::ZERO, settings, intents: AtomicU64::new(0), shutdown }
    }

    /// Where the sockets are.
    pub(crate) fn sockets(&self) -> String {
        self.settings.clob_ws.clone()
    }

    /// Where REST is.
    #[allow(dead_code, reason = "each test binary uses a part of it")]
    pub(crate) fn clob(&self) -> String {
        self.settings.clob.clone()
    }

    /// The same account in another process.
    pub(crate) fn another(&self) -> Arc<PolymarketVenue> {
        self.of(cockpit::sim::DESK_KEY)
    }

    /// The account of another key.
    pub(crate) fn of(&self, hex: &str) -> Arc<PolymarketVenue> {
        let key = key(hex);
        if hex != cockpit::sim::DESK_KEY {
            let account = AccountId::new(key.address().to_checksum(None));
            self.exchange.open_account(&account, AccountKind::Client, Usd(COLLATERAL));
        }
        PolymarketVenue::new(&self.settings, key).expect("a venue")
    }

    /// Connects, and waits until the account's socket is subscribed.
    pub(crate) async fn connect(&mut self) -> Events {
        self.venue.connect().await.expect("connects");
        let mut events = Events(self.venue.user_events());
        events.until("the subscription", |event| (event == UserEvent::Connected).then_some(())).await;
        events
    }

    /// Lists a market and puts the house on both sides of its first token.
    pub(crate) fn list(&self, market: &Market, bid: Decimal, ask: Decimal) {
        let now = clock::now();
        self.exchange.list_market(market.clone(), now);
        for (side, price) in [(Side::Buy, bid), (Side::Sell, ask)] {
            let order = NewOrder {
                id: OrderId::new(format!("{}-{side}", market.slug)),
                token: market.tokens[0].token.clone(),
                side,
                price: Price(price),
                size: Size(DEPTH),
                tif: TimeInForce::Gtc,
                post_only: false,
                expiration: None,
            };
            self.exchange.place(&house(), order, now).expect("the house rests");
        }
    }

    /// Approves and signs a fresh intent.
    pub(crate) fn sign(&self, market: &Market, wish: Wish) -> SignedOrder {
        let number = self.intents.fetch_add(1, Ordering::Relaxed);
        let approved = approve(intent(market, wish, number), market);
        self.venue.sign(&approved, market).unwrap_or_else(|error| panic!("{wish:?}: {error}"))
    }

    pub(crate) async fn post(&self, order: &SignedOrder) -> PostAnswer {
        self.venue.post(order, &|| Ok(())).await
    }

    /// Posts until it is accepted, however often the budget says later.
    pub(crate) async fn submit(&self, order: &SignedOrder) {
        let accepted = async {
            loop {
                match self.post(order).await {
                    PostAnswer::Accepted { .. } => return,
                    PostAnswer::Transient { retry_after: Some(wait), .. } => tokio::time::sleep(wait).await,
                    other => panic!("{other:?}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, accepted).await.expect("accepted in time");
    }
}

fn house() -> AccountId {
    AccountId::new("house")
}

fn key(hex: &str) -> LocalKey {
    LocalKey::from_hex(hex).expect("a development key")
}

fn intent(market: &Market, wish: Wish, number: u64) -> OrderIntent {
    let now = clock::now();
    OrderIntent {
        intent: format!("intent-{number}").as_str().into(),
        strategy: "test".into(),
        market: market.market.clone(),
        slug: market.slug.clone(),
        token: market.tokens[0].token.clone(),
        outcome: market.tokens[0].outcome.clone(),
        side: wish.side,
        price: Price(wish.price),
        size: Size(wish.size),
        tif: wish.tif,
        post_only: wish.post_only,
        tick_received_at: now,
        created_at: now,
        deadline: now.plus(Duration::from_mins(1)),
        rest_until: now.plus(Duration::from_mins(5)),
        epoch: 1,
        attempt: 1,
    }
}
