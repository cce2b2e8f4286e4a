//! Who may work where, and an orderly end.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_end_cancels_what_rests_and_the_books_know_it() {
    let world = World::new();
    let hermes = world.start().await;
    world.signal("a").await;
    world.until("rests", |state| state.orders.open == 1).await;
    hermes.stop().await;
    assert_eq!(world.venue.open(), 0);
    let ledger = SqliteLedger::open(&world.path().join("ledger.db")).await.expect("opens");
    let memory = ledger.load(10).await.expect("loads");
    assert_eq!((memory.orders[0].order.state, memory.counted.orders.cancelled), (OrderState::Cancelled, 1));
    assert!(!path_in(world.path()).exists(), "the socket is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_is_private_single_and_answers() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    std::fs::write(path_in(world.path()), b"left behind").expect("stale file");
    let hermes = world.start().await;
    let mode = std::fs::metadata(path_in(world.path())).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let Reply::Status(status) = ask(&path_in(world.path()), Request::Status { status: true }).await.expect("answers")
    else {
        panic!("not a status");
    };
    assert!(status.daemons["hermes"].up && !status.daemons["argos"].up);
    let second = run(world.parts().await, CancellationToken::new()).await;
    assert!(matches!(second, Err(HermesError::Socket(SocketError::InUse(_)))), "{second:?}");
    let long = world.path().join("x".repeat(120));
    assert!(matches!(ask(&long, Request::Status { status: true }).await, Err(SocketError::TooLong { .. })));
    hermes.stop().await;
}

#[tokio::test]
async fn a_ledger_of_another_mode_is_refused() {
    let world = World::new();
    let mut parts = world.parts().await;
    parts.ledger.commit(&[Write::Meta { key: "mode", value: "LIVE".into() }]).await.expect("commits");
    parts.settings.mode = Mode::Sim;
    let refused = run(parts, CancellationToken::new()).await;
    assert!(matches!(refused, Err(HermesError::WrongMode { .. })), "{refused:?}");
}
