//! The life of an order as a pure function of the facts known about it.
//!
//! Facts arrive from the POST's answer, the user socket and REST in any order and any number of times. Each is folded into a
//! [`Standing`] by operations that commute and are idempotent (a flag is set, a maximum grows), and the state is derived from
//! the standing, so the same set of facts always gives the same state. The table, first match wins:
//!
//! | what is known | state |
//! |---|---|
//! | matched in full, or the venue says so and no more than dust is missing | `Filled` |
//! | the venue ended it | `Cancelled` |
//! | its deadline passed before the venue took it | `Expired` |
//! | the venue refused it, or it provably never arrived | `Rejected` |
//! | our gate refused it | `Denied` |
//! | the venue has it, a cancel was asked for | `CancelPending` |
//! | the venue has it, some of it matched | `PartiallyFilled` |
//! | the venue has it | `Live` |
//! | the outcome of its POST is not known | `Unknown` |
//! | its POST has begun | `Sent` |
//! | it is signed and durable | `Signed` |
//! | nothing yet | `Pending` |
//!
//! Invariant: a terminal state is never left for one that is not terminal, and what is matched only grows.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::domain::{Order, OrderState, Size, TradeId};

/// What rounding at the venue may leave of an order that it calls matched, in shares.
const DUST: Decimal = Decimal::from_parts(1, 0, 0, false, 2);

/// How the venue spoke of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// Resting, held, or in a status that we do not know.
    Open,
    /// Nothing left of it to match.
    Matched,
    /// Ended by a cancel, an expiry or the venue.
    Ended,
}

/// Something learned about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Its identity and digest are durable.
    Signed,
    /// Its POST begins.
    Sending,
    /// The venue answered that it took it.
    Accepted,
    /// The venue refused it for good.
    Refused,
    /// Nobody knows whether the venue has it.
    OutcomeUnknown,
    /// The venue lists it.
    Seen {
        /// How.
        sighting: Sighting,
        /// Shares matched, when it says.
        matched: Option<Size>,
    },
    /// A trade of it.
    Fill {
        /// Which.
        trade: TradeId,
        /// Shares of our leg.
        size: Size,
    },
    /// We asked the venue to cancel it.
    CancelRequested,
    /// Its deadline passed and the venue does not have it.
    Expired,
    /// Our gate refused it.
    Denied,
    /// Looked for long enough and often enough: the venue never had it.
    NeverArrived,
}

/// How an order ended. Later ones overrule earlier ones, so that the verdict does not depend on which was heard first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Denied,
    Rejected,
    Expired,
    Cancelled,
}

/// What folding in a fact did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// State or matched size differ from before.
    pub changed: bool,
    /// The venue shows signs of an order that had ended without it: our verdict was wrong.
    pub contradiction: bool,
}

/// Everything that is known about an order's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    size: Size,
    signed: bool,
    sending: bool,
    unknown: bool,
    held: bool,
    cancel_requested: bool,
    end: Option<End>,
    complete: bool,
    venue_matched: Size,
    fills: BTreeMap<TradeId, Size>,
}

impl Standing {
    /// Nothing known of an order for `size` shares.
    #[must_use]
    pub const fn new(size: Size) -> Self {
        Self {
            size,
            signed: false,
            sending: false,
            unknown: false,
            held: false,
            cancel_requested: false,
            end: None,
            complete: false,
            venue_matched: Size::ZERO,
            fills: BTreeMap::new(),
        }
    }

    /// What a ledger row and the fills of that order tell.
    #[must_use]
    pub fn restore(order: &Order, accepted: bool, fills: impl IntoIterator<Item = (TradeId, Size)>) -> Self {
        let mut standing = Self::new(order.intent.size);
        standing.venue_matched = order.matched;
        standing.held = accepted;
        standing.signed = order.order.is_some();
        standing.sending = order.times.sent_at.is_some();
        match order.state {
            OrderState::Unknown => standing.unknown = true,
            OrderState::CancelPending => standing.cancel_requested = true,
            OrderState::Filled => standing.complete = true,
            OrderState::Cancelled => standing.end = Some(End::Cancelled),
            OrderState::Rejected => standing.end = Some(End::Rejected),
            OrderState::Expired => standing.end = Some(End::Expired),
            OrderState::Denied => standing.end = Some(End::Denied),
            OrderState::Pending
            | OrderState::Signed
            | OrderState::Sent
            | OrderState::Live
            | OrderState::PartiallyFilled => {}
        }
        standing.fills.extend(fills);
        standing
    }

