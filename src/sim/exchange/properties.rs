use proptest::prelude::*;
use rust_decimal::{Decimal, dec};

use super::book::BookSide;
use super::tests::{market, order};
use super::*;
use crate::domain::{Side, Size, TimeInForce};
use crate::sim::faults::{Fault, Plan, Rule};

/// One random call.
#[derive(Clone, Debug)]
enum Call {
    Place { account: usize, second: bool, buy: bool, cents: i64, hundredths: i64, tif: u8, spend: bool },
    Cancel { account: usize, pick: usize },
    CancelAll { account: usize },
    Advance { millis: i64 },
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        8 => (0..4_usize, any::<bool>(), any::<bool>(), 30..70_i64, 500..3_000_i64, 0..5_u8, any::<bool>()).prop_map(
            |(account, second, buy, cents, hundredths, tif, spend)| Call::Place {
                account, second, buy, cents, hundredths, tif, spend
            }
        ),
        2 => (0..4_usize, any::<usize>()).prop_map(|(account, pick)| Call::Cancel { account, pick }),
        1 => (0..4_usize).prop_map(|account| Call::CancelAll { account }),
        1 => (0..3_000_i64).prop_map(|millis| Call::Advance { millis }),
    ]
}

/// Two clients, two accounts of the house.
fn accounts(exchange: &Exchange) -> [AccountId; 4] {
    let names = ["c0", "c1", "h0", "h1"].map(AccountId::new);
    for name in &names[..2] {
        exchange.open_account(name, AccountKind::Client, Usd(dec!(60)));
    }
    for name in &names[2..] {
        exchange.open_account(name, AccountKind::House, Usd::ZERO);
    }
    names
}

fn run(exchange: &Exchange, names: &[AccountId; 4], number: usize, call: &Call, now: &mut i64) {
    let at = Timestamp::from_millis(*now);
    match call {
        Call::Place { account, second, buy, cents, hundredths, tif, spend } => {
            let token = if *second { "222" } else { "111" };
            let side = if *buy { Side::Buy } else { Side::Sell };
            let tif = [TimeInForce::Gtc, TimeInForce::Gtc, TimeInForce::Fok, TimeInForce::Fak, TimeInForce::Fak]
                [usize::from(*tif)];
            let (price, shares) = (Decimal::new(*cents, 2), Decimal::new(*hundredths, 2));
            let order = order(&format!("o{number}"), token, side, price, shares, tif);
            let chases = *spend && *buy && matches!(tif, TimeInForce::Fok | TimeInForce::Fak);
            let budget = chases.then(|| Usd((price * shares).trunc_with_scale(2)));
            let submission = Submission { order, budget, maker: String::new(), owner: String::new() };
            // Refusals are part of the game.
            let _ = exchange.submit(&names[*account], submission, at);
        }
        Call::Cancel { account, pick } => {
            let open = exchange.open_orders(&names[*account], 0);
            if let Some(order) = open.get(pick % open.len().max(1)) {
                exchange.cancel(&names[*account], std::slice::from_ref(&order.id), at);
            }
        }
        Call::CancelAll { account } => drop(exchange.cancel_all(&names[*account], at)),
        Call::Advance { millis } => {
            *now += millis;
            exchange.advance(Timestamp::from_millis(*now));
        }
    }
}

fn check(exchange: &Exchange) -> Result<(), TestCaseError> {
    let state = exchange.state();
    let collateral: i64 = state.accounts.values().map(|account| account.collateral).sum();
    prop_assert_eq!(collateral + state.fees + state.backing, 120_000_000, "pUSD is conserved");
    for token in ["111", "222"] {
        let shares: i64 = state.accounts.values().map(|account| account.shares_of(&TokenId::new(token))).sum();
        prop_assert_eq!(shares, state.backing, "token {} exists once a pair", token);
    }
    for order in state.orders.values() {
        prop_assert!(order.matched >= 0 && order.matched <= order.size, "{order:?}");
        prop_assert_eq!(order.status == OrderStatus::Matched, order.matched == order.size);
    }
    for account in state.accounts.values() {
        let open = || account.open.values().filter_map(|id| state.orders.get(id));
        prop_assert_eq!(open().count(), account.open.len());
        prop_assert!(open().all(|order| order.status == OrderStatus::Live));
        if account.is_client() {
            let bound: i64 = open().filter(|order| order.side == Side::Buy).map(|order| order.reserved).sum();
            prop_assert_eq!(account.reserved, bound);
            prop_assert!(account.reserved <= account.collateral, "{account:?}");
            for (token, bound) in &account.reserved_shares {
                prop_assert!(*bound <= account.shares_of(token), "{account:?}");
            }
        }
    }
    let book = &state.markets[&market().market].book;
    if let (Some(bid), Some(ask)) = (book.best(BookSide::Bid), book.best(BookSide::Ask)) {
        prop_assert!(bid < ask, "the book crosses: {bid} >= {ask}");
    }
    let resting: i64 = [BookSide::Bid, BookSide::Ask]
        .into_iter()
        .flat_map(|side| book.by_priority(side).map(|(_, order)| order.remaining))
        .sum();
    let open: i64 = state
        .orders
        .values()
        .filter(|order| order.status == OrderStatus::Live)
        .map(super::order::OrderRecord::remaining)
        .sum();
    prop_assert_eq!(resting, open);
    Ok(())
}

/// Half of the cancels lose against a fill, half of the trades go wrong on their way.
fn faulty() -> Plan {
    let rule = |fault| Rule { fault, probability: 0.5, limit: None };
    let faults = [
        Fault::CancelRace { part: dec!(0.3) },
        Fault::CancelRace { part: dec!(1) },
        Fault::SettlementFailed { retries: 1 },
        Fault::SettlementRetried { retries: 2 },
        Fault::BalanceLag { for_ms: 700 },
    ];
    Plan { seed: 1, faults: faults.map(rule).to_vec() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_is_called_money_is_conserved_and_the_book_never_crosses(
        calls in prop::collection::vec(call(), 1..80),
        faults in any::<bool>(),
    ) {
        let exchange = Exchange::new(1);
        if faults {
            exchange.faults().set(faulty());
        }
        let names = accounts(&exchange);
        exchange.list_market(market(), Timestamp::default());
        let mut now = 0;
        for (number, call) in calls.iter().enumerate() {
            run(&exchange, &names, number, call, &mut now);
            check(&exchange)?;
        }
    }

    #[test]
    fn at_a_price_the_older_order_is_filled_first(sizes in prop::collection::vec(5..50_i64, 2..8), taken in 5..100_i64) {
        let exchange = Exchange::new(1);
        let house = accounts(&exchange)[2].clone();
        exchange.list_market(market(), Timestamp::default());
        let place = |id: String, side, size: i64, tif| {
            let order = order(&id, "111", side, dec!(0.5), Decimal::from(size), tif);
            exchange.place(&house, order, Timestamp::default())
        };
        for (number, size) in sizes.iter().enumerate() {
            place(format!("m{number}"), Side::Sell, *size, TimeInForce::Gtc).expect("rests");
        }
        place("taker".to_owned(), Side::Buy, taken, TimeInForce::Fak).expect("matches");
        let mut left = taken;
        for (number, size) in sizes.iter().enumerate() {
            let filled = left.min(*size);
            left -= filled;
            let rest = exchange.order(&house, &OrderId::new(format!("m{number}")));
            prop_assert_eq!(rest.map_or(Size(Decimal::from(*size)), |order| order.matched), Size(Decimal::from(filled)));
        }
    }
}
