use std::sync::Arc;

use proptest::prelude::*;
use rust_decimal::dec;

use super::*;
use crate::domain::Posting;

fn posting(account: Account, asset: Asset, amount: Decimal) -> Posting {
    Posting { account, asset, amount }
}

fn journal(kind: JournalKind, trade: u32, what: &str, at: i64, postings: Vec<Posting>) -> Journal {
    Journal {
        id: format!("t{trade}/o/{what}"),
        kind,
        at: Timestamp::from_secs(at),
        market: "0xm".into(),
        trade: Some(TradeId::new(format!("t{trade}"))),
        order: Some("o".into()),
        reverses: None,
        postings,
        note: None,
    }
}

/// `shares` of token 1 for `owner`, at `price` each; negative when sold.
fn fill(trade: u32, owner: &str, shares: Decimal, price: Decimal, at: i64) -> Journal {
    let (token, paid) = (|| Asset::Token("1".into()), shares * price);
    let postings = vec![
        posting(Account::Position(Some(owner.into())), token(), shares),
        posting(Account::Venue, token(), -shares),
        posting(Account::Cash, Asset::Usd, -paid),
        posting(Account::Venue, Asset::Usd, paid),
    ];
    journal(JournalKind::Fill, trade, "fill", at, postings)
}

fn fee(trade: u32, fee: Decimal, at: i64) -> Journal {
    let postings = vec![posting(Account::Cash, Asset::Usd, -fee), posting(Account::Fees, Asset::Usd, fee)];
    journal(JournalKind::Fee, trade, "fee", at, postings)
}

fn reversal(of: &Journal, trade: u32) -> Journal {
    let back = of.postings.iter().map(|posting| Posting { amount: -posting.amount, ..posting.clone() }).collect();
    Journal { at: of.at, reverses: Some(of.id.clone()), ..journal(JournalKind::Reversal, trade, "reversal", 1, back) }
}

#[test]
fn each_strategy_has_its_part_at_its_own_average_and_the_shares_add_up() {
    let journals = [
        fill(1, "momentum", dec!(10), dec!(0.40), 1),
        fill(2, "weather", dec!(10), dec!(0.60), 2),
        fill(3, "weather", dec!(-5), dec!(0.70), 3),
        fee(2, dec!(0.10), 2),
    ];
    let held = fold(&journals);
    let whole = held.tokens[&TokenId::from("1")];
    assert_eq!((whole.shares, whole.average(), whole.realised), (Size(dec!(15)), Price(dec!(0.5)), Usd(dec!(1.00))));
    let part = |strategy: &str| held.parts[&("1".into(), Some(strategy.into()))];
    let (momentum, weather) = (part("momentum"), part("weather"));
    assert_eq!((momentum.shares, momentum.average(), momentum.realised), (Size(dec!(10)), Price(dec!(0.4)), Usd::ZERO));
    assert_eq!(
        (weather.shares, weather.average(), weather.realised),
        (Size(dec!(5)), Price(dec!(0.6)), Usd(dec!(0.50)))
    );
    assert_eq!((whole.fees, momentum.fees, weather.fees), (Usd(dec!(0.10)), Usd::ZERO, Usd(dec!(0.10))));
    assert_eq!(held.cash, Usd(dec!(-6.60)));
}

#[test]
fn the_fees_of_what_is_held_go_with_its_shares_and_those_of_sales_are_not_carried() {
    let with_fee = |booked: Journal, fee: Decimal| {
        let paid = [posting(Account::Cash, Asset::Usd, -fee), posting(Account::Fees, Asset::Usd, fee)];
        Journal { postings: booked.postings.into_iter().chain(paid).collect(), ..booked }
    };
    let mut journals = vec![with_fee(fill(1, "s", dec!(10), dec!(0.40), 1), dec!(0.20))];
    let mut carried = |journal: Journal| {
        journals.push(journal);
        let whole = fold(&journals).tokens[&TokenId::from("1")];
        assert_eq!(whole.carried, fold(&journals).parts[&("1".into(), Some("s".into()))].carried);
        (whole.fees.0, whole.carried.0)
    };
    assert_eq!(carried(fill(2, "s", dec!(10), dec!(0.40), 2)), (dec!(0.20), dec!(0.20)));
    assert_eq!(carried(fee(2, dec!(0.10), 2)), (dec!(0.30), dec!(0.30)), "known later");
    let sale = with_fee(fill(3, "s", dec!(-5), dec!(0.60), 3), dec!(0.08));
    assert_eq!(carried(sale), (dec!(0.38), dec!(0.225)), "a quarter of them is sold");
    assert_eq!(carried(fee(3, dec!(0.04), 3)), (dec!(0.42), dec!(0.225)), "of a sale, known later");
    assert_eq!(carried(fill(4, "s", dec!(-15), dec!(0.60), 4)), (dec!(0.42), dec!(0)));
}

