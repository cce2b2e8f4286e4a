//! One stream and its consumer groups, pure: every call that measures idleness is told the time.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::bus::{Claimed, Entry, EntryId, Group, PendingSummary, Trimmed};

/// A claim looks at this many pending entries for each one that it may take, as Redis does.
const SCAN_FACTOR: usize = 10;

#[derive(Debug, Default)]
pub(super) struct Log {
    entries: BTreeMap<EntryId, Bytes>,
    last: EntryId,
    groups: HashMap<Group, Members>,
}

/// One group: how far it has read, and what its consumers have not acknowledged.
#[derive(Debug, Default)]
struct Members {
    delivered: EntryId,
    pending: BTreeMap<EntryId, Holding>,
}

#[derive(Debug)]
struct Holding {
    consumer: Arc<str>,
    since: Instant,
    deliveries: u64,
}

impl Log {
    /// Adds an entry whose id is above all before it, even when the clock went back.
    pub(super) fn append(&mut self, payload: Bytes, cap: Option<usize>, millis: u64) -> EntryId {
        let id = if millis > self.last.millis {
            EntryId { millis, index: 0 }
        } else {
            EntryId { millis: self.last.millis, index: self.last.index.saturating_add(1) }
        };
        self.last = id;
        self.entries.insert(id, payload);
        while cap.is_some_and(|cap| self.entries.len() > cap) {
            self.entries.pop_first();
        }
        id
    }

    pub(super) fn after(&self, after: EntryId, count: usize) -> Vec<Entry> {
        self.entries
            .range((Excluded(after), Unbounded))
            .take(count)
            .map(|(id, payload)| entry(*id, payload, 0))
            .collect()
    }

    pub(super) fn tail(&self, count: usize) -> Vec<Entry> {
        let mut newest: Vec<Entry> =
            self.entries.iter().rev().take(count).map(|(id, payload)| entry(*id, payload, 0)).collect();
        newest.reverse();
        newest
    }

    pub(super) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(super) fn create_group(&mut self, group: Group) {
        self.groups.entry(group).or_default();
    }

    /// Entries that nobody in the group has had; they are the consumer's now. Nothing when there is no such group.
    pub(super) fn deliver(
        &mut self,
        group: Group,
        consumer: &Arc<str>,
        count: usize,
        now: Instant,
    ) -> Option<Vec<Entry>> {
        let members = self.groups.get_mut(&group)?;
        let fresh: Vec<Entry> = self
            .entries
            .range((Excluded(members.delivered), Unbounded))
            .take(count)
            .map(|(id, payload)| entry(*id, payload, 1))
            .collect();
        for Entry { id, .. } in &fresh {
            members.delivered = *id;
            members.pending.insert(*id, Holding { consumer: Arc::clone(consumer), since: now, deliveries: 1 });
        }
        Some(fresh)
    }

    /// The consumer's own pending entries once more. One that was trimmed comes without payload and is not counted again.
    pub(super) fn redeliver(
        &mut self,
        group: Group,
        consumer: &Arc<str>,
        after: EntryId,
        count: usize,
        now: Instant,
    ) -> Option<Vec<Entry>> {
        let Self { entries, groups, .. } = self;
        let members = groups.get_mut(&group)?;
        let own =
            members.pending.range_mut((Excluded(after), Unbounded)).filter(|(_, held)| held.consumer == *consumer);
        let again = own.take(count).map(|(id, held)| {
            let Some(payload) = entries.get(id) else { return entry(*id, &Bytes::new(), held.deliveries) };
            held.since = now;
            held.deliveries += 1;
            entry(*id, payload, held.deliveries)
        });
        Some(again.collect())
    }

    /// Takes over what has been idle. Entries trimmed while pending leave the group whatever their idle time.
    pub(super) fn claim(
        &mut self,
        group: Group,
        consumer: &Arc<str>,
        min_idle: Duration,
        cursor: EntryId,
        count: usize,
        now: Instant,
    ) -> Option<Claimed> {
        let Self { entries, groups, .. } = self;
        let members = groups.get_mut(&group)?;
        let mut claimed = Claimed::default();
        for (scanned, (id, held)) in members.pending.range_mut(cursor..).enumerate() {
            if claimed.entries.len() + claimed.deleted.len() == count || scanned == count.saturating_mul(SCAN_FACTOR) {
                claimed.cursor = *id;
                break;
            }
            let Some(payload) = entries.get(id) else {
                claimed.deleted.push(*id);
                continue;
            };
            if now.saturating_duration_since(held.since) < min_idle {
                continue;
            }
            *held = Holding { consumer: Arc::clone(consumer), since: now, deliveries: held.deliveries + 1 };
            claimed.entries.push(entry(*id, payload, held.deliveries));
        }
        for id in &claimed.deleted {
            members.pending.remove(id);
        }
        Some(claimed)
    }

    pub(super) fn ack(&mut self, group: Group, ids: &[EntryId]) -> u64 {
        let Some(members) = self.groups.get_mut(&group) else { return 0 };
        ids.iter().filter(|id| members.pending.remove(id).is_some()).count() as u64
    }

    /// Removes what lies before `keep_from` and before all that any group still needs. The error names the group that must be there.
    pub(super) fn trim(&mut self, keep_from: EntryId, wanted: Option<Group>) -> Result<Trimmed, Group> {
        if let Some(missing) = wanted.filter(|group| !self.groups.contains_key(group)) {
            return Err(missing);
        }
        let needed = self.groups.values().map(Members::needed_from);
        let kept_from = needed.fold(keep_from, EntryId::min);
        let kept = self.entries.split_off(&kept_from);
        let removed = std::mem::replace(&mut self.entries, kept);
        Ok(Trimmed { removed: removed.len() as u64, kept_from })
    }

