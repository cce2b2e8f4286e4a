//! Crypto momentum: when a pair moves by the threshold within the window, the market's outcome on that side is bought; shares of the
//! other outcome are sold first.

use std::fmt;
use std::time::Duration;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use self::figures::View;
use super::event::Event;
use super::fair;
use super::params::parameters;
use super::rolling::Selector;
use super::strategy::{Cause, Desk, Strategy, Wish};
use super::window::{Direction, Push, Sample, Window};
use super::wishes::{Skipped, Wishes};
use crate::domain::{
    Market, OutcomeToken, ParamKind, Price, Rationale, Side, Signal, Size, StrategyId, StrategyState, Symbol, Tick,
    TickKind, Timestamp,
};

/// A tick that claims to be this much later than its receipt is not believed: it would push everything else out.
const FUTURE_TOLERANCE: Duration = Duration::from_secs(5);

/// Decimal places of the venue's size grid.
const SIZE_DECIMALS: u32 = 2;

parameters! {
    /// Thresholds of crypto momentum.
    pub struct MomentumParams {
        /// The pair that is watched.
        symbol: Symbol = ParamKind::Pair, "symbol", "";
        /// The market that is traded: a slug, or a rolling pattern such as `btc-updown-5m-{start}`.
        market: String = ParamKind::Market, "market", "";
        /// Length of the rolling window.
        window: Duration = ParamKind::Seconds { low: 1, high: 3_600 }, "window_s", "s";
        /// Relative change over the window that makes a signal, either way.
        threshold: Decimal = ParamKind::Decimal { low: "0.00001", high: "0.5" }, "threshold", "";
        /// Fewest ticks that the window must hold.
        min_ticks: usize = ParamKind::Integer { low: 2, high: 10_000 }, "min_ticks", "ticks";
        /// Least volume that the window must hold, in units of the pair's base.
        min_volume: Size = ParamKind::Decimal { low: "0", high: "1000000000" }, "min_volume", "base";
        /// Least time between two signals.
        cooldown: Duration = ParamKind::Seconds { low: 0, high: 3_600 }, "cooldown_s", "s";
        /// How far the change must fall back below the threshold, as a part of it, before the same direction signals again: 0
        /// repeats after every cool-down, 1 waits until the move is undone.
        hysteresis: Decimal = ParamKind::Decimal { low: "0", high: "1" }, "hysteresis", "of threshold";
        /// How much of the move is expected to be repeated until the close. With the volatility this makes the fair value.
        persistence: Decimal = ParamKind::Decimal { low: "0", high: "10" }, "persistence", "of the move";
        /// What fair value must exceed price and fee by for a buy, as a price difference. Below zero it buys at a loss to itself.
        min_edge: Decimal = ParamKind::Decimal { low: "-1", high: "1" }, "min_edge", "price";
        /// Shares per signal.
        size: Size = ParamKind::Decimal { low: "0.01", high: "1000000000" }, "size", "shares";
        /// How far beyond the best opposite price it may pay.
        slippage: Decimal = ParamKind::Decimal { low: "0", high: "0.2" }, "slippage", "price";
        /// Time from the tick within which an order must be sent.
        send_within: Duration = ParamKind::Millis { low: 10, high: 60_000 }, "send_within_ms", "ms";
        /// How long an order may rest before it is cancelled.
        rest_for: Duration = ParamKind::Seconds { low: 1, high: 3_600 }, "rest_s", "s";
        /// No new position later than this before the market closes.
        cutoff: Duration = ParamKind::Seconds { low: 0, high: 3_600 }, "cutoff_s", "s";
    }
}

/// The strategy's rules.
#[derive(Clone, Copy, Debug)]
pub struct Momentum;

/// What it remembers.
#[derive(Debug)]
pub struct State {
    id: StrategyId,
    selector: Selector,
    window: Window,
    wished_at: Option<Timestamp>,
    /// The direction of the last wish, until the change has come back from it.
    spent: Option<Direction>,
}

/// What survives a restart: the window and the cool-down.
#[derive(Debug, Serialize, Deserialize)]
pub struct Saved {
    samples: Vec<Sample>,
    wished_at: Option<Timestamp>,
    spent: Option<Direction>,
}

/// Why it does not trade.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Idle {
    Warming { ticks: usize, needed: usize },
    Silent { since: Duration },
    Thin { volume: Size, least: Size },
    Spent(Direction),
    CoolingDown { left: Duration },
    NoMarket { pattern: String },
    NotAccepting,
    TooSmall { size: Size, least: Size },
    Closing { left: Duration },
    NoFreshBook,
    NobodyOn(Side),
    NoFairValue,
    NoEdge { edge: Decimal, least: Decimal },
}

