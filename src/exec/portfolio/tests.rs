mod folding;

use proptest::prelude::*;
use rust_decimal::{Decimal, dec};

use super::*;
use crate::domain::{FillStatus, Level, OutcomeToken, Role};

fn fill(trade: u32, side: Side, shares: Decimal, price: Decimal, at: i64) -> Fill {
    Fill {
        trade: TradeId::new(format!("t{trade}")),
        order: OrderId::new(format!("o{}", trade % 3)),
        strategy: Some("momentum".into()),
        market: "0xm".into(),
        token: "1".into(),
        outcome: "Up".into(),
        side,
        size: Size(shares),
        price: Price(price),
        fee: Usd::ZERO,
        role: Role::Maker,
        status: FillStatus::Matched,
        matched_at: Timestamp::from_secs(at),
    }
}

fn book(bid: Decimal, ask: Decimal, at: i64) -> Book {
    let level = |price| vec![Level { price: Price(price), size: Size(dec!(10)) }];
    let at = Timestamp::from_secs(at);
    Book {
        market: "0xm".into(),
        token: "1".into(),
        bids: level(bid),
        asks: level(ask),
        event_at: at,
        received_at: at,
        heard_at: None,
    }
}

fn market(payouts: Option<[Price; 2]>) -> Market {
    Market { payouts, ..crate::exec::bench::market() }
}

fn portfolio(fills: &[Fill]) -> Portfolio {
    let mut portfolio = Portfolio::new();
    for fill in fills {
        portfolio.apply(fill, Timestamp::default());
    }
    portfolio
}

#[test]
fn average_cost_and_realised_profit() {
    let fills = [
        fill(1, Side::Buy, dec!(10), dec!(0.40), 1),
        fill(2, Side::Buy, dec!(10), dec!(0.60), 2),
        fill(3, Side::Sell, dec!(5), dec!(0.70), 3),
    ];
    let position = portfolio(&fills).position(&"1".into()).expect("held");
    assert_eq!((position.size, position.avg_price), (Size(dec!(15)), Price(dec!(0.5))));
    assert_eq!(position.realised, Usd(dec!(1.00)));
    assert_eq!(position.unrealised, None, "no mark, no guess");
}

#[test]
fn a_long_is_marked_at_the_bid_and_a_stale_mark_is_kept_with_its_time() {
    let mut portfolio = portfolio(&[fill(1, Side::Buy, dec!(10), dec!(0.40), 1)]);
    portfolio.on_book(&book(dec!(0.45), dec!(0.55), 5), Duration::ZERO);
    portfolio.on_book(&book(dec!(0.11), dec!(0.12), 4), Duration::ZERO);
    let position = portfolio.position(&"1".into()).expect("held");
    assert_eq!((position.mark, position.mark_at), (Some(Price(dec!(0.45))), Some(Timestamp::from_secs(5))));
    assert_eq!(position.unrealised, Some(Usd(dec!(0.50))));
}

#[test]
fn a_position_is_worth_what_the_book_takes_of_it() {
    let mut portfolio = portfolio(&[fill(1, Side::Buy, dec!(10_000), dec!(0.40), 1)]);
    let value = |portfolio: &Portfolio| {
        portfolio.equity(Timestamp::from_secs(9), Duration::from_secs(30)).map(|equity| equity + Usd(dec!(4_000)))
    };
    let phantom = vec![Level { price: Price(dec!(0.99)), size: Size(dec!(1)) }];
    portfolio.on_book(&Book { bids: phantom, ..book(dec!(0.45), dec!(0.55), 5) }, Duration::ZERO);
    assert_eq!(value(&portfolio), Ok(Usd(dec!(0.99))), "one share");
    assert_eq!(portfolio.pnl().unrealised, Usd(dec!(-3_999.01)));
    assert_eq!(portfolio.position(&"1".into()).and_then(|position| position.mark), Some(Price(dec!(0.000099))));
    portfolio.on_book(&Book { bids: Vec::new(), ..book(dec!(0.45), dec!(0.55), 6) }, Duration::ZERO);
    assert_eq!(value(&portfolio), Ok(Usd::ZERO), "nobody buys any");
    portfolio.on_book(&book(dec!(0.45), dec!(0.55), 7), Duration::ZERO);
    let over = Market { closes_at: Some(Timestamp::from_secs(8)), accepting_orders: false, ..market(None) };
    portfolio.on_market(&over, Timestamp::from_secs(8));
    portfolio.on_book(&Book { bids: Vec::new(), ..book(dec!(0.45), dec!(0.55), 8) }, Duration::ZERO);
    assert_eq!(value(&portfolio), Ok(Usd(dec!(4.5))), "empty because it is over");
}

