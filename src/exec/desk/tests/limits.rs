//! Limits that change while the desk trades, what is told of their use, and what follows when one is exceeded.

use super::*;
use crate::domain::params::RISK;
use crate::exec::desk::limits::LimitBook;

fn command(action: Action) -> Command {
    Command { id: "c1".into(), actor: "cli:alice".into(), issued_at: at(0), expires_at: at(10_000), action }
}

fn set(pairs: &[(&str, &str)], confirm: bool) -> Command {
    let changes = pairs.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect();
    let action =
        Action::SetParams { strategy: RISK.into(), expected: None, changes, why: "a quiet night".into(), confirm };
    command(action)
}

fn changed(desk: &mut Desk, name: &str, text: &str, confirm: bool) -> Result<Step, Vec<String>> {
    let id = format!("{name}={text} {}", desk.limits_version());
    desk.change_limits(&Command { id, ..set(&[(name, text)], confirm) }, at(5))
}

fn in_force(desk: &Desk, name: &str) -> (u64, String) {
    let risk = desk.snapshot(KillReport::idle(desk.latch.clone()), 1, at(6)).risk.expect("told");
    (risk.version, risk.values[name].clone())
}

fn book_of(step: &Step) -> ParamBook {
    let book = |write: &Write| if let Write::Params(book) = write { Some((**book).clone()) } else { None };
    step.writes.iter().find_map(book).expect("written")
}

fn denials(step: &Step) -> Vec<Denial> {
    let denial = |effect: &Effect| match effect {
        Effect::Emit(event) => match event.as_ref() {
            TradeEvent::Denied { denial, .. } => Some(denial.clone()),
            _ => None,
        },
        _ => None,
    };
    step.effects().filter_map(denial).collect()
}

fn alerts(step: &Step) -> Vec<(Control, u32)> {
    let written =
        |write: &Write| if let Write::Alert(alert) = write { Some((alert.control, alert.level)) } else { None };
    step.writes.iter().filter_map(written).collect()
}

#[test]
fn a_tightening_counts_before_it_is_durable() {
    let mut desk = desk();
    let step = changed(&mut desk, "order_size", "5", false).expect("tighter");
    assert_eq!(in_force(&desk, "order_size"), (1, "5".into()), "in force, and version 1 is the last in the ledger");
    let denied = desk.on_entry(&entry(1, intent("a", TimeInForce::Gtc)), &sign, at(6));
    assert_eq!(denials(&denied)[0].to_string(), "order_size: 10 shares (limit above 0, up to 5 shares)");
    let version = book_of(&step).in_force().cloned().expect("a version");
    assert_eq!((version.version, version.by.as_str(), version.why.as_str()), (2, "cli:alice", "a quiet night"));
    assert_eq!(version.changed[0].to_string(), "order_size 1000 -> 5");
    assert!(matches!(step.after[..], [Effect::LimitsDurable(2), Effect::Emit(_), Effect::Mirror(_)]), "{step:?}");
    assert!(step.urgent.is_empty(), "nothing is told before it is durable");
    desk.limits_durable(2);
    assert_eq!(in_force(&desk, "order_size"), (2, "5".into()));
}

#[test]
fn an_order_that_was_decided_is_judged_by_the_limits_of_the_moment_it_leaves() {
    let mut desk = desk();
    let step = desk.on_entry(&entry(1, intent("a", TimeInForce::Gtc)), &sign, at(2));
    assert_eq!(posts(&step), [key("a")]);
    changed(&mut desk, "gross_exposure", "4.99", false).expect("tighter");
    let denied = desk.clear_to_send(&key("a"), at(3)).expect_err("5 pUSD are too much now");
    assert_eq!(denials(&denied)[0].control, Control::GrossExposure);
}

#[test]
fn a_widening_needs_the_confirmation_and_counts_only_once_it_is_durable() {
    let mut desk = desk();
    let pairs = [("order_size", "2000"), ("reduce_only", "true"), ("duplicate_ms", "0"), ("markets", "a,b")];
    let refused = desk.change_limits(&set(&pairs, false), at(5)).expect_err("wider");
    assert_eq!(
        refused,
        [
            "order_size 1000 -> 2000 widens a limit; if that is meant, repeat it with --confirm",
            "markets btc-updown-5m-{start} -> a,b widens a limit; if that is meant, repeat it with --confirm",
        ]
    );
    assert_eq!(desk.limits_version(), 1);
    desk.change_limits(&set(&pairs, true), at(5)).expect("confirmed");
    assert_eq!(in_force(&desk, "order_size").1, "1000", "not before it is durable");
    assert_eq!((in_force(&desk, "reduce_only").1, in_force(&desk, "markets").1), ("true".into(), String::new()));
    desk.limits_durable(2);
    assert_eq!((in_force(&desk, "order_size"), in_force(&desk, "markets").1), ((2, "2000".into()), "a,b".into()));
}