impl Idle {
    /// One word for it.
    const fn word(&self) -> &'static str {
        match self {
            Self::Warming { .. } => "warming",
            Self::Silent { .. } => "silent",
            Self::Thin { .. } => "thin",
            Self::Spent(_) => "spent",
            Self::CoolingDown { .. } => "cooling_down",
            Self::NoMarket { .. } => "no_market",
            Self::NotAccepting => "not_accepting",
            Self::TooSmall { .. } => "too_small",
            Self::Closing { .. } => "closing",
            Self::NoFreshBook => "no_fresh_book",
            Self::NobodyOn(_) => "one_sided_book",
            Self::NoFairValue => "no_fair_value",
            Self::NoEdge { .. } => "no_edge",
        }
    }
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Warming { ticks, needed } => write!(f, "window is warming up: {ticks} of {needed} ticks"),
            Self::Silent { since } => write!(f, "no trade for {} s", since.as_secs()),
            Self::Thin { volume, least } => write!(f, "volume {volume} of {least} in the window"),
            Self::Spent(Direction::Up) => f.write_str("waits for the rise to come back"),
            Self::Spent(Direction::Down) => f.write_str("waits for the fall to come back"),
            Self::CoolingDown { left } => write!(f, "cooling down for {:.1} s", left.as_secs_f64()),
            Self::NoMarket { pattern } => write!(f, "no open market {pattern}"),
            Self::NotAccepting => f.write_str("the market takes no orders"),
            Self::TooSmall { size, least } => write!(f, "size {size} is below the market's minimum {least}"),
            Self::Closing { left } => write!(f, "the market closes in {} s", left.as_secs()),
            Self::NoFreshBook => f.write_str("no fresh book"),
            Self::NobodyOn(Side::Buy) => f.write_str("nobody buys"),
            Self::NobodyOn(Side::Sell) => f.write_str("nobody sells"),
            Self::NoFairValue => f.write_str("no fair value: a two-sided book and a moving price are needed"),
            Self::NoEdge { edge, least } => write!(f, "edge {edge} is below {least}"),
        }
    }
}

impl Strategy for Momentum {
    type Params = MomentumParams;
    type State = State;
    type Saved = Saved;

    fn id() -> StrategyId {
        StrategyId::new("momentum")
    }

    fn source(params: &MomentumParams) -> &Symbol {
        &params.symbol
    }

    fn start(params: &MomentumParams) -> State {
        State {
            id: Self::id(),
            selector: Selector::new(&params.market),
            window: Window::new(params.window, params.min_ticks),
            wished_at: None,
            spent: None,
        }
    }

    fn on_event(
        state: &mut State,
        event: &Event,
        params: &MomentumParams,
        desk: &Desk<'_>,
        now: Timestamp,
        wishes: &mut Wishes,
    ) {
        let Event::Tick(tick) = event else { return };
        let TickKind::Trade { price, qty, trade_id, .. } = tick.kind else { return };
        if tick.symbol != params.symbol || tick.event_at.since(tick.received_at) > FUTURE_TOLERANCE {
            return;
        }
        let market = desk.markets.current(&state.selector, now);
        if let Some(opens_at) = market.and_then(|market| state.selector.start_of(market)) {
            state.window.keep_from(opens_at);
        }
        if state.window.push(Sample { at: tick.event_at, id: trade_id, price, qty }) == Push::Ignored {
            return;
        }
        recover(state, params);
        let Some(direction) = state.window.crossing(params.threshold) else { return };
        let decided = open_market(state, market, params, now)
            .and_then(|market| enough(state, direction, params).map(|()| market))
            .and_then(|market| Ok((market, choose(state, market, direction, params, desk, now)?)));
        let view = View { state, market, params, desk, now };
        let cause = cause(params, tick, trade_id);
        match decided {
            Ok((market, choice)) => {
                wishes.push(wish(&view, market, &choice, cause));
                state.wished_at = Some(now);
                state.spent = Some(direction).filter(|_| !params.hysteresis.is_zero());
            }
            Err(idle) => wishes.skip(idle.word(), now, || Skipped {
                slug: market.map(|market| market.slug.clone()),
                note: idle.to_string(),
                inputs: view.figures(direction, &cause),
                cause,
            }),
        }
    }

    fn retune(state: &mut State, params: &MomentumParams) {
        state.window.resize(params.window, params.min_ticks);
        if params.hysteresis.is_zero() {
            state.spent = None;
        }
    }

