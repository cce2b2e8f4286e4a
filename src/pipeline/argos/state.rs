//! What Argos tells of itself: counters, feeds and markets, written to `state.argos`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::publisher::Publisher;
use super::watchlist::Watched;
use crate::bus::Key;
use crate::clock;
use crate::domain::{ArgosState, FeedLink, FeedState, Market, TickCounts, Timestamp};
use crate::venues::kraken;
use crate::venues::polymarket;
use crate::venues::polymarket::market_ws::client::Report as MarketReport;

/// The snapshot is renewed at least this often; its readers count on one a second.
const EVERY: Duration = Duration::from_millis(900);
/// And not more often than this, however links flap.
const PAUSE: Duration = Duration::from_millis(50);

/// Counters since start.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Rows that reached us, refused payloads included, those seen before not.
    pub(super) received: AtomicU64,
    /// Ticks that the bus took.
    pub(super) published: AtomicU64,
    /// Payloads that validation refused.
    pub(super) rejected: AtomicU64,
    /// Ticks lost for lack of room or bus.
    pub(super) dropped: AtomicU64,
    /// Refused payloads of which no copy was kept.
    pub(super) rejected_unkept: AtomicU64,
}

impl Counts {
    fn ticks(&self) -> TickCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        TickCounts {
            received: read(&self.received),
            published: read(&self.published),
            rejected: read(&self.rejected),
            archived: 0,
            dropped: read(&self.dropped),
        }
    }
}

/// What the collectors leave for the writer.
#[derive(Debug)]
pub(super) struct Shared {
    /// Counters.
    pub(super) counts: Arc<Counts>,
    crypto: watch::Sender<Vec<FeedState>>,
    markets: watch::Sender<(Vec<FeedState>, Vec<Market>)>,
    changed: Notify,
}

impl Shared {
    /// Nothing reported yet.
    pub(super) fn new(counts: Arc<Counts>) -> Self {
        Self { counts, crypto: watch::Sender::default(), markets: watch::Sender::default(), changed: Notify::new() }
    }

    /// The Kraken client's report.
    pub(super) fn crypto_reported(&self, reports: Vec<kraken::client::Report>, changed: bool) {
        let feed = |report: kraken::client::Report| FeedState {
            source: kraken::SOURCE.to_owned(),
            subject: report.subject,
            link: report.link,
            last_at: report.last_at,
            reconnects: report.reconnects,
            gaps: report.gaps,
            reason: report.reason,
        };
        self.crypto.send_replace(reports.into_iter().map(feed).collect());
        if changed {
            self.changed.notify_one();
        }
    }

    /// The market watcher's report. Tells the writer at once when a link changed.
    pub(super) fn markets_reported(&self, feeds: Vec<FeedState>, markets: Vec<Market>) {
        let links =
            |feeds: &[FeedState]| feeds.iter().map(|feed| (feed.subject.clone(), feed.link)).collect::<Vec<_>>();
        let before = self.markets.send_replace((feeds, markets));
        if links(&before.0) != links(&self.markets.borrow().0) {
            self.changed.notify_one();
        }
    }

    /// The snapshot now.
    pub(super) fn snapshot(&self, boot: &str, now: Timestamp) -> ArgosState {
        let mut feeds = self.crypto.borrow().clone();
        let (market_feeds, markets) = self.markets.borrow().clone();
        feeds.extend(market_feeds);
        ArgosState { at: now, boot: boot.to_owned(), feeds, ticks: self.counts.ticks(), markets }
    }
}

/// How a market's feed stands: the catalogue's word and the socket's joined.
pub(super) fn market_feed(watched: &Watched, socket: &MarketReport, now: Timestamp) -> FeedState {
    let tokens = watched.market.iter().flat_map(|market| &market.tokens);
    let states: Vec<_> = tokens.map(|outcome| socket.tokens.get(&outcome.token)).collect();
    let waiting = || {
        let told = states.iter().flatten().find_map(|state| state.reason.clone());
        told.unwrap_or_else(|| "waiting for its books".to_owned())
    };
    let (link, reason) = if watched.market.is_none() {
        (FeedLink::Connecting, Some(watched.reason.clone().unwrap_or_else(|| "asking the catalogue".to_owned())))
    } else if !watched.is_trading(now) {
        let trouble = watched.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        (FeedLink::Connecting, Some(format!("ended, waiting for its result{trouble}")))
    } else if !socket.connected {
        let reason = socket.reason.clone().unwrap_or_else(|| "dialling".to_owned());
        (FeedLink::Connecting, Some(reason))
    } else if states.iter().all(|state| state.is_some_and(|state| state.has_book)) {
        (FeedLink::Up, watched.reason.clone())
    } else {
        (FeedLink::Subscribing, Some(waiting()))
    };
    FeedState {
        source: polymarket::SOURCE.to_owned(),
        subject: watched.slug.to_string(),
        link,
        last_at: states.iter().flatten().filter_map(|state| state.last_at).max(),
        reconnects: socket.reconnects,
        gaps: 0,
        reason,
    }
}

