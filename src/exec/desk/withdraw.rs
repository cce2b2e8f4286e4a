//! Resting purchases that the limits no longer admit are cancelled, the newest first; all of them while only sales may be sent, and those
//! of a market that is not on the list any more. Sales never are.

use super::{Desk, Fact, Key, Step};
use crate::domain::{OrderIntent, OrderState, Side, Timestamp, TradeEvent, Withdrawal};
use crate::risk::{Holdings, Resting, excess, reducing};

/// What a cancel can still take back, and everything else that is at stake.
struct AtStake {
    fixed: Holdings,
    resting: Vec<(Key, OrderIntent)>,
    /// Whether purchases are on the wire, or of unknown outcome, which may come to rest, or on their way out, which may match more, or of a
    /// market that nobody has described yet.
    coming: bool,
}

impl Desk {
    /// Cancels what a tightening no longer admits, or what buys although only sales may be sent. What is on the wire counts, and is looked at again until it has come to rest; so is
    /// what is cancelled until it has ended, since it may have matched more than is known. What has not left yet is judged when it does.
    pub(super) fn withdraw(&mut self, now: Timestamp, step: &mut Step) {
        // To deny is nothing; to cancel is an act, for which one price is not enough.
        let losses = self.confirmed_losses(now);
        if !self.narrowed && reducing(self.gate.limits(), losses).is_none() {
            return;
        }
        let AtStake { fixed, resting, coming } = self.told_apart();
        let (keys, intents): (Vec<Key>, Vec<OrderIntent>) = resting.into_iter().unzip();
        let mut cancelled = Vec::new();
        let resting = Resting { fixed: &fixed, buys: &intents, markets: &self.markets, losses };
        for (place, denial) in excess(self.gate.limits(), resting, now) {
            let (key, intent) = (&keys[place], &intents[place]);
            let reason = format!("withdrawn, the limits admit it no more: {denial}");
            self.amend(key, |row| row.order.reason = Some(reason));
            step.emit(TradeEvent::Withdrawn(Withdrawal { intent: intent.intent.clone(), denial, at: now }));
            cancelled.push(key.clone());
        }
        self.narrowed = coming || !cancelled.is_empty();
        self.cancel(cancelled, now, step);
    }

    fn told_apart(&self) -> AtStake {
        let mut stakes = AtStake { fixed: Holdings::new(), resting: Vec::new(), coming: false };
        self.portfolio.stakes().for_each(|stake| stakes.fixed.add_stake(&stake));
        for (key, order) in self.at_stake().filter_map(|key| self.orders.get(key).map(|known| (key, &known.row.order)))
        {
            let (intent, fees) = (&order.intent, self.fees_of(&order.intent.market));
            let buy = intent.side == Side::Buy;
            match order.state {
                OrderState::Pending | OrderState::Signed => {}
                OrderState::Live | OrderState::PartiallyFilled if buy => {
                    stakes.coming |= !self.markets.contains_key(&intent.market);
                    let rest = order.remaining();
                    stakes.fixed.add_traded(intent, order.at_stake() - rest, fees);
                    stakes.resting.push((key.clone(), OrderIntent { size: rest, ..intent.clone() }));
                }
                // On its way out: what it has matched stays, and the rest is not worth another's place.
                OrderState::CancelPending if buy => {
                    stakes.coming = true;
                    stakes.fixed.add_traded(intent, order.at_stake() - order.remaining(), fees);
                }
                _ => {
                    stakes.coming |= buy && order.state.is_open();
                    self.commitment(key).into_iter().for_each(|commitment| stakes.fixed.commit(commitment));
                }
            }
        }
        stakes
    }

    /// Asks the venue to cancel these, and again until it says that they ended.
    pub(super) fn cancel(&mut self, keys: Vec<Key>, now: Timestamp, step: &mut Step) {
        let mut orders = Vec::new();
        for key in keys {
            let Some(tracked) = self.orders.get_mut(&key) else { continue };
            let Some(order) = tracked.row.order.order.clone() else { continue };
            tracked.cancel_at = Some(now.plus(super::timers::CANCEL_LASTS));
            orders.push(order);
            if tracked.state().is_terminal() {
                continue;
            }
            self.learn(&key, Fact::CancelRequested, "cancel_requested", now, step);
            step.may_cut();
        }
        for orders in orders.chunks(super::timers::CANCEL_AT_ONCE) {
            step.urgent.push(super::Effect::Cancel(orders.to_vec()));
        }
    }
}
