//! What a strategy is: rules over its own state, without clock or I/O. The engine knows no more of one than this.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::to_raw_value;

use super::event::Event;
use super::kept::{KeptState, SavedState};
use super::markets::Markets;
use super::rolling::Selector;
use super::window::{ChunkDoc, Feed, Gap, Window};
use super::wishes::Wishes;
use crate::domain::params::Params;
use crate::domain::{
    Book, Instrument, Level, Market, MarketId, OrderIntent, ParamProblem, Price, Signal, StrategyId, StrategyState,
    Symbol, Text, Timestamp, TokenId, text,
};
use crate::risk::Holdings;

/// What a strategy may look at besides its own state.
#[derive(Clone, Copy, Debug)]
pub struct Desk<'a> {
    /// Markets and their books.
    pub markets: &'a Markets,
    /// What is held and on its way.
    pub holdings: &'a Holdings,
    /// Oldest book that a price may be taken from.
    pub data_age: Duration,
}

impl<'a> Desk<'a> {
    /// The latest book of a token, unless it is too old or from the future.
    #[must_use]
    pub fn fresh_book(&self, market: &MarketId, token: &TokenId, now: Timestamp) -> Option<&'a Book> {
        let age = |at: Timestamp| now.since(at).max(at.since(now));
        self.markets.book(market, token).filter(|book| age(book.known_at()) <= self.data_age)
    }

    /// A token's best prices and how old they are, for whoever asks why.
    #[must_use]
    pub fn quote(&self, market: &MarketId, token: &TokenId, now: Timestamp) -> Text {
        let Some(book) = self.markets.book(market, token) else { return "none".into() };
        let price = |level: Option<Level>| level.map_or_else(|| "-".into(), |Level { price, .. }| text!("{price}"));
        let (bid, ask) = (price(book.best_bid()), price(book.best_ask()));
        let (age, most) = (now.since(book.known_at()).as_millis(), self.data_age.as_millis());
        text!("bid {bid}, ask {ask}, {age} ms old (at most {most})")
    }
}

/// The observation that made a strategy want something; the intent's identity and deadline follow from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The instrument observed.
    pub source: Symbol,
    /// When the venue says it happened.
    pub event_at: Timestamp,
    /// When it reached us.
    pub received_at: Timestamp,
    /// The venue's number of it.
    pub trade_id: u64,
    /// What was observed; 0 when it was not a price.
    pub price: Price,
}

/// A signal, its cause, and for how long it is worth sending and resting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// What is wanted and why.
    pub signal: Signal,
    /// What caused it.
    pub cause: Cause,
    /// Time from the cause's receipt within which the order must be sent.
    pub send_within: Duration,
    /// How long the order may rest.
    pub rest_for: Duration,
}