/// Writes the snapshot until `shutdown`, and once more after it.
pub(super) async fn write(shared: Arc<Shared>, mut publisher: Publisher, boot: String, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        publisher.set(&Key::ARGOS, &shared.snapshot(&boot, clock::now())).await;
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(PAUSE) => {}
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            // Either way the snapshot is due.
            _changed_or_elapsed = timeout(EVERY.saturating_sub(PAUSE), shared.changed.notified()) => {}
        }
    }
    publisher.set(&Key::ARGOS, &shared.snapshot(&boot, clock::now())).await;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::pattern::Pattern;
    use super::super::watchlist::{Event, Watchlist};
    use super::*;
    use crate::domain::{FeeSchedule, MarketId, OutcomeToken, Price, Protocol, Size, Slug, TokenId};
    use crate::venues::polymarket::market_ws::session::TokenState;

    fn now() -> Timestamp {
        Timestamp::from_secs(1_795_348_801)
    }

    fn feed(answer: Result<Option<Market>, &str>, socket: &MarketReport, at: Timestamp) -> FeedState {
        let slug = Slug::new("quiet");
        let mut list = Watchlist::new(vec![Pattern::Fixed(slug.clone())]);
        let mut out = Vec::new();
        list.on(Event::Timer, now(), &mut out);
        let answer = answer.map(|market| market.map(Box::new)).map_err(str::to_owned);
        list.on(Event::Fetched { slug, answer }, now(), &mut out);
        let watched = list.watched().next().expect("one market");
        market_feed(watched, socket, at)
    }

    fn market() -> Market {
        let outcome = |name: &str| OutcomeToken { token: TokenId::new(name), outcome: name.to_owned() };
        Market {
            slug: Slug::new("quiet"),
            market: MarketId::new("0x1"),
            tokens: [outcome("yes"), outcome("no")],
            tick_size: Price::ZERO,
            min_size: Size::ZERO,
            neg_risk: false,
            protocol: Protocol::V2,
            fee: FeeSchedule::FREE,
            opens_at: None,
            closes_at: Some(now().plus(Duration::from_mins(5))),
            accepting_orders: false,
            payouts: None,
            question: None,
            group: None,
        }
    }

    fn socket(has_books: [bool; 2]) -> MarketReport {
        let state = |has_book| TokenState { has_book, last_at: Some(now()), reason: None };
        let tokens =
            BTreeMap::from([(TokenId::new("yes"), state(has_books[0])), (TokenId::new("no"), state(has_books[1]))]);
        MarketReport { connected: true, tokens, ..MarketReport::default() }
    }

    #[test]
    fn a_markets_feed_says_what_is_missing() {
        let down = MarketReport { reason: Some("refused".to_owned()), ..MarketReport::default() };
        let late = now().plus(Duration::from_mins(6));
        let cases = [
            (Ok(None), socket([true, true]), now(), FeedLink::Connecting, Some("the catalogue does not list it")),
            (Err("timeout"), socket([true, true]), now(), FeedLink::Connecting, Some("timeout")),
            (Ok(Some(market())), down, now(), FeedLink::Connecting, Some("refused")),
            (Ok(Some(market())), socket([true, false]), now(), FeedLink::Subscribing, Some("waiting for its books")),
            (Ok(Some(market())), socket([true, true]), now(), FeedLink::Up, None),
            (
                Ok(Some(market())),
                socket([true, true]),
                late,
                FeedLink::Connecting,
                Some("ended, waiting for its result"),
            ),
        ];
        for (answer, socket, at, link, reason) in cases {
            let feed = feed(answer, &socket, at);
            assert_eq!((feed.link, feed.reason.as_deref()), (link, reason));
        }
    }
}
