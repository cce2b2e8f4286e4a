//! How domain values become the cells of their rows. The order of cells is that of the columns in `view`.

use std::collections::HashMap;

use rust_decimal::Decimal;

use crate::domain::{
    Denial, Fill, FillStatus, IntentId, Market, MarketId, Measure, Order, OrderIntent, OrderState, Position, Price,
    Rationale, Role as Liquidity, Side, SignalEntry, Skip, Slug, StrategyState, Timestamp,
};
use crate::ui::format;
use crate::ui::model::decisions::Decision;
use crate::ui::model::panes::{RowId, Verdict};
use crate::ui::model::rows::{Cell, Row};
use crate::ui::theme::Role;

/// A signal that was emitted or refused, with all that is known of it.
#[derive(Clone, Debug)]
pub(crate) struct SignalItem {
    /// What was said about it.
    pub(crate) verdict: Verdict,
    /// The intent.
    pub(crate) intent: OrderIntent,
    /// Why the strategy wanted it; absent from denials by Hermes.
    pub(crate) rationale: Option<Rationale>,
    /// What each check of the gate that spoke measured.
    pub(crate) checks: Vec<crate::domain::CheckResult>,
    /// The refusal.
    pub(crate) denial: Option<Denial>,
    /// Why it is not known whether Hermes was given it.
    pub(crate) doubt: Option<String>,
    /// When.
    pub(crate) at: Timestamp,
}

/// What is known of markets: names and grids.
#[derive(Clone, Debug, Default)]
pub(crate) struct Markets {
    known: HashMap<MarketId, Known>,
}

#[derive(Clone, Debug)]
struct Known {
    market: Market,
    label: String,
    decimals: u32,
}

/// Most markets remembered; the oldest windows go first.
const MARKETS_MAX: usize = 256;

impl Markets {
    /// Remembers a market.
    pub(crate) fn learn(&mut self, market: Market) {
        if self.known.len() >= MARKETS_MAX && !self.known.contains_key(&market.market) {
            let oldest =
                self.known.values().min_by_key(|known| known.market.closes_at).map(|known| known.market.market.clone());
            if let Some(oldest) = oldest {
                self.known.remove(&oldest);
            }
        }
        let known = Known { label: label_of(&market.slug), decimals: market.tick_size.0.normalize().scale(), market };
        self.known.insert(known.market.market.clone(), known);
    }

    /// Decimals of a market's grid.
    pub(crate) fn decimals(&self, market: &MarketId) -> Option<u32> {
        self.known.get(market).map(|known| known.decimals)
    }

    /// The market of that name.
    pub(crate) fn by_slug(&self, slug: &Slug) -> Option<&Market> {
        self.known.values().map(|known| &known.market).find(|market| market.slug == *slug)
    }

    /// A market's short name.
    pub(crate) fn label(&self, market: &MarketId) -> Option<&str> {
        self.known.get(market).map(|known| known.label.as_str())
    }
}

/// A slug made short: the start of a rolling window, given in seconds since the epoch, becomes its time of day and stands in front,
/// because it tells windows apart where there is no room for the rest.
pub(crate) fn label_of(slug: &Slug) -> String {
    let slug = format::clean(slug.as_str());
    let rolled = slug.rsplit_once('-').and_then(|(name, start)| {
        let secs: i64 = start.parse().ok().filter(|secs| (1_000_000_000..10_000_000_000).contains(secs))?;
        let time = format::clock(Timestamp::from_secs(secs));
        Some(format!("{} {name}", time.get(..5).unwrap_or(&time)))
    });
    rolled.unwrap_or(slug)
}

/// `B` or `S`, coloured; the letter tells it without colour.
fn side(side: Side) -> Cell {
    match side {
        Side::Buy => Cell::of("B", Role::Up),
        Side::Sell => Cell::of("S", Role::Down),
    }
}

