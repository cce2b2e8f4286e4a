//! Books and venue compared: when, what for, and what waits for it.

use super::*;

#[test]
fn nothing_is_sent_before_the_first_comparison_is_clean() {
    let (mut desk, _) = restored(Memory::default());
    assert_eq!(desk.trading_state(at(0)), TradingState::Halted);
    desk.on_user_event(UserEvent::Connected, at(0));
    let step = desk.on_tick(at(0));
    assert!(step.urgent.iter().any(|effect| matches!(effect, Effect::Snapshot { .. })));
    desk.on_snapshot(at(0), Err(VenueError::Unreachable("down".into())), at(10));
    assert!(desk.trouble(at(10)).expect("halted").contains("down"));
    desk.on_tick(at(1_010));
    desk.on_snapshot(at(1_010), Ok(Snapshot::default()), at(1_020));
    assert_eq!(desk.trading_state(at(1_020)), TradingState::Active);
    desk.on_user_event(UserEvent::Disconnected { reason: "reset".into() }, at(1_030));
    assert_eq!(desk.trading_state(at(1_030)), TradingState::Halted);
    desk.on_user_event(UserEvent::Connected, at(1_040));
    assert_eq!(desk.trading_state(at(1_040)), TradingState::Halted, "compare first: events may have been missed");
}

#[test]
fn an_order_of_ours_missing_from_the_list_is_looked_up_before_the_books_are_clean() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", accepted(), 5);
    desk.reconcile_now(at(100));
    desk.on_tick(at(100));
    let step = desk.on_snapshot(at(100), Ok(Snapshot::default()), at(110));
    assert_eq!((lookups(&step), desk.trading_state(at(110))), (1, TradingState::Halted));
    let seen = venue_order("a", VenueOrderStatus::Matched, Some(dec!(10)));
    desk.on_lookup(&"0xa".into(), at(110), Ok(Lookup { order: Some(seen), fills: Vec::new() }), at(120));
    assert_eq!((state(&desk, "a"), desk.trading_state(at(120))), (OrderState::Filled, TradingState::Active));
}

#[test]
fn a_reconnect_while_books_are_compared_asks_for_another_comparison() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", accepted(), 5);
    desk.reconcile_now(at(100));
    desk.on_tick(at(100));
    desk.on_snapshot(at(100), Ok(Snapshot::default()), at(110));
    desk.on_user_event(UserEvent::Connected, at(115));
    let seen = || Ok(Lookup { order: Some(venue_order("a", VenueOrderStatus::Live, None)), fills: Vec::new() });
    desk.on_lookup(&"0xa".into(), at(110), seen(), at(120));
    assert_eq!(desk.trading_state(at(120)), TradingState::Halted);
    let step = desk.on_tick(at(130));
    assert!(step.urgent.iter().any(|effect| matches!(effect, Effect::Snapshot { .. })));
    let orders = vec![venue_order("a", VenueOrderStatus::Live, None)];
    desk.on_snapshot(at(130), Ok(Snapshot { orders, ..Snapshot::default() }), at(140));
    assert_eq!(desk.trading_state(at(140)), TradingState::Active);
}

#[test]
fn books_that_the_venue_has_not_confirmed_for_long_halt_the_desk() {
    let desk = desk();
    assert_eq!(desk.trading_state(at(90_000)), TradingState::Active);
    assert!(desk.trouble(at(90_001)).expect("stale").contains("last compared"));
}
