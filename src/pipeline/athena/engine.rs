//! The engine: events in, effects out. It owns the strategies, the view of the desk, and the gate between them and the stream.

use std::time::Duration;

use serde_json::value::RawValue;

use super::account::Account;
use super::event::{Effect, Emission, Event, Refusal};
use super::intent::{intent, skip_identity};
use super::markets::Markets;
use super::params::Table;
use super::standing::Standing;
use super::strategy::{Desk, Runner, SavedState, Wish};
use super::wishes::{News, Wishes};
use crate::domain::{
    ParamProblem, ParamVersion, ParamsInForce, PolymarketData, Rationale, Skip, StrategyId, StrategyState, Symbol,
    Timestamp, TradeEvent, TradingState,
};
use crate::risk::{Limits, Recent, RiskGate, RiskView};

#[derive(Debug)]
struct Slot {
    runner: Box<dyn Runner>,
    /// The version of its parameters; 0 before one was given.
    params: u64,
    wishes: Wishes,
    signal_at: Option<Timestamp>,
    /// A wish was denied since trading was halted.
    told_halted: bool,
}

impl Slot {
    fn new(runner: Box<dyn Runner>) -> Self {
        Self { runner, params: 0, wishes: Wishes::default(), signal_at: None, told_halted: false }
    }

    fn tell(&self, news: News, now: Timestamp) -> Effect {
        let (strategy, _) = self.runner.key();
        let News { reason, skipped, untold } = news;
        Effect::Skip(Box::new(Skip {
            id: skip_identity(&strategy, reason, &skipped.cause),
            strategy,
            source: skipped.cause.source,
            slug: skipped.slug,
            params: self.params,
            reason: reason.to_owned(),
            note: skipped.note,
            inputs: skipped.inputs,
            event_at: skipped.cause.event_at,
            received_at: skipped.cause.received_at,
            at: now,
            untold,
        }))
    }
}

/// Athena's decisions.
#[derive(Debug)]
pub struct Engine {
    gate: RiskGate,
    slots: Vec<Slot>,
    markets: Markets,
    account: Account,
    standing: Standing,
    recent: Recent,
}

impl Engine {
    /// An engine that has heard nothing yet and therefore emits nothing.
    #[must_use]
    pub fn new(strategies: Vec<Box<dyn Runner>>, limits: Limits) -> Self {
        Self {
            gate: RiskGate::new(limits),
            slots: strategies.into_iter().map(Slot::new).collect(),
            markets: Markets::default(),
            account: Account::default(),
            standing: Standing::default(),
            recent: Recent::new(),
        }
    }

    /// Takes an event; what is to be done is added to `effects`.
    pub fn on_event(&mut self, event: &Event, now: Timestamp, effects: &mut Vec<Effect>) {
        self.fold(event, now);
        for index in 0..self.slots.len() {
            self.account.refresh(now);
            let desk = desk(&self.markets, &self.account, &self.gate);
            let slot = &mut self.slots[index];
            slot.runner.on_event(event, &desk, now, &mut slot.wishes);
            if self.standing.trading_state(now) != TradingState::Halted {
                slot.told_halted = false;
            } else if slot.wishes.is_empty() || std::mem::replace(&mut slot.told_halted, true) {
                // One denial tells that the halt holds; one at every crossing would bury those that matter.
                slot.wishes.hush();
            }
            let (wishes, news, params) = (slot.wishes.take(), slot.wishes.take_news(), slot.params);
            for wish in wishes {
                let effect = self.judge(wish, params, now);
                if matches!(effect, Effect::Emit(_)) {
                    self.slots[index].signal_at = Some(now);
                }
                effects.push(effect);
            }
            for news in news {
                effects.push(self.slots[index].tell(news, now));
            }
        }
    }

    fn fold(&mut self, event: &Event, now: Timestamp) {
        match event {
            Event::Tick(_) => {}
            Event::Polymarket(PolymarketData::Book(book)) => self.markets.put_book(book),
            Event::Polymarket(PolymarketData::Market(market)) => {
                self.markets.put_market(market);
                self.markets.purge(now);
            }
            Event::Trade { boot, seq, event } => {
                if let TradeEvent::Kill(report) = event.as_ref() {
                    self.standing.latch(report.latch.clone());
                }
                self.account.event(boot, *seq, event);
            }
            Event::Hermes(state) => {
                self.standing.hermes(state);
                self.account.snapshot(state);
            }
            Event::OnItsWay(intent) => {
                self.account.reserve(intent);
                self.recent.note(intent, intent.created_at);
            }
            Event::Latch(latch) => {
                self.standing.readable();
                self.standing.latch(latch.clone());
            }
            Event::LatchAbsent => self.standing.readable(),
            Event::LatchUnreadable(why) => self.standing.unreadable(why),
            Event::Gap => self.markets.forget_books(),
            Event::Timer => self.markets.purge(now),
        }
    }

