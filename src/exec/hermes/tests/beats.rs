//! The dead man's switch at work.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_that_gets_no_answer_is_given_up_in_time_for_others() {
    let world = World::new();
    let hermes = world.start().await;
    let beats = || world.venue.beats.load(Ordering::SeqCst);
    world.venue.swallow_beat.store(true, Ordering::SeqCst);
    world.until("one is under way and gets no answer", |_| !world.venue.swallow_beat.load(Ordering::SeqCst)).await;
    let swallowed = beats();
    // The venue sweeps ten seconds after the one before.
    world.until_within(Duration::from_secs(8), "others followed", |_| beats() > swallowed + 1).await;
    hermes.stop().await;
}
