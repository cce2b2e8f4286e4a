//! From fills to journals. Pure.
//!
//! Invariant: a journal is a function of what it books, its id included, so that booking it again changes nothing; and what
//! was booked for a fill that fails is taken back to the last digit.

use rust_decimal::Decimal;

use crate::domain::{
    Account, Asset, Fill, FillStatus, Journal, JournalKind, MarketId, Posting, Price, Side, Size, StrategyId,
    Timestamp, TokenId, Usd,
};

/// What has to be booked when a fill is known as `after`, having been known as `before`.
#[must_use]
pub(super) fn of_fill(before: Option<&Fill>, after: &Fill) -> Option<Journal> {
    match before {
        None if after.status == FillStatus::Failed => None,
        None => Some(filled(after)),
        Some(before) if before.status == FillStatus::Failed => None,
        Some(before) if after.status == FillStatus::Failed => Some(reversal(before)),
        Some(before) if before.fee != after.fee => Some(fee(before, after)),
        Some(_) => None,
    }
}

fn name(fill: &Fill, what: &str) -> String {
    format!("{}/{}/{what}", fill.trade, fill.order)
}

fn posting(account: Account, asset: Asset, amount: Decimal) -> Posting {
    Posting { account, asset, amount }
}

/// The double entry that stands for a fill and the fee that is known of it.
fn postings(fill: &Fill) -> Vec<Posting> {
    let sign = if fill.side == Side::Buy { Decimal::ONE } else { -Decimal::ONE };
    let (shares, paid) = (sign * fill.size.0, sign * fill.price.notional(fill.size).0);
    let token = || Asset::Token(fill.token.clone());
    let mut postings = vec![
        posting(Account::Position(fill.strategy.clone()), token(), shares),
        posting(Account::Venue, token(), -shares),
        posting(Account::Cash, Asset::Usd, -paid),
        posting(Account::Venue, Asset::Usd, paid),
    ];
    if !fill.fee.is_zero() {
        postings.push(posting(Account::Cash, Asset::Usd, -fill.fee.0));
        postings.push(posting(Account::Fees, Asset::Usd, fill.fee.0));
    }
    postings
}

fn journal(fill: &Fill, kind: JournalKind, id: String, postings: Vec<Posting>) -> Journal {
    Journal {
        id,
        kind,
        at: fill.matched_at,
        market: fill.market.clone(),
        trade: Some(fill.trade.clone()),
        order: Some(fill.order.clone()),
        reverses: None,
        postings,
        note: None,
    }
}

fn filled(fill: &Fill) -> Journal {
    journal(fill, JournalKind::Fill, name(fill, "fill"), postings(fill))
}

fn fee(before: &Fill, after: &Fill) -> Journal {
    let more = after.fee.0 - before.fee.0;
    let id = name(after, &format!("fee/{}", after.fee.0.normalize()));
    let postings = vec![posting(Account::Cash, Asset::Usd, -more), posting(Account::Fees, Asset::Usd, more)];
    journal(after, JournalKind::Fee, id, postings)
}

/// Takes back everything that was booked for a fill, its fee as it was known last.
fn reversal(before: &Fill) -> Journal {
    let back = postings(before).into_iter().map(|posting| Posting { amount: -posting.amount, ..posting }).collect();
    Journal {
        reverses: Some(name(before, "fill")),
        note: Some("the trade failed to settle".into()),
        ..journal(before, JournalKind::Reversal, name(before, "reversal"), back)
    }
}

/// Takes over the venue's figure: `more` of an asset than the books have, negative when it is less.
#[must_use]
pub fn correction(asset: Asset, market: MarketId, more: Decimal, note: String, at: Timestamp) -> Journal {
    let (account, what) = match &asset {
        Asset::Usd => (Account::Cash, "usd".to_owned()),
        Asset::Token(token) => (Account::Position(None::<StrategyId>), token.to_string()),
    };
    Journal {
        id: format!("correction/{what}/{}", at.micros()),
        kind: JournalKind::Correction,
        at,
        market,
        trade: None,
        order: None,
        reverses: None,
        postings: vec![posting(account, asset.clone(), more), posting(Account::Venue, asset, -more)],
        note: Some(note),
    }
}

/// What the account had of an asset before the books began, and what that cost: beyond what is booked already, negative when the
/// books have more.
#[must_use]
pub fn opening(asset: Asset, market: MarketId, (more, cost): (Decimal, Usd), at: Timestamp) -> Journal {
    let note = "what the account had before the books began".to_owned();
    let mut journal = Journal { kind: JournalKind::Opening, ..correction(asset, market, more, note, at) };
    journal.id = journal.id.replacen("correction", "opening", 1);
    journal.postings.extend(paid(cost));
    journal
}

/// Shares of a resolved market that were paid out.
pub(super) fn redemption(
    token: &TokenId,
    market: &MarketId,
    strategy: Option<StrategyId>,
    (shares, payout): (Size, Price),
    at: Timestamp,
) -> Journal {
    let owner = strategy.as_ref().map_or("", StrategyId::as_str);
    let note = format!("paid out at {payout} a share");
    let id = format!("redemption/{token}/{owner}/{}", at.micros());
    let asset = || Asset::Token(token.clone());
    let mut journal = Journal { id, ..correction(asset(), market.clone(), -shares.0, note, at) };
    journal.kind = JournalKind::Redemption;
    journal.postings =
        vec![posting(Account::Position(strategy), asset(), -shares.0), posting(Account::Venue, asset(), shares.0)];
    journal.postings.extend(paid(-payout.notional(shares)));
    journal
}

/// pUSD that went to the other side; negative when it came from there.
fn paid(amount: Usd) -> Vec<Posting> {
    if amount.is_zero() {
        return Vec::new();
    }
    vec![posting(Account::Cash, Asset::Usd, -amount.0), posting(Account::Venue, Asset::Usd, amount.0)]
}

/// What a fill moves of the desk's pUSD.
pub(super) fn cash_of(fill: &Fill) -> Usd {
    let value = fill.price.notional(fill.size);
    if fill.side == Side::Buy { -value - fill.fee } else { value - fill.fee }
}
