//! What is kept over restarts: refused by name when it cannot be read, written again when it may be lost.

use super::*;

const STATE: &str = "state.athena.momentum.BTC/USD";

fn kept(bus: &TestBus, key: &str) -> Option<serde_json::Value> {
    let payload = locked(&bus.kept).keys.get(key).cloned()?;
    Some(decode::<serde_json::Value>(&payload).expect("readable").body)
}

fn put(bus: &TestBus, key: &str, body: &serde_json::Value) {
    let payload = encode(&Origin::new("athena", "later").wrap(body, clock::now())).expect("encodes");
    locked(&bus.kept).keys.insert(key.to_owned(), payload);
}

async fn two_ticks(rig: &mut Rig) {
    rig.tick(dec!(87_000), Duration::from_secs(9)).await;
    rig.tick(dec!(87_000), Duration::from_secs(8)).await;
    rig.state(|state| state.strategies[0].window_ticks == 2).await;
}

#[tokio::test]
async fn a_state_of_a_newer_build_or_a_damaged_one_starts_cold_and_is_replaced() {
    let bus = TestBus::new();
    let mut rig = Rig::start(&bus).await;
    two_ticks(&mut rig).await;
    let bus = rig.stop().await;
    let good = kept(&bus, STATE).expect("written");
    assert_eq!(good["format"], 3);

    let mut newer = good.clone();
    newer["format"] = 4.into();
    let mut damaged = good.clone();
    damaged["window"]["open"]["samples"] = "AAAAAAAAAAAAAAAA".into();
    let mut longer = good.clone();
    longer["window"]["closed"] = 1.into();
    for (state, warm) in [(newer, 0), (damaged, 0), (longer, 0), ("?".into(), 0), (good, 2)] {
        put(&bus, STATE, &state);
        let mut rig = Rig::start(&bus).await;
        rig.trades = 10;
        let found = rig.state(|state| !state.strategies.is_empty()).await;
        assert_eq!(found.strategies[0].window_ticks, warm, "{state}");
        rig.tick(dec!(87_000), Duration::ZERO).await;
        rig.state(|state| state.strategies[0].window_ticks == warm + 1).await;
        rig.stop().await;
        assert_eq!(kept(&bus, STATE).expect("written again")["format"], 3);
    }
}

#[tokio::test]
async fn the_state_says_up_to_which_message_it_goes() {
    let bus = TestBus::new();
    let mut rig = Rig::start(&bus).await;
    two_ticks(&mut rig).await;
    let heard = kept(&bus, "heard.athena.1").expect("written with the state");
    assert_eq!(heard["states"], serde_json::json!([["momentum", "BTC/USD"]]));
    let heard = &heard["feeds"];
    assert_eq!(heard[0]["channel"], "data.crypto");
    assert_eq!((&heard[0]["source"], &heard[0]["boot"], &heard[0]["seq"]), (&"argos".into(), &"a1".into(), &2.into()));
    let bus = rig.stop().await;
    // Unknown how much is missing: everything since the newest tick.
    locked(&bus.kept).keys.remove("heard.athena.1");
    a_gap_after_a_restart(&bus).await;
}

/// On the timers' own time, which passes only while nothing is left to be done. The rounds begin at ten places between two writes.
#[tokio::test(start_paused = true)]
async fn a_tick_is_on_the_bus_within_a_quarter_of_a_second_whenever_it_comes() {
    const STEP: Duration = Duration::from_millis(10);
    const STEPS: u32 = 25;
    let bus = TestBus::new();
    let mut rig = Rig::start(&bus).await;
    for round in 0..20 {
        rig.tick(dec!(87_000), Duration::ZERO).await;
        for _ in 0..STEPS {
            tokio::time::sleep(STEP).await;
        }
        let (state, heard) = (kept(&bus, STATE).expect("written"), kept(&bus, "heard.athena.1").expect("written"));
        let newest = &state["window"]["newest"][1];
        assert_eq!((newest, &heard["feeds"][0]["seq"]), (&rig.trades.into(), &rig.trades.into()), "round {round}");
        tokio::time::sleep(STEP).await;
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_state_that_was_not_kept_with_the_others_has_a_gap() {
    let bus = TestBus::new();
    let mut rig = Rig::start(&bus).await;
    two_ticks(&mut rig).await;
    let bus = rig.stop().await;
    // As an Athena leaves it that had other instruments, or did not run the strategy.
    let mut heard = kept(&bus, "heard.athena.1").expect("written with the state");
    heard["states"] = serde_json::json!([["momentum", "ETH/USD"]]);
    put(&bus, "heard.athena.1", &heard);
    a_gap_after_a_restart(&bus).await;
}

async fn a_gap_after_a_restart(bus: &Arc<TestBus>) {
    let rig = Rig::start(bus).await;
    rig.state(|state| state.strategies[0].window_ticks == 2).await;
    let gap =
        |bus: &TestBus| kept(bus, STATE).is_some_and(|state| state["window"]["gaps"][0].is_object()).then_some(());
    rig.until("a gap", gap).await;
    rig.stop().await;
}

#[tokio::test]
async fn what_a_bus_that_was_away_may_have_lost_is_written_again() {
    let bus = TestBus::new();
    let mut rig = Rig::start(&bus).await;
    two_ticks(&mut rig).await;
    locked(&bus.kept).keys.remove(STATE);
    bus.tell(Channel::Crypto, &Delivery::Resumed);
    rig.until("the state", |bus| kept(bus, STATE)).await;
    rig.stop().await;
}