/// Gain or loss.
pub(crate) fn gain(value: Decimal) -> Role {
    match value.cmp(&Decimal::ZERO) {
        std::cmp::Ordering::Greater => Role::Up,
        std::cmp::Ordering::Less => Role::Down,
        std::cmp::Ordering::Equal => Role::Text,
    }
}

/// Cells: time, mark, side, outcome, size, price, reason.
pub(crate) fn signal(item: SignalItem, markets: &Markets) -> Row<Decision, 7> {
    let intent = &item.intent;
    let by = if item.verdict == Verdict::DeniedByHermes { " by Hermes" } else { "" };
    let warning = |words: String| Cell::of(format::clean(&words), Role::Warn);
    let (mark, reason) = match (&item.denial, &item.rationale) {
        (Some(denial), _) => (Cell::of("✗", Role::Warn), warning(format!("denied{by}: {denial}"))),
        _ if let Some(doubt) = &item.doubt => (Cell::of("?", Role::Warn), warning(format!("in doubt: {doubt}"))),
        (None, Some(rationale)) => (Cell::of("✓", Role::Good), Cell::text(format::clean(&rationale.note.to_string()))),
        (None, None) => (Cell::of("✓", Role::Good), Cell::text("")),
    };
    let decimals = format::price_decimals(intent.price, markets.decimals(&intent.market));
    let cells = [
        Cell::of(format::clock(item.at), Role::Dim),
        mark,
        side(intent.side),
        Cell::text(format::clean(&intent.outcome)),
        Cell::text(format::size(intent.size)),
        Cell::text(format::price(intent.price, decimals)),
        reason,
    ];
    Row { id: signal_id(intent, item.verdict), item: Decision::Wish(Box::new(item)), cells }
}

/// The same cells, dimmed: the base of the pair in the place of the outcome, then how many were not told before it and the reason.
pub(crate) fn skip(skip: Skip) -> Row<Decision, 7> {
    let dim = |text: String| Cell::of(text, Role::Dim);
    let empty = || Cell::text("");
    let reason = skip.reason.replace('_', " ");
    let reason = if skip.note.starts_with(&reason) { String::new() } else { format!("{reason}: ") };
    let untold = if skip.untold > 0 { format!("+{} ", skip.untold) } else { String::new() };
    let cells = [
        dim(format::clock(skip.at)),
        Cell::of("·", Role::Dim),
        empty(),
        dim(format::clean(skip.source.as_str().split('/').next().unwrap_or_default())),
        empty(),
        empty(),
        dim(format::clean(&format!("{untold}{reason}{}", skip.note))),
    ];
    Row { id: RowId::Skip(skip.id.clone()), item: Decision::Skip(skip), cells }
}

/// An emitted signal as an item.
pub(crate) fn emitted(entry: SignalEntry, at: Timestamp) -> SignalItem {
    SignalItem {
        verdict: Verdict::Emitted,
        intent: entry.intent,
        rationale: Some(entry.rationale),
        checks: entry.checks,
        denial: None,
        doubt: entry.doubt,
        at,
    }
}

fn signal_id(intent: &OrderIntent, verdict: Verdict) -> RowId {
    RowId::Signal(intent.intent.clone(), intent.attempt, verdict)
}

/// The row of the signal that an intent came from.
pub(crate) fn emitted_id(intent: &IntentId, attempt: u32) -> RowId {
    RowId::Signal(intent.clone(), attempt, Verdict::Emitted)
}

/// The state of an order, short, and how it looks.
pub(crate) const fn order_state(state: OrderState) -> (&'static str, Role) {
    match state {
        OrderState::Pending => ("pending", Role::Dim),
        OrderState::Signed => ("signed", Role::Dim),
        OrderState::Sent => ("sent", Role::Text),
        OrderState::Unknown => ("UNKNOWN", Role::Bad),
        OrderState::Live => ("live", Role::Good),
        OrderState::PartiallyFilled => ("partial", Role::Good),
        OrderState::CancelPending => ("cancel…", Role::Warn),
        OrderState::Filled => ("filled", Role::Text),
        OrderState::Voided => ("VOIDED", Role::Bad),
        OrderState::Cancelled => ("cancelled", Role::Dim),
        OrderState::Rejected => ("rejected", Role::Bad),
        OrderState::Expired => ("expired", Role::Dim),
        OrderState::Denied => ("denied", Role::Warn),
    }
}

