//! The desk as the bus tells it: snapshots, then the events after them. A replica; it decides nothing.

use std::collections::HashMap;

use crate::domain::{
    ArgosState, AthenaState, Denial, Exposure, FeedLink, Fill, HermesState, KillLatch, KillReport, LimitUse, Mode,
    Order, OrderCounts, OrderIntent, Pnl, Position, Price, StrategyHalt, StrategyState, Timestamp, TokenId, TradeEvent,
    TradingState, Usd,
};
use crate::ui::model::cells::{self, Markets, SignalItem};
use crate::ui::model::decisions::Decisions;
use crate::ui::model::letters::Letters;
use crate::ui::model::limits;
use crate::ui::model::panes::{RowId, Verdict};
use crate::ui::model::parameters::Parameters;
use crate::ui::model::rows::Rows;
use crate::ui::model::sequence::{Place, Sequence};
use crate::ui::model::series::{Session, millionths};
use crate::ui::model::system::System;
use crate::ui::model::ticks::Ticks;
use crate::ui::msg::{Event, MarketBatch};

/// A daemon whose snapshot has not changed for longer than this is down. The status document uses the same span.
const SILENT_AFTER_SECS: u64 = 5;
/// Orders and fills kept for scrolling.
const ROWS_MAX: usize = 500;
/// Books remembered.
const BOOKS_MAX: usize = 512;

/// Whether a daemon is there. Judged by when its snapshot last changed here, so that clocks need not agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Presence {
    written_at: Option<Timestamp>,
    seen_at: Option<Timestamp>,
}

impl Presence {
    fn saw(&mut self, written_at: Timestamp, now: Timestamp) {
        match self.written_at {
            None => self.seen_at = Some(written_at.min(now)),
            Some(known) if known != written_at => self.seen_at = Some(now),
            Some(_) => {}
        }
        self.written_at = Some(written_at);
    }

    /// Age of what is known; nothing when it was never seen.
    pub(crate) fn age(&self, now: Timestamp) -> Option<std::time::Duration> {
        self.seen_at.map(|at| now.since(at))
    }

    /// Whether it is up.
    pub(crate) fn is_up(&self, now: Timestamp) -> bool {
        self.age(now).is_some_and(|age| age.as_secs() <= SILENT_AFTER_SECS)
    }
}

/// Figures of Hermes' snapshot that are shown as they are.
#[derive(Clone, Debug)]
pub(crate) struct Books {
    /// Which world.
    pub(crate) mode: Mode,
    /// What may be sent.
    pub(crate) trading_state: TradingState,
    /// Why trading is not possible now.
    pub(crate) trouble: Option<String>,
    /// When the books were last seen to agree with the venue.
    pub(crate) reconciled_at: Option<Timestamp>,
    /// Order counters.
    pub(crate) orders: OrderCounts,
    /// Fills over the ledger.
    pub(crate) fills: u64,
    /// Profit and loss.
    pub(crate) pnl: Pnl,
    /// Since the UTC day began.
    pub(crate) today: Usd,
    /// At stake against the limit.
    pub(crate) exposure: Exposure,
    /// Dead letters.
    pub(crate) dlq: u64,
    /// Whose turn at the lease of the account it is; none on a standby.
    pub(crate) fencing_token: Option<u64>,
    /// The venue's clock minus ours, in milliseconds.
    pub(crate) venue_skew_ms: Option<i64>,
    /// What to know of the bus although it works.
    pub(crate) bus_concerns: Vec<String>,
    /// What of the limits waits for a person.
    pub(crate) limit_concerns: Vec<String>,
    /// Strategies that are halted although the desk trades.
    pub(crate) halted: Vec<StrategyHalt>,
}

/// Best prices of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Top {
    /// Best bid.
    pub(crate) bid: Option<Price>,
    /// Best ask.
    pub(crate) ask: Option<Price>,
}

