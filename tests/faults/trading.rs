//! What goes wrong inside the venue: a fill that overtakes a cancel, trades that fail, markets that change.

use std::collections::BTreeSet;
use std::time::Duration;

use cockpit::clock;
use cockpit::domain::{FillStatus, Price, RejectCode, Side, Size, TimeInForce, TokenId, Usd};
use cockpit::exec::venue::{ExecutionVenue, PostAnswer, VenueOrderStatus};
use cockpit::venues::polymarket::books::BookReader;
use cockpit::venues::polymarket::market_ws::client::{self, Output};
use rust_decimal::dec;
use serde_json::json;

use crate::bench::{self, Bench, COLLATERAL, Events, Wish, wish};
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
    let fills = bench.venue.fills(bench.began).await.expect("a list").fills;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_grid_is_told_refuses_the_old_one_and_leaves_what_rests() {
    let (bench, mut market) = start().await;
    let mut books = Books::follow(&bench, &market).await;
    let finer = bench::market(market.protocol, false, dec!(0.001));
    bench.list(&finer, dec!(0.400), dec!(0.600));
    inject(&bench, 1, json!({ "kind": "tick_change", "tick_size": "0.1" }));
    let order = bench.sign(&market, RESTING);
    bench.submit(&order).await;
    assert_eq!(books.tick().await, (market.tokens[0].token.clone(), Price(dec!(0.1))));
    assert_eq!(truth(&bench, order.order()).expect("known").status, "LIVE", "off the new grid, and still there");
    match bench.post(&bench.sign(&market, RESTING)).await {
        PostAnswer::Rejected { code, reason } => {
            assert_eq!(code, RejectCode::Tick);
            assert!(reason.contains("breaks minimum tick size rule: 0.1"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    market.tick_size = Price(dec!(0.1));
    bench.submit(&bench.sign(&market, wish(Side::Buy, dec!(0.4), dec!(10)))).await;
    assert_eq!(bench.exchange.faults().struck("tick_change"), 1);
    bench.submit(&bench.sign(&finer, wish(Side::Buy, dec!(0.401), dec!(10)))).await;
    let gone = bench.venue.cancel(std::slice::from_ref(order.order())).await.expect("an answer");
    assert_eq!(gone.cancelled, [order.order().clone()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_market_that_closes_empties_its_book_and_takes_no_more() {
    let (mut bench, market) = start().await;
    let mut events = bench.connect().await;
    let first = bench.sign(&market, RESTING);
    bench.submit(&first).await;
    inject(&bench, 1, json!({ "kind": "market_close" }));
    let last = bench.sign(&market, RESTING);
    bench.submit(&last).await;
    for order in [&first, &last] {
        assert_eq!(truth(&bench, order.order()).expect("known").status, "CANCELED_MARKET_RESOLVED");
        assert_eq!(events.order(order.order()).await.status, VenueOrderStatus::Live);
    }
    assert_eq!(events.order(last.order()).await.status, VenueOrderStatus::Cancelled);
    let book = bench.exchange.book(&market.tokens[0].token).expect("a book");
    assert!(book.bids.is_empty() && book.asks.is_empty(), "{book:?}");
    match bench.post(&bench.sign(&market, RESTING)).await {
        PostAnswer::Rejected { code, .. } => assert_eq!(code, RejectCode::MarketNotAccepting),
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.venue.open_orders().await.expect("a list").orders, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn balances_lag_behind_a_trade_until_they_are_refreshed() {
    let (bench, market) = start().await;
    let token = market.tokens[0].token.clone();
    let shown = async || {
        let balances = bench.venue.balances(std::slice::from_ref(&token)).await.expect("balances");
        (balances.collateral.balance, balances.tokens[0].1.balance)
    };
    inject(&bench, 1, json!({ "kind": "balance_lag", "for_ms": 600_000 }));
    bench.submit(&bench.sign(&market, TAKING)).await;
    assert_eq!(shown().await, (COLLATERAL, dec!(0)), "as before the trade");
    let truth = bench.exchange.truth();
    let held = truth.balances.values().find_map(|balance| balance.tokens.get(token.as_str()));
    assert_eq!(held, Some(&Size(dec!(20))), "the truth does not lag");
    let selling = bench.sign(&market, Wish { tif: TimeInForce::Fak, ..wish(Side::Sell, dec!(0.40), dec!(20)) });
    match bench.post(&selling).await {
        PostAnswer::Rejected { code, .. } => assert_eq!(code, RejectCode::Balance, "a sale right after the purchase"),
        other => panic!("{other:?}"),
    }
    bench.venue.refresh_balances(std::slice::from_ref(&token)).await.expect("refreshed");
    assert_eq!(shown().await, (COLLATERAL - dec!(12), dec!(20)));
    bench.submit(&selling).await;
}

/// The market socket, read by the client that the desk uses.
struct Books {
    told: tokio::sync::mpsc::UnboundedReceiver<Output>,
    _wanted: tokio::sync::watch::Sender<BTreeSet<TokenId>>,
    _shutdown: tokio_util::sync::DropGuard,
}

impl Books {
    /// Follows the first token, and waits for its book.
    async fn follow(bench: &Bench, market: &cockpit::domain::Market) -> Self {
        let (tell, told) = tokio::sync::mpsc::unbounded_channel();
        let (wanted, wants) = tokio::sync::watch::channel(BTreeSet::from([market.tokens[0].token.clone()]));
        let shutdown = tokio_util::sync::CancellationToken::new();
        let (base, ends) = (bench.sockets(), shutdown.clone());
        let reader = BookReader::new(&bench.clob()).expect("an address");
        tokio::spawn(async move {
            // The test may be over before the client.
            client::run(&base, reader, wants, |output| drop(tell.send(output)), ends).await;
        });
        let mut books = Self { told, _wanted: wanted, _shutdown: shutdown.drop_guard() };
        books.until(|output| matches!(output, Output::Book(_)).then_some(())).await;
        books
    }

    async fn until<T>(&mut self, fits: impl Fn(Output) -> Option<T>) -> T {
        let search = async {
            loop {
                if let Some(found) = fits(self.told.recv().await.expect("the client runs")) {
                    return found;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), search).await.expect("told in time")
    }

    async fn tick(&mut self) -> (TokenId, Price) {
        self.until(|output| match output {
            Output::TickSize { token, tick_size } => Some((token, tick_size)),
            _ => None,
        })
        .await
    }
}