/// Stands before the state of an order that this desk did not place.
const FOREIGN: char = '†';

/// Cells: state, side, outcome, price, size, matched, age, market or reason.
pub(crate) fn order(order: Order, markets: &Markets) -> Row<Order, 8> {
    let intent = &order.intent;
    let (state, role) = order_state(order.state);
    let decimals = format::price_decimals(intent.price, markets.decimals(&intent.market));
    let what = match &order.reason {
        Some(reason) => Cell::of(format::clean(reason), if intent.is_adopted() { Role::Warn } else { role }),
        None => Cell::of(label_of(&intent.slug), Role::Dim),
    };
    let state =
        if intent.is_adopted() { Cell::of(format!("{FOREIGN}{state}"), Role::Warn) } else { Cell::of(state, role) };
    let cells = [
        state,
        side(intent.side),
        Cell::text(format::clean(&intent.outcome)),
        Cell::text(format::price(intent.price, decimals)),
        Cell::text(format::size(intent.size)),
        Cell::of(format::size(order.matched), if order.matched.is_zero() { Role::Dim } else { Role::Text }),
        Cell::Age(Some(intent.created_at)),
        what,
    ];
    Row { id: RowId::Order(intent.intent.clone(), intent.attempt), item: order, cells }
}

/// Cells: time, side, outcome, price, size, fee, status, role and market.
pub(crate) fn fill(fill: Fill, markets: &Markets) -> Row<Fill, 8> {
    let status = match fill.status {
        FillStatus::Matched => Cell::of("matched", Role::Dim),
        FillStatus::Mined => Cell::of("mined", Role::Text),
        FillStatus::Retrying => Cell::of("retrying", Role::Warn),
        FillStatus::Confirmed => Cell::of("confirmed", Role::Good),
        FillStatus::Failed => Cell::of("FAILED", Role::Bad),
    };
    let liquidity = match fill.role {
        Liquidity::Maker => "maker",
        Liquidity::Taker => "taker",
    };
    let market = markets.label(&fill.market).unwrap_or_default();
    let cells = [
        Cell::of(format::clock(fill.matched_at), Role::Dim),
        side(fill.side),
        Cell::text(format::clean(&fill.outcome)),
        Cell::text(format::price(fill.price, format::price_decimals(fill.price, markets.decimals(&fill.market)))),
        Cell::text(format::size(fill.size)),
        Cell::of(format::fee(fill.fee), if fill.fee.is_zero() { Role::Dim } else { Role::Text }),
        status,
        Cell::of(format!("{liquidity} {market}"), Role::Dim),
    ];
    Row { id: RowId::Fill(fill.trade.clone(), fill.order.clone()), item: fill, cells }
}

/// Cells: outcome, size, average, mark or what can be redeemed, realised, unrealised, market.
pub(crate) fn position(position: Position, markets: &Markets) -> Row<Position, 7> {
    let grid = markets.decimals(&position.market);
    let shown = |price: Price| Price(price.0.round_dp(grid.unwrap_or(2).max(3)));
    let average = shown(position.avg_price);
    let name = if position.is_over() { Role::Dim } else { Role::Text };
    let mark = match (position.redeemable(), position.mark) {
        (Some(amount), _) => Cell::of(format!("pays {}", format::usd(amount)), name),
        (None, Some(mark)) => Cell::text(format::price(shown(mark), format::price_decimals(shown(mark), grid))),
        (None, None) => Cell::of("-", Role::Dim),
    };
    let unrealised = match position.unrealised {
        Some(amount) => Cell::of(format::signed_usd(amount), gain(amount.0)),
        None => Cell::of("-", Role::Dim),
    };
    let label = position.slug.as_ref().map_or_else(|| format::short_id(position.market.as_str()), label_of);
    let cells = [
        Cell::of(format::clean(&position.outcome), name),
        Cell::of(format::size(position.size), name),
        Cell::text(format::price(average, format::price_decimals(average, grid))),
        mark,
        Cell::of(format::signed_usd(position.realised), gain(position.realised.0)),
        unrealised,
        Cell::of(label, Role::Dim),
    ];
    Row { id: RowId::Position(position.token.clone()), item: position, cells }
}

