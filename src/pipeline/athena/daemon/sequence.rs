//! Counts messages that never arrived, by the numbers that their writers give them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bus::Channel;
use crate::domain::{StrategyId, Symbol, Timestamp};
use crate::pipeline::athena::Feed;

/// One writer's counter on one channel.
#[derive(Debug)]
struct Writer {
    channel: Channel,
    source: Box<str>,
    boot: Arc<str>,
    seq: u64,
    at: Timestamp,
}

/// A message's writer, number and time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) channel: Channel,
    pub(super) source: &'a str,
    pub(super) boot: &'a Arc<str>,
    pub(super) seq: u64,
    pub(super) at: Timestamp,
}

/// What a message's number tells of those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Missing {
    /// How many are missing that nobody has reported yet.
    pub(super) untold: u64,
    /// When the last before them was heard; nothing while none is missing. After a restart of the writer nobody knows.
    pub(super) since: Option<Timestamp>,
}

/// How far one writer was heard, as it is kept over restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Heard {
    channel: String,
    source: String,
    boot: String,
    seq: u64,
    at: Timestamp,
}

/// Which states are kept together, and how far the feeds were heard that they come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct UpTo {
    pub(super) states: Vec<(StrategyId, Symbol)>,
    pub(super) feeds: Vec<Heard>,
}

impl UpTo {
    /// Whether it says how far a feed was heard.
    pub(super) fn tells(&self, feed: Feed) -> bool {
        let of = |heard: &Heard| FEEDS.into_iter().find(|channel| channel.name() == heard.channel).and_then(feed_of);
        self.feeds.iter().any(|heard| of(heard) == Some(feed))
    }
}

/// The channels of which strategies want to know what they missed.
const FEEDS: [Channel; 2] = [Channel::Crypto, Channel::Weather];

/// The feed that comes over a channel, if strategies want to know what they missed of it.
pub(super) const fn feed_of(channel: Channel) -> Option<Feed> {
    match channel {
        Channel::Crypto => Some(Feed::Crypto),
        Channel::Weather => Some(Feed::Weather),
        Channel::Polymarket | Channel::Kill => None,
    }
}

/// Most writers followed; beyond that the longest known is forgotten, which can only hide a gap.
const CAPACITY: usize = 16;

/// The last number of every writer. What the bus reported as lost is not counted again when the jump shows.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    writers: Vec<Writer>,
    reported: u64,
}

impl Sequence {
    /// Goes on where an earlier run ended.
    pub(super) fn resume(heard: Vec<Heard>) -> Self {
        let writer = |Heard { channel, source, boot, seq, at }| {
            let channel = FEEDS.into_iter().find(|feed| feed.name() == channel)?;
            Some(Writer { channel, source: source.into(), boot: boot.into(), seq, at })
        };
        Self { writers: heard.into_iter().take(CAPACITY).filter_map(writer).collect(), reported: 0 }
    }

    /// How far the writers of the feeds were heard.
    pub(super) fn feeds(&self) -> Vec<Heard> {
        let writers = self.writers.iter().filter(|writer| FEEDS.contains(&writer.channel));
        let heard = |writer: &Writer| Heard {
            channel: writer.channel.name().to_owned(),
            source: writer.source.to_string(),
            boot: writer.boot.to_string(),
            seq: writer.seq,
            at: writer.at,
        };
        writers.map(heard).collect()
    }

    /// The bus says that this many were lost. Returns how many are new.
    pub(super) fn lagged(&mut self, missed: u64) -> u64 {
        self.reported += missed;
        missed
    }

    /// A message arrived. Returns what is missing before it.
    pub(super) fn heard(&mut self, place: Place<'_>) -> Missing {
        let Place { channel, source, boot, seq, at } = place;
        let known = self.writers.iter_mut().find(|writer| writer.channel == channel && *writer.source == *source);
        let Some(writer) = known else {
            if self.writers.len() == CAPACITY {
                self.writers.remove(0);
            }
            self.writers.push(Writer { channel, source: source.into(), boot: Arc::clone(boot), seq, at });
            return Missing::default();
        };
        let before = writer.at;
        writer.at = before.max(at);
        if writer.boot != *boot {
            (writer.boot, writer.seq) = (Arc::clone(boot), seq);
            return Missing { untold: 0, since: Some(before) };
        }
        let jump = seq.saturating_sub(writer.seq.saturating_add(1));
        writer.seq = writer.seq.max(seq);
        let explained = jump.min(self.reported);
        self.reported -= explained;
        Missing { untold: jump - explained, since: (jump > 0).then_some(before) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(channel: Channel, boot: &Arc<str>, seq: u64) -> Place<'_> {
        let at = Timestamp::from_secs(i64::try_from(seq).expect("small"));
        Place { channel, source: "argos", boot, seq, at }
    }

    #[test]
    fn jumps_are_counted_once_and_leave_a_gap() {
        let (first, second): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let mut sequence = Sequence::default();
        let missing = |untold, since: Option<i64>| Missing { untold, since: since.map(Timestamp::from_secs) };
        let mut heard = |boot: &Arc<str>, seq| sequence.heard(place(Channel::Crypto, boot, seq));
        assert_eq!(heard(&first, 5), missing(0, None));
        assert_eq!(heard(&first, 6), missing(0, None));
        assert_eq!(heard(&first, 9), missing(2, Some(6)));
        assert_eq!(heard(&first, 8), missing(0, None), "late, not lost");
        assert_eq!(heard(&second, 3), missing(0, Some(9)), "how many are missing cannot be known");
        assert_eq!(sequence.lagged(4), 4);
        let jump = sequence.heard(place(Channel::Crypto, &second, 9));
        assert_eq!(jump.untold, 1, "four of the five were reported");
        assert!(jump.since.is_some());
        assert_eq!(sequence.heard(place(Channel::Polymarket, &second, 100)), Missing::default());
    }

    #[test]
    fn a_later_run_knows_what_it_missed() {
        let boot: Arc<str> = "a".into();
        let mut before = Sequence::default();
        before.heard(place(Channel::Crypto, &boot, 7));
        before.heard(place(Channel::Polymarket, &boot, 70));
        before.heard(place(Channel::Weather, &boot, 3));
        let up_to = UpTo { states: Vec::new(), feeds: before.feeds() };
        assert!(up_to.tells(Feed::Crypto) && up_to.tells(Feed::Weather));
        let deaf = UpTo { feeds: up_to.feeds[..1].to_vec(), ..UpTo::default() };
        assert!(deaf.tells(Feed::Crypto) && !deaf.tells(Feed::Weather), "a run that heard no weather covers none");
        let mut after = Sequence::resume(before.feeds());
        assert_eq!(after.heard(place(Channel::Crypto, &boot, 7)), Missing::default(), "heard twice");
        assert_eq!(after.heard(place(Channel::Crypto, &boot, 8)), Missing::default());
        let missing = Missing { untold: 1, since: Some(Timestamp::from_secs(8)) };
        assert_eq!(after.heard(place(Channel::Crypto, &boot, 10)), missing);
        let missing = Missing { untold: 1, since: Some(Timestamp::from_secs(3)) };
        assert_eq!(after.heard(place(Channel::Weather, &boot, 5)), missing);
        assert_eq!(after.feeds().len(), 2, "books that were missed are of no interest");
    }
}
