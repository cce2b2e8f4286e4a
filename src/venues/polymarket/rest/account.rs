use super::super::parse;
use super::Rest;
use crate::domain::Timestamp;
use crate::exec::venue::{VenueError, VenueFill};

impl Rest {
    /// Our fills matched at or after `since`, which the venue counts in whole seconds; every token and market.
    pub(in super::super) async fn fills(&self, since: Timestamp) -> Result<Vec<VenueFill>, VenueError> {
        let account = self.account(&*self.signer()?);
        // The venue's bound excludes its own second.
        let after = since.secs().saturating_sub(1).max(0).to_string();
        let mut fills = self
            .pages("/data/trades", &[("after", &after)], |row| {
                parse::fills(row, &account).map_err(|error| VenueError::Unreadable(error.to_string()))
            })
            .await?;
        fills.retain(|fill| fill.matched_at.secs() >= since.secs());
        Ok(fills)
    }
}
