//! A ledger that is away.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn without_the_ledger_nothing_new_is_sent_and_afterwards_it_goes_on() {
    let world = World::new();
    let hermes = world.start().await;
    world.signal("a").await;
    world.until("live", |state| state.orders.open == 1).await;
    world.ledger.off.store(true, Ordering::SeqCst);
    world.signal("b").await;
    let state = world.until("says so", |state| state.trouble.is_some()).await;
    assert!(state.trouble.expect("trouble").contains("ledger"));
    assert_eq!(world.venue.posts().len(), 1);
    world.ledger.off.store(false, Ordering::SeqCst);
    world.until("goes on", |state| state.orders.open == 2).await;
    assert_eq!(world.venue.posts().len(), 2);
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_ledger_does_not_answer_cancels_and_the_kill_go_on_and_heartbeats_do_not() {
    let world = World::new();
    let hermes = world.start().await;
    for name in ["a", "b"] {
        world.signal(name).await;
    }
    world.signal_resting("short", Duration::from_secs(4)).await;
    world.until("all rest", |state| state.orders.open == 3).await;
    world.ledger.hangs.store(true, Ordering::SeqCst);
    world.signal("late").await;
    // The loop is not held up by the commit: what has rested long enough is cancelled, and it says what is wrong.
    let state = world.until("cancelled", |state| world.venue.open() == 2 && state.trouble.is_some()).await;
    let why = state.trouble.expect("trouble");
    assert!(why.contains("lease") || why.contains("ledger"), "{why}");
    world.until("no lease", |state| state.trouble.as_ref().is_some_and(|why| why.contains("ran out"))).await;
    let beats = world.venue.beats.load(Ordering::SeqCst);
    assert_eq!(world.command(Action::Kill { why: "test".into() }).await, AckVerdict::Applied);
    world.until("proved", |state| matches!(state.kill.proof, KillProof::Proved { .. })).await;
    assert_eq!((world.venue.open(), world.venue.posts().len()), (0, 3), "nothing new was sent");
    assert_eq!(world.venue.beats.load(Ordering::SeqCst), beats, "no heartbeat without the lease");
    world.ledger.hangs.store(false, Ordering::SeqCst);
    world.until("the books follow", |state| state.orders.cancelled == 3 && state.orders.open == 0).await;
    let kept = |state: &HermesState| state.kill.steps.iter().any(|(step, _)| *step == KillStep::LatchLedger);
    world.until("the latch too", kept).await;
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_limits_is_accepted_at_once_and_applied_when_the_ledger_has_it() {
    let world = World::new();
    let hermes = world.start().await;
    world.ledger.off.store(true, Ordering::SeqCst);
    let changes = [("order_size".to_owned(), "5".to_owned())].into();
    let (strategy, why) = (crate::domain::params::RISK.into(), "trouble".to_owned());
    let tighter = Action::SetParams { strategy, expected: None, changes, why, confirm: false };
    let told = |verdict: &AckVerdict| {
        let acks = world.bus.bodies::<Ack>(Stream::Acks);
        acks.into_iter().filter(|ack| ack.body.verdict == *verdict && ack.body.version == Some(2)).count()
    };
    let answer = world.command(tighter);
    tokio::pin!(answer);
    tokio::select! {
        verdict = &mut answer => assert_eq!(verdict, AckVerdict::Accepted),
        _ = world.until("told before it is durable", |_| told(&AckVerdict::Accepted) == 1) => {
            assert_eq!(answer.await, AckVerdict::Accepted, "it is in force, so it is not denied");
        }
    }
    let in_force = |state: &HermesState| state.risk.as_ref().is_some_and(|risk| risk.values["order_size"] == "5");
    world.until("in force all the same", in_force).await;
    assert_eq!(told(&AckVerdict::Applied), 0);
    world.ledger.off.store(false, Ordering::SeqCst);
    world.until("told when it is durable", |_| told(&AckVerdict::Applied) == 1).await;
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_the_ledger_is_bounded_and_afterwards_nothing_is_missing() {
    let mut world = World::new();
    world.backlog = 4;
    let hermes = world.start().await;
    let names: Vec<String> = (0..12).map(|number| format!("o{number}")).collect();
    for name in &names {
        world.signal(name).await;
    }
    world.until("all rest", |state| state.orders.open == 12).await;
    world.ledger.off.store(true, Ordering::SeqCst);
    for name in &names {
        world.venue.match_order(&OrderId::new(format!("0x{name}"))).await;
    }
    let state = world.until("it says so", |state| state.trouble.as_ref().is_some_and(|t| t.contains("ledger"))).await;
    // Each fill is a batch of its own at most: beyond the bound nothing more was heard.
    let state = world.state().unwrap_or(state);
    assert!(state.fills <= 5, "{} fills were taken in", state.fills);
    world.ledger.off.store(false, Ordering::SeqCst);
    let state = world.until("all is booked", |state| state.orders.filled == 12).await;
    assert_eq!((state.fills, state.positions[0].size), (12, Size(dec!(120))));
    hermes.stop().await;
}
