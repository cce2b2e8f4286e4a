//! The dead man's switch, what a miss of it means, and what else closes the gate.

use super::*;
use crate::domain::ClockSkew;
use crate::exec::desk::holes::Holes;

fn beats(step: &Step) -> usize {
    step.urgent.iter().filter(|effect| matches!(effect, Effect::Heartbeat)).count()
}

fn snapshots(step: &Step) -> usize {
    step.urgent.iter().filter(|effect| matches!(effect, Effect::Snapshot { .. })).count()
}

#[expect(clippy::unnecessary_wraps, reason = "what a snapshot gives")]
fn nothing() -> Result<Snapshot, VenueError> {
    Ok(Snapshot::default())
}

/// Lets the loop tick every half second until `to`, answering every heartbeat, and counts them.
fn run(desk: &mut Desk, from: i64, to: i64) -> usize {
    let mut sent = 0;
    for now in (from..=to).step_by(500) {
        let step = desk.on_tick(at(now));
        for _ in 0..beats(&step) {
            sent += 1;
            desk.on_heartbeat(Ok(()), at(now + 10));
        }
        if snapshots(&step) > 0 {
            desk.on_snapshot(at(now), nothing(), at(now + 20));
        }
    }
    sent
}

#[test]
fn it_is_fed_every_interval_while_all_is_well() {
    let mut desk = desk();
    assert_eq!(run(&mut desk, 500, 20_000), 4);
    assert_eq!(desk.trouble(at(20_000)), None);
}

#[test]
fn nothing_is_sent_before_the_event_socket_was_ever_connected() {
    let (mut desk, _) = restored(Memory::default());
    desk.on_tick(at(0));
    desk.on_snapshot(at(0), nothing(), at(1));
    desk.on_data(PolymarketData::Market(market()), at(1));
    desk.on_data(PolymarketData::Book(book(at(1))), at(1));
    assert!(desk.trouble(at(2)).expect("closed").contains("never connected"));
    let step = desk.on_entry(&entry(1, intent("a", TimeInForce::Gtc)), &sign, at(2));
    assert_eq!(posts(&step), []);
    desk.on_user_event(UserEvent::Connected, at(3));
    assert!(desk.trouble(at(3)).expect("closed").contains("reconciling"), "and the books are compared after that");
    desk.on_tick(at(4));
    desk.on_snapshot(at(4), nothing(), at(5));
    assert_eq!(desk.trouble(at(5)), None);
}

#[test]
fn each_part_of_the_health_predicate_withholds_it() {
    type Spoil = fn(&mut Desk);
    let spoil: [(&str, Spoil); 6] = [
        ("killed", |desk| drop(desk.on_latch(latch(1, KillState::Killed), at(500)))),
        ("lease", |desk| desk.health.lease = Some("the lease is lost".into())),
        ("ledger", |desk| desk.health.ledger = Some("the ledger is gone".into())),
        ("loop", |desk| drop(desk.on_tick(at(-1_500)))),
        ("books", |desk| desk.reconcile = super::super::reconcile::Progress::at_start(at(0), at(0), Holes::default())),
        ("truth", |desk| {
            desk.health.user = Some("the socket is down".into());
            desk.reconcile = super::super::reconcile::Progress::at_start(at(0), at(0), Holes::default());
        }),
    ];
    for (what, spoil) in spoil {
        let mut desk = desk();
        spoil(&mut desk);
        assert_eq!(beats(&desk.on_tick(at(500))), 0, "{what}");
        assert!(desk.unfit(at(500)).is_some(), "{what}");
    }
    let mut desk = desk();
    desk.health.user = Some("the socket is down".into());
    assert_eq!(beats(&desk.on_tick(at(500))), 1, "REST is fresh");
    desk.on_heartbeat(Ok(()), at(501));
    desk.health.user = None;
    desk.reconcile_now(at(502));
    assert_eq!(run(&mut desk, 1_000, 5_500), 1, "a comparison that is under way does not let the venue sweep");
}

#[test]
fn a_failed_one_is_tried_again_soon_and_the_books_are_compared_before_anything_is_sent() {
    let mut desk = desk();
    assert_eq!(beats(&desk.on_tick(at(500))), 1);
    assert_eq!(beats(&desk.on_tick(at(1_000))), 0, "one at a time");
    desk.on_heartbeat(Err("lost".into()), at(1_000));
    assert!(desk.trouble(at(1_000)).expect("halted").contains("lost"));
    assert_eq!(beats(&desk.on_tick(at(1_200))), 0);
    assert_eq!(run(&mut desk, 1_250, 1_250), 1);
    assert!(desk.trouble(at(1_270)).expect("compare").contains("reconciling"));
    let step = desk.on_tick(at(1_300));
    assert_eq!(snapshots(&step), 1);
    desk.on_snapshot(at(1_300), nothing(), at(1_400));
    assert_eq!(desk.trouble(at(1_400)), None);
}

