//! The CLOB's REST interface, one call a method. `connect` gets credentials and checks the venue; `orders`, `account`,
//! `balances` and `heartbeat` use them. Every call is counted against the budget of its class.

mod account;
mod balances;
mod check;
mod connect;
mod heartbeat;
mod orders;
mod pages;

pub(super) use connect::MAX_SKEW;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alloy_primitives::Address;
use bytes::Bytes;
use reqwest::{Method, Request};
use tokio::sync::{Notify, watch};

use super::budget::{Budget, Rates};
use super::http::{Call, Http, Reply, TransportError};
use super::intent::Signatory;
use super::parse::Account;
use super::signing::{Contracts, L2Signer, LocalKey};
use crate::clock;
use crate::domain::{CallClass, CallLimit, ClockSkew};
use crate::exec::venue::VenueError;
use heartbeat::Chain;

/// Orders, cancels and heartbeats: what is late here is worthless.
const ORDER_TIMEOUT: Duration = Duration::from_secs(5);
/// Lists and everything else.
const LIST_TIMEOUT: Duration = Duration::from_secs(10);
/// An order waits no longer than this for its budget: it had better be tried again with a fresh look at its deadline.
const ORDER_PATIENCE: Duration = Duration::from_millis(500);

/// Credentials once they are known; readers can wait for them.
pub(super) type Session = watch::Sender<Option<Arc<L2Signer>>>;

/// Calls of one account.
#[derive(Debug)]
pub(super) struct Rest {
    http: Http,
    key: LocalKey,
    contracts: &'static Contracts,
    signatory: Signatory,
    session: Session,
    /// The exchanges that the venue has named as its own; nothing until every check has passed.
    confirmed: Mutex<Option<BTreeSet<Address>>>,
    skew: Mutex<Option<ClockSkew>>,
    heartbeat: Mutex<Chain>,
    /// A call was refused because of its credentials.
    refused: Notify,
    budget: Budget,
}

impl Rest {
    pub(super) fn new(
        http: Http,
        key: LocalKey,
        contracts: &'static Contracts,
        signatory: Signatory,
        rates: Rates,
    ) -> Self {
        let (session, _) = watch::channel(None);
        Self {
            http,
            key,
            contracts,
            signatory,
            session,
            confirmed: Mutex::default(),
            skew: Mutex::default(),
            heartbeat: Mutex::default(),
            refused: Notify::new(),
            budget: Budget::new(rates, clock::monotonic()),
        }
    }

    pub(super) const fn key(&self) -> &LocalKey {
        &self.key
    }

