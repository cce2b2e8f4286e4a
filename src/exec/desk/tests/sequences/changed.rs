//! What else changes: limits, prices, time.

use super::*;

impl World {
    pub(super) fn latch(&self) -> KillLatch {
        KillLatch { at: self.armed_at, ..latch(self.epoch, KillState::Armed) }
    }

    /// A person puts limits in force, which the ledger has, or has not yet.
    fn put(&mut self, limits: &Limits, durable: bool) {
        let action = Action::SetParams {
            strategy: RISK.into(),
            expected: None,
            changes: limits.texts(),
            why: "a quiet night".into(),
            confirm: true,
        };
        let (id, now) = (format!("limits {}", self.desk.limits_version()), at(self.now));
        let command = Command { id, actor: "cli:alice".into(), issued_at: now, expires_at: now, action };
        let mut step = self.desk.change_limits(&command, now).expect("confirmed");
        let is_version = |write: &Write| matches!(write, Write::Params(_));
        let (versions, others): (Vec<Write>, Vec<Write>) = step.writes.into_iter().partition(is_version);
        self.late.extend(versions);
        step.writes = others;
        if durable {
            step.writes.append(&mut self.late);
            self.desk.limits_durable(self.desk.limits_version());
        }
        self.take(step);
    }

    /// Those of the record are in force, and durable.
    pub(super) fn set_limits(&mut self) {
        self.put(&self.limits.clone(), true);
    }

    /// Back to where they were at first, which counts only once it is durable.
    pub(super) fn widen(&mut self, durable: bool) {
        if durable {
            self.limits = tight();
        }
        self.put(&tight(), durable);
    }

    pub(super) fn tighten(&mut self, which: usize, percent: i64) {
        let part = |value: Decimal| (value * Decimal::new(percent, 2)).round_dp(2);
        let limits = &mut self.limits;
        match which {
            0 => limits.position_cap = Size(part(limits.position_cap.0)),
            1 => limits.market_cap = Size(part(limits.market_cap.0)),
            2 => limits.market_loss = Usd(part(limits.market_loss.0)),
            3 => limits.group_loss = Usd(part(limits.group_loss.0)),
            4 => limits.strategy_exposure = Usd(part(limits.strategy_exposure.0)),
            5 => limits.gross_exposure = Usd(part(limits.gross_exposure.0)),
            _ => limits.open_orders = (limits.open_orders - 1).max(1),
        }
        self.set_limits();
        // What is cancelled may turn out to have matched more, for which another has to go.
        (0..tight().open_orders).for_each(|_| self.tick());
        let measured = self.measured();
        let mut bare = self.orders.clone();
        for order in &mut bare {
            let known = self.desk.orders.get(&(order.intent.intent.clone(), 1)).map(Tracked::state);
            let rests = matches!(known, Some(OrderState::Live | OrderState::PartiallyFilled));
            order.alive &= !(rests && order.intent.side == Side::Buy);
        }
        let all = std::mem::replace(&mut self.orders, bare);
        let without = self.measured();
        self.orders = all;
        for ((what, value, limit), (_, bare, _)) in measured.into_iter().zip(without) {
            if value > limit + SLACK {
                assert!(
                    value <= bare + SLACK,
                    "{what}: {value} of {limit}, and {bare} without what a cancel takes back"
                );
                self.beyond.insert(what, value);
            }
        }
    }

    /// Every price falls, for longer than a loss must last to kill.
    pub(super) fn fall(&mut self, cents: i64) {
        self.bids = [(cents, 1_000); 4];
        for _ in 0..=tight().drawdown_confirmations {
            self.now += 1_000;
            self.hear();
            self.tick();
        }
    }

    pub(super) fn wait(&mut self, millis: i64) {
        self.now += millis;
        self.tick();
    }

    /// One token falls and is heard each second, and the others are silent.
    pub(super) fn sink(&mut self, token: usize, cents: i64) {
        self.bids[token] = (cents, 1_000);
        for _ in 0..=tight().drawdown_confirmations {
            self.now += 1_000;
            self.publish(token);
            self.tick();
        }
    }

    /// A loss that is beyond its limit by all looks kills then, once, and not before.
    fn tick(&mut self) {
        let step = self.desk.on_tick(at(self.now));
        let killed = |effect: &Effect| matches!(effect, Effect::Kill(why) if why.starts_with("daily_drawdown"));
        let killed = step.effects().any(killed);
        if self.now - self.looked < 1_000 {
            assert!(!killed);
        } else {
            self.looked = self.now;
            assert_eq!(self.measure(), killed, "{:?}", self.references);
            self.kills += u32::from(killed);
        }
        self.take(step);
    }
}
