use proptest::prelude::*;
use rust_decimal::{Decimal, dec};

use super::*;
use crate::domain::{FeeSchedule, FillStatus, OutcomeToken, Protocol, Size, TimeInForce};

const NOW: Timestamp = Timestamp::from_secs(1_795_348_800);

fn market() -> Market {
    let outcome = |token: &str, outcome: &str| OutcomeToken { token: token.into(), outcome: outcome.to_owned() };
    Market {
        slug: "sample".into(),
        market: "0xm".into(),
        tokens: [outcome("1", "Up"), outcome("2", "Down")],
        tick_size: Price(dec!(0.01)),
        min_size: Size(dec!(5)),
        neg_risk: false,
        protocol: Protocol::V2,
        fee: FeeSchedule { rate: dec!(0.07), exponent: 1 },
        opens_at: None,
        closes_at: None,
        accepting_orders: true,
        payouts: None,
    }
}

fn account(name: &str) -> AccountId {
    AccountId::new(name)
}

fn exchange() -> Exchange {
    let exchange = Exchange::new(1);
    for name in ["a", "b", "c"] {
        exchange.open_account(&account(name), AccountKind::Client, Usd(dec!(1000)));
        exchange.set_owner(&account(name), name);
    }
    exchange.list_market(market(), NOW);
    exchange
}

fn limit(id: &str, token: &str, side: Side, price: Decimal, size: Decimal) -> NewOrder {
    NewOrder {
        id: id.into(),
        token: token.into(),
        side,
        price: Price(price),
        size: Size(size),
        tif: TimeInForce::Gtc,
        post_only: false,
        expiration: None,
    }
}

fn words(result: Result<Placed, Refusal>) -> String {
    result.expect_err("a refusal").0
}

#[test]
fn the_better_price_goes_first_and_then_the_older_order() {
    let e = exchange();
    for (id, name, price) in [("b1", "b", dec!(0.52)), ("c1", "c", dec!(0.51)), ("b2", "b", dec!(0.51))] {
        e.place(&account(name), limit(id, "2", Side::Buy, Decimal::ONE - price, dec!(10)), NOW).expect("rests");
    }
    let placed = e.place(&account("a"), limit("a1", "1", Side::Buy, dec!(0.52), dec!(25)), NOW).expect("matches");
    assert_eq!((placed.matched, placed.value), (Size(dec!(25)), Usd(dec!(12.8))));
    let truth = e.truth();
    let makers: Vec<Vec<&str>> =
        truth.trades.iter().map(|t| t.maker_order_ids.iter().map(OrderId::as_str).collect()).collect();
    assert_eq!(makers, [vec!["c1", "b2"], vec!["b1"]], "one trade a price, best price first, oldest first");
    assert_eq!(e.order(&"b1".into()).expect("known").remaining(), Size(dec!(5)));
}

#[test]
fn both_tokens_show_one_mirrored_book() {
    let e = exchange();
    e.place(&account("a"), limit("a1", "1", Side::Buy, dec!(0.40), dec!(10)), NOW).expect("rests");
    let (up, down) = (e.book(&"1".into()).expect("up"), e.book(&"2".into()).expect("down"));
    assert_eq!(up.best_bid(), Some(Level { price: Price(dec!(0.4)), size: Size(dec!(10)) }));
    assert_eq!(down.best_ask(), Some(Level { price: Price(dec!(0.6)), size: Size(dec!(10)) }));
    assert_eq!((up.best_ask(), down.best_bid()), (None, None));
}