#[test]
fn of_several_that_wait_the_strictest_counts() {
    let mut desk = desk();
    changed(&mut desk, "open_orders", "5", false).expect("tighter");
    changed(&mut desk, "open_orders", "900", true).expect("confirmed");
    changed(&mut desk, "open_orders", "7", false).expect("tighter");
    assert_eq!(in_force(&desk, "open_orders").1, "5");
    desk.limits_durable(2);
    assert_eq!(in_force(&desk, "open_orders"), (2, "5".into()));
    desk.limits_durable(3);
    assert_eq!(in_force(&desk, "open_orders"), (3, "7".into()), "900, and 7 waits");
    desk.limits_durable(4);
    assert_eq!(in_force(&desk, "open_orders"), (4, "7".into()));
}

#[test]
fn a_version_that_the_ledger_refuses_for_good_is_none_and_nothing_is_built_on_it() {
    let mut desk = desk();
    changed(&mut desk, "open_orders", "50", false).expect("tighter");
    desk.limits_durable(2);
    let refused = changed(&mut desk, "order_size", "2000", true).expect("confirmed");
    let step = desk.limits_refused(&refused.after, at(6));
    assert!(step.writes.is_empty() && step.after.is_empty(), "nothing waits behind it");
    assert_eq!(desk.limits_version(), 2);
    let step = changed(&mut desk, "open_orders", "40", false).expect("tighter");
    let version = book_of(&step).in_force().cloned().expect("a version");
    assert_eq!((version.version, version.values["order_size"].as_str()), (3, "1000"));
    desk.limits_durable(3);
    assert_eq!((in_force(&desk, "order_size"), in_force(&desk, "open_orders").1), ((3, "1000".into()), "40".into()));
    changed(&mut desk, "order_size", "2000", false).expect_err("it still widens");
}

#[test]
fn what_waits_behind_a_version_that_is_refused_does_not_bring_it_into_force() {
    let mut desk = desk();
    let refused = changed(&mut desk, "order_size", "2000", true).expect("confirmed");
    changed(&mut desk, "open_orders", "40", false).expect("tighter");
    let step = desk.limits_refused(&refused.after, at(6));
    let version = book_of(&step).in_force().cloned().expect("a version");
    assert_eq!((version.version, version.by.as_str(), version.values["order_size"].as_str()), (4, "hermes", "1000"));
    assert!(version.why.contains("refused version 2"), "{}", version.why);
    desk.limits_durable(3);
    assert_eq!(in_force(&desk, "order_size"), (3, "1000".into()), "the next one waits, and the strictest counts");
    desk.limits_durable(4);
    assert_eq!(in_force(&desk, "order_size"), (4, "1000".into()));
}

#[test]
fn the_same_command_twice_is_one_version_and_another_version_in_force_refuses() {
    let mut desk = desk();
    let tighter = set(&[("open_orders", "5")], false);
    assert!(!desk.change_limits(&tighter, at(5)).expect("tighter").writes.is_empty());
    assert!(desk.change_limits(&tighter, at(6)).expect("known").writes.is_empty());
    let Action::SetParams { strategy, changes, why, confirm, .. } = tighter.action.clone() else { panic!("a change") };
    let action = Action::SetParams { strategy, expected: Some(1), changes, why, confirm };
    let stale = desk.change_limits(&Command { id: "c2".into(), action, ..tighter }, at(7));
    assert_eq!(stale.expect_err("stale"), ["version 2 is in force, not 1: look at it and ask again"]);
}

#[test]
fn nothing_is_widened_while_the_ledger_is_away_and_tightening_goes_on() {
    let mut desk = desk();
    changed(&mut desk, "open_orders", "50", false).expect("tighter");
    desk.health.ledger = Some("no route".into());
    let refused = changed(&mut desk, "open_orders", "9999", true).expect_err("wider");
    assert_eq!(refused, ["nothing is widened while the ledger does not commit: no route"]);
    for orders in (1..=20).rev() {
        let change = changed(&mut desk, "open_orders", &orders.to_string(), false);
        assert_eq!(change.is_ok(), orders > 5, "{orders}: bounded");
    }
    assert_eq!(in_force(&desk, "open_orders"), (1, "6".into()));
}

