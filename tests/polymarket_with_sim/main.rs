//! The adapter against the simulated venue, which hashes, recovers and verifies by itself: every kind of wallet, every
//! exchange, every order type and tick, and what is read back afterwards.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../support/approved.rs"]
mod approved;
#[allow(dead_code, reason = "what it offers is used by two tests, each a part")]
mod bench;

use cockpit::domain::{
    CallClass, OrderId, Price, Protocol, RejectCode, Role, Side, Size, TimeInForce, Timestamp, TransientCode,
};
use cockpit::exec::venue::{ExecutionVenue, PostAnswer, VenueOrderStatus};
use cockpit::venues::polymarket::signing::SignatureType;
use rust_decimal::{Decimal, dec};

use bench::{Bench, Wish, market, wish};

const WALLETS: [SignatureType; 4] =
    [SignatureType::Eoa, SignatureType::Proxy, SignatureType::Safe, SignatureType::DepositWallet];
const EXCHANGES: [(Protocol, bool); 4] =
    [(Protocol::V2, false), (Protocol::V2, true), (Protocol::V3, false), (Protocol::V3, true)];

fn status(answer: PostAnswer) -> String {
    match answer {
        PostAnswer::Accepted { status, .. } => status,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wallet_trades_on_every_exchange_and_reads_back_what_it_did() {
    for wallet in WALLETS {
        let mut bench = Bench::start(wallet, None).await;
        let mut events = bench.connect().await;
        for (protocol, neg_risk) in EXCHANGES {
            let market = market(protocol, neg_risk, dec!(0.01));
            let what = format!("{wallet}, {protocol:?}, neg risk {neg_risk}");
            bench.list(&market, dec!(0.40), dec!(0.60));

            let resting = wish(Side::Buy, dec!(0.41), dec!(10));
            let order = bench.sign(&market, Wish { post_only: true, ..resting });
            assert_eq!(status(bench.post(&order).await), "live", "{what}");
            let seen = events.order(order.order()).await;
            assert_eq!((seen.status, seen.price, seen.size), (VenueOrderStatus::Live, resting.price(), resting.size()));
            let open = bench.venue.open_orders().await.expect("a list").orders;
            assert_eq!(open.iter().map(|order| &order.order).collect::<Vec<_>>(), [order.order()], "{what}");
            assert_eq!(bench.post(&order).await, PostAnswer::Duplicate, "{what}");
            let cancelled = bench.venue.cancel(std::slice::from_ref(order.order())).await.expect("an answer");
            assert_eq!(cancelled.cancelled, [order.order().clone()], "{what}");
            let found = bench.venue.order(order.order()).await.expect("an answer").expect("known");
            assert_eq!(found.status, VenueOrderStatus::Cancelled, "{what}");
            assert_eq!(bench.post(&order).await, PostAnswer::Duplicate, "a cancelled order stays known: {what}");

            let taking = bench.sign(&market, Wish { tif: TimeInForce::Fak, ..wish(Side::Buy, dec!(0.60), dec!(20)) });
            assert_eq!(status(bench.post(&taking).await), "matched", "{what}");
            let fill = events.fill(taking.order()).await;
            let ours = (fill.side, fill.price, fill.size, fill.role);
            assert_eq!(ours, (Side::Buy, Price(dec!(0.60)), Size(dec!(20)), Role::Taker), "{what}");
            let fills = bench.venue.fills(bench.began).await.expect("a list").fills;
            assert_eq!(fills.iter().filter(|fill| fill.order == *taking.order()).count(), 1, "{what}");
            let token = market.tokens[0].token.clone();
            let balances = bench.venue.balances(std::slice::from_ref(&token)).await.expect("balances");
            assert_eq!((&balances.tokens[0].0, balances.tokens[0].1.balance), (&token, dec!(20)), "{what}");
            assert_eq!(balances.collateral.allowances.len(), 3, "{what}");

            let selling = bench.sign(&market, Wish { tif: TimeInForce::Fok, ..wish(Side::Sell, dec!(0.40), dec!(20)) });
            assert_eq!(status(bench.post(&selling).await), "matched", "{what}");
            bench.paid += dec!(20) * (dec!(0.60) - dec!(0.40));
            bench.venue.refresh_balances(&[token]).await.expect("refreshed");
            let collateral = bench.venue.collateral().await.expect("a balance").0;
            assert_eq!(collateral, bench::COLLATERAL - bench.paid, "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_generations_of_deposit_wallets_are_ours() {
    for wallet in ["0xdf8b9E8f9AB23f261F6e1B171B7454ae6E46Ba76", "0xBc0fF067b7740Eff76C1ca93c875Ba6B890d6B50"] {
        let bench = Bench::start(SignatureType::DepositWallet, Some(wallet)).await;
        bench.venue.connect().await.expect("connects");
        assert_eq!(bench.venue.maker().to_checksum(None), wallet);
        let market = market(Protocol::V3, false, dec!(0.01));
        bench.list(&market, dec!(0.40), dec!(0.60));
        let order = bench.sign(&market, wish(Side::Buy, dec!(0.5), dec!(5)));
        assert_eq!(status(bench.post(&order).await), "live");
    }
}

/// The venue reads price and size from the two amounts that are signed: it must find exactly what was asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_venue_reads_the_price_and_size_that_were_meant_on_every_tick() {
    let bench = Bench::start(SignatureType::Eoa, None).await;
    bench.venue.connect().await.expect("connects");
    for (tick, price) in [
        (dec!(0.1), dec!(0.3)),
        (dec!(0.01), dec!(0.37)),
        (dec!(0.005), dec!(0.365)),
        (dec!(0.0025), dec!(0.3675)),
        (dec!(0.001), dec!(0.367)),
        (dec!(0.0001), dec!(0.3677)),
    ] {
        let market = market(Protocol::V2, false, tick);
        bench.list(&market, price, price + tick);
        for size in [dec!(5), dec!(17), dec!(8.13)] {
            for (tif, post_only) in [
                (TimeInForce::Gtc, true),
                (TimeInForce::Gtc, false),
                (TimeInForce::Gtd, true),
                (TimeInForce::Gtd, false),
            ] {
                let order = bench.sign(&market, Wish { tif, post_only, ..wish(Side::Buy, price, size) });
                assert_eq!(status(bench.post(&order).await), "live", "{tick} {size} {tif:?} {post_only}");
                let found = bench.venue.order(order.order()).await.expect("an answer").expect("known");
                assert_eq!((found.price.0, found.size.0), (price, size), "{tick} {tif:?}");
            }
            for tif in [TimeInForce::Fak, TimeInForce::Fok] {
                let (ask, what) = (price + tick, format!("{tick} {size} {tif:?}"));
                let bought = taken(&bench, &market, Wish { tif, ..wish(Side::Buy, ask, size + dec!(1)) }).await;
                assert_eq!(bought.0, ask, "{what}: a limit that the best ask still meets");
                // Whole cents buy a little less than was asked for, never more.
                assert!(bought.1 <= size + dec!(1) && bought.1 > size, "{what}: {} shares", bought.1);
                let sold = bought.1.trunc_with_scale(2).min(size);
                let sold = taken(&bench, &market, Wish { tif, ..wish(Side::Sell, price, sold) }).await;
                assert!(sold.0 == price && sold.1 <= size, "{what}: {sold:?}");
            }
        }
    }
}

/// Posts what is to match at once; gives price and size of its fill.
async fn taken(bench: &Bench, market: &cockpit::domain::Market, wish: Wish) -> (Decimal, Decimal) {
    let order = bench.sign(market, wish);
    assert_eq!(status(bench.post(&order).await), "matched", "{wish:?}");
    let fills = bench.venue.fills(bench.began).await.expect("a list").fills;
    let fills: Vec<_> = fills.iter().filter(|fill| fill.order == *order.order()).collect();
    let size: Decimal = fills.iter().map(|fill| fill.size.0).sum();
    let price = fills.iter().map(|fill| fill.price.0).max().expect("a fill");
    (price, size)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_venue_refuses_comes_back_by_code() {
    let bench = Bench::start(SignatureType::Safe, None).await;
    bench.venue.connect().await.expect("connects");
    let listed = market(Protocol::V2, false, dec!(0.01));
    bench.list(&listed, dec!(0.40), dec!(0.60));
    let refused = async |wish: Wish| match bench.post(&bench.sign(&listed, wish)).await {
        PostAnswer::Rejected { code, .. } => code,
        other => panic!("{other:?}"),
    };
    let buy = |price, size| wish(Side::Buy, price, size);
    let fok = Wish { tif: TimeInForce::Fok, ..buy(dec!(0.60), dec!(5_000)) };
    assert_eq!(refused(fok).await, RejectCode::NotFilled);
    let fak = Wish { tif: TimeInForce::Fak, ..buy(dec!(0.50), dec!(10)) };
    assert_eq!(refused(fak).await, RejectCode::NotFilled);
    let crossing = Wish { post_only: true, ..buy(dec!(0.60), dec!(10)) };
    assert_eq!(refused(crossing).await, RejectCode::PostOnlyCrosses);
    assert_eq!(refused(buy(dec!(0.50), dec!(30_000))).await, RejectCode::Balance);

    let mut finer = listed.clone();
    finer.tick_size = Price(dec!(0.001));
    let off_grid = bench.sign(&finer, buy(dec!(0.505), dec!(10)));
    let code = |answer| match answer {
        PostAnswer::Rejected { code, .. } => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(bench.post(&off_grid).await), RejectCode::Tick);
    let mut smaller = listed.clone();
    smaller.min_size = Size(dec!(1));
    assert_eq!(code(bench.post(&bench.sign(&smaller, buy(dec!(0.50), dec!(2)))).await), RejectCode::MinSize);
    let mut elsewhere = listed.clone();
    elsewhere.neg_risk = true;
    assert_eq!(code(bench.post(&bench.sign(&elsewhere, buy(dec!(0.50), dec!(10)))).await), RejectCode::Signature);
    let unlisted = market(Protocol::V3, true, dec!(0.01));
    assert_eq!(code(bench.post(&bench.sign(&unlisted, buy(dec!(0.50), dec!(10)))).await), RejectCode::MarketUnknown);
    bench.exchange.close_market(&listed.market, cockpit::clock::now());
    assert_eq!(refused(buy(dec!(0.50), dec!(10))).await, RejectCode::MarketNotAccepting);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_desk_takes_up_the_heartbeats_chain() {
    let bench = Bench::start(SignatureType::Eoa, None).await;
    bench.venue.connect().await.expect("connects");
    for _ in 0..3 {
        bench.venue.heartbeat().await.expect("beats");
    }
    let restarted = bench.another();
    restarted.connect().await.expect("connects");
    restarted.heartbeat().await.expect("the id that the venue expects is adopted");
    bench.venue.heartbeat().await.expect("and again");
    restarted.heartbeat().await.expect("and back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_orders_is_held_to_the_budget_and_what_rests_is_gone_with_one_call() {
    let bench = Bench::start(SignatureType::Eoa, None).await;
    bench.venue.connect().await.expect("connects");
    let market = market(Protocol::V2, false, dec!(0.01));
    bench.list(&market, dec!(0.40), dec!(0.60));
    let (mut live, mut held_back) = (Vec::new(), 0);
    let orders: Vec<_> = (0..120).map(|_| bench.sign(&market, wish(Side::Buy, dec!(0.41), dec!(5)))).collect();
    let answers = futures::future::join_all(orders.iter().map(|order| bench.post(order))).await;
    for (order, answer) in orders.iter().zip(answers) {
        match answer {
            PostAnswer::Accepted { .. } => live.push(order.order().clone()),
            PostAnswer::Transient { code: TransientCode::OverBudget, retry_after, .. } => {
                assert!(retry_after.is_some());
                held_back += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    // A burst of 60, and at 40 a second the 20 that half a second of patience brings; a slow machine gets more.
    assert!(live.len() >= 79, "{} were sent", live.len());
    assert_eq!(live.len() as u64 + held_back, 120);
    let limits = bench.venue.limits();
    let orders = limits.iter().find(|limit| limit.class == CallClass::Orders).expect("orders");
    assert_eq!((orders.refused, orders.throttled), (held_back, 0));
    let gone = bench.venue.cancel_all().await.expect("an answer").cancelled;
    assert_eq!(gone.len(), live.len());
    assert!(bench.venue.open_orders().await.expect("a list").orders.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_read_and_the_clock_is_known() {
    let bench = Bench::start(SignatureType::Proxy, None).await;
    bench.venue.connect().await.expect("connects");
    assert!(bench.venue.skew().is_some_and(|skew| !skew.exceeds(std::time::Duration::from_secs(5))));
    let market = market(Protocol::V3, true, dec!(0.01));
    bench.list(&market, dec!(0.40), dec!(0.60));
    let mut ids: Vec<OrderId> = Vec::new();
    for _ in 0..230 {
        let order = bench.sign(&market, wish(Side::Buy, dec!(0.41), dec!(5)));
        bench.submit(&order).await;
        ids.push(order.order().clone());
    }
    let open = bench.venue.open_orders().await.expect("three pages").orders;
    let listed: std::collections::BTreeSet<_> = open.into_iter().map(|order| order.order).collect();
    assert_eq!(listed, ids.iter().cloned().collect());
    let error = bench.venue.order(&OrderId::new(format!("0x{}", "0".repeat(64)))).await;
    assert_eq!(error, Ok(None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_accounts_at_one_venue_do_not_see_each_other() {
    let bench = Bench::start(SignatureType::Eoa, None).await;
    let stranger = bench.of("0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d");
    stranger.connect().await.expect("an account of its own");
    // Another key's order is none of ours: not found, not cancelled.
    bench.venue.connect().await.expect("connects");
    let market = market(Protocol::V2, false, dec!(0.01));
    bench.list(&market, dec!(0.40), dec!(0.60));
    let order = bench.sign(&market, wish(Side::Buy, dec!(0.41), dec!(5)));
    assert_eq!(status(bench.post(&order).await), "live");
    assert_eq!(stranger.order(order.order()).await, Ok(None));
    let answer = stranger.cancel(std::slice::from_ref(order.order())).await.expect("an answer");
    assert!(answer.cancelled.is_empty() && answer.not_cancelled.len() == 1, "{answer:?}");
    assert!(stranger.fills(Timestamp::from_secs(0)).await.expect("a list").fills.is_empty());
    // And what was signed for one key cannot be posted with the other's.
    match stranger.post(&order, &|| Ok(())).await {
        PostAnswer::Rejected { code: RejectCode::Owner, .. } => {}
        other => panic!("{other:?}"),
    }
    let gone = bench.venue.cancel_all().await;
    assert_eq!(gone.expect("an answer").cancelled, [order.order().clone()]);
}
