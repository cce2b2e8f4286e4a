//! The market socket: dials while tokens are wanted, feeds the session, carries out its effects, dials again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::session::{Effect, Event, Session, TokenState};
use crate::clock;
use crate::domain::{Book, Price, Timestamp, TokenId};
use crate::exec::venue::VenueError;
use crate::venues::backoff::{Backoff, Policy};
use crate::venues::polymarket::books::BookReader;
use crate::venues::socket::{Socket, close, dial, next_text, send_texts};
use crate::venues::strict::Refusal;

/// Pace of the session's timer.
const TIMER: Duration = Duration::from_millis(250);
/// How often the report is renewed while nothing changes.
const REPORT_EVERY: Duration = Duration::from_millis(500);

/// What the client tells its owner, in order and without waiting.
#[derive(Clone, Debug)]
pub enum Output {
    /// A book changed: its best levels. Only the latest of a token counts.
    Book(Book),
    /// A token's book is still as it was told last.
    Heard {
        /// The token.
        token: TokenId,
        /// Since when that is certain.
        at: Timestamp,
    },
    /// A token's price grid changed.
    TickSize {
        /// The token.
        token: TokenId,
        /// The new grid.
        tick_size: Price,
    },
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
    Report(Report),
}

/// How the socket and its tokens stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Whether the socket is open.
    pub connected: bool,
    /// Why it is not.
    pub reason: Option<String>,
    /// Connections opened after the first.
    pub reconnects: u64,
    /// Every wanted token.
    pub tokens: BTreeMap<TokenId, TokenState>,
    /// Whether a link changed since the last report.
    pub changed: bool,
}

/// Follows the wanted tokens until `shutdown`, or until nobody wants any more; `base` ends before `/ws/market`. Quiet books are compared with what `reader` shows.
/// `sink` must not block.
pub async fn run(
    base: &str,
    reader: BookReader,
    mut wanted: watch::Receiver<BTreeSet<TokenId>>,
    mut sink: impl FnMut(Output) + Send,
    shutdown: CancellationToken,
) {
    let url = format!("{}/ws/market", base.trim_end_matches('/'));
    let mut backoff = Backoff::new(Policy::default());
    let (session, complaints) = (Session::new(clock::now()), None);
    let mut client = Client { session, reader, complaints, effects: Vec::new(), sink: &mut sink };
    loop {
        // Nobody is dialled for nothing: a socket without subscriptions is closed by the venue.
        let delay = backoff.delay(clock::now(), rand::random());
        let ready = async {
            sleep(delay).await;
            wanted.wait_for(|tokens| !tokens.is_empty()).await.is_ok()
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            ready = ready => if !ready { return },
        }
        backoff.attempt(clock::now());
        let reason = tokio::select! {
            () = shutdown.cancelled() => return,
            reason = client.connection(&url, &mut wanted, &mut backoff) => reason,
        };
        let Some(reason) = reason else { return };
        backoff.closed(clock::now());
        tracing::warn!(url, reason, ignored = client.session.ignored(), "market socket ended");
        client.apply(Event::Closed { reason: &reason }, clock::now());
    }
}

struct Client<'s, S> {
    session: Session,
    reader: BookReader,
    /// Why the last comparison got no answer.
    complaints: Option<String>,
    effects: Vec<Effect>,
    sink: &'s mut S,
}

/// When books were asked for, and the answer.
type Shown = (Timestamp, Result<String, VenueError>);

#[derive(Default)]
struct Todo {
    send: Vec<String>,
    compare: Option<Vec<TokenId>>,
    redial: Option<String>,
}

