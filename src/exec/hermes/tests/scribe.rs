//! Commits that gather while one is under way.

use std::sync::Mutex;

use tokio::sync::Semaphore;

use super::super::scribe::{Outcome, Scribe, Waiting};
use super::*;
use crate::bus::{Entry, EntryId};
use crate::domain::{Counted, DeadLetter, IntentId, MarketId, TokenId};
use crate::store::ledger::{History, InboxRow, Known, Write};

/// A ledger that commits when it is let, remembers what came together, and knows some intents already.
#[derive(Debug)]
struct Gated {
    let_through: Semaphore,
    commits: Mutex<Vec<Vec<String>>>,
    taken: &'static [&'static str],
    refused: &'static [&'static str],
}

#[async_trait]
impl Ledger for Gated {
    async fn commit(&self, writes: &[Write]) -> Result<(), LedgerError> {
        self.let_through.acquire().await.expect("open").forget();
        let names: Vec<String> = writes.iter().map(name).collect();
        if let Some(known) = names.iter().find(|name| self.taken.contains(&name.as_str())) {
            return Err(LedgerError::Duplicate { intent: IntentId::new(known), attempt: 1 });
        }
        if let Some(bad) = names.iter().find(|name| self.refused.contains(&name.as_str())) {
            return Err(LedgerError::Refused { what: bad.clone(), reason: "scripted".into() });
        }
        self.commits.lock().expect("lock").push(names);
        Ok(())
    }

    async fn load(&self, _ended: u32) -> Result<Memory, LedgerError> {
        Ok(Memory::default())
    }

    async fn order(&self, _: &OrderId) -> Result<Known, LedgerError> {
        Ok(Known::default())
    }

    async fn letter(&self, _: &str) -> Result<Option<DeadLetter>, LedgerError> {
        Ok(None)
    }

    async fn history(&self, _: &MarketId, _: &TokenId) -> Result<History, LedgerError> {
        Ok(History::default())
    }

    async fn count_orders(&self) -> Result<Counted, LedgerError> {
        Ok(Counted::default())
    }

    async fn lease(&self, _holder: &str, _ttl: Duration) -> Result<Lease, LedgerError> {
        Err(LedgerError::Unavailable("not asked here".into()))
    }

    async fn release_lease(&self) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn close(&self) {}
}

fn name(write: &Write) -> String {
    match write {
        Write::Inbox(row) => row.intent.to_string(),
        other => panic!("only inbox rows here: {other:?}"),
    }
}

fn batch(name: &str) -> Waiting {
    let row = InboxRow {
        intent: IntentId::new(name),
        attempt: 1,
        entry: "1-0".into(),
        boot: "b".into(),
        payload: String::new(),
        at: Timestamp::from_secs(1),
    };
    // Somebody waits for an intent to be sent.
    let entry = Some(Entry { id: EntryId::START, payload: bytes::Bytes::new(), deliveries: 1 });
    Waiting { writes: Arc::new(vec![Write::Inbox(row)]), entry, ..Waiting::default() }
}

fn names(batches: &[Waiting]) -> Vec<String> {
    batches.iter().flat_map(|batch| batch.writes.iter().map(name)).collect()
}

fn start(taken: &'static [&'static str]) -> (Arc<Gated>, Scribe) {
    start_with(taken, &[])
}

fn start_with(taken: &'static [&'static str], refused: &'static [&'static str]) -> (Arc<Gated>, Scribe) {
    let ledger = Arc::new(Gated { let_through: Semaphore::new(0), commits: Mutex::default(), taken, refused });
    (Arc::clone(&ledger), Scribe::new(ledger, 100))
}

#[tokio::test]
async fn what_gathers_during_a_commit_goes_together_into_the_next() {
    let (ledger, mut scribe) = start(&[]);
    assert!(scribe.push(batch("a")).is_none());
    // The first is under way, and the wait for it is given up, as the loop does when something else comes.
    assert!(tokio::time::timeout(Duration::from_millis(1), scribe.next()).await.is_err());
    for name in ["b", "c", "d"] {
        assert!(scribe.push(batch(name)).is_none());
    }
    ledger.let_through.add_permits(2);
    for expected in [vec!["a"], vec!["b", "c", "d"]] {
        let Outcome::Durable(done) = scribe.next().await else { panic!("durable") };
        assert_eq!(names(&done), expected);
    }
    assert!(scribe.is_empty());
    assert_eq!(*ledger.commits.lock().expect("lock"), [vec!["a"], vec!["b", "c", "d"]]);
}

#[tokio::test]
async fn an_intent_that_was_taken_falls_out_alone_and_the_others_keep_their_order() {
    let (ledger, mut scribe) = start(&["b"]);
    for name in ["a", "b", "c"] {
        assert!(scribe.push(batch(name)).is_none());
    }
    ledger.let_through.add_permits(100);
    let mut fates = Vec::new();
    while !scribe.is_empty() {
        match scribe.next().await {
            Outcome::Durable(done) => fates.push((true, names(&done))),
            Outcome::Taken(refused, _) => fates.push((false, names(&[refused]))),
            Outcome::Refused(_, error) | Outcome::Failed(error) => panic!("{error}"),
        }
    }
    let expected = [(true, "a"), (false, "b"), (true, "c")];
    assert_eq!(fates, expected.map(|(durable, name)| (durable, vec![name.to_owned()])));
    for name in ["d", "e"] {
        assert!(scribe.push(batch(name)).is_none());
    }
    let Outcome::Durable(done) = scribe.next().await else { panic!("durable") };
    assert_eq!(names(&done), ["d", "e"], "together again");
}

#[tokio::test]
async fn what_the_ledger_refuses_for_good_falls_out_and_holds_up_nothing() {
    let (ledger, mut scribe) = start_with(&[], &["b", "d"]);
    for name in ["a", "b", "c", "d", "e"] {
        assert!(scribe.push(batch(name)).is_none());
    }
    ledger.let_through.add_permits(100);
    let (mut kept, mut refused) = (Vec::new(), Vec::new());
    while !scribe.is_empty() {
        match scribe.next().await {
            Outcome::Durable(done) => kept.extend(names(&done)),
            Outcome::Refused(batch, error) => refused.push((names(&[batch]), error.to_string())),
            Outcome::Taken(_, error) | Outcome::Failed(error) => panic!("{error}"),
        }
    }
    assert_eq!(kept, ["a", "c", "e"]);
    let words = |name: &str| (vec![name.to_owned()], format!("ledger refuses {name}: scripted"));
    assert_eq!(refused, [words("b"), words("d")]);
}
