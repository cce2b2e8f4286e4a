//! What a row stands for, in full.

use super::{Sheet, cause, decision, letter, parameters, way};
use crate::domain::{Fill, LimitUse, Order, Position, Role as Liquidity, Slug, StrategyState, TickKind};
use crate::ui::format;
use crate::ui::model::Model;
use crate::ui::model::cells::order_state;
use crate::ui::model::limits;
use crate::ui::model::panes::RowId;
use crate::ui::model::ticks::TickRow;
use crate::ui::theme::Role;

/// Writes everything known about a row.
pub(super) fn describe(model: &Model, row: &RowId, sheet: &mut Sheet) {
    let desk = &model.desk;
    match row {
        RowId::Tick(symbol) => {
            if let Some(row) = desk.ticks.rows().iter().find(|row| row.symbol == *symbol) {
                tick(row, sheet);
            }
        }
        RowId::Strategy(..) => {
            if let Some(row) = desk.strategies.find(row) {
                strategy(model, &row.item, sheet);
            }
        }
        RowId::Signal(..) | RowId::Skip(_) => {
            if let Some(found) = desk.decisions.find(row) {
                decision::describe(model, found, sheet);
            }
        }
        RowId::Order(..) => {
            if let Some(row) = desk.orders.find(row) {
                order(model, &row.item, sheet);
            }
        }
        RowId::Fill(..) => {
            if let Some(row) = desk.fills.find(row) {
                fill(model, &row.item, sheet);
            }
        }
        RowId::Limit(..) => {
            if let Some(row) = desk.limits.find(row) {
                limit(model, &row.item, sheet);
            }
        }
        RowId::Fact(_) => {
            if let Some(fact) = desk.system.rows().find(row).map(|row| &row.item) {
                sheet.text("what", &fact.name);
                sheet.field("now", &fact.text, fact.role);
                if let Some(at) = fact.at {
                    sheet.text("at", &at.to_string());
                }
            }
        }
        RowId::Letter(_) => {
            if let Some(row) = desk.letters.rows().find(row) {
                letter::describe(model, &row.item, sheet);
            }
        }
        RowId::Position(_) => {
            if let Some(row) = desk.positions.find(row) {
                position(&row.item, sheet);
            }
        }
    }
}

fn tick(row: &TickRow, sheet: &mut Sheet) {
    sheet.text("symbol", row.symbol.as_str());
    sheet.text("last", &row.last);
    sheet.text("since attach", &row.change_text);
    if let TickKind::Quote { bid, bid_qty, ask, ask_qty, .. } = &row.tick.kind {
        sheet.text("bid", &format!("{bid} x {bid_qty}"));
        sheet.text("ask", &format!("{ask} x {ask_qty}"));
    }
    sheet.text("venue time", &row.tick.event_at.to_string());
    sheet.time("received", Some(row.tick.received_at), row.tick.event_at);
    sheet.time("shown", Some(row.seen_at), row.tick.event_at);
}

fn strategy(model: &Model, state: &StrategyState, sheet: &mut Sheet) {
    sheet.text("strategy", state.strategy.as_str());
    sheet.text("watches", state.symbol.as_str());
    if state.has_window() {
        sheet.text("window", &format!("{}, {} ticks", format::span_ms(state.window_ms), state.window_ticks));
        let change = state.change.map_or_else(|| "window not warm".to_owned(), |change| state.measure.show(change));
        sheet.text("change", &change);
    }
    sheet.text("threshold", &state.measure.show(state.threshold));
    let last = if state.has_window() { "last price" } else { "last value" };
    sheet.text(last, &state.last.map_or_else(|| "-".to_owned(), |last| last.to_string()));
    sheet.text("last signal", &state.signal_at.map_or_else(|| "none yet".to_owned(), |at| at.to_string()));
    match &state.idle {
        Some(idle) => sheet.field("state", idle, Role::Warn),
        None => sheet.field("state", "ready to trade", Role::Good),
    }
    if let Some(slug) = &state.slug {
        market(model, slug, sheet);
    }
    parameters::of(model, &state.strategy, sheet);
}

