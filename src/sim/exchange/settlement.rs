//! A trade's way to the chain: MATCHED, then MINED, then CONFIRMED, over one to three seconds.
//!
//! Shares and money move at the match and are free to use at once: the venue lets a trader sell what he has just bought
//! before it is mined. What can still change is only the trade's status, unless a fault makes it retry or fail.

use std::sync::Arc;
use std::time::Duration;

use super::state::State;
use super::trade::Trade;
use crate::domain::{FillStatus, Timestamp};

/// The least time between two steps; up to 255 * 4 ms more are drawn from the trade's id.
const STEP: Duration = Duration::from_millis(600);

impl State {
    /// Keeps a trade that a client took part in and sets it on its way.
    pub(super) fn settle_later(&mut self, trade: Trade) {
        self.due.insert((trade.matched_at.plus(self.delay(&trade, FillStatus::Mined)), trade.number));
        if let Some(resettling) = self.faults.settlement(trade.matched_at) {
            self.resettling.insert(trade.number, resettling);
        }
        self.trade_numbers.insert(trade.id.clone(), trade.number);
        self.trades.insert(trade.number, Arc::new(trade));
        self.forget_old_trades();
    }

    /// Takes every settlement step that is due.
    pub(super) fn settle(&mut self, now: Timestamp) {
        while let Some(&(due, number)) = self.due.first() {
            if due > now {
                break;
            }
            self.due.pop_first();
            self.step(number, now);
        }
    }

    fn step(&mut self, number: u64, now: Timestamp) {
        let Some(trade) = self.trades.get(&number) else { return };
        let mut next = Trade::clone(trade);
        next.updated_at = now;
        match next.status {
            FillStatus::Matched | FillStatus::Retrying if self.is_retried(number) => {
                next.status = FillStatus::Retrying;
                self.due.insert((now.plus(self.delay(&next, FillStatus::Retrying)), number));
            }
            FillStatus::Matched | FillStatus::Retrying if self.has_failed(&next, now) => {
                next.status = FillStatus::Failed;
            }
            FillStatus::Matched | FillStatus::Retrying => {
                let hash = self.ids.digest("transaction", next.id.as_str());
                next.transaction = Some(Arc::from(format!("0x{}", hex::encode(hash))));
                next.status = FillStatus::Mined;
                self.due.insert((now.plus(self.delay(&next, FillStatus::Confirmed)), number));
            }
            FillStatus::Mined => next.status = FillStatus::Confirmed,
            FillStatus::Confirmed | FillStatus::Failed => return,
        }
        let next = Arc::new(next);
        self.trades.insert(number, Arc::clone(&next));
        self.tell_trade(&next, now);
    }

    /// Takes one of the retries that a fault has given the trade.
    fn is_retried(&mut self, number: u64) -> bool {
        let Some(left) = self.resettling.get_mut(&number).filter(|left| left.retries > 0) else { return false };
        left.retries -= 1;
        true
    }

    /// Undoes the trade when a fault has it fail.
    fn has_failed(&mut self, trade: &Trade, now: Timestamp) -> bool {
        self.resettling.remove(&trade.number).is_some_and(|end| end.fails) && self.void(trade, now)
    }

    fn delay(&self, trade: &Trade, to: FillStatus) -> Duration {
        let drawn = self.ids.digest(&format!("delay {to}"), trade.id.as_str())[0];
        STEP + Duration::from_millis(u64::from(drawn) * 4)
    }

    /// Trades beyond the bound are forgotten, oldest first, but never one that is still under way.
    fn forget_old_trades(&mut self) {
        while self.trades.len() > super::state::KEPT {
            let Some((&number, trade)) = self.trades.first_key_value() else { return };
            if !trade.status.is_final() {
                return;
            }
            self.trade_numbers.remove(&trade.id);
            self.trades.remove(&number);
        }
    }
}
