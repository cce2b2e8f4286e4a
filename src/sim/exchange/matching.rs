//! Taking an order: rules, funds, price-time matching, and what moves between accounts.

use super::ladder::Canonical;
use super::state::State;
use super::{
    AccountId, ExchangeEvent, Leg, LevelChange, NewOrder, OrderChange, OrderStatus, OrderView, Placed, Refusal, Trade,
};
use crate::domain::{FillStatus, MarketId, OrderId, Price, Side, Size, TimeInForce, Timestamp, Usd};

const FOK_KILLED: &str = "order couldn't be fully filled. FOK orders are fully filled or killed.";
const FAK_KILLED: &str =
    "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.";

/// What is left to do for the order being matched: shares, and for a market buy the pUSD that it chases instead.
#[derive(Clone, Copy, Debug)]
struct Appetite {
    shares: Size,
    spend: Option<Usd>,
}

impl Appetite {
    /// Shares it would take at `price` of the `offered` ones.
    fn at(self, price: Price, offered: Size) -> Size {
        match self.spend {
            None => self.shares.min(offered),
            Some(spend) => {
                let affordable = spend.0.checked_div(price.0).unwrap_or_default();
                Size(affordable).floor_dp(6).min(offered)
            }
        }
    }

    fn less(self, price: Price, shares: Size) -> Self {
        Self { shares: self.shares - shares, spend: self.spend.map(|spend| spend - price.notional(shares)) }
    }

    /// Less than the smallest step is left.
    fn is_satisfied(self) -> bool {
        match self.spend {
            None => self.shares <= Size::ZERO,
            Some(spend) => spend.0 < rust_decimal::Decimal::new(1, 4),
        }
    }
}

impl State {
    /// Takes an order or says why not. `spend` makes it a market buy that chases pUSD.
    pub(super) fn place(
        &mut self,
        account: &AccountId,
        order: NewOrder,
        spend: Option<Usd>,
        now: Timestamp,
    ) -> Result<Placed, Refusal> {
        let (market, at) = self.admit(account, &order, spend, now)?;
        let appetite = Appetite { shares: order.size, spend };
        let fillable = self.fillable(&market, at, appetite);
        let mut view = self.view(account, order, market.clone(), now);
        match view.order.tif {
            TimeInForce::Fok if !fillable.is_satisfied() => return Err(self.kill(view, FOK_KILLED, now)),
            TimeInForce::Fak if fillable.shares == view.order.size => return Err(self.kill(view, FAK_KILLED, now)),
            TimeInForce::Fok | TimeInForce::Fak | TimeInForce::Gtc | TimeInForce::Gtd => {}
        }
        let mut changes = Vec::new();
        let (rest, value) = self.cross(&mut view, at, appetite, now, &mut changes);
        let matched = view.matched;
        let takes = matches!(view.order.tif, TimeInForce::Fok | TimeInForce::Fak);
        if rest.is_satisfied() {
            view.status = OrderStatus::Matched;
        } else if takes {
            view.status = OrderStatus::Cancelled("CANCELED".to_owned());
        }
        let rests = view.status == OrderStatus::Live;
        self.remember(view.clone());
        if rests {
            self.rest(&view, &market, at, &mut changes);
        }
        self.announce_order(OrderChange::Placement, &view, now);
        if matches!(view.status, OrderStatus::Cancelled(_)) {
            self.announce_order(OrderChange::Cancellation, &view, now);
        }
        if !rests && !self.is_client(account) {
            self.orders.remove(&view.order.id);
        }
        self.announce_levels(&market, changes, now);
        Ok(Placed { trades: view.trades.clone(), order: view, matched, value })
    }

    fn rest(&mut self, view: &OrderView, market: &MarketId, at: Canonical, changes: &mut Vec<LevelChange>) {
        if let Some(listed) = self.markets.get_mut(market) {
            listed.ladder.rest(at, view.order.id.clone());
        }
        if let Some(account) = self.accounts.get_mut(&view.account) {
            account.live.insert(view.order.id.clone());
        }
        self.level_changed(market, at, changes);
    }

