//! Counts messages that never arrived, by the numbers that their writers give them.

use std::sync::Arc;

use crate::bus::Channel;

/// One writer's counter on one channel.
#[derive(Debug)]
struct Writer {
    channel: Channel,
    source: Box<str>,
    boot: Arc<str>,
    seq: u64,
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
    /// The bus says that this many were lost. Returns how many are new.
    pub(super) fn lagged(&mut self, missed: u64) -> u64 {
        self.reported += missed;
        missed
    }

    /// A message arrived. Returns how many before it are missing without having been reported.
    pub(super) fn heard(&mut self, channel: Channel, source: &str, boot: &Arc<str>, seq: u64) -> u64 {
        let known = self.writers.iter_mut().find(|writer| writer.channel == channel && *writer.source == *source);
        let Some(writer) = known else {
            if self.writers.len() == CAPACITY {
                self.writers.remove(0);
            }
            self.writers.push(Writer { channel, source: source.into(), boot: Arc::clone(boot), seq });
            return 0;
        };
        if writer.boot != *boot {
            (writer.boot, writer.seq) = (Arc::clone(boot), seq);
            return 0;
        }
        let jump = seq.saturating_sub(writer.seq.saturating_add(1));
        writer.seq = writer.seq.max(seq);
        let explained = jump.min(self.reported);
        self.reported -= explained;
        jump - explained
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_are_counted_once_and_restarts_are_not_jumps() {
        let (first, second): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let mut sequence = Sequence::default();
        let mut heard = |boot: &Arc<str>, seq| sequence.heard(Channel::Crypto, "argos", boot, seq);
        assert_eq!(heard(&first, 5), 0);
        assert_eq!(heard(&first, 6), 0);
        assert_eq!(heard(&first, 9), 2);
        assert_eq!(heard(&first, 8), 0);
        assert_eq!(heard(&second, 3), 0);
        assert_eq!(sequence.lagged(4), 4);
        assert_eq!(sequence.heard(Channel::Crypto, "argos", &second, 9), 1);
        assert_eq!(sequence.heard(Channel::Polymarket, "argos", &second, 100), 0);
    }
}
