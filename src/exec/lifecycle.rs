//! The life of an order as a pure function of the facts known about it.
//!
//! Facts arrive from the POST's answer, the user socket and REST in any order and any number of times. Each is folded into a
//! [`Standing`] by operations that commute and are idempotent (a flag is set, a maximum grows), and the state is derived from
//! the standing, first match wins in [`Standing::state`], so the same set of facts always gives the same state. Which state
//! may follow which on what news is [`TRANSITIONS`]; a test holds the two together over every standing that can be reached.
//!
//! Invariant: a terminal state is never left for one that is not terminal, and what is matched only grows. What is matched
//! and fails to settle makes a filled order `Voided`; what ended otherwise stays as it is, and its fills tell.

mod table;

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{DUST, Fill, FillStatus, Order, OrderState, Size, TradeId};

pub use table::{TRANSITIONS, is_lawful};

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
    /// A trade of it failed to settle for good.
    Voided {
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

/// The kinds of facts that [`TRANSITIONS`] tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum News {
    /// [`Fact::Signed`].
    Signed,
    /// [`Fact::Sending`].
    Sending,
    /// [`Fact::Accepted`].
    Accepted,
    /// [`Fact::Refused`] or [`Fact::NeverArrived`].
    Refused,
    /// [`Fact::OutcomeUnknown`].
    OutcomeUnknown,
    /// [`Fact::Seen`], open.
    SeenOpen,
    /// [`Fact::Seen`], matched.
    SeenMatched,
    /// [`Fact::Seen`], ended.
    SeenEnded,
    /// [`Fact::Fill`].
    Fill,
    /// [`Fact::Voided`].
    Voided,
    /// [`Fact::CancelRequested`].
    CancelRequested,
    /// [`Fact::Expired`].
    Expired,
    /// [`Fact::Denied`].
    Denied,
}

impl Fact {
    /// What a fill tells: that it happened, or that it failed.
    #[must_use]
    pub fn of_fill(trade: TradeId, size: Size, status: FillStatus) -> Self {
        if status == FillStatus::Failed { Self::Voided { trade, size } } else { Self::Fill { trade, size } }
    }

    /// Its kind.
    #[must_use]
    pub const fn news(&self) -> News {
        match self {
            Self::Signed => News::Signed,
            Self::Sending => News::Sending,
            Self::Accepted => News::Accepted,
            Self::Refused | Self::NeverArrived => News::Refused,
            Self::OutcomeUnknown => News::OutcomeUnknown,
            Self::Seen { sighting: Sighting::Open, .. } => News::SeenOpen,
            Self::Seen { sighting: Sighting::Matched, .. } => News::SeenMatched,
            Self::Seen { sighting: Sighting::Ended, .. } => News::SeenEnded,
            Self::Fill { .. } => News::Fill,
            Self::Voided { .. } => News::Voided,
            Self::CancelRequested => News::CancelRequested,
            Self::Expired => News::Expired,
            Self::Denied => News::Denied,
        }
    }
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
    /// The table allows it. It always does, or the table and the code have come apart and nothing may be trusted.
    pub lawful: bool,
}

/// Everything that is known about an order's life.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    voided: BTreeSet<TradeId>,
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
            voided: BTreeSet::new(),
        }
    }

    /// What a ledger row and the fills of that order, which asks for so many shares, tell.
    #[must_use]
    pub fn restore<'a>(order: &Order, shares: Size, accepted: bool, fills: impl IntoIterator<Item = &'a Fill>) -> Self {
        let mut standing = Self::new(shares);
        standing.venue_matched = order.matched;
        standing.held = accepted;
        standing.signed = order.order.is_some();
        standing.sending = order.times.sent_at.is_some();
        match order.state {
            OrderState::Unknown => standing.unknown = true,
            OrderState::CancelPending => standing.cancel_requested = true,
            OrderState::Filled | OrderState::Voided => standing.complete = true,
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
        for fill in fills {
            standing.held = true;
            standing.fills.insert(fill.trade.clone(), fill.size);
            if fill.status == FillStatus::Failed {
                standing.voided.insert(fill.trade.clone());
            }
        }
        standing
    }

    /// Folds in a fact.
    pub fn apply(&mut self, fact: Fact) -> Applied {
        let (before, news) = ((self.state(), self.matched()), fact.news());
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
            Fact::Fill { trade, size } => self.traded_in(trade, size),
            Fact::Voided { trade, size } => {
                self.voided.insert(trade.clone());
                self.traded_in(trade, size);
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
        let after = (self.state(), self.matched());
        Applied { changed: before != after, contradiction, lawful: is_lawful(before.0, news, after.0) }
    }

    fn traded_in(&mut self, trade: TradeId, size: Size) {
        self.held = true;
        let known = self.fills.entry(trade).or_default();
        *known = (*known).max(size);
    }

    /// Where the order stands.
    #[must_use]
    pub fn state(&self) -> OrderState {
        let matched = self.matched();
        if matched >= self.size || self.complete {
            return if self.voided.is_empty() { OrderState::Filled } else { OrderState::Voided };
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

    /// Shares that the venue counts as matched and of which no trade is known.
    #[must_use]
    pub fn untraded(&self) -> Size {
        let gap = self.matched() - self.traded();
        if gap.0 <= DUST { Size::ZERO } else { gap }
    }

    /// Whether something was matched, every trade of it is known, and none of them failed.
    #[must_use]
    pub fn is_owned(&self) -> bool {
        !self.traded().is_zero() && self.untraded().is_zero() && self.voided.is_empty()
    }

    /// Whether this trade of it is known.
    #[must_use]
    pub fn knows(&self, trade: &TradeId) -> bool {
        self.fills.contains_key(trade)
    }

    /// Whether the venue has, or had, it.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        self.held
    }

    fn end(&mut self, end: End) {
        self.end = self.end.max(Some(end));
    }

    /// The venue has an order that ended without it, whichever of the two was heard first.
    fn contradicts(&self, fact: &Fact) -> bool {
        let without = matches!(fact, Fact::Refused | Fact::NeverArrived | Fact::Expired | Fact::Denied);
        if without {
            return self.held && !self.state().is_terminal();
        }
        let alive = matches!(
            fact,
            Fact::Accepted
                | Fact::Fill { .. }
                | Fact::Voided { .. }
                | Fact::Seen { sighting: Sighting::Open | Sighting::Matched, .. }
        );
        alive && !self.held && self.end.is_some_and(|end| end < End::Cancelled)
    }
}

#[cfg(test)]
mod tests;
