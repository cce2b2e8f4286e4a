//! What goes wrong inside the venue: a fill that overtakes a cancel, trades that fail, markets that change.

use std::time::Duration;

use cockpit::clock;
use cockpit::domain::{FillStatus, Side, Size, TimeInForce, Usd};
use cockpit::exec::venue::{ExecutionVenue, VenueOrderStatus};
use rust_decimal::dec;
use serde_json::json;

use crate::bench::{Bench, COLLATERAL, Events, Wish, wish};
use crate::replies::{RESTING, inject, start, truth};

const TAKING: Wish = Wish { tif: TimeInForce::Fak, ..wish(Side::Buy, dec!(0.60), dec!(20)) };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fill_overtakes_a_cancel_in_part_or_in_whole() {
    let (mut bench, market) = start().await;
    let mut events = bench.connect().await;
    for (part, filled, status) in [("0.35", dec!(3.5), "CANCELED"), ("1", dec!(10), "MATCHED")] {
        inject(&bench, 1, json!({ "kind": "cancel_race", "part": part }));
        let order = bench.sign(&market, RESTING);
        bench.submit(&order).await;
        let answer = bench.venue.cancel(std::slice::from_ref(order.order())).await.expect("an answer");
        let is_cancelled = answer.cancelled == [order.order().clone()];
        assert_eq!(is_cancelled, status == "CANCELED", "{answer:?}");
        assert_eq!(answer.not_cancelled.len(), usize::from(!is_cancelled), "{answer:?}");
        let fill = events.fill(order.order()).await;
        assert_eq!((fill.size, fill.price, fill.side), (Size(filled), RESTING.price(), Side::Buy));
        let known = truth(&bench, order.order()).expect("known");
        assert_eq!((known.status, known.matched), (status, Size(filled)));
        let found = bench.venue.order(order.order()).await.expect("an answer").expect("known");
        assert_eq!(found.matched, Some(Size(filled)));
    }
}

/// The statuses of our one trade as they are told, with the venue's clock pushed on between them.
async fn settle(bench: &Bench, events: &mut Events, market: &cockpit::domain::Market) -> Vec<FillStatus> {
    let order = bench.sign(market, TAKING);
    bench.submit(&order).await;
    let mut told = vec![events.fill(order.order()).await.status];
    let mut now = clock::now();
    while !told.last().is_some_and(|status| status.is_final()) {
        now = now.plus(Duration::from_secs(5));
        bench.exchange.advance(now);
        told.push(events.fill(order.order()).await.status);
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_trade_leaves_nothing_behind_and_a_retried_one_is_confirmed() {
    use FillStatus::{Confirmed, Failed, Matched, Mined, Retrying};
    let (mut bench, market) = start().await;
    let mut events = bench.connect().await;
    inject(&bench, 1, json!({ "kind": "settlement_failed", "retries": 2 }));
    assert_eq!(settle(&bench, &mut events, &market).await, [Matched, Retrying, Retrying, Failed]);
    assert_eq!(bench.exchange.truth().trades[0].status, "FAILED");
    assert_eq!(bench.venue.collateral().await, Ok(Usd(COLLATERAL)), "the money is back");
    let token = market.tokens[0].token.clone();
    let balances = bench.venue.balances(std::slice::from_ref(&token)).await.expect("balances");
    assert_eq!(balances.tokens[0].1.balance, dec!(0), "and the shares are gone");
    let fills = bench.venue.fills(bench.began).await.expect("a list");
    assert_eq!(fills.iter().map(|fill| fill.status).collect::<Vec<_>>(), [Failed]);

    inject(&bench, 1, json!({ "kind": "settlement_retried", "retries": 1 }));
    assert_eq!(settle(&bench, &mut events, &market).await, [Matched, Retrying, Mined, Confirmed]);
    assert_eq!(bench.venue.collateral().await, Ok(Usd(COLLATERAL - dec!(12))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_trade_takes_orders_with_it_that_it_had_paid_for() {
    let (mut bench, market) = start().await;
    let mut events = bench.connect().await;
    inject(&bench, 1, json!({ "kind": "settlement_failed", "retries": 0 }));
    bench.submit(&bench.sign(&market, TAKING)).await;
    let selling = bench.sign(&market, wish(Side::Sell, dec!(0.70), dec!(20)));
    bench.submit(&selling).await;
    bench.exchange.advance(clock::now().plus(Duration::from_secs(5)));
    assert_eq!(truth(&bench, selling.order()).expect("known").status, "CANCELED_NOT_ENOUGH_BALANCE");
    assert_eq!(events.order(selling.order()).await.status, VenueOrderStatus::Live);
    assert_eq!(events.order(selling.order()).await.status, VenueOrderStatus::Cancelled);

    inject(&bench, 1, json!({ "kind": "settlement_failed", "retries": 0 }));
    bench.submit(&bench.sign(&market, TAKING)).await;
    bench.submit(&bench.sign(&market, Wish { tif: TimeInForce::Fak, ..wish(Side::Sell, dec!(0.40), dec!(20)) })).await;
    bench.exchange.advance(clock::now().plus(Duration::from_secs(10)));
    let statuses: Vec<String> = bench.exchange.truth().trades.into_iter().map(|trade| trade.status).collect();
    assert_eq!(statuses, ["FAILED", "MINED", "MINED"], "what was passed on settles");
}
