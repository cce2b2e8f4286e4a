//! Taking over an account that was used before, and what it is paid for shares of resolved markets.

use super::money::{counted, journals, kills};
use super::*;
use crate::domain::{Journal, JournalKind, fold};
use crate::exec::venue::{AssetBalance, Balances};

const HOUR: i64 = 3_600_000;

/// A desk on a new ledger at a venue that lists these fills, and what it wrote until it was opened. `holds` is what the venue
/// has of each token.
fn taken_over(fills: Vec<VenueFill>, orders: &[VenueOrder], holds: &dyn Fn(&str) -> Decimal) -> (Desk, Vec<Write>) {
    let (mut desk, _) = restored_as_it_is(Memory::default());
    desk.purse.counted(&[unbounded()]);
    desk.on_tick(at(0));
    let mut writes =
        desk.on_snapshot(at(0), Ok(Snapshot { orders: orders.to_vec(), fills, ..Snapshot::default() }), at(1)).writes;
    for order in orders {
        writes.extend(desk.on_recalled(&order.order, Ok(Known::default()), at(1)).writes);
    }
    desk.on_data(PolymarketData::Market(market()), at(1));
    at_stake(&mut desk);
    for n in 0..40 {
        let now = 2 + n * 5_000;
        for effect in desk.on_tick(at(now)).effects() {
            match effect {
                Effect::Balances { tokens, .. } => {
                    assert!(tokens.len() <= 50);
                    let of = |balance| AssetBalance { balance, allowances: vec![unbounded()] };
                    let tokens = tokens.iter().map(|token| (token.clone(), of(holds(token.as_str())))).collect();
                    let step = desk.on_balances(Ok(Balances { collateral: of(dec!(1000)), tokens }), at(now));
                    assert_eq!(kills(&step), 0);
                    writes.extend(step.writes);
                }
                Effect::Snapshot { .. } => {
                    let listed = Snapshot { orders: orders.to_vec(), ..Snapshot::default() };
                    writes.extend(desk.on_snapshot(at(now), Ok(listed), at(now)).writes);
                }
                _ => {}
            }
        }
    }
    at_stake(&mut desk);
    (desk, writes)
}

/// What the gate counts, kept up to date: it is compared with a count from scratch whenever it is taken.
fn at_stake(desk: &mut Desk) -> Size {
    let holdings = desk.take_holdings(None);
    let held = holdings.token(&"1".into()).held;
    desk.give_back(holdings);
    held
}

fn booked(writes: &[Write]) -> Vec<Journal> {
    let step = Step { writes: writes.to_vec(), ..Step::default() };
    journals(&step)
}

fn told(writes: &[Write]) -> Vec<&str> {
    let mut told = Vec::new();
    for write in writes {
        if let Write::Mismatch(event) = write {
            told.push(event.detail.as_str());
        }
    }
    told
}

fn past(token: &str, trade: &str, side: Side, size: Decimal, price: Decimal) -> VenueFill {
    VenueFill {
        token: token.into(),
        side,
        price: Price(price),
        role: Role::Maker,
        matched_at: at(-3 * HOUR),
        ..venue_fill("old", trade, size, FillStatus::Confirmed)
    }
}

#[test]
fn a_used_account_begins_with_what_it_has_and_its_past_is_no_loss_and_no_mismatch() {
    let fills = vec![
        past("1", "t1", Side::Buy, dec!(30), dec!(0.40)),
        past("1", "t2", Side::Sell, dec!(10), dec!(0.70)),
        // Redeemed long ago, and sold whole.
        past("5", "t3", Side::Buy, dec!(500), dec!(0.90)),
        past("6", "t4", Side::Buy, dec!(7), dec!(0.50)),
        past("6", "t5", Side::Sell, dec!(7), dec!(0.50)),
    ];
    let holds = |token: &str| if token == "1" { dec!(20) } else { dec!(0) };
    let (mut desk, writes) = taken_over(fills.clone(), &[], &holds);
    let journals = booked(&writes);
    assert!(told(&writes).is_empty(), "{:?}", told(&writes));
    assert_eq!(journals.iter().map(|journal| journal.kind).collect::<Vec<_>>(), [JournalKind::Opening; 2]);
    assert!(journals.iter().all(|journal| journal.imbalance().is_none()), "{journals:#?}");
    let position = desk.portfolio.position(&"1".into()).expect("held");
    assert_eq!((position.size, position.avg_price), (Size(dec!(20)), Price(dec!(0.4))), "as it was bought");
    assert_eq!((position.outcome.as_str(), position.slug), ("Up", Some(market().slug)), "as its market calls it");
    let stored = |write: &&Write| matches!(write, Write::Market(stored) if **stored == market());
    assert_eq!(writes.iter().filter(stored).count(), 1, "for whoever reads the ledger");
    assert_eq!((desk.portfolio.cash(), desk.portfolio.pnl().realised), (Usd(dec!(1000)), Usd::ZERO));
    assert_eq!(desk.funds().map(|funds| funds.free), Some(Usd(dec!(1000))));
    assert!(!desk.portfolio.holds(&"5".into()) && desk.portfolio.count() == 0);

    // Another start lists an hour of it again, and is not taken in.
    let memory = Memory { corrections: journals.clone(), markets: vec![market()], ..Memory::default() };
    let (mut again, _) = restored(memory);
    let step = again.on_snapshot(at(0), Ok(Snapshot { fills, ..Snapshot::default() }), at(1));
    assert!(step.writes.is_empty(), "{:?}", step.writes);
    assert_eq!(again.portfolio.positions(at(2)), desk.portfolio.positions(at(2)));
    for n in 0..4 {
        assert!(counted(&mut desk, 300_000 + n * 31_000, dec!(1000), dec!(20)).writes.is_empty(), "equal");
    }
}

