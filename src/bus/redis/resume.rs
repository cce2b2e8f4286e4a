//! Reading on after the server has lost entries. A new master, or one that was restarted, may end before the entry that a reader has
//! had last: a plain read after that entry would wait until the ids have passed it, and miss what came meanwhile.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::time::Instant;

use super::{MOST, RedisBus, reply};
use crate::bus::{BusError, Entry, EntryId, Stream};

/// Readers that are remembered; there are a few in a process.
const KEPT: usize = 64;

/// Where readers go on whose place is gone. The first look decides: entries that are appended later below the lost place are new.
#[derive(Debug, Default)]
pub(super) struct Resumes(Mutex<VecDeque<Resume>>);

#[derive(Debug)]
struct Resume {
    stream: Stream,
    lost: EntryId,
    on_from: EntryId,
}

impl Resumes {
    /// The place to go on from. `below` is the newest entry before the lost one.
    fn place(&self, stream: Stream, lost: EntryId, below: EntryId) -> EntryId {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.iter().find(|known| known.stream == stream && known.lost == lost) {
            return known.on_from;
        }
        if known.len() == KEPT {
            known.pop_front();
        }
        known.push_back(Resume { stream, lost, on_from: below });
        tracing::warn!(%stream, %lost, on_from = %below, "the entry read last is no longer in the stream; reading on from what is left");
        below
    }
}

impl RedisBus {
    /// A read after an entry that the reader has had.
    pub(super) async fn read_on(
        &self,
        stream: Stream,
        after: EntryId,
        count: usize,
        block: Duration,
    ) -> Result<Vec<Entry>, BusError> {
        let until = Instant::now() + block.min(Duration::from_hours(1));
        if !block.is_zero() {
            self.link.up_within(block).await?;
        }
        let mut questions = redis::pipe();
        questions.cmd("XRANGE").arg(stream.name()).arg(after.to_string()).arg(after.to_string()).arg("COUNT").arg(1);
        questions.cmd("XREVRANGE").arg(stream.name()).arg(format!("({after}")).arg("-").arg("COUNT").arg(1);
        questions.add_command(command(stream, after, count, None));
        let answers = self.link.call_all(&questions, None).await?;
        let Ok([there, below, found]) = <[Value; 3]>::try_from(answers) else {
            return Err(reply::unexpected("XREAD"));
        };
        let (found, after) = if reply::entries("XRANGE", there)?.is_empty() {
            let below = reply::entries("XREVRANGE", below)?.first().map_or(EntryId::START, |entry| entry.id);
            let after = self.resumes.place(stream, after, below);
            (self.link.call(&command(stream, after, count, None), None).await?, after)
        } else {
            (found, after)
        };
        let found = reply::streams("XREAD", found)?;
        if found.is_empty() && !block.is_zero() {
            let left = until.saturating_duration_since(Instant::now());
            return self.read_from(stream, after, count, left.max(Duration::from_millis(1))).await;
        }
        Ok(found)
    }

    /// A read from where entries are known to go on.
    pub(super) async fn read_from(
        &self,
        stream: Stream,
        after: EntryId,
        count: usize,
        block: Duration,
    ) -> Result<Vec<Entry>, BusError> {
        let answer = self.waiting(block, None, |wait| command(stream, after, count, wait)).await?;
        reply::streams("XREAD", answer)
    }
}

fn command(stream: Stream, after: EntryId, count: usize, wait: Option<u64>) -> Cmd {
    let mut command = redis::cmd("XREAD");
    command.arg("COUNT").arg(count.min(MOST));
    if let Some(millis) = wait {
        command.arg("BLOCK").arg(millis);
    }
    command.arg("STREAMS").arg(stream.name()).arg(after.to_string());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn id(millis: u64) -> EntryId {
        EntryId { millis, index: 0 }
    }

    #[test]
    fn the_first_look_decides_for_each_reader_and_old_ones_are_forgotten() {
        let resumes = Resumes::default();
        assert_eq!(resumes.place(Stream::Events, id(9), id(4)), id(4));
        assert_eq!(resumes.place(Stream::Events, id(9), id(7)), id(4), "what came in between is new");
        assert_eq!(resumes.place(Stream::Events, id(8), id(7)), id(7));
        assert_eq!(resumes.place(Stream::Acks, id(9), id(5)), id(5));
        for reader in 0..KEPT as u64 {
            resumes.place(Stream::Commands, id(100 + reader), id(1));
        }
        assert_eq!(resumes.0.lock().expect("lock").len(), KEPT);
        assert_eq!(resumes.place(Stream::Events, id(9), id(7)), id(7));
    }
}
