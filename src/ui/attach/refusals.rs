//! What the bus refuses and will refuse again: said on screen, once for each.

use tokio::sync::mpsc;

use crate::bus::BusError;
use crate::ui::msg::Feed;

/// The loop has ended: nobody wants news any more.
#[derive(Debug)]
pub(super) struct Ended;

/// The refusals of one thing that is asked for again and again.
#[derive(Debug)]
pub(super) struct Refusals {
    what: String,
    news: mpsc::Sender<Feed>,
    told: Option<BusError>,
}

impl Refusals {
    /// Of `what`, told as news.
    pub(super) const fn of(what: String, news: mpsc::Sender<Feed>) -> Self {
        Self { what, news, told: None }
    }

    /// It was answered: the next refusal is news again.
    pub(super) fn answered(&mut self) {
        self.told = None;
    }

    /// It failed. What may pass is for the log, and the link tells of it; anything else is said, unless it was.
    ///
    /// # Errors
    /// When nobody wants it any more.
    pub(super) async fn failed(&mut self, error: BusError) -> Result<(), Ended> {
        tracing::debug!(%error, what = self.what, "not read");
        if error.is_transient() || self.told.as_ref() == Some(&error) {
            return Ok(());
        }
        let text = format!("{} cannot be read: {error}", self.what);
        self.told = Some(error);
        self.news.send(Feed::Trouble(text)).await.map_err(|_| Ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_refusal_is_said_once_and_what_may_pass_is_not() {
        let (news, mut said) = mpsc::channel(8);
        let mut refusals = Refusals::of("control.acks".to_owned(), news);
        let refused = || BusError::Refused("NOPERM no permissions".to_owned());
        for error in [BusError::Unreachable("gone".to_owned()), refused(), refused()] {
            refusals.failed(error).await.expect("somebody listens");
        }
        refusals.answered();
        refusals.failed(refused()).await.expect("somebody listens");
        drop(refusals);
        let mut texts = Vec::new();
        while let Some(Feed::Trouble(text)) = said.recv().await {
            texts.push(text);
        }
        assert_eq!(texts, ["control.acks cannot be read: bus refused: NOPERM no permissions"; 2]);
    }
}