#[test]
fn a_rollback_that_widens_needs_the_confirmation_as_well() {
    let mut desk = desk();
    changed(&mut desk, "daily_loss", "10", false).expect("tighter");
    let from = |expected, confirm| {
        command(Action::RollbackParams { strategy: RISK.into(), to: 1, expected, why: "enough".into(), confirm })
    };
    let back = |confirm| from(Some(2), confirm);
    let stale = desk.change_limits(&Command { id: "r".into(), ..from(Some(1), true) }, at(6)).expect_err("stale");
    assert_eq!(stale, ["version 2 is in force, not 1: look at it and ask again"]);
    let refused = desk.change_limits(&Command { id: "r".into(), ..back(false) }, at(6)).expect_err("wider");
    assert!(refused[0].starts_with("daily_loss 10 -> 1000000 widens a limit"), "{refused:?}");
    assert!(desk.change_limits(&Command { id: "r".into(), ..back(true) }, at(6)).is_ok());
}

#[test]
fn what_was_said_last_counts_after_a_restart() {
    let mut desk = desk();
    let step = changed(&mut desk, "open_orders", "5", false).expect("tighter");
    let memory = Memory { limits: Some(book_of(&step)), ..Memory::default() };
    let (again, recovery) = restored(memory);
    assert_eq!(in_force(&again, "open_orders"), (2, "5".into()));
    assert!(!recovery.writes.iter().any(|write| matches!(write, Write::Params(_))), "nothing is new");
    assert!(recovery.after.iter().any(|effect| matches!(effect, Effect::Mirror(_))), "the bus may have lost it");
    let told = |step: &Step| step.after.iter().any(|effect| matches!(effect, Effect::Emit(_)));
    let mut edited = book_of(&step);
    edited.file.insert("open_orders".into(), "9".into());
    let (mut desk, recovery) = restored(Memory { limits: Some(edited), ..Memory::default() });
    assert_eq!(
        (in_force(&desk, "open_orders"), told(&recovery)),
        ((2, "5".into()), false),
        "the file says otherwise since, and would widen"
    );
    let shown = |desk: &Desk| desk.snapshot(KillReport::idle(desk.latch.clone()), 1, at(5)).limit_concerns;
    let waits = "the configuration file widens open_orders from 5 to 10000: to have it, cockpit params set risk open_orders=10000 --confirm";
    assert_eq!(shown(&desk), [waits]);
    changed(&mut desk, "open_orders", "10000", true).expect("confirmed");
    desk.limits_durable(3);
    assert_eq!((in_force(&desk, "open_orders").1.as_str(), shown(&desk).len()), ("10000", 0));
    let mut edited = book_of(&step);
    edited.file.insert("order_size".into(), "9999".into());
    edited.versions[1].values.insert("order_size".into(), "9999".into());
    let (tightened, recovery) = restored(Memory { limits: Some(edited), ..Memory::default() });
    assert_eq!((in_force(&tightened, "order_size"), told(&recovery)), ((3, "1000".into()), true));
    let (_, first) = restored(Memory::default());
    assert!(!told(&first), "there was nothing before");
    assert_eq!(book_of(&first).in_force().map(|version| version.by.clone()).as_deref(), Some("config file"));
}

#[test]
fn who_takes_over_goes_by_the_limits_of_the_one_before_whatever_its_own_file_says() {
    let mut gate = RiskGate::new(limits());
    let mut step = Step::default();
    let tighter = Limits { order_size: Size(dec!(7)), open_orders: 9_999, ..limits() };
    LimitBook::open(None, false, &mut RiskGate::new(tighter), at(0), &mut step);
    let stored = book_of(&step);
    for (takeover, size, concerns) in [(true, dec!(7), 0), (false, dec!(7), 2)] {
        let mut step = Step::default();
        let book = LimitBook::open(Some(&stored), takeover, &mut gate, at(1), &mut step);
        assert_eq!((gate.limits().order_size, book.concerns().len()), (Size(size), concerns));
        assert!(!step.after.iter().any(|effect| matches!(effect, Effect::Emit(_))));
        gate = RiskGate::new(limits());
    }
    let mut tight = RiskGate::new(Limits { order_size: Size(dec!(3)), ..limits() });
    LimitBook::open(Some(&stored), true, &mut tight, at(1), &mut Step::default());
    assert_eq!(tight.limits().order_size, Size(dec!(7)), "no file is merged, a tighter one neither");
}