    /// The venue's rules and the account's funds.
    fn admit(
        &self,
        account: &AccountId,
        order: &NewOrder,
        spend: Option<Usd>,
        now: Timestamp,
    ) -> Result<(MarketId, Canonical), Refusal> {
        let refuse = |words: String| Err(Refusal(words));
        let rule = |words: String| Err(Refusal(format!("order {} is invalid. {words}", order.id)));
        if self.orders.contains_key(&order.id) {
            return rule("Duplicated.".to_owned());
        }
        let Some((market, index)) = self.tokens.get(&order.token) else {
            return refuse(format!("the orderbook {} does not exist", order.token));
        };
        let Some(listed) = self.markets.get(market) else {
            return refuse(format!("the orderbook {} does not exist", order.token));
        };
        if !listed.market.accepting_orders {
            return refuse("the market is not yet ready to process new orders".to_owned());
        }
        let rests = matches!(order.tif, TimeInForce::Gtc | TimeInForce::Gtd);
        let tick = listed.market.tick_size;
        if rests && !order.price.is_on_tick(tick) {
            return rule(format!("Price ({}) breaks minimum tick size rule: {tick}", order.price));
        }
        if order.size < listed.market.min_size {
            return rule(format!("Size ({}) lower than the minimum: {}", order.size, listed.market.min_size));
        }
        let too_soon = |end: Timestamp| end < now.plus(std::time::Duration::from_mins(3));
        if order.tif == TimeInForce::Gtd && order.expiration.is_none_or(too_soon) {
            return refuse("invalid expiration".to_owned());
        }
        let at = Canonical::of(*index, order.side, order.price);
        if order.post_only && !rests {
            return refuse("invalid post-only order: only GTC and GTD orders can be post-only".to_owned());
        }
        let crosses = listed.ladder.crossed_by(at).next().is_some();
        if order.post_only && crosses {
            return refuse("invalid post-only order: order crosses book".to_owned());
        }
        let Some(owner) = self.accounts.get(account) else {
            return refuse(format!("account {account:?} does not exist"));
        };
        let cost = spend.unwrap_or_else(|| order.price.notional(order.size));
        let fee = if crosses { listed.market.fee.taker_fee(order.price, order.size) } else { Usd::ZERO };
        let resting = owner.live.iter().filter_map(|id| self.orders.get(id));
        owner.affords(order.side, &order.token, cost + fee, order.size, resting).map_err(Refusal)?;
        Ok((market.clone(), at))
    }

    /// What would be left of the appetite after matching.
    fn fillable(&self, market: &MarketId, at: Canonical, mut appetite: Appetite) -> Appetite {
        let Some(listed) = self.markets.get(market) else { return appetite };
        // Seen from the taker's own token: a buy that stands as a sell of the first token is a buy of the second.
        let mirrored = appetite.spend.is_some() && at.side == Side::Sell;
        let own = |price: Price| if mirrored { price.complement() } else { price };
        for (price, queue) in listed.ladder.crossed_by(at) {
            for resting in queue.iter().filter_map(|id| self.orders.get(id)) {
                let shares = appetite.at(own(price), resting.remaining());
                appetite = appetite.less(own(price), shares);
            }
        }
        appetite
    }

    fn view(&self, account: &AccountId, order: NewOrder, market: MarketId, now: Timestamp) -> OrderView {
        let outcome = self.markets.get(&market).and_then(|listed| listed.market.outcome_of(&order.token));
        OrderView {
            owner: self.accounts.get(account).map(|account| account.owner.clone()).unwrap_or_default(),
            outcome: outcome.map(|outcome| outcome.outcome.clone()).unwrap_or_default(),
            account: account.clone(),
            market,
            matched: Size::ZERO,
            status: OrderStatus::Live,
            created_at: now,
            trades: Vec::new(),
            order,
        }
    }

    /// A FOK or FAK that cannot be: it is remembered, so that the same bytes are a duplicate.
    fn kill(&mut self, mut view: OrderView, words: &str, now: Timestamp) -> Refusal {
        view.status = OrderStatus::Cancelled(format!("CANCELED_{words}"));
        if self.is_client(&view.account) {
            self.announce_order(OrderChange::Cancellation, &view, now);
            self.remember(view);
        }
        Refusal(words.to_owned())
    }

