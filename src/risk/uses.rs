//! How much of every limit is used: what the checks measure for one intent, measured for the account as it is.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use rust_decimal::Decimal;

use crate::domain::{Control, LimitUse, Market, MarketId, Side, StrategyId, Timestamp, TokenId, Usd};

use super::{Equity, Group, Holdings, Limits, Recent, worst_loss};

/// What a use is of when it is the account's.
const ACCOUNT: &str = "account";

/// The account as it is.
#[derive(Clone, Copy, Debug)]
pub struct Measured<'a> {
    /// What is at stake.
    pub holdings: &'a Holdings,
    /// What the gate let through lately.
    pub recent: &'a Recent,
    /// What losses are measured by, against its references; absent before the first measurement.
    pub losses: Option<Equity>,
    /// The markets that are known.
    pub markets: &'a HashMap<MarketId, Market>,
    /// What books and venue differed by lately and seem to differ by now, and what is allowed.
    pub mismatch: (Usd, Usd),
    /// How long nothing was heard of the books of what is held or on order; zero when nothing is.
    pub mute: Duration,
    /// How long the outcome of an order has been unknown, of the one for the longest.
    pub unknown: Duration,
    /// The same by strategy.
    pub unknown_by_strategy: &'a [(StrategyId, Duration)],
    /// Refusals by the venue.
    pub refusals: &'a [Refusals],
}

/// Refusals of a kind by the venue, within a minute or holding the circuit breaker open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusals {
    /// Whose, and of which kind.
    pub of: String,
    /// How many.
    pub count: u32,
    /// At how many the breaker opens.
    pub most: u32,
}

/// The use of every limit that has one, the nearest first. What nothing is used of is left out for tokens, markets and strategies.
#[must_use]
pub fn uses(limits: &Limits, measured: &Measured<'_>, now: Timestamp) -> Vec<LimitUse> {
    let mut uses = account(limits, measured);
    rates(limits, measured, now, &mut uses);
    repeats(limits, measured, now, &mut uses);
    for market in measured.markets.values().filter(|market| market.payouts.is_none()) {
        of_market(limits, measured, market, &mut uses);
    }
    of_groups(limits, measured, &mut uses);
    uses.sort_by(|one, other| {
        (other.percent.cmp(&one.percent))
            .then_with(|| (one.control, &one.subject).cmp(&(other.control, &other.subject)))
    });
    uses
}

fn account(limits: &Limits, measured: &Measured<'_>) -> Vec<LimitUse> {
    let pusd = |control, value: Usd, limit: Usd| LimitUse::new(control, ACCOUNT, (value.0, limit.0), "pUSD");
    let lasting = |control, value, limit| LimitUse::new(control, ACCOUNT, (seconds(value), seconds(limit)), "s");
    let open = (Decimal::from(measured.holdings.open_count()), Decimal::from(limits.open_orders));
    let (differs, allowed) = measured.mismatch;
    let mut uses = vec![
        pusd(Control::GrossExposure, measured.holdings.gross(), limits.gross_exposure),
        pusd(Control::Mismatch, differs, allowed),
        lasting(Control::DataMute, measured.mute, limits.data_mute),
        lasting(Control::UnknownOutcome, measured.unknown, limits.unknown_kill),
        LimitUse::new(Control::OpenOrders, ACCOUNT, open, "orders"),
    ];
    if let Some(equity) = measured.losses {
        uses.push(pusd(Control::DailyLoss, equity.day_loss(), limits.daily_loss));
        uses.push(pusd(Control::DailyDrawdown, equity.drawdown(), limits.daily_drawdown));
        uses.push(pusd(Control::RollingLoss, equity.rolling_loss(), limits.rolling_loss));
    }
    let exposure = |(strategy, value): (&StrategyId, &Usd)| {
        let used = (value.0, limits.strategy_exposure.0);
        LimitUse::new(Control::StrategyExposure, strategy.as_str(), used, "pUSD")
    };
    uses.extend(measured.holdings.by_strategy().map(exposure));
    uses.extend(measured.unknown_by_strategy.iter().map(|(strategy, age)| {
        LimitUse::new(Control::StrategyHalt, strategy.as_str(), (seconds(*age), seconds(limits.unknown_halt)), "s")
    }));
    uses.extend(measured.refusals.iter().map(|Refusals { of, count, most }| {
        LimitUse::new(Control::CircuitBreaker, of.as_str(), (Decimal::from(*count), Decimal::from(*most)), "refusals")
    }));
    uses
}

/// In seconds, to the millisecond and rounded up: what is beyond a limit does not read like the limit.
#[must_use]
pub fn seconds(duration: Duration) -> Decimal {
    Decimal::from(duration.as_micros().div_ceil(1_000)) / Decimal::ONE_THOUSAND
}

fn rates(limits: &Limits, measured: &Measured<'_>, now: Timestamp, uses: &mut Vec<LimitUse>) {
    let rate = |subject: &str, count: u32, limit: u32| {
        LimitUse::new(Control::OrderRate, subject, (Decimal::from(count), Decimal::from(limit)), "a minute")
    };
    let by_strategy = measured.recent.by_strategy(now);
    uses.push(rate(ACCOUNT, by_strategy.values().sum(), limits.account_rate));
    uses.extend(by_strategy.iter().map(|(strategy, count)| rate(strategy.as_str(), *count, limits.strategy_rate)));
}

