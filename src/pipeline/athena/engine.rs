//! The engine: events in, effects out. It owns the strategies, the view of the desk, and the gate between them and the stream.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::account::Account;
use super::audience::Audience;
use super::authority::{Authority, Heard};
use super::event::{Effect, Emission, Event, Refusal};
use super::intent::{intent, skip_identity};
use super::kept::{KeptState, SavedState};
use super::markets::Markets;
use super::standing::Standing;
use super::strategy::{Desk, Runner, Wish};
use super::window::{ChunkDoc, Feed, Gap};
use super::wishes::{News, Wishes};
use crate::domain::params::RISK;
use crate::domain::{
    Market, MarketId, OrderIntent, ParamProblem, ParamVersion, ParamsInForce, PolymarketData, Rationale, Skip,
    StrategyId, StrategyState, Symbol, Timestamp, TradeEvent, TradingState,
};
use crate::risk::{Group, Limits, Recent, RiskGate, RiskView};

#[derive(Debug)]
struct Slot {
    runner: Box<dyn Runner>,
    /// The version of its parameters; 0 before one was given.
    params: u64,
    wishes: Wishes,
    signal_at: Option<Timestamp>,
    /// The trading state in which a wish was denied because of it; absent while nothing was since the state began.
    told: Option<TradingState>,
    /// Its state is not what was handed out to be kept.
    changed: bool,
}

impl Slot {
    fn new(runner: Box<dyn Runner>) -> Self {
        Self { runner, params: 0, wishes: Wishes::default(), signal_at: None, told: None, changed: false }
    }

    /// One denial tells what the trading state holds back; one at every crossing would bury those that matter. Sales pass while only
    /// purchases are held back.
    fn hush(&mut self, state: TradingState) {
        if self.told != Some(state) {
            self.told = None;
        }
        let known = self.told.is_some();
        let tells = match state {
            TradingState::Active => false,
            TradingState::Reducing => self.wishes.hold_buys(known),
            TradingState::Halted if known || self.wishes.is_empty() => {
                self.wishes.hush();
                false
            }
            TradingState::Halted => true,
        };
        if tells {
            self.told = Some(state);
        }
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
    audience: Audience,
    markets: Markets,
    account: Account,
    standing: Standing,
    authority: Authority,
    recent: Recent,
    /// Intents of an earlier run, until their markets are described.
    sent: HashMap<MarketId, Vec<OrderIntent>>,
}

impl Engine {
    /// An engine that has heard nothing yet and therefore emits nothing.
    #[must_use]
    pub fn new(strategies: Vec<Box<dyn Runner>>, limits: Limits) -> Self {
        let slots: Vec<_> = strategies.into_iter().map(Slot::new).collect();
        Self {
            gate: RiskGate::new(limits),
            audience: Audience::new(runners(&slots)),
            markets: Markets::for_strategies(slots.len()),
            slots,
            account: Account::default(),
            standing: Standing::default(),
            authority: Authority::default(),
            recent: Recent::new(),
            sent: HashMap::new(),
        }
    }