fn market(model: &Model, slug: &Slug, sheet: &mut Sheet) {
    sheet.heading("Market");
    sheet.text("slug", slug.as_str());
    let Some(market) = model.desk.markets.by_slug(slug) else { return };
    sheet.text("tick, minimum", &format!("{}, {} shares", market.tick_size, market.min_size));
    for outcome in &market.tokens {
        if let Some(top) = model.desk.top(&outcome.token) {
            let side =
                |price: Option<crate::domain::Price>| price.map_or_else(|| "-".to_owned(), |price| price.to_string());
            sheet.text(&format::clean(&outcome.outcome), &format!("bid {}  ask {}", side(top.bid), side(top.ask)));
        }
    }
    if let Some(closes) = market.closes_at {
        sheet.text("closes", &closes.to_string());
    }
}

fn order(model: &Model, order: &Order, sheet: &mut Sheet) {
    let (_, role) = order_state(order.state);
    sheet.field("state", &order.state.to_string(), role);
    if let Some(reason) = &order.reason {
        sheet.field("reason", reason, role);
    }
    if order.intent.is_adopted() {
        sheet.field(
            "placed by",
            "† somebody else: it was found open at the venue and is followed, counted and reserved",
            Role::Warn,
        );
    }
    sheet.text("matched", &format!("{} of {}", order.matched, order.intent.size));
    sheet.text("order id", order.order.as_ref().map_or("not signed yet", |id| id.as_str()));
    cause::intent(&order.intent, sheet);
    decision::behind(model, &order.intent, sheet);
    way::waterfall(order, sheet);
    sheet.heading("Times");
    let first = order.intent.tick_received_at;
    sheet.time("tick received", Some(first), first);
    sheet.time("deadline", Some(order.intent.deadline), first);
    sheet.time("rests until", Some(order.intent.rest_until), first);
    sheet.time("ended", order.times.ended_at, first);
}

fn fill(model: &Model, fill: &Fill, sheet: &mut Sheet) {
    let role = if fill.status == crate::domain::FillStatus::Failed { Role::Bad } else { Role::Text };
    let settled = if fill.status.is_final() { "final" } else { "provisional" };
    sheet.field("status", &format!("{} ({settled})", fill.status), role);
    sheet.text("trade", &format!("{} {} {} at {}", fill.side, fill.size, fill.outcome, fill.price));
    let liquidity = match fill.role {
        Liquidity::Maker => "maker, no fee",
        Liquidity::Taker => "taker",
    };
    sheet.text("role", liquidity);
    sheet.text("fee", &fill.fee.to_string());
    sheet.text("strategy", fill.strategy.as_ref().map_or("none of ours", |strategy| strategy.as_str()));
    sheet.text("matched at", &fill.matched_at.to_string());
    sheet.text("trade id", fill.trade.as_str());
    sheet.text("order id", fill.order.as_str());
    if let Some(order) = model.desk.order_of_fill(fill) {
        cause::intent(&order.intent, sheet);
        decision::behind(model, &order.intent, sheet);
    }
}

fn limit(model: &Model, used: &LimitUse, sheet: &mut Sheet) {
    let LimitUse { control, subject, value, limit, unit, percent } = used;
    sheet.text("control", &control.to_string());
    sheet.text("of", subject);
    sheet.field("used", &format!("{percent}%"), limits::role(*percent));
    sheet.text("value", &format!("{value} {unit}"));
    sheet.text("limit", &format!("{limit} {unit}"));
    parameters::limits(model, sheet);
    sheet.text("to change it", "cockpit params set risk NAME=VALUE --why REASON; a wider one needs --confirm");
}

fn position(position: &Position, sheet: &mut Sheet) {
    sheet.text("market", position.slug.as_ref().map_or(position.market.as_str(), |slug| slug.as_str()));
    sheet.text("outcome", &position.outcome);
    sheet.text("size", &position.size.to_string());
    sheet.text("average", &position.avg_price.to_string());
    sheet.text("mark", &position.mark.map_or_else(|| "none".to_owned(), |mark| mark.to_string()));
    if let Some(at) = position.mark_at {
        sheet.text("marked at", &at.to_string());
    }
    if let (Some(payout), Some(amount)) = (position.payout, position.redeemable()) {
        sheet.text("resolved", &format!("pays {payout} a share"));
        sheet.text("redeemable", &format!("{} pUSD", format::usd(amount)));
    }
    sheet.text("realised", &format::signed_usd(position.realised));
    sheet.text("unrealised", &position.unrealised.map_or_else(|| "no mark".to_owned(), format::signed_usd));
    sheet.text("fees", &position.fees.to_string());
    sheet.text("token", position.token.as_str());
}