/// Orders on one token and side without a person's word; one more than the limit halts the strategy.
fn repeats(limits: &Limits, measured: &Measured<'_>, now: Timestamp, uses: &mut Vec<LimitUse>) {
    let mut counted: HashMap<&TokenId, Vec<(&StrategyId, Side, u32)>> = HashMap::new();
    for (strategy, token, side, count) in measured.recent.repeated(limits.repeated_window, now) {
        counted.entry(token).or_default().push((strategy, side, count));
    }
    let outcomes = measured.markets.values().flat_map(|market| market.tokens.iter().map(move |of| (market, of)));
    for (market, outcome) in outcomes.filter(|_| !counted.is_empty()) {
        for (strategy, side, count) in counted.get(&outcome.token).into_iter().flatten() {
            let subject = format!("{strategy} to {side} {} {}", market.slug, outcome.outcome);
            let used = (Decimal::from(*count), Decimal::from(limits.repeated_executions));
            uses.push(LimitUse::new(Control::RepeatedExecution, subject, used, "orders"));
        }
    }
}

fn of_market(limits: &Limits, measured: &Measured<'_>, market: &Market, uses: &mut Vec<LimitUse>) {
    let mut touched = false;
    for outcome in &market.tokens {
        let holding = measured.holdings.token(&outcome.token);
        let shares = holding.held_long() + holding.buying;
        touched |= !holding.held.is_zero() || !holding.buying.is_zero() || !holding.selling.is_zero();
        if !shares.is_zero() {
            let subject = format!("{} {}", market.slug, outcome.outcome);
            let share = (shares.0, limits.position_cap.0);
            uses.push(LimitUse::new(Control::PositionCap, subject, share, "shares"));
        }
    }
    let slug = market.slug.as_str();
    let shares = measured.holdings.shares_of(market);
    if !shares.is_zero() {
        uses.push(LimitUse::new(Control::MarketCap, slug, (shares.0, limits.market_cap.0), "shares"));
    }
    if touched {
        let loss = worst_loss(market, measured.holdings, None);
        uses.push(LimitUse::new(Control::MarketLoss, slug, (loss.0, limits.market_loss.0), "pUSD"));
    }
}

/// Each group of more than one market, once.
fn of_groups(limits: &Limits, measured: &Measured<'_>, uses: &mut Vec<LimitUse>) {
    let mut seen = HashSet::new();
    for market in measured.markets.values() {
        let Some(id) = market.group.as_ref().filter(|id| seen.insert(*id)) else { continue };
        let group = Group::of(market, &measured.markets.values(), measured.holdings);
        let Some(group) = group.filter(|group| group.len() > 1) else { continue };
        let loss = group.worst_loss(measured.holdings, None);
        if !loss.is_zero() {
            let used = (loss.0, limits.group_loss.0);
            uses.push(LimitUse::new(Control::GroupLoss, id.as_str(), used, "pUSD"));
        }
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::Size;
    use crate::risk::checks::bench::{Bench, buy, market};

    #[test]
    fn every_limit_shows_what_is_used_of_it_the_nearest_first() {
        let mut bench = Bench::new();
        bench.hold("up", "100", "0.60");
        bench.limits.market_cap = Size(dec!(400));
        bench.reserve(&buy("0.50", "60"));
        bench.recent.note(&buy("0.50", "60"), bench.now);
        let equity = Some(Equity { current: Usd(dec!(-30)), peak: Usd(dec!(20)), ..Equity::default() });
        let markets = HashMap::from([(market().market, market())]);
        let measured = Measured {
            holdings: &bench.holdings,
            recent: &bench.recent,
            losses: equity,
            markets: &markets,
            mismatch: (Usd(dec!(1)), Usd(dec!(5))),
            mute: Duration::from_secs(90),
            unknown: Duration::from_micros(2_999_001),
            unknown_by_strategy: &[("momentum".into(), Duration::from_micros(2_999_001))],
            refusals: &[Refusals { of: "the account as rejected".into(), count: 4, most: 5 }],
        };
        let told: Vec<String> = uses(&bench.limits, &measured, bench.now)
            .into_iter()
            .map(|used| {
                let LimitUse { control, subject, value, limit, unit, percent } = used;
                format!("{percent} % {control} of {subject}: {value} of {limit} {unit}")
            })
            .collect();
        assert_eq!(
            told,
            [
                "80 % position_cap of btc-updown-5m-1795348800 Up: 160 of 200 shares",
                "80 % circuit_breaker of the account as rejected: 4 of 5 refusals",
                "75 % data_mute of account: 90 of 120 s",
                "40 % market_cap of btc-updown-5m-1795348800: 160 of 400 shares",
                "30 % market_loss of btc-updown-5m-1795348800: 90 of 300 pUSD",
                "25 % daily_drawdown of account: 50 of 200 pUSD",
                "20 % daily_loss of account: 30 of 150 pUSD",
                "20 % mismatch of account: 1 of 5 pUSD",
                "18 % gross_exposure of account: 90 of 500 pUSD",
                "12 % rolling_loss of account: 30 of 250 pUSD",
                "6 % strategy_exposure of momentum: 30 of 500 pUSD",
                "5 % strategy_halt of momentum: 3 of 60 s",
                "1 % unknown_outcome of account: 3 of 300 s",
                "0 % order_rate of account: 1 of 1000 a minute",
                "0 % order_rate of momentum: 1 of 1000 a minute",
                "0 % repeated_execution of momentum to buy btc-updown-5m-1795348800 Up: 1 of 1000 orders",
                "0 % open_orders of account: 1 of 1000 orders",
            ]
        );
    }
}
