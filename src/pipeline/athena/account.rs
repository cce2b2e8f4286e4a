//! What is at stake as Athena sees it: Hermes' snapshot, then his events, and what Athena has sent that he has not taken yet.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::markets::Markets;
use crate::domain::{
    EquityState, FeeSchedule, Funds, HermesState, IntentId, Map, Order, OrderIntent, Position, Size, StrategyHalt,
    StrategyId, Timestamp, TokenId, TradeEvent, Usd,
};
use crate::risk::{Commitment, Equity, Holdings};

/// How long past its deadline an intent that was never seen as an order still counts: Hermes may have sent it at the last moment and not
/// told yet.
const GRACE: Duration = Duration::from_secs(5);
/// So many runs of Hermes are remembered, so that none of them speaks up again.
const RETIRED: usize = 8;

/// The fold. Counts rather too much than too little: shares stay counted with their order until a trade of them is told, and then
/// until a position is told. Hermes tells an order's trade and books it in one step, so that every position after it has it.
#[derive(Debug, Default)]
pub(super) struct Account {
    boot: Option<Arc<str>>,
    /// Runs before this one, the newest last.
    retired: VecDeque<Arc<str>>,
    seq: u64,
    gaps: u64,
    orders: Map<IntentId, Order>,
    positions: Map<TokenId, Position>,
    on_their_way: Map<IntentId, OrderIntent>,
    /// Shares traded and in no position yet.
    unbooked: Map<IntentId, (OrderIntent, Size)>,
    equity: Option<Result<Equity, String>>,
    funds: Option<Funds>,
    halted: Vec<StrategyHalt>,
    holdings: Holdings,
    dirty: bool,
    next_expiry: Option<Timestamp>,
}

impl Account {
    /// Takes Hermes' snapshot. One that is behind the events folded already changes equity only. Intents that it does not
    /// list stay counted until they expire.
    pub(super) fn snapshot(&mut self, state: &HermesState) {
        if self.retired.iter().any(|boot| **boot == *state.boot) {
            return;
        }
        self.equity = equity(state);
        self.funds = state.funds;
        self.halted.clone_from(&state.halted);
        let same_run = self.boot.as_deref() == Some(state.boot.as_str());
        if same_run && state.seq < self.seq {
            return;
        }
        if !same_run {
            self.begin_run(Arc::from(state.boot.as_str()));
        }
        self.seq = state.seq;
        let open = state.recent_orders.iter().filter(|order| order.state.is_open()).count() as u64;
        if open >= state.orders.open {
            let unsent = |order: &Order| !order.state.is_open() && !order.state.is_terminal();
            let unsent: Vec<_> = self.orders.drain().filter(|(_, order)| unsent(order)).collect();
            for (_, order) in &unsent {
                self.reserve(&order.intent);
            }
        }
        self.unbooked.clear();
        self.positions.clear();
        self.positions.extend(state.positions.iter().map(|position| (position.token.clone(), position.clone())));
        for order in &state.recent_orders {
            self.put_order(order);
        }
        self.dirty = true;
    }

    /// Folds an event of Hermes. What the snapshot includes already is skipped; a jump in the numbers is counted and heals with the
    /// next snapshot.
    pub(super) fn event(&mut self, boot: &Arc<str>, seq: u64, event: &TradeEvent) {
        if self.retired.contains(boot) {
            return;
        }
        if self.boot.as_ref() == Some(boot) {
            if seq <= self.seq {
                return;
            }
            self.gaps += seq - self.seq - 1;
        } else {
            self.begin_run(Arc::clone(boot));
        }
        self.seq = seq;
        match event {
            TradeEvent::Order(order) => self.order(order),
            TradeEvent::Position(position) => self.position(position),
            TradeEvent::Denied { intent, .. } => {
                self.on_their_way.remove(&intent.intent);
                self.dirty = true;
            }
            _ => {}
        }
    }

    /// A restart of Hermes: what the run before it still has in the pipe is out of date.
    fn begin_run(&mut self, boot: Arc<str>) {
        self.retired.extend(self.boot.replace(boot));
        if self.retired.len() > RETIRED {
            self.retired.pop_front();
        }
    }

    fn order(&mut self, order: &Order) {
        let known = self.orders.get(&order.intent.intent).map_or(Size::ZERO, |known| known.traded);
        let traded = order.traded - known;
        if traded > Size::ZERO {
            let fresh = || (order.intent.clone(), Size::ZERO);
            self.unbooked.entry(order.intent.intent.clone()).or_insert_with(fresh).1 += traded;
        }
        self.put_order(order);
        self.dirty = true;
    }

    fn put_order(&mut self, order: &Order) {
        let id = &order.intent.intent;
        self.on_their_way.remove(id);
        if order.state.reserves() || !order.at_stake().is_zero() {
            self.orders.insert(id.clone(), order.clone());
        } else {
            self.orders.remove(id);
        }
    }

    fn position(&mut self, position: &Position) {
        self.unbooked.retain(|_, (intent, _)| intent.token != position.token);
        self.positions.insert(position.token.clone(), position.clone());
        self.dirty = true;
    }

