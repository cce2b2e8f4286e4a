//! Fills, what is undone of them, and the comparison of balances.

use super::*;
use crate::domain::{Account, Asset, Journal, JournalKind, fold};
use crate::exec::venue::{AssetBalance, Balances};

fn journals(step: &Step) -> Vec<Journal> {
    let journal = |write: &Write| if let Write::Journal(journal) = write { Some((**journal).clone()) } else { None };
    step.writes.iter().filter_map(journal).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "what the venue gives")]
fn balances(cash: Decimal, shares: Decimal) -> Result<Balances, VenueError> {
    let of = |balance| AssetBalance { balance, allowances: vec![unbounded()] };
    Ok(Balances { collateral: of(cash), tokens: vec![("1".into(), of(shares))] })
}

fn counts(step: &Step) -> Vec<bool> {
    let asked = |effect: &Effect| if let Effect::Balances { refresh, .. } = effect { Some(*refresh) } else { None };
    step.urgent.iter().filter_map(asked).collect()
}

fn kills(step: &Step) -> usize {
    step.urgent.iter().filter(|effect| matches!(effect, Effect::Kill(_))).count()
}

/// Compared with the venue at `now`, nothing open there, and the balances asked for.
fn counted(desk: &mut Desk, now: i64, cash: Decimal, shares: Decimal) -> Step {
    let step = desk.on_tick(at(now));
    if step.urgent.iter().any(|effect| matches!(effect, Effect::Snapshot { .. })) {
        desk.on_snapshot(at(now), Ok(Snapshot { orders: Vec::new(), fills: Vec::new() }), at(now));
    }
    let asked = counts(&step).len() + counts(&desk.on_tick(at(now))).len();
    assert_eq!(asked, 1, "asked at {now}");
    desk.on_balances(balances(cash, shares), at(now))
}

/// A desk that has 1,000 pUSD and 10 shares bought for 5, settled long ago.
fn settled() -> Desk {
    let mut desk = unopened();
    counted(&mut desk, 2, dec!(1000), dec!(0));
    desk.on_user_event(UserEvent::Fill(venue_fill("x", "t1", dec!(10), FillStatus::Confirmed)), at(100));
    desk
}

/// The fee of a taker who buys 10 at 0.50 at a rate of 7 %.
const FEE: Decimal = dec!(0.175);

#[test]
fn a_trade_that_fails_is_undone_by_a_reversing_journal_to_exactly_nothing() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", accepted(), 5);
    let (cash, pnl) = (desk.portfolio.cash(), desk.portfolio.pnl());
    let mut written = Vec::new();
    for status in [FillStatus::Matched, FillStatus::Retrying, FillStatus::Failed, FillStatus::Matched] {
        let step = desk.on_user_event(UserEvent::Fill(venue_fill("a", "t1", dec!(10), status)), at(10));
        written.extend(journals(&step));
    }
    let kinds: Vec<JournalKind> = written.iter().map(|journal| journal.kind).collect();
    assert_eq!(kinds, [JournalKind::Fill, JournalKind::Reversal]);
    assert!(written.iter().all(|journal| journal.imbalance().is_none()), "{written:?}");
    assert_eq!(written[1].reverses.as_deref(), Some("t1/0xa/fill"));
    assert!(written[0].postings.iter().any(|posting| posting.account == Account::Position(Some("momentum".into()))));
    assert_eq!(fold(&written).cash, Usd::ZERO);
    assert_eq!((desk.portfolio.cash(), desk.portfolio.pnl()), (cash, pnl));
    assert_eq!(desk.portfolio.position(&"1".into()).expect("traded").size, Size::ZERO);
    assert_eq!(state(&desk, "a"), OrderState::Voided);
    assert_eq!(desk.orders[&key("a")].row.order.times.confirmed_at, None);
}

