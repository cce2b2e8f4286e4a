//! What the cockpit asks of the desk, done off the loop: each attempt is a task with a deadline, its outcome a message.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::msg::{Delivered, Msg};
use crate::bus::{BusRef, Origin, control};
use crate::clock::now;
use crate::domain::Action;

/// How long one attempt may take.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(3);
/// How long leaving waits for attempts under way.
const FINISH_WITHIN: Duration = Duration::from_secs(2);

/// A second way to kill, for when the bus is away. The composition root provides it.
#[async_trait]
pub trait KillPath: std::fmt::Debug + Send + Sync {
    /// Closes the gate.
    ///
    /// # Errors
    /// In words, when nobody took it.
    async fn kill(&self, by: &str, why: &str) -> Result<(), String>;
}

/// Attempts under way.
#[derive(Debug)]
pub(crate) struct Orders {
    bus: BusRef,
    beside: Option<Arc<dyn KillPath>>,
    latch: Arc<Origin>,
    commands: Arc<Origin>,
    actor: Arc<str>,
    under_way: JoinSet<Msg>,
}

impl Orders {
    /// Nothing under way. The actor is who asks, for the record.
    pub(crate) fn new(bus: BusRef, beside: Option<Arc<dyn KillPath>>, actor: &str) -> Self {
        let boot = Uuid::new_v4().to_string();
        Self {
            bus,
            beside,
            latch: Arc::new(Origin::new("cockpit", &boot)),
            commands: Arc::new(Origin::new("cockpit", &boot)),
            actor: Arc::from(actor),
            under_way: JoinSet::new(),
        }
    }

    /// Puts the killed latch on the bus and, at the same time, takes the way beside it: either is enough.
    pub(crate) fn kill(&mut self, why: String) {
        let (bus, origin, actor) = (Arc::clone(&self.bus), Arc::clone(&self.latch), Arc::clone(&self.actor));
        let beside = self.beside.clone();
        self.under_way.spawn(async move {
            let over_bus = tokio::time::timeout(ATTEMPT_WITHIN, control::kill(&bus, &origin, &actor, &why, now()));
            let past_bus = async {
                let Some(path) = &beside else { return Err("there is no other way".to_owned()) };
                tokio::time::timeout(ATTEMPT_WITHIN, path.kill(&actor, &why))
                    .await
                    .unwrap_or_else(|_| Err("no answer from hermes' socket".to_owned()))
            };
            let (over_bus, past_bus) = tokio::join!(over_bus, past_bus);
            let bus_error = match over_bus {
                Ok(Ok(latch)) => return Msg::KillSent(Ok(Delivered::Bus(latch))),
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer from the bus within {} s", ATTEMPT_WITHIN.as_secs()),
            };
            Msg::KillSent(match past_bus {
                Ok(()) => Ok(Delivered::Beside),
                Err(error) => Err(format!("bus: {bus_error}; {error}")),
            })
        });
    }

    /// Asks something of the desk; a daemon answers on `control.acks`.
    pub(crate) fn command(&mut self, action: Action) {
        let (bus, origin, actor) = (Arc::clone(&self.bus), Arc::clone(&self.commands), Arc::clone(&self.actor));
        self.under_way.spawn(async move {
            let attempt = control::command(&bus, &origin, &actor, action.clone(), now());
            let outcome = match tokio::time::timeout(ATTEMPT_WITHIN, attempt).await {
                Ok(outcome) => outcome.map(|command| command.id).map_err(|error| error.to_string()),
                Err(_) => Err(format!("no answer from the bus within {} s", ATTEMPT_WITHIN.as_secs())),
            };
            Msg::CommandSent { action, outcome }
        });
    }

    /// The outcome of the next attempt that ends; waits for ever when none is under way. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Msg {
        loop {
            match self.under_way.join_next().await {
                Some(Ok(msg)) => return msg,
                Some(Err(error)) => tracing::error!(%error, "an attempt ended without an outcome"),
                None => std::future::pending().await,
            }
        }
    }

    /// Waits for attempts under way, but not for ever.
    pub(crate) async fn finish(&mut self) {
        let all = async { while self.under_way.join_next().await.is_some() {} };
        if tokio::time::timeout(FINISH_WITHIN, all).await.is_err() {
            tracing::warn!("left while a command was still on its way to the bus");
        }
    }
}