/// Subscriptions of Argos: how many are up, of how many, and what stands in the way of the first that is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Feeds {
    /// Up.
    pub(crate) up: usize,
    /// All.
    pub(crate) all: usize,
    /// Subject and reason of the first that is not up.
    pub(crate) trouble: Option<String>,
}

/// What the cockpit lost or could not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Losses {
    /// Market data messages lost on the way here.
    pub(crate) data: u64,
    /// Messages lost on the way to the daemons.
    pub(crate) daemons: u64,
    /// Events missing in a sequence, each cause for a new snapshot.
    pub(crate) events: u64,
    /// Messages that could not be read.
    pub(crate) unreadable: u64,
}

/// The desk.
#[derive(Debug)]
pub(crate) struct Desk {
    /// Argos' presence.
    pub(crate) argos: Presence,
    /// Athena's presence.
    pub(crate) athena: Presence,
    /// Hermes' presence.
    pub(crate) hermes: Presence,
    /// Figures of Hermes.
    pub(crate) books: Option<Books>,
    /// What Hermes says about the latch.
    pub(crate) kill: Option<KillReport>,
    /// The latch on the bus.
    pub(crate) latch: Option<KillLatch>,
    /// Argos' subscriptions.
    pub(crate) feeds: Feeds,
    /// Prices.
    pub(crate) ticks: Ticks,
    /// Strategies.
    pub(crate) strategies: Rows<StrategyState, 7>,
    /// Signals, denials and skips, newest first.
    pub(crate) decisions: Decisions,
    /// Parameters and limits in force.
    pub(crate) parameters: Parameters,
    /// Orders: open ones first, then the newest.
    pub(crate) orders: Rows<Order, 8>,
    /// Fills, newest first.
    pub(crate) fills: Rows<Fill, 8>,
    /// Positions: those held first.
    pub(crate) positions: Rows<Position, 7>,
    /// Dead letters.
    pub(crate) letters: Letters,
    /// What keeps the desk going.
    pub(crate) system: System,
    /// Use of every limit, the nearest first.
    pub(crate) limits: Rows<LimitUse, 6>,
    /// `PnL` of the UTC day over this session.
    pub(crate) curve: Session,
    /// Market data messages in the second before.
    pub(crate) rate: u64,
    /// Known markets.
    pub(crate) markets: Markets,
    /// Losses.
    pub(crate) losses: Losses,
    tops: HashMap<TokenId, Top>,
    sequence: Sequence,
    this_second: u64,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            argos: Presence::default(),
            athena: Presence::default(),
            hermes: Presence::default(),
            books: None,
            kill: None,
            latch: None,
            feeds: Feeds::default(),
            ticks: Ticks::default(),
            strategies: Rows::with_cap(64),
            decisions: Decisions::default(),
            parameters: Parameters::default(),
            orders: Rows::with_cap(ROWS_MAX),
            fills: Rows::with_cap(ROWS_MAX),
            positions: Rows::with_cap(ROWS_MAX),
            letters: Letters::default(),
            system: System::default(),
            limits: Rows::with_cap(ROWS_MAX),
            curve: Session::default(),
            rate: 0,
            markets: Markets::default(),
            losses: Losses::default(),
            tops: HashMap::new(),
            sequence: Sequence::default(),
            this_second: 0,
        }
    }
}

impl Desk {
    /// Takes Argos' snapshot in.
    pub(crate) fn apply_argos(&mut self, state: ArgosState, now: Timestamp) {
        self.argos.saw(state.at, now);
        self.system.argos(&state);
        let down = state.feeds.iter().find(|feed| feed.link != FeedLink::Up);
        self.feeds = Feeds {
            up: state.feeds.iter().filter(|feed| feed.link == FeedLink::Up).count(),
            all: state.feeds.len(),
            trouble: down.map(|feed| {
                let reason = feed.reason.as_deref().unwrap_or("connecting");
                crate::ui::format::clean(&format!("{} {}: {reason}", feed.source, feed.subject))
            }),
        };
        self.losses.daemons = self.losses.daemons.max(state.ticks.dropped);
        for market in state.markets {
            self.markets.learn(market);
        }
    }