#[test]
fn provisional_and_confirmed_are_apart_and_the_gate_counts_what_is_worse() {
    let mut desk = desk();
    desk.on_user_event(UserEvent::Fill(venue_fill("x", "t1", dec!(10), FillStatus::Confirmed)), at(100));
    let sale = |status| VenueFill {
        side: Side::Sell,
        price: Price(dec!(0.60)),
        role: Role::Maker,
        matched_at: at(200),
        ..venue_fill("y", "t2", dec!(10), status)
    };
    desk.on_user_event(UserEvent::Fill(sale(FillStatus::Mined)), at(200));
    let position = desk.portfolio.position(&"1".into()).expect("traded");
    assert_eq!(
        (position.size, position.confirmed, position.pending_sells),
        (Size::ZERO, Size(dec!(10)), Size(dec!(10)))
    );
    assert_eq!((position.realised, position.realised_confirmed), (Usd(dec!(1.00)), Usd::ZERO));
    assert_eq!((desk.portfolio.pnl().realised, desk.portfolio.pnl().realised_confirmed), (Usd(dec!(1.00)), Usd::ZERO));
    assert_eq!(desk.holdings(None).token(&"1".into()).held, Size(dec!(10)), "the sale may fail");
    desk.on_user_event(UserEvent::Fill(sale(FillStatus::Confirmed)), at(300));
    assert_eq!(desk.portfolio.pnl().realised_confirmed, Usd(dec!(1.00)));
    assert_eq!(desk.holdings(None).token(&"1".into()).held, Size::ZERO);
    desk.on_user_event(UserEvent::Fill(venue_fill("z", "t3", dec!(7), FillStatus::Matched)), at(400));
    let holding = desk.holdings(None).token(&"1".into());
    assert_eq!((holding.held, holding.sellable()), (Size(dec!(7)), Size::ZERO), "a purchase may fail too");
}

#[test]
fn an_order_is_confirmed_when_it_has_ended_and_every_trade_of_it_is() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", accepted(), 5);
    let confirmed = |desk: &Desk| desk.orders[&key("a")].row.order.times.confirmed_at;
    let mut fill = |trade: &str, status, now: i64| {
        desk.on_user_event(UserEvent::Fill(venue_fill("a", trade, dec!(5), status)), at(now));
        confirmed(&desk)
    };
    assert_eq!(fill("t1", FillStatus::Confirmed, 10), None, "still open");
    assert_eq!(fill("t2", FillStatus::Matched, 11), None);
    assert_eq!(fill("t2", FillStatus::Confirmed, 12), Some(at(12)));
    let times = desk.orders[&key("a")].row.order.times;
    let way =
        [times.consumed_at, times.gated_at, times.signed_at, times.committed_at, times.sent_at, times.answered_at];
    assert_eq!(way, [2, 2, 2, 3, 4, 5].map(|millis| Some(at(millis))));
    assert_eq!((times.matched_at, times.ended_at), (Some(at(10)), Some(at(11))));
}

#[test]
fn the_first_balance_opens_the_account_and_equal_books_stay_quiet() {
    let mut desk = unopened();
    let step = counted(&mut desk, 2, dec!(1000), dec!(0));
    let opening = journals(&step);
    assert_eq!((opening.len(), opening[0].kind, fold(&opening).cash), (1, JournalKind::Correction, Usd(dec!(1000))));
    assert_eq!((mismatches(&step), desk.portfolio.pnl()), (0, Pnl::default()));
    desk.on_user_event(UserEvent::Fill(venue_fill("x", "t1", dec!(10), FillStatus::Confirmed)), at(100));
    let step = counted(&mut desk, 40_000, dec!(995) - FEE, dec!(10));
    assert!(step.writes.is_empty());
}

#[test]
fn what_a_lag_or_an_unsettled_fill_can_explain_is_no_difference() {
    let mut desk = unopened();
    counted(&mut desk, 2, dec!(1000), dec!(0));
    desk.on_user_event(UserEvent::Fill(venue_fill("x", "t1", dec!(10), FillStatus::Matched)), at(31_000));
    for now in [32_000, 62_000, 92_000, 122_000] {
        let step = counted(&mut desk, now, dec!(1000), dec!(0));
        assert!(step.writes.is_empty() && desk.counting.seen.is_empty(), "not settled");
    }
    desk.on_user_event(UserEvent::Fill(venue_fill("x", "t1", dec!(10), FillStatus::Confirmed)), at(130_000));
    counted(&mut desk, 152_000, dec!(1000), dec!(0));
    assert!(desk.counting.seen.is_empty(), "settled 22 s ago: the cache may lag");
    counted(&mut desk, 182_000, dec!(1000), dec!(0));
    assert_eq!(desk.counting.seen.len(), 2);
}

#[test]
fn a_difference_that_lasts_is_told_corrected_and_kills_only_beyond_the_limit() {
    for (missing, kill) in [(dec!(5), 0), (dec!(5.01), 1)] {
        let mut desk = settled();
        let cash = dec!(995) - FEE - missing;
        assert_eq!(mismatches(&counted(&mut desk, 40_000, cash, dec!(10))), 0);
        let step = desk.on_tick(at(45_000));
        assert_eq!(counts(&step), [true], "the venue is made to look at the chain again");
        desk.on_balances(balances(cash, dec!(10)), at(45_000));
        desk.on_tick(at(50_000));
        let step = desk.on_balances(balances(cash, dec!(10)), at(50_000));
        assert_eq!((mismatches(&step), kills(&step), journals(&step).len()), (1, kill, 1), "{missing}");
        assert_eq!(journals(&step)[0].postings[0].asset, Asset::Usd);
        let step = counted(&mut desk, 80_100, cash, dec!(10));
        assert!(step.writes.is_empty(), "the venue's figure is ours now");
    }
}