fn sale(name: &str) -> OrderIntent {
    OrderIntent { side: Side::Sell, price: Price(dec!(0.48)), size: Size(dec!(5)), ..intent(name, TimeInForce::Gtc) }
}

#[test]
fn while_reducing_only_sales_of_what_is_held_pass() {
    for (why, name, value) in [
        ("reducing: the limit reduce_only is set", "reduce_only", "true"),
        ("reducing: daily_loss: 0.375 pUSD (limit 0.3 pUSD)", "daily_loss", "0.3"),
    ] {
        let mut desk = desk();
        sent(&mut desk, "x", TimeInForce::Gtc);
        answered(&mut desk, "x", accepted(), 5);
        desk.on_user_event(UserEvent::Fill(venue_fill("x", "t1", dec!(10), FillStatus::Confirmed)), at(100));
        desk.on_data(PolymarketData::Book(book(at(101))), at(101));
        changed(&mut desk, name, value, false).expect("tighter");
        let shown = desk.snapshot(KillReport::idle(desk.latch.clone()), 1, at(102));
        assert_eq!(
            (shown.trading_state, shown.trouble),
            (TradingState::Reducing, Some(why["reducing: ".len()..].into()))
        );
        let denied = desk.on_entry(&entry(2, intent("a", TimeInForce::Gtc)), &sign, at(103));
        assert_eq!((denials(&denied)[0].control, denials(&denied)[0].value.as_str()), (Control::TradingState, why));
        let others = OrderIntent { strategy: "weather".into(), ..sale("c") };
        let denied = desk.on_entry(&entry(3, others), &sign, at(104));
        assert_eq!(denials(&denied)[0].control, Control::PositionCap, "it holds none of these");
        assert_eq!(posts(&desk.on_entry(&entry(4, sale("b")), &sign, at(105))), [key("b")]);
    }
}

#[test]
fn a_level_of_a_limit_is_written_and_told_once_and_the_snapshot_shows_the_use() {
    let mut desk = desk();
    changed(&mut desk, "gross_exposure", "10", false).expect("tighter");
    assert_eq!(alerts(&desk.on_tick(at(2_000))), []);
    sent(&mut desk, "a", TimeInForce::Gtc);
    let step = desk.on_tick(at(3_000));
    assert_eq!(alerts(&step), [(Control::GrossExposure, 50)]);
    let told = |effect: &&Effect| matches!(effect, Effect::Emit(event) if matches!(**event, TradeEvent::Alert(_)));
    assert_eq!(step.after.iter().filter(told).count(), 1);
    assert_eq!(alerts(&desk.on_tick(at(4_000))), [], "told");
    let shown = desk.snapshot(KillReport::idle(desk.latch.clone()), 1, at(4_000)).limits;
    let nearest = &shown[0];
    assert_eq!(
        (nearest.control, nearest.value, nearest.limit, nearest.percent),
        (Control::GrossExposure, dec!(5.175), dec!(10), 51)
    );
    assert!(shown.windows(2).all(|pair| pair[0].percent >= pair[1].percent));
}

#[test]
fn a_drawdown_kills_with_control_value_and_limit_and_cannot_be_armed_while_it_lasts() {
    let mut desk = desk();
    for second in 1..=3 {
        desk.on_tick(at(second * 1_000));
    }
    desk.on_user_event(UserEvent::Fill(venue_fill("x", "t1", dec!(200), FillStatus::Confirmed)), at(3_100));
    let bids = vec![Level { price: Price(dec!(0.01)), size: Size(dec!(1000)) }];
    let why = (4..=8).find_map(|second| {
        let heard = at(second * 1_000 - 1);
        desk.on_data(PolymarketData::Book(Book { bids: bids.clone(), ..book(heard) }), heard);
        let step = desk.on_tick(at(second * 1_000));
        step.urgent.into_iter().find_map(|effect| if let Effect::Kill(why) = effect { Some(why) } else { None })
    });
    assert_eq!(why.as_deref(), Some("daily_drawdown: 101.5 pUSD (limit 50 pUSD below the day's peak)"));
    let objections = desk.objections(at(9_000)).join("; ");
    assert!(
        objections.contains("daily_drawdown: 101.5 pUSD (limit 50 pUSD below the day's peak): widen the limit"),
        "{objections}"
    );
    changed(&mut desk, "daily_drawdown", "200", true).expect("confirmed");
    desk.limits_durable(2);
    assert!(!desk.objections(at(9_000)).join("; ").contains("drawdown"));
}

