//! Sentinels: which server is the master, and the news that another one is.
//!
//! All sentinels are asked at once and the answer of the newest failover counts, so that one that was cut off cannot send us to an
//! old master. Their answer is a hint all the same: whoever uses it asks the server for its role.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use redis::{AsyncConnectionConfig, RedisError};
use tokio::time::Instant;

use super::backoff::Backoff;
use super::error::translate;
use super::link::{Link, PING_EVERY};
use super::node::{Manners, Node};
use super::subscription::{self, Feed};
use crate::bus::BusError;
use crate::bus::url::{Host, RedisUrl};

/// How long one sentinel may take to answer, dial included.
const ASK_LIMIT: Duration = Duration::from_secs(1);
/// How long the other sentinels are waited for once one has answered.
const OTHERS: Duration = Duration::from_millis(200);
/// The channels on which a sentinel tells of a failover: when the new master has taken over, which the sentinel that leads sees
/// first, and when the failover is done. In between the old master may still take writes, all of which are lost.
const NEWS: [&str; 2] = ["+promoted-slave", "+switch-master"];

/// The sentinels of one service.
pub(super) struct Sentinels {
    each: Vec<Arc<Node>>,
    service: String,
    servers: Manners,
    /// The number of the newest failover that any sentinel has told of.
    newest: AtomicU64,
}

/// What a sentinel says.
#[derive(Debug)]
struct Answer {
    /// Counts failovers: of two answers the one with the higher number is right.
    epoch: u64,
    master: Host,
}

impl Sentinels {
    pub(super) fn new(url: &RedisUrl, service: &str, authority: Option<Arc<[u8]>>) -> Result<Self, BusError> {
        let manners = Manners::of_sentinels(url, authority.clone());
        let each = url.hosts.iter().map(|host| manners.node(host.clone(), format!("sentinel {host}")).map(Arc::new));
        Ok(Self {
            each: each.collect::<Result<_, _>>()?,
            service: service.to_owned(),
            servers: Manners::of_servers(url, authority),
            newest: AtomicU64::new(0),
        })
    }

    pub(super) fn each(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.each.iter()
    }

    /// The master as the sentinels know it. Not yet asked for its role.
    pub(super) async fn master(&self) -> Result<Node, BusError> {
        let Answer { epoch, master } = self.newest_answer().await?;
        let seen = self.newest.fetch_max(epoch, Ordering::Relaxed);
        if epoch < seen {
            return Err(BusError::Unreachable(format!(
                "the sentinels that answer are behind: they know failover {epoch}, {seen} has been seen; not going back to {master}"
            )));
        }
        self.servers.node(master.clone(), format!("{} at {master}", self.service))
    }

    async fn newest_answer(&self) -> Result<Answer, BusError> {
        let mut asked: FuturesUnordered<_> = self.each.iter().map(|sentinel| self.ask(sentinel)).collect();
        let mut best: Option<Answer> = None;
        let mut failures = Vec::new();
        let mut until = None;
        loop {
            let next = match until {
                None => asked.next().await,
                Some(until) => tokio::time::timeout_at(until, asked.next()).await.unwrap_or(None),
            };
            match next {
                Some(Ok(answer)) => {
                    until = until.or_else(|| Some(Instant::now() + OTHERS));
                    best = Some(best.filter(|best| best.epoch >= answer.epoch).unwrap_or(answer));
                }
                Some(Err(failure)) => failures.push(failure),
                None => break,
            }
        }
        failures.sort();
        best.ok_or_else(|| BusError::Unreachable(format!("no sentinel knows the master: {}", failures.join("; "))))
    }

    /// One sentinel's answer, or in words why there is none.
    async fn ask(&self, sentinel: &Node) -> Result<Answer, String> {
        match tokio::time::timeout(ASK_LIMIT, self.question(sentinel)).await {
            Ok(Ok(Some(answer))) => Ok(answer),
            Ok(Ok(None)) => Err(format!("{sentinel} knows no service '{}'", self.service)),
            Ok(Err(error)) if error.code() == Some("NOAUTH") => {
                Err(format!("{sentinel} wants a password: give sentinel_password=... in bus.url"))
            }
            Ok(Err(error)) => Err(format!("{sentinel}: {}", translate(&error, ASK_LIMIT, None))),
            Err(_elapsed) => Err(format!("{sentinel} does not answer within {ASK_LIMIT:?}")),
        }
    }

    async fn question(&self, sentinel: &Node) -> Result<Option<Answer>, RedisError> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(ASK_LIMIT)).set_response_timeout(Some(ASK_LIMIT));
        let mut connection = sentinel.plain.get_multiplexed_async_connection_with_config(&config).await?;
        let question = |what: &str| redis::cmd("SENTINEL").arg(what).arg(&self.service).to_owned();
        let place: Option<(String, u16)> = question("GET-MASTER-ADDR-BY-NAME").query_async(&mut connection).await?;
        let Some((name, port)) = place else { return Ok(None) };
        // Asked second: a failover between the two makes the number too high for the place, which the role then shows.
        let told: HashMap<String, String> = question("MASTER").query_async(&mut connection).await?;
        let epoch = told.get("config-epoch").and_then(|epoch| epoch.parse().ok()).unwrap_or(0);
        Ok(Some(Answer { epoch, master: Host { name, port } }))
    }
}

/// Listens to one sentinel for as long as the bus lives and passes on that the master may be another one. After a gap it says so
/// as well: the news may have fallen into it.
pub(super) async fn listen(link: Arc<Link>, sentinel: Arc<Node>) {
    let mut backoff = Backoff::new();
    let mut told = false;
    loop {
        match subscription::dial(&sentinel.plain, &NEWS).await {
            Ok(feed) => {
                let begun = Instant::now();
                link.master_may_have_changed();
                pass_on(feed, &link).await;
                if begun.elapsed() > PING_EVERY {
                    backoff.reset();
                }
                told = false;
                tracing::debug!(%sentinel, "no longer heard");
            }
            Err(error) if !told => {
                told = true;
                tracing::warn!(%sentinel, %error, "not heard; trying again");
            }
            Err(_told) => {}
        }
        tokio::time::sleep(backoff.next()).await;
    }
}

/// Until the connection is lost. News of other services cost one question in vain.
async fn pass_on((sink, mut stream): Feed, link: &Link) {
    let mut silent = std::pin::pin!(subscription::until_silent(sink));
    loop {
        tokio::select! {
            message = stream.next() => match message {
                Some(_news) => link.master_may_have_changed(),
                None => return,
            },
            () = &mut silent => return,
        }
    }
}