#[test]
fn a_difference_that_goes_away_is_forgotten() {
    let mut desk = settled();
    counted(&mut desk, 40_000, dec!(900), dec!(10));
    counted(&mut desk, 45_000, dec!(900), dec!(10));
    counted(&mut desk, 50_000, dec!(995) - FEE, dec!(10));
    let step = counted(&mut desk, 80_100, dec!(900), dec!(10));
    assert_eq!((mismatches(&step), desk.counting.seen.values().map(|(_, times)| *times).max()), (0, Some(1)));
}

#[test]
fn missing_shares_count_at_their_mark_and_vanish_from_the_position() {
    let mut desk = settled();
    desk.on_data(PolymarketData::Book(book(at(39_000))), at(39_000));
    let mut last = Step::default();
    for now in [40_000, 45_000, 50_000] {
        last = counted(&mut desk, now, dec!(995) - FEE, dec!(0));
    }
    assert_eq!((mismatches(&last), kills(&last)), (1, 0), "10 at 0.48 are 4.80");
    assert_eq!(desk.portfolio.position(&"1".into()).expect("traded").size, Size::ZERO);
    assert_eq!(desk.portfolio.pnl().realised, Usd(dec!(-5.0)), "shares that vanish bring nothing");
}

#[test]
fn while_an_order_is_of_unknown_fate_nothing_is_compared() {
    let mut desk = settled();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", unknown(), 5);
    assert!(counts(&desk.on_tick(at(40_000))).is_empty());
}

#[test]
fn a_match_without_a_trade_is_looked_up_and_told_when_it_lasts() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", accepted(), 5);
    desk.on_user_event(UserEvent::Order(venue_order("a", VenueOrderStatus::Matched, Some(dec!(10)))), at(10));
    assert_eq!(state(&desk, "a"), OrderState::Filled);
    let compare = |desk: &mut Desk, now: i64| {
        desk.on_tick(at(now));
        let step = desk.on_snapshot(at(now), Ok(Snapshot { orders: Vec::new(), fills: Vec::new() }), at(now));
        desk.on_lookup(&"0xa".into(), at(now), absent(), at(now));
        (lookups(&step), mismatches(&step))
    };
    assert_eq!(compare(&mut desk, 30_000), (1, 0));
    assert_eq!(compare(&mut desk, 60_100), (1, 1));
    assert_eq!(compare(&mut desk, 90_200), (1, 0), "told once");
    let fills = vec![venue_fill("a", "t1", dec!(10), FillStatus::Confirmed)];
    desk.on_lookup(&"0xa".into(), at(91_000), Ok(Lookup { order: None, fills }), at(91_001));
    assert_eq!(compare(&mut desk, 120_300), (0, 0));
}

#[test]
fn the_trades_of_an_adopted_order_are_its_own_whichever_is_heard_first() {
    let mut desk = desk();
    desk.on_user_event(UserEvent::Fill(venue_fill("manual", "t1", dec!(4), FillStatus::Matched)), at(10));
    desk.on_user_event(UserEvent::Order(venue_order("manual", VenueOrderStatus::Live, Some(dec!(4)))), at(11));
    assert!(desk.untraded.is_empty(), "its trade is known");
    let position = desk.portfolio.position(&"1".into()).expect("held");
    assert_eq!((position.parts.len(), position.parts[0].strategy.clone(), position.size), (1, None, Size(dec!(4))));
    desk.on_user_event(UserEvent::Fill(venue_fill("manual", "t2", dec!(6), FillStatus::Matched)), at(12));
    let key = desk.index[&OrderId::from("0xmanual")].clone();
    assert_eq!(desk.orders[&key].state(), OrderState::Filled);
}

#[test]
fn the_same_conflict_is_told_once() {
    let mut desk = desk();
    desk.on_user_event(UserEvent::Fill(venue_fill("x", "t1", dec!(4), FillStatus::Matched)), at(10));
    let other = || UserEvent::Fill(venue_fill("x", "t1", dec!(5), FillStatus::Matched));
    assert_eq!(mismatches(&desk.on_user_event(other(), at(11))), 1);
    assert_eq!(mismatches(&desk.on_user_event(other(), at(12))), 0);
}
