//! The books of parameters, each read when a snapshot names a version of it that was not told yet.

use std::collections::HashMap;

use tokio::sync::mpsc;

use super::refusals::{Ended, Refusals};
use crate::bus::{BusRef, Key, decode};
use crate::domain::{ParamBook, ParamsInForce, StrategyId};
use crate::ui::msg::Feed;

/// Which versions are in force, and which were told.
#[derive(Debug)]
pub(super) struct Books {
    news: mpsc::Sender<Feed>,
    refusals: Refusals,
    strategies: Vec<(StrategyId, u64)>,
    limits: Option<(StrategyId, u64)>,
    told: HashMap<StrategyId, u64>,
}

impl Books {
    /// None yet.
    pub(super) fn new(news: mpsc::Sender<Feed>) -> Self {
        let refusals = Refusals::of("params.*".to_owned(), news.clone());
        Self { news, refusals, strategies: Vec::new(), limits: None, told: HashMap::new() }
    }

    /// Notes what a snapshot says is in force.
    pub(super) fn heard(&mut self, feed: &Feed) {
        let named = |params: &ParamsInForce| (params.strategy.clone(), params.version);
        match feed {
            Feed::Athena(state) => self.strategies = state.params.iter().map(named).collect(),
            Feed::Hermes(state) => self.limits = state.risk.as_ref().map(named),
            _ => return,
        }
        let (strategies, limits) = (&self.strategies, &self.limits);
        self.told.retain(|known, _| strategies.iter().chain(limits).any(|(strategy, _)| strategy == known));
    }

    /// Reads and tells what is due. A book that does not tell of the version in force yet is read again the next time.
    ///
    /// # Errors
    /// When nobody wants it any more.
    pub(super) async fn tell(&mut self, bus: &BusRef) -> Result<(), Ended> {
        let in_force = self.strategies.iter().chain(&self.limits);
        let due: Vec<_> =
            in_force.filter(|(strategy, version)| self.told.get(strategy) != Some(version)).cloned().collect();
        for (strategy, version) in due {
            let key = Key::Params(strategy.clone());
            let payload = match bus.get(&key).await {
                Ok(found) => found,
                Err(error) => return self.refusals.failed(error).await,
            };
            self.refusals.answered();
            let Some(payload) = payload else { continue };
            let feed = match decode::<ParamBook>(&payload) {
                Ok(envelope) => {
                    let newest = envelope.body.in_force().map_or(0, |newest| newest.version);
                    if newest == version || self.told.get(&strategy) != Some(&newest) {
                        self.told.insert(strategy, newest);
                        Feed::Params(envelope.body)
                    } else {
                        continue;
                    }
                }
                Err(error) => {
                    self.told.insert(strategy, version);
                    Feed::Unreadable { what: key.to_string(), error: error.to_string() }
                }
            };
            self.news.send(feed).await.map_err(|_| Ended)?;
        }
        Ok(())
    }
}