#[test]
fn of_an_order_that_is_open_when_the_books_begin_every_trade_counts() {
    let old = VenueFill { matched_at: at(-3 * HOUR), ..venue_fill("manual", "t1", dec!(4), FillStatus::Confirmed) };
    let open = venue_order("manual", VenueOrderStatus::Live, Some(dec!(4)));
    let (desk, writes) = taken_over(vec![old], &[open], &|_| dec!(4));
    assert!(desk.untraded.is_empty(), "its trade is known");
    let position = desk.portfolio.position(&"1".into()).expect("held");
    assert_eq!((position.size, desk.portfolio.cash()), (Size(dec!(4)), Usd(dec!(1000))));
    let kinds: Vec<JournalKind> = booked(&writes).iter().map(|journal| journal.kind).collect();
    assert_eq!(kinds, [JournalKind::Fill, JournalKind::Opening]);
    assert_eq!(desk.holdings(None).token(&"1".into()).buying, Size(dec!(6)));
}

#[test]
fn more_tokens_than_one_look_has_room_for_are_taken_over_in_turn() {
    let bought = |n: usize| past(&format!("{n:03}"), &format!("t{n}"), Side::Buy, dec!(2), dec!(0.50));
    let (desk, _) = taken_over((0..130).map(bought).collect(), &[], &|_| dec!(2));
    assert_eq!((desk.portfolio.held().count(), desk.portfolio.cash()), (130, Usd(dec!(1000))));
}

#[test]
fn a_trade_that_never_settles_does_not_keep_a_new_ledger_from_its_balance() {
    let one = |status| VenueFill { status, matched_at: at(-1_000), ..past("1", "t1", Side::Buy, dec!(10), dec!(0.50)) };
    for (status, cash, shares) in
        [(FillStatus::Mined, dec!(1000), dec!(10)), (FillStatus::Retrying, dec!(995), dec!(20))]
    {
        // What is mined shows in the balance; what is not may still come.
        let (mut desk, writes) = taken_over(vec![one(status)], &[], &|_| dec!(10));
        assert_eq!(desk.portfolio.cash(), Usd(cash), "{status:?}");
        assert_eq!(desk.portfolio.position(&"1".into()).expect("held").size, Size(shares), "{status:?}");
        assert_eq!(desk.funds().map(|funds| funds.free), Some(Usd(cash)), "{status:?}: buys may go");
        assert!(booked(&writes).iter().all(|journal| journal.kind != JournalKind::Correction));
        let (cash, shares) = if status == FillStatus::Mined { (1000, 10) } else { (995, 20) };
        desk.on_user_event(UserEvent::Fill(one(FillStatus::Confirmed)), at(300_000));
        for n in 0..4 {
            let step = counted(&mut desk, 340_000 + n * 31_000, cash.into(), shares.into());
            assert!(step.writes.is_empty(), "{status:?}: {:?}", step.writes);
        }
    }
}

/// A desk that bought 10 for one strategy at 0.50 and 10 for nobody at 0.40; its market pays a whole pUSD a share.
fn winner() -> Desk {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", accepted(), 5);
    let maker = |name, trade, status| VenueFill { role: Role::Maker, ..venue_fill(name, trade, dec!(10), status) };
    desk.on_user_event(UserEvent::Fill(maker("a", "t1", FillStatus::Confirmed)), at(10));
    let cheaper = VenueFill { price: Price(dec!(0.40)), ..maker("x", "t2", FillStatus::Confirmed) };
    desk.on_user_event(UserEvent::Fill(cheaper), at(11));
    let payouts = Some([Price(dec!(1)), Price::ZERO]);
    desk.on_data(PolymarketData::Market(Market { payouts, accepting_orders: false, ..market() }), at(20_000));
    desk
}

