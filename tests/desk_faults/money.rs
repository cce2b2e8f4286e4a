//! Matched is not owned: trades that fail or are tried again, and balances that lag behind.

use std::time::Duration;

use cockpit::domain::{
    DeadLetterReason, Fill, FillStatus, HermesState, JournalKind, OrderState, Role, Size, Usd, fold,
};
use serde_json::json;

use crate::ended::{Apart, Ended};
use crate::world::{ALWAYS, Kind, LONG, World, rule};

/// How long an order rests that is to be cancelled.
const SHORT: Duration = Duration::from_secs(1);
/// Between two tries to sell what the venue's cache does not show.
const SALES_APART: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_trade_nets_to_exactly_nothing_a_retried_one_is_owned_and_a_lagging_balance_is_no_mismatch() {
    tokio::join!(trades_fail_or_are_retried(), balances_lag());
}

/// Trades that fail, told in order, in disorder and not at all; and one that is only tried again.
async fn trades_fail_or_are_retried() {
    let mut world = World::start(1, &[("reconcile_s = 30", "reconcile_s = 3")]).await;
    let fails = |retries: u64| rule(1, json!({ "kind": "settlement_failed", "retries": retries }));
    world.inject(&[fails(2)]).await;
    world.wish("taker", 0, Kind::Take, LONG).await;
    settled(&world, "taker", FillStatus::Failed).await;

    world.inject(&[fails(1), rule(1, json!({ "kind": "cancel_race", "part": "0.5" }))]).await;
    world.wish("maker", 0, Kind::Rest, SHORT).await;
    settled(&world, "maker", FillStatus::Failed).await;

    // Told in whatever order: the match after its failure, or never.
    world.inject(&[fails(1), json!({ "kind": "ws_reorder", "delay_ms": 4_000, "probability": 0.5 })]).await;
    world.wish("shuffled", 0, Kind::Take, LONG).await;
    settled(&world, "shuffled", FillStatus::Failed).await;
    world.inject(&[fails(1), rule(ALWAYS, json!({ "kind": "ws_gap" }))]).await;
    world.wish("untold", 0, Kind::Take, LONG).await;
    settled(&world, "untold", FillStatus::Failed).await;
    let state = world.until("nothing at stake", |state| state.exposure.gross == Usd::ZERO).await;
    let held = state.positions.iter().any(|position| !position.size.is_zero());
    assert!(!held && state.pnl.total == Usd::ZERO, "nothing is left of them: {:?}", state.pnl);

    world.inject(&[rule(1, json!({ "kind": "settlement_retried", "retries": 2 }))]).await;
    world.wish("retried", 0, Kind::Take, LONG).await;
    settled(&world, "retried", FillStatus::Confirmed).await;
    world.trades("after", 0).await;

    let ended = world.finish().await;
    ended.check(Apart { mismatches: &["failed on chain"; 4], ..Apart::default() });
    for name in ["taker", "maker", "shuffled", "untold"] {
        nets_to_nothing(&ended, name);
    }
    ended.was_certain("taker", OrderState::Voided);
    ended.was_certain("maker", OrderState::Cancelled);
    let story = ended.story("retried");
    let statuses: Vec<FillStatus> = story.fills.iter().map(|event| event.fill.status).collect();
    assert!(
        statuses.contains(&FillStatus::Retrying) && statuses.last() == Some(&FillStatus::Confirmed),
        "{statuses:?}"
    );
    assert_eq!(story.journals.len(), 1, "booked once");
    assert_eq!(ended.story("maker").fills[0].fill.role, Role::Maker);
}

/// Waits until the only trade of the order of this name is settled so.
async fn settled(world: &World, name: &str, status: FillStatus) {
    let of = |state: &HermesState| crate::world::find(state, name).and_then(|order| order.order.clone());
    let is = |fill: &Fill, state: &HermesState| Some(&fill.order) == of(state).as_ref() && fill.status == status;
    let what = format!("the trade of {name} to be {status}");
    world.until(&what, |state| state.recent_fills.iter().any(|fill| is(fill, state))).await;
    world.order(name, "over", |order| order.state.is_terminal()).await;
}

/// What was booked for an order and taken back adds up to zero, in pUSD and in shares.
fn nets_to_nothing(ended: &Ended, name: &str) {
    let booked: Vec<_> = ended.story(name).journals.iter().map(|(_, journal)| journal.clone()).collect();
    let kinds: Vec<JournalKind> = booked.iter().map(|journal| journal.kind).collect();
    assert!(kinds.is_empty() || kinds == [JournalKind::Fill, JournalKind::Reversal], "{name}: {kinds:?}");
    let held = fold(&booked);
    assert_eq!(held.cash, Usd::ZERO, "{name}");
    assert!(held.tokens.values().all(|holding| holding.shares == Size::ZERO), "{name}: {held:?}");
}

/// Balances that lag behind a trade refuse a sale, and are neither a mismatch nor a reason to stop.
async fn balances_lag() {
    let edits = [("reconcile_s = 30", "reconcile_s = 2"), ("breaker_rejections = 5", "breaker_rejections = 1000")];
    let mut world = World::start(1, &edits).await;
    world.inject(&[rule(1, json!({ "kind": "balance_lag", "for_ms": 600_000 }))]).await;
    world.wish("bought", 0, Kind::Take, LONG).await;
    world.order("bought", "confirmed", |order| order.times.confirmed_at.is_some()).await;
    let mut refused = Vec::new();
    // The desk has the venue read its balances anew once lag alone does not explain the difference.
    let sold = loop {
        let name = format!("sale-{:02}", refused.len());
        world.wish(&name, 0, Kind::Sell, LONG).await;
        let order = world.order(&name, "answered", |order| order.state.is_terminal()).await;
        if order.state == OrderState::Filled {
            break name;
        }
        refused.push(name);
        assert!(refused.len() < 60, "the venue's cache is never refreshed");
        tokio::time::sleep(SALES_APART).await;
    };
    assert!(!refused.is_empty(), "the venue's cache lags");
    world.trades("after", 0).await;
    let ended = world.finish().await;
    let letters: Vec<_> = refused.iter().map(|name| (name.as_str(), DeadLetterReason::Balance, 1)).collect();
    ended.check(Apart { buried: &letters, ..Apart::default() });
    ended.was_certain(&sold, OrderState::Filled);
}
