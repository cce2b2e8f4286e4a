//! The pure state of the Kraken connection: what was asked, what was answered, what arrives, what is missing.
//!
//! `(event, now) -> effects`. Subscriptions and trade numbers outlive a connection; everything else starts anew with it.

use std::time::Duration;

use super::check;
use super::frame::{Ack, Frame, Rejection, Ticker, Trade, parse};
use super::sequence::{Sequence, Verdict};
use crate::domain::{FeedLink, Symbol, Tick, TickKind, Timestamp};
use crate::venues::strict::{Refusal, clip, quote};

/// Subscriptions asked for at once after connecting; the rest follows one with each timer. A burst loses some of them.
const BURST: usize = 4;
/// How often a silent subscription is asked again on one connection before the pace drops to [`SLOW_RETRY`].
const QUICK_ASKS: u32 = 3;
/// Pace of asking again after [`QUICK_ASKS`], and after a refusal that may pass.
const SLOW_RETRY: Duration = Duration::from_mins(1);
/// Words of a refusal that will not change by asking again.
const FOR_GOOD: [&str; 5] = ["support", "denied", "not found", "invalid", "malformed"];
/// How much of the venue's words is kept.
const WORDS: usize = 200;

/// The channels that we follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Best bid and ask with the last trade.
    Ticker,
    /// Every trade.
    Trade,
}

impl Channel {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ticker => "ticker",
            Self::Trade => "trade",
        }
    }
}

/// How one subscription stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// To be asked when its time has come.
    Waiting {
        /// Not before this.
        until: Timestamp,
    },
    /// Asked, not answered.
    Asked {
        /// When.
        at: Timestamp,
    },
    /// Accepted, no data yet.
    Acked {
        /// When it was asked.
        asked_at: Timestamp,
    },
    /// Data arrives.
    Live,
    /// Refused for good: never asked again by this process.
    Refused,
}

/// One symbol on one channel.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Channel.
    pub channel: Channel,
    /// Pair.
    pub symbol: Symbol,
    /// How it stands.
    pub state: State,
    trouble: Option<String>,
    /// When its last valid row arrived.
    pub last_at: Option<Timestamp>,
    /// Trades known to be missing.
    pub gaps: u64,
    /// Rows dropped because they were seen before.
    pub duplicates: u64,
    req_id: u64,
    asks: u32,
    sequence: Sequence,
}

impl Subscription {
    /// The link as a front end shows it.
    #[must_use]
    pub const fn link(&self, connected: bool) -> FeedLink {
        match (&self.state, connected) {
            (State::Refused, _) => FeedLink::Refused,
            (_, false) => FeedLink::Connecting,
            (State::Live, true) => FeedLink::Up,
            (State::Waiting { .. } | State::Asked { .. } | State::Acked { .. }, true) => FeedLink::Subscribing,
        }
    }

    /// Why it is not live, in the venue's words or ours.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.trouble.as_deref().or(match self.state {
            State::Waiting { .. } => Some("not asked yet"),
            State::Asked { .. } => Some("waiting for its acknowledgement"),
            State::Acked { .. } => Some("waiting for its first data"),
            State::Live | State::Refused => None,
        })
    }
}

