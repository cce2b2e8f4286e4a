//! Calls to the venue, each in its own task and bounded in time; results come back over one bounded channel.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::desk::{Key, Lookup, Snapshot};
use super::super::kill::KillSwitch;
use super::super::venue::{
    Balances, CancelAnswer, ExecutionVenue, PostAnswer, SignedOrder, UserEvent, VenueError, VenueFill, VenueOrderStatus,
};
use super::commands::Reply;
use super::lease::Tenure;
use super::trades::Trades;
use crate::clock;
use crate::domain::{Command, Counted, DeadLetter, MarketId, OrderId, Timestamp, TokenId, TradeId, TransientCode};
use crate::failpoint::{self, Failpoint};
use crate::store::ledger::{History, Known, Ledger, LedgerError};

/// A POST without an answer for this long has an unknown outcome.
const POST_TIMEOUT: Duration = Duration::from_secs(6);
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// The same for a heartbeat, of which the venue wants to have one every ten seconds: one that is lost leaves time for others.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(2);
/// Results that wait for the loop. A call waits with its result when there is no room: nothing is lost.
const REPORTS: usize = 256;
const EVENTS: usize = 256;
const CONNECT_AGAIN: Duration = Duration::from_secs(1);
/// The same when only a person can put right what is wrong.
const CONNECT_SLOWLY: Duration = Duration::from_secs(30);
/// Cancels that wait for an answer, or for somebody to take it. One beyond that is not sent: it comes again.
const CANCELS: usize = 16;

/// What a call brought.
#[derive(Debug)]
pub(super) enum Report {
    /// A POST was answered, or not.
    Posted { key: Key, answer: PostAnswer, begun: Option<Timestamp> },
    /// A cancel.
    Cancelled { orders: Vec<OrderId>, result: Result<CancelAnswer, VenueError> },
    /// What the ledger knows of an order that is in no book.
    Recalled { order: OrderId, result: Result<Box<Known>, LedgerError> },
    /// The dead letter that a command is about.
    Letter { command: Box<Command>, reply: Reply, result: Result<Option<Box<DeadLetter>>, LedgerError> },
    /// What the ledger knows of a token.
    History { token: TokenId, result: Result<Box<History>, LedgerError> },
    /// Counters of all orders in the ledger.
    Counted(Result<Counted, LedgerError>),
    /// A lookup.
    LookedUp { order: OrderId, begun: Timestamp, result: Result<Lookup, VenueError> },
    /// All open orders, and fills.
    Snapshot { begun: Timestamp, result: Result<Snapshot, VenueError> },
    /// pUSD and shares.
    Balances(Result<Balances, VenueError>),
    /// A heartbeat.
    Heartbeat(Result<(), VenueError>),
}

#[derive(Debug)]
pub(super) struct Calls {
    venue: Arc<dyn ExecutionVenue>,
    ledger: Arc<dyn Ledger>,
    trades: Arc<Trades>,
    switch: Arc<KillSwitch>,
    tenure: Arc<Tenure>,
    tasks: TaskTracker,
    cancels: Arc<Semaphore>,
    reports: mpsc::Sender<Report>,
    receiver: Option<mpsc::Receiver<Report>>,
    end: CancellationToken,
}

impl Calls {
    /// Calls until `end`.
    pub(super) fn new(
        (venue, ledger): (Arc<dyn ExecutionVenue>, Arc<dyn Ledger>),
        switch: Arc<KillSwitch>,
        tenure: Arc<Tenure>,
        tasks: TaskTracker,
        end: &CancellationToken,
    ) -> Self {
        let (reports, receiver) = mpsc::channel(REPORTS);
        let cancels = Arc::new(Semaphore::new(CANCELS));
        let trades = Trades::new(Arc::clone(&venue), tasks.clone(), end.clone());
        Self {
            venue,
            ledger,
            trades,
            switch,
            tenure,
            tasks,
            cancels,
            reports,
            receiver: Some(receiver),
            end: end.clone(),
        }
    }

