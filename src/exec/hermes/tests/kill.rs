//! Stopping and arming.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_kill_goes_through_although_steps_of_it_fail_and_only_a_proof_lets_arm() {
    let world = World::new();
    let hermes = world.start().await;
    for name in ["a", "b", "c"] {
        world.signal(name).await;
    }
    world.until("three rest", |state| state.orders.open == 3).await;
    // Until the order to arm was refused: afterwards three more attempts fail.
    world.venue.refuse_cancel_all.store(u32::MAX, Ordering::SeqCst);
    world.bus.refuse_latch.store(true, Ordering::SeqCst);
    world.ledger.off.store(true, Ordering::SeqCst);
    let verdict = world.command(Action::Kill { why: "test".into() }).await;
    assert_eq!(verdict, AckVerdict::Applied);
    let AckVerdict::Denied { reasons } = world.command(Action::Arm { why: "too early".into() }).await else {
        panic!("armed without a proof");
    };
    assert!(reasons.iter().any(|reason| reason.contains("not proved")), "{reasons:?}");
    world.venue.refuse_cancel_all.store(3, Ordering::SeqCst);
    let proved = |state: &HermesState| matches!(state.kill.proof, KillProof::Proved { .. });
    let state = world.until("proved without bus and ledger", proved).await;
    let beats = world.venue.beats.load(Ordering::SeqCst);
    assert_eq!((world.venue.open(), state.kill.venue_open_orders, state.kill.orders_cancelled), (0, Some(0), 3));
    let done = |step| state.kill.steps.iter().any(|(known, _)| *known == step);
    assert!(done(KillStep::GateClosed) && done(KillStep::LatchFile) && done(KillStep::CancelAll));
    assert!(!done(KillStep::LatchBus) && !done(KillStep::LatchLedger));
    assert!(matches!(world.command(Action::Arm { why: "no ledger".into() }).await, AckVerdict::Denied { .. }));

    world.bus.refuse_latch.store(false, Ordering::SeqCst);
    world.ledger.off.store(false, Ordering::SeqCst);
    let all = [KillStep::LatchLedger, KillStep::LatchBus];
    world
        .until("the rest followed", |s| all.iter().all(|step| s.kill.steps.iter().any(|(known, _)| known == step)))
        .await;
    world.signal("late").await;
    world.until("buried", |_| world.dead().contains(&DeadLetterReason::Killed)).await;
    world.until("books follow", |state| state.orders.cancelled == 3 && state.orders.open == 0).await;
    assert_eq!(world.venue.beats.load(Ordering::SeqCst), beats, "no heartbeat while killed");

    world.arm().await;
    let latch = control::latch(&(world.bus.clone() as BusRef)).await.expect("readable").expect("there");
    assert!(latch.is_armed() && latch.epoch > 1);
    world.signal_in("stale", 1).await;
    world.signal_in("fresh", latch.epoch).await;
    world.until("the fresh one lives", |state| state.orders.open == 1).await;
    assert!(world.dead().contains(&DeadLetterReason::StaleEpoch));
    assert_eq!(world.venue.posts().last(), Some(&"0xfresh".into()));
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_order_that_cannot_be_read_is_no_zero() {
    let world = World::new();
    world.venue.spoil_open(Some("0xforeign"));
    let hermes = world.start().await;
    assert_eq!(world.command(Action::Kill { why: "test".into() }).await, AckVerdict::Applied);
    let words = "1 orders open at the venue, 1 of which cannot be read: order.price is 'a lot'";
    let incomplete = |state: &HermesState| state.kill.proof == KillProof::Incomplete { why: words.into() };
    let state = world.until("incomplete, with words", incomplete).await;
    assert_eq!(state.kill.venue_open_orders, Some(1));
    assert!(matches!(world.command(Action::Arm { why: "too early".into() }).await, AckVerdict::Denied { .. }));
    let swept = world.venue.cancel_alls.load(Ordering::SeqCst);
    world.until("swept again", |_| world.venue.cancel_alls.load(Ordering::SeqCst) > swept).await;
    world.venue.spoil_open(None);
    world.until("proved", |state| matches!(state.kill.proof, KillProof::Proved { .. })).await;
    hermes.stop().await;
}