#[test]
fn the_rules_are_told_in_the_venues_words() {
    let e = exchange();
    let a = account("a");
    let cases = [
        (limit("1", "1", Side::Buy, dec!(0.505), dec!(5)), "breaks minimum tick size rule: 0.01"),
        (limit("2", "1", Side::Buy, dec!(0.50), dec!(4.99)), "lower than the minimum: 5"),
        (limit("3", "9", Side::Buy, dec!(0.50), dec!(5)), "does not exist"),
        (limit("4", "1", Side::Buy, dec!(0.99), dec!(5000)), "not enough balance / allowance"),
        (limit("5", "1", Side::Sell, dec!(0.50), dec!(5)), "not enough balance / allowance"),
        (NewOrder { tif: TimeInForce::Gtd, ..limit("6", "1", Side::Buy, dec!(0.5), dec!(5)) }, "invalid expiration"),
        (
            NewOrder { tif: TimeInForce::Fok, ..limit("7", "1", Side::Buy, dec!(0.5), dec!(5)) },
            "fully filled or killed",
        ),
        (
            NewOrder { tif: TimeInForce::Fak, ..limit("8", "1", Side::Buy, dec!(0.5), dec!(5)) },
            "no orders found to match",
        ),
    ];
    for (order, expected) in cases {
        let told = words(e.place(&a, order.clone(), NOW));
        assert!(told.contains(expected), "{order:?}: {told}");
    }
    let order = limit("9", "1", Side::Buy, dec!(0.5), dec!(5));
    e.place(&a, order.clone(), NOW).expect("rests");
    assert_eq!(words(e.place(&a, order, NOW)), "order 9 is invalid. Duplicated.");
    let killed = NewOrder { tif: TimeInForce::Fok, ..limit("7", "1", Side::Buy, dec!(0.5), dec!(5)) };
    assert_eq!(words(e.place(&a, killed, NOW)), "order 7 is invalid. Duplicated.", "a killed order is not forgotten");
    let crossing = NewOrder { post_only: true, ..limit("10", "2", Side::Buy, dec!(0.5), dec!(5)) };
    assert_eq!(words(e.place(&account("b"), crossing, NOW)), "invalid post-only order: order crosses book");
}

#[test]
fn takers_pay_the_fee_and_makers_none() {
    let e = exchange();
    e.place(&account("a"), limit("a1", "1", Side::Buy, dec!(0.50), dec!(100)), NOW).expect("rests");
    e.place(&account("b"), limit("b1", "2", Side::Buy, dec!(0.50), dec!(100)), NOW).expect("matches");
    assert_eq!(e.balance(&account("a"), None), dec!(950));
    assert_eq!(e.balance(&account("b"), None), dec!(948.25));
    assert_eq!(e.balance(&account("b"), Some(&"2".into())), dec!(100));
}

#[test]
fn a_market_buy_spends_its_money_at_the_best_prices() {
    let e = exchange();
    e.place(&account("b"), limit("b1", "2", Side::Buy, dec!(0.60), dec!(10)), NOW).expect("rests at 0.40");
    e.place(&account("b"), limit("b2", "2", Side::Buy, dec!(0.50), dec!(100)), NOW).expect("rests at 0.50");
    let order = NewOrder { tif: TimeInForce::Fok, ..limit("a1", "1", Side::Buy, dec!(0.5), dec!(20)) };
    let placed = e.place_spending(&account("a"), order, Usd(dec!(10)), NOW).expect("matches");
    assert_eq!((placed.matched, placed.value), (Size(dec!(22)), Usd(dec!(10))), "10 at 0.40 and 12 at 0.50");
}

#[test]
fn settlement_moves_on_with_time_and_everybody_is_told() {
    let e = exchange();
    let mut events = e.subscribe();
    e.place(&account("a"), limit("a1", "1", Side::Buy, dec!(0.50), dec!(10)), NOW).expect("rests");
    e.place(&account("b"), limit("b1", "2", Side::Buy, dec!(0.50), dec!(10)), NOW).expect("matches");
    let mut statuses = Vec::new();
    for ms in [0, 500, 1_000, 2_000, 2_500, 9_000] {
        e.advance(NOW.plus(std::time::Duration::from_millis(ms)));
    }
    while let Ok(event) = events.try_recv() {
        if let ExchangeEvent::Trade(trade) = event {
            statuses.push((trade.status, trade.transaction.is_empty()));
        }
    }
    assert_eq!(statuses, [(FillStatus::Matched, true), (FillStatus::Mined, false), (FillStatus::Confirmed, false)]);
}