    pub(super) fn pending(&self, group: Group) -> Option<PendingSummary> {
        let pending = &self.groups.get(&group)?.pending;
        Some(PendingSummary { count: pending.len() as u64, oldest: pending.keys().next().copied() })
    }
}

impl Members {
    /// The first entry that the group still needs: the oldest that is pending, else the last that was delivered, behind which all is
    /// undelivered.
    fn needed_from(&self) -> EntryId {
        self.pending.keys().next().map_or(self.delivered, |oldest| self.delivered.min(*oldest))
    }
}

fn entry(id: EntryId, payload: &Bytes, deliveries: u64) -> Entry {
    Entry { id, payload: payload.clone(), deliveries }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GROUP: Group = Group::Hermes;

    fn payload(number: usize) -> Bytes {
        Bytes::from(number.to_string())
    }

    fn moment() -> Instant {
        crate::clock::monotonic()
    }

    #[test]
    fn ids_rise_even_when_the_clock_goes_back() {
        let mut log = Log::default();
        let ids: Vec<EntryId> = [5, 5, 3, 9].map(|millis| log.append(payload(0), None, millis)).into();
        let expected = [(5, 0), (5, 1), (5, 2), (9, 0)].map(|(millis, index)| EntryId { millis, index });
        assert_eq!(ids, expected);
    }

    #[test]
    fn a_claim_takes_only_what_was_idle_long_enough_and_the_cursor_goes_on() {
        let (mut log, start) = (Log::default(), moment());
        let (dead, heir): (Arc<str>, Arc<str>) = ("dead".into(), "heir".into());
        log.create_group(GROUP);
        for number in 0..5 {
            log.append(payload(number), None, 1);
        }
        log.deliver(GROUP, &dead, 4, start);
        log.deliver(GROUP, &dead, 1, start + Duration::from_secs(8));
        let now = start + Duration::from_secs(10);
        let first = log.claim(GROUP, &heir, Duration::from_secs(5), EntryId::START, 3, now).expect("group");
        assert_eq!(first.entries.iter().map(|entry| entry.deliveries).collect::<Vec<_>>(), [2, 2, 2]);
        let second = log.claim(GROUP, &heir, Duration::from_secs(5), first.cursor, 3, now).expect("group");
        assert_eq!(second.entries.len(), 1, "the fifth has been idle for two seconds only");
        assert_eq!(second.cursor, EntryId::START);
    }

    #[test]
    fn what_was_trimmed_while_pending_is_reported_once_and_gone() {
        let (mut log, now) = (Log::default(), moment());
        let consumer: Arc<str> = "c".into();
        log.create_group(GROUP);
        let lost = log.append(payload(0), Some(1), 1);
        log.deliver(GROUP, &consumer, 1, now);
        log.append(payload(1), Some(1), 1);
        let own = log.redeliver(GROUP, &consumer, EntryId::START, 10, now).expect("group");
        assert_eq!(own, [Entry { id: lost, payload: Bytes::new(), deliveries: 1 }]);
        let claimed = log.claim(GROUP, &consumer, Duration::MAX, EntryId::START, 10, now).expect("group");
        assert_eq!(claimed.deleted, [lost]);
        assert_eq!(log.pending(GROUP), Some(PendingSummary::default()));
    }

    #[test]
    fn without_a_group_there_is_nothing_to_say() {
        let (mut log, now) = (Log::default(), moment());
        assert_eq!(log.deliver(GROUP, &"c".into(), 1, now), None);
        assert_eq!(log.redeliver(GROUP, &"c".into(), EntryId::START, 1, now), None);
        assert_eq!(log.claim(GROUP, &"c".into(), Duration::ZERO, EntryId::START, 1, now), None);
        assert_eq!(log.pending(GROUP), None);
        assert_eq!(log.ack(GROUP, &[EntryId::START]), 0);
    }

    proptest! {
        /// Every entry of an uncapped stream goes to exactly one consumer first, and is pending until it is acknowledged.
        #[test]
        fn nothing_is_lost_or_handed_out_twice(steps in proptest::collection::vec((0_u8..4, 1_usize..5, 0_u8..3), 1..80)) {
            let (mut log, now) = (Log::default(), moment());
            let consumers: [Arc<str>; 3] = ["a".into(), "b".into(), "c".into()];
            log.create_group(GROUP);
            let (mut appended, mut fresh, mut acked) = (Vec::new(), Vec::new(), 0_u64);
            for (kind, count, who) in steps {
                let consumer = &consumers[usize::from(who)];
                match kind {
                    0 => appended.push(log.append(payload(appended.len()), None, 1)),
                    1 => fresh.extend(log.deliver(GROUP, consumer, count, now).unwrap().into_iter().map(|e| e.id)),
                    2 => {
                        let claimed = log.claim(GROUP, consumer, Duration::ZERO, EntryId::START, count, now).unwrap();
                        prop_assert!(claimed.deleted.is_empty());
                    }
                    _ => {
                        let own = log.redeliver(GROUP, consumer, EntryId::START, count, now).unwrap();
                        let ids: Vec<EntryId> = own.iter().map(|entry| entry.id).collect();
                        acked += log.ack(GROUP, &ids);
                    }
                }
            }
            prop_assert_eq!(&fresh[..], &appended[..fresh.len()]);
            prop_assert_eq!(log.pending(GROUP).unwrap().count + acked, fresh.len() as u64);
        }
    }
}
