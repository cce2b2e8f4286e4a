use proptest::prelude::*;
use rust_decimal::{Decimal, dec};

use super::*;
use crate::domain::{Posting, Timestamp, fold};

const DAY: i64 = 86_400;

fn posting(account: Account, asset: Asset, amount: Decimal) -> Posting {
    Posting { account, asset, amount }
}

fn journal(kind: JournalKind, trade: u32, token: &str, at: i64, postings: Vec<Posting>) -> Journal {
    Journal {
        id: format!("t{trade}/o/{kind}"),
        kind,
        at: Timestamp::from_secs(at),
        market: format!("0x{token}").into(),
        trade: Some(TradeId::new(format!("t{trade}"))),
        order: Some("o".into()),
        reverses: None,
        postings,
        note: None,
    }
}

/// `shares` of a token for `owner`, at `price` each, with a fee; negative when sold.
fn fill(trade: u32, (owner, token): (&str, &str), shares: Decimal, price: Decimal, fee: Decimal, at: i64) -> Journal {
    let (asset, paid) = (|| Asset::Token(token.into()), shares * price);
    let postings = vec![
        posting(Account::Position(Some(owner.into())), asset(), shares),
        posting(Account::Venue, asset(), -shares),
        posting(Account::Cash, Asset::Usd, -paid - fee),
        posting(Account::Venue, Asset::Usd, paid),
        posting(Account::Fees, Asset::Usd, fee),
    ];
    journal(JournalKind::Fill, trade, token, at, postings)
}

fn late_fee(of: &Journal, trade: u32, fee: Decimal) -> Journal {
    let postings = vec![posting(Account::Cash, Asset::Usd, -fee), posting(Account::Fees, Asset::Usd, fee)];
    Journal { market: of.market.clone(), at: of.at, ..journal(JournalKind::Fee, trade, "1", 0, postings) }
}

fn reversal(of: &Journal, trade: u32) -> Journal {
    let back = of.postings.iter().map(|posting| Posting { amount: -posting.amount, ..posting.clone() }).collect();
    Journal { market: of.market.clone(), at: of.at, ..journal(JournalKind::Reversal, trade, "1", 0, back) }
}

fn earned(realised: Decimal, fees: Decimal) -> Earned {
    Earned { realised: Usd(realised), fees: Usd(fees) }
}

#[test]
fn profit_falls_on_the_day_of_the_sale_in_its_market_for_its_strategy() {
    let bought = fill(1, ("a", "1"), dec!(10), dec!(0.4), dec!(0.1), 10);
    let sold = fill(2, ("a", "1"), dec!(-10), dec!(0.7), dec!(0), DAY + 10);
    let other = fill(3, ("b", "2"), dec!(5), dec!(0.5), dec!(0), DAY + 20);
    let found = earnings(&[late_fee(&sold, 2, dec!(0.2)), sold, other, bought]);
    assert_eq!(found.total, earned(dec!(3.0), dec!(0.3)));
    assert_eq!(found.days, BTreeMap::from([(0, earned(dec!(0), dec!(0.1))), (1, earned(dec!(3.0), dec!(0.2)))]));
    assert_eq!(found.markets[&"0x1".into()], earned(dec!(3.0), dec!(0.3)));
    assert_eq!(found.strategies[&Some("a".into())], earned(dec!(3.0), dec!(0.3)));
    assert_eq!(found.strategies[&Some("b".into())], earned(dec!(0), dec!(0)));
}

#[test]
fn a_reversed_fill_earns_nothing_at_all() {
    let bought = fill(1, ("a", "1"), dec!(10), dec!(0.4), dec!(0.1), 10);
    let sold = fill(2, ("a", "1"), dec!(-10), dec!(0.7), dec!(0.3), 20);
    let mut journals = vec![bought.clone(), sold.clone(), reversal(&sold, 2)];
    assert_eq!(earnings(&journals).total, earned(dec!(0), dec!(0.1)));
    journals.push(reversal(&bought, 1));
    assert_eq!(earnings(&journals), Earnings::default());
}

prop_compose! {
    fn fills()(drafts in prop::collection::vec((0..2_usize, 0..2_usize, -20..20_i64, 1..99_i64, 0..5_i64, 0..4_i64, any::<bool>()), 0..30))
        -> Vec<Journal> {
        let mut journals = Vec::new();
        for (n, (owner, token, shares, cents, fee, day, reversed)) in (0_u32..).zip(drafts) {
            let whose = (["a", "b"][owner], ["1", "2"][token]);
            let at = day * DAY + i64::from(n);
            let filled = fill(n, whose, shares.into(), Decimal::new(cents, 2), Decimal::new(fee, 2), at);
            if reversed {
                journals.push(reversal(&filled, n));
            }
            journals.push(filled);
        }
        journals
    }
}

proptest! {
    #[test]
    fn every_view_adds_up_to_the_fold_in_whatever_order(journals in fills(), turn in 0..30_usize) {
        let mut turned = journals.clone();
        turned.rotate_left(turn.min(journals.len()));
        let found = earnings(&turned);
        prop_assert_eq!(&found, &earnings(&journals));
        let held = fold(&journals);
        // A division has 28 digits, so that sums of shares of it may differ in the last ones.
        let whole = |realised: Usd, fees: Usd| (realised.0.round_dp(20), fees.0.round_dp(20));
        let of = |views: Vec<Earned>| {
            whole(views.iter().map(|view| view.realised).sum(), views.iter().map(|view| view.fees).sum())
        };
        let of_held = |holdings: Vec<&Holding>| {
            whole(holdings.iter().map(|held| held.realised).sum(), holdings.iter().map(|held| held.fees).sum())
        };
        let total = of_held(held.tokens.values().collect());
        prop_assert_eq!(of(vec![found.total]), total);
        prop_assert_eq!(of(found.days.values().copied().collect()), total);
        prop_assert_eq!(of(found.markets.values().copied().collect()), total);
        prop_assert_eq!(of(found.strategies.values().copied().collect()), of_held(held.parts.values().collect()));
    }
}
