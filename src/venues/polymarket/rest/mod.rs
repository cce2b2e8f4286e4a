//! The CLOB's REST interface, one call a method; `auth` gets credentials, `orders` and `account` use them.

mod account;
mod auth;
mod orders;
mod pages;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use alloy_primitives::Address;
use bytes::Bytes;
use reqwest::{Method, Request};
use tokio::sync::watch;

use super::http::{Call, Http, Reply, TransportError};
use super::intent::Signatory;
use super::parse::Account;
use super::signing::{L2Signer, LocalKey};
use crate::clock;
use crate::exec::venue::VenueError;

/// Orders, cancels and heartbeats: what is late here is worthless.
const ORDER_TIMEOUT: Duration = Duration::from_secs(5);
/// Lists and everything else.
const LIST_TIMEOUT: Duration = Duration::from_secs(10);

/// Credentials once they are known; readers can wait for them.
pub(super) type Session = watch::Sender<Option<Arc<L2Signer>>>;

/// Calls of one account.
#[derive(Debug)]
pub(super) struct Rest {
    http: Http,
    key: LocalKey,
    chain_id: u64,
    signatory: Signatory,
    session: Session,
    /// The id that the next heartbeat must carry; empty before the first.
    heartbeat_id: Mutex<String>,
}

impl Rest {
    pub(super) fn new(http: Http, key: LocalKey, chain_id: u64, signatory: Signatory) -> Self {
        let (session, _) = watch::channel(None);
        Self { http, key, chain_id, signatory, session, heartbeat_id: Mutex::default() }
    }

    pub(super) const fn key(&self) -> &LocalKey {
        &self.key
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

    fn account(&self, signer: &L2Signer) -> Account {
        account_of(signer, self.signatory.maker)
    }

    fn signer(&self) -> Result<Arc<L2Signer>, VenueError> {
        self.session().ok_or_else(|| VenueError::Unreachable("no API credentials yet: connect first".to_owned()))
    }

    /// A POST of an order, ready to be sent: all that is left is the socket.
    pub(super) fn prepare_order(&self, body: Bytes) -> Result<Request, TransportError> {
        let signer = self.session().ok_or_else(|| TransportError::NotSent("no API credentials yet".to_owned()))?;
        self.prepare(&signer, &Method::POST, "/order", &[], body, ORDER_TIMEOUT)
    }

    pub(super) async fn send(&self, request: Request) -> Result<Reply, TransportError> {
        self.http.send(request).await
    }

    fn prepare(
        &self,
        signer: &L2Signer,
        method: &Method,
        path: &str,
        query: &[(&str, &str)],
        body: Bytes,
        timeout: Duration,
    ) -> Result<Request, TransportError> {
        let headers = signer.headers(clock::now().secs(), method.as_str(), path, &body);
        let call = Call { method: method.clone(), path, query, headers: &headers.pairs(), body, timeout };
        self.http.prepare(call)
    }

    /// An authenticated call.
    async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: impl Into<Bytes> + Send,
        timeout: Duration,
    ) -> Result<Reply, VenueError> {
        let request = self.prepare(&*self.signer()?, &method, path, query, body.into(), timeout)?;
        Ok(self.http.send(request).await?)
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
