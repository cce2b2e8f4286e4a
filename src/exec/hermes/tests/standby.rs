//! Two of them on one ledger: one works, the other waits.

use super::*;

/// The second Hermes: a state directory and a connection to the ledger of its own.
struct Second {
    dir: TempDir,
    fault: Arc<Fault>,
}

impl Second {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("dir"), fault: Arc::default() }
    }

    async fn launch(&self, world: &World) -> Running {
        world.launch(world.parts_of(self.dir.path(), &self.fault).await)
    }

    /// Waits until it says over its socket that it is a standby.
    async fn waits(&self, world: &World) {
        let says = async {
            while !self.refusal(world).await.contains("has the lease of the account") {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(WAIT, says).await.expect("it is a standby");
    }

    async fn refusal(&self, world: &World) -> String {
        if !path_in(self.dir.path()).exists() {
            return String::new();
        }
        match world.command_of(self.dir.path(), Action::Arm { why: "me too".into() }).await {
            AckVerdict::Denied { reasons } => reasons.join("; "),
            other => panic!("{other:?}"),
        }
    }

    /// Waits until it follows the latch in force.
    async fn follows(&self) {
        let file = self.dir.path().join("kill.latch");
        let made = async {
            while !file.exists() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(WAIT, made).await.expect("a latch file of its own");
    }
}

fn active(token: u64) -> impl Fn(&HermesState) -> bool {
    move |state| state.fencing_token == Some(token) && state.trading_state == TradingState::Active
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_does_nothing_until_the_other_stops_and_then_begins_at_once() {
    let (world, second) = (World::new(), Second::new());
    let first = world.start().await;
    let standby = second.launch(&world).await;
    second.waits(&world).await;
    second.follows().await;
    world.signal("a").await;
    let state = world.until("rests", |state| state.orders.open == 1).await;
    assert_eq!(state.fencing_token, Some(1));
    assert_eq!(world.venue.posts().len(), 1, "one order, one POST");
    first.stop().await;
    assert_eq!(world.ledger.given_back.load(Ordering::SeqCst), 1, "the lease needs not run out");
    let state = world.until("the other works", active(2)).await;
    assert_eq!((state.orders.cancelled, state.kill.latch.epoch), (1, 1), "with the books of the first");
    world.signal("b").await;
    world.until("it trades", |state| state.orders.open == 1).await;
    standby.stop().await;
}

#[test]
fn a_dead_one_is_replaced_and_nothing_is_doubled_or_lost() {
    let (world, second) = (World::new(), Second::new());
    let runtime = || tokio::runtime::Runtime::new().expect("runtime");
    let (first, other) = (runtime(), runtime());
    first.block_on(async {
        world.start().await;
        world.signal("a").await;
        world.until("rests", |state| state.orders.open == 1).await;
    });
    let standby = other.block_on(async {
        let standby = second.launch(&world).await;
        second.waits(&world).await;
        second.follows().await;
        standby
    });
    first.block_on(async {
        world.venue.next(Script::Hang);
        let posted = world.venue.posted.notified();
        world.signal("b").await;
        tokio::time::timeout(WAIT, posted).await.expect("posted");
    });
    // Every task of the first dies where it stands: the venue has b, nobody has heard so.
    first.shutdown_background();
    other.block_on(async {
        world.publish_market().await;
        world.until("the other works", |state| state.fencing_token == Some(2)).await;
        world.until("the books agree", |state| state.orders.open == 2 && state.orders.unknown == 0).await;
        world.until("b is acknowledged", |_| world.bus.unacknowledged() == 0).await;
        world.signal("c").await;
        world.until("it trades", |state| state.orders.open == 3).await;
        assert_eq!(world.venue.posts(), ["0xa".into(), "0xb".into(), "0xc".into()]);
        standby.stop().await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_cut_off_from_the_ledger_sends_nothing_and_becomes_the_standby() {
    let (world, second) = (World::new(), Second::new());
    let first = world.start().await;
    let other = second.launch(&world).await;
    second.waits(&world).await;
    second.follows().await;
    world.ledger.off.store(true, Ordering::SeqCst);
    world.until("the other works", active(2)).await;
    let posts = world.venue.posts().len();
    world.signal("a").await;
    world.until("the other sends", |state| state.fencing_token == Some(2) && state.orders.open == 1).await;
    assert_eq!(world.venue.posts().len(), posts + 1);
    world.ledger.off.store(false, Ordering::SeqCst);
    let waits = async {
        loop {
            let AckVerdict::Denied { reasons } = world.command(Action::Arm { why: "mine".into() }).await else {
                panic!("armed")
            };
            if reasons[0].contains("standby") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(WAIT, waits).await.expect("it is a standby now");
    other.stop().await;
    let state = world.until("the first works again", active(3)).await;
    assert_eq!(state.orders.cancelled, 1, "with the books of the other");
    world.signal("b").await;
    world.until("and sends", |state| state.fencing_token == Some(3) && state.orders.open == 1).await;
    assert_eq!(world.venue.posts(), ["0xa".into(), "0xb".into()]);
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_the_standby_kills_the_one_at_work_and_outlives_a_takeover() {
    let (world, second) = (World::new(), Second::new());
    let first = world.start().await;
    let other = second.launch(&world).await;
    second.waits(&world).await;
    second.follows().await;
    world.signal("a").await;
    world.until("rests", |state| state.orders.open == 1).await;
    let verdict = world.command_of(second.dir.path(), Action::Kill { why: "test".into() }).await;
    assert_eq!(verdict, AckVerdict::Applied);
    let state = world.until("proved", |state| matches!(state.kill.proof, KillProof::Proved { .. })).await;
    assert_eq!((state.fencing_token, state.kill.latch.by.as_str(), world.venue.open()), (Some(1), "test", 0));
    first.stop().await;
    let state = world.until("the other has it", |state| state.fencing_token == Some(2)).await;
    assert!(!state.kill.latch.is_armed(), "nothing re-arms itself");
    other.stop().await;
}