#[test]
fn lists_that_failed_before_the_venue_was_reached_are_asked_for_at_once() {
    let (mut desk, _) = restored(Memory::default());
    assert_eq!(snapshots(&desk.on_tick(at(0))), 1);
    desk.on_snapshot(at(0), Err(VenueError::Unreachable("no credentials yet".into())), at(10));
    assert_eq!(snapshots(&desk.on_tick(at(60))), 0, "a pause");
    desk.on_user_event(UserEvent::Connected, at(70));
    assert_eq!(snapshots(&desk.on_tick(at(110))), 1);
}

#[test]
fn one_request_that_is_lost_leaves_the_venue_no_reason_to_sweep() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", accepted(), 5);
    let (mut under_way, mut taken) = (None, Vec::new());
    for now in (500..=25_000).step_by(50) {
        let step = desk.on_tick(at(now));
        for _ in 0..beats(&step) {
            // The second gets no answer and is given up after two seconds, the others are taken.
            let lost = taken.len() == 1 && desk.health.heartbeat.is_none();
            under_way = Some((now + if lost { 2_000 } else { 10 }, lost));
        }
        if let Some((_, lost)) = under_way.take_if(|(ends, _)| *ends <= now) {
            if !lost {
                taken.push(now);
            }
            desk.on_heartbeat(if lost { Err("no answer".into()) } else { Ok(()) }, at(now));
        }
        if snapshots(&step) > 0 {
            let orders = vec![venue_order("a", VenueOrderStatus::Live, None)];
            desk.on_snapshot(at(now), Ok(Snapshot { orders, ..Snapshot::default() }), at(now));
        }
    }
    assert!(taken.len() >= 4, "{taken:?}");
    assert!(taken.windows(2).all(|pair| pair[1] - pair[0] < 8_000), "the venue waits for ten seconds: {taken:?}");
}

#[test]
fn after_a_lapse_every_open_order_is_in_doubt_until_the_venue_lists_it() {
    let mut desk = desk();
    for name in ["a", "b"] {
        sent(&mut desk, name, TimeInForce::Gtc);
        answered(&mut desk, name, accepted(), 5);
    }
    assert_eq!(beats(&desk.on_tick(at(500))), 1);
    desk.on_heartbeat(Ok(()), at(501));
    desk.health.ledger = Some("gone".into());
    for now in (1_000..=10_500).step_by(500) {
        let step = desk.on_tick(at(now));
        assert_eq!(beats(&step), 0);
        if snapshots(&step) > 0 {
            let orders = ["a", "b"].map(|name| venue_order(name, VenueOrderStatus::Live, None)).to_vec();
            desk.on_snapshot(at(now), Ok(Snapshot { orders, ..Snapshot::default() }), at(now));
        }
    }
    assert_ne!(state(&desk, "a"), OrderState::Unknown, "ten seconds exactly");
    desk.health.ledger = None;
    desk.on_tick(at(10_501));
    assert_eq!([state(&desk, "a"), state(&desk, "b")], [OrderState::Unknown; 2]);
    assert_eq!((desk.counts.unknown, desk.counts.open), (2, 0));
    assert!(desk.trouble(at(10_501)).expect("halted").contains("heartbeat"));
    assert_eq!(desk.holdings(None).gross(), Usd(dec!(10.35)), "reserved whole");
    desk.on_heartbeat(Ok(()), at(10_600));
    let step = desk.on_tick(at(10_700));
    let asked = snapshots(&step);
    let orders = vec![venue_order("a", VenueOrderStatus::Live, None)];
    let step = desk.on_snapshot(at(10_700), Ok(Snapshot { orders, ..Snapshot::default() }), at(10_800));
    assert_eq!((asked, lookups(&step)), (1, 1), "the one that is not listed is asked for");
    assert_ne!(state(&desk, "a"), OrderState::Unknown);
    assert!(desk.trouble(at(10_800)).is_some());
    let swept = venue_order("b", VenueOrderStatus::Cancelled, None);
    desk.on_lookup(&"0xb".into(), at(10_800), Ok(Lookup { order: Some(swept), fills: Vec::new() }), at(10_900));
    assert_eq!((state(&desk, "b"), desk.trouble(at(10_900))), (OrderState::Cancelled, None));
}