    /// Folds in a fact.
    pub fn apply(&mut self, fact: Fact) -> Applied {
        let before = (self.state(), self.matched());
        let contradiction = self.contradicts(&fact);
        match fact {
            Fact::Signed => self.signed = true,
            Fact::Sending => self.sending = true,
            Fact::Accepted => self.held = true,
            Fact::OutcomeUnknown => self.unknown = true,
            Fact::CancelRequested => self.cancel_requested = true,
            Fact::Refused | Fact::NeverArrived => self.end(End::Rejected),
            Fact::Expired => self.end(End::Expired),
            Fact::Denied => self.end(End::Denied),
            Fact::Fill { trade, size } => {
                self.held = true;
                let known = self.fills.entry(trade).or_default();
                *known = (*known).max(size);
            }
            Fact::Seen { sighting, matched } => {
                self.held = true;
                self.venue_matched = self.venue_matched.max(matched.unwrap_or_default());
                match (sighting, matched) {
                    (Sighting::Open, _) => {}
                    (Sighting::Matched, None) => self.venue_matched = self.venue_matched.max(self.size),
                    (Sighting::Matched, Some(matched)) if (self.size - matched).0 <= DUST => self.complete = true,
                    // All that could be matched was, and the rest was killed.
                    (Sighting::Matched, Some(_)) | (Sighting::Ended, _) => self.end(End::Cancelled),
                }
            }
        }
        Applied { changed: before != (self.state(), self.matched()), contradiction }
    }

    /// Where the order stands.
    #[must_use]
    pub fn state(&self) -> OrderState {
        let matched = self.matched();
        if matched >= self.size || self.complete {
            return OrderState::Filled;
        }
        match self.end {
            Some(End::Cancelled) => OrderState::Cancelled,
            Some(End::Expired) => OrderState::Expired,
            Some(End::Rejected) => OrderState::Rejected,
            Some(End::Denied) => OrderState::Denied,
            None if self.held && self.cancel_requested => OrderState::CancelPending,
            None if self.held && !matched.is_zero() => OrderState::PartiallyFilled,
            None if self.held => OrderState::Live,
            None if self.unknown => OrderState::Unknown,
            None if self.sending => OrderState::Sent,
            None if self.signed => OrderState::Signed,
            None => OrderState::Pending,
        }
    }

    /// Shares matched: the more of what the venue counts and what the trades add up to.
    #[must_use]
    pub fn matched(&self) -> Size {
        self.venue_matched.max(self.traded())
    }

    /// Shares in the trades that are known.
    #[must_use]
    pub fn traded(&self) -> Size {
        self.fills.values().copied().sum()
    }