    pub(super) const fn contracts(&self) -> &'static Contracts {
        self.contracts
    }

    pub(super) const fn signatory(&self) -> &Signatory {
        &self.signatory
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Option<Arc<L2Signer>>> {
        self.session.subscribe()
    }

    /// The credentials, when [`Self::connect`] has got them.
    pub(super) fn session(&self) -> Option<Arc<L2Signer>> {
        self.session.borrow().clone()
    }

    /// What each class of calls has left.
    pub(super) fn limits(&self) -> Vec<CallLimit> {
        self.budget.limits(clock::monotonic())
    }

    fn account(&self, signer: &L2Signer) -> Account {
        account_of(signer, self.signatory.maker)
    }

    fn signer(&self) -> Result<Arc<L2Signer>, VenueError> {
        self.session().ok_or_else(|| VenueError::Unreachable("no API credentials yet: connect first".to_owned()))
    }

    /// Waits for the budget of one order, at most half a second and never beyond `deadline`; an error is the wait that
    /// would have been needed.
    pub(super) async fn admit_order(&self, deadline: Duration) -> Result<(), Duration> {
        let now = clock::monotonic();
        let wait = self.budget.take(CallClass::Orders, 1, now, ORDER_PATIENCE.min(deadline))?;
        wait_for(wait).await;
        Ok(())
    }

    /// A POST of an order, ready to be sent: all that is left is the socket.
    pub(super) fn prepare_order(&self, body: Bytes) -> Result<Request, TransportError> {
        let signer = self.session().ok_or_else(|| TransportError::NotSent("no API credentials yet".to_owned()))?;
        let ask = Ask { body, ..Ask::of(CallClass::Orders, Method::POST, "/order") };
        self.prepare(&signer, &ask, ORDER_TIMEOUT)
    }

    pub(super) async fn send_order(&self, request: Request) -> Result<Reply, TransportError> {
        let reply = self.send(CallClass::Orders, request).await?;
        self.examine(&reply);
        Ok(reply)
    }

    /// Credentials that the venue refuses are to be renewed.
    fn examine(&self, reply: &Reply) {
        if reply.status == 401 {
            self.refused.notify_one();
        }
    }

    fn prepare(&self, signer: &L2Signer, ask: &Ask<'_>, timeout: Duration) -> Result<Request, TransportError> {
        let headers = signer.headers(clock::now().secs(), ask.method.as_str(), ask.path, &ask.body);
        self.http.prepare(Call {
            method: ask.method.clone(),
            path: ask.path,
            query: ask.query,
            headers: &headers.pairs(),
            body: ask.body.clone(),
            timeout,
        })
    }

    async fn send(&self, class: CallClass, request: Request) -> Result<Reply, TransportError> {
        let reply = self.http.send(request).await?;
        if reply.status == 429 {
            tracing::warn!(%class, retry_after = ?reply.retry_after, "the venue says that we ask too often");
            self.budget.throttle(class, reply.retry_after, clock::monotonic());
        }
        Ok(reply)
    }

    /// Waits for the budget of `cost` calls, at most half of what the call may take; gives what is left for the call.
    async fn admit(&self, class: CallClass, cost: u32) -> Result<Duration, VenueError> {
        let timeout = timeout_of(class);
        let wait = self
            .budget
            .take(class, cost, clock::monotonic(), timeout / 2)
            .map_err(|wait| VenueError::OverBudget { class, wait })?;
        wait_for(wait).await;
        Ok(timeout.saturating_sub(wait))
    }

    /// An authenticated call that counts once.
    async fn call(&self, ask: Ask<'_>) -> Result<Reply, VenueError> {
        let signer = self.signer()?;
        let timeout = self.admit(ask.class, 1).await?;
        self.call_now(&signer, &ask, timeout).await
    }

    /// An authenticated call that is counted already.
    async fn call_now(&self, signer: &L2Signer, ask: &Ask<'_>, timeout: Duration) -> Result<Reply, VenueError> {
        let request = self.prepare(signer, ask, timeout)?;
        let reply = self.send(ask.class, request).await?;
        self.examine(&reply);
        Ok(reply)
    }
}

/// What is asked of the venue.
struct Ask<'a> {
    class: CallClass,
    method: Method,
    path: &'a str,
    query: &'a [(&'a str, &'a str)],
    body: Bytes,
}

impl<'a> Ask<'a> {
    fn of(class: CallClass, method: Method, path: &'a str) -> Self {
        Self { class, method, path, query: &[], body: Bytes::new() }
    }
}

const fn timeout_of(class: CallClass) -> Duration {
    match class {
        CallClass::Orders | CallClass::Cancels | CallClass::Heartbeats => ORDER_TIMEOUT,
        CallClass::Lists | CallClass::Balances | CallClass::Setup => LIST_TIMEOUT,
    }
}

/// How the venue names the account behind `signer`.
pub(super) fn account_of(signer: &L2Signer, maker: Address) -> Account {
    Account { api_key: signer.credentials().key().to_owned(), maker: maker.to_checksum(None) }
}

/// Reads a JSON document, or says which one could not be read.
fn read<'a, T: serde::Deserialize<'a>>(what: &str, body: &'a [u8]) -> Result<T, VenueError> {
    serde_json::from_slice(body).map_err(|error| VenueError::Unreadable(format!("{what}: {error}")))
}

/// A value that is replaced whole: nobody can leave it half written, so a panic elsewhere does not spoil it.
fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The timer counts in whole milliseconds: asked for nothing, it would still hold an order up until the next one begins.
async fn wait_for(wait: Duration) {
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
}