/// The rules of a strategy. A new one is a file with this, a line in `registry.rs` and a section of the configuration.
pub trait Strategy: 'static {
    /// Its thresholds, as configured.
    type Params: Params;
    /// What it remembers from event to event.
    type State: fmt::Debug + Send + 'static;
    /// What of that survives a restart.
    type Saved: Serialize + DeserializeOwned + Send + 'static;

    /// Its name: of its section in the configuration, of its parameters and of its signals.
    const NAME: &'static str;

    /// Whether the embedded desk runs it.
    const ENABLED: bool = false;

    /// Its name as an identifier.
    #[must_use]
    fn id() -> StrategyId {
        StrategyId::new(Self::NAME)
    }

    /// Its usual parameters.
    fn defaults() -> Self::Params;

    /// Its parameters on the embedded desk: those of `config.toml`.
    #[must_use]
    fn embedded() -> Self::Params {
        Self::defaults()
    }

    /// What it watches and trades. Each has a state of its own; the parameters are the same for all.
    fn instruments(params: &Self::Params) -> Vec<Instrument>;

    /// Its state on one of them before the first event.
    fn start(params: &Self::Params, instrument: &Instrument) -> Self::State;

    /// Whether descriptions and books of a market may by themselves lead to a wish: only then it is told of them. Asked when a market is
    /// described, so what can change while it runs must not count. Without it, books are looked at when the instrument moves, and of
    /// markets only those that its [`Instrument`] means are known to the desk.
    const FOLLOWS: Option<fn(&Self::Params, &Market) -> bool> = None;

    /// Takes an event of its instrument or of a market that it follows, a gap or the time, and adds what it wants, or why it skips a crossing,
    /// to `wishes`. Wishing starts its cool-down, whatever the gate says. Of other events it sees on the `desk` what came of them.
    fn on_event(
        state: &mut Self::State,
        event: &Event,
        params: &Self::Params,
        desk: &Desk<'_>,
        now: Timestamp,
        wishes: &mut Wishes,
    );

    /// Its parameters have changed: keeps of its state what it can. Called between two events.
    fn retune(state: &mut Self::State, params: &Self::Params);

    /// How it stands, for people. `signal_at` is the engine's to fill in.
    fn report(state: &Self::State, params: &Self::Params, desk: &Desk<'_>, now: Timestamp) -> StrategyState;

    /// Its rolling window, if it has one. The engine keeps it over restarts, apart from [`Self::Saved`].
    fn window(_state: &mut Self::State) -> Option<&mut Window> {
        None
    }

    /// Messages of a feed are missing, of which instrument is not known: what happened between these two times was not seen. Without more
    /// its window remembers it; see [`Window::gaps`].
    fn note_gap(state: &mut Self::State, _params: &Self::Params, feed: Feed, gap: Gap) {
        if let Some(window) = Self::window(state).filter(|_| feed == Feed::Crypto) {
            window.note_gap(gap);
        }
    }

    /// Since when it may have missed something if nobody knows up to where it was told; nothing when that does not matter.
    fn seen_until(state: &mut Self::State) -> Option<(Feed, Timestamp)> {
        Self::window(state)?.last().map(|newest| (Feed::Crypto, newest.at))
    }

    /// An intent of its own in this market lies on the stream, from an earlier run, and its state may be of before it: what that began, a
    /// cool-down for one, began when the intent's cause was received. Told by the first news of after that cause.
    fn sent(state: &mut Self::State, params: &Self::Params, market: &Market, intent: &OrderIntent);

    /// What is to be kept besides the window.
    fn save(state: &Self::State) -> Self::Saved;

    /// Takes up what was kept; its window is there already.
    ///
    /// # Errors
    /// The reason, in words.
    fn restore(
        state: &mut Self::State,
        saved: Self::Saved,
        params: &Self::Params,
        now: Timestamp,
    ) -> Result<(), String>;
}

/// A strategy with its state and parameters, as the engine holds it.
pub trait Runner: fmt::Debug + Send {
    /// Name and instrument: under which its state is kept.
    fn key(&self) -> (StrategyId, Symbol);
    /// What it is on.
    fn instrument(&self) -> &Instrument;
    /// Whether it follows any markets: see [`Strategy::FOLLOWS`].
    fn is_follower(&self) -> bool;
    /// Whether it follows this one.
    fn follows(&self, market: &Market) -> bool;
    /// See [`Strategy::on_event`].
    fn on_event(&mut self, event: &Event, desk: &Desk<'_>, now: Timestamp, wishes: &mut Wishes);
    /// Its parameters as text.
    fn values(&self) -> BTreeMap<String, String>;
    /// Takes other parameters, all or none; what is fixed stays its own.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    fn set_params(&mut self, values: &BTreeMap<String, String>) -> Result<(), Vec<ParamProblem>>;
    /// See [`Strategy::report`].
    fn report(&self, desk: &Desk<'_>, now: Timestamp) -> StrategyState;
    /// What is to be written of its state; with `whole` also what was written before.
    fn save(&mut self, whole: bool) -> SavedState;
    /// Takes up a kept state with the parts of its window.
    ///
    /// # Errors
    /// Why it starts cold instead, in words.
    fn restore(&mut self, kept: &KeptState, chunks: &[Option<ChunkDoc>], now: Timestamp) -> Result<(), String>;
    /// See [`Strategy::sent`].
    fn sent(&mut self, market: &Market, intent: &OrderIntent);
    /// See [`Strategy::note_gap`].
    fn note_gap(&mut self, feed: Feed, gap: Gap);
    /// See [`Strategy::seen_until`].
    fn seen_until(&mut self) -> Option<(Feed, Timestamp)>;
}

/// Makes a [`Runner`] of any [`Strategy`].
pub struct Running<S: Strategy> {
    instrument: Instrument,
    params: S::Params,
    state: S::State,
    /// Intents of an earlier run, each with its market, until news of after their causes come.
    sent: Vec<(Market, OrderIntent)>,
}

impl<S: Strategy> fmt::Debug for Running<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instrument, params, state, sent } = self;
        let mut shown = f.debug_struct("Running");
        shown.field("instrument", instrument).field("params", params).field("state", state).field("sent", sent).finish()
    }
}