    fn report(state: &State, params: &MomentumParams, desk: &Desk<'_>, now: Timestamp) -> StrategyState {
        let market = desk.markets.current(&state.selector, now);
        StrategyState {
            strategy: state.id.clone(),
            symbol: params.symbol.clone(),
            slug: market.map(|market| market.slug.clone()),
            change: state.window.change().map(|change| change.round_dp(8)),
            threshold: params.threshold,
            window_ms: whole_millis(params.window),
            window_ticks: state.window.len() as u64,
            last: state.window.last().map(|sample| sample.price),
            signal_at: None,
            idle: readiness(state, market, params, desk, now).err().map(|idle| idle.to_string()),
        }
    }

    fn save(state: &State) -> Saved {
        Saved { samples: state.window.samples(), wished_at: state.wished_at, spent: state.spent }
    }

    fn restore(state: &mut State, saved: Saved, params: &MomentumParams, now: Timestamp) -> Result<(), String> {
        state.wished_at = saved.wished_at;
        state.spent = saved.spent;
        let Some(newest) = saved.samples.last() else { return Err("it is empty".into()) };
        if now.since(newest.at) > params.window {
            return Err(format!("its newest tick is {} s old", now.since(newest.at).as_secs()));
        }
        for sample in saved.samples {
            state.window.push(sample);
        }
        Ok(())
    }
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A direction may signal again once the change has come back from it.
fn recover(state: &mut State, params: &MomentumParams) {
    let Some(spent) = state.spent else { return };
    let beyond = state.window.crossing(params.threshold * (Decimal::ONE - params.hysteresis));
    if beyond != Some(spent) {
        state.spent = None;
    }
}

/// Whether the window says enough, and something new.
fn enough(state: &State, direction: Direction, params: &MomentumParams) -> Result<(), Idle> {
    if state.window.volume() < params.min_volume {
        return Err(Idle::Thin { volume: state.window.volume(), least: params.min_volume });
    }
    if state.spent == Some(direction) { Err(Idle::Spent(direction)) } else { Ok(()) }
}

/// The market, if it may be traded at all and the last wish is long enough ago.
fn open_market<'a>(
    state: &State,
    market: Option<&'a Market>,
    params: &MomentumParams,
    now: Timestamp,
) -> Result<&'a Market, Idle> {
    if let Some(at) = state.wished_at {
        let since = now.since(at).max(at.since(now));
        if since < params.cooldown {
            return Err(Idle::CoolingDown { left: params.cooldown.saturating_sub(since) });
        }
    }
    let market = market.ok_or_else(|| Idle::NoMarket { pattern: params.market.clone() })?;
    if !market.accepting_orders {
        return Err(Idle::NotAccepting);
    }
    if params.size < market.min_size {
        return Err(Idle::TooSmall { size: params.size, least: market.min_size });
    }
    Ok(market)
}

/// Whether a move now would make a wish, whichever way it went.
fn readiness(
    state: &State,
    market: Option<&Market>,
    params: &MomentumParams,
    desk: &Desk<'_>,
    now: Timestamp,
) -> Result<(), Idle> {
    let market = open_market(state, market, params, now)?;
    if let Some(last) = state.window.last().filter(|last| now.since(last.at) > params.window) {
        return Err(Idle::Silent { since: now.since(last.at) });
    }
    if !state.window.is_warm() {
        return Err(Idle::Warming { ticks: state.window.len(), needed: params.min_ticks });
    }
    if market.tokens.iter().all(|outcome| desk.fresh_book(&market.market, &outcome.token, now).is_none()) {
        return Err(Idle::NoFreshBook);
    }
    if let Some(spent) = state.spent.filter(|spent| state.window.crossing(params.threshold) == Some(*spent)) {
        return Err(Idle::Spent(spent));
    }
    before_cutoff(market, params, now)
}

fn before_cutoff(market: &Market, params: &MomentumParams, now: Timestamp) -> Result<(), Idle> {
    match market.closes_at.map(|at| at.since(now)) {
        Some(left) if left < params.cutoff => Err(Idle::Closing { left }),
        _ => Ok(()),
    }
}

struct Choice<'a> {
    outcome: &'a OutcomeToken,
    side: Side,
    size: Size,
    price: Price,
    reference: Price,
    direction: Direction,
    /// What the outcome that is bought is worth, and what of that price and fee leave.
    fair: Option<(Decimal, Decimal)>,
}

