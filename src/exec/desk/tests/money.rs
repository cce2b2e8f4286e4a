//! Fills, what is undone of them, and the comparison of balances.

use super::restore::Paper;
use super::risk::limit;
use super::*;
use crate::domain::{Account, Asset, Journal, JournalKind, fold};
use crate::exec::venue::{AssetBalance, Balances};

pub(super) fn journals(step: &Step) -> Vec<Journal> {
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

pub(super) fn kills(step: &Step) -> usize {
    step.urgent.iter().filter(|effect| matches!(effect, Effect::Kill(_))).count()
}

/// Compared with the venue at `now`, nothing open there, and the balances asked for.
pub(super) fn counted(desk: &mut Desk, now: i64, cash: Decimal, shares: Decimal) -> Step {
    let step = desk.on_tick(at(now));
    if step.urgent.iter().any(|effect| matches!(effect, Effect::Snapshot { .. })) {
        desk.on_snapshot(at(now), Ok(Snapshot::default()), at(now));
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
fn books_that_move_are_no_events_and_a_trade_is_one() {
    let mut desk = desk();
    let is = |effect: &&Effect| matches!(effect, Effect::Emit(event) if matches!(**event, TradeEvent::Position(_)));
    let mut told = 0;
    for second in 1..=100 {
        let now = second * 1_000;
        if second == 50 {
            desk.on_user_event(UserEvent::Fill(venue_fill("x", "t2", dec!(10), FillStatus::Confirmed)), at(now));
        }
        let cents = |base: i64| vec![Level { price: Price(Decimal::new(base + second % 7, 2)), size: Size(dec!(500)) }];
        let moved = Book { bids: cents(40), asks: cents(50), ..book(at(now)) };
        desk.on_data(PolymarketData::Book(moved), at(now));
        told += desk.on_tick(at(now)).effects().filter(is).count();
        let position = desk.portfolio.position(&"1".into());
        let mark = position.and_then(|position| position.mark);
        assert_eq!(mark.is_some(), second >= 50, "{second}: {mark:?}");
    }
    assert_eq!(told, 1);
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
    assert_eq!((opening.len(), opening[0].kind, fold(&opening).cash), (1, JournalKind::Opening, Usd(dec!(1000))));
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
        desk.on_snapshot(at(45_000), Ok(Snapshot::default()), at(45_000));
        desk.on_balances(balances(cash, dec!(10)), at(45_000));
        let step = counted(&mut desk, 50_000, cash, dec!(10));
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
    assert_eq!((mismatches(&step), desk.counting.seen.values().map(|differs| differs.times).max()), (0, Some(1)));
}

#[test]
fn missing_shares_count_at_their_mark_and_vanish_from_the_position() {
    let mut desk = settled();
    desk.on_data(PolymarketData::Book(book(at(39_000))), at(39_000));
    let mut last = Step::default();
    for now in [40_000, 45_000, 50_000] {
        last = counted(&mut desk, now, dec!(995) - FEE, dec!(0));
    }
    assert_eq!((mismatches(&last), kills(&last)), (1, 0), "10 at the 0.50 that was paid");
    assert_eq!(desk.portfolio.position(&"1".into()).expect("traded").size, Size::ZERO);
    assert_eq!(desk.portfolio.pnl().realised, Usd(dec!(-5.0)), "shares that vanish bring nothing");
}

#[test]
fn shares_that_nobody_buys_are_missed_at_what_was_paid_for_them() {
    let mut desk = settled();
    desk.on_data(PolymarketData::Book(Book { bids: Vec::new(), ..book(at(39_000)) }), at(39_000));
    counted(&mut desk, 40_000, dec!(995) - FEE, dec!(0));
    assert_eq!(desk.portfolio.position(&"1".into()).and_then(|position| position.mark), Some(Price(dec!(0))));
    assert_eq!(desk.differing(at(40_000)), Usd(dec!(5)));
}

#[test]
fn while_an_order_is_of_unknown_fate_what_it_may_have_led_to_is_allowed_for_and_no_more() {
    let mut desk = settled();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", unknown(), 5);
    let missing = |desk: &mut Desk, now, cash, shares| {
        counted(desk, now, cash, shares);
        desk.counting.seen.len()
    };
    let before = dec!(995) - FEE;
    assert_eq!(missing(&mut desk, 40_000, before, dec!(10)), 0, "it may have come to nothing");
    assert_eq!(missing(&mut desk, 80_000, before - dec!(5) - FEE, dec!(20)), 0, "or to all that it wanted");
    assert_eq!(missing(&mut desk, 120_000, before - dec!(5.20) - FEE, dec!(20)), 1, "not to more");
}

#[test]
fn orders_that_come_without_end_hide_no_difference() {
    let mut desk = settled();
    let (mut told, mut looks) = (0, 0);
    for n in 0..20_i64 {
        let (name, now) = (format!("o{n}"), 40_000 + n * 5_000);
        desk.on_data(PolymarketData::Book(book(at(now))), at(now));
        let step = desk.on_entry(&entry(100 + n.unsigned_abs(), intent_at(&name, now)), &sign, at(now));
        assert_eq!(posts(&step).len(), 1, "{step:?}");
        desk.clear_to_send(&key(&name), at(now)).expect("clear to send");
        let step = desk.on_tick(at(now));
        for effect in step.effects() {
            match effect {
                Effect::Snapshot { .. } => {
                    desk.on_snapshot(at(now), Ok(Snapshot::default()), at(now));
                }
                Effect::Balances { .. } => {
                    looks += 1;
                    told += mismatches(&desk.on_balances(balances(dec!(500), dec!(10)), at(now)));
                }
                _ => {}
            }
        }
        desk.on_posted(&key(&name), accepted(), Some(at(now)), at(now));
        desk.on_user_event(UserEvent::Order(venue_order(&name, VenueOrderStatus::Cancelled, Some(dec!(0)))), at(now));
    }
    assert!(looks >= 3 && told == 1, "looked {looks} times, told {told} times");
}

fn intent_at(name: &str, now: i64) -> OrderIntent {
    let intent = intent(name, TimeInForce::Gtc);
    OrderIntent { created_at: at(now), deadline: at(now + 60_000), rest_until: at(now + 600_000), ..intent }
}

#[test]
fn every_token_has_its_turn_and_what_differs_is_looked_at_again_at_once() {
    let mut desk = desk();
    counted(&mut desk, 2, dec!(1000), dec!(0));
    for n in 0..120 {
        let token = format!("{n:03}");
        let fill =
            VenueFill { token: token.as_str().into(), ..venue_fill("x", &token, dec!(1), FillStatus::Confirmed) };
        desk.on_user_event(UserEvent::Fill(fill), at(100));
    }
    let cash = desk.portfolio.cash().0;
    let mut look = |now: i64| {
        let step = desk.on_tick(at(now));
        let mut asked = Vec::new();
        for effect in step.effects() {
            match effect {
                Effect::Snapshot { .. } => {
                    desk.on_snapshot(at(now), Ok(Snapshot::default()), at(now));
                }
                Effect::Balances { tokens, .. } => asked.clone_from(tokens),
                _ => {}
            }
        }
        let of = |balance| AssetBalance { balance, allowances: Vec::new() };
        let shares = |token: &TokenId| if token.as_str() == "070" { dec!(0.5) } else { dec!(1) };
        let tokens = asked.iter().map(|token| (token.clone(), of(shares(token)))).collect();
        let told = mismatches(&desk.on_balances(Ok(Balances { collateral: of(cash), tokens }), at(now)));
        (asked, told)
    };
    let (mut all, mut told) = (std::collections::BTreeSet::new(), 0);
    for n in 0..12 {
        let (asked, here) = look(40_000 + n * 31_000);
        assert!(asked.len() <= 50);
        all.extend(asked);
        told += here;
    }
    assert_eq!((all.len(), told), (120, 1));
}

#[test]
fn differences_that_are_small_each_kill_together() {
    let mut desk = settled();
    let mut cash = dec!(995) - FEE;
    let (mut killed, mut used) = (Vec::new(), Vec::new());
    let mut now = 40_000;
    for _ in 0..2 {
        cash -= dec!(3);
        for _ in 0..3 {
            killed.push(kills(&counted(&mut desk, now, cash, dec!(10))));
            now += 31_000;
        }
        let mut step = Step::default();
        desk.measure(at(now - 30_000), &mut step);
        let uses = desk.limit_uses();
        used.push(uses.iter().find(|used| used.control == Control::Mismatch).expect("measured").percent);
    }
    assert_eq!(killed, [0, 0, 0, 0, 0, 1], "6 pUSD within a day, 5 are allowed");
    assert_eq!(used, [60, 120], "what is told of is what kills");
    desk.on_latch(latch(2, KillState::Armed), at(now));
    desk.reconcile_now(at(now));
    cash -= dec!(3);
    let more: usize = (0..3).map(|n| kills(&counted(&mut desk, now + n * 31_000, cash, dec!(10)))).sum();
    assert_eq!(more, 0, "whoever armed has seen what was before");
}

#[test]
fn what_was_corrected_before_a_result_is_worth_no_more_by_it_after_a_restart() {
    let cheap = VenueFill { price: Price(dec!(0.10)), ..venue_fill("x", "t1", dec!(40), FillStatus::Confirmed) };
    let mut paper = Paper::default();
    paper.journals.push(opening(Asset::Usd, "account".into(), (dec!(1_000), Usd::ZERO), at(-30)));
    let (mut desk, step) = restored(paper.memory());
    paper.keep(step);
    ready(&mut desk);
    paper.keep(desk.on_user_event(UserEvent::Fill(cheap), at(10)));
    paper.journals.push(correction(Asset::Token("1".into()), "0xm".into(), dec!(-20), "differed".into(), at(20)));
    let won = Market { payouts: Some([1, 0].map(|payout| Price(payout.into()))), ..market() };
    paper.keep(desk.on_data(PolymarketData::Market(won), at(30)));
    let (mut again, _) = restored(paper.memory());
    assert_eq!(kills(&again.on_tick(at(1_000))), 0, "20 shares that had cost two pUSD, five are allowed");
}

#[test]
fn a_limit_that_is_put_below_what_was_corrected_kills_at_once_and_after_a_restart_too() {
    let mut desk = settled();
    for now in [40_000, 71_000, 102_000] {
        assert_eq!(kills(&counted(&mut desk, now, dec!(992) - FEE, dec!(10))), 0);
    }
    assert_eq!(kills(&desk.on_tick(at(103_000))), 0, "3 pUSD, 5 are allowed");
    limit(&mut desk, |limits| limits.mismatch_limit = Usd(dec!(2)));
    assert_eq!(kills(&desk.on_tick(at(104_000))), 1);
    let corrected = correction(Asset::Usd, "account".into(), dec!(-6), "differed".into(), at(20));
    let opening = opening(Asset::Usd, "account".into(), (dec!(1_006), Usd::ZERO), at(-30));
    let (mut desk, _) = restored(Memory { corrections: vec![opening, corrected], ..Memory::default() });
    assert_eq!(kills(&desk.on_tick(at(1_000))), 1, "before anything is compared");
}

#[test]
fn balances_that_cannot_be_read_for_long_are_told() {
    let mut desk = settled();
    let mut told = 0;
    for n in 1..30 {
        let now = n * 31_000;
        let step = desk.on_tick(at(now));
        told += mismatches(&step);
        for effect in step.effects() {
            if matches!(effect, Effect::Snapshot { .. }) {
                desk.on_snapshot(at(now), Ok(Snapshot::default()), at(now));
            }
        }
        desk.on_balances(Err(VenueError::Unreachable("cut".into())), at(now));
    }
    assert_eq!(told, 1);
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
        let step = desk.on_snapshot(at(now), Ok(Snapshot::default()), at(now));
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
    desk.on_recalled(&"0xmanual".into(), Ok(Known::default()), at(11));
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

/// A trade of ours that a purchase of 10 at 0.50 was first told as.
fn retold(status: FillStatus) -> VenueFill {
    VenueFill { price: Price(dec!(0.49)), size: Size(dec!(9)), ..venue_fill("a", "t1", dec!(10), status) }
}

#[test]
fn a_trade_that_is_told_with_other_figures_still_fails_or_settles_as_it_was_booked() {
    for (end, shares, state_then) in
        [(FillStatus::Failed, dec!(0), OrderState::Voided), (FillStatus::Confirmed, dec!(10), OrderState::Filled)]
    {
        let mut desk = desk();
        sent(&mut desk, "a", TimeInForce::Gtc);
        answered(&mut desk, "a", accepted(), 5);
        let first = desk.on_user_event(UserEvent::Fill(venue_fill("a", "t1", dec!(10), FillStatus::Matched)), at(10));
        let step = desk.on_user_event(UserEvent::Fill(retold(end)), at(11));
        assert!(step.effects().any(|effect| match effect {
            Effect::Emit(event) =>
                matches!(&**event, TradeEvent::Mismatch(told) if told.detail.contains("first is kept")),
            _ => false,
        }));
        let booked: Vec<Journal> = journals(&first).into_iter().chain(journals(&step)).collect();
        let position = desk.portfolio.position(&"1".into()).expect("traded");
        assert_eq!((position.size, position.confirmed), (Size(shares), Size(shares)), "{end:?}");
        assert_eq!(fold(&booked).cash.is_zero(), end == FillStatus::Failed, "undone to exactly nothing");
        assert_eq!(state(&desk, "a"), state_then);
        assert!(desk.portfolio.unsettled().next().is_none(), "{end:?} is the last that is heard of it");
        let again = desk.on_user_event(UserEvent::Fill(retold(end)), at(12));
        assert!(again.writes.is_empty(), "{again:?}");
    }
}

#[test]
fn the_fee_of_a_sweep_is_the_sum_of_what_each_match_costs() {
    let mut desk = desk();
    let met = |price, size| Level { price: Price(price), size: Size(size) };
    let sweep = VenueFill {
        price: Price(dec!(0.55)),
        met: vec![met(dec!(0.50), dec!(100)), met(dec!(0.60), dec!(100))],
        ..venue_fill("x", "t1", dec!(200), FillStatus::Confirmed)
    };
    desk.on_user_event(UserEvent::Fill(sweep), at(10));
    assert_eq!(desk.portfolio.pnl().fees, Usd(dec!(3.43)), "at 7 %: 1.75 and 1.68, not 3.465");
}

#[test]
fn a_difference_is_corrected_only_after_trades_were_asked_for_and_a_fill_that_nobody_told_is_a_fill() {
    let mut desk = settled();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", accepted(), 5);
    // It rests for a minute, the socket is mute, and its fill shows in the balances first.
    let resting = || vec![venue_order("a", VenueOrderStatus::Live, Some(dec!(0)))];
    let (mut corrections, mut told, mut asked) = (Vec::new(), Vec::new(), Vec::new());
    desk.on_tick(at(60_000));
    desk.on_snapshot(at(60_000), Ok(Snapshot { orders: resting(), ..Snapshot::default() }), at(60_000));
    let cash = dec!(990) - FEE;
    desk.on_balances(balances(cash, dec!(20)), at(60_001));
    for n in 0..8 {
        let now = 65_001 + n * 5_000;
        let step = desk.on_tick(at(now));
        asked.push(step.effects().any(|effect| matches!(effect, Effect::Snapshot { .. })));
        if !counts(&step).is_empty() {
            let step = desk.on_balances(balances(cash, dec!(20)), at(now));
            corrections.extend(journals(&step));
            told.push(kills(&step) + mismatches(&step));
        }
        // The first list takes its time: four looks are answered before it is.
        if n == 4 {
            let fills = vec![VenueFill { role: Role::Maker, ..venue_fill("a", "t2", dec!(10), FillStatus::Confirmed) }];
            let step = desk.on_snapshot(at(65_001), Ok(Snapshot { fills, ..Snapshot::default() }), at(now));
            let kinds: Vec<JournalKind> = journals(&step).iter().map(|journal| journal.kind).collect();
            assert_eq!(kinds, [JournalKind::Fill]);
        }
    }
    assert!(asked[0], "trades are asked for at the first sight of a difference");
    assert!(corrections.is_empty() && told.iter().sum::<usize>() == 0, "{corrections:#?}");
    assert_eq!((desk.portfolio.cash().0, desk.portfolio.position(&"1".into()).expect("held").size.0), (cash, dec!(20)));
}

#[test]
fn corrections_that_a_person_has_accepted_count_no_more_after_a_restart() {
    let corrected = |now: i64| correction(Asset::Usd, "account".into(), dec!(-6), "differed".into(), at(now));
    for (corrected_at, kill) in [(-20, 0), (20, 1)] {
        // Armed at 0, see `latch`.
        let opening = opening(Asset::Usd, "account".into(), (dec!(1_006), Usd::ZERO), at(-30));
        let corrections = vec![opening, corrected(corrected_at)];
        let (mut desk, _) = restored(Memory { corrections, ..Memory::default() });
        ready(&mut desk);
        let mut killed = 0;
        for now in [40_000, 45_000, 50_000] {
            killed += kills(&counted(&mut desk, now, dec!(999.98), dec!(0)));
        }
        assert_eq!(killed, kill, "corrected at {corrected_at}");
    }
}
