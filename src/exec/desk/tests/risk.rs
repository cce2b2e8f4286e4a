//! The account's own controls: repeated orders, funds, marks, and losses that kill.

use super::*;
use crate::exec::venue::{AssetBalance, Balances};

/// A desk with other limits.
pub(super) fn with(change: impl FnOnce(&mut Limits)) -> Desk {
    let mut desk = desk();
    limit(&mut desk, change);
    desk
}

pub(super) fn limit(desk: &mut Desk, change: impl FnOnce(&mut Limits)) {
    let mut limits = desk.gate.limits().clone();
    change(&mut limits);
    desk.gate = RiskGate::new(limits);
}

/// An intent made now, with a fresh book to hold it against.
pub(super) fn wish(desk: &mut Desk, name: &str, now: i64) -> Step {
    heard(desk, dec!(0.48), now);
    let intent = OrderIntent { deadline: at(now + 2_000), ..intent(name, TimeInForce::Gtc) };
    let number = 1_000 + desk.orders.len() as u64;
    desk.on_entry(&entry(number, intent), &sign, at(now))
}

pub(super) fn heard(desk: &mut Desk, bid: Decimal, now: i64) {
    let bids = vec![Level { price: Price(bid), size: Size(dec!(1000)) }];
    desk.on_data(PolymarketData::Book(Book { bids, ..book(at(now)) }), at(now));
}

fn reason(desk: &Desk, name: &str) -> String {
    desk.orders[&key(name)].row.order.reason.clone().unwrap_or_default()
}

pub(super) fn kills(step: &Step) -> Vec<String> {
    step.urgent
        .iter()
        .filter_map(|effect| if let Effect::Kill(why) = effect { Some(why.clone()) } else { None })
        .collect()
}

fn halts(step: &Step) -> Vec<(StrategyHalt, u64)> {
    let halt =
        |write: &Write| if let Write::Halt { halt, epoch, .. } = write { Some((halt.clone(), *epoch)) } else { None };
    step.writes.iter().filter_map(halt).collect()
}

pub(super) fn hold(desk: &mut Desk, shares: Decimal, now: i64) {
    desk.on_user_event(UserEvent::Fill(venue_fill("x", "t1", shares, FillStatus::Confirmed)), at(now));
}

#[test]
fn too_many_of_the_same_halt_the_strategy_until_a_person_arms_and_over_a_restart() {
    let mut desk = with(|limits| limits.repeated_executions = 2);
    for (name, now) in [("a", 100), ("b", 200)] {
        wish(&mut desk, name, now);
        assert_eq!(state(&desk, name), OrderState::Signed);
    }
    assert!(desk.clear_to_send(&key("b"), at(201)).is_ok(), "an order is not a repeat of itself");
    let step = wish(&mut desk, "c", 300);
    assert!(
        reason(&desk, "c").starts_with("repeated_execution: 3 of momentum to buy Up in 300 s"),
        "{}",
        reason(&desk, "c")
    );
    let halted = halts(&step);
    assert_eq!((halted.len(), halted[0].0.strategy.as_str(), halted[0].1), (1, "momentum", 1));
    let shown = desk.snapshot(KillReport::idle(latch(1, KillState::Armed)), 0, at(301));
    assert!(shown.halted[0].why.contains("halted until a person arms"), "{:?}", shown.halted);

    // An hour later nothing is left in the window, and the halt stands; it is not written again.
    desk.reconcile_now(at(3_600_000));
    let long_after = |desk: &mut Desk| {
        desk.on_tick(at(3_600_000));
        desk.on_snapshot(at(3_600_000), Ok(Snapshot::default()), at(3_600_001));
        let waiting: Vec<OrderId> = desk.index.keys().cloned().collect();
        for order in waiting {
            desk.on_lookup(&order, at(3_600_001), absent(), at(3_600_002));
        }
    };
    long_after(&mut desk);
    let step = wish(&mut desk, "d", 3_600_010);
    assert!(reason(&desk, "d").starts_with("strategy_halt: repeated_execution: 3 of"), "{}", reason(&desk, "d"));
    assert!(halts(&step).is_empty());

    let (mut again, _) = restored(Memory { halts: halted, ..Memory::default() });
    ready(&mut again);
    wish(&mut again, "e", 1_000);
    assert_eq!(state(&again, "e"), OrderState::Denied, "after a restart");
    again.on_latch(latch(2, KillState::Armed), at(1_100));
    heard(&mut again, dec!(0.48), 1_200);
    let intent = OrderIntent { epoch: 2, ..intent("f", TimeInForce::Gtc) };
    again.on_entry(&entry(9, intent), &sign, at(1_200));
    assert_eq!((state(&again, "f"), again.halted(at(1_200)).len()), (OrderState::Signed, 0), "a person has armed");
}

