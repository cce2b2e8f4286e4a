//! The histories of strategies' parameters, kept in the ledger. Athena decides on them and keeps them on the bus, which may lose them: what
//! is new there is written down here, and what is lost there is put back.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::commands::Asked;
use crate::bus::{BusError, BusRef, Key, Origin, decode, encode};
use crate::clock;
use crate::domain::params::RISK;
use crate::domain::params::book::rejoined;
use crate::domain::{AthenaState, ParamBook, StrategyId};

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is to be done about a book.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    Nothing,
    /// The ledger lacks something of it.
    Keep(ParamBook),
    /// The bus lacks something of it.
    PutBack(ParamBook),
}

/// Compares the book that the ledger has with the one on the bus.
fn compare(kept: Option<&ParamBook>, found: Option<&ParamBook>) -> Task {
    let (kept, found) = match (kept, found) {
        (None, None) => return Task::Nothing,
        (None, Some(found)) => return Task::Keep(found.clone()),
        (Some(kept), None) => return Task::PutBack(kept.clone()),
        (Some(kept), Some(found)) => (kept, found),
    };
    let newest = kept.in_force();
    let goes_on = newest.is_none_or(|newest| {
        let begins_later = found.versions.first().is_some_and(|first| first.version > newest.version);
        begins_later || found.versions.contains(newest)
    });
    match goes_on {
        true if kept == found => Task::Nothing,
        true => Task::Keep(found.clone()),
        false => Task::PutBack(rejoined(kept, found)),
    }
}

/// Keeps both the same.
#[derive(Debug)]
pub(super) struct Histories {
    bus: BusRef,
    asks: mpsc::Sender<Asked>,
    origin: Origin,
    /// As the ledger has them, or will as soon as it commits.
    kept: BTreeMap<StrategyId, ParamBook>,
    /// What lay on the bus when the ledger had the same.
    same: BTreeMap<StrategyId, Bytes>,
}

impl Histories {
    /// Begins with what the ledger has.
    pub(super) fn new(bus: BusRef, asks: mpsc::Sender<Asked>, boot: &str, kept: Vec<ParamBook>) -> Self {
        let kept = kept.into_iter().map(|book| (book.strategy.clone(), book)).collect();
        Self { bus, asks, origin: Origin::new("hermes", boot), kept, same: BTreeMap::new() }
    }

