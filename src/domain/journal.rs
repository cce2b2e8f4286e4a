use std::fmt;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MarketId, OrderId, StrategyId, Timestamp, TokenId, TradeId};

/// What a posting moves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Asset {
    /// pUSD.
    Usd,
    /// Shares of an outcome.
    Token(TokenId),
}

/// Whose side of a posting it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    /// pUSD of the desk.
    Cash,
    /// Shares held for a strategy; for nobody's when they came from an order that is not ours by intent.
    Position(Option<StrategyId>),
    /// Fees paid.
    Fees,
    /// Everybody else: the other side of every trade.
    Venue,
}

/// One line of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Posting {
    /// Where.
    pub account: Account,
    /// Of what.
    pub asset: Asset,
    /// How much; what leaves the account is negative.
    #[serde(with = "rust_decimal::serde::str")]
    #[schemars(with = "String")]
    pub amount: Decimal,
}

/// Why a journal was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JournalKind {
    /// A fill was seen.
    Fill,
    /// The fee of a fill became known, or was corrected, after it was booked.
    Fee,
    /// A fill failed to settle: the exact negative of everything that was booked for it.
    Reversal,
    /// The venue's figure differs from ours and is taken over.
    Correction,
    /// What the account had before the books began.
    Opening,
    /// Shares of a resolved market were paid out.
    Redemption,
}

impl fmt::Display for JournalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fill => "fill",
            Self::Fee => "fee",
            Self::Reversal => "reversal",
            Self::Correction => "correction",
            Self::Opening => "opening",
            Self::Redemption => "redemption",
        })
    }
}

/// A double entry: appended once, never changed. What it gets wrong, a later one puts right.
///
/// Invariant: the postings sum to zero for each asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Journal {
    /// Its name, a function of what it books: writing the same again changes nothing.
    pub id: String,
    /// Why.
    pub kind: JournalKind,
    /// When what it books happened: a fill's match.
    pub at: Timestamp,
    /// The market.
    pub market: MarketId,
    /// The venue's trade; absent for what is booked without one.
    pub trade: Option<TradeId>,
    /// Our order in it; absent for what is booked without one.
    pub order: Option<OrderId>,
    /// The journal that this one undoes.
    pub reverses: Option<String>,
    /// What is booked.
    pub postings: Vec<Posting>,
    /// A word for the reader.
    pub note: Option<String>,
}

impl Journal {
    /// The token that it moves; nothing when it moves pUSD alone.
    #[must_use]
    pub fn token(&self) -> Option<&TokenId> {
        self.postings.iter().find_map(|posting| match &posting.asset {
            Asset::Token(token) => Some(token),
            Asset::Usd => None,
        })
    }

    /// The first asset whose postings do not sum to zero, and what they sum to; nothing when the journal is balanced.
    #[must_use]
    pub fn imbalance(&self) -> Option<(Asset, Decimal)> {
        let mut sums = std::collections::BTreeMap::<&Asset, Decimal>::new();
        for posting in &self.postings {
            *sums.entry(&posting.asset).or_default() += posting.amount;
        }
        sums.into_iter().find(|(_, sum)| !sum.is_zero()).map(|(asset, sum)| (asset.clone(), sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_decimal::dec;

    fn journal(amounts: [Decimal; 2]) -> Journal {
        let [ours, theirs] = amounts;
        let posting = |account, amount| Posting { account, asset: Asset::Usd, amount };
        Journal {
            id: "trade/order/fill".into(),
            kind: JournalKind::Fill,
            at: Timestamp::from_micros(1),
            market: "0x1".into(),
            trade: None,
            order: None,
            reverses: None,
            postings: vec![posting(Account::Cash, ours), posting(Account::Venue, theirs)],
            note: None,
        }
    }

    #[test]
    fn a_journal_out_of_balance_names_the_asset_and_the_difference() {
        assert_eq!(journal([dec!(-4.2), dec!(4.2)]).imbalance(), None);
        assert_eq!(journal([dec!(-4.2), dec!(4.1)]).imbalance(), Some((Asset::Usd, dec!(-0.1))));
    }
}
