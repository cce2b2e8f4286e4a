//! What was reported: the newest on the last line, all of it under the `messages` action.

use std::collections::VecDeque;
use std::time::Duration;

use crate::domain::Timestamp;
use crate::ui::format;
use crate::ui::theme::Role;

/// Reports kept.
const KEPT: usize = 200;
/// How long a report that needs no attention stays on the last line.
const SHOWN_FOR: Duration = Duration::from_secs(4);

/// How much a report matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Goes away by itself.
    Info,
    /// Stays until it is dismissed.
    Warn,
    /// Stays until it is dismissed, and is bad.
    Bad,
}

/// One report.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    /// When it last came.
    pub(crate) at: Timestamp,
    /// How much it matters.
    pub(crate) level: Level,
    /// What it says.
    pub(crate) text: String,
    /// How often it came in a row.
    pub(crate) times: u64,
}

impl Notice {
    /// How it looks.
    pub(crate) const fn role(&self) -> Role {
        match self.level {
            Level::Info => Role::Text,
            Level::Warn => Role::Warn,
            Level::Bad => Role::Bad,
        }
    }
}

/// All reports, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notices {
    kept: VecDeque<Notice>,
    shown: bool,
    /// What a key came to: over the last report for a while, or the reader would see nothing happen.
    reply: Option<Notice>,
}

impl Notices {
    /// Reports something that goes away by itself.
    pub(crate) fn info(&mut self, text: &str, now: Timestamp) {
        self.post(Level::Info, text, now);
    }

    /// Reports something to keep an eye on; it stays until it is dismissed.
    pub(crate) fn warn(&mut self, text: &str, now: Timestamp) {
        self.post(Level::Warn, text, now);
    }

    /// Reports something bad; it stays until it is dismissed.
    pub(crate) fn bad(&mut self, text: &str, now: Timestamp) {
        self.post(Level::Bad, text, now);
    }

    /// Tells what a key came to, whatever is reported now.
    pub(crate) fn reply(&mut self, text: &str, now: Timestamp) {
        self.post(Level::Info, text, now);
        self.reply = Some(Notice { at: now, level: Level::Info, text: format::clean(text), times: 1 });
    }

    fn post(&mut self, level: Level, text: &str, now: Timestamp) {
        if level == Level::Bad {
            self.reply = None;
        }
        let text = format::clean(text);
        if let Some(last) = self.kept.back_mut().filter(|last| last.text == text && last.level == level) {
            last.times = last.times.saturating_add(1);
            last.at = now;
            self.shown = true;
            return;
        }
        let hides_worse = self.reported().is_some_and(|shown| shown.level > level);
        let notice = Notice { at: now, level, text, times: 1 };
        if hides_worse {
            let place = self.kept.len().saturating_sub(1);
            self.kept.insert(place, notice);
        } else {
            self.kept.push_back(notice);
            self.shown = true;
        }
        if self.kept.len() > KEPT {
            self.kept.pop_front();
        }
    }

    /// What belongs on the last line now.
    pub(crate) fn shown(&self) -> Option<&Notice> {
        self.reply.as_ref().or_else(|| self.reported())
    }

    fn reported(&self) -> Option<&Notice> {
        self.kept.back().filter(|_| self.shown)
    }

    /// Takes the report off the last line; false when there was none.
    pub(crate) fn dismiss(&mut self) -> bool {
        let replied = self.reply.take().is_some();
        std::mem::take(&mut self.shown) || replied
    }

    /// Lets a report that needs no attention go when its time is over.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        let over = |notice: &Notice| notice.level == Level::Info && now.since(notice.at) >= SHOWN_FOR;
        self.reply = self.reply.take().filter(|reply| !over(reply));
        if self.reported().is_some_and(over) {
            self.shown = false;
        }
    }

    /// All reports, newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &Notice> {
        self.kept.iter().rev()
    }

    /// How many are kept.
    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn an_error_stays_until_dismissed_and_is_not_hidden_by_lesser_news() {
        let mut notices = Notices::default();
        notices.bad("kill not delivered", at(0));
        notices.info("attached", at(1));
        notices.warn("half of a limit is used", at(1));
        notices.expire(at(100));
        assert_eq!(notices.shown().map(|notice| notice.text.as_str()), Some("kill not delivered"));
        assert!(notices.dismiss());
        assert!(notices.shown().is_none() && !notices.dismiss());
        assert_eq!(notices.len(), 3, "all are kept for the list");
        notices.warn("half of a limit is used", at(2));
        notices.expire(at(100));
        assert!(notices.dismiss(), "a warning stays as well");
    }

    #[test]
    fn what_a_key_came_to_is_seen_over_an_error_and_gives_way_to_it() {
        let mut notices = Notices::default();
        let shown = |notices: &Notices| notices.shown().map(|notice| notice.text.clone());
        notices.bad("kill not delivered", at(0));
        notices.reply("ask again to leave", at(1));
        assert_eq!(shown(&notices).as_deref(), Some("ask again to leave"));
        notices.expire(at(5));
        assert_eq!(shown(&notices).as_deref(), Some("kill not delivered"));
        notices.reply("ask again to leave", at(6));
        notices.bad("hermes is gone", at(6));
        assert_eq!(shown(&notices).as_deref(), Some("hermes is gone"), "a new error goes first");
    }

    #[test]
    fn the_same_report_again_is_counted_and_the_list_is_bounded() {
        let mut notices = Notices::default();
        for second in 0..9 {
            notices.info("same", at(second));
        }
        assert_eq!(notices.shown().map(|notice| notice.times), Some(9));
        notices.expire(at(12));
        assert!(notices.shown().is_none());
        for index in 0..1_000 {
            notices.info(&index.to_string(), at(20));
        }
        assert_eq!(notices.len(), KEPT);
    }
}
