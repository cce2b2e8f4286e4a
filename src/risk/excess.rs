mod sweep;

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::domain::{Denial, FeeSchedule, Market, MarketId, OrderIntent, Timestamp, TradingState};

use self::sweep::Sweep;
use super::checks::{self, Check};
use super::{Commitment, Equity, Group, Holdings, Limits, Recent, RiskView, reducing};

/// The controls on whether anything is bought at all, and on what all orders together have at stake.
const OF_ALL: [Check; 5] = [
    checks::trading_state::check,
    checks::open_orders::check,
    checks::position_cap::check,
    checks::strategy_exposure::check,
    checks::gross_exposure::check,
];
/// Those that need to know the market.
const OF_MARKET: [Check; 4] =
    [checks::allow_list::check, checks::market_cap::check, checks::market_loss::check, checks::group_loss::check];

/// Resting buys, and everything else that is at stake.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resting<'a> {
    /// What else is at stake.
    pub(crate) fixed: &'a Holdings,
    /// Of each resting buy the shares that may still be matched.
    pub(crate) buys: &'a [OrderIntent],
    /// The markets that are known.
    pub(crate) markets: &'a HashMap<MarketId, Market>,
    /// What losses are measured by, against its references; absent before the first measurement.
    pub(crate) losses: Option<Equity>,
}

/// Which resting buys have to go so that what remains fits the limits, the newest first, each with what it exceeds; what comes out are
/// places in `buys`.
///
/// What remains is what the gate would let through: when a limit stays exceeded, no buy that remains has a part in it.
#[must_use]
pub(crate) fn excess(limits: &Limits, resting: Resting<'_>, now: Timestamp) -> Vec<(usize, Denial)> {
    let mut groups = HashMap::new();
    swept(resting, |holdings, place| {
        let intent = &resting.buys[place];
        let market = resting.markets.get(&intent.market);
        let id = market.and_then(|market| market.group.as_ref());
        if let (Some(market), Some(id)) = (market, id) {
            groups.entry(id).or_insert_with(|| Group::of(market, &resting.markets.values(), holdings));
        }
        let group = id.and_then(|id| groups.get(id)).and_then(Option::as_ref);
        let denial = refusal(limits, resting, holdings, (intent, market, group), now);
        if market.is_none() && denial.is_some() {
            // What it may cost counts in every group, since it may be part of it.
            groups.clear();
        }
        denial
    })
}

/// Puts each buy before `ask`, with all that is at stake without it, until it refuses none of those that remain. One that added nothing to
/// the worst outcome may do so once that is another, so they are gone through more than once.
fn swept(resting: Resting<'_>, mut ask: impl FnMut(&Holdings, usize) -> Option<Denial>) -> Vec<(usize, Denial)> {
    let commitments: Vec<Commitment> = resting.buys.iter().map(|intent| resting.commitment(intent)).collect();
    let mut by_age: Vec<usize> = (0..resting.buys.len()).collect();
    by_age.sort_by_key(|place| Reverse((resting.buys[*place].created_at, &resting.buys[*place].intent)));
    let mut sweep = Sweep::over(by_age.iter().map(|place| {
        let of_group = resting.markets.get(&commitments[*place].market).and_then(|market| market.group.as_ref());
        (&commitments[*place], of_group)
    }));
    let mut holdings = resting.fixed.clone();
    for commitment in &commitments {
        holdings.commit(commitment.clone());
    }
    let mut gone = Vec::new();
    while let Some(turn) = sweep.next() {
        let place = by_age[turn.rank];
        let counted = holdings.release(&commitments[place]);
        debug_assert!(counted, "{:?}", commitments[place]);
        if let Some(denial) = ask(&holdings, place) {
            gone.push((place, denial));
            sweep.refused(turn);
        } else {
            holdings.commit(commitments[place].clone());
            sweep.passed(turn);
        }
    }
    gone
}

impl Resting<'_> {
    fn commitment(&self, intent: &OrderIntent) -> Commitment {
        let fees = self.markets.get(&intent.market).map_or(FeeSchedule::DEAREST, |market| market.fee);
        Commitment::of(intent, intent.size, true, fees)
    }
}

fn refusal(
    limits: &Limits,
    resting: Resting<'_>,
    holdings: &Holdings,
    (intent, market, group): (&OrderIntent, Option<&Market>, Option<&Group<'_>>),
    now: Timestamp,
) -> Option<Denial> {
    let reduces = reducing(limits, resting.losses).is_some();
    let view = RiskView {
        trading_state: if reduces { TradingState::Reducing } else { TradingState::Active },
        epoch: intent.epoch,
        market,
        book: None,
        source_at: None,
        holdings,
        recent: &Recent::new(),
        equity: resting.losses.ok_or("it was not measured yet"),
        group,
        halted: None,
        breaker: None,
        repeats: 0,
        funds: None,
        fee: RiskView::fee_of(intent, market),
    };
    let of_market: &[Check] = if market.is_some() { &OF_MARKET } else { &[] };
    let mut results = OF_ALL.iter().chain(of_market).map(|check| check(intent, &view, limits, now));
    let failed = results.find(|result| !result.passed)?;
    Some(Denial { control: failed.control, value: failed.value.to_string(), limit: failed.limit.to_string() })
}

#[cfg(test)]
mod tests;