    /// Matches level by level; one trade a level. Gives what is left and the pUSD that changed hands.
    fn cross(
        &mut self,
        taker: &mut OrderView,
        at: Canonical,
        mut appetite: Appetite,
        now: Timestamp,
        changes: &mut Vec<LevelChange>,
    ) -> (Appetite, Usd) {
        let mut value = Usd::ZERO;
        let index = usize::from(self.tokens.get(&taker.order.token).is_some_and(|(_, index)| *index == 1));
        while !appetite.is_satisfied() {
            let best = self.markets.get(&taker.market).and_then(|listed| {
                listed.ladder.crossed_by(at).next().map(|(price, queue)| (price, queue.iter().cloned().collect()))
            });
            let Some((price, queue)): Option<(Price, Vec<OrderId>)> = best else { break };
            let met = Canonical { side: at.side.opposite(), price };
            let (_, own_price) = met.seen_from(index);
            let mut makers = Vec::new();
            for id in queue {
                let Some(offered) = self.orders.get(&id).map(OrderView::remaining) else { continue };
                let shares = appetite.at(own_price, offered);
                if shares <= Size::ZERO {
                    break;
                }
                appetite = appetite.less(own_price, shares);
                if let Some(leg) = self.fill_maker(&id, shares, met, now) {
                    makers.push(leg);
                }
            }
            if makers.is_empty() {
                break;
            }
            self.level_changed(&taker.market.clone(), met, changes);
            value += self.trade(taker, own_price, makers, now);
        }
        (appetite, value)
    }

    /// The maker's part: its order moves on, its money and shares move.
    fn fill_maker(&mut self, id: &OrderId, shares: Size, met: Canonical, now: Timestamp) -> Option<Leg> {
        let view = self.orders.get_mut(id)?;
        view.matched += shares;
        let done = view.remaining() <= Size::ZERO;
        if done {
            view.status = OrderStatus::Matched;
        }
        let view = view.clone();
        if done {
            if let Some(listed) = self.markets.get_mut(&view.market) {
                listed.ladder.remove(met, id);
            }
            if let Some(account) = self.accounts.get_mut(&view.account) {
                account.live.remove(id);
            }
            if !self.is_client(&view.account) {
                self.orders.remove(id);
            }
        }
        self.announce_order(OrderChange::Update, &view, now);
        let leg = Leg {
            order: id.clone(),
            account: view.account,
            owner: view.owner,
            token: view.order.token,
            outcome: view.outcome,
            side: view.order.side,
            size: shares,
            price: view.order.price,
        };
        self.exchange_value(&leg, Usd::ZERO);
        Some(leg)
    }

    fn trade(&mut self, taker: &mut OrderView, price: Price, makers: Vec<Leg>, now: Timestamp) -> Usd {
        let size: Size = makers.iter().map(|leg| leg.size).sum();
        let (number, id) = self.next_trade_id();
        let fee = self.markets.get_mut(&taker.market).map_or(Usd::ZERO, |listed| {
            listed.last_trade = Some(price);
            listed.market.fee.taker_fee(price, size)
        });
        let leg = Leg {
            order: taker.order.id.clone(),
            account: taker.account.clone(),
            owner: taker.owner.clone(),
            token: taker.order.token.clone(),
            outcome: taker.outcome.clone(),
            side: taker.order.side,
            size,
            price,
        };
        self.exchange_value(&leg, fee);
        self.fees += fee;
        taker.matched += size;
        taker.trades.push(id.clone());
        for maker in &makers {
            if let Some(view) = self.orders.get_mut(&maker.order) {
                view.trades.push(id.clone());
            }
        }
        let trade = Trade {
            id,
            market: taker.market.clone(),
            taker: leg,
            makers,
            fee,
            status: FillStatus::Matched,
            matched_at: now,
            updated_at: now,
            transaction: String::new(),
        };
        self.events.push(ExchangeEvent::Trade(trade.clone()));
        self.trades.insert(number, trade);
        price.notional(size)
    }

    /// Money against shares for one leg. Two buyers of opposite outcomes mint a pair from their money, two sellers burn one.
    fn exchange_value(&mut self, leg: &Leg, fee: Usd) {
        let value = leg.price.notional(leg.size);
        let Some(account) = self.accounts.get_mut(&leg.account) else { return };
        match leg.side {
            Side::Buy => {
                account.collateral -= value + fee;
                account.give(&leg.token, leg.size);
            }
            Side::Sell => {
                account.collateral += value - fee;
                account.take(&leg.token, leg.size);
            }
        }
    }
}