    /// Connects, and passes on the account's events.
    pub(super) fn start(mut self) -> (Self, mpsc::Receiver<Report>, mpsc::Receiver<UserEvent>) {
        let (events, receiver) = mpsc::channel(EVENTS);
        let (venue, end) = (Arc::clone(&self.venue), self.end.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                () = follow(venue.as_ref(), events) => {}
                () = end.cancelled() => {}
            }
        });
        let reports = self.receiver.take().unwrap_or_else(|| mpsc::channel(1).1);
        (self, reports, receiver)
    }

    pub(super) fn venue(&self) -> &dyn ExecutionVenue {
        self.venue.as_ref()
    }

    /// Posts once. The switch is asked right before the first byte.
    pub(super) fn post(&self, key: Key, order: Arc<SignedOrder>) {
        let (venue, switch, tenure) = (Arc::clone(&self.venue), Arc::clone(&self.switch), Arc::clone(&self.tenure));
        self.spawn(async move {
            let begun = Arc::new(AtomicI64::new(0));
            let in_flight = switch.post_begins();
            let gate = Gate { switch: Arc::clone(&switch), tenure, begun: Arc::clone(&begun) };
            // A task of its own, so that a defect in the adapter is an unknown outcome and not a lost order.
            let sending = tokio::spawn(send(venue, gate, order));
            let answer = sending.await.unwrap_or_else(|error| PostAnswer::Unknown { reason: error.to_string() });
            drop(in_flight);
            let begun = Some(begun.load(Ordering::SeqCst)).filter(|at| *at != 0).map(Timestamp::from_micros);
            Report::Posted { key, answer: if begun.is_none() { unsent(answer) } else { answer }, begun }
        });
    }

    pub(super) fn cancel(&self, orders: Vec<OrderId>) {
        let Ok(permit) = Arc::clone(&self.cancels).try_acquire_owned() else {
            tracing::warn!(orders = orders.len(), "too many cancels wait for their answers; these come again");
            return;
        };
        let venue = Arc::clone(&self.venue);
        self.spawn_with(permit, async move {
            let result = bounded(venue.cancel(&orders)).await;
            Report::Cancelled { orders, result }
        });
    }

    pub(super) fn lookup(&self, order: OrderId, since: Timestamp) {
        let (venue, trades) = (Arc::clone(&self.venue), Arc::clone(&self.trades));
        self.spawn(async move {
            let begun = clock::now();
            let result = look(venue.as_ref(), &trades, &order, since).await;
            Report::LookedUp { order, begun, result }
        });
    }

    pub(super) fn snapshot(&self, since: Timestamp, older: Vec<TradeId>) {
        let (venue, trades) = (Arc::clone(&self.venue), Arc::clone(&self.trades));
        self.spawn(async move {
            let begun = clock::now();
            let lists = async { tokio::try_join!(bounded(venue.open_orders()), trades.since(since)) };
            let (lists, older) = tokio::join!(lists, by_id(venue.as_ref(), &older));
            let result = lists.map(|(open, trades)| Snapshot {
                orders: open.orders,
                fills: [trades.fills.clone(), older].concat(),
                unreadable_orders: open.unreadable,
                unreadable_trades: trades.unreadable.clone(),
            });
            Report::Snapshot { begun, result }
        });
    }

    /// Asks the ledger, for an order may have ended too long ago to be known otherwise.
    pub(super) fn recall(&self, order: OrderId) {
        let ledger = Arc::clone(&self.ledger);
        self.spawn(async move {
            let result = ledger.order(&order).await.map(Box::new);
            Report::Recalled { order, result }
        });
    }

    /// Asks the ledger for a dead letter that is too old to be in memory; the command is obeyed once it has answered.
    pub(super) fn letter(&self, id: String, command: Command, reply: Reply) {
        let ledger = Arc::clone(&self.ledger);
        self.spawn(async move {
            let result = ledger.letter(&id).await.map(|letter| letter.map(Box::new));
            Report::Letter { command: Box::new(command), reply, result }
        });
    }

    /// Asks the ledger for all of a token, for what was folded up of it is not in memory.
    pub(super) fn history(&self, market: MarketId, token: TokenId) {
        let ledger = Arc::clone(&self.ledger);
        self.spawn(async move {
            let result = ledger.history(&market, &token).await.map(Box::new);
            Report::History { token, result }
        });
    }

    /// Asks the ledger for the counters of all orders.
    pub(super) fn count_orders(&self) {
        let ledger = Arc::clone(&self.ledger);
        self.spawn(async move { Report::Counted(ledger.count_orders().await) });
    }

    pub(super) fn balances(&self, tokens: Vec<TokenId>, refresh: bool) {
        let venue = Arc::clone(&self.venue);
        self.spawn(async move {
            let read = async {
                if refresh {
                    venue.refresh_balances(&tokens).await?;
                }
                venue.balances(&tokens).await
            };
            Report::Balances(bounded(read).await)
        });
    }

    pub(super) fn heartbeat(&self) {
        let (venue, switch, tenure) = (Arc::clone(&self.venue), Arc::clone(&self.switch), Arc::clone(&self.tenure));
        self.spawn(async move {
            let result = if !switch.is_armed() {
                // A kill since it was asked for: the dead-man switch must run out.
                Ok(())
            } else if let Err(why) = tenure.may_send() {
                // Whoever has the account now answers for its orders.
                Err(VenueError::Unreachable(why))
            } else {
                within(HEARTBEAT_TIMEOUT, venue.heartbeat()).await
            };
            Report::Heartbeat(result)
        });
    }

    fn spawn(&self, call: impl Future<Output = Report> + Send + 'static) {
        self.spawn_with((), call);
    }

    /// Makes a call and hands its result over; `held` is kept until that is done.
    fn spawn_with(&self, held: impl Send + 'static, call: impl Future<Output = Report> + Send + 'static) {
        let (reports, end) = (self.reports.clone(), self.end.clone());
        self.tasks.spawn(async move {
            let _held = held;
            let report = tokio::select! {
                report = call => report,
                () = end.cancelled() => return,
            };
            if reports.send(report).await.is_err() {
                tracing::debug!("an answer came after the loop had ended; the next start asks again");
            }
        });
    }
}

