//! A venue that follows a script.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};

use async_trait::async_trait;
use rust_decimal::Decimal;
use tokio::sync::{Notify, mpsc};

use crate::domain::*;
use crate::exec::venue::*;
use crate::risk::Approved;

/// What the next POST meets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Script {
    /// Rests.
    Rest,
    /// Is matched in full.
    Fill,
    /// Is accepted, and the answer is lost.
    LoseReply,
    /// Is lost on its way, and nobody knows.
    LoseRequest,
    /// The answer is lost; it is accepted a little later.
    AcceptLate,
    /// Is accepted, and the answer never comes.
    Hang,
    /// Is refused for now.
    Busy,
}

/// How late a late order is accepted: within the time for which Hermes goes on looking in these tests.
const LATE: std::time::Duration = std::time::Duration::from_millis(60);

#[derive(Debug, Default)]
struct Inner {
    script: VecDeque<Script>,
    orders: BTreeMap<OrderId, VenueOrder>,
    fills: Vec<VenueFill>,
    unreadable: Vec<UnreadableRow<TradeId>>,
    /// Open orders that its list has and nobody can read.
    unreadable_orders: Vec<UnreadableRow<OrderId>>,
    posts: Vec<OrderId>,
    bodies: Vec<bytes::Bytes>,
    late: Vec<(std::time::Instant, VenueOrder)>,
    listeners: Vec<mpsc::Sender<UserEvent>>,
}

#[derive(Debug, Default)]
pub(super) struct TestVenue {
    inner: Mutex<Inner>,
    /// Cancel-all calls that fail before one succeeds.
    pub(super) refuse_cancel_all: AtomicU32,
    pub(super) cancel_alls: AtomicU32,
    pub(super) beats: AtomicU64,
    /// The next heartbeat gets no answer.
    pub(super) swallow_beat: AtomicBool,
    pub(super) posted: Notify,
    /// Its contracts are not those that we know.
    pub(super) foreign: AtomicBool,
    pub(super) connects: AtomicU32,
    /// Reads of its trades, and whether they wait for `released`.
    pub(super) reads: AtomicU32,
    pub(super) holds_reads: AtomicBool,
    /// Whether reads of its balances wait for `released`.
    pub(super) holds_balances: AtomicBool,
    pub(super) released: Notify,
    /// How far its clock is ahead of ours, in microseconds.
    pub(super) ahead_us: AtomicI64,
}

impl TestVenue {
    pub(super) fn next(&self, script: Script) {
        self.inner.lock().expect("lock").script.push_back(script);
    }

    pub(super) fn posts(&self) -> Vec<OrderId> {
        self.inner.lock().expect("lock").posts.clone()
    }

    pub(super) fn bodies(&self) -> Vec<bytes::Bytes> {
        self.inner.lock().expect("lock").bodies.clone()
    }

    /// Every order that it took, and where that stands.
    pub(super) fn truth(&self) -> BTreeMap<OrderId, VenueOrderStatus> {
        let inner = self.now();
        inner.orders.iter().map(|(id, order)| (id.clone(), order.status)).collect()
    }

    pub(super) fn open(&self) -> usize {
        let inner = self.inner.lock().expect("lock");
        inner.orders.values().filter(|order| order.status == VenueOrderStatus::Live).count()
    }

    /// From now on its trades have one that cannot be read, with this text.
    pub(super) fn spoil(&self, trade: &str, text: &str) {
        let reason = "trade.market is 'absent'".into();
        let hole = UnreadableRow { id: Some(trade.into()), reason, text: text.into() };
        self.inner.lock().expect("lock").unreadable.push(hole);
    }

    /// From now on its list of open orders has one that cannot be read; without an id nothing is wrong with it any more.
    pub(super) fn spoil_open(&self, order: Option<&str>) {
        let hole = |order: &str| UnreadableRow {
            id: Some(OrderId::new(order)),
            reason: "order.price is 'a lot'".into(),
            text: String::new(),
        };
        self.inner.lock().expect("lock").unreadable_orders = order.map(hole).into_iter().collect();
    }

