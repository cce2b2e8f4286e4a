//! Markets and books on their way to `data.polymarket`: the edge around [`Watchlist`] and [`Conflater`].

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::conflate::Conflater;
use super::publisher::Publisher;
use super::rejected::Rejects;
use super::state::{Shared, market_feed};
use super::throttle::Throttle;
use super::watchlist::{Effect, Event, Watchlist};
use crate::bus::Channel;
use crate::clock;
use crate::domain::{Book, Market, PolymarketData, Price, Slug, Timestamp, TokenId};
use crate::venues::polymarket::SOURCE;
use crate::venues::polymarket::gamma::{GammaClient, GammaError};
use crate::venues::polymarket::market_ws::client::{Output, Report};

/// Pace of the watchlist's timer.
const TIMER: Duration = Duration::from_millis(250);
/// Nothing is due: as good as never.
const IDLE: Duration = Duration::from_mins(1);
/// How often a failing catalogue is complained about.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// What the socket's task leaves for the watcher: only the latest of each token, so it can never run full.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pending: Mutex<Pending>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Pending {
    books: HashMap<TokenId, Book>,
    heard: HashMap<TokenId, Timestamp>,
    tick_sizes: HashMap<TokenId, Price>,
    report: Option<Report>,
}

impl Outbox {
    fn put(&self, change: impl FnOnce(&mut Pending)) {
        change(&mut self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        self.filled.notify_one();
    }

    fn take(&self) -> Pending {
        std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What the market client calls with everything that it has to tell.
pub(super) fn sink(outbox: Arc<Outbox>, rejects: Rejects) -> impl FnMut(Output) + Send {
    move |output| match output {
        Output::Book(book) => outbox.put(|pending| {
            pending.books.insert(book.token.clone(), book);
        }),
        Output::Heard { token, at } => outbox.put(|pending| {
            pending.heard.insert(token, at);
        }),
        Output::TickSize { token, tick_size } => outbox.put(|pending| {
            pending.tick_sizes.insert(token, tick_size);
        }),
        Output::Refused { refusal, raw, at } => rejects.refuse(SOURCE, refusal, &raw, at),
        Output::Report(report) => outbox.put(|pending| {
            // A book that is no longer trusted must not overtake the news of it.
            pending.books.retain(|token, _| report.tokens.get(token).is_some_and(|state| state.has_book));
            pending.report = Some(report);
        }),
    }
}

/// The watcher: asks the catalogue, tells of markets and books, says which tokens are wanted.
pub(super) struct Watcher {
    /// Which markets.
    pub(super) watchlist: Watchlist,
    /// The catalogue.
    pub(super) gamma: GammaClient,
    /// From the socket.
    pub(super) outbox: Arc<Outbox>,
    /// To the socket.
    pub(super) wanted: watch::Sender<BTreeSet<TokenId>>,
    /// To the bus.
    pub(super) publisher: Publisher,
    /// For the snapshot.
    pub(super) shared: Arc<Shared>,
    /// For markets that cannot be read.
    pub(super) rejects: Rejects,
}

type Answer = (Slug, Result<Option<Market>, GammaError>);

impl Watcher {
    /// Watches until `shutdown`.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let mut fetches: JoinSet<Answer> = JoinSet::new();
        let mut conflater = Conflater::default();
        let mut report = Report::default();
        let mut complaints = Throttle::new(COMPLAIN_EVERY, 1);
        let mut timer = interval(TIMER);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let outbox = Arc::clone(&self.outbox);
        loop {
            let now = clock::now();
            let next_book = conflater.next_due(now).map_or(IDLE, |due| due.since(now));
            let event = tokio::select! {
                () = shutdown.cancelled() => return,
                _ = timer.tick() => Some(Event::Timer),
                Some(answer) = fetches.join_next() => self.answered(answer, &mut complaints),
                () = outbox.filled.notified() => None,
                () = sleep(next_book) => None,
            };
            let pending = outbox.take();
            if let Some(news) = pending.report {
                report = news;
                let unknown = |token: &TokenId| report.tokens.get(token).is_none_or(|state| !state.has_book);
                conflater.tokens().iter().filter(|token| unknown(token)).for_each(|token| conflater.forget(token));
            }
            pending.books.into_values().for_each(|book| conflater.offer(book));
            pending.heard.iter().for_each(|(token, at)| conflater.heard(token, *at));
            let tick_sizes = pending.tick_sizes.into_iter();
            let tick_sizes = tick_sizes.map(|(token, tick_size)| Event::TickSize { token, tick_size });
            self.step(event.into_iter().chain(tick_sizes).collect(), &report, &mut fetches).await;
            for book in conflater.due(clock::now()) {
                self.publisher.publish(Channel::Polymarket, &[PolymarketData::Book(book)]).await;
            }
        }
    }

    async fn step(&mut self, events: Vec<Event>, report: &Report, fetches: &mut JoinSet<Answer>) {
        if events.is_empty() {
            return;
        }
        let now = clock::now();
        let mut effects = Vec::new();
        for event in events {
            self.watchlist.on(event, now, &mut effects);
        }
        for effect in effects {
            match effect {
                Effect::Fetch(slug) => {
                    let gamma = self.gamma.clone();
                    fetches.spawn(async move {
                        let answer = gamma.market_by_slug(&slug).await;
                        (slug, answer)
                    });
                }
                Effect::Publish(market) => {
                    self.publisher.publish(Channel::Polymarket, &[PolymarketData::Market(*market)]).await;
                }
            }
        }
        let tokens = self.watchlist.tokens(now);
        self.wanted.send_if_modified(|wanted| {
            let changed = *wanted != tokens;
            *wanted = tokens;
            changed
        });
        let watched = || self.watchlist.watched();
        let feeds = watched().filter(|each| !each.is_resolved()).map(|each| market_feed(each, report, now)).collect();
        let markets = watched().filter_map(|each| each.market.clone()).collect();
        self.shared.markets_reported(feeds, markets);
    }

    fn answered(&self, answer: Result<Answer, tokio::task::JoinError>, complaints: &mut Throttle) -> Option<Event> {
        let (slug, answer) = match answer {
            Ok(answer) => answer,
            Err(error) => {
                tracing::error!(%error, "asking the catalogue ended without an answer");
                return None;
            }
        };
        if let Err(error) = &answer {
            if let GammaError::Refused { refusal, raw } = error {
                self.rejects.refuse(SOURCE, refusal.clone(), raw, clock::now());
            }
            if let Some(withheld) = complaints.allow(clock::now()) {
                tracing::warn!(%slug, %error, withheld, "the catalogue is of no use");
            }
        }
        let answer = answer.map(|market| market.map(Box::new)).map_err(|error| error.to_string());
        Some(Event::Fetched { slug, answer })
    }
}