/// What is asked right before the first byte.
struct Gate {
    switch: Arc<KillSwitch>,
    tenure: Arc<Tenure>,
    begun: Arc<AtomicI64>,
}

impl Gate {
    fn pass(&self, epoch: u64) -> Result<(), String> {
        self.switch.may_send(epoch)?;
        self.tenure.may_send()?;
        self.begun.store(clock::now().micros(), Ordering::SeqCst);
        failpoint::hit(Failpoint::BeforeFirstByte);
        Ok(())
    }
}

async fn send(venue: Arc<dyn ExecutionVenue>, gate: Gate, order: Arc<SignedOrder>) -> PostAnswer {
    let epoch = order.intent().epoch;
    let may_send = || gate.pass(epoch);
    let posting = failpoint::during(|| Some(Failpoint::Posting), venue.post(&order, &may_send));
    let answer = tokio::time::timeout(POST_TIMEOUT, posting)
        .await
        .unwrap_or_else(|_| PostAnswer::Unknown { reason: format!("no answer within {POST_TIMEOUT:?}") });
    match answer {
        // The lease is ours again as soon as the ledger answers, the latch on the bus is known again as soon as that does: the
        // order may still go while its deadline allows.
        PostAnswer::NotSent { reason } if gate.switch.is_armed() && gate.switch.latch().epoch == epoch => {
            PostAnswer::Transient { code: TransientCode::Unreachable, reason, retry_after: None }
        }
        other => other,
    }
}

/// The adapter never asked whether it may send, so no byte left: whatever went wrong, it may be tried again.
fn unsent(answer: PostAnswer) -> PostAnswer {
    match answer {
        PostAnswer::Unknown { reason } => {
            PostAnswer::Transient { code: TransientCode::Unreachable, reason, retry_after: None }
        }
        other => other,
    }
}

/// The order, and its trades too when the order alone does not tell what became of it.
pub(super) async fn look(
    venue: &dyn ExecutionVenue,
    trades: &Arc<Trades>,
    order: &OrderId,
    since: Timestamp,
) -> Result<Lookup, VenueError> {
    let found = bounded(venue.order(order)).await?;
    let resting = found.as_ref().is_some_and(|found| {
        found.status == VenueOrderStatus::Live && found.matched.is_none_or(crate::domain::Size::is_zero)
    });
    if resting {
        return Ok(Lookup { order: found, fills: Vec::new() });
    }
    let list = trades.since(since).await?;
    if let Some(hole) = list.unreadable.iter().find(|hole| found.is_none() && hole.names(order)) {
        // Somebody traded with it: it is not absent.
        return Err(VenueError::Unreadable(format!("a trade of order {order}: {}", hole.reason)));
    }
    Ok(Lookup { order: found, fills: list.fills.iter().filter(|fill| fill.order == *order).cloned().collect() })
}

/// What became of trades that are too old for the list. One that cannot be read spoils no comparison: it is asked for again.
async fn by_id(venue: &dyn ExecutionVenue, trades: &[TradeId]) -> Vec<VenueFill> {
    let reads = trades.iter().map(|trade| bounded(venue.trade(trade)));
    let mut fills = Vec::new();
    for (trade, read) in trades.iter().zip(futures::future::join_all(reads).await) {
        match read {
            Ok(found) => fills.extend(found),
            Err(error) => tracing::warn!(%error, %trade, "a trade that is not settled cannot be read, trying again"),
        }
    }
    fills
}

/// A call that ends in time, one way or the other.
async fn bounded<T>(call: impl Future<Output = Result<T, VenueError>>) -> Result<T, VenueError> {
    within(CALL_TIMEOUT, call).await
}

pub(super) async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, VenueError>>,
) -> Result<T, VenueError> {
    tokio::time::timeout(limit, call)
        .await
        .unwrap_or_else(|_| Err(VenueError::Unreachable(format!("no answer within {limit:?}"))))
}

async fn follow(venue: &dyn ExecutionVenue, events: mpsc::Sender<UserEvent>) {
    while let Err(error) = bounded(venue.connect()).await {
        let pause = if error.is_permanent() { CONNECT_SLOWLY } else { CONNECT_AGAIN };
        tracing::warn!(%error, again_in = ?pause, "not connected with the venue");
        let down = UserEvent::Disconnected { reason: error.to_string() };
        if events.send(down).await.is_err() {
            return;
        }
        tokio::time::sleep(pause).await;
    }
    let mut source = venue.user_events();
    while let Some(event) = source.recv().await {
        if events.send(event).await.is_err() {
            return;
        }
    }
    let gone = UserEvent::Disconnected { reason: "the event socket has ended".into() };
    if events.send(gone).await.is_err() {
        tracing::debug!("the event socket ended with the loop");
    }
}
