//! The socket of Kraken's WebSocket v2: dials, feeds the session, carries out its effects, dials again.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::session::{Config, Effect, Event, Session};
use crate::clock;
use crate::domain::{FeedLink, Tick, Timestamp};
use crate::venues::backoff::{Backoff, Policy};
use crate::venues::socket::{Socket, close, dial, next_text, send_texts};
use crate::venues::strict::Refusal;

/// Pace of the session's timer, and so of subscriptions beyond the first burst.
const TIMER: Duration = Duration::from_millis(100);
/// How often the report is renewed while nothing changes.
const REPORT_EVERY: Duration = Duration::from_millis(500);

/// What the client tells its owner, in order and without waiting.
#[derive(Clone, Debug)]
pub enum Output {
    /// A valid tick.
    Tick(Tick),
    /// A payload that was refused.
    Refused {
        /// Why.
        refusal: Refusal,
        /// The payload.
        raw: String,
        /// When it arrived.
        at: Timestamp,
    },
    /// How things stand; on every change and a few times a second.
    Report {
        /// Every subscription.
        subscriptions: Vec<Report>,
        /// Whether a link changed since the last report.
        changed: bool,
    },
}

/// How one subscription stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// `ticker BTC/USD`.
    pub subject: String,
    /// Link.
    pub link: FeedLink,
    /// When its last valid row arrived.
    pub last_at: Option<Timestamp>,
    /// Connections opened after the first.
    pub reconnects: u64,
    /// Trades known to be missing.
    pub gaps: u64,
    /// Why it is not up.
    pub reason: Option<String>,
}

/// Collects until `shutdown`. `sink` must not block.
pub async fn run(url: &str, config: Config, mut sink: impl FnMut(Output) + Send, shutdown: CancellationToken) {
    let mut backoff = Backoff::new(Policy::default());
    let mut client = Client { session: Session::new(config, clock::now()), effects: Vec::new(), sink: &mut sink };
    client.report(true);
    while !shutdown.is_cancelled() {
        let delay = backoff.delay(clock::now(), rand::random());
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = sleep(delay) => {}
        }
        backoff.attempt(clock::now());
        let reason = tokio::select! {
            () = shutdown.cancelled() => return,
            reason = client.connection(url, &mut backoff) => reason,
        };
        backoff.closed(clock::now());
        tracing::warn!(url, reason, not_followed = client.session.others(), "kraken connection ended");
        client.apply(Event::Closed { reason: &reason }, clock::now());
    }
}

struct Client<'s, S> {
    session: Session,
    effects: Vec<Effect>,
    sink: &'s mut S,
}

/// What the socket has to do after an event.
#[derive(Default)]
struct Todo {
    send: Vec<String>,
    redial: Option<String>,
}

impl<S: FnMut(Output) + Send> Client<'_, S> {
    /// One connection's life; returns why it ended.
    async fn connection(&mut self, url: &str, backoff: &mut Backoff) -> String {
        let mut socket = match dial(url).await {
            Ok(socket) => socket,
            Err(error) => return error.to_string(),
        };
        backoff.opened(clock::now());
        tracing::info!(url, "kraken connected");
        let reason = match self.follow(&mut socket).await {
            Ok(never) => match never {},
            Err(reason) => reason,
        };
        close(socket).await;
        reason
    }

    async fn follow(&mut self, socket: &mut Socket) -> Result<std::convert::Infallible, String> {
        let todo = self.apply(Event::Opened, clock::now());
        carry_out(socket, todo).await?;
        let mut timer = interval(TIMER);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut report = interval(REPORT_EVERY);
        report.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let todo = tokio::select! {
                text = next_text(socket) => {
                    let text = text.map_err(|error| error.to_string())?;
                    self.apply(Event::Text(text.as_str()), clock::now())
                }
                _ = timer.tick() => self.apply(Event::Timer, clock::now()),
                _ = report.tick() => {
                    self.report(false);
                    continue;
                }
            };
            carry_out(socket, todo).await?;
        }
    }

    fn apply(&mut self, event: Event<'_>, now: Timestamp) -> Todo {
        self.session.on(event, now, &mut self.effects);
        let mut todo = Todo::default();
        let mut changed = false;
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Tick(tick) => (self.sink)(Output::Tick(tick)),
                Effect::Refuse { refusal, raw } => (self.sink)(Output::Refused { refusal, raw, at: now }),
                Effect::Send(text) => todo.send.push(text),
                Effect::Redial { reason } => todo.redial = Some(reason),
                Effect::Changed => changed = true,
            }
        }
        if changed {
            self.report(true);
        }
        todo
    }

    fn report(&mut self, changed: bool) {
        let (connected, reconnects) = (self.session.is_connected(), self.session.reconnects());
        let subscriptions = self.session.subscriptions().iter().map(|each| {
            let link = each.link(connected);
            let reason = match link {
                FeedLink::Connecting => Some(self.session.down_reason().unwrap_or("dialling")),
                FeedLink::Subscribing | FeedLink::Up | FeedLink::Refused => each.reason(),
            };
            Report {
                subject: format!("{} {}", each.channel.name(), each.symbol),
                link,
                last_at: each.last_at,
                reconnects,
                gaps: each.gaps,
                reason: reason.map(str::to_owned),
            }
        });
        let subscriptions = subscriptions.collect();
        (self.sink)(Output::Report { subscriptions, changed });
    }
}

async fn carry_out(socket: &mut Socket, todo: Todo) -> Result<(), String> {
    send_texts(socket, todo.send).await.map_err(|error| error.to_string())?;
    todo.redial.map_or(Ok(()), Err)
}