/// Cells: symbol, change, threshold, window, ticks, market, state.
pub(crate) fn strategy(state: StrategyState) -> Row<StrategyState, 7> {
    let change = match state.change {
        Some(change) => {
            let passed = change.abs() >= state.threshold.abs();
            let role = if passed { Role::Warn } else { gain(change) };
            Cell::of(format!("{} {}", format::arrow(change), format::percent(change, 3)), role)
        }
        None if state.has_window() => Cell::of("warming", Role::Dim),
        None => Cell::of("-", Role::Dim),
    };
    let threshold = match state.measure {
        Measure::Relative => format!("±{}", Measure::Relative.show(state.threshold).replace(' ', "")),
        Measure::Probability => state.threshold.normalize().to_string(),
        measure => measure.show(state.threshold),
    };
    let window = if state.has_window() { format::span_ms(state.window_ms) } else { "-".to_owned() };
    let now = match &state.idle {
        Some(idle) => Cell::of(format::clean(idle), Role::Warn),
        None => Cell::of("ready", Role::Good),
    };
    let cells = [
        Cell::text(format::clean(state.symbol.as_str())),
        change,
        Cell::of(threshold, Role::Dim),
        Cell::of(window, Role::Dim),
        Cell::of(state.window_ticks.to_string(), Role::Dim),
        Cell::text(state.slug.as_ref().map_or_else(|| "no market".to_owned(), label_of)),
        now,
    ];
    Row { id: RowId::Strategy(state.strategy.clone(), state.symbol.clone()), item: state, cells }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strategy_without_a_window_shows_its_threshold_in_its_own_unit() {
        let state = StrategyState {
            strategy: "weather".into(),
            symbol: "KLGA".into(),
            slug: None,
            change: None,
            threshold: rust_decimal::dec!(90),
            measure: Measure::Fahrenheit,
            window_ms: 0,
            window_ticks: 3,
            last: None,
            signal_at: None,
            idle: None,
        };
        let texts = |state: StrategyState| {
            strategy(state).cells.map(|cell| match cell {
                Cell::Text(text, _) => text.into_owned(),
                Cell::Age(at) => panic!("text was expected: {at:?}"),
            })
        };
        assert_eq!(texts(state.clone())[1..4], ["-", "90 °F", "-"]);
        let edge =
            StrategyState { threshold: rust_decimal::dec!(0.05), measure: Measure::Probability, ..state.clone() };
        assert_eq!(texts(edge)[2], "0.05");
        let momentum = StrategyState {
            threshold: rust_decimal::dec!(0.0005),
            measure: Measure::Relative,
            window_ms: 15_000,
            ..state
        };
        assert_eq!(texts(momentum)[1..3], ["warming", "±0.05%"]);
    }

    #[test]
    fn a_rolling_windows_name_shows_its_time() {
        assert_eq!(label_of(&Slug::new("btc-updown-5m-1795348800")), "12:00 btc-updown-5m");
        assert_eq!(label_of(&Slug::new("rain-in-paris-2026")), "rain-in-paris-2026");
        assert_eq!(label_of(&Slug::new("\u{1b}[2Jevil")), "[2Jevil");
    }
}