    /// Looks again and again.
    pub(super) async fn keep(mut self) {
        loop {
            if let Err(error) = self.look().await {
                tracing::debug!(%error, "the parameters of strategies cannot be compared, trying again");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn look(&mut self) -> Result<(), BusError> {
        let athena = self.bus.get(&Key::ATHENA).await?;
        // One that cannot be read is Athena's to tell.
        let athena = athena.and_then(|raw| decode::<AthenaState>(&raw).ok()).map(|envelope| envelope.body);
        let trading = athena.into_iter().flat_map(|state| state.params).map(|params| params.strategy);
        let mut names: Vec<StrategyId> = self.kept.keys().cloned().chain(trading).collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| name.as_str() != RISK);
        for name in names {
            self.look_at(name).await?;
        }
        Ok(())
    }

    async fn look_at(&mut self, name: StrategyId) -> Result<(), BusError> {
        let key = Key::Params(name.clone());
        let raw = self.bus.get(&key).await?;
        if raw.is_some() && self.same.get(&name) == raw.as_ref() {
            return Ok(());
        }
        let found = match raw.as_deref().map(decode::<ParamBook>) {
            Some(Ok(envelope)) if envelope.body.strategy == name => Some(envelope.body),
            Some(Ok(_) | Err(_)) => {
                // Athena writes over what she cannot read; that is compared then.
                tracing::debug!(%key, "what lies on the bus is no book of its strategy");
                return Ok(());
            }
            None => None,
        };
        match compare(self.kept.get(&name), found.as_ref()) {
            Task::Nothing => self.same.extend(raw.map(|raw| (name, raw))),
            Task::Keep(book) => self.write_down(name, book).await,
            Task::PutBack(book) => {
                let payload = match encode(&self.origin.wrap(&book, clock::now())) {
                    Ok(payload) => payload,
                    Err(error) => {
                        tracing::error!(%key, %error, "a history cannot be put back");
                        return Ok(());
                    }
                };
                // Whoever was faster is compared at the next look.
                if self.bus.replace(&key, raw.as_deref(), payload).await? {
                    let version = book.in_force().map(|version| version.version);
                    tracing::warn!(%key, version, "the bus had lost versions of the parameters; they are back");
                    if self.kept.get(&name) != Some(&book) {
                        self.write_down(name, book).await;
                    }
                }
            }
        }
        Ok(())
    }

    async fn write_down(&mut self, name: StrategyId, book: ParamBook) {
        // Without the loop nothing is kept; the next start compares again.
        if self.asks.send(Asked::Params(Box::new(book.clone()))).await.is_ok() {
            self.kept.insert(name, book);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::memory::MemoryBus;
    use crate::domain::{ParamVersion, Timestamp};

    fn version(number: u64, by: &str, threshold: &str) -> ParamVersion {
        ParamVersion {
            strategy: "momentum".into(),
            version: number,
            values: [("threshold".to_owned(), threshold.to_owned())].into(),
            changed: Vec::new(),
            by: by.into(),
            why: format!("{by} {number}"),
            at: Timestamp::from_secs(i64::try_from(number).expect("few")),
            command: None,
        }
    }

    fn book(versions: &[ParamVersion]) -> ParamBook {
        let versions = versions.to_vec();
        ParamBook { strategy: "momentum".into(), table: Vec::new(), file: BTreeMap::new(), versions }
    }

    #[test]
    fn what_goes_on_is_kept_and_what_is_lost_is_put_back() {
        let first = version(1, "config file", "0.1");
        let (second, third) = (version(2, "alice", "0.2"), version(3, "bob", "0.3"));
        let long = book(&[first.clone(), second.clone(), third.clone()]);
        let short = book(&[first.clone(), second.clone()]);
        assert_eq!(compare(None, None), Task::Nothing);
        assert_eq!(compare(Some(&long), Some(&long)), Task::Nothing);
        assert_eq!(compare(None, Some(&long)), Task::Keep(long.clone()));
        assert_eq!(compare(Some(&short), Some(&long)), Task::Keep(long.clone()));
        assert_eq!(
            compare(Some(&short), Some(&book(std::slice::from_ref(&third)))),
            Task::Keep(book(&[third])),
            "the rest went"
        );
        assert_eq!(compare(Some(&long), None), Task::PutBack(long.clone()));
        assert_eq!(compare(Some(&long), Some(&short)), Task::PutBack(long.clone()));
        let fresh = ParamVersion { at: Timestamp::from_secs(100), ..first };
        assert_eq!(
            compare(Some(&long), Some(&book(std::slice::from_ref(&fresh)))),
            Task::PutBack(long.clone()),
            "a new beginning"
        );

        let set_since = ParamVersion { at: Timestamp::from_secs(101), ..version(2, "carol", "0.4") };
        let Task::PutBack(joined) = compare(Some(&long), Some(&book(&[fresh, set_since.clone()]))) else {
            panic!("put back")
        };
        assert_eq!(joined.versions[..3], long.versions[..]);
        let last = joined.in_force().expect("one");
        assert_eq!((last.version, &last.values, last.by.as_str()), (4, &set_since.values, "carol"));
        assert_eq!((last.changed[0].from.as_str(), last.changed[0].to.as_str()), ("0.3", "0.4"));
        assert_eq!(compare(Some(&joined), Some(&joined)), Task::Nothing);
    }

    #[tokio::test]
    async fn a_lost_book_is_back_after_a_look_and_another_writer_is_not_overwritten() {
        let bus: BusRef = MemoryBus::new();
        let (asks, mut asked) = mpsc::channel(4);
        let known = book(&[version(1, "config file", "0.1"), version(2, "alice", "0.2")]);
        let mut histories = Histories::new(BusRef::clone(&bus), asks, "b", vec![known.clone()]);
        histories.look().await.expect("a look");
        let key = Key::Params("momentum".into());
        let on_bus = |raw: Option<Bytes>| decode::<ParamBook>(&raw.expect("there")).expect("a book").body;
        assert_eq!(on_bus(bus.get(&key).await.expect("reads")), known);
        assert!(asked.try_recv().is_err(), "the ledger has it");

        let mut newer = known.clone();
        newer.versions.push(version(3, "bob", "0.3"));
        let athena = Origin::new("athena", "b");
        bus.set(&key, encode(&athena.wrap(&newer, clock::now())).expect("encodes")).await.expect("set");
        for _ in 0..2 {
            histories.look().await.expect("a look");
        }
        assert!(matches!(asked.try_recv(), Ok(Asked::Params(book)) if *book == newer));
        assert!(asked.try_recv().is_err(), "once");
        assert_eq!(on_bus(bus.get(&key).await.expect("reads")), newer);
    }
}
