//! Hermes as his snapshot on the bus shows him.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use cockpit::bus::{BusRef, Key, decode};
use cockpit::clock;
use cockpit::domain::HermesState;

/// His snapshot; nothing before the first, nor while the bus is away.
pub(crate) async fn state(bus: &BusRef) -> Option<HermesState> {
    let payload = bus.get(&Key::HERMES).await.ok().flatten()?;
    Some(decode::<HermesState>(&payload).expect("a snapshot").body)
}

/// His snapshot once it is as it should be; fails loudly when the time is over.
pub(crate) async fn until(
    bus: &BusRef,
    within: Duration,
    what: &str,
    holds: impl Fn(&HermesState) -> bool,
) -> HermesState {
    let begun = clock::monotonic();
    loop {
        let state = state(bus).await;
        if let Some(state) = state.clone().filter(|state| holds(state)) {
            return state;
        }
        let last = state.map(|state| (state.orders, state.dlq, state.trouble, state.recent_orders));
        assert!(begun.elapsed() < within, "waited {within:?} for {what}: {last:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