#[test]
fn a_redemption_is_booked_at_the_payout_leaves_profit_as_it_was_and_is_no_mismatch() {
    let mut desk = winner();
    let (before, cash) = (desk.portfolio.pnl(), desk.portfolio.cash().0);
    assert_eq!((before.total, cash), (Usd(dec!(11)), dec!(999_991)));
    // The pUSD shows before the shares are seen to be gone.
    let mut written = Vec::new();
    assert_eq!(at_stake(&mut desk), Size(dec!(20)));
    for (n, shares) in [dec!(20), dec!(20), dec!(20), dec!(0), dec!(0), dec!(0), dec!(0)].into_iter().enumerate() {
        let now = 60_000 + i64::try_from(n).expect("few") * 31_000;
        let step = counted(&mut desk, now, cash + dec!(20), shares);
        assert_eq!((mismatches(&step), kills(&step)), (0, 0), "look {n}");
        assert_eq!(desk.differing(at(now)), Usd::ZERO, "look {n}");
        written.extend(journals(&step));
    }
    assert_eq!(written.iter().map(|journal| journal.kind).collect::<Vec<_>>(), [JournalKind::Redemption; 2]);
    assert!(written.iter().all(|journal| journal.imbalance().is_none()));
    assert_eq!(fold(&written).cash, Usd(dec!(20)));
    let after = desk.portfolio.pnl();
    assert_eq!((after.total, after.realised, after.unrealised), (before.total, Usd(dec!(11)), Usd::ZERO));
    assert!(!desk.portfolio.holds(&"1".into()) && at_stake(&mut desk).is_zero());
    let position = desk.portfolio.position(&"1".into()).expect("traded");
    assert!(position.parts.iter().all(|part| part.size.is_zero()), "{:?}", position.parts);
}

#[test]
fn shares_that_go_between_close_and_result_wait_for_the_result() {
    let mut desk = desk();
    let fill = VenueFill { role: Role::Maker, ..venue_fill("x", "t1", dec!(20), FillStatus::Confirmed) };
    desk.on_user_event(UserEvent::Fill(fill), at(10));
    let closed = || Market { closes_at: Some(at(20_000)), accepting_orders: false, ..market() };
    desk.on_data(PolymarketData::Market(closed()), at(20_000));
    let cash = desk.portfolio.cash().0;
    for n in 0..4 {
        let step = counted(&mut desk, 60_000 + n * 31_000, cash + dec!(20), dec!(0));
        assert_eq!((mismatches(&step), journals(&step).len()), (0, 0));
    }
    let payouts = Some([Price(dec!(1)), Price::ZERO]);
    desk.on_data(PolymarketData::Market(Market { payouts, ..closed() }), at(190_000));
    let booked = (0..4).flat_map(|n| journals(&counted(&mut desk, 200_000 + n * 31_000, cash + dec!(20), dec!(0))));
    assert_eq!(booked.map(|journal| journal.kind).collect::<Vec<_>>(), [JournalKind::Redemption]);
    assert_eq!(desk.portfolio.cash().0, cash + dec!(20));
}

#[test]
fn a_market_that_nobody_described_has_paid_out_when_the_whole_pusd_is_there() {
    let mut desk = desk();
    let unknown = |name: &str| VenueFill {
        token: "9".into(),
        market: "0xold".into(),
        role: Role::Maker,
        ..venue_fill("x", name, dec!(20), FillStatus::Confirmed)
    };
    desk.on_user_event(UserEvent::Fill(unknown("t1")), at(10));
    let cash = desk.portfolio.cash().0;
    let mut kinds = Vec::new();
    for n in 0..4 {
        let now = 60_000 + n * 31_000;
        let step = desk.on_tick(at(now));
        desk.on_snapshot(at(now), Ok(Snapshot::default()), at(now));
        assert_eq!(step.effects().filter(|effect| matches!(effect, Effect::Balances { .. })).count(), 1);
        let of = |balance| AssetBalance { balance, allowances: vec![unbounded()] };
        let none = Balances { collateral: of(cash + dec!(20)), tokens: vec![("9".into(), of(dec!(0)))] };
        let step = desk.on_balances(Ok(none), at(now));
        kinds.extend(journals(&step).into_iter().map(|journal| journal.kind));
        assert_eq!((mismatches(&step), kills(&step)), (0, 0));
    }
    assert_eq!(kinds, [JournalKind::Redemption]);
}

#[test]
fn pusd_beyond_every_payout_and_shares_that_were_not_paid_out_are_mismatches() {
    let mut desk = winner();
    let cash = desk.portfolio.cash().0;
    let told: usize =
        (0..3).map(|n| mismatches(&counted(&mut desk, 60_000 + n * 31_000, cash + dec!(21), dec!(20)))).sum();
    assert_eq!(told, 1, "1 pUSD came from elsewhere");
    let mut desk = winner();
    let mut killed = 0;
    for n in 0..8 {
        killed += kills(&counted(&mut desk, 60_000 + n * 31_000, cash, dec!(0)));
    }
    assert_eq!(killed, 1, "20 shares are gone and their pUSD never came");
}