fn withdrawn(step: &Step) -> Vec<String> {
    let told = |effect: &Effect| match effect {
        Effect::Emit(event) => match event.as_ref() {
            TradeEvent::Withdrawn(taken) => Some(format!("{} {}", taken.intent, taken.denial)),
            _ => None,
        },
        _ => None,
    };
    step.effects().filter_map(told).collect()
}

fn cancels(step: &Step) -> Vec<OrderId> {
    let orders = |effect: &Effect| if let Effect::Cancel(orders) = effect { Some(orders.clone()) } else { None };
    step.urgent.iter().filter_map(orders).flatten().collect()
}

#[test]
fn a_tightening_cancels_the_newest_resting_buys_until_the_rest_fits_and_never_a_sale() {
    let mut desk = desk();
    sent(&mut desk, "held", TimeInForce::Gtc);
    answered(&mut desk, "held", accepted(), 1);
    desk.on_user_event(UserEvent::Fill(venue_fill("held", "t1", dec!(10), FillStatus::Confirmed)), at(2));
    for name in ["a", "b", "c"] {
        sent(&mut desk, name, TimeInForce::Gtc);
        answered(&mut desk, name, accepted(), 5);
    }
    desk.on_user_event(UserEvent::Order(venue_order("c", VenueOrderStatus::Live, Some(dec!(4)))), at(6));
    desk.on_entry(&entry(9, OrderIntent { price: Price(dec!(0.60)), ..sale("s") }), &sign, at(7));
    desk.clear_to_send(&key("s"), at(7)).expect("clear");
    answered(&mut desk, "s", accepted(), 8);
    // 5.175 are held, 2.07 of c are matched, and 3.105 of it and 5.175 of each of the others may be.
    let step = changed(&mut desk, "gross_exposure", "17.595", false).expect("tighter");
    assert_eq!(withdrawn(&step), ["c gross_exposure: 20.7 pUSD (limit 17.595 pUSD)"]);
    assert_eq!((cancels(&step), state(&desk, "c")), (vec!["0xc".into()], OrderState::CancelPending));
    let reason = desk.orders[&key("c")].row.order.reason.clone().unwrap_or_default();
    assert!(reason.starts_with("withdrawn, the limits admit it no more: gross_exposure: 20.7 pUSD"), "{reason}");
    let step = changed(&mut desk, "gross_exposure", "12.42", false).expect("tighter");
    assert_eq!(cancels(&step), ["0xb".into()], "what is on its way out makes room already");
    let step = changed(&mut desk, "position_cap", "1", false).expect("tighter");
    assert_eq!((cancels(&step), state(&desk, "s")), (vec!["0xa".into()], OrderState::Live));
    assert!(cancels(&desk.on_tick(at(1_000))).is_empty());
}

#[test]
fn a_buy_that_was_on_the_wire_is_withdrawn_once_it_rests() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", accepted(), 5);
    sent(&mut desk, "b", TimeInForce::Gtc);
    answered(&mut desk, "b", unknown(), 6);
    let step = changed(&mut desk, "open_orders", "1", false).expect("tighter");
    assert_eq!(withdrawn(&step), ["a open_orders: 2 orders (limit 1 orders)"]);
    let step = changed(&mut desk, "order_size", "9", false).expect("tighter");
    assert!(cancels(&step).is_empty());
    changed(&mut desk, "gross_exposure", "1", false).expect("tighter");
    assert!(withdrawn(&desk.on_tick(at(100))).is_empty(), "of unknown outcome");
    desk.on_user_event(UserEvent::Order(venue_order("b", VenueOrderStatus::Live, None)), at(200));
    assert_eq!(withdrawn(&desk.on_tick(at(300))), ["b gross_exposure: 5.175 pUSD (limit 1 pUSD)"]);
    assert!(withdrawn(&desk.on_tick(at(400))).is_empty());
}