    /// Takes Athena's snapshot in.
    pub(crate) fn apply_athena(&mut self, state: AthenaState, now: Timestamp) {
        self.athena.saw(state.at, now);
        self.system.athena(&state);
        self.sequence.snapshot("athena", &state.boot, state.seq);
        self.parameters.athena(state.params);
        self.strategies.replace(state.strategies.into_iter().map(cells::strategy));
    }

    /// Takes Hermes' snapshot in. One older than events already applied gives its figures only.
    pub(crate) fn apply_hermes(&mut self, state: HermesState, now: Timestamp) {
        self.hermes.saw(state.at, now);
        self.system.hermes(&state);
        let today = state.pnl.total - state.day_start;
        self.curve.push(millionths(today.0), now);
        self.parameters.hermes(state.risk);
        self.limits.replace(state.limits.into_iter().map(limits::limit));
        self.books = Some(Books {
            mode: state.mode,
            trading_state: state.trading_state,
            trouble: state.trouble.as_deref().map(crate::ui::format::clean),
            reconciled_at: state.reconciled_at,
            orders: state.orders,
            fills: state.fills,
            pnl: state.pnl,
            today,
            exposure: state.exposure,
            dlq: state.dlq,
            fencing_token: state.fencing_token,
            venue_skew_ms: state.venue_skew_ms,
            bus_concerns: state.bus_concerns,
            limit_concerns: state.limit_concerns,
            halted: state.halted,
        });
        if !self.sequence.snapshot("hermes", &state.boot, state.seq) {
            return;
        }
        self.kill = Some(state.kill);
        let markets = &self.markets;
        self.orders.replace(state.recent_orders.into_iter().map(|order| cells::order(order, markets)));
        self.fills.replace(state.recent_fills.into_iter().map(|fill| cells::fill(fill, markets)));
        let mut positions = state.positions;
        // There may be more than there is room for.
        positions.sort_by_key(Position::is_over);
        self.positions.replace(positions.into_iter().map(|position| cells::position(position, markets)));
        self.letters.replace(state.dead_letters);
        self.sort_orders();
        self.sort_positions();
    }

    /// Takes an event in. True when some before it are missing, so that a new snapshot is needed.
    pub(crate) fn apply_event(&mut self, event: Event) -> bool {
        let place = self.sequence.place(&event.source, &event.boot, event.seq);
        if let Place::Gap(missing) = place {
            self.losses.events = self.losses.events.saturating_add(missing);
        }
        let old = place == Place::Old;
        let markets = &self.markets;
        match *event.body {
            TradeEvent::Signal(entry) => {
                self.decisions.insert(cells::signal(cells::emitted(entry, event.at), markets));
            }
            TradeEvent::Denied { by, intent, denial, rationale, checks, at } => {
                let verdict = match by {
                    crate::domain::DeniedBy::Athena => Verdict::DeniedByAthena,
                    crate::domain::DeniedBy::Hermes => Verdict::DeniedByHermes,
                };
                let item = SignalItem { verdict, intent, rationale, checks, denial: Some(denial), doubt: None, at };
                self.decisions.insert(cells::signal(item, markets));
            }
            TradeEvent::Skipped(skip) => self.decisions.insert(cells::skip(skip)),
            TradeEvent::Order(order) if !old => {
                self.orders.upsert(cells::order(order, markets));
                self.sort_orders();
            }
            TradeEvent::Fill(fill) if !old => self.fills.upsert(cells::fill(fill, markets)),
            TradeEvent::Position(position) if !old => {
                self.positions.upsert(cells::position(position, markets));
                self.sort_positions();
            }
            TradeEvent::Kill(report) if !old => self.kill = Some(report),
            TradeEvent::DeadLetter(letter) if !old => self.letters.upsert(letter),
            TradeEvent::Order(_)
            | TradeEvent::Fill(_)
            | TradeEvent::Position(_)
            | TradeEvent::Kill(_)
            | TradeEvent::Mismatch(_)
            | TradeEvent::Alert(_)
            | TradeEvent::Withdrawn(_)
            | TradeEvent::DeadLetter(_)
            | TradeEvent::Params(_) => {}
        }
        matches!(place, Place::Gap(_))
    }