    /// Counts an intent that was approved, until it is seen as an order or has expired.
    pub(super) fn reserve(&mut self, intent: &OrderIntent) {
        if self.orders.contains_key(&intent.intent) {
            return;
        }
        let expiry = intent.deadline.plus(GRACE);
        self.next_expiry = Some(self.next_expiry.map_or(expiry, |next| next.min(expiry)));
        self.on_their_way.insert(intent.intent.clone(), intent.clone());
        self.dirty = true;
    }

    /// The same for one that was approved just now, and what it may cost in fees; the holdings stay up to date.
    pub(super) fn approved(&mut self, intent: &OrderIntent, fee: Usd, markets: &Markets) {
        let stale = self.dirty || self.on_their_way.contains_key(&intent.intent);
        self.reserve(intent);
        if !stale && self.on_their_way.contains_key(&intent.intent) {
            self.holdings.commit(Commitment::with_fee(intent, intent.size, true, fee));
            self.dirty = false;
            debug_assert!(self.holdings == self.sum(None, markets), "what is kept is what is so");
        }
    }

    /// Brings the holdings up to date: expired intents go, changes are summed. Costs nothing when nothing changed.
    pub(super) fn refresh(&mut self, markets: &Markets, now: Timestamp) {
        if self.next_expiry.is_some_and(|at| now > at) {
            let expired = self.on_their_way.extract_if(|_, intent| now > intent.deadline.plus(GRACE));
            for (_, intent) in expired {
                let counted = Commitment::of(&intent, intent.size, true, fees(&intent, markets));
                self.dirty |= !self.holdings.release(&counted);
            }
            self.next_expiry = self.on_their_way.values().map(|intent| intent.deadline.plus(GRACE)).min();
            debug_assert!(self.dirty || self.holdings == self.sum(None, markets), "what is kept is what is so");
        }
        if !self.dirty {
            return;
        }
        self.holdings = self.sum(None, markets);
        self.dirty = false;
    }

    fn sum(&self, without: Option<&IntentId>, markets: &Markets) -> Holdings {
        let mut holdings = Holdings::new();
        self.positions.values().for_each(|position| holdings.add_position(position));
        let counts = |id: &IntentId| Some(id) != without;
        let fees = |intent| fees(intent, markets);
        let orders = self.orders.iter().filter(|(id, _)| counts(id));
        orders.for_each(|(_, order)| holdings.add_order(order, fees(&order.intent)));
        let on_their_way = self.on_their_way.iter().filter(|(id, _)| counts(id));
        on_their_way.for_each(|(_, intent)| holdings.add_intent(intent, fees(intent)));
        let unbooked = self.unbooked.iter().filter(|(id, _)| counts(id));
        unbooked.for_each(|(_, (intent, shares))| holdings.add_traded(intent, *shares, fees(intent)));
        holdings
    }

    /// What is at stake besides this intent, when it is counted already: one that is derived again after a restart must not stand in
    /// its own way.
    pub(super) fn without(&self, intent: &IntentId, markets: &Markets) -> Option<Holdings> {
        let counted = self.orders.contains_key(intent)
            || self.on_their_way.contains_key(intent)
            || self.unbooked.contains_key(intent);
        counted.then(|| self.sum(Some(intent), markets))
    }

    /// What is at stake, as of the last [`Account::refresh`].
    pub(super) const fn holdings(&self) -> &Holdings {
        &self.holdings
    }

    /// Equity as Hermes last told it, or why it is not known.
    pub(super) fn equity(&self) -> Result<Equity, &str> {
        self.equity
            .as_ref()
            .map_or(Err("Hermes has not told it"), |equity| equity.as_ref().copied().map_err(String::as_str))
    }

    /// pUSD for buys as Hermes last told it.
    pub(super) const fn funds(&self) -> Option<Funds> {
        self.funds
    }

    /// Why a strategy is halted, if Hermes says so.
    pub(super) fn halt_of(&self, strategy: &StrategyId) -> Option<&str> {
        self.halted.iter().find(|halt| halt.strategy == *strategy).map(|halt| halt.why.as_str())
    }

    /// Events of Hermes that are missing.
    pub(super) const fn gaps(&self) -> u64 {
        self.gaps
    }
}

/// What its market charges; the most that any does while it is not known.
fn fees(intent: &OrderIntent, markets: &Markets) -> FeeSchedule {
    markets.market(&intent.market).map_or(FeeSchedule::DEAREST, |market| market.fee)
}

fn equity(state: &HermesState) -> Option<Result<Equity, String>> {
    let EquityState { current, peak, day_start, rolling_high, unknown } = state.equity.as_deref()?;
    let (peak, day_start, rolling_high) = (*peak, *day_start, *rolling_high);
    let unknown = || unknown.clone().unwrap_or_else(|| "Hermes does not say why".to_owned());
    Some(current.map(|current| Equity { current, peak, day_start, rolling_high }).ok_or_else(unknown))
}

#[cfg(test)]
mod tests;
