//! Crypto momentum: when a pair moves by the threshold within the window, the market's outcome on that side is bought; shares of the
//! other outcome are sold first.

use std::time::Duration;

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, dec};
use serde::{Deserialize, Serialize};

use super::event::Event;
use super::rolling::Selector;
use super::strategy::{Desk, Strategy};
use super::updown::{self, Choice, LastWish, Obstacle, Terms, View, figure, percent, whole_millis};
use super::window::{Direction, Push, Window};
use super::wishes::Wishes;
use crate::domain::params::parameters;
use crate::domain::{
    Instrument, Instruments, Market, Measure, OrderIntent, ParamKind, Size, StrategyState, Text, Timestamp, text,
};

parameters! {
    /// Thresholds of crypto momentum.
    pub struct MomentumParams {
        /// The pairs that are watched, and what is traded on each: a slug, a slug and one outcome such as `btc-100k#Yes`, or a rolling
        /// pattern such as `btc-updown-5m-{start}`.
        on: Instruments = ParamKind::Instruments, "on", "";
        /// Length of the rolling window.
        window: Duration = ParamKind::Seconds { low: 1, high: 3_600 }, "window_s", "s";
        /// Relative change over the window that makes a signal, either way; 0.0005 is usual.
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
        /// What fair value must exceed price and fee by for a buy, and a bid fair value and fee by for a sale, as a price difference. Below
        /// zero it trades at a loss to itself.
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
    instrument: Instrument,
    selector: Selector,
    window: Window,
    last_wish: LastWish,
    /// The direction of the last wish, until the change has come back from it.
    spent: Option<Direction>,
}

/// What survives a restart besides the window: the last wish.
#[derive(Debug, Serialize, Deserialize)]
pub struct Saved {
    last_wish: LastWish,
    spent: Option<Direction>,
}

impl MomentumParams {
    const fn terms<'a>(&self, instrument: &'a Instrument) -> Terms<'a> {
        Terms {
            strategy: Momentum::NAME,
            instrument,
            span: self.window,
            min_ticks: self.min_ticks,
            min_volume: self.min_volume,
            cooldown: self.cooldown,
            min_edge: self.min_edge,
            size: self.size,
            slippage: self.slippage,
            send_within: self.send_within,
            rest_for: self.rest_for,
            cutoff: self.cutoff,
        }
    }
}

impl Strategy for Momentum {
    type Params = MomentumParams;
    type State = State;
    type Saved = Saved;

    const NAME: &'static str = "momentum";
    const ENABLED: bool = true;

    fn defaults() -> MomentumParams {
        MomentumParams {
            on: Instruments::one("BTC/USD", "btc-updown-5m-{start}"),
            window: Duration::from_secs(15),
            threshold: dec!(0.0005),
            min_ticks: 10,
            min_volume: Size(dec!(0.001)),
            cooldown: Duration::from_secs(5),
            hysteresis: dec!(0),
            persistence: dec!(1),
            min_edge: dec!(0),
            size: Size(dec!(20)),
            slippage: dec!(0.01),
            send_within: Duration::from_secs(2),
            rest_for: Duration::from_secs(15),
            cutoff: Duration::from_secs(10),
        }
    }

    /// The recording that it plays is calm: it would seldom move by the usual threshold.
    fn embedded() -> MomentumParams {
        MomentumParams { threshold: dec!(0.0001), ..Self::defaults() }
    }

    fn instruments(params: &MomentumParams) -> Vec<Instrument> {
        params.on.iter().cloned().collect()
    }