/// Kills, and waits until arming is possible.
async fn killed_and_proved(world: &World) {
    assert_eq!(world.command(Action::Kill { why: "test".into() }).await, AckVerdict::Applied);
    let done = |state: &HermesState| {
        let written = |step| state.kill.steps.iter().any(|(known, _)| *known == step);
        matches!(state.kill.proof, KillProof::Proved { .. })
            && [KillStep::LatchFile, KillStep::LatchLedger, KillStep::LatchBus].into_iter().all(written)
            && state.trouble.as_ref().is_some_and(|why| why.contains("killed by"))
    };
    world.until("proved", done).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_on_the_bus_in_the_middle_of_an_arming_is_not_overwritten() {
    let world = World::new();
    let hermes = world.start().await;
    killed_and_proved(&world).await;
    world.bus.kill_first.store(true, Ordering::SeqCst);
    let AckVerdict::Denied { reasons } = world.command(Action::Arm { why: "go".into() }).await else {
        panic!("armed over a kill");
    };
    assert!(reasons.iter().any(|reason| reason.contains("meanwhile")), "{reasons:?}");
    assert!(!world.bus.kill_first.load(Ordering::SeqCst), "the kill came in the middle");
    let state = world.until("killed in the epoch of the arming", |state| state.kill.latch.epoch == 2).await;
    assert!(!state.kill.latch.is_armed());
    let latch = control::latch(&(world.bus.clone() as BusRef)).await.expect("readable").expect("there");
    assert!(!latch.is_armed());
    world.arm().await;
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_in_the_middle_of_an_arming_starts_killed() {
    let world = World::new();
    let hermes = world.start().await;
    killed_and_proved(&world).await;
    world.bus.hold_latch.store(true, Ordering::SeqCst);
    let arming = world.command(Action::Arm { why: "go".into() });
    let interrupted = async {
        world.until("the arming is in the ledger", |_| !world.bus.hold_latch.load(Ordering::SeqCst)).await;
        // A kill that reaches the memory of this process only, which could end here.
        assert_eq!(world.command(Action::Kill { why: "no".into() }).await, AckVerdict::Applied);
        let ledger = SqliteLedger::open(&world.path().join("ledger.db")).await.expect("opens");
        let in_ledger = ledger.load(1).await.expect("reads").latch.expect("a latch");
        ledger.close().await;
        assert!(in_ledger.is_armed(), "{in_ledger:?}");
        let sources = Sources { file: LatchFile::in_dir(world.path()).read(), ledger: Some(in_ledger) };
        let latch = start_latch(Mode::Sim, sources, clock::now());
        assert!(!latch.is_armed(), "{latch:?}");
        world.bus.released.notify_one();
    };
    let (verdict, ()) = tokio::join!(arming, interrupted);
    let AckVerdict::Denied { reasons } = verdict else { panic!("armed over a kill") };
    assert!(reasons.iter().any(|reason| reason.contains("killed again")), "{reasons:?}");
    world.until("everything says killed", |state| !state.kill.latch.is_armed() && state.kill.latch.epoch == 2).await;
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_survives_a_restart_and_a_push_on_the_bus_kills() {
    let world = World::new();
    let hermes = world.start().await;
    world.signal("a").await;
    world.until("rests", |state| state.orders.open == 1).await;
    let bus: BusRef = world.bus.clone();
    control::kill(&bus, &Writer::new("cockpit", "b"), "cockpit", "test", clock::now()).await.expect("written");
    world.until("killed", |state| !state.kill.latch.is_armed()).await;
    hermes.stop().await;
    let hermes = world.start().await;
    let state = world.until("proved again", |state| matches!(state.kill.proof, KillProof::Proved { .. })).await;
    assert_eq!((state.kill.latch.by.as_str(), world.venue.open()), ("cockpit", 0));
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_latch_file_that_cannot_be_read_kills() {
    let world = World::new();
    let hermes = world.start().await;
    std::fs::write(world.path().join("kill.latch"), b"garbage").expect("writes");
    let state = world.until("killed", |state| !state.kill.latch.is_armed()).await;
    assert!(state.kill.latch.why.contains("unreadable"), "{}", state.kill.latch.why);
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_latch_file_that_says_killed_or_is_gone_or_unreadable_kills() {
    let world = World::new();
    let hermes = world.start().await;
    let path = world.path().join("kill.latch");
    let latch = KillLatch {
        epoch: 0,
        state: KillState::Killed,
        by: "cli:alice".into(),
        why: "bus and socket are dead".into(),
        at: clock::now(),
    };
    std::fs::write(&path, serde_json::to_vec(&latch).expect("JSON")).expect("writes");
    let state = world.until("killed", |state| !state.kill.latch.is_armed()).await;
    assert_eq!((state.kill.latch.by.as_str(), state.kill.latch.epoch), ("cli:alice", 1));
    world.arm().await;
    world.until("armed", |state| state.kill.latch.is_armed()).await;
    std::fs::remove_file(&path).expect("removed");
    let state = world.until("killed again", |state| !state.kill.latch.is_armed()).await;
    assert!(state.kill.latch.why.contains("gone"), "{}", state.kill.latch.why);
    world.arm().await;
    world.until("armed", |state| state.kill.latch.is_armed()).await;
    std::fs::write(&path, "{\"epoch\":").expect("writes");
    let state = world.until("killed once more", |state| !state.kill.latch.is_armed()).await;
    assert!(state.kill.latch.why.contains("unreadable"), "{}", state.kill.latch.why);
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn arming_an_armed_desk_says_that_it_is_armed() {
    let world = World::new();
    let hermes = world.start().await;
    let verdict = world.command(Action::Arm { why: "again".into() }).await;
    assert_eq!(verdict, AckVerdict::Denied { reasons: vec!["already armed in epoch 1".into()] });
    hermes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_venue_that_is_not_ours_is_never_traded_with() {
    let world = World::new();
    world.venue.foreign.store(true, Ordering::SeqCst);
    let hermes = world.launch(world.parts().await);
    world.publish_market().await;
    world.signal("a").await;
    let state =
        world.until("says so", |state| state.trouble.as_ref().is_some_and(|why| why.contains("0xtheirs"))).await;
    assert_eq!(state.trading_state, TradingState::Halted);
    assert_eq!(world.command(Action::Kill { why: "test".into() }).await, AckVerdict::Applied);
    world.until("proved", |state| matches!(state.kill.proof, KillProof::Proved { .. })).await;
    let AckVerdict::Denied { reasons } = world.command(Action::Arm { why: "go".into() }).await else {
        panic!("armed");
    };
    assert!(reasons.iter().any(|reason| reason.contains("0xtheirs")), "{reasons:?}");
    assert_eq!((world.venue.posts().len(), world.venue.connects.load(Ordering::SeqCst)), (0, 1), "asked slowly");
    hermes.stop().await;
}