#[test]
fn shares_that_are_owed_cost_what_the_asks_want_and_the_rest_a_whole_pusd_each() {
    let mut portfolio = portfolio(&[fill(1, Side::Sell, dec!(12), dec!(0.40), 1)]);
    portfolio.on_book(&book(dec!(0.45), dec!(0.55), 5), Duration::ZERO);
    assert_eq!(portfolio.pnl().unrealised, Usd(dec!(4.8) - dec!(5.5) - dec!(2)));
}

#[test]
fn resolution_pays_out_and_the_position_stays() {
    let mut portfolio = portfolio(&[fill(1, Side::Buy, dec!(10), dec!(0.40), 1)]);
    portfolio.on_market(&market(Some([Price(dec!(1)), Price(dec!(0))])), Timestamp::default());
    let position = portfolio.position(&"1".into()).expect("held");
    assert_eq!((position.size, position.payout), (Size(dec!(10)), Some(Price(dec!(1)))));
    assert_eq!(portfolio.pnl().total, Usd(dec!(6.0)));
}

#[test]
fn a_failed_fill_has_exactly_no_effect() {
    let one = fill(1, Side::Buy, dec!(10), dec!(0.40), 1);
    let mut two = fill(2, Side::Buy, dec!(7), dec!(0.33), 2);
    two.fee = Usd(dec!(0.1));
    let without = portfolio(std::slice::from_ref(&one));
    let mut with = portfolio(&[one, two.clone()]);
    assert_ne!(with.pnl(), without.pnl());
    two.status = FillStatus::Failed;
    assert!(matches!(with.apply(&two, Timestamp::default()), FillChange::Moved(..)));
    assert_eq!(with.pnl(), without.pnl());
    assert_eq!(with.position(&"1".into()), without.position(&"1".into()));
}

#[test]
fn a_taker_fee_is_booked_once_its_market_is_known() {
    let mut taker = fill(1, Side::Buy, dec!(100), dec!(0.5), 1);
    taker.role = Role::Taker;
    let mut portfolio = portfolio(&[taker, fill(2, Side::Buy, dec!(100), dec!(0.5), 1)]);
    let late = portfolio.late_fees(&market(None));
    assert_eq!(late.len(), 1, "makers pay none");
    portfolio.apply(&late[0], Timestamp::default());
    assert_eq!(portfolio.pnl().fees, Usd(dec!(1.75)));
    assert!(portfolio.late_fees(&market(None)).is_empty());
}

fn any_fill() -> impl Strategy<Value = Fill> {
    (0..6_u32, any::<bool>(), 1..50_i64, 1..99_i64, 0..5_i64).prop_map(|(trade, buy, size, price, at)| {
        let side = if buy { Side::Buy } else { Side::Sell };
        fill(trade, side, Decimal::from(size), Decimal::new(price, 2), at)
    })
}

fn statuses() -> impl Strategy<Value = Vec<FillStatus>> {
    let end = prop_oneof![Just(FillStatus::Confirmed), Just(FillStatus::Failed), Just(FillStatus::Mined)];
    end.prop_map(|end| vec![FillStatus::Matched, FillStatus::Retrying, FillStatus::Mined, end])
}

/// Every settlement step of a few distinct fills, twice over, in some order; and each fill in its last state.
fn histories() -> impl Strategy<Value = (Vec<Fill>, Vec<Fill>)> {
    prop::collection::vec((any_fill(), statuses()), 0..6).prop_flat_map(|drawn| {
        let mut distinct: Vec<(Fill, Vec<FillStatus>)> = Vec::new();
        for (fill, statuses) in drawn {
            if !distinct.iter().any(|(known, _)| known.trade == fill.trade) {
                distinct.push((fill, statuses));
            }
        }
        let last = distinct.iter().map(|(fill, statuses)| {
            let status = statuses.iter().copied().max().unwrap_or(FillStatus::Matched);
            Fill { status, ..fill.clone() }
        });
        let steps = distinct.iter().flat_map(|(fill, statuses)| {
            statuses.iter().chain(statuses).map(|status| Fill { status: *status, ..fill.clone() })
        });
        (Just(last.collect()), Just(steps.collect::<Vec<_>>()).prop_shuffle())
    })
}