    fn start(params: &MomentumParams, instrument: &Instrument) -> State {
        State {
            instrument: instrument.clone(),
            selector: Selector::new(&instrument.market),
            window: Window::new(params.window, params.min_ticks),
            last_wish: LastWish::default(),
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
        let Some(trade) = updown::trade(event, &state.instrument.symbol) else { return };
        let market = desk.markets.current(&state.selector, now);
        if let Some(opens_at) = market.and_then(|market| state.selector.start_of(market)) {
            state.window.keep_from(opens_at);
            if state.last_wish.enter(opens_at) {
                state.spent = None;
            }
        }
        if state.window.push(trade.sample) == Push::Ignored {
            return;
        }
        recover(state, params);
        let Some(direction) = state.window.crossing(params.threshold) else { return };
        let view = View {
            window: &state.window,
            market,
            wished_at: state.last_wish.at,
            terms: params.terms(&state.instrument),
            desk,
            now,
        };
        let change = state.window.change().unwrap_or_default();
        let drift = (change.abs() * params.persistence).to_f64();
        let decided = view.open_market().and_then(|market| {
            view.enough()?;
            if state.spent == Some(direction) {
                return Err(Obstacle::Spent { direction, rest: rest(params) });
            }
            view.choose(market, direction, drift)
        });
        let figures = |choice: Option<&Choice<'_>>| {
            let threshold = params.threshold;
            let crossed = text!("{} % (threshold {} %)", percent(change), percent(threshold));
            view.figures(figure("change", crossed), direction, drift, choice, &trade.cause)
        };
        match decided {
            Ok(choice) => {
                let told = told(direction, change, params);
                let crossing = (change, params.threshold);
                wishes.push(view.wish(&choice, crossing, told, figures(Some(&choice)), trade.cause.clone()));
                state.last_wish.at = Some(now);
                state.spent = Some(direction).filter(|_| !params.hysteresis.is_zero());
            }
            Err(obstacle) => {
                let slug = market.map(|market| &market.slug);
                wishes.skip(obstacle.word(), slug, now, || view.skipped(&obstacle, figures(None), trade.cause.clone()));
            }
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
        let view = View {
            window: &state.window,
            market,
            wished_at: state.last_wish.at,
            terms: params.terms(&state.instrument),
            desk,
            now,
        };
        let waits = || state.spent.filter(|spent| state.window.crossing(params.threshold) == Some(*spent));
        let ready = view
            .ready()
            .and_then(|()| waits().map_or(Ok(()), |direction| Err(Obstacle::Spent { direction, rest: rest(params) })));
        StrategyState {
            strategy: Self::id(),
            symbol: state.instrument.symbol.clone(),
            slug: market.map(|market| market.slug.clone()),
            change: state.window.change().map(|change| change.round_dp(8)),
            threshold: params.threshold,
            measure: Measure::Relative,
            window_ms: whole_millis(params.window),
            window_ticks: state.window.len() as u64,
            last: state.window.last().map(|sample| sample.price),
            signal_at: None,
            idle: ready.err().map(|obstacle| obstacle.to_string()),
        }
    }

    fn window(state: &mut State) -> Option<&mut Window> {
        Some(&mut state.window)
    }

    fn sent(state: &mut State, params: &MomentumParams, market: &Market, intent: &OrderIntent) {
        let Some(opens_at) = state.selector.start_of(market) else { return };
        if state.last_wish.sent(opens_at, intent.tick_received_at) && !params.hysteresis.is_zero() {
            state.spent = updown::direction_of(&state.instrument, market, intent);
        }
    }

    fn save(state: &State) -> Saved {
        Saved { last_wish: state.last_wish, spent: state.spent }
    }

    fn restore(state: &mut State, saved: Saved, params: &MomentumParams, _now: Timestamp) -> Result<(), String> {
        state.last_wish = saved.last_wish;
        state.spent = saved.spent.filter(|_| !params.hysteresis.is_zero());
        Ok(())
    }
}

/// A direction may signal again once the change has come back from it.
fn recover(state: &mut State, params: &MomentumParams) {
    let Some(spent) = state.spent else { return };
    let beyond = state.window.crossing(rest(params));
    if beyond != Some(spent) {
        state.spent = None;
    }
}

/// The change beyond which a move that was wished upon is not over.
fn rest(params: &MomentumParams) -> Decimal {
    params.threshold * (Decimal::ONE - params.hysteresis)
}

fn told(direction: Direction, change: Decimal, params: &MomentumParams) -> Text {
    let moved = match direction {
        Direction::Up => "rose",
        Direction::Down => "fell",
    };
    let (threshold, secs) = (params.threshold, params.window.as_secs_f64());
    text!("{moved} {} % in {secs} s (threshold {} %)", percent(change.abs()), percent(threshold))
}

#[cfg(test)]
mod tests;
