//! Putting messages on the bus from a task that must not be held up.

use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

use super::throttle::Throttle;
use crate::bus::{BusError, BusLink, BusRef, Channel, CodecError, Key, Origin, Stream, encode};
use crate::clock;

/// How often a failing bus is complained about.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// Why a message did not get onto the bus.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum PublishError {
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// One task's way to the bus. A failure is told by the return value and complained about now and then.
#[derive(Debug)]
pub(super) struct Publisher {
    bus: BusRef,
    link: watch::Receiver<BusLink>,
    origin: Origin,
    complaints: Throttle,
}

impl Publisher {
    /// For one destination; sequence numbers count for it alone.
    pub(super) fn new(bus: &BusRef, boot: &str) -> Self {
        Self {
            bus: BusRef::clone(bus),
            link: bus.link(),
            origin: Origin::new("argos", boot),
            complaints: Throttle::new(COMPLAIN_EVERY, 1),
        }
    }

    /// Sends to a channel, in order; whether the bus took it all. While the bus is known to be down nothing is tried: a tick that
    /// waits for a timeout holds up all behind it. The state writer goes on trying, so that the bus is found again.
    pub(super) async fn publish<T: Serialize + Sync>(&mut self, channel: Channel, bodies: &[T]) -> bool {
        let down = match &*self.link.borrow() {
            BusLink::Up | BusLink::Degraded(_) => None,
            BusLink::Down(reason) => Some(reason.clone()),
        };
        if let Some(reason) = down {
            return self.report(&channel, Err(BusError::Unreachable(reason).into()));
        }
        let payloads: Result<Vec<_>, _> =
            bodies.iter().map(|body| encode(&self.origin.wrap(body, clock::now()))).collect();
        let done = match payloads {
            Ok(payloads) => self.bus.publish_all(channel, payloads).await.map_err(PublishError::from),
            Err(error) => Err(error.into()),
        };
        self.report(&channel, done)
    }

    /// Appends to a stream; whether the bus took it.
    pub(super) async fn append<T: Serialize + Sync>(&mut self, stream: Stream, body: &T) -> bool {
        let done = match encode(&self.origin.wrap(body, clock::now())) {
            Ok(payload) => self.bus.append(stream, payload).await.map(|_id| ()).map_err(PublishError::from),
            Err(error) => Err(error.into()),
        };
        self.report(&stream, done)
    }

    /// Writes a key; whether the bus took it.
    pub(super) async fn set<T: Serialize + Sync>(&mut self, key: &Key, body: &T) -> bool {
        let done = match encode(&self.origin.wrap(body, clock::now())) {
            Ok(payload) => self.bus.set(key, payload).await.map_err(PublishError::from),
            Err(error) => Err(error.into()),
        };
        self.report(key, done)
    }

    fn report(&mut self, destination: &(dyn std::fmt::Display + Sync), done: Result<(), PublishError>) -> bool {
        let Err(error) = done else { return true };
        if let Some(withheld) = self.complaints.allow(clock::now()) {
            tracing::warn!(%destination, %error, withheld, "not on the bus");
        }
        false
    }
}
