//! Dead letters by command, and the record of commands.

use super::*;

/// A letter of an intent that was refused by the epoch in force.
async fn buried(world: &World) -> String {
    world.signal_in("old", 7).await;
    world.until("buried", |state| state.dlq == 1).await.dead_letters[0].id.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_tried_again_as_a_new_attempt_and_told_anew_and_everything_is_on_record() {
    let world = World::new();
    let hermes = world.start().await;
    let id = buried(&world).await;
    assert_eq!(world.command(Action::DlqRetry { id: id.clone() }).await, AckVerdict::Applied);
    let state = world.until("it lives", |state| state.orders.open == 1 && state.dlq == 0).await;
    assert_eq!((state.recent_orders[0].intent.attempt, state.recent_orders[0].intent.epoch), (2, 1));
    let AckVerdict::Denied { reasons } = world.command(Action::DlqRetry { id: id.clone() }).await else {
        panic!("retried twice");
    };
    assert!(reasons[0].contains("attempt 2"), "{reasons:?}");
    let told = |_: &HermesState| {
        let letters = world.bus.bodies::<DeadLetter>(Stream::Dlq);
        letters.len() == 2
            && letters.iter().all(|letter| letter.body.id == id)
            && matches!(letters[1].body.state, DeadLetterState::Retried { attempt: 2, .. })
    };
    world.until("told anew", told).await;
    assert_eq!(world.command(Action::Kill { why: "enough".into() }).await, AckVerdict::Applied);
    world.until("killed", |state| !state.kill.latch.is_armed()).await;
    hermes.stop().await;
    let record = world.ledger.commands.lock().expect("lock").clone();
    let first = ["dlq_retry by test in 1: applied", "dlq_retry by test in 1: denied", "kill by test in 1: applied"];
    assert_eq!(record, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_dropped_once() {
    let world = World::new();
    let hermes = world.start().await;
    let id = buried(&world).await;
    let drop = |why: &str| Action::DlqDrop { id: id.clone(), why: why.into() };
    assert_eq!(world.command(drop("old")).await, AckVerdict::Applied);
    let AckVerdict::Denied { reasons } = world.command(drop("again")).await else { panic!("dropped twice") };
    assert!(reasons[0].contains("test dropped it"), "{reasons:?}");
    world.until("done with", |state| state.dlq == 0).await;
    hermes.stop().await;
    // Another run knows it too.
    let hermes = world.start().await;
    let state = world.until("restored", |state| state.dead_letters.len() == 1).await;
    assert!(matches!(state.dead_letters[0].state, DeadLetterState::Dropped { .. }) && state.dlq == 0);
    hermes.stop().await;
}