#[test]
fn a_position_may_pass_through_zero() {
    let held = fold(&[fill(1, "s", dec!(10), dec!(0.40), 1), fill(2, "s", dec!(-15), dec!(0.60), 2)]);
    let whole = held.tokens[&TokenId::from("1")];
    assert_eq!((whole.shares, whole.cost, whole.realised), (Size(dec!(-5)), Usd(dec!(-3.00)), Usd(dec!(2.00))));
}

#[test]
fn a_correction_of_cash_is_no_profit_and_shares_that_vanish_bring_nothing() {
    let deposit = Journal {
        trade: None,
        order: None,
        ..journal(
            JournalKind::Correction,
            0,
            "deposit",
            0,
            vec![posting(Account::Cash, Asset::Usd, dec!(100)), posting(Account::Venue, Asset::Usd, dec!(-100))],
        )
    };
    let token = || Asset::Token("1".into());
    let gone = Journal {
        trade: None,
        order: None,
        ..journal(
            JournalKind::Correction,
            9,
            "gone",
            9,
            vec![posting(Account::Position(None), token(), dec!(-10)), posting(Account::Venue, token(), dec!(10))],
        )
    };
    let held = fold(&[deposit, fill(1, "s", dec!(10), dec!(0.40), 1), gone]);
    let whole = held.tokens[&TokenId::from("1")];
    assert_eq!((held.cash, whole.shares, whole.realised), (Usd(dec!(96.00)), Size::ZERO, Usd(dec!(-4.00))));
}

/// Fills of two strategies, some with a fee that came later, some undone.
fn histories() -> impl Strategy<Value = (Vec<Journal>, Vec<Journal>)> {
    let one = (any::<bool>(), -20..20_i64, 1..99_i64, 0..4_i64, any::<bool>(), any::<bool>());
    prop::collection::vec(one, 0..12).prop_flat_map(|drawn| {
        let mut journals = Vec::new();
        for (number, (momentum, shares, cents, at, late_fee, undone)) in (0_u32..).zip(drawn) {
            let owner = if momentum { "momentum" } else { "weather" };
            let booked = fill(number, owner, Decimal::from(shares), Decimal::new(cents, 2), at);
            if late_fee && !undone {
                journals.push(fee(number, dec!(0.01), at));
            }
            if undone {
                journals.push(reversal(&booked, number));
            }
            journals.push(booked);
        }
        let twice: Vec<Journal> = journals.iter().chain(&journals).cloned().collect();
        (Just(journals), Just(twice).prop_shuffle())
    })
}

proptest! {
    #[test]
    fn the_fold_is_a_function_of_the_set((journals, shuffled) in histories()) {
        prop_assert_eq!(fold(&journals), fold(&shuffled));
    }

    #[test]
    fn what_is_undone_leaves_no_trace((journals, _) in histories()) {
        let undone: HashSet<Leg<'_>> =
            journals.iter().filter(|journal| journal.kind == JournalKind::Reversal).filter_map(leg).collect();
        let without = journals.iter().filter(|journal| leg(journal).is_none_or(|leg| !undone.contains(&leg)));
        prop_assert_eq!(fold(&journals), fold(without));
    }

    #[test]
    fn one_after_the_other_gives_what_folding_gives((journals, shuffled) in histories()) {
        for order in [journals, shuffled] {
            let (mut running, mut known) = (Running::default(), Vec::new());
            for journal in order {
                running.push(&Arc::new(journal.clone()));
                known.push(journal);
                prop_assert_eq!(running.held(), &fold(&known));
            }
        }
    }

    #[test]
    fn what_was_folded_up_counts_as_before((journals, _) in histories(), cuts in prop::collection::vec(0..5_i64, 0..4)) {
        let (mut running, mut known) = (Running::default(), Vec::new());
        let mut sorted = journals;
        sorted.sort_by_key(|journal| journal.at);
        let mut cut = 0;
        for (number, journal) in sorted.into_iter().enumerate() {
            if journal.at < Timestamp::from_secs(cut) {
                continue;
            }
            running.push(&Arc::new(journal.clone()));
            known.push(journal);
            if let Some(next) = cuts.get(number) {
                cut = cut.max(*next);
                running.fold_up(Timestamp::from_secs(cut));
            }
            prop_assert_eq!(running.held(), &fold(&known));
        }
    }
}