/// Shares of the other outcome are sold first: that lowers what is at stake. Only without any is the moving outcome bought, and not
/// shortly before the close, and only below its fair value.
fn choose<'a>(
    state: &State,
    market: &'a Market,
    direction: Direction,
    params: &MomentumParams,
    desk: &Desk<'_>,
    now: Timestamp,
) -> Result<Choice<'a>, Idle> {
    let (wanted, other) = match direction {
        Direction::Up => (&market.tokens[0], &market.tokens[1]),
        Direction::Down => (&market.tokens[1], &market.tokens[0]),
    };
    let slippage = Price(params.slippage);
    let book = |outcome: &OutcomeToken| desk.fresh_book(&market.market, &outcome.token, now).ok_or(Idle::NoFreshBook);
    let free = desk.holdings.token(&other.token).sellable().floor_dp(SIZE_DECIMALS);
    if free >= market.min_size {
        let reference = book(other)?.best_bid().ok_or(Idle::NobodyOn(Side::Buy))?.price;
        let price = (reference - slippage).ceil_to(market.tick_size);
        let size = part_to_sell(free, params.size, market.min_size);
        return Ok(Choice { outcome: other, side: Side::Sell, size, price, reference, direction, fair: None });
    }
    before_cutoff(market, params, now)?;
    let reference = book(wanted)?.best_ask().ok_or(Idle::NobodyOn(Side::Sell))?.price;
    let price = (reference + slippage).floor_to(market.tick_size);
    let size = params.size.floor_dp(SIZE_DECIMALS);
    let middle = book(wanted)?.mid().ok_or(Idle::NoFairValue)?;
    let fair = fair_value(state, market, middle, params, now).ok_or(Idle::NoFairValue)?;
    let edge = fair::edge(fair, price, size, market);
    if edge < params.min_edge {
        return Err(Idle::NoEdge { edge: edge.round_dp(4), least: params.min_edge });
    }
    Ok(Choice { outcome: wanted, side: Side::Buy, size, price, reference, direction, fair: Some((fair, edge)) })
}

/// The book's own middle, shifted by the part of the move that is expected to be repeated.
fn fair_value(
    state: &State,
    market: &Market,
    middle: Price,
    params: &MomentumParams,
    now: Timestamp,
) -> Option<Decimal> {
    let drift = (state.window.change()?.abs() * params.persistence).to_f64()?;
    let left = market.closes_at.map_or(params.window, |at| at.since(now));
    fair::shifted(middle, drift, state.window.volatility()?, left)
}

/// The usual size, or everything when the rest would be too small to be sold later.
fn part_to_sell(free: Size, usual: Size, least: Size) -> Size {
    let size = free.min(usual.floor_dp(SIZE_DECIMALS));
    if free - size < least { free } else { size }
}

fn cause(params: &MomentumParams, tick: &Tick, trade_id: u64) -> Cause {
    Cause {
        source: params.symbol.clone(),
        event_at: tick.event_at,
        received_at: tick.received_at,
        trade_id,
        price: tick.last(),
    }
}

fn wish(view: &View<'_>, market: &Market, choice: &Choice<'_>, cause: Cause) -> Wish {
    let (state, params) = (view.state, view.params);
    let first = state.window.first().map_or(Price::ZERO, |sample| sample.price);
    let rationale = Rationale {
        source: params.symbol.clone(),
        change: state.window.change().unwrap_or_default().round_dp(8),
        threshold: params.threshold,
        window_ms: whole_millis(params.window),
        window_ticks: state.window.len() as u64,
        first,
        last: cause.price,
        reference: choice.reference,
        fair: choice.fair.map(|(fair, _)| Price(fair)),
        edge: choice.fair.map(|(_, edge)| Price(edge.round_dp(4))),
        note: String::new(),
        params: 0,
        inputs: view.figures(choice.direction, &cause),
    };
    let note = note(&rationale, choice, params);
    Wish {
        signal: Signal {
            strategy: state.id.clone(),
            market: market.market.clone(),
            slug: market.slug.clone(),
            token: choice.outcome.token.clone(),
            outcome: choice.outcome.outcome.clone(),
            side: choice.side,
            size: choice.size,
            price: choice.price,
            rationale: Rationale { note, ..rationale },
        },
        cause,
        send_within: params.send_within,
        rest_for: params.rest_for,
    }
}

fn note(rationale: &Rationale, choice: &Choice<'_>, params: &MomentumParams) -> String {
    let percent = |ratio: Decimal| (ratio * Decimal::ONE_HUNDRED).round_dp(4).normalize();
    let moved = match choice.direction {
        Direction::Up => "rose",
        Direction::Down => "fell",
    };
    let against = match choice.side {
        Side::Buy => "asked",
        Side::Sell => "bid",
    };
    let worth =
        choice.fair.map_or_else(String::new, |(fair, edge)| format!(", worth {fair}, edge {}", edge.round_dp(4)));
    format!(
        "{} {moved} {} % in {} s (threshold {} %): {} {} {} at {} or better, {against} {}{worth}",
        rationale.source,
        percent(rationale.change.abs()),
        params.window.as_secs_f64(),
        percent(rationale.threshold),
        choice.side,
        choice.size,
        choice.outcome.outcome,
        choice.price,
        choice.reference,
    )
}

mod figures;
#[cfg(test)]
mod tests;