#[test]
fn a_clock_beyond_its_bound_closes_the_gate_and_one_at_the_bound_does_not() {
    let mut desk = desk();
    let skew = |ahead_us| ClockSkew { ahead_us, within_us: 500_000, measured_at: at(0) };
    for ahead in [2_500_000, -2_500_000] {
        desk.on_skew(skew(ahead));
        assert_eq!(desk.trouble(at(1)), None);
    }
    for ahead in [2_500_001, -2_500_001] {
        desk.on_skew(skew(ahead));
        let trouble = desk.trouble(at(1)).expect("closed");
        assert!(trouble.contains("clock") && trouble.contains("2 s"), "{trouble}");
    }
    let shown = desk.snapshot(KillReport::idle(latch(1, KillState::Armed)), 0, at(1));
    assert_eq!(shown.venue_skew_ms, Some(-2_500));
}

#[test]
fn a_measurement_of_the_clock_counts_for_five_minutes() {
    let mut desk = desk();
    let skew = |at| ClockSkew { ahead_us: 0, within_us: 500_000, measured_at: at };
    desk.on_skew(skew(at(0)));
    run(&mut desk, 500, 301_000);
    assert_eq!(desk.trouble(at(300_000)), None);
    let trouble = desk.trouble(at(300_001)).expect("closed");
    assert_eq!(trouble, "the venue's clock was last measured 300 s ago; at most 300 s are allowed");
    assert_eq!(desk.trading_state(at(300_001)), TradingState::Halted);
    desk.on_skew(skew(at(300_000)));
    assert_eq!(desk.trouble(at(300_002)), None);
}

#[test]
fn an_open_socket_vouches_for_books_that_nobody_compares_only_for_a_while() {
    let uncompared = |user: Option<&str>| {
        let mut desk = desk();
        desk.health.user = user.map(Into::into);
        let fit = |desk: &Desk, now| desk.unfit(at(now)).is_none();
        // `desk` has compared at the second 0; three intervals of 30 s are fresh.
        let ends = (0..400_000).step_by(1_000).find(|now| !fit(&desk, *now)).expect("it ends");
        desk.health.venue = Some("the list of orders: 500".into());
        (ends, desk.unfit(at(ends)).expect("unfit"))
    };
    let (ends, why) = uncompared(Some("the socket is down"));
    assert_eq!((ends, why.as_str()), (91_000, "the socket is down"));
    let (ends, why) = uncompared(None);
    assert_eq!((ends, why.as_str()), (181_000, "the books were last compared 181 s ago: the list of orders: 500"));
}

#[test]
fn without_a_ledger_cancels_go_on_and_nothing_piles_up() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", accepted(), 5);
    desk.on_user_event(UserEvent::Fill(venue_fill("x", "t1", dec!(20), FillStatus::Confirmed)), at(100));
    desk.on_tick(at(9_000));
    desk.health.ledger = Some("gone".into());
    let step = desk.on_tick(at(10_000));
    assert!(step.urgent.iter().any(|effect| matches!(effect, Effect::Cancel(_))), "at once, not after the commit");
    assert!(desk.trouble(at(10_000)).expect("closed").contains("gone"));
    let mut written = 0;
    for now in (10_500..=60_000).step_by(500) {
        desk.on_data(PolymarketData::Book(book(at(now))), at(now));
        written += desk.on_tick(at(now)).writes.len();
    }
    assert_eq!(written, 0, "marks and the day's peak wait");
}

#[test]
fn what_the_venue_has_open_is_shown_only_while_no_order_has_overtaken_it() {
    let mut desk = desk();
    let shown =
        |desk: &Desk| desk.snapshot(KillReport::idle(latch(1, KillState::Armed)), 0, at(50)).kill.venue_open_orders;
    assert_eq!(shown(&desk), Some(0));
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", accepted(), 5);
    assert_eq!(shown(&desk), None);
    assert_eq!(snapshots(&desk.on_tick(at(4_999))), 0);
    assert_eq!(snapshots(&desk.on_tick(at(5_000))), 1, "renewed soon");
    let orders = vec![venue_order("a", VenueOrderStatus::Live, None)];
    desk.on_snapshot(at(5_000), Ok(Snapshot { orders, ..Snapshot::default() }), at(5_010));
    assert_eq!(shown(&desk), Some(1));
    desk.on_user_event(UserEvent::Order(venue_order("a", VenueOrderStatus::Cancelled, None)), at(5_020));
    assert_eq!(shown(&desk), None);
}

#[test]
fn a_clock_that_was_set_back_halts_until_it_is_right_again() {
    let mut desk = desk();
    desk.on_set_back(Duration::from_secs(2));
    assert_eq!(desk.trading_state(at(2)), TradingState::Active, "as far as the venue's clock may differ");
    desk.on_set_back(Duration::from_hours(1));
    assert_eq!(desk.trading_state(at(2)), TradingState::Halted);
    assert!(desk.trouble(at(2)).is_some_and(|why| why.contains("set back by 3600 s")), "{:?}", desk.trouble(at(2)));
    desk.on_set_back(Duration::ZERO);
    assert_eq!(desk.trading_state(at(2)), TradingState::Active);
}
