//! Mean reversion: when a pair has moved further within the window than its own volatility explains, part of the move is expected to be
//! undone: the market's outcome against the move is bought; shares of the other outcome are sold first.

use std::time::Duration;

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, dec};
use serde::{Deserialize, Serialize};

use super::event::Event;
use super::rolling::Selector;
use super::strategy::{Desk, Strategy};
use super::updown::{self, Choice, LastWish, Terms, View, figure, percent, whole_millis};
use super::window::{Direction, Push, Window};
use super::wishes::Wishes;
use crate::domain::params::parameters;
use crate::domain::{
    Instrument, Instruments, Market, Measure, OrderIntent, ParamKind, Size, StrategyState, Text, Timestamp, text,
    to_decimal,
};

parameters! {
    /// Thresholds of mean reversion.
    pub struct ReversionParams {
        /// The pairs that are watched, and what is traded on each: a slug, a slug and one outcome such as `btc-100k#Yes`, or a rolling
        /// pattern such as `btc-updown-5m-{start}`.
        on: Instruments = ParamKind::Instruments, "on", "";
        /// Length of the rolling window.
        window: Duration = ParamKind::Seconds { low: 1, high: 3_600 }, "window_s", "s";
        /// How many deviations the move over the window must be away from none: 1 is what the window's own volatility makes usual.
        deviations: Decimal = ParamKind::Decimal { low: "0.1", high: "20" }, "deviations", "deviations";
        /// Least relative change over the window: below it a stretched price is noise.
        min_change: Decimal = ParamKind::Decimal { low: "0", high: "0.5" }, "min_change", "";
        /// Fewest ticks that the window must hold.
        min_ticks: usize = ParamKind::Integer { low: 2, high: 10_000 }, "min_ticks", "ticks";
        /// Least volume that the window must hold, in units of the pair's base.
        min_volume: Size = ParamKind::Decimal { low: "0", high: "1000000000" }, "min_volume", "base";
        /// Least time between two signals.
        cooldown: Duration = ParamKind::Seconds { low: 0, high: 3_600 }, "cooldown_s", "s";
        /// How much of the move is expected to be undone until the close. With the volatility this makes the fair value.
        reversion: Decimal = ParamKind::Decimal { low: "0", high: "1" }, "reversion", "of the move";
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
pub struct Reversion;

/// What it remembers.
#[derive(Debug)]
pub struct State {
    instrument: Instrument,
    selector: Selector,
    window: Window,
    last_wish: LastWish,
}

/// What survives a restart besides the window: the last wish.
#[derive(Debug, Serialize, Deserialize)]
pub struct Saved {
    last_wish: LastWish,
}

impl ReversionParams {
    const fn terms<'a>(&self, instrument: &'a Instrument) -> Terms<'a> {
        Terms {
            strategy: Reversion::NAME,
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

impl Strategy for Reversion {
    type Params = ReversionParams;
    type State = State;
    type Saved = Saved;

    const NAME: &'static str = "reversion";

    fn defaults() -> ReversionParams {
        ReversionParams {
            on: Instruments::one("BTC/USD", "btc-updown-5m-{start}"),
            window: Duration::from_secs(30),
            deviations: dec!(2),
            min_change: dec!(0.0002),
            min_ticks: 20,
            min_volume: Size(dec!(0.001)),
            cooldown: Duration::from_secs(10),
            reversion: dec!(0.5),
            min_edge: dec!(0),
            size: Size(dec!(20)),
            slippage: dec!(0.01),
            send_within: Duration::from_secs(2),
            rest_for: Duration::from_secs(15),
            cutoff: Duration::from_secs(30),
        }
    }

    fn instruments(params: &ReversionParams) -> Vec<Instrument> {
        params.on.iter().cloned().collect()
    }

    fn start(params: &ReversionParams, instrument: &Instrument) -> State {
        State {
            instrument: instrument.clone(),
            selector: Selector::new(&instrument.market),
            window: Window::new(params.window, params.min_ticks),
            last_wish: LastWish::default(),
        }
    }

    fn on_event(
        state: &mut State,
        event: &Event,
        params: &ReversionParams,
        desk: &Desk<'_>,
        now: Timestamp,
        wishes: &mut Wishes,
    ) {
        let Some(trade) = updown::trade(event, &state.instrument.symbol) else { return };
        let market = desk.markets.current(&state.selector, now);
        if let Some(opens_at) = market.and_then(|market| state.selector.start_of(market)) {
            state.window.keep_from(opens_at);
            state.last_wish.enter(opens_at);
        }
        if state.window.push(trade.sample) == Push::Ignored {
            return;
        }
        let Some((moved, stretch)) = stretched(&state.window, params) else { return };
        let direction = match moved {
            Direction::Up => Direction::Down,
            Direction::Down => Direction::Up,
        };
        let wished_at = state.last_wish.at;
        let view = View { window: &state.window, market, wished_at, terms: params.terms(&state.instrument), desk, now };
        let change = state.window.change().unwrap_or_default();
        let drift = (change.abs() * params.reversion).to_f64();
        let decided = view.open_market().and_then(|market| {
            view.enough()?;
            view.choose(market, direction, drift)
        });
        let figures = |choice: Option<&Choice<'_>>| {
            let least = params.deviations;
            let crossed = text!("{stretch} deviations (at least {least}), {} %", percent(change));
            view.figures(figure("stretch", crossed), direction, drift, choice, &trade.cause)
        };
        match decided {
            Ok(choice) => {
                let told = told(moved, change, stretch, params);
                let crossing = (change, params.min_change);
                wishes.push(view.wish(&choice, crossing, told, figures(Some(&choice)), trade.cause.clone()));
                state.last_wish.at = Some(now);
            }
            Err(obstacle) => {
                let slug = market.map(|market| &market.slug);
                wishes.skip(obstacle.word(), slug, now, || view.skipped(&obstacle, figures(None), trade.cause.clone()));
            }
        }
    }

    fn retune(state: &mut State, params: &ReversionParams) {
        state.window.resize(params.window, params.min_ticks);
    }

    fn report(state: &State, params: &ReversionParams, desk: &Desk<'_>, now: Timestamp) -> StrategyState {
        let market = desk.markets.current(&state.selector, now);
        let wished_at = state.last_wish.at;
        let view = View { window: &state.window, market, wished_at, terms: params.terms(&state.instrument), desk, now };
        StrategyState {
            strategy: Self::id(),
            symbol: state.instrument.symbol.clone(),
            slug: market.map(|market| market.slug.clone()),
            change: state.window.change().map(|change| change.round_dp(8)),
            threshold: params.min_change,
            measure: Measure::Relative,
            window_ms: whole_millis(params.window),
            window_ticks: state.window.len() as u64,
            last: state.window.last().map(|sample| sample.price),
            signal_at: None,
            idle: view.ready().err().map(|obstacle| obstacle.to_string()),
        }
    }

    fn window(state: &mut State) -> Option<&mut Window> {
        Some(&mut state.window)
    }

    fn sent(state: &mut State, _params: &ReversionParams, market: &Market, intent: &OrderIntent) {
        if let Some(opens_at) = state.selector.start_of(market) {
            state.last_wish.sent(opens_at, intent.tick_received_at);
        }
    }

    fn save(state: &State) -> Saved {
        Saved { last_wish: state.last_wish }
    }

    fn restore(state: &mut State, saved: Saved, _params: &ReversionParams, _now: Timestamp) -> Result<(), String> {
        state.last_wish = saved.last_wish;
        Ok(())
    }
}

/// Which way the price moved and by how many deviations, if that is far enough. A random walk with the window's own volatility moves by
/// one deviation in the time that the window covers.
fn stretched(window: &Window, params: &ReversionParams) -> Option<(Direction, Decimal)> {
    let moved = window.crossing(params.min_change)?;
    let covered = window.last()?.at.since(window.first()?.at).as_secs_f64();
    let stretch = window.change()?.abs().to_f64()? / (window.volatility()? * covered.sqrt());
    let stretch = to_decimal(stretch, 4)?;
    (stretch >= params.deviations).then_some((moved, stretch))
}

fn told(moved: Direction, change: Decimal, stretch: Decimal, params: &ReversionParams) -> Text {
    let moved = match moved {
        Direction::Up => "rose",
        Direction::Down => "fell",
    };
    let (usual, secs) = (params.deviations, params.window.as_secs_f64());
    let (change, stretch) = (percent(change.abs()), stretch.round_dp(2).normalize());
    text!("{moved} {change} % in {secs} s, {stretch} deviations (at least {usual})")
}

#[cfg(test)]
mod tests;
