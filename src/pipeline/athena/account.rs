//! What is at stake as Athena sees it: Hermes' snapshot, then his events, and what Athena has sent that he has not taken yet.
//! Each of them changes the sums by what it changes itself, and by nothing when it changes nothing that counts, such as a mark.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::markets::Markets;
use crate::domain::{
    EquityState, Funds, HermesState, IntentId, Map, MarketId, Order, OrderIntent, Position, Size, StrategyHalt,
    StrategyId, Timestamp, TokenId, TradeEvent, Usd,
};
use crate::risk::{Commitment, Equity, Holdings, PositionStake};

/// How long past its deadline an intent that was never seen as an order still counts: Hermes may have sent it at the last moment and not
/// told yet.
const GRACE: Duration = Duration::from_secs(5);
/// So many runs of Hermes are remembered, so that none of them speaks up again.
const RETIRED: usize = 8;
/// Of so many orders that count no more it is remembered what was traded.
const ENDED: usize = 1_024;

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
    ended: Ended,
    /// What counts of each position; none of one that is resolved or of which nothing is left.
    positions: Map<TokenId, PositionStake>,
    on_their_way: Map<IntentId, OrderIntent>,
    /// Shares traded and in no position yet.
    unbooked: Map<IntentId, (OrderIntent, Size)>,
    equity: Option<Result<Equity, String>>,
    funds: Option<Funds>,
    halted: Vec<StrategyHalt>,
    holdings: Holdings,
    /// Intents of which not the same is counted any more.
    touched: Vec<IntentId>,
    next_expiry: Option<Timestamp>,
}

/// What was traded of the orders that count no more, of the last ones: that their trades are settled, for one, is told minutes later.
#[derive(Debug, Default)]
struct Ended {
    traded: Map<IntentId, Size>,
    oldest_first: VecDeque<IntentId>,
}

