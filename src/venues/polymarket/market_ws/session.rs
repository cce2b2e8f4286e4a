//! The pure state of the market socket: which tokens are wanted, asked for, known; `(event, now) -> effects`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::book::FullBook;
use super::frame::{BadEvent, Change, MarketEvent, parse};
use crate::domain::{Book, Level, MarketId, Price, Timestamp, TokenId};
use crate::venues::strict::{Refusal, clip};

/// How often the text `PING` goes out; the venue answers `PONG`.
const PING_EVERY: Duration = Duration::from_secs(10);
/// Silence, answers to `PING` included, after which the connection counts as dead.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a book may take after its token was asked for.
const BOOK_WITHIN: Duration = Duration::from_secs(10);
/// Pace of asking for a token that has not answered [`ASKS`] times while others have.
const SLOW_RETRY: Duration = Duration::from_mins(1);
/// Asks for one token on one connection, without any book at all, after which the connection counts as dead.
const ASKS: u32 = 3;
/// A book of which nothing was heard for this long is compared with what the venue shows elsewhere.
const QUIET: Duration = Duration::from_secs(1);
/// Least time between two comparisons, and after one that got no answer.
const COMPARE_PACE: Duration = Duration::from_millis(500);
const COMPARE_AGAIN: Duration = Duration::from_secs(2);
/// Books in one comparison; the quietest come first.
const COMPARED: usize = 100;
/// So many differences in a row, without a word from the socket, are no race any more: the socket is mute.
const DIFFERENCES: u32 = 3;
/// A token is not asked for more often than this, however wrong its book.
const RESYNC_PAUSE: Duration = Duration::from_secs(2);

/// How one wanted token stands.
#[derive(Clone, Debug, Default)]
struct Wanted {
    book: Option<FullBook>,
    asked_at: Option<Timestamp>,
    asks: u32,
    last_at: Option<Timestamp>,
    /// When its book was last known to be true.
    known_at: Timestamp,
    /// Comparisons in a row that showed another book.
    differences: u32,
    resync: Option<String>,
}

/// What happens to the connection.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// It was opened.
    Opened,
    /// A text frame arrived.
    Text(&'a str),
    /// These tokens are wanted from now on, and no others.
    Want(&'a BTreeSet<TokenId>),
    /// Time has passed.
    Timer,
    /// A comparison has come back.
    Compared {
        /// When it was asked for.
        asked_at: Timestamp,
        /// The books that the venue shows, as a frame; nothing when there was no answer.
        shown: Option<&'a str>,
    },
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
    /// A book changed: its best levels.
    Book(Book),
    /// Ask the venue for the books of these tokens, and tell of the answer as [`Event::Compared`], also when there is none.
    Compare(Vec<TokenId>),
    /// A token's book is as it was told last.
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
    /// The link or a token's state changed.
    Changed,
}

/// How a token stands, for whoever asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenState {
    /// Its book is known.
    pub has_book: bool,
    /// When the last word about it arrived.
    pub last_at: Option<Timestamp>,
    /// Why its book is not known.
    pub reason: Option<String>,
}

/// The machine.
#[derive(Debug)]
pub struct Session {
    tokens: BTreeMap<TokenId, Wanted>,
    connected: bool,
    down_reason: Option<String>,
    last_frame_at: Timestamp,
    pinged_at: Timestamp,
    any_book: bool,
    comparing: bool,
    /// No comparison before then.
    compare_from: Timestamp,
    reconnects: u64,
    opened_once: bool,
    ignored: u64,
}