    /// Takes an event; what is to be done is added to `effects`.
    pub fn on_event(&mut self, event: &Event, now: Timestamp, effects: &mut Vec<Effect>) {
        self.fold(event, now);
        self.account.refresh(&self.markets, now);
        for index in self.audience.of(event).iter().copied() {
            let desk = desk(&self.markets, &self.account, &self.gate);
            let state = self.trading_state(now);
            let slot = &mut self.slots[index];
            slot.runner.on_event(event, &desk, event.time(now), &mut slot.wishes);
            slot.changed |= event.is_observation() || !slot.wishes.is_empty();
            slot.hush(state);
            let (news, params) = (slot.wishes.take_news(), slot.params);
            while let Some(wish) = self.slots[index].wishes.next() {
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
            Event::Tick(_) | Event::Weather(_) | Event::Lag => {}
            Event::Polymarket(PolymarketData::Book(book)) => self.markets.put_book(book),
            Event::Polymarket(PolymarketData::Market(market)) => self.describe(market, now),
            Event::Trade { boot, seq, event } => {
                match event.as_ref() {
                    TradeEvent::Kill(report) => self.standing.latch(report.latch.clone()),
                    TradeEvent::Params(version) if version.strategy.as_str() == RISK => {
                        let heard = self.authority.event(boot, version.version, &version.values);
                        self.follow(heard);
                    }
                    _ => {}
                }
                self.account.event(boot, *seq, event);
            }
            Event::Hermes(state) => {
                self.standing.hermes(state);
                if let Some(risk) = &state.risk {
                    let heard = self.authority.snapshot(&state.boot, risk.version, &risk.values);
                    self.follow(heard);
                }
                self.account.snapshot(state);
            }
            Event::OnItsWay(intent) => {
                self.account.reserve(intent);
                self.recent.note(intent, intent.created_at);
                self.sent.entry(intent.market.clone()).or_default().push((**intent).clone());
                self.tell_sent(&intent.market);
            }
            Event::Latch(latch) => {
                self.standing.readable();
                self.standing.latch(latch.clone());
            }
            Event::LatchAbsent => self.standing.readable(),
            Event::LatchUnreadable(why) => self.standing.unreadable(why),
            Event::Gap => self.markets.forget_books(),
            Event::Timer => self.purge(now),
        }
    }

    /// Keeps a market that is traded here, is in the group of such a one, or is held by anyone: without it the gate would count the shares
    /// as lost. All others are none of this Athena's.
    fn describe(&mut self, market: &Market, now: Timestamp) {
        let id = &market.market;
        let fees = self.markets.fees_of(id);
        let described = |known: &Market| known.slug == market.slug && known.question == market.question;
        let traded = if self.markets.market(id).is_some_and(described) {
            self.markets.is_traded(id)
        } else {
            self.audience.describe(market, |place| self.slots[place].runner.as_ref())
        };
        if traded || self.markets.need(market) || self.account.holdings().touch(market) {
            self.markets.put_market(market, traded, now);
        } else {
            self.markets.remove(id);
        }
        if self.markets.market(id).is_none() {
            self.audience.forget(id);
        }
        if self.markets.fees_of(id) != fees {
            self.account.fee_changed(id);
        }
        self.tell_sent(id);
    }

    /// Tells each strategy of its intents in a market that lie on the stream from an earlier run, once the market is known.
    fn tell_sent(&mut self, id: &MarketId) {
        let Some(market) = self.markets.market(id) else { return };
        for intent in self.sent.remove(id).unwrap_or_default() {
            for slot in self.slots.iter_mut().filter(|slot| slot.runner.key().0 == intent.strategy) {
                slot.runner.sent(market, &intent);
            }
        }
    }

    fn purge(&mut self, now: Timestamp) {
        for id in self.markets.purge(now) {
            self.audience.forget(&id);
            self.account.fee_changed(&id);
        }
    }

    /// Hermes has other limits in force: the gate goes by them from the next wish on.
    fn follow(&mut self, heard: Option<Heard>) {
        match heard {
            Some(Ok(limits)) => {
                self.gate.set_limits(limits);
                self.standing.limits(None);
            }
            Some(Err(problems)) => self.standing.limits(Some(&problems)),
            None => {}
        }
    }

    /// Sizes nothing up or down: the wish becomes an intent as it is, and the gate says yes or no.
    fn judge(&mut self, wish: Wish, params: u64, now: Timestamp) -> Effect {
        self.account.refresh(&self.markets, now);
        let market = self.markets.market(&wish.signal.market);
        let closes_at = market.and_then(|market| market.closes_at);
        let intent = intent(&wish, self.standing.epoch(), closes_at, now);
        // One that is derived again after a restart must not stand in its own way.
        let others = self.account.holdings().without(&intent.intent);
        let holdings = others.as_ref().unwrap_or(self.account.holdings());
        let group = market.and_then(|market| Group::of(market, &self.markets.all(), holdings));
        let view = RiskView {
            trading_state: self.trading_state(now),
            epoch: self.standing.epoch(),
            market,
            book: self.markets.book(&intent.market, &intent.token),
            source_at: Some(wish.cause.received_at),
            holdings,
            recent: &self.recent,
            equity: self.account.equity(),
            group: group.as_ref(),
            halted: self.account.halt_of(&intent.strategy),
            breaker: None,
            repeats: 0,
            funds: self.account.funds(),
            fee: RiskView::fee_of(&intent, market),
        };
        let rationale = Rationale { params, ..wish.signal.rationale };
        let fee = view.fee;
        match self.gate.check(intent, &view, now) {
            Ok(approved) => {
                self.account.approved(approved.inner(), fee, &self.markets);
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
            slot.changed = true;
        }
        Ok(())
    }

    /// Messages of a feed are missing, of which instrument is not known: every strategy is told.
    pub fn note_gap(&mut self, feed: Feed, gap: Gap) {
        for slot in &mut self.slots {
            slot.runner.note_gap(feed, gap);
            slot.changed = true;
        }
    }

    /// What happened between the newest that a strategy knows and `now` was not seen, unless its state is known to be covered on its feed.
    pub fn note_unseen(&mut self, covered: impl Fn(&(StrategyId, Symbol), Feed) -> bool, now: Timestamp) {
        for slot in &mut self.slots {
            let Some((feed, from)) = slot.runner.seen_until() else { continue };
            if !covered(&slot.runner.key(), feed) {
                slot.runner.note_gap(feed, Gap { from, to: now });
                slot.changed = true;
            }
        }
    }

    /// Every strategy's parameters.
    #[must_use]
    pub fn params(&self) -> Vec<ParamsInForce> {
        let params = |slot: &Slot| ParamsInForce {
            strategy: slot.runner.key().0,
            version: slot.params,
            values: slot.runner.values(),
        };
        self.strategies().map(params).collect()
    }

    /// One slot of each strategy.
    fn strategies(&self) -> impl Iterator<Item = &Slot> {
        let mut seen = HashSet::new();
        self.slots.iter().filter(move |slot| seen.insert(slot.runner.key().0))
    }

    /// Crossings that did not become a wish.
    #[must_use]
    pub fn skips(&self) -> u64 {
        self.slots.iter().map(|slot| slot.wishes.skips()).sum()
    }

    /// What may be emitted now.
    #[must_use]
    pub fn trading_state(&self, now: Timestamp) -> TradingState {
        match self.standing.trading_state(now) {
            TradingState::Active if self.gate.limits().reduce_only => TradingState::Reducing,
            state => state,
        }
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

    /// The states that have changed since the last time, to be kept; with `whole` every state, all of it.
    pub fn save(&mut self, whole: bool) -> Vec<((StrategyId, Symbol), SavedState)> {
        let slots = self.slots.iter_mut().filter(|slot| whole || slot.changed);
        slots
            .map(|slot| {
                slot.changed = false;
                (slot.runner.key(), slot.runner.save(whole))
            })
            .collect()
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
    pub fn restore(
        &mut self,
        key: &(StrategyId, Symbol),
        kept: &KeptState,
        chunks: &[Option<ChunkDoc>],
        now: Timestamp,
    ) -> Result<(), String> {
        let of_key = |index: &&usize| self.slots[**index].runner.key().0 == key.0;
        match self.audience.watching(&key.1).iter().find(of_key) {
            Some(index) => self.slots[*index].runner.restore(kept, chunks, now),
            None => Err(format!("no strategy {} on {}", key.0, key.1)),
        }
    }

    /// Events and descriptions that were lost or refused on the way in.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.account.gaps() + self.markets.refused()
    }
}

fn runners(slots: &[Slot]) -> impl Iterator<Item = &dyn Runner> {
    slots.iter().map(|slot| slot.runner.as_ref())
}

fn desk<'a>(markets: &'a Markets, account: &'a Account, gate: &RiskGate) -> Desk<'a> {
    let data_age: Duration = gate.limits().data_age;
    Desk { markets, holdings: account.holdings(), data_age }
}

#[cfg(test)]
mod tests;
