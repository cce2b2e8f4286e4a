//! Sends a socket its events, or does to them what the plan of faults says. Answers to the client do not pass here.

use std::collections::BTreeMap;
use std::future::pending;

use axum::extract::ws::WebSocket;
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::socket::{Ended, send_text};
use crate::clock;
use crate::sim::faults::{Channel, Delivery, Faults};

/// Events that are held back at once; a further one is sent without delay.
const MOST_HELD: usize = 1_024;

/// One socket's events.
pub(super) struct Teller {
    faults: Faults,
    channel: Channel,
    /// Held back until then, in the order in which they came.
    held: BTreeMap<(Instant, u64), String>,
    told: u64,
    silence: Option<Silence>,
}

struct Silence {
    until: Instant,
    pong: bool,
}

impl Teller {
    pub(super) fn new(faults: Faults, channel: Channel) -> Self {
        Self { faults, channel, held: BTreeMap::new(), told: 0, silence: None }
    }

    /// Whether what the client sends is left unread for now.
    pub(super) fn is_deaf(&self) -> bool {
        self.silence().is_some_and(|silence| !silence.pong)
    }

    fn silence(&self) -> Option<&Silence> {
        self.silence.as_ref().filter(|silence| Instant::now() < silence.until)
    }

    /// Waits until something that was held back is due or a silence ends. Cancel-safe.
    pub(super) async fn due(&self) {
        let held = self.held.first_key_value().map(|((at, _), _)| *at);
        let silence = self.silence().map(|silence| silence.until);
        match held.into_iter().chain(silence).min() {
            Some(at) => sleep_until(at).await,
            None => pending().await,
        }
    }

    /// Sends what is due. A silent socket loses it.
    pub(super) async fn release(&mut self, socket: &mut WebSocket) -> Result<(), Ended> {
        let later = self.held.split_off(&(Instant::now(), u64::MAX));
        for text in std::mem::replace(&mut self.held, later).into_values() {
            if self.silence().is_none() {
                send_text(socket, &text).await?;
            }
        }
        Ok(())
    }

    /// Sends an event.
    pub(super) async fn tell(&mut self, socket: &mut WebSocket, event: &Value) -> Result<(), Ended> {
        if self.silence().is_some() {
            return Ok(());
        }
        let text = event.to_string();
        match self.faults.delivery(self.channel, clock::now()) {
            Delivery::Twice => {
                send_text(socket, &text).await?;
                send_text(socket, &text).await
            }
            Delivery::Never => Ok(()),
            Delivery::Late(wait) if self.held.len() < MOST_HELD => {
                self.told += 1;
                self.held.insert((Instant::now() + wait, self.told), text);
                Ok(())
            }
            Delivery::Once | Delivery::Late(_) => send_text(socket, &text).await,
            Delivery::Silence { lasts, pong } => {
                self.silence = Some(Silence { until: Instant::now() + lasts, pong });
                Ok(())
            }
        }
    }
}
