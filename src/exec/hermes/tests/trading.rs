//! From a signal to its end.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn from_a_signal_to_a_position_with_its_fee_and_everything_told_in_order() {
    let world = World::new();
    let hermes = world.start().await;
    world.signal("a").await;
    let live = world.until("live", |state| state.orders.accepted == 1).await;
    assert_eq!((live.orders.sent, live.orders.accepted, live.orders.unknown), (1, 1, 0));
    world.venue.match_order(&"0xa".into()).await;
    let done = world.until("filled", |state| state.orders.filled == 1 && state.fills == 1).await;
    assert_eq!(done.positions[0].size, Size(dec!(10)));
    assert_eq!(done.pnl.fees, Usd(dec!(0.175)));
    assert!(done.tick_to_order.p99.is_some());
    world.until("acknowledged", |_| world.bus.unacknowledged() == 0).await;
    let events = world.bus.bodies::<TradeEvent>(Stream::Events);
    let numbers: Vec<u64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "no gap");
    let states: Vec<OrderState> = events
        .iter()
        .filter_map(|e| if let TradeEvent::Order(order) = &e.body { Some(order.state) } else { None })
        .collect();
    assert_eq!(states, [OrderState::Signed, OrderState::Sent, OrderState::Live, OrderState::Filled]);
    assert!(world.venue.beats.load(Ordering::SeqCst) > 0);
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_entry_is_buried_and_the_line_behind_it_moves() {
    let world = World::new();
    let hermes = world.start().await;
    world.bus.append(Stream::Signals, bytes::Bytes::from_static(b"{not json")).await.expect("appends");
    world.signal("a").await;
    world.until("the next one lives", |state| state.orders.open == 1 && state.dlq == 1).await;
    world.until("both acknowledged", |_| world.bus.unacknowledged() == 0).await;
    world.until("on the stream", |_| world.dead() == [DeadLetterReason::Malformed]).await;
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_intent_twice_and_a_lost_group_give_one_order() {
    let world = World::new();
    let hermes = world.start().await;
    world.signal("a").await;
    world.signal("a").await;
    world.until("live", |state| state.orders.open == 1).await;
    world.bus.lose_group().await;
    world.signal("b").await;
    world.until("the group is back, all was delivered again", |state| state.orders.open == 2).await;
    world.until("acknowledged", |_| world.bus.unacknowledged() == 0).await;
    assert_eq!(world.venue.posts(), ["0xa".into(), "0xb".into()]);
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_is_settled_by_looking_and_transient_answers_repeat_the_same_bytes() {
    let world = World::new();
    let hermes = world.start().await;
    world.venue.next(Script::LoseReply);
    world.venue.next(Script::Busy);
    world.venue.next(Script::Fill);
    world.signal("a").await;
    world.until("found", |state| state.orders.open == 1 && state.orders.unknown == 0).await;
    world.signal("b").await;
    world.until("matched", |state| state.orders.filled == 1 && state.fills == 1).await;
    assert_eq!(world.venue.posts(), ["0xa".into(), "0xb".into(), "0xb".into()]);
    let bodies = world.venue.bodies();
    assert_eq!(bodies[1], bodies[2]);
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_post_holds_nothing_up() {
    let world = World::new();
    let hermes = world.start().await;
    world.venue.next(Script::Hang);
    world.signal("slow").await;
    world.signal("quick").await;
    world.until("the second is accepted", |state| state.orders.accepted >= 1 && state.orders.sent >= 1).await;
    assert_eq!(world.venue.posts().len(), 2);
    hermes.stop().await;
}

#[test]
fn a_crash_in_the_middle_of_a_post_leads_to_no_second_post_and_no_lost_order() {
    let world = World::new();
    let runtime = || tokio::runtime::Runtime::new().expect("runtime");
    let first = runtime();
    first.block_on(async {
        world.start().await;
        world.venue.next(Script::Hang);
        let posted = world.venue.posted.notified();
        world.signal("a").await;
        tokio::time::timeout(WAIT, posted).await.expect("posted");
    });
    // Every task dies where it stands: the venue has the order, nobody heard the answer, the entry is not acknowledged.
    first.shutdown_timeout(Duration::from_secs(5));
    assert_eq!(world.bus.unacknowledged(), 1);
    runtime().block_on(async {
        let hermes = world.start().await;
        let state = world.until("found", |state| state.orders.open == 1 && state.orders.unknown == 0).await;
        assert_eq!(state.recent_orders[0].intent.intent, "a".into());
        world.until("the entry is claimed and acknowledged", |_| world.bus.unacknowledged() == 0).await;
        assert_eq!(world.venue.posts().len(), 1);
        hermes.stop().await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_venues_clock_is_not_ours_nothing_is_sent() {
    let world = World::new();
    let hermes = world.start().await;
    world.venue.ahead_us.store(-2_500_000, Ordering::SeqCst);
    world.until("says so", |state| state.trouble.as_ref().is_some_and(|why| why.contains("clock"))).await;
    world.signal("a").await;
    let state = world.until("measured again", |state| state.trading_state == TradingState::Halted).await;
    assert_eq!((state.venue_skew_ms, world.venue.posts().len()), (Some(-2_500), 0));
    world.venue.ahead_us.store(1_900_000, Ordering::SeqCst);
    world.until("within its bound it is sent", |state| state.orders.open == 1).await;
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intent_waits_for_the_first_balance_of_a_run() {
    let world = World::new();
    world.venue.holds_balances.store(true, Ordering::SeqCst);
    let hermes = world.start().await;
    world.signal("a").await;
    let begun = clock::now();
    let waiting = world.until("a later look", |state| state.at.since(begun) > Duration::from_secs(1)).await;
    assert_eq!((waiting.orders.denied, waiting.dlq, world.venue.posts().len()), (0, 0, 0));
    world.venue.holds_balances.store(false, Ordering::SeqCst);
    world.venue.released.notify_waiters();
    let state = world.until("it rests", |state| state.orders.open == 1).await;
    assert_eq!(state.orders.denied, 0);
    hermes.stop().await;
}