impl<S: FnMut(Output) + Send> Client<'_, S> {
    /// One connection's life; returns why it broke off, and nothing when nobody wants tokens any more.
    async fn connection(
        &mut self,
        url: &str,
        wanted: &mut watch::Receiver<BTreeSet<TokenId>>,
        backoff: &mut Backoff,
    ) -> Option<String> {
        let mut socket = match dial(url).await {
            Ok(socket) => socket,
            Err(error) => return Some(error.to_string()),
        };
        backoff.opened(clock::now());
        tracing::info!(url, "market socket connected");
        let ended = self.follow(&mut socket, wanted).await;
        close(socket).await;
        ended.err()
    }

    async fn follow(
        &mut self,
        socket: &mut Socket,
        wanted: &mut watch::Receiver<BTreeSet<TokenId>>,
    ) -> Result<(), String> {
        // What is wanted is told before the first frame, so that this frame names everything.
        let tokens = wanted.borrow_and_update().clone();
        self.apply(Event::Want(&tokens), clock::now());
        let todo = self.apply(Event::Opened, clock::now());
        carry_out(socket, todo).await?;
        let mut timer = interval(TIMER);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut report = interval(REPORT_EVERY);
        report.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut comparison: JoinSet<Shown> = JoinSet::new();
        loop {
            let mut todo = tokio::select! {
                text = next_text(socket) => {
                    let text = text.map_err(|error| error.to_string())?;
                    self.apply(Event::Text(text.as_str()), clock::now())
                }
                changed = wanted.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    let tokens = wanted.borrow_and_update().clone();
                    self.apply(Event::Want(&tokens), clock::now())
                }
                Some(shown) = comparison.join_next() => self.compared(shown),
                _ = timer.tick() => self.apply(Event::Timer, clock::now()),
                _ = report.tick() => {
                    self.report(false);
                    continue;
                }
            };
            if let Some(tokens) = todo.compare.take() {
                let (reader, asked_at) = (self.reader.clone(), clock::now());
                comparison.spawn(async move { (asked_at, reader.read(&tokens).await) });
            }
            carry_out(socket, todo).await?;
        }
    }

    fn compared(&mut self, shown: Result<Shown, JoinError>) -> Todo {
        let (asked_at, shown) = match shown {
            Ok((asked_at, Ok(shown))) => (asked_at, Ok(shown)),
            Ok((asked_at, Err(error))) => (asked_at, Err(error.to_string())),
            Err(error) => (clock::now(), Err(error.to_string())),
        };
        let complaint = shown.as_ref().err().cloned();
        if complaint != self.complaints {
            if let Some(error) = &complaint {
                tracing::warn!(error, "quiet books cannot be compared: they count as old");
            } else {
                tracing::info!("quiet books are compared again");
            }
            self.complaints = complaint;
        }
        self.apply(Event::Compared { asked_at, shown: shown.ok().as_deref() }, clock::now())
    }

    fn apply(&mut self, event: Event<'_>, now: Timestamp) -> Todo {
        self.session.on(event, now, &mut self.effects);
        let mut todo = Todo::default();
        let mut changed = false;
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Book(book) => (self.sink)(Output::Book(book)),
                Effect::Heard { token, at } => (self.sink)(Output::Heard { token, at }),
                Effect::Compare(tokens) => todo.compare = Some(tokens),
                Effect::TickSize { token, tick_size } => (self.sink)(Output::TickSize { token, tick_size }),
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
        (self.sink)(Output::Report(Report {
            connected: self.session.is_connected(),
            reason: self.session.down_reason().map(str::to_owned),
            reconnects: self.session.reconnects(),
            tokens: self.session.states().collect(),
            changed,
        }));
    }
}

async fn carry_out(socket: &mut Socket, todo: Todo) -> Result<(), String> {
    send_texts(socket, todo.send).await.map_err(|error| error.to_string())?;
    todo.redial.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_async;

    use super::*;

    #[tokio::test]
    async fn that_nobody_wants_tokens_any_more_is_an_end_and_no_trouble() {
        const PATIENCE: Duration = Duration::from_secs(40);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let reader = BookReader::new(&format!("http://{address}")).expect("an address");
        let (wants, wanted) = watch::channel(BTreeSet::from([TokenId::new("1")]));
        let reports: Arc<Mutex<Vec<Report>>> = Arc::default();
        let told = Arc::clone(&reports);
        let sink = move |output| {
            if let Output::Report(report) = output {
                told.lock().expect("lock").push(report);
            }
        };
        let url = format!("ws://{address}");
        let client = tokio::spawn(async move { run(&url, reader, wanted, sink, CancellationToken::new()).await });
        let peer = async {
            let (stream, _) = listener.accept().await.expect("a client");
            accept_async(stream).await.expect("a handshake")
        };
        let _peer = tokio::time::timeout(PATIENCE, peer).await.expect("it dials");
        drop(wants);
        tokio::time::timeout(PATIENCE, client).await.expect("it ends").expect("no panic");
        let reports = reports.lock().expect("lock");
        let last = reports.last().expect("a report");
        assert!(last.connected, "nothing broke off: {last:?}");
    }
}