#[test]
fn the_orders_of_the_window_are_counted_again_after_a_restart_and_denied_ones_are_not() {
    let mut before = with(|limits| limits.repeated_executions = 2);
    let mut rows = Vec::new();
    for (name, now) in [("a", 100), ("b", 200), ("c", 300)] {
        let step = wish(&mut before, name, now);
        let row = step
            .writes
            .into_iter()
            .find_map(|write| if let Write::Order { row, .. } = write { Some(*row) } else { None });
        rows.push(row.expect("written"));
    }
    let denied = rows.pop().expect("three");
    for (orders, state) in [(vec![rows[0].clone(), denied], OrderState::Signed), (rows, OrderState::Denied)] {
        let (mut desk, _) = restored(Memory { orders, ..Memory::default() });
        limit(&mut desk, |limits| limits.repeated_executions = 2);
        ready(&mut desk);
        wish(&mut desk, "d", 400);
        assert_eq!(self::state(&desk, "d"), state);
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what the venue gives")]
fn balances(cash: Decimal, allowances: Vec<Allowance>) -> Result<Balances, VenueError> {
    Ok(Balances { collateral: AssetBalance { balance: cash, allowances }, tokens: Vec::new() })
}

/// A desk whose first balance is this.
fn with_funds(cash: Decimal, allowances: Vec<Allowance>) -> Desk {
    let mut desk = unopened();
    assert_eq!(desk.funds(), None);
    let step = desk.on_tick(at(2));
    assert!(step.urgent.iter().any(|effect| matches!(effect, Effect::Balances { .. })), "asked for at once");
    desk.on_balances(balances(cash, allowances), at(3));
    assert!(!desk.awaits_funds(at(3)));
    desk
}

#[test]
fn nothing_is_bought_before_the_balance_is_known_and_never_more_than_it_pays_for() {
    let mut unknown = unopened();
    unknown.on_tick(at(2));
    assert!(unknown.awaits_funds(at(30_001)), "new entries wait for it");
    assert!(!unknown.awaits_funds(at(30_002)), "but not for ever");
    wish(&mut unknown, "a", 10);
    assert!(reason(&unknown, "a").starts_with("balance: the balance is not known yet"), "{}", reason(&unknown, "a"));
    // Two orders of 5 with a fee of 0.175 each.
    for (cash, second) in [(dec!(10.35), OrderState::Signed), (dec!(10.349999), OrderState::Denied)] {
        let mut desk = with_funds(cash, vec![unbounded()]);
        for name in ["a", "b"] {
            wish(&mut desk, name, 10);
        }
        assert_eq!((state(&desk, "a"), state(&desk, "b")), (OrderState::Signed, second), "with {cash}");
    }
}

#[test]
fn the_least_allowance_counts_and_what_was_bought_since_is_taken_off_it() {
    let allowed = |amount| Allowance { spender: "other".into(), amount: Some(amount) };
    let mut desk = with_funds(dec!(1000), vec![unbounded(), allowed(dec!(10.35))]);
    hold(&mut desk, dec!(10), 5);
    let mut fresh = with_funds(dec!(1000), vec![unbounded(), allowed(dec!(10.35))]);
    for desk in [&mut desk, &mut fresh] {
        wish(desk, "a", 10);
        wish(desk, "b", 10);
    }
    assert_eq!((state(&fresh, "a"), state(&fresh, "b")), (OrderState::Signed, OrderState::Signed));
    assert_eq!((state(&desk, "a"), state(&desk, "b")), (OrderState::Signed, OrderState::Denied));
    assert!(reason(&desk, "b").ends_with("(limit 5.175 pUSD allowed)"), "{}", reason(&desk, "b"));
    let mut none = with_funds(dec!(1000), Vec::new());
    wish(&mut none, "a", 10);
    assert_eq!(state(&none, "a"), OrderState::Denied, "a venue that names no exchange allows nothing");
}

#[test]
fn what_was_bought_counts_against_the_allowance_until_a_figure_that_must_show_it() {
    let allowed = || vec![Allowance { spender: "other".into(), amount: Some(dec!(100)) }];
    let mut desk = with_funds(dec!(1000), allowed());
    let left = |desk: &Desk| desk.funds().and_then(|funds| funds.allowance).expect("bounded");
    let fill = |status| UserEvent::Fill(VenueFill { role: Role::Maker, ..venue_fill("x", "t1", dec!(10), status) });
    let looked = |desk: &mut Desk, now: i64| {
        desk.counting.recount(at(now));
        desk.reconcile_now(at(now));
        desk.on_tick(at(now));
        desk.on_snapshot(at(now), Ok(Snapshot::default()), at(now));
        desk.on_tick(at(now));
        desk.on_balances(balances(dec!(995), allowed()), at(now + 10));
    };
    desk.on_user_event(fill(FillStatus::Matched), at(1_000));
    assert_eq!(left(&desk), Usd(dec!(95)));
    looked(&mut desk, 11_000);
    assert_eq!(left(&desk), Usd(dec!(95)), "the venue takes it off at settlement");
    desk.on_user_event(fill(FillStatus::Confirmed), at(20_000));
    looked(&mut desk, 45_000);
    assert_eq!(left(&desk), Usd(dec!(95)), "its figure may be older than the settlement");
    looked(&mut desk, 60_000);
    assert_eq!(left(&desk), Usd(dec!(100)), "as low as it will be");
}

#[test]
fn proceeds_of_a_sale_are_not_spent_before_they_are_settled() {
    let mut desk = with_funds(dec!(100), vec![unbounded()]);
    let sale = |status| VenueFill { side: Side::Sell, role: Role::Maker, ..venue_fill("y", "t2", dec!(10), status) };
    hold(&mut desk, dec!(10), 5);
    let free = |desk: &Desk| desk.funds().expect("known").free;
    let before = free(&desk);
    desk.on_user_event(UserEvent::Fill(sale(FillStatus::Matched)), at(6));
    assert_eq!(free(&desk), before);
    desk.on_user_event(UserEvent::Fill(sale(FillStatus::Confirmed)), at(7));
    assert_eq!(free(&desk), before + Usd(dec!(5)));
}

#[test]
fn what_was_matched_and_has_no_trade_yet_is_at_stake() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", accepted(), 5);
    let at_stake = |desk: &Desk| {
        let holdings = desk.holdings(None);
        (holdings.gross(), holdings.of_strategy(&"momentum".into()), holdings.token(&"1".into()).buying)
    };
    let whole = (Usd(dec!(5.175)), Usd(dec!(5.175)), Size(dec!(10)));
    assert_eq!(at_stake(&desk), whole);
    desk.on_user_event(UserEvent::Order(venue_order("a", VenueOrderStatus::Live, Some(dec!(4)))), at(10));
    assert_eq!(at_stake(&desk), whole, "the trade of the four is not known");
    desk.on_user_event(UserEvent::Order(venue_order("a", VenueOrderStatus::Matched, Some(dec!(10)))), at(11));
    assert_eq!((state(&desk, "a"), at_stake(&desk)), (OrderState::Filled, whole));
    desk.on_user_event(UserEvent::Fill(venue_fill("a", "t1", dec!(10), FillStatus::Matched)), at(12));
    assert_eq!(at_stake(&desk), (Usd(dec!(5.175)), Usd(dec!(5.175)), Size::ZERO), "held now, and counted once");
}

#[test]
fn a_mark_that_is_missing_or_too_old_freezes_equity_and_names_the_token() {
    let mut desk = with(|limits| limits.mark_age = Duration::from_secs(30));
    let other = VenueFill {
        token: "2".into(),
        outcome: "Down".into(),
        ..venue_fill("x", "t1", dec!(10), FillStatus::Confirmed)
    };
    desk.on_user_event(UserEvent::Fill(other), at(100));
    let shown = |desk: &Desk, now: i64| desk.snapshot(KillReport::idle(latch(1, KillState::Armed)), 0, at(now));
    let day = desk.track.day();
    for now in [1_100, 2_200, 3_300, 4_400] {
        assert!(kills(&desk.on_tick(at(now))).is_empty());
    }
    let words = "no price yet of token 2 of btc-updown-5m-0";
    assert_eq!(desk.equity(at(4_400)), Err(words.to_owned()));
    assert_eq!(desk.track.day(), day, "nothing moves");
    assert!(shown(&desk, 4_400).trouble.expect("said").ends_with(words));
    assert_eq!(shown(&desk, 4_400).equity.expect("told").current, None);
    wish(&mut desk, "a", 4_500);
    assert!(reason(&desk, "a").contains(words), "{}", reason(&desk, "a"));

    desk.on_data(PolymarketData::Book(Book { token: "2".into(), ..book(at(5_000)) }), at(5_000));
    assert!(desk.equity(at(35_000)).is_ok() && shown(&desk, 35_000).trouble.is_none());
    assert!(desk.equity(at(35_001)).expect_err("old").contains("is 30 s old, at most 30 s are allowed"));
    desk.on_data(
        PolymarketData::Book(Book { token: "2".into(), heard_at: Some(at(35_100)), ..book(at(5_000)) }),
        at(35_100),
    );
    assert!(desk.equity(at(60_000)).is_ok(), "a book that does not change is known to be true");
}

#[test]
fn between_close_and_result_the_last_mark_stands_and_the_result_is_final() {
    let mut desk = desk();
    hold(&mut desk, dec!(10), 100);
    let told = |desk: &mut Desk, payouts: Option<[i64; 2]>| {
        let payouts = payouts.map(|payouts| payouts.map(|payout| Price(payout.into())));
        let market = Market { closes_at: Some(at(20_000)), accepting_orders: false, payouts, ..market() };
        desk.on_data(PolymarketData::Market(market), at(60_000))
    };
    heard(&mut desk, dec!(0.48), 15_000);
    told(&mut desk, None);
    let total = |desk: &Desk| desk.equity(at(3_600_000)).map(|equity| equity.current);
    desk.on_tick(at(1_500));
    let fee = dec!(0.175);
    assert_eq!(total(&desk), Ok(Usd(dec!(-0.2) - fee)), "resolving: 10 at the last bid of 0.48");
    told(&mut desk, Some([1, 0]));
    assert_eq!(total(&desk), Ok(Usd(dec!(5) - fee)));
    assert_eq!(mismatches(&told(&mut desk, None)), 0);
    assert_eq!(mismatches(&told(&mut desk, Some([0, 1]))), 1, "another result is a disagreement");
    assert_eq!(total(&desk), Ok(Usd(dec!(5) - fee)));
    assert!(desk.markets[&MarketId::new("0xm")].payouts.is_some(), "nor does it open again");
}

#[test]
fn a_mark_that_was_too_old_at_the_end_of_trading_is_not_known_afterwards_and_the_named_end_is_none() {
    let mut desk = with(|limits| limits.mark_age = Duration::from_secs(30));
    hold(&mut desk, dec!(10), 100);
    let told = |desk: &mut Desk, accepting_orders: bool, now: i64| {
        let market = Market { closes_at: Some(at(600_000)), accepting_orders, ..market() };
        desk.on_data(PolymarketData::Market(market), at(now));
    };
    heard(&mut desk, dec!(0.90), 1_000);
    told(&mut desk, true, 2_000);
    assert!(desk.equity(at(100_000)).is_err());
    assert!(desk.equity(at(601_000)).is_err(), "it names its end and goes on");
    told(&mut desk, false, 602_000);
    let words =
        "the price of token 1 of btc-updown-5m-0 was, when its trading ended, 599 s old, at most 30 s are allowed";
    assert_eq!(desk.equity(at(603_000)), Err(words.to_owned()));
    // Trading goes on beyond the named end: what ends it is that no order is taken.
    heard(&mut desk, dec!(0.80), 650_000);
    told(&mut desk, true, 660_000);
    assert!(desk.equity(at(681_000)).is_err());
    told(&mut desk, false, 690_000);
    assert!(desk.equity(at(3_600_000)).is_ok(), "fresh when it was last seen to trade");
}

#[test]
fn a_new_highest_of_the_window_is_written_at_once_and_an_orderly_end_writes_the_rest() {
    let mut desk = desk();
    hold(&mut desk, dec!(200), 100);
    let highs = |step: &Step| -> Vec<Usd> {
        let high = |write: &Write| if let Write::Equity { high, .. } = write { Some(*high) } else { None };
        step.writes.iter().filter_map(high).collect()
    };
    let mut written = Vec::new();
    for second in 1..10 {
        heard(&mut desk, dec!(0.90), second * 1_000);
        written.extend(highs(&desk.on_tick(at(second * 1_000))));
    }
    assert_eq!(written.last(), Some(&Usd(dec!(76.5))), "within the minute: {written:?}");
    // A new span begins lower: no rise, and still kept at the end.
    let later = 10 * 60_000;
    for second in 0..4 {
        let now = later + second * 1_000;
        heard(&mut desk, dec!(0.80), now);
        desk.portfolio.look(at(now), [Duration::from_secs(30), Duration::ZERO], 3);
        if second >= 2 {
            desk.track.observe(at(now), desk.total(at(now)), desk.gate.limits());
        }
    }
    assert_eq!(highs(&desk.cancel_resting(at(later + 5_000))), [Usd(dec!(56.5))]);
}

/// A tick a second, each with this bid; the kills of all of them.
pub(super) fn play(desk: &mut Desk, from: i64, bids: &[Decimal]) -> Vec<String> {
    let mut killed = Vec::new();
    for (second, bid) in (from..).zip(bids) {
        heard(desk, *bid, second * 1_000);
        killed.extend(kills(&desk.on_tick(at(second * 1_000))));
    }
    killed
}

#[test]
fn a_rolling_loss_kills_once_with_its_words_and_arming_is_refused_while_it_lasts() {
    let mut desk = with(|limits| {
        limits.daily_drawdown = Usd(dec!(1_000));
        limits.rolling_loss = Usd(dec!(53.5));
    });
    hold(&mut desk, dec!(200), 100);
    assert!(play(&mut desk, 1, &[dec!(0.50); 5]).is_empty());
    assert!(play(&mut desk, 6, &[dec!(0.99), dec!(0.50), dec!(0.01), dec!(0.01), dec!(0.50)]).is_empty(), "phantoms");
    assert!(play(&mut desk, 11, &[dec!(0.25); 4]).is_empty(), "to the cent, its fee of 3.5 included");
    let killed = play(&mut desk, 15, &[dec!(0.24); 6]);
    assert_eq!(killed, ["rolling_loss: 55.5 pUSD (limit 53.5 pUSD below the highest of 24 h)"]);
    desk.on_latch(latch(1, KillState::Killed), at(21_000));
    let objections = desk.objections(at(21_000));
    assert!(objections.iter().any(|why| why.starts_with("rolling_loss: 55.5 pUSD")), "{objections:?}");
    limit(&mut desk, |limits| limits.rolling_loss = Usd(dec!(60)));
    assert_eq!(desk.objections(at(21_000)), Vec::<String>::new());
}

#[test]
fn a_token_without_a_price_hides_no_loss_that_is_certain() {
    let mut desk = with(|limits| {
        limits.mark_age = Duration::from_secs(30);
        limits.daily_loss = Usd(dec!(40));
    });
    hold(&mut desk, dec!(200), 100);
    let stranger = VenueFill {
        token: "2".into(),
        outcome: "Down".into(),
        role: Role::Maker,
        ..venue_fill("y", "t2", dec!(1), FillStatus::Confirmed)
    };
    desk.on_user_event(UserEvent::Fill(stranger), at(101));
    assert!(play(&mut desk, 1, &[dec!(0.40); 5]).is_empty());
    assert!(desk.equity(at(5_000)).is_err(), "nobody knows what the one share is worth");
    assert_eq!(desk.trading_state(at(5_000)), TradingState::Active);
    // 200 at 0.20 instead of 0.50, their fee of 3.5, and the one share at most half a pUSD better than it cost.
    let killed = play(&mut desk, 6, &[dec!(0.20); 6]);
    assert_eq!(killed, ["daily_drawdown: at least 63 pUSD (limit 50 pUSD below the day's peak)"]);
    assert_eq!(desk.trading_state(at(11_000)), TradingState::Reducing);
    let loss = desk.limit_uses().into_iter().find(|used| used.control == Control::DailyDrawdown).expect("measured");
    assert_eq!(loss.value, dec!(63));
    let objections = desk.objections(at(11_000)).join("; ");
    assert!(objections.contains("daily_drawdown: at least 63 pUSD"), "{objections}");
}

#[test]
fn a_loss_of_before_the_start_kills_with_a_single_confirmation_as_well() {
    let (mut desk, _) =
        restored(Memory { day: Some((at(0).utc_day(), Usd::ZERO, Usd(dec!(80)))), ..Memory::default() });
    limit(&mut desk, |limits| limits.drawdown_confirmations = 1);
    desk.on_tick(at(500));
    assert_eq!(kills(&desk.on_tick(at(1_000))).len(), 1);
}

#[test]
fn a_restart_keeps_the_day_and_the_window_and_trips_where_it_stood() {
    let memory = || Memory {
        day: Some((at(0).utc_day(), Usd::ZERO, Usd(dec!(40)))),
        highs: vec![(at(0).minus(Duration::from_hours(3)), Usd(dec!(45)))],
        ..Memory::default()
    };
    let (mut desk, _) = restored(memory());
    ready(&mut desk);
    hold(&mut desk, dec!(200), 100);
    let equity = desk.equity(at(200)).expect("known");
    assert_eq!((equity.peak, equity.rolling_high), (Usd(dec!(40)), Usd(dec!(45))));
    let killed = play(&mut desk, 1, &[dec!(0.44); 4]);
    assert_eq!(killed, ["daily_drawdown: 55.5 pUSD (limit 50 pUSD below the day's peak)"]);
    let step = desk.on_tick(at(61_000));
    let highs = step.writes.iter().filter(|write| matches!(write, Write::Equity { .. })).count();
    assert_eq!(highs, 1, "the window is written once a minute");
}

#[test]
fn what_is_about_to_halt_a_strategy_or_to_open_the_breaker_is_measured() {
    let mut desk = with(|limits| {
        limits.unknown_halt = Duration::from_mins(1);
        limits.breaker_rejections = 5;
    });
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", unknown(), 5);
    for now in [10, 20, 30] {
        desk.breaker.refused(&intent("x", TimeInForce::Gtc), RejectCode::Tick, 5, at(now));
    }
    let step = desk.on_tick(at(31_000));
    let used = |control| {
        let used = desk.limit_uses().into_iter().find(|used| used.control == control).expect("measured");
        (used.subject, used.percent)
    };
    assert_eq!(used(Control::StrategyHalt), ("momentum".to_owned(), 51));
    assert_eq!(used(Control::CircuitBreaker), ("market 0xm as tick".to_owned(), 60));
    assert_eq!(levels_told(&step, Control::StrategyHalt), [50]);
    assert_eq!(levels_told(&step, Control::CircuitBreaker), [50]);
    for now in [31_100, 31_200] {
        desk.breaker.refused(&intent("x", TimeInForce::Gtc), RejectCode::Tick, 5, at(now));
    }
    let levels = levels_told(&desk.on_tick(at(32_000)), Control::CircuitBreaker);
    assert_eq!(levels, [80, 95, 100], "it has opened");
}

fn levels_told(step: &Step, control: Control) -> Vec<u32> {
    let alert = |write: &Write| if let Write::Alert(alert) = write { Some(alert.clone()) } else { None };
    step.writes.iter().filter_map(alert).filter(|alert| alert.control == control).map(|alert| alert.level).collect()
}

#[test]
fn our_own_resting_orders_are_no_depth_that_closes_what_we_hold() {
    let mut desk = desk();
    hold(&mut desk, dec!(10), 100);
    let shown = |desk: &mut Desk, size: Decimal, now: i64| {
        let level = |price, size| Level { price: Price(price), size: Size(size) };
        let bids = vec![level(dec!(0.50), size), level(dec!(0.20), dec!(100))];
        desk.on_data(PolymarketData::Book(Book { bids, ..book(at(now)) }), at(now));
        desk.equity(at(now)).expect("known").current
    };
    desk.on_tick(at(1_000));
    let fee = dec!(0.175);
    assert_eq!(shown(&mut desk, dec!(10), 1_001), Usd(-fee), "ten at 0.50, as they were bought");
    wish(&mut desk, "a", 1_100);
    desk.clear_to_send(&key("a"), at(1_101)).expect("clear");
    answered(&mut desk, "a", accepted(), 1_102);
    assert_eq!(shown(&mut desk, dec!(10), 1_200), Usd(dec!(-3) - fee), "all of it is ours");
    assert_eq!(shown(&mut desk, dec!(20), 1_300), Usd(-fee), "ten others' besides");
    assert_eq!(shown(&mut desk, dec!(19.99), 1_400), Usd(dec!(-0.003) - fee));
    desk.on_user_event(UserEvent::Order(venue_order("a", VenueOrderStatus::Cancelled, None)), at(1_500));
    assert_eq!(shown(&mut desk, dec!(10), 1_600), Usd(-fee), "it is gone");
}