    /// Somebody fills what rests.
    pub(super) async fn match_order(&self, order: &OrderId) {
        let (news, listeners) = {
            let mut inner = self.inner.lock().expect("lock");
            let matched = inner.orders.get_mut(order).expect("rests");
            matched.status = VenueOrderStatus::Matched;
            matched.matched = Some(matched.size);
            let fill = fill_of(matched);
            let news = [UserEvent::Fill(fill.clone()), UserEvent::Order(matched.clone())];
            inner.fills.push(fill);
            (news, inner.listeners.clone())
        };
        for event in news {
            for listener in &listeners {
                listener.send(event.clone()).await.expect("heard");
            }
        }
    }

    fn accept(&self, order: &SignedOrder, script: Script) {
        let intent = order.intent();
        let filled = matches!(script, Script::Fill);
        let mut inner = self.inner.lock().expect("lock");
        let order = VenueOrder {
            order: order.order().clone(),
            status: if filled { VenueOrderStatus::Matched } else { VenueOrderStatus::Live },
            status_text: "LIVE".into(),
            market: intent.market.clone(),
            token: intent.token.clone(),
            outcome: intent.outcome.clone(),
            side: intent.side,
            price: intent.price,
            size: intent.size,
            matched: Some(if filled { intent.size } else { Size::ZERO }),
        };
        if filled {
            inner.fills.push(fill_of(&order));
        }
        if matches!(script, Script::AcceptLate) {
            inner.late.push((crate::clock::monotonic() + LATE, order));
        } else {
            inner.orders.insert(order.order.clone(), order);
        }
    }

    /// What there is now; late orders arrive when their time has come.
    fn now(&self) -> std::sync::MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock().expect("lock");
        let (due, later) = std::mem::take(&mut inner.late)
            .into_iter()
            .partition(|(at, _): &(std::time::Instant, VenueOrder)| *at <= crate::clock::monotonic());
        inner.late = later;
        inner.orders.extend(due.into_iter().map(|(_, order)| (order.order.clone(), order)));
        inner
    }
}

fn fill_of(order: &VenueOrder) -> VenueFill {
    VenueFill {
        met: Vec::new(),
        trade: TradeId::new(format!("t-{}", order.order)),
        order: order.order.clone(),
        market: order.market.clone(),
        token: order.token.clone(),
        outcome: order.outcome.clone(),
        side: order.side,
        size: order.size,
        price: order.price,
        role: Role::Taker,
        status: FillStatus::Matched,
        matched_at: crate::clock::now(),
    }
}

#[async_trait]
impl ExecutionVenue for TestVenue {
    fn sign(&self, approved: &Approved<OrderIntent>, market: &Market) -> Result<SignedOrder, SignError> {
        let order = self.identify(approved.inner(), market)?;
        let body = bytes::Bytes::from(format!("body of {order}"));
        Ok(SignedOrder::new(approved, order, approved.inner().size, body, "digest".into()))
    }

    fn identify(&self, intent: &OrderIntent, _: &Market) -> Result<OrderId, SignError> {
        Ok(OrderId::new(format!("0x{}", intent.intent)))
    }

    async fn connect(&self) -> Result<(), VenueError> {
        self.connects.fetch_add(1, Ordering::SeqCst);
        if self.foreign.load(Ordering::SeqCst) {
            let (ours, theirs) = ("0xours".into(), "0xtheirs".into());
            return Err(VenueError::Mismatch { what: "exchange contract", ours, theirs });
        }
        Ok(())
    }

    async fn post(&self, order: &SignedOrder, may_send: &(dyn Fn() -> Result<(), String> + Send + Sync)) -> PostAnswer {
        if let Err(reason) = may_send() {
            return PostAnswer::NotSent { reason };
        }
        let script = {
            let mut inner = self.inner.lock().expect("lock");
            inner.posts.push(order.order().clone());
            inner.bodies.push(order.body().clone());
            inner.script.pop_front().unwrap_or(Script::Rest)
        };
        if !matches!(script, Script::Busy | Script::LoseRequest) {
            self.accept(order, script);
        }
        self.posted.notify_waiters();
        let accepted = |status: &str| PostAnswer::Accepted { status: status.into(), trades: Vec::new() };
        match script {
            Script::Rest => accepted("live"),
            Script::Fill => accepted("matched"),
            Script::LoseReply | Script::LoseRequest | Script::AcceptLate => {
                PostAnswer::Unknown { reason: "connection reset".into() }
            }
            Script::Hang => std::future::pending().await,
            Script::Busy => {
                PostAnswer::Transient { code: TransientCode::Restarting, reason: "425".into(), retry_after: None }
            }
        }
    }

