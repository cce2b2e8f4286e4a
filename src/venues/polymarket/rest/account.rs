use super::super::parse;
use super::Rest;
use crate::domain::{Timestamp, TradeId};
use crate::exec::venue::{TradeList, UnreadableRow, VenueError, VenueFill};

impl Rest {
    /// Our fills matched at or after `since`, which the venue counts in whole seconds; every token and market.
    pub(in super::super) async fn fills(&self, since: Timestamp) -> Result<TradeList, VenueError> {
        // The venue's bound excludes its own second.
        let after = since.secs().saturating_sub(1).max(0).to_string();
        let mut list = self.trades(("after", &after)).await?;
        list.fills.retain(|fill| fill.matched_at.secs() >= since.secs());
        Ok(list)
    }

    /// Our parts in one trade.
    pub(in super::super) async fn trade(&self, trade: &TradeId) -> Result<Vec<VenueFill>, VenueError> {
        let TradeList { mut fills, unreadable } = self.trades(("id", trade.as_str())).await?;
        if let Some(hole) = unreadable.into_iter().find(|hole| hole.id.as_ref().is_none_or(|id| id == trade)) {
            return Err(VenueError::Unreadable(hole.reason));
        }
        fills.retain(|fill| fill.trade == *trade);
        Ok(fills)
    }

    async fn trades(&self, filter: (&str, &str)) -> Result<TradeList, VenueError> {
        let account = self.account(&*self.signer()?);
        let rows = |row: &str| match parse::fills(row, &account) {
            Ok(fills) => fills.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(UnreadableRow {
                id: parse::id(row).map(TradeId::new),
                reason: error.to_string(),
                text: row.to_ascii_lowercase(),
            })],
        };
        let (fills, unreadable) = self.pages("/data/trades", &[filter], rows).await?;
        Ok(TradeList { fills, unreadable })
    }
}