impl<S: Strategy> Running<S> {
    /// A strategy before its first event, on each of its instruments.
    #[must_use]
    pub fn all(params: &S::Params) -> Vec<Box<dyn Runner>> {
        let on = |instrument| Box::new(Self::on(instrument, params.clone())) as Box<dyn Runner>;
        S::instruments(params).into_iter().map(on).collect()
    }

    fn on(instrument: Instrument, params: S::Params) -> Self {
        let state = S::start(&params, &instrument);
        Self { instrument, params, state, sent: Vec::new() }
    }

    /// These news come after what an earlier run acted upon: had its news come again, they would have come first.
    fn take_sent(&mut self, news: Timestamp) {
        let Self { params, state, sent, .. } = self;
        sent.retain(|(market, intent)| {
            let waits = news <= intent.tick_received_at;
            if !waits {
                S::sent(state, params, market, intent);
            }
            waits
        });
    }
}

impl<S: Strategy> Runner for Running<S> {
    fn key(&self) -> (StrategyId, Symbol) {
        (S::id(), self.instrument.symbol.clone())
    }

    fn instrument(&self) -> &Instrument {
        &self.instrument
    }

    fn is_follower(&self) -> bool {
        S::FOLLOWS.is_some()
    }

    fn follows(&self, market: &Market) -> bool {
        S::FOLLOWS.is_some_and(|follows| follows(&self.params, market))
    }

    fn on_event(&mut self, event: &Event, desk: &Desk<'_>, now: Timestamp, wishes: &mut Wishes) {
        if !self.sent.is_empty() && event.is_news() {
            self.take_sent(event.time(now));
        }
        S::on_event(&mut self.state, event, &self.params, desk, now, wishes);
    }

    fn values(&self) -> BTreeMap<String, String> {
        self.params.texts()
    }

    fn set_params(&mut self, values: &BTreeMap<String, String>) -> Result<(), Vec<ParamProblem>> {
        self.params = self.params.retuned(values)?;
        S::retune(&mut self.state, &self.params);
        Ok(())
    }

    fn report(&self, desk: &Desk<'_>, now: Timestamp) -> StrategyState {
        S::report(&self.state, &self.params, desk, now)
    }

    fn save(&mut self, whole: bool) -> SavedState {
        let saved = S::save(&self.state);
        let window = S::window(&mut self.state).map(|window| window.keep(whole));
        Box::new(move || {
            let (window, chunks) = window.map(super::window::Keep::documents).unzip();
            Ok((KeptState::new(to_raw_value(&saved)?, window), chunks.unwrap_or_default()))
        })
    }

    fn restore(&mut self, kept: &KeptState, chunks: &[Option<ChunkDoc>], now: Timestamp) -> Result<(), String> {
        let saved = serde_json::from_str(kept.state.get()).map_err(|error| format!("it cannot be read: {error}"))?;
        let mut state = S::start(&self.params, &self.instrument);
        match (S::window(&mut state), &kept.window) {
            (Some(window), Some(kept)) => window.restore(kept, chunks).map_err(|error| error.to_string())?,
            (None, None) => {}
            (Some(_), None) => return Err("its window is missing".to_owned()),
            (None, Some(_)) => return Err("it has a window, which this strategy does not".to_owned()),
        }
        S::restore(&mut state, saved, &self.params, now)?;
        self.state = state;
        Ok(())
    }

    fn sent(&mut self, market: &Market, intent: &OrderIntent) {
        if self.follows(market) || Selector::new(&self.instrument.market).start_of(market).is_some() {
            self.sent.push((market.clone(), intent.clone()));
        }
    }

    fn note_gap(&mut self, feed: Feed, gap: Gap) {
        S::note_gap(&mut self.state, &self.params, feed, gap);
    }

    fn seen_until(&mut self) -> Option<(Feed, Timestamp)> {
        S::seen_until(&mut self.state)
    }
}