#[test]
fn a_lapsed_heartbeat_cancels_everything_and_a_wrong_id_does_not_feed_the_switch() {
    let e = exchange();
    let a = account("a");
    let at = |secs| NOW.plus(std::time::Duration::from_secs(secs));
    e.place(&a, limit("a1", "1", Side::Buy, dec!(0.50), dec!(10)), NOW).expect("rests");
    e.advance(at(60));
    assert_eq!(e.truth().open_orders, 1, "an account that never beats is never swept");
    let first = e.heartbeat(&a, "", at(60)).expect("begins");
    let second = e.heartbeat(&a, &first, at(65)).expect("goes on");
    assert_eq!(e.heartbeat(&a, &first, at(70)), Err(second), "the expected id is told");
    e.advance(at(75));
    assert_eq!(e.truth().open_orders, 1);
    e.advance(at(81));
    assert_eq!(e.truth().open_orders, 0);
}

#[test]
fn closing_a_market_ends_its_orders_and_takes_no_more() {
    let e = exchange();
    e.place(&account("a"), limit("a1", "1", Side::Buy, dec!(0.50), dec!(10)), NOW).expect("rests");
    e.close_market(&"0xm".into(), NOW);
    assert_eq!(e.order(&"a1".into()).expect("known").status.word(), "CANCELED_MARKET_RESOLVED");
    let told = words(e.place(&account("a"), limit("a2", "1", Side::Buy, dec!(0.50), dec!(10)), NOW));
    assert_eq!(told, "the market is not yet ready to process new orders");
}

#[derive(Clone, Debug)]
enum Step {
    Place { who: usize, up: bool, buy: bool, cents: i64, size: i64, tif: u8 },
    Cancel { who: usize },
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4_usize, any::<bool>(), any::<bool>(), 30..70_i64, 5..40_i64, 0..3_u8)
            .prop_map(|(who, up, buy, cents, size, tif)| Step::Place { who, up, buy, cents, size, tif }),
        1 => (0..4_usize).prop_map(|who| Step::Cancel { who }),
        1 => (0..3_000_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn money_is_conserved_and_no_book_is_ever_crossed(steps in prop::collection::vec(step(), 1..80)) {
        let e = exchange();
        let names = [account("a"), account("b"), account("c"), account("house")];
        e.open_account(&names[3], AccountKind::House, Usd::ZERO);
        let mut now = NOW;
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Wait(ms) => {
                    now = now.plus(std::time::Duration::from_millis(ms));
                    e.advance(now);
                }
                Step::Cancel { who } => drop(e.cancel_all(&names[who], now)),
                Step::Place { who, up, buy, cents, size, tif } => {
                    let side = if buy { Side::Buy } else { Side::Sell };
                    let order = limit(&n.to_string(), if up { "1" } else { "2" }, side, Decimal::new(cents, 2), size.into());
                    let tif = [TimeInForce::Gtc, TimeInForce::Fok, TimeInForce::Fak][usize::from(tif)];
                    // A refusal is a legal outcome here.
                    let _ = e.place(&names[who], NewOrder { tif, ..order }, now);
                }
            }
            check(&e)?;
        }
    }
}

fn check(e: &Exchange) -> Result<(), TestCaseError> {
    let state = e.state();
    let collateral: Usd = state.accounts.values().map(|a| a.collateral).sum();
    let held = |token: &str| state.accounts.values().map(|a| a.shares(&token.into())).sum::<Size>();
    prop_assert_eq!(held("1"), held("2"), "shares exist in pairs only");
    prop_assert_eq!(collateral.0 + held("1").0 + state.fees.0, dec!(3000), "paid in = cash + backing of pairs + fees");
    for account in state.accounts.values().filter(|a| a.kind == AccountKind::Client) {
        prop_assert!(account.collateral >= Usd::ZERO && account.tokens.values().all(|s| *s >= Size::ZERO));
    }
    for view in state.orders.values() {
        prop_assert!(view.matched <= view.order.size);
    }
    drop(state);
    let book = e.book(&"1".into()).expect("a book");
    if let (Some(bid), Some(ask)) = (book.best_bid(), book.best_ask()) {
        prop_assert!(bid.price < ask.price, "crossed: {} >= {}", bid.price, ask.price);
    }
    Ok(())
}
