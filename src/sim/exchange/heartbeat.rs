//! The dead man's switch: a key that has beaten once and then is silent for 10 s loses all its open orders. Looked at every
//! 5 s, so it takes up to 15 s.

use std::collections::BTreeMap;
use std::time::Duration;

use super::order::{AccountId, CancelReason};
use super::state::State;
use crate::domain::{OrderId, Timestamp};

const SILENCE: Duration = Duration::from_secs(10);
const SWEEP: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
struct Beat {
    account: AccountId,
    id: String,
    at: Timestamp,
}

/// Who has armed the switch, by API key.
#[derive(Debug, Default)]
pub(super) struct Heartbeats {
    beats: BTreeMap<String, Beat>,
    swept_at: Timestamp,
}

/// The id was not the one given out last.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid Heartbeat ID")]
pub struct WrongHeartbeat {
    /// The one that is expected.
    pub expected: String,
}

impl State {
    /// Takes a beat and gives the id to send with the next. A wrong one does not count as a beat.
    pub(super) fn beat(
        &mut self,
        account: &AccountId,
        key: &str,
        id: &str,
        now: Timestamp,
    ) -> Result<String, WrongHeartbeat> {
        let expected = self.heartbeats.beats.get(key).map_or("", |beat| beat.id.as_str());
        if id != expected {
            return Err(WrongHeartbeat { expected: expected.to_owned() });
        }
        let next = self.ids.uuid("heartbeat");
        let beat = Beat { account: account.clone(), id: next.clone(), at: now };
        self.heartbeats.beats.insert(key.to_owned(), beat);
        Ok(next)
    }

    /// Cancels what belongs to keys that have been silent too long.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        if now.since(self.heartbeats.swept_at) < SWEEP {
            return;
        }
        self.heartbeats.swept_at = now;
        let silent = self.heartbeats.beats.iter().filter(|(_, beat)| now.since(beat.at) > SILENCE);
        let keys: Vec<String> = silent.map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.lapse(&key, now);
        }
    }

    /// Cancels every open order that was posted with this key, if it has armed the switch.
    pub(super) fn lapse(&mut self, key: &str, now: Timestamp) {
        let account = self.heartbeats.beats.get(key).and_then(|beat| self.accounts.get(&beat.account));
        let is_keys = |id: &&OrderId| self.orders.get(*id).is_some_and(|order| *order.owner == *key);
        let ids: Vec<OrderId> =
            account.into_iter().flat_map(|account| account.open.values()).filter(is_keys).cloned().collect();
        self.end(&ids, CancelReason::Swept, now);
    }

    /// Expects another id of this key from now on, as after a restart of the venue.
    pub(super) fn renew_heartbeat(&mut self, account: &AccountId, key: &str, now: Timestamp) {
        let id = self.ids.uuid("heartbeat");
        let fresh = || Beat { account: account.clone(), id: String::new(), at: now };
        self.heartbeats.beats.entry(key.to_owned()).or_insert_with(fresh).id = id;
    }
}