    /// Takes market data in.
    pub(crate) fn apply_market(&mut self, batch: MarketBatch, now: Timestamp) {
        self.this_second = self.this_second.saturating_add(batch.received);
        self.losses.data = self.losses.data.saturating_add(batch.lost);
        self.losses.unreadable = self.losses.unreadable.saturating_add(batch.unreadable);
        for market in batch.markets {
            self.markets.learn(market);
        }
        for tick in batch.ticks {
            if !self.ticks.apply(tick, now) {
                self.losses.data = self.losses.data.saturating_add(1);
            }
        }
        for book in batch.books {
            if self.tops.len() >= BOOKS_MAX && !self.tops.contains_key(&book.token) {
                self.tops.clear();
            }
            let top =
                Top { bid: book.best_bid().map(|level| level.price), ask: book.best_ask().map(|level| level.price) };
            self.tops.insert(book.token, top);
        }
    }

    /// A second has passed.
    pub(crate) const fn second(&mut self) {
        self.rate = self.this_second;
        self.this_second = 0;
    }

    /// Best prices of a token.
    pub(crate) fn top(&self, token: &TokenId) -> Option<Top> {
        self.tops.get(token).copied()
    }

    /// The arm epoch in force, as far as is known.
    pub(crate) fn epoch(&self) -> u64 {
        let reported = self.kill.as_ref().map_or(0, |report| report.latch.epoch);
        reported.max(self.latch.as_ref().map_or(0, |latch| latch.epoch))
    }

    /// Whether Hermes itself says that it is killed. The latch on the bus alone does not prove that it was heard.
    pub(crate) fn kill_confirmed(&self) -> bool {
        self.kill.as_ref().is_some_and(|report| !report.latch.is_armed())
    }

    /// Whether the latch is killed, by Hermes' word or by the bus; nothing when neither has spoken.
    pub(crate) fn killed(&self) -> Option<bool> {
        match (&self.kill, &self.latch) {
            (None, None) => None,
            (Some(report), None) => Some(!report.latch.is_armed()),
            (None, Some(latch)) => Some(!latch.is_armed()),
            (Some(report), Some(latch)) => Some(!report.latch.clone().stricter(latch.clone()).is_armed()),
        }
    }

    /// The order with that row id, or the order that a fill belongs to.
    pub(crate) fn order_of_fill(&self, fill: &Fill) -> Option<&Order> {
        self.orders.iter().map(|row| &row.item).find(|order| order.order.as_ref() == Some(&fill.order))
    }

    /// The signal that an intent came with; that of a retry is the one of its first attempt.
    pub(crate) fn signal_of(&self, intent: &OrderIntent) -> Option<&SignalItem> {
        let of_attempt = |attempt| self.decisions.wish(&cells::emitted_id(&intent.intent, attempt));
        of_attempt(intent.attempt).or_else(|| of_attempt(1))
    }

    /// Why Hermes' gate refused what Athena had emitted, if it did.
    pub(crate) fn denial_of(&self, intent: &OrderIntent) -> Option<&Denial> {
        let id = RowId::Signal(intent.intent.clone(), intent.attempt, Verdict::DeniedByHermes);
        self.decisions.wish(&id)?.denial.as_ref()
    }

    fn sort_orders(&mut self) {
        self.orders.sort_by_key(|order| (order.state.is_terminal(), std::cmp::Reverse(order.intent.created_at)));
    }

    fn sort_positions(&mut self) {
        self.positions.sort_by_key(|position| {
            (position.is_over(), position.slug.clone().map(std::cmp::Reverse), position.outcome.clone())
        });
    }
}