    async fn cancel(&self, orders: &[OrderId]) -> Result<CancelAnswer, VenueError> {
        let mut inner = self.now();
        let mut answer = CancelAnswer::default();
        for id in orders {
            match inner.orders.get_mut(id).filter(|order| order.status == VenueOrderStatus::Live) {
                Some(order) => {
                    order.status = VenueOrderStatus::Cancelled;
                    answer.cancelled.push(id.clone());
                }
                None => answer.not_cancelled.push((id.clone(), "already cancelled or matched".into())),
            }
        }
        Ok(answer)
    }

    async fn cancel_all(&self) -> Result<CancelAnswer, VenueError> {
        self.cancel_alls.fetch_add(1, Ordering::SeqCst);
        let failing = |left: u32| left.checked_sub(1);
        if self.refuse_cancel_all.fetch_update(Ordering::SeqCst, Ordering::SeqCst, failing).is_ok() {
            return Err(VenueError::Refused { status: 503, reason: "scripted".into(), retry_after: None });
        }
        let open: Vec<OrderId> = self.open_orders().await?.orders.into_iter().map(|order| order.order).collect();
        self.cancel(&open).await
    }

    async fn open_orders(&self) -> Result<OrderList, VenueError> {
        let inner = self.now();
        let orders = inner.orders.values().filter(|order| order.status == VenueOrderStatus::Live).cloned().collect();
        Ok(OrderList { orders, unreadable: inner.unreadable_orders.clone() })
    }

    async fn order(&self, order: &OrderId) -> Result<Option<VenueOrder>, VenueError> {
        Ok(self.now().orders.get(order).cloned())
    }

    async fn fills(&self, since: Timestamp) -> Result<TradeList, VenueError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        while self.holds_reads.load(Ordering::SeqCst) {
            self.released.notified().await;
        }
        let inner = self.inner.lock().expect("lock");
        let fills = inner.fills.iter().filter(|fill| fill.matched_at >= since).cloned().collect();
        Ok(TradeList { fills, unreadable: inner.unreadable.clone() })
    }

    async fn trade(&self, trade: &TradeId) -> Result<Vec<VenueFill>, VenueError> {
        let inner = self.inner.lock().expect("lock");
        Ok(inner.fills.iter().filter(|fill| fill.trade == *trade).cloned().collect())
    }

    async fn balances(&self, tokens: &[TokenId]) -> Result<Balances, VenueError> {
        while self.holds_balances.load(Ordering::SeqCst) {
            self.released.notified().await;
        }
        let of = |balance| AssetBalance {
            balance,
            allowances: vec![Allowance { spender: "exchange".into(), amount: None }],
        };
        let tokens = tokens.iter().map(|token| (token.clone(), of(Decimal::ZERO))).collect();
        Ok(Balances { collateral: of(Decimal::from(1_000_000)), tokens })
    }

    async fn refresh_balances(&self, _: &[TokenId]) -> Result<(), VenueError> {
        Ok(())
    }

    async fn heartbeat(&self) -> Result<(), VenueError> {
        self.beats.fetch_add(1, Ordering::SeqCst);
        if self.swallow_beat.swap(false, Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    fn skew(&self) -> Option<ClockSkew> {
        Some(ClockSkew {
            ahead_us: self.ahead_us.load(Ordering::SeqCst),
            within_us: 0,
            measured_at: crate::clock::now(),
        })
    }

    fn limits(&self) -> Vec<CallLimit> {
        Vec::new()
    }

    fn user_events(&self) -> mpsc::Receiver<UserEvent> {
        let (to, from) = mpsc::channel(64);
        to.try_send(UserEvent::Connected).expect("room");
        self.inner.lock().expect("lock").listeners.push(to);
        from
    }
}
