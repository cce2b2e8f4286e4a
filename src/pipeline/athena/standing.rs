//! Whether Athena may emit at all: the latch, and what Hermes says.

use std::time::Duration;

use crate::domain::{HermesState, KillLatch, ParamProblem, Timestamp, TradingState};

/// A Hermes that has not written its snapshot for this long is taken for dead.
const HERMES_SILENT_AFTER: Duration = Duration::from_secs(5);

/// The latch and Hermes' trading state as last heard. Nothing heard means halted.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    latch: Option<KillLatch>,
    unreadable: Option<String>,
    hermes: Option<(Timestamp, TradingState, Option<String>)>,
    limits: Option<String>,
}

impl Standing {
    /// A latch from whatever source: the strictest of all that were heard counts.
    pub(super) fn latch(&mut self, heard: KillLatch) {
        self.latch = Some(match self.latch.take() {
            Some(known) => known.stricter(heard),
            None => heard,
        });
    }

    /// The latch on the bus was read, or found absent.
    pub(super) fn readable(&mut self) {
        self.unreadable = None;
    }

    /// The latch on the bus could not be read.
    pub(super) fn unreadable(&mut self, why: &str) {
        self.unreadable = Some(why.to_owned());
    }

    /// Hermes' snapshot.
    pub(super) fn hermes(&mut self, state: &HermesState) {
        self.latch(state.kill.latch.clone());
        self.hermes = Some((state.at, state.trading_state, state.trouble.clone()));
    }

    /// Whether Hermes' limits could be read. While they could not, nobody knows what he allows.
    pub(super) fn limits(&mut self, problems: Option<&[ParamProblem]>) {
        let words = |problems: &[ParamProblem]| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        self.limits = problems.map(words);
    }

    /// The arm epoch in force, 0 while none is known.
    pub(super) fn epoch(&self) -> u64 {
        self.latch.as_ref().map_or(0, |latch| latch.epoch)
    }

    /// What may be emitted now.
    pub(super) fn trading_state(&self, now: Timestamp) -> TradingState {
        match (&self.hermes, self.halted(now)) {
            (Some((_, state, _)), None) => *state,
            _ => TradingState::Halted,
        }
    }

    /// Why nothing, or not everything, may be emitted, in words.
    pub(super) fn trouble(&self, now: Timestamp) -> Option<String> {
        self.halted(now).or_else(|| match &self.hermes {
            Some((_, TradingState::Active, _)) | None => None,
            Some((_, state, trouble)) => {
                let why = trouble.as_ref().map_or_else(String::new, |trouble| format!(": {trouble}"));
                Some(format!("Hermes is {state}{why}"))
            }
        })
    }

    fn halted(&self, now: Timestamp) -> Option<String> {
        if let Some(why) = &self.unreadable {
            return Some(format!("the kill latch cannot be read: {why}"));
        }
        if let Some(why) = &self.limits {
            return Some(format!("the limits that Hermes has in force cannot be read: {why}"));
        }
        match &self.latch {
            None => return Some("the kill latch is not known yet".into()),
            Some(latch) if !latch.is_armed() => return Some(format!("killed by {}: {}", latch.by, latch.why)),
            Some(_) => {}
        }
        match &self.hermes {
            None => Some("Hermes has not been heard yet".into()),
            Some((at, ..)) if now.since(*at) > HERMES_SILENT_AFTER => {
                Some(format!("Hermes has been silent for {} s", now.since(*at).as_secs()))
            }
            Some(_) => None,
        }
    }
}