impl Session {
    /// Not connected, nothing wanted.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self {
            tokens: BTreeMap::new(),
            connected: false,
            down_reason: None,
            last_frame_at: now,
            pinged_at: now,
            any_book: false,
            comparing: false,
            compare_from: now,
            reconnects: 0,
            opened_once: false,
            ignored: 0,
        }
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

    /// Objects that we do not follow, changes without a book to apply them to, and words older than what is known.
    #[must_use]
    pub const fn ignored(&self) -> u64 {
        self.ignored
    }

    /// Every wanted token.
    pub fn states(&self) -> impl Iterator<Item = (TokenId, TokenState)> {
        self.tokens.iter().map(|(token, wanted)| {
            let state =
                TokenState { has_book: wanted.book.is_some(), last_at: wanted.last_at, reason: wanted.resync.clone() };
            (token.clone(), state)
        })
    }

    /// Takes an event and appends what is to be done.
    pub fn on(&mut self, event: Event<'_>, now: Timestamp, out: &mut Vec<Effect>) {
        match event {
            Event::Opened => self.opened(now, out),
            Event::Text(text) => {
                self.last_frame_at = now;
                for item in parse(text) {
                    self.item(item, now, out);
                }
            }
            Event::Want(tokens) => self.want(tokens, now, out),
            Event::Timer => self.timer(now, out),
            Event::Compared { asked_at, shown } => self.compared(asked_at, shown, now, out),
            Event::Closed { reason } => {
                self.connected = false;
                self.down_reason = Some(clip(reason, 200).to_owned());
                self.forget_books();
                out.push(Effect::Changed);
            }
        }
    }

    fn opened(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        self.connected = true;
        self.down_reason = None;
        (self.last_frame_at, self.pinged_at) = (now, now);
        (self.any_book, self.comparing) = (false, false);
        self.reconnects += u64::from(self.opened_once);
        self.opened_once = true;
        self.forget_books();
        let tokens: Vec<&TokenId> = self.tokens.keys().collect();
        out.push(Effect::Send(serde_json::json!({ "type": "market", "assets_ids": tokens }).to_string()));
        for wanted in self.tokens.values_mut() {
            wanted.asked_at = Some(now);
            wanted.asks = 1;
        }
        out.push(Effect::Changed);
    }

    fn forget_books(&mut self) {
        for wanted in self.tokens.values_mut() {
            wanted.book = None;
            wanted.asked_at = None;
            wanted.asks = 0;
            wanted.differences = 0;
            wanted.resync = None;
        }
    }

    fn want(&mut self, tokens: &BTreeSet<TokenId>, now: Timestamp, out: &mut Vec<Effect>) {
        let gone: Vec<TokenId> = self.tokens.keys().filter(|token| !tokens.contains(*token)).cloned().collect();
        let new: Vec<TokenId> = tokens.iter().filter(|token| !self.tokens.contains_key(*token)).cloned().collect();
        self.tokens.retain(|token, _| tokens.contains(token));
        for token in &new {
            let asked = self.connected.then_some(now);
            let wanted = Wanted { asked_at: asked, asks: u32::from(self.connected), ..Wanted::default() };
            self.tokens.insert(token.clone(), wanted);
        }
        if self.connected && !new.is_empty() {
            out.push(operation("subscribe", &new));
        }
        if self.connected && !gone.is_empty() {
            out.push(operation("unsubscribe", &gone));
        }
        if !(new.is_empty() && gone.is_empty()) {
            out.push(Effect::Changed);
        }
    }

    fn timer(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        if !self.connected {
            return;
        }
        let silent_for = now.since(self.last_frame_at);
        if silent_for > SILENCE {
            out.push(Effect::Redial { reason: format!("no frame for {} ms", silent_for.as_millis()) });
            return;
        }
        if now.since(self.pinged_at) >= PING_EVERY {
            self.pinged_at = now;
            out.push(Effect::Send("PING".to_owned()));
        }
        self.ask_again(now, out);
        self.compare(now, out);
    }

    /// The channel tells changes only, so a quiet book and a mute socket look alike: the venue is asked, one question at a time.
    fn compare(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        if self.comparing || now < self.compare_from {
            return;
        }
        let quiet = |wanted: &Wanted| wanted.book.is_some() && now.since(wanted.known_at) >= QUIET;
        let mut quiet: Vec<_> = self.tokens.iter().filter(|(_, wanted)| quiet(wanted)).collect();
        quiet.sort_by_key(|(_, wanted)| wanted.known_at);
        let tokens: Vec<TokenId> = quiet.into_iter().take(COMPARED).map(|(token, _)| token.clone()).collect();
        if !tokens.is_empty() {
            self.comparing = true;
            self.compare_from = now.plus(COMPARE_PACE);
            out.push(Effect::Compare(tokens));
        }
    }

    fn compared(&mut self, asked_at: Timestamp, shown: Option<&str>, now: Timestamp, out: &mut Vec<Effect>) {
        self.comparing = false;
        let Some(shown) = shown else {
            self.compare_from = now.plus(COMPARE_AGAIN);
            return;
        };
        for item in parse(shown) {
            match item {
                Ok(MarketEvent::Book { market, token, bids, asks, at }) => {
                    self.hold_against(&token, &FullBook::new(market, &bids, &asks, at), asked_at, out);
                }
                Ok(_) => self.ignored += 1,
                Err(bad) => out.push(Effect::Refuse { refusal: bad.refusal, raw: bad.raw }),
            }
        }
    }

    /// What the venue shows against what the socket told.
    fn hold_against(&mut self, token: &TokenId, shown: &FullBook, asked_at: Timestamp, out: &mut Vec<Effect>) {
        let Some(wanted) = self.tokens.get_mut(token) else { return };
        let Some(book) = &wanted.book else { return };
        // What was told since, or is not shown yet, is newer than the answer: the two are not of one moment.
        let told_since = wanted.last_at.is_some_and(|at| at >= asked_at);
        if book.looks_like(shown) {
            (wanted.differences, wanted.known_at) = (0, wanted.known_at.max(asked_at));
            out.push(Effect::Heard { token: token.clone(), at: asked_at });
        } else if !told_since && shown.event_at() >= book.event_at() {
            wanted.differences += 1;
            if wanted.differences >= DIFFERENCES {
                self.any_book = false;
                self.distrust(token, "the venue shows another book and the socket told nothing".to_owned(), out);
            }
        }
    }

    /// Tokens whose book is wrong or late: dropped at the venue and asked for anew.
    fn ask_again(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        let mut due = Vec::new();
        for (token, wanted) in self.tokens.iter_mut().filter(|(_, wanted)| wanted.book.is_none()) {
            let patience = match wanted.asks {
                0 => RESYNC_PAUSE,
                1..ASKS => BOOK_WITHIN,
                _ => SLOW_RETRY,
            };
            let waited = wanted.asked_at.map_or(patience, |asked_at| now.since(asked_at));
            if wanted.asks >= ASKS && waited > BOOK_WITHIN && !self.any_book {
                out.push(Effect::Redial { reason: format!("no book after asking {ASKS} times for {token}") });
                return;
            }
            if waited < patience {
                continue;
            }
            if wanted.asks > 0 {
                wanted.resync = Some(format!("no book within {} ms", BOOK_WITHIN.as_millis()));
            }
            wanted.asked_at = Some(now);
            wanted.asks = wanted.asks.saturating_add(1);
            due.push(token.clone());
        }
        if !due.is_empty() {
            out.extend([operation("unsubscribe", &due), operation("subscribe", &due), Effect::Changed]);
        }
    }

    fn item(&mut self, item: Result<MarketEvent, BadEvent>, now: Timestamp, out: &mut Vec<Effect>) {
        match item {
            Ok(MarketEvent::Book { market, token, bids, asks, at }) => {
                self.snapshot(&market, &token, (&bids, &asks), at, now, out);
            }
            Ok(MarketEvent::Changes { changes, at, .. }) => self.changes(&changes, at, now, out),
            Ok(MarketEvent::TickSize { token, tick_size }) => match self.tokens.get_mut(&token) {
                Some(wanted) => {
                    wanted.last_at = Some(now);
                    out.push(Effect::TickSize { token, tick_size });
                }
                None => self.ignored += 1,
            },
            Ok(MarketEvent::Other(_)) => self.ignored += 1,
            Err(bad) => {
                // What was refused may have been a change: the books that it speaks of can no longer be trusted.
                let named = |token: &TokenId| bad.raw.contains(token.as_str());
                let named: Vec<TokenId> = self.tokens.keys().filter(|token| named(token)).cloned().collect();
                for token in named {
                    self.distrust(&token, format!("a frame about it was refused: {}", bad.refusal), out);
                }
                out.push(Effect::Refuse { refusal: bad.refusal, raw: bad.raw });
            }
        }
    }

    fn snapshot(
        &mut self,
        market: &MarketId,
        token: &TokenId,
        (bids, asks): (&[Level], &[Level]),
        at: Timestamp,
        now: Timestamp,
        out: &mut Vec<Effect>,
    ) {
        let Some(wanted) = self.tokens.get_mut(token) else {
            self.ignored += 1;
            return;
        };
        wanted.last_at = Some(now);
        if wanted.book.as_ref().is_some_and(|book| at < book.event_at()) {
            self.ignored += 1;
            return;
        }
        let book = FullBook::new(market.clone(), bids, asks, at);
        if book.is_crossed() {
            self.distrust(token, "its snapshot was crossed".to_owned(), out);
            return;
        }
        out.push(Effect::Book(book.top(token, now)));
        if wanted.book.is_none() {
            out.push(Effect::Changed);
        }
        wanted.book = Some(book);
        (wanted.known_at, wanted.differences) = (now, 0);
        wanted.asks = 0;
        wanted.resync = None;
        self.any_book = true;
    }

    fn changes(&mut self, changes: &[Change], at: Timestamp, now: Timestamp, out: &mut Vec<Effect>) {
        let mut touched: Vec<&TokenId> = Vec::new();
        for change in changes {
            let Some(wanted) = self.tokens.get_mut(&change.token) else { continue };
            wanted.last_at = Some(now);
            match &mut wanted.book {
                Some(book) if at >= book.event_at() => {
                    book.set(change.side, change.level, at);
                    (wanted.known_at, wanted.differences) = (now, 0);
                    if !touched.contains(&&change.token) {
                        touched.push(&change.token);
                    }
                }
                Some(_) | None => self.ignored += 1,
            }
        }
        // Only now: halfway through a frame a book may look crossed.
        for token in touched {
            let Some(book) = self.tokens.get(token).and_then(|wanted| wanted.book.as_ref()) else { continue };
            if book.is_crossed() {
                self.distrust(token, "its book became crossed".to_owned(), out);
            } else {
                out.push(Effect::Book(book.top(token, now)));
            }
        }
    }

    fn distrust(&mut self, token: &TokenId, reason: String, out: &mut Vec<Effect>) {
        if let Some(wanted) = self.tokens.get_mut(token) {
            tracing::warn!(%token, reason, "book dropped, asking for it anew");
            wanted.book = None;
            (wanted.asks, wanted.differences) = (0, 0);
            wanted.resync = Some(reason);
            out.push(Effect::Changed);
        }
    }
}

fn operation(name: &str, tokens: &[TokenId]) -> Effect {
    Effect::Send(serde_json::json!({ "operation": name, "assets_ids": tokens }).to_string())
}
