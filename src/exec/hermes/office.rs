//! Where commands are taken in, whoever has the account: at work they go to the loop, on a standby only a kill is obeyed.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::super::kill::{KillSwitch, LatchFile};
use super::commands::{self, Asked};
use crate::bus::{BusRef, Origin, control};
use crate::clock;
use crate::domain::{Ack, AckVerdict, Action, Command, KillLatch, KillState};

/// What this Hermes is at the moment.
#[derive(Clone, Debug)]
pub(in crate::exec) enum Seat {
    /// It has no lease; why, in words.
    Standby(String),
    /// It works.
    Active {
        /// The kill switch of this turn.
        switch: Arc<KillSwitch>,
        /// The way to the loop.
        asks: mpsc::Sender<Asked>,
    },
}

/// Lives as long as the process.
#[derive(Debug)]
pub(in crate::exec) struct Office {
    seat: Mutex<Seat>,
    bus: BusRef,
    file: LatchFile,
    origin: Arc<Origin>,
}

impl Office {
    pub(super) fn new(bus: BusRef, file: LatchFile, origin: Arc<Origin>) -> Self {
        Self { seat: Mutex::new(Seat::Standby("hermes is starting".into())), bus, file, origin }
    }

    /// From now on it is this.
    pub(super) fn sit(&self, seat: Seat) {
        *self.seat.lock().unwrap_or_else(PoisonError::into_inner) = seat;
    }

    fn seat(&self) -> Seat {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Carries a command out and says what came of it.
    pub(in crate::exec) async fn command(&self, command: Command) -> Ack {
        let why = match self.seat() {
            Seat::Active { switch, asks } => return commands::obey(command, &switch, &asks).await,
            Seat::Standby(why) => why,
        };
        let verdict = match &command.action {
            Action::Kill { why } => match self.pass_on(&command.actor, why).await {
                Ok(()) => AckVerdict::Applied,
                Err(reason) => AckVerdict::Denied { reasons: vec![reason] },
            },
            Action::Arm { .. }
            | Action::DlqRetry { .. }
            | Action::DlqDrop { .. }
            | Action::SetParams { .. }
            | Action::RollbackParams { .. } => {
                AckVerdict::Denied { reasons: vec![format!("this hermes is a standby and decides nothing: {why}")] }
            }
        };
        Ack {
            id: command.id,
            by: "hermes".into(),
            not_heard_from: Vec::new(),
            verdict,
            version: None,
            at: clock::now(),
        }
    }

    /// Stops everything, whatever this Hermes is.
    async fn kill(&self, by: &str, why: &str) {
        if let Seat::Active { switch, .. } = self.seat() {
            commands::trip(&switch, by, why);
        } else if let Err(error) = self.pass_on(by, why).await {
            tracing::error!(%error, "the kill has not reached the bus");
        }
    }

    /// A kill on a standby: into its own latch file, so that it never begins armed, and onto the bus, where the one at work
    /// obeys it.
    async fn pass_on(&self, by: &str, why: &str) -> Result<(), String> {
        tracing::warn!(by, why, "killed while on standby");
        let on_bus = control::kill(&self.bus, &self.origin, by, why, clock::now());
        let latch = KillLatch { epoch: 0, state: KillState::Killed, by: by.into(), why: why.into(), at: clock::now() };
        let file = self.file.clone();
        let written = tokio::task::spawn_blocking(move || file.write(&latch));
        let (on_bus, written) = tokio::join!(on_bus, written);
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the kill is not in the latch file"),
            Err(error) => tracing::error!(%error, "the kill is not in the latch file"),
        }
        on_bus.map(|_latch| ()).map_err(|error| {
            format!("this hermes is a standby, its latch file is written, but the one at work was not reached: {error}")
        })
    }
}

/// Hears SIGUSR2, which kills. Until then the signal would end the process.
pub(super) fn hear_signal() -> std::io::Result<Signal> {
    signal(SignalKind::user_defined2())
}

/// Kills at every SIGUSR2.
pub(super) async fn obey_signals(mut signals: Signal, office: Arc<Office>, end: CancellationToken) {
    loop {
        tokio::select! {
            heard = signals.recv() => if heard.is_none() { return },
            () = end.cancelled() => return,
        }
        office.kill("signal", "SIGUSR2").await;
    }
}
