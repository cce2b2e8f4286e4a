use super::super::parse;
use super::Rest;
use crate::domain::{Timestamp, TradeId};
use crate::exec::venue::{VenueError, VenueFill};

impl Rest {
    /// Our fills matched at or after `since`, which the venue counts in whole seconds; every token and market.
    pub(in super::super) async fn fills(&self, since: Timestamp) -> Result<Vec<VenueFill>, VenueError> {
        // The venue's bound excludes its own second.
        let after = since.secs().saturating_sub(1).max(0).to_string();
        let mut fills = self.trades(("after", &after)).await?;
        fills.retain(|fill| fill.matched_at.secs() >= since.secs());
        Ok(fills)
    }

    /// Our parts in one trade.
    pub(in super::super) async fn trade(&self, trade: &TradeId) -> Result<Vec<VenueFill>, VenueError> {
        let mut fills = self.trades(("id", trade.as_str())).await?;
        fills.retain(|fill| fill.trade == *trade);
        Ok(fills)
    }

    async fn trades(&self, filter: (&str, &str)) -> Result<Vec<VenueFill>, VenueError> {
        let account = self.account(&*self.signer()?);
        let ours = |row: &str| parse::fills(row, &account).map_err(|error| VenueError::Unreadable(error.to_string()));
        self.pages("/data/trades", &[filter], ours).await
    }
}