proptest! {
    #[test]
    fn any_order_of_sightings_equals_the_fold_from_scratch((last, steps) in histories()) {
        let (scratch, joined) = (portfolio(&last), portfolio(&steps));
        prop_assert_eq!(scratch.position(&"1".into()), joined.position(&"1".into()));
        prop_assert_eq!(scratch.pnl(), joined.pnl());
        prop_assert_eq!(scratch.count(), joined.count());
    }

    #[test]
    fn realised_profit_and_cost_add_up_to_the_cash_that_moved(fills in prop::collection::vec(any_fill(), 1..6)) {
        let portfolio = portfolio(&fills);
        let position = portfolio.position(&"1".into()).expect("traded");
        let mut seen = std::collections::HashSet::new();
        let cash: Usd = fills.iter().filter(|fill| seen.insert(fill.trade.clone())).map(|fill| {
            let value = fill.price.notional(fill.size);
            if fill.side == Side::Sell { value } else { -value }
        }).sum();
        let held = position.avg_price.notional(position.size);
        let gap = (position.realised - held - cash).abs();
        prop_assert!(gap < Usd(dec!(0.000000000000001)), "{} {} {}", position.realised, held, cash);
    }
}

proptest! {
    #[test]
    fn the_journals_balance_and_tell_what_the_positions_tell((_, steps) in histories()) {
        let (mut portfolio, mut journals) = (Portfolio::new(), Vec::new());
        for mut fill in steps {
            // The fee becomes known with the trade's second step.
            fill.fee = if fill.status == FillStatus::Matched { Usd::ZERO } else { Usd(dec!(0.03)) };
            if let FillChange::New(_, journal) | FillChange::Moved(_, journal) =
                portfolio.apply(&fill, Timestamp::default())
            {
                journals.extend(journal);
            }
        }
        for journal in &journals {
            prop_assert_eq!(journal.imbalance(), None);
        }
        let ids: std::collections::HashSet<&str> = journals.iter().map(|journal| journal.id.as_str()).collect();
        prop_assert_eq!(ids.len(), journals.len(), "each is written once");
        let held = fold(&journals);
        prop_assert_eq!(held.cash, portfolio.cash());
        let position = portfolio.position(&"1".into());
        let whole = held.tokens.get(&TokenId::from("1")).copied().unwrap_or_default();
        let told = position.map_or((Size::ZERO, Usd::ZERO, Usd::ZERO), |told| (told.size, told.realised, told.fees));
        prop_assert_eq!((whole.shares, whole.realised, whole.fees), told);
    }
}

#[test]
fn what_waits_for_its_result_over_a_restart_is_worth_no_less_than_its_last_mark() {
    let most = Duration::from_secs(30);
    for (kept, for_losses, least) in [(dec!(0.95), dec!(5.5), dec!(0)), (dec!(0.05), dec!(0), dec!(-3.5))] {
        let mut portfolio = portfolio(&[fill(1, Side::Buy, dec!(10), dec!(0.40), 1)]);
        portfolio.restore_mark(&"1".into(), Price(kept), Timestamp::from_secs(99));
        let ended = Market { accepting_orders: false, closes_at: Some(Timestamp::from_secs(100)), ..market(None) };
        portfolio.on_market(&ended, Timestamp::from_secs(110));
        for second in 110..115 {
            portfolio.look(Timestamp::from_secs(second), [most, Duration::ZERO], 3);
        }
        let total = portfolio.total(Timestamp::from_secs(115), most, 3);
        let known = total.known.expect("fresh at its end");
        assert_eq!((total.for_losses, known.least), (Usd(for_losses), Usd(least)));
        assert_eq!(known.middle, Usd((kept - dec!(0.40)) * dec!(10)), "a day that begins meanwhile begins with that");
    }
}