#[test]
fn what_nobody_may_buy_any_more_is_withdrawn_also_when_it_comes_to_rest_later_and_sales_stay() {
    for (name, value, because) in [
        ("reduce_only", "true", "trading_state: reducing: the limit reduce_only is set"),
        ("markets", "quiet", "allow_list: btc-updown-5m-0 (limit no market may be traded)"),
    ] {
        let mut desk = desk();
        sent(&mut desk, "held", TimeInForce::Gtc);
        answered(&mut desk, "held", accepted(), 1);
        desk.on_user_event(UserEvent::Fill(venue_fill("held", "t1", dec!(10), FillStatus::Confirmed)), at(2));
        desk.on_data(PolymarketData::Book(book(at(3))), at(3));
        for name in ["a", "b"] {
            sent(&mut desk, name, TimeInForce::Gtc);
        }
        answered(&mut desk, "a", accepted(), 5);
        answered(&mut desk, "b", unknown(), 5);
        desk.on_entry(&entry(9, OrderIntent { price: Price(dec!(0.60)), ..sale("s") }), &sign, at(7));
        desk.clear_to_send(&key("s"), at(7)).expect("clear");
        answered(&mut desk, "s", accepted(), 8);
        let told = withdrawn(&changed(&mut desk, name, value, true).expect("tighter"));
        assert!(told.len() == 1 && told[0].starts_with(&format!("a {because}")), "{told:?}");
        assert_eq!((state(&desk, "a"), state(&desk, "b")), (OrderState::CancelPending, OrderState::Unknown));
        assert!(withdrawn(&desk.on_tick(at(100))).is_empty());
        desk.on_user_event(UserEvent::Order(venue_order("b", VenueOrderStatus::Live, None)), at(200));
        let told = withdrawn(&desk.on_tick(at(300)));
        assert!(told.len() == 1 && told[0].starts_with(&format!("b {because}")), "{told:?}");
        assert!(withdrawn(&desk.on_tick(at(400))).is_empty());
        assert_eq!(state(&desk, "s"), OrderState::Live);
    }
}

/// A desk that holds ten shares bought for 0.50 and has "a" resting, looked at for three seconds at 0.48.
fn looked_at() -> Desk {
    let mut desk = desk();
    sent(&mut desk, "held", TimeInForce::Gtc);
    answered(&mut desk, "held", accepted(), 1);
    desk.on_user_event(UserEvent::Fill(venue_fill("held", "t1", dec!(10), FillStatus::Confirmed)), at(2));
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", accepted(), 5);
    for second in 1..=3 {
        desk.on_data(PolymarketData::Book(book(at(second * 1_000))), at(second * 1_000));
        desk.on_tick(at(second * 1_000));
    }
    desk
}

fn fall(desk: &mut Desk, now: i64) -> Vec<String> {
    let bids = vec![Level { price: Price(dec!(0.40)), size: Size(dec!(100)) }];
    desk.on_data(PolymarketData::Book(Book { bids, ..book(at(now)) }), at(now));
    withdrawn(&desk.on_tick(at(now)))
}

#[test]
fn a_loss_that_reaches_its_limit_withdraws_what_would_still_buy_and_one_price_is_none() {
    let mut desk = looked_at();
    changed(&mut desk, "daily_loss", "0.5", false).expect("tighter");
    assert!(fall(&mut desk, 4_000).is_empty());
    for now in (4_500..8_000).step_by(500) {
        assert!(withdrawn(&desk.on_tick(at(now))).is_empty(), "one price is no reason to cancel: {now}");
        assert_eq!(desk.trading_state(at(now)), TradingState::Reducing, "and one not to buy more");
    }
    assert!(fall(&mut desk, 8_000).is_empty());
    let told = fall(&mut desk, 9_000);
    assert!(told.len() == 1 && told[0].starts_with("a trading_state: reducing: daily_loss: 0.8 pUSD"), "{told:?}");
}

#[test]
fn a_limit_that_is_put_below_a_loss_which_stands_withdraws_at_once() {
    let mut desk = looked_at();
    assert!((4..7).all(|second| fall(&mut desk, second * 1_000).is_empty()));
    let told = withdrawn(&changed(&mut desk, "daily_loss", "0.5", false).expect("tighter"));
    assert!(told.len() == 1 && told[0].starts_with("a trading_state: reducing: daily_loss: 0.8 pUSD"), "{told:?}");
}