/// What happens to the connection.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// It was opened.
    Opened,
    /// A text frame arrived.
    Text(&'a str),
    /// Time has passed.
    Timer,
    /// It is gone.
    Closed {
        /// Why.
        reason: &'a str,
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send this text frame.
    Send(String),
    /// Publish.
    Tick(Tick),
    /// Keep as refused.
    Refuse {
        /// Why.
        refusal: Refusal,
        /// The payload.
        raw: String,
    },
    /// Give this connection up and dial again.
    Redial {
        /// Why.
        reason: String,
    },
    /// The state of a subscription or of the link changed.
    Changed,
}

/// What to follow and how patiently.
#[derive(Clone, Debug)]
pub struct Config {
    /// Pairs, each on every channel.
    pub symbols: Vec<Symbol>,
    /// Longest silence, heartbeats included.
    pub silence: Duration,
    /// Time for acknowledgement and first data.
    pub subscribe_within: Duration,
}

/// The machine.
#[derive(Debug)]
pub struct Session {
    config: Config,
    subscriptions: Vec<Subscription>,
    connected: bool,
    down_reason: Option<String>,
    last_frame_at: Timestamp,
    reconnects: u64,
    opened_once: bool,
    next_req_id: u64,
    others: u64,
}

impl Session {
    /// Not connected, nothing asked.
    #[must_use]
    pub fn new(config: Config, now: Timestamp) -> Self {
        let pairs = config.symbols.iter().flat_map(|symbol| [(Channel::Ticker, symbol), (Channel::Trade, symbol)]);
        let subscriptions = pairs.map(|(channel, symbol)| Subscription {
            channel,
            symbol: symbol.clone(),
            state: State::Waiting { until: now },
            trouble: None,
            last_at: None,
            gaps: 0,
            duplicates: 0,
            req_id: 0,
            asks: 0,
            sequence: Sequence::default(),
        });
        Self {
            subscriptions: subscriptions.collect(),
            config,
            connected: false,
            down_reason: None,
            last_frame_at: now,
            reconnects: 0,
            opened_once: false,
            next_req_id: 1,
            others: 0,
        }
    }

    /// Every subscription.
    #[must_use]
    pub fn subscriptions(&self) -> &[Subscription] {
        &self.subscriptions
    }

    /// Whether the socket is open.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.connected
    }

    /// Why the socket is not open; absent before the first failure.
    #[must_use]
    pub fn down_reason(&self) -> Option<&str> {
        self.down_reason.as_deref()
    }

    /// Connections opened after the first.
    #[must_use]
    pub const fn reconnects(&self) -> u64 {
        self.reconnects
    }

    /// Frames of channels and methods that we do not follow.
    #[must_use]
    pub const fn others(&self) -> u64 {
        self.others
    }

    /// Takes an event and appends what is to be done.
    pub fn on(&mut self, event: Event<'_>, now: Timestamp, out: &mut Vec<Effect>) {
        match event {
            Event::Opened => self.opened(now, out),
            Event::Text(text) => {
                self.last_frame_at = now;
                self.text(text, now, out);
            }
            Event::Timer => self.timer(now, out),
            Event::Closed { reason } => {
                self.connected = false;
                self.down_reason = Some(clip(reason, WORDS).to_owned());
                out.push(Effect::Changed);
            }
        }
    }

    fn opened(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        self.connected = true;
        self.down_reason = None;
        self.last_frame_at = now;
        self.reconnects += u64::from(self.opened_once);
        self.opened_once = true;
        for subscription in self.subscriptions.iter_mut().filter(|each| each.state != State::Refused) {
            subscription.state = State::Waiting { until: now };
            subscription.asks = 0;
            subscription.trouble = None;
        }
        out.push(Effect::Changed);
        for _ in 0..BURST {
            self.ask_next(now, out);
        }
    }

    fn timer(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        if !self.connected {
            return;
        }
        let silent_for = now.since(self.last_frame_at);
        if silent_for > self.config.silence {
            out.push(Effect::Redial { reason: format!("no frame for {} ms", silent_for.as_millis()) });
            return;
        }
        self.expire(now, out);
        self.ask_next(now, out);
    }

    /// Subscriptions that had their time: asked again; when none of them all is live, the connection is at fault.
    fn expire(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        let patience = self.config.subscribe_within;
        let any_live = self.subscriptions.iter().any(|each| each.state == State::Live);
        for subscription in &mut self.subscriptions {
            let (asked_at, acked) = match subscription.state {
                State::Asked { at } => (at, false),
                State::Acked { asked_at } => (asked_at, true),
                State::Waiting { .. } | State::Live | State::Refused => continue,
            };
            if now.since(asked_at) <= patience {
                continue;
            }
            let what = if acked { "accepted, but no data" } else { "no answer" };
            let reason = format!("{what} within {} ms", patience.as_millis());
            if subscription.asks >= QUICK_ASKS && !any_live {
                let subject = format!("{} {}", subscription.channel.name(), subscription.symbol);
                out.push(Effect::Redial { reason: format!("{subject}: {reason}") });
                return;
            }
            if acked {
                out.push(Effect::Send(request("unsubscribe", subscription, self.next_req_id)));
                self.next_req_id += 1;
            }
            let pause = if subscription.asks < QUICK_ASKS { Duration::ZERO } else { SLOW_RETRY };
            subscription.state = State::Waiting { until: now.plus(pause) };
            subscription.trouble = Some(reason);
            out.push(Effect::Changed);
        }
    }

    fn ask_next(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        let due = |each: &&mut Subscription| matches!(each.state, State::Waiting { until } if until <= now);
        let Some(subscription) = self.subscriptions.iter_mut().find(due) else { return };
        subscription.req_id = self.next_req_id;
        self.next_req_id += 1;
        subscription.asks += 1;
        subscription.state = State::Asked { at: now };
        out.push(Effect::Send(request("subscribe", subscription, subscription.req_id)));
    }

    fn text(&mut self, text: &str, now: Timestamp, out: &mut Vec<Effect>) {
        match parse(text) {
            Ok(Frame::Heartbeat | Frame::Pong) => {}
            Ok(Frame::Tickers(rows)) => {
                for row in rows {
                    let done = row.map_err(|bad| (bad.refusal, bad.raw)).and_then(|row| self.ticker(&row, now, out));
                    refuse(done, out);
                }
            }
            Ok(Frame::Trades(mut rows)) => {
                // A snapshot's order is not promised; numbers are.
                rows.sort_by_key(|row| row.as_ref().map_or(0, |row| row.trade_id));
                for row in rows {
                    let done = row.map_err(|bad| (bad.refusal, bad.raw)).and_then(|row| self.trade(&row, now, out));
                    refuse(done, out);
                }
            }
            Ok(Frame::Status { system }) if system == "online" => {}
            Ok(Frame::Status { system }) => {
                tracing::warn!(system = quote(&system).as_ref(), "kraken's trading engine is not fully online");
            }
            Ok(Frame::Ack(ack)) => self.ack(&ack, out),
            Ok(Frame::Rejection(rejection)) => self.rejection(&rejection, text, now, out),
            Ok(Frame::Notice(notice)) => tracing::info!(notice = clip(notice, WORDS), "kraken says"),
            Ok(Frame::Other(name)) => {
                self.others += 1;
                tracing::debug!(name = clip(&name, WORDS), "frame of a channel or method that is not followed");
            }
            Err(refusal) => out.push(Effect::Refuse { refusal, raw: text.to_owned() }),
        }
    }

    fn ticker<'a>(
        &mut self,
        row: &Ticker<'a>,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) -> Result<(), (Refusal, &'a str)> {
        check::ticker(row, now).map_err(|refusal| (refusal, row.raw))?;
        let subscription = self.live(Channel::Ticker, &row.symbol, now, out).map_err(|refusal| (refusal, row.raw))?;
        let kind =
            TickKind::Quote { bid: row.bid, bid_qty: row.bid_qty, ask: row.ask, ask_qty: row.ask_qty, last: row.last };
        let symbol = subscription.symbol.clone();
        out.push(Effect::Tick(Tick { symbol, kind, event_at: row.at.unwrap_or(now), received_at: now }));
        Ok(())
    }

    fn trade<'a>(&mut self, row: &Trade<'a>, now: Timestamp, out: &mut Vec<Effect>) -> Result<(), (Refusal, &'a str)> {
        check::trade(row, now).map_err(|refusal| (refusal, row.raw))?;
        let subscription = self.live(Channel::Trade, &row.symbol, now, out).map_err(|refusal| (refusal, row.raw))?;
        match subscription.sequence.take(row.trade_id, row.at) {
            Verdict::Duplicate => subscription.duplicates += 1,
            Verdict::New { missing } => {
                subscription.gaps += missing;
                let kind = TickKind::Trade { price: row.price, qty: row.qty, side: row.side, trade_id: row.trade_id };
                let symbol = subscription.symbol.clone();
                out.push(Effect::Tick(Tick { symbol, kind, event_at: row.at, received_at: now }));
            }
        }
        Ok(())
    }

    /// The subscription that a good row belongs to; it is live from its first one on.
    fn live(
        &mut self,
        channel: Channel,
        symbol: &str,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) -> Result<&mut Subscription, Refusal> {
        let mine = |each: &&mut Subscription| each.channel == channel && each.symbol.as_str() == symbol;
        let Some(subscription) = self.subscriptions.iter_mut().find(mine) else {
            return Err(Refusal::new("symbol", format!("'{}' was not asked for", quote(symbol))));
        };
        subscription.last_at = Some(now);
        if subscription.state != State::Live {
            subscription.state = State::Live;
            subscription.trouble = None;
            out.push(Effect::Changed);
        }
        Ok(subscription)
    }

    fn ack(&mut self, ack: &Ack<'_>, out: &mut Vec<Effect>) {
        if ack.method != "subscribe" {
            return;
        }
        let by_id = self.subscriptions.iter().position(|each| Some(each.req_id) == ack.req_id);
        let by_name = || {
            self.subscriptions.iter().position(|each| {
                ack.channel.as_deref() == Some(each.channel.name())
                    && ack.symbol.as_deref() == Some(each.symbol.as_str())
            })
        };
        let Some(index) = by_id.or_else(by_name) else { return };
        let subscription = &mut self.subscriptions[index];
        if let State::Asked { at } = subscription.state {
            subscription.state = State::Acked { asked_at: at };
            out.push(Effect::Changed);
        }
    }

    fn rejection(&mut self, rejection: &Rejection<'_>, raw: &str, now: Timestamp, out: &mut Vec<Effect>) {
        if rejection.method == "unsubscribe" {
            return;
        }
        let asked = |each: &Subscription| matches!(each.state, State::Asked { .. } | State::Acked { .. });
        let by_id = self.subscriptions.iter().position(|each| Some(each.req_id) == rejection.req_id && asked(each));
        let by_symbol = || {
            let symbol = rejection.symbol.as_deref()?;
            self.subscriptions.iter().position(|each| each.symbol.as_str() == symbol && asked(each))
        };
        let Some(index) = by_id.or_else(by_symbol) else {
            let reason = format!("belongs to no request of ours: {}", quote(&rejection.error));
            out.push(Effect::Refuse { refusal: Refusal::new("req_id", reason), raw: raw.to_owned() });
            return;
        };
        let subscription = &mut self.subscriptions[index];
        let words = rejection.error.to_ascii_lowercase();
        subscription.state = if words.contains("already subscribed") {
            State::Acked { asked_at: now }
        } else if FOR_GOOD.iter().any(|word| words.contains(word)) {
            State::Refused
        } else {
            State::Waiting { until: now.plus(SLOW_RETRY) }
        };
        subscription.trouble = Some(clip(&rejection.error, WORDS).to_owned());
        out.push(Effect::Changed);
    }
}

fn refuse(done: Result<(), (Refusal, &str)>, out: &mut Vec<Effect>) {
    if let Err((refusal, raw)) = done {
        out.push(Effect::Refuse { refusal, raw: raw.to_owned() });
    }
}

fn request(method: &str, subscription: &Subscription, req_id: u64) -> String {
    serde_json::json!({
        "method": method,
        "params": { "channel": subscription.channel.name(), "symbol": [subscription.symbol], "snapshot": true },
        "req_id": req_id,
    })
    .to_string()
}