impl Ended {
    fn put(&mut self, order: &Order) {
        let id = &order.intent.intent;
        if order.traded.is_zero() {
            return;
        }
        if self.traded.insert(id.clone(), order.traded).is_none() {
            self.oldest_first.push_back(id.clone());
        }
        while self.oldest_first.len() > ENDED
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.traded.remove(&oldest);
        }
    }

    fn traded(&self, id: &IntentId) -> Size {
        self.traded.get(id).copied().unwrap_or_default()
    }
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
        self.list_orders(&state.recent_orders, open >= state.orders.open);
        self.touched.extend(self.unbooked.drain().map(|(id, _)| id));
        self.list_positions(&state.positions);
    }

    /// Takes Hermes' list of orders. When all open ones are on it, those that are not are over; unless they were not sent yet: then they are on
    /// their way.
    fn list_orders(&mut self, orders: &[Order], all_open: bool) {
        let mut gone = if all_open { std::mem::take(&mut self.orders) } else { Map::default() };
        for order in orders {
            if let Some((id, known)) = gone.remove_entry(&order.intent.intent) {
                self.orders.insert(id, known);
            }
            self.put_order(order);
        }
        for (id, order) in gone {
            self.ended.put(&order);
            if !order.state.is_open() && !order.state.is_terminal() {
                self.reserve(&order.intent);
            }
            self.touched.push(id);
        }
    }

    /// Takes Hermes' list of positions: what is not on it is not held.
    fn list_positions(&mut self, positions: &[Position]) {
        let mut gone = std::mem::take(&mut self.positions);
        for position in positions {
            if let Some((token, known)) = gone.remove_entry(&position.token) {
                self.positions.insert(token, known);
            }
            self.put_position(position);
        }
        for stake in gone.values() {
            self.holdings.remove_stake(stake);
        }
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
                if let Some((id, _)) = self.on_their_way.remove_entry(&intent.intent) {
                    self.touched.push(id);
                }
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
        let id = &order.intent.intent;
        let known = self.orders.get(id).map_or_else(|| self.ended.traded(id), |known| known.traded);
        let traded = order.traded - known;
        if traded > Size::ZERO {
            let fresh = || (order.intent.clone(), Size::ZERO);
            self.unbooked.entry(id.clone()).or_insert_with(fresh).1 += traded;
            self.touched.push(id.clone());
        }
        self.put_order(order);
    }

    fn put_order(&mut self, order: &Order) {
        let id = &order.intent.intent;
        let was_on_its_way = self.on_their_way.remove(id).is_some();
        let counts = order.state.reserves() || !order.at_stake().is_zero();
        if !counts {
            self.ended.put(order);
        }
        let known = self.orders.get(id);
        if known == counts.then_some(order) && !was_on_its_way {
            return;
        }
        self.touched.push(id.clone());
        if counts {
            self.orders.insert(id.clone(), order.clone());
        } else {
            self.orders.remove(id);
        }
    }

    fn position(&mut self, position: &Position) {
        let booked = self.unbooked.extract_if(|_, (intent, _)| intent.token == position.token);
        self.touched.extend(booked.map(|(id, _)| id));
        self.put_position(position);
    }

    fn put_position(&mut self, position: &Position) {
        let token = &position.token;
        let stake = position.payout.is_none().then(|| PositionStake::of(position)).filter(|stake| !stake.is_nothing());
        if self.positions.get(token) == stake.as_ref() {
            return;
        }
        if let Some(before) = self.positions.remove(token) {
            self.holdings.remove_stake(&before);
        }
        if let Some(stake) = stake {
            self.holdings.add_stake(&stake);
            self.positions.insert(token.clone(), stake);
        }
    }

    /// Counts an intent that was approved, until it is seen as an order or has expired.
    pub(super) fn reserve(&mut self, intent: &OrderIntent) {
        if self.put_intent(intent) {
            self.touched.push(intent.intent.clone());
        }
    }

    /// The same for one that was approved just now, and what it may cost in fees; the holdings stay up to date.
    pub(super) fn approved(&mut self, intent: &OrderIntent, fee: Usd, markets: &Markets) {
        if self.holdings.counts(&intent.intent) {
            self.reserve(intent);
            self.recount(markets);
        } else if self.put_intent(intent) {
            self.holdings.commit(Commitment::with_fee(intent, intent.size, true, fee));
        }
        self.check(markets);
    }

    /// Whether it is to be counted: one that is known as an order counts as that.
    fn put_intent(&mut self, intent: &OrderIntent) -> bool {
        if self.orders.contains_key(&intent.intent) {
            return false;
        }
        let expiry = intent.deadline.plus(GRACE);
        self.next_expiry = Some(self.next_expiry.map_or(expiry, |next| next.min(expiry)));
        self.on_their_way.insert(intent.intent.clone(), intent.clone());
        true
    }

    /// What a market charges is known, or not known any more, or changed.
    pub(super) fn fee_changed(&mut self, market: &MarketId) {
        let orders = self.orders.values().map(|order| &order.intent).chain(self.on_their_way.values());
        let intents = orders.chain(self.unbooked.values().map(|(intent, _)| intent));
        self.touched.extend(intents.filter(|intent| intent.market == *market).map(|intent| intent.intent.clone()));
    }

    /// Brings the holdings up to date: expired intents go, and what was touched is counted anew.
    pub(super) fn refresh(&mut self, markets: &Markets, now: Timestamp) {
        if self.next_expiry.is_some_and(|at| now > at) {
            let expired = self.on_their_way.extract_if(|_, intent| now > intent.deadline.plus(GRACE));
            self.touched.extend(expired.map(|(id, _)| id));
            self.next_expiry = self.on_their_way.values().map(|intent| intent.deadline.plus(GRACE)).min();
        }
        self.recount(markets);
        self.check(markets);
    }

    fn recount(&mut self, markets: &Markets) {
        for id in std::mem::take(&mut self.touched) {
            let commitments = self.commitments(&id, markets);
            self.holdings.set(&id, commitments);
        }
    }

    fn check(&self, markets: &Markets) {
        debug_assert!(self.holdings == self.sum(markets), "what is kept is what is so");
    }

    /// What counts of an intent: as an order, on its way, and traded but in no position.
    fn commitments(&self, id: &IntentId, markets: &Markets) -> Vec<Commitment> {
        let fees = |intent: &OrderIntent| markets.fees_of(&intent.market);
        let order = self.orders.get(id);
        let on_its_way = self.on_their_way.get(id);
        let unbooked = self.unbooked.get(id);
        let order = order.and_then(|order| Commitment::of_order(order, fees(&order.intent)));
        let on_its_way = on_its_way.map(|intent| Commitment::of(intent, intent.size, true, fees(intent)));
        let unbooked = unbooked.map(|(intent, shares)| Commitment::of(intent, *shares, false, fees(intent)));
        order.into_iter().chain(on_its_way).chain(unbooked).collect()
    }

    /// The holdings, counted from scratch.
    fn sum(&self, markets: &Markets) -> Holdings {
        let mut holdings = Holdings::new();
        self.positions.values().for_each(|stake| holdings.add_stake(stake));
        let ids = self.orders.keys().chain(self.on_their_way.keys()).chain(self.unbooked.keys());
        for id in ids {
            holdings.set(id, self.commitments(id, markets));
        }
        holdings
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

fn equity(state: &HermesState) -> Option<Result<Equity, String>> {
    let EquityState { current, peak, day_start, rolling_high, unknown } = state.equity.as_deref()?;
    let (peak, day_start, rolling_high) = (*peak, *day_start, *rolling_high);
    let unknown = || unknown.clone().unwrap_or_else(|| "Hermes does not say why".to_owned());
    Some(current.map(|current| Equity { current, peak, day_start, rolling_high }).ok_or_else(unknown))
}

#[cfg(test)]
mod tests;
