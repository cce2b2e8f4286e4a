use super::*;
use proptest::prelude::*;
use rust_decimal::{Decimal, dec};

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
        (0..4_i64, any::<bool>()).prop_map(|(trade, failed)| {
            let status = if failed { FillStatus::Failed } else { FillStatus::Matched };
            Fact::of_fill(TradeId::new(format!("t{trade}")), size(trade + 1), status)
        }),
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
            prop_assert!(applied.lawful);
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
    let mut refused = fold(&[Fact::Signed, Fact::Sending, Fact::Accepted]);
    assert!(refused.apply(Fact::Refused).contradiction, "either way round");
    assert_eq!(refused.state(), OrderState::Rejected);
    let mut killed = fold(&[Fact::Signed, Fact::Sending, Fact::Refused]);
    assert!(!killed.apply(Fact::Seen { sighting: Sighting::Ended, matched: None }).contradiction);
    assert_eq!(killed.state(), OrderState::Cancelled);
}

/// Every fact, with sizes on both sides of what matters.
fn alphabet() -> Vec<Fact> {
    let mut facts = vec![
        Fact::Signed,
        Fact::Sending,
        Fact::Accepted,
        Fact::Refused,
        Fact::OutcomeUnknown,
        Fact::CancelRequested,
        Fact::Expired,
        Fact::Denied,
        Fact::NeverArrived,
    ];
    for sighting in [Sighting::Open, Sighting::Matched, Sighting::Ended] {
        let matched = [None, Some(0), Some(4), Some(SIZE)];
        facts.extend(matched.map(|matched| Fact::Seen { sighting, matched: matched.map(size) }));
    }
    for (trade, shares) in [("t1", 4), ("t2", SIZE - 4), ("t3", SIZE)] {
        for status in [FillStatus::Matched, FillStatus::Failed] {
            facts.push(Fact::of_fill(trade.into(), size(shares), status));
        }
    }
    facts
}

#[test]
fn the_table_says_exactly_what_the_code_can_do() {
    let facts = alphabet();
    let mut known = BTreeSet::from([Standing::new(size(SIZE))]);
    let mut todo: Vec<Standing> = known.iter().cloned().collect();
    let mut seen: BTreeMap<OrderState, BTreeMap<News, BTreeSet<OrderState>>> = BTreeMap::new();
    while let Some(standing) = todo.pop() {
        for fact in &facts {
            let mut next = standing.clone();
            next.apply(fact.clone());
            let row = seen.entry(standing.state()).or_default().entry(fact.news()).or_default();
            row.insert(next.state());
            if known.insert(next.clone()) {
                todo.push(next);
            }
        }
    }
    let mut table: BTreeMap<OrderState, BTreeMap<News, BTreeSet<OrderState>>> = BTreeMap::new();
    for (state, news, next) in
        TRANSITIONS.iter().flat_map(|(state, rows)| rows.iter().map(move |(n, to)| (state, n, to)))
    {
        for news in *news {
            let row = table.entry(*state).or_default().entry(*news).or_default();
            assert!(row.is_empty(), "{state} on {news:?} is there twice");
            row.extend(next.iter().copied());
        }
    }
    assert!(known.len() > 5_000, "only {} standings", known.len());
    assert_eq!(seen, table);
}

#[test]
fn a_filled_order_of_which_a_trade_fails_is_voided_and_stays_so() {
    let fill = |trade: &str, shares, status| Fact::of_fill(trade.into(), size(shares), status);
    let mut standing = fold(&[Fact::Signed, Fact::Sending, Fact::Accepted]);
    standing.apply(fill("t1", 4, FillStatus::Confirmed));
    standing.apply(fill("t2", 6, FillStatus::Retrying));
    assert_eq!(standing.state(), OrderState::Filled);
    standing.apply(fill("t2", 6, FillStatus::Failed));
    assert_eq!((standing.state(), standing.matched()), (OrderState::Voided, size(SIZE)));
    for fact in alphabet() {
        standing.apply(fact);
        assert_eq!(standing.state(), OrderState::Voided);
    }
}
