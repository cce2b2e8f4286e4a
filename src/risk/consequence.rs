//! What a control does when its limit is exceeded, said in this one place.

use crate::domain::{Control, Denial};

use super::{Equity, Limits};

/// What follows when a limit is exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// The intent that would exceed it is denied.
    Deny,
    /// Besides, only what reduces exposure is let through for as long as it lasts.
    Reduce,
    /// Besides, the strategy is halted for as long as it lasts.
    HaltStrategy,
    /// Everything is killed, and only a person arms again.
    Kill,
}

impl Consequence {
    /// Of this control.
    #[must_use]
    pub const fn of(control: Control) -> Self {
        match control {
            Control::DailyDrawdown
            | Control::RollingLoss
            | Control::DataMute
            | Control::UnknownOutcome
            | Control::Mismatch
            | Control::Invariant => Self::Kill,
            Control::DailyLoss => Self::Reduce,
            Control::StrategyHalt | Control::RepeatedExecution => Self::HaltStrategy,
            Control::TradingState
            | Control::ArmEpoch
            | Control::Deadline
            | Control::AllowList
            | Control::Blackout
            | Control::StaleData
            | Control::Market
            | Control::OrderSize
            | Control::OrderNotional
            | Control::Overbuy
            | Control::PriceCollar
            | Control::Duplicate
            | Control::SelfMatch
            | Control::OrderRate
            | Control::OpenOrders
            | Control::PositionCap
            | Control::MarketCap
            | Control::MarketLoss
            | Control::GroupLoss
            | Control::StrategyExposure
            | Control::GrossExposure
            | Control::Balance
            | Control::CircuitBreaker => Self::Deny,
        }
    }
}

/// Why only what reduces exposure may be sent, apart from what the account's health says; absent when everything may. Of losses only
/// what is certain counts.
#[must_use]
pub fn reducing(limits: &Limits, losses: Option<Equity>) -> Option<String> {
    if limits.reduce_only {
        return Some("the limit reduce_only is set".to_owned());
    }
    let loss = losses?.day_loss();
    let beyond = Consequence::of(Control::DailyLoss) == Consequence::Reduce && loss > limits.daily_loss;
    beyond.then(|| {
        let (value, limit) = (format!("{} pUSD", loss.0.normalize()), format!("{} pUSD", limits.daily_loss));
        Denial { control: Control::DailyLoss, value, limit }.to_string()
    })
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::Usd;
    use crate::risk::checks::bench::limits;

    #[test]
    fn a_loss_beyond_its_limit_reduces_and_the_limit_itself_does_not() {
        let lost = |loss: rust_decimal::Decimal| Some(Equity { current: Usd(-loss), ..Equity::default() });
        assert_eq!(reducing(&limits(), lost(dec!(150))), None);
        assert_eq!(
            reducing(&limits(), lost(dec!(150.01))).as_deref(),
            Some("daily_loss: 150.01 pUSD (limit 150 pUSD)")
        );
        let set = Limits { reduce_only: true, ..limits() };
        assert_eq!(reducing(&set, lost(dec!(0))).as_deref(), Some("the limit reduce_only is set"));
    }

    #[test]
    fn these_kill_and_no_others() {
        let killing = [
            Control::DailyDrawdown,
            Control::RollingLoss,
            Control::DataMute,
            Control::UnknownOutcome,
            Control::Mismatch,
            Control::Invariant,
        ];
        assert!(killing.into_iter().all(|control| Consequence::of(control) == Consequence::Kill));
        for control in [Control::DailyLoss, Control::StrategyHalt, Control::GrossExposure, Control::CircuitBreaker] {
            assert_ne!(Consequence::of(control), Consequence::Kill, "{control}");
        }
    }
}