    /// Whether the venue has, or had, it.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        self.held
    }

    fn end(&mut self, end: End) {
        self.end = self.end.max(Some(end));
    }

    /// The venue speaks of an order as alive, or as traded, that had ended without it.
    fn contradicts(&self, fact: &Fact) -> bool {
        let alive = matches!(
            fact,
            Fact::Accepted | Fact::Fill { .. } | Fact::Seen { sighting: Sighting::Open | Sighting::Matched, .. }
        );
        alive && !self.held && self.end.is_some_and(|end| end < End::Cancelled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rust_decimal::dec;

    const SIZE: i64 = 10;

    fn size(shares: i64) -> Size {
        Size(Decimal::from(shares))
    }

    fn fact() -> impl Strategy<Value = Fact> {
        let sighting = prop_oneof![Just(Sighting::Open), Just(Sighting::Matched), Just(Sighting::Ended)];
        prop_oneof![
            Just(Fact::Signed),
            Just(Fact::Sending),
            Just(Fact::Accepted),
            Just(Fact::Refused),
            Just(Fact::OutcomeUnknown),
            Just(Fact::CancelRequested),
            Just(Fact::Expired),
            Just(Fact::Denied),
            Just(Fact::NeverArrived),
            (sighting, proptest::option::of(0..=SIZE))
                .prop_map(|(sighting, matched)| Fact::Seen { sighting, matched: matched.map(size) }),
            (0..4_i64).prop_map(|trade| Fact::Fill { trade: TradeId::new(format!("t{trade}")), size: size(trade + 1) }),
        ]
    }

    fn fold(facts: &[Fact]) -> Standing {
        let mut standing = Standing::new(size(SIZE));
        for fact in facts {
            standing.apply(fact.clone());
        }
        standing
    }

    proptest! {
        #[test]
        fn the_same_set_of_facts_gives_the_same_state(
            (facts, shuffled) in prop::collection::vec(fact(), 0..12).prop_flat_map(|facts| {
                let twice: Vec<_> = facts.iter().chain(&facts).cloned().collect();
                (Just(facts), Just(twice).prop_shuffle())
            })
        ) {
            let (once, twice) = (fold(&facts), fold(&shuffled));
            prop_assert_eq!(once.state(), twice.state());
            prop_assert_eq!(once.matched(), twice.matched());
        }

        #[test]
        fn terminal_stays_terminal_and_matched_only_grows(facts in prop::collection::vec(fact(), 0..20)) {
            let mut standing = Standing::new(size(SIZE));
            for fact in facts {
                let (state, matched) = (standing.state(), standing.matched());
                let applied = standing.apply(fact);
                prop_assert!(!state.is_terminal() || standing.state().is_terminal());
                prop_assert!(standing.matched() >= matched);
                prop_assert_eq!(applied.changed, (state, matched) != (standing.state(), standing.matched()));
            }
        }
    }

    #[test]
    fn a_fill_wins_the_race_against_a_cancel() {
        let ended = Fact::Seen { sighting: Sighting::Ended, matched: None };
        let fill = Fact::Fill { trade: "t".into(), size: size(SIZE) };
        let asked = [Fact::Sending, Fact::Accepted, Fact::CancelRequested];
        assert_eq!(fold(&asked).state(), OrderState::CancelPending);
        let (mut one, mut other) = (asked.to_vec(), asked.to_vec());
        one.extend([ended.clone(), fill.clone()]);
        other.extend([fill, ended]);
        assert_eq!(fold(&one).state(), OrderState::Filled);
        assert_eq!(fold(&other).state(), OrderState::Filled);
    }

    #[test]
    fn an_unknown_outcome_is_settled_only_by_evidence() {
        let unknown = [Fact::Signed, Fact::Sending, Fact::OutcomeUnknown];
        assert_eq!(fold(&unknown).state(), OrderState::Unknown);
        for (fact, state) in [
            (Fact::Seen { sighting: Sighting::Open, matched: None }, OrderState::Live),
            (Fact::Seen { sighting: Sighting::Open, matched: Some(size(1)) }, OrderState::PartiallyFilled),
            (Fact::Seen { sighting: Sighting::Matched, matched: None }, OrderState::Filled),
            (Fact::Seen { sighting: Sighting::Matched, matched: Some(Size(dec!(9.99))) }, OrderState::Filled),
            (Fact::Seen { sighting: Sighting::Matched, matched: Some(size(4)) }, OrderState::Cancelled),
            (Fact::Seen { sighting: Sighting::Ended, matched: Some(size(3)) }, OrderState::Cancelled),
            (Fact::NeverArrived, OrderState::Rejected),
        ] {
            let mut facts = unknown.to_vec();
            facts.push(fact);
            assert_eq!(fold(&facts).state(), state, "{facts:?}");
        }
    }

    #[test]
    fn signs_of_life_of_an_order_that_was_given_up_are_a_contradiction() {
        let mut standing = fold(&[Fact::Signed, Fact::Sending, Fact::OutcomeUnknown, Fact::NeverArrived]);
        let applied = standing.apply(Fact::Seen { sighting: Sighting::Open, matched: None });
        assert!(applied.contradiction);
        assert_eq!(standing.state(), OrderState::Rejected);
        let mut killed = fold(&[Fact::Signed, Fact::Sending, Fact::Refused]);
        assert!(!killed.apply(Fact::Seen { sighting: Sighting::Ended, matched: None }).contradiction);
        assert_eq!(killed.state(), OrderState::Cancelled);
    }
}
