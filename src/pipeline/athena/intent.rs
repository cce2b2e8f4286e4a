//! From a wish to an intent: identity from its cause, deadline from its tick.

use sha2::{Digest, Sha256};

use super::strategy::{Cause, Wish};
use crate::domain::{IntentId, OrderIntent, Side, StrategyId, TimeInForce, Timestamp};

/// So many bytes of the hash are in an id.
const HASH: usize = 10;

/// The intent of a wish. `closes_at` bounds how long it may rest, unless the market takes orders beyond it.
pub(super) fn intent(wish: &Wish, epoch: u64, closes_at: Option<Timestamp>, now: Timestamp) -> OrderIntent {
    let (signal, cause) = (&wish.signal, &wish.cause);
    let rest_until = now.plus(wish.rest_for);
    OrderIntent {
        intent: identity(wish),
        strategy: signal.strategy.clone(),
        market: signal.market.clone(),
        slug: signal.slug.clone(),
        token: signal.token.clone(),
        outcome: signal.outcome.clone(),
        side: signal.side,
        price: signal.price,
        size: signal.size,
        tif: TimeInForce::Gtc,
        post_only: false,
        tick_received_at: cause.received_at,
        created_at: now,
        deadline: cause.received_at.plus(wish.send_within),
        rest_until: closes_at.filter(|at| *at > now).map_or(rest_until, |at| rest_until.min(at)),
        epoch,
        attempt: 1,
    }
}

/// The same cause gives the same id, in this run and in any other: what was emitted before a crash and is derived again
/// after it is one intent, and Hermes executes it once. Each name ends with a byte that occurs in none.
fn identity(wish: &Wish) -> IntentId {
    let signal = &wish.signal;
    let side = match signal.side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    };
    named(signal.strategy.as_str(), digest(&signal.strategy, &[signal.token.as_str(), side], &wish.cause))
}

/// The id of a skip: its cause and its reason.
pub(super) fn skip_identity(strategy: &StrategyId, reason: &str, cause: &Cause) -> IntentId {
    named("skip", digest(strategy, &[reason], cause))
}

fn named(name: &str, hash: [u8; HASH]) -> IntentId {
    IntentId::new([name, &hex::encode(hash)].join("-"))
}

fn digest(strategy: &StrategyId, what: &[&str], cause: &Cause) -> [u8; HASH] {
    let mut hash = Sha256::new();
    let names = std::iter::once(strategy.as_str()).chain(what.iter().copied()).chain([cause.source.as_str()]);
    for name in names {
        hash.update(name);
        hash.update([0]);
    }
    hash.update(cause.event_at.micros().to_le_bytes());
    hash.update(cause.trade_id.to_le_bytes());
    hash.update(cause.price.decimal().normalize().serialize());
    let mut short = [0; HASH];
    short.copy_from_slice(&hash.finalize()[..HASH]);
    short
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use rust_decimal::{Decimal, dec};

    use super::*;
    use crate::domain::{Price, Rationale, Signal, Size};
    use crate::pipeline::athena::strategy::Cause;

    pub(in crate::pipeline::athena) fn wish() -> Wish {
        Wish {
            signal: Signal {
                strategy: "momentum".into(),
                market: "0xmarket".into(),
                slug: "btc-updown-5m-0".into(),
                token: "up".into(),
                outcome: "Up".into(),
                side: Side::Buy,
                size: Size(dec!(20)),
                price: Price(dec!(0.52)),
                rationale: Rationale {
                    source: "BTC/USD".into(),
                    change: Decimal::ZERO,
                    threshold: Decimal::ZERO,
                    measure: crate::domain::Measure::Relative,
                    window_ms: 15_000,
                    window_ticks: 10,
                    first: Price::ZERO,
                    last: Price::ZERO,
                    reference: Price::ZERO,
                    fair: None,
                    edge: None,
                    note: crate::domain::Text::default(),
                    params: 1,
                    inputs: Vec::new(),
                },
            },
            cause: Cause {
                source: "BTC/USD".into(),
                event_at: Timestamp::from_secs(99),
                received_at: Timestamp::from_secs(100),
                trade_id: 7,
                price: Price(dec!(87_000)),
            },
            send_within: Duration::from_secs(2),
            rest_for: Duration::from_secs(15),
        }
    }

    #[test]
    fn the_id_follows_from_the_cause_and_from_nothing_else() {
        let (first, again) = (Timestamp::from_secs(100), Timestamp::from_secs(500));
        assert_eq!(intent(&wish(), 1, None, first).intent, intent(&wish(), 9, None, again).intent);
        let mut others = [wish(), wish(), wish(), wish(), wish()];
        others[0].signal.side = Side::Sell;
        others[1].signal.token = "down".into();
        others[2].cause.trade_id = 8;
        others[3].cause.event_at = Timestamp::from_secs(98);
        others[4].signal.strategy = "other".into();
        for other in others {
            assert_ne!(intent(&wish(), 1, None, first).intent, intent(&other, 1, None, first).intent);
        }
    }

    #[test]
    fn the_deadline_counts_from_the_tick_and_rest_ends_with_the_market() {
        let now = Timestamp::from_millis(100_001);
        let made = intent(&wish(), 4, None, now);
        assert_eq!((made.deadline, made.created_at, made.epoch), (Timestamp::from_secs(102), now, 4));
        assert_eq!(made.rest_until, Timestamp::from_millis(115_001));
        let closes = Timestamp::from_secs(110);
        assert_eq!(intent(&wish(), 4, Some(closes), now).rest_until, closes);
    }
}