    /// Sizes nothing up or down: the wish becomes an intent as it is, and the gate says yes or no.
    fn judge(&mut self, wish: Wish, params: u64, now: Timestamp) -> Effect {
        self.account.refresh(now);
        let market = self.markets.market(&wish.signal.market);
        let closes_at = market.and_then(|market| market.closes_at);
        let intent = intent(&wish, self.standing.epoch(), closes_at, now);
        let view = RiskView {
            trading_state: self.standing.trading_state(now),
            epoch: self.standing.epoch(),
            market,
            book: self.markets.book(&intent.market, &intent.token),
            source_at: Some(wish.cause.received_at),
            holdings: self.account.holdings(),
            recent: &self.recent,
            equity: self.account.equity(),
        };
        let rationale = Rationale { params, ..wish.signal.rationale };
        match self.gate.check(intent, &view, now) {
            Ok(approved) => {
                self.account.reserve(approved.inner());
                self.recent.note(approved.inner(), now);
                Effect::Emit(Box::new(Emission { approved, rationale }))
            }
            Err(denied) => Effect::Deny(Box::new(Refusal { denied: *denied, rationale })),
        }
    }

    /// Puts a version of a strategy's parameters in force, whole or not at all. The next event is judged by it.
    ///
    /// # Errors
    /// Everything that is wrong with it; then the parameters before it stay.
    pub fn set_params(&mut self, version: &ParamVersion) -> Result<(), Vec<ParamProblem>> {
        for slot in self.slots.iter_mut().filter(|slot| slot.runner.key().0 == version.strategy) {
            slot.runner.set_params(&version.values)?;
            slot.params = version.version;
        }
        Ok(())
    }

    /// Every strategy's parameters.
    #[must_use]
    pub fn params(&self) -> Vec<ParamsInForce> {
        let params = |slot: &Slot| ParamsInForce {
            strategy: slot.runner.key().0,
            version: slot.params,
            values: slot.runner.values(),
        };
        self.slots.iter().map(params).collect()
    }

    /// Every strategy's parameter table.
    #[must_use]
    pub fn tables(&self) -> Vec<(StrategyId, Table)> {
        self.slots.iter().map(|slot| (slot.runner.key().0, slot.runner.table())).collect()
    }

    /// Crossings that did not become a wish.
    #[must_use]
    pub fn skips(&self) -> u64 {
        self.slots.iter().map(|slot| slot.wishes.skips()).sum()
    }

    /// What may be emitted now.
    #[must_use]
    pub fn trading_state(&self, now: Timestamp) -> TradingState {
        self.standing.trading_state(now)
    }

    /// How every strategy stands.
    #[must_use]
    pub fn report(&self, now: Timestamp) -> Vec<StrategyState> {
        let desk = desk(&self.markets, &self.account, &self.gate);
        let trouble = self.standing.trouble(now);
        let report = |slot: &Slot| {
            let state = slot.runner.report(&desk, now);
            StrategyState { signal_at: slot.signal_at, idle: trouble.clone().or(state.idle), ..state }
        };
        self.slots.iter().map(report).collect()
    }

    /// The state of every strategy, to be kept.
    #[must_use]
    pub fn save(&self) -> Vec<((StrategyId, Symbol), SavedState)> {
        self.slots.iter().map(|slot| (slot.runner.key(), slot.runner.save())).collect()
    }

    /// Under which names states are kept.
    #[must_use]
    pub fn keys(&self) -> Vec<(StrategyId, Symbol)> {
        self.slots.iter().map(|slot| slot.runner.key()).collect()
    }

    /// Gives a strategy back what was kept.
    ///
    /// # Errors
    /// Why it starts cold instead, in words.
    pub fn restore(&mut self, key: &(StrategyId, Symbol), saved: &RawValue, now: Timestamp) -> Result<(), String> {
        match self.slots.iter_mut().find(|slot| slot.runner.key() == *key) {
            Some(slot) => slot.runner.restore(saved, now),
            None => Err(format!("no strategy {} on {}", key.0, key.1)),
        }
    }

    /// Events and descriptions that were lost or refused on the way in.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.account.gaps() + self.markets.refused()
    }
}

fn desk<'a>(markets: &'a Markets, account: &'a Account, gate: &RiskGate) -> Desk<'a> {
    let data_age: Duration = gate.limits().data_age;
    Desk { markets, holdings: account.holdings(), data_age }
}

#[cfg(test)]
mod tests;
