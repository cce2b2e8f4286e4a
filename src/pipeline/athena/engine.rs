//! The engine: events in, effects out. It owns the strategies, the view of the desk, and the gate between them and the stream.

use std::time::Duration;

use serde_json::value::RawValue;

use super::account::Account;
use super::event::{Effect, Emission, Event};
use super::intent::intent;
use super::markets::Markets;
use super::standing::Standing;
use super::strategy::{Desk, Runner, SavedState, Wish};
use crate::domain::{PolymarketData, StrategyId, StrategyState, Symbol, Timestamp, TradeEvent, TradingState};
use crate::risk::{Limits, Recent, RiskGate, RiskView};

#[derive(Debug)]
struct Slot {
    runner: Box<dyn Runner>,
    signal_at: Option<Timestamp>,
    /// A wish was denied since trading was halted.
    told_halted: bool,
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
    wishes: Vec<Wish>,
}

impl Engine {
    /// An engine that has heard nothing yet and therefore emits nothing.
    #[must_use]
    pub fn new(strategies: Vec<Box<dyn Runner>>, limits: Limits) -> Self {
        Self {
            gate: RiskGate::new(limits),
            slots: strategies.into_iter().map(|runner| Slot { runner, signal_at: None, told_halted: false }).collect(),
            markets: Markets::default(),
            account: Account::default(),
            standing: Standing::default(),
            recent: Recent::new(),
            wishes: Vec::new(),
        }
    }

    /// Takes an event; what is to be done is added to `effects`.
    pub fn on_event(&mut self, event: &Event, now: Timestamp, effects: &mut Vec<Effect>) {
        self.fold(event, now);
        let mut wishes = std::mem::take(&mut self.wishes);
        for index in 0..self.slots.len() {
            self.account.refresh(now);
            let desk = desk(&self.markets, &self.account, &self.gate);
            self.slots[index].runner.on_event(event, &desk, now, &mut wishes);
            let slot = &mut self.slots[index];
            if self.standing.trading_state(now) != TradingState::Halted {
                slot.told_halted = false;
            } else if !wishes.is_empty() && std::mem::replace(&mut slot.told_halted, true) {
                // One denial tells that the halt holds; one at every crossing would bury those that matter.
                wishes.clear();
            }
            for wish in wishes.drain(..) {
                let effect = self.judge(wish, now);
                if matches!(effect, Effect::Emit(_)) {
                    self.slots[index].signal_at = Some(now);
                }
                effects.push(effect);
            }
        }
        self.wishes = wishes;
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
    fn judge(&mut self, wish: Wish, now: Timestamp) -> Effect {
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
        match self.gate.check(intent, &view, now) {
            Ok(approved) => {
                self.account.reserve(approved.inner());
                self.recent.note(approved.inner(), now);
                Effect::Emit(Box::new(Emission { approved, rationale: wish.signal.rationale }))
            }
            Err(denied) => Effect::Deny(denied),
        }
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
