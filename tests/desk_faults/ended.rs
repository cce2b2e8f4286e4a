//! What a desk that has ended leaves behind, held against what it should.

use cockpit::domain::{
    Control, DeadLetter, DeadLetterReason, HermesState, Journal, JournalKind, OrderState, TradeEvent, fold,
};
use cockpit::store::books::Story;
use serde_json::Value;

use crate::books::Verdict;
use crate::desk::decimal;
use crate::intents::Intents;

pub(crate) struct Ended {
    pub(crate) intents: Intents,
    pub(crate) verdict: Verdict,
    pub(crate) pending: u64,
    pub(crate) state: HermesState,
    pub(crate) truth: Value,
    pub(crate) account: String,
    pub(crate) journals: Vec<Journal>,
    pub(crate) stories: Vec<Story>,
    pub(crate) letters: Vec<DeadLetter>,
    pub(crate) events: Vec<TradeEvent>,
}

/// What does not end as an order that the venue took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Apart<'a> {
    /// Dead letters: whose, why, and after how many posts.
    pub(crate) buried: &'a [(&'a str, DeadLetterReason, u32)],
    /// Whom a gate refused, and which control.
    pub(crate) denied: &'a [(&'a str, Control)],
    /// A part of the words of each disagreement that was told.
    pub(crate) mismatches: &'a [&'a str],
}

impl Ended {
    /// Every intent led to exactly one thing, the right one; orders, fills, positions and money are the venue's.
    pub(crate) fn check(&self, apart: Apart<'_>) {
        self.check_orders(apart.buried.len(), apart.denied.len());
        self.check_letters(apart.buried);
        self.check_denials(apart.denied);
        self.check_mismatches(apart.mismatches);
        self.check_money();
    }

    /// Every intent led to exactly one thing, so many to a dead letter or a denial; and orders, fills and positions are the venue's.
    pub(crate) fn check_orders(&self, buried: usize, denied: usize) {
        let verdict = &self.verdict;
        assert!(verdict.wrong.is_empty(), "{} differ: {:#?}", verdict.wrong.len(), verdict.wrong);
        let expected = (self.intents.all.len() - buried - denied, 0, 0);
        assert_eq!((verdict.accepted, verdict.duplicates, verdict.lost), expected, "{verdict:?}");
        assert_eq!(self.pending, 0, "every entry is acknowledged");
    }

    fn check_letters(&self, buried: &[(&str, DeadLetterReason, u32)]) {
        let told = |letter: &DeadLetter| {
            (letter.intent.as_ref().map(ToString::to_string).unwrap_or_default(), letter.reason, letter.posts)
        };
        let mut found: Vec<_> = self.letters.iter().map(told).collect();
        let mut expected: Vec<_> =
            buried.iter().map(|(name, reason, posts)| ((*name).to_owned(), *reason, *posts)).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(found, expected, "{:#?}", self.letters);
        assert_eq!(self.state.dlq, buried.len() as u64, "letters that wait");
    }

    fn check_denials(&self, denied: &[(&str, Control)]) {
        let denial = |event: &TradeEvent| match event {
            TradeEvent::Denied { intent, denial, .. } => Some((intent.intent.to_string(), denial.control)),
            _ => None,
        };
        let found: Vec<_> = self.events.iter().filter_map(denial).collect();
        let expected: Vec<_> = denied.iter().map(|(name, control)| ((*name).to_owned(), *control)).collect();
        assert_eq!(found, expected);
    }

    /// These disagreements were told, in this order, and no others.
    pub(crate) fn check_mismatches(&self, expected: &[&str]) {
        let told = |event: &TradeEvent| match event {
            TradeEvent::Mismatch(mismatch) => Some(format!("{}: {}", mismatch.what, mismatch.detail)),
            _ => None,
        };
        let found: Vec<String> = self.events.iter().filter_map(told).collect();
        let is_all = found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| a.contains(b));
        assert!(is_all, "told {found:#?}, expected {expected:#?}");
    }

    /// What the journals add up to is what the venue has, to the last digit, and nothing was ever corrected.
    pub(crate) fn check_money(&self) {
        let unbalanced: Vec<_> = self.journals.iter().filter(|journal| journal.imbalance().is_some()).collect();
        assert!(unbalanced.is_empty(), "{unbalanced:#?}");
        let is_trade = |journal: &&Journal| journal.trade.is_some();
        let others: Vec<_> = self.journals.iter().filter(|journal| !is_trade(journal)).collect();
        let openings = others.iter().filter(|journal| journal.kind == JournalKind::Opening).count();
        assert_eq!((others.len(), openings), (1, 1), "the account's first money alone: {others:#?}");
        self.check_pusd();
    }

    /// The journals add up to the account's pUSD, to the last digit.
    pub(crate) fn check_pusd(&self) {
        let balances = self.truth["balances"].as_object().expect("balances");
        let (_, mine) =
            balances.iter().find(|(owner, _)| owner.eq_ignore_ascii_case(&self.account)).expect("our account");
        assert_eq!(fold(&self.journals).cash.0, decimal(&mine["collateral"]), "pUSD");
    }

    /// Everything that is known of the order of this name.
    pub(crate) fn story(&self, name: &str) -> &Story {
        let named = |story: &&Story| story.row.order.intent.intent.as_str() == name;
        self.stories.iter().find(named).unwrap_or_else(|| panic!("no order of {name}"))
    }

    /// What happened to the order of this name, as codes.
    pub(crate) fn happened(&self, name: &str) -> Vec<&str> {
        self.story(name).events.iter().map(|event| event.what.as_str()).collect()
    }

    /// Asserts that the order of this name was of unknown outcome, for this reason, until evidence made it what it is.
    pub(crate) fn was_unknown(&self, name: &str, words: &str, ends: OrderState) {
        let story = self.story(name);
        let unknown = story.events.iter().find(|event| event.row.order.state == OrderState::Unknown);
        let unknown = unknown.unwrap_or_else(|| panic!("{name} never was unknown: {:?}", self.happened(name)));
        let reason = unknown.row.order.reason.clone().unwrap_or_default();
        assert!(reason.contains(words), "{name}: '{words}' in '{reason}'");
        assert_eq!(story.row.order.state, ends, "{name}: {:?}", self.happened(name));
    }

    /// Asserts that the outcome of the order of this name was never in question.
    pub(crate) fn was_certain(&self, name: &str, ends: OrderState) {
        let story = self.story(name);
        let unknown = story.events.iter().any(|event| event.row.order.state == OrderState::Unknown);
        assert!(!unknown, "{name} was unknown: {:?}", self.happened(name));
        assert_eq!(story.row.order.state, ends, "{name}: {:?}", self.happened(name));
    }
}
