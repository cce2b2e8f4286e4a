//! The books of parameters as they lie on the bus, and the commands that change them.
//!
//! A command is judged here, kept under `params.<strategy>`, put in force between two events of the engine, told, and only then
//! acknowledged. One task does it, so that no two changes overlap. Another writer of the same key is noticed by the compare-and-set:
//! its newer version is taken over; an older one, or none, means that the bus has lost something, and ours is written again. Hermes is
//! such a writer: he puts back from the ledger what a bus lost while no Athena was there.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::inputs::retry;
use super::together::SILENT_AFTER;
use crate::bus::{BusError, BusRef, EntryId, Key, Origin, Stream, decode, encode};
use crate::clock;
use crate::domain::params::Table;
use crate::domain::params::book::{self, Author, Outcome, Values};
use crate::domain::{
    Ack, AckVerdict, Action, Addressee, AthenaState, Command, ParamBook, ParamProblem, ParamVersion, StrategyId,
    Timestamp,
};
use crate::pipeline::athena::Shard;

const BLOCK: Duration = Duration::from_secs(1);
const BATCH: usize = 16;
const RETRY_EVERY: Duration = Duration::from_millis(250);
/// How often a change is begun again because another writer was faster.
const TRIES: usize = 8;
/// How often parameters are looked at besides being told that they changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the other Athenas have to put a version in force before the answer goes out without them.
const OTHERS_WITHIN: Duration = Duration::from_secs(3);
const OTHERS_EVERY: Duration = Duration::from_millis(50);

/// A version on its way into the engine.
#[derive(Debug)]
pub(super) struct Change {
    /// What is to be in force.
    pub(super) version: ParamVersion,
    /// Whether it is to be told on `trade.events`: once, however many Athenas put it in force.
    pub(super) told: bool,
    /// Answered once it is, or with what is wrong with it.
    pub(super) done: oneshot::Sender<Result<(), Vec<ParamProblem>>>,
}

#[derive(Debug)]
struct Shelved {
    strategy: StrategyId,
    table: Table,
    /// What the configuration file says.
    file: Values,
    book: ParamBook,
    /// What lies on the bus, as far as is known.
    raw: Option<Bytes>,
}

/// Every strategy's book.
#[derive(Debug)]
pub(super) struct Shelf {
    bus: BusRef,
    origin: Origin,
    acks: Origin,
    shelved: Vec<Shelved>,
    after: EntryId,
    shard: Shard,
}

/// What became of an attempt to write a book.
enum Kept {
    Yes,
    /// Something else lies there.
    No(Option<Bytes>),
    Refused(BusError),
}

/// What another Athena has said of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    InForce,
    NotYet,
    Nothing,
}

/// Changes for the engine; dropping it ends the task.
#[derive(Debug)]
pub(super) struct Changes {
    changes: mpsc::Receiver<Change>,
    _task: AbortOnDropHandle<()>,
}

impl Changes {
    /// The next change. Cancel-safe.
    pub(super) async fn recv(&mut self) -> Option<Change> {
        self.changes.recv().await
    }
}

impl Shelf {
    /// Reads the books. The first Athena brings them up to date with her configuration file, keeps what that changed, and gives the versions
    /// that are to be told; the others take them as they are. Waits for the bus.
    pub(super) async fn open(
        bus: &BusRef,
        boot: &str,
        shard: Shard,
        strategies: Vec<(StrategyId, Table, Values)>,
    ) -> (Self, Vec<ParamVersion>) {
        // What was asked before this run was asked of another.
        let newest = retry("control.commands", || bus.tail(Stream::Commands, 1)).await;
        let mut shelf = Self {
            bus: Arc::clone(bus),
            origin: Origin::new("athena", boot),
            acks: Origin::new("athena", boot),
            shelved: Vec::new(),
            after: newest.last().map_or(EntryId::START, |entry| entry.id),
            shard,
        };
        let mut made = Vec::new();
        for (strategy, table, file) in strategies {
            if shard.is_first() {
                let (shelved, version) = shelf.opened(strategy, table, file).await;
                shelf.shelved.push(shelved);
                made.extend(version);
            } else {
                let shelved = shelf.found(strategy, table, file).await;
                shelf.shelved.push(shelved);
            }
        }
        (shelf, made)
    }

    /// The book with what is new in the file. A version that this makes is to be told when something lay there before.
    async fn opened(&self, strategy: StrategyId, table: Table, file: Values) -> (Shelved, Option<ParamVersion>) {
        let key = Key::Params(strategy.clone());
        let (book, made, raw) = loop {
            let raw = retry("parameters", || self.bus.get(&key)).await;
            let stored = raw.as_ref().and_then(|raw| readable(&strategy, raw));
            let book = book::open(stored.clone(), &strategy, &file, &table, clock::now()).book;
            if stored.as_ref() == Some(&book) {
                break (book, None, raw);
            }
            let before = stored.as_ref().and_then(ParamBook::in_force);
            let made = book.in_force().filter(|version| raw.is_some() && before != Some(version)).cloned();
            match self.keep(&strategy, raw.as_deref(), &book).await {
                Ok((raw, Kept::Yes)) => {
                    log(&strategy, &book);
                    break (book, made, Some(raw));
                }
                Ok((_, Kept::No(_))) => {}
                Ok((_, Kept::Refused(error))) => {
                    warn!(%key, %error, "the parameters are in force, but not kept");
                    break (book, made, raw);
                }
                Err(error) => {
                    warn!(%key, error, "the parameters are in force, but not kept");
                    break (book, made, raw);
                }
            }
        };
        (Shelved { strategy, table, file, book, raw }, made)
    }

    /// The book as it lies there. Without one the file's values are in force until the first Athena has decided.
    async fn found(&self, strategy: StrategyId, table: Table, file: Values) -> Shelved {
        let key = Key::Params(strategy.clone());
        let raw = retry("parameters", || self.bus.get(&key)).await;
        let stored = raw.as_ref().and_then(|raw| readable(&strategy, raw));
        match &stored {
            None => warn!(%strategy, "no parameters are decided yet: those of the configuration file are in force"),
            Some(book) if book.file != file => {
                warn!(%strategy, "the configuration file differs from the first athena's, which counts");
            }
            Some(_) => {}
        }
        let book = stored.unwrap_or_else(|| book::empty(&strategy, &file, &table));
        Shelved { strategy, table, file, book, raw }
    }

    /// The versions in force.
    pub(super) fn in_force(&self) -> impl Iterator<Item = &ParamVersion> {
        self.shelved.iter().filter_map(|shelved| shelved.book.in_force())
    }

    /// Begins to obey commands, or to take over what the first Athena decides; `changed` says that she did.
    pub(super) fn start(self, changed: Arc<Notify>) -> Changes {
        let (sender, changes) = mpsc::channel(1);
        let task = if self.shard.is_first() {
            tokio::spawn(self.follow(sender))
        } else {
            tokio::spawn(self.follow_the_first(sender, changed))
        };
        Changes { changes, _task: AbortOnDropHandle::new(task) }
    }

    /// One decides, so that there is one answer. The others read her decision where it is kept.
    async fn follow_the_first(mut self, engine: mpsc::Sender<Change>, changed: Arc<Notify>) {
        loop {
            for index in 0..self.shelved.len() {
                let key = Key::Params(self.shelved[index].strategy.clone());
                let found = retry("parameters", || self.bus.get(&key)).await;
                if found != self.shelved[index].raw
                    && let Err(reasons) = self.take_over(index, found, &engine).await
                {
                    warn!(%key, ?reasons, "the first athena's parameters cannot be put in force");
                }
            }
            tokio::select! {
                () = changed.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn follow(mut self, engine: mpsc::Sender<Change>) {
        loop {
            let (bus, after) = (Arc::clone(&self.bus), self.after);
            for entry in retry("control.commands", || bus.read(Stream::Commands, after, BATCH, BLOCK)).await {
                self.after = entry.id;
                match decode::<Command>(&entry.payload) {
                    Ok(envelope) if envelope.body.action.addressee() == Addressee::Athena => {
                        let ack = self.obey(&envelope.body, &engine).await;
                        self.acknowledge(&ack).await;
                    }
                    Ok(_) => {}
                    Err(error) => warn!(entry = %entry.id, %error, "a command cannot be read"),
                }
            }
            for index in 0..self.shelved.len() {
                self.look(index, &engine).await;
            }
        }
    }

    /// Whether what lies on the bus is what was left there.
    async fn look(&mut self, index: usize, engine: &mpsc::Sender<Change>) {
        let key = Key::Params(self.shelved[index].strategy.clone());
        // A bus that does not answer is asked again with the next commands.
        let Ok(found) = self.bus.get(&key).await else { return };
        if found == self.shelved[index].raw {
            return;
        }
        if let Err(reasons) = self.take_over(index, found, engine).await {
            warn!(%key, ?reasons, "the parameters on the bus cannot be put in force");
        }
        self.join_the_file(index, engine).await;
    }

    /// A history that was put back knows the configuration file of its time: what the file says anew counts.
    async fn join_the_file(&mut self, index: usize, engine: &mpsc::Sender<Change>) {
        let Shelved { strategy, table, file, book, raw } = &self.shelved[index];
        if raw.is_none() || book.file == *file {
            return;
        }
        let opened = book::open(Some(book.clone()), strategy, file, table, clock::now()).book;
        match self.keep(strategy, raw.as_deref(), &opened).await {
            Ok((raw, Kept::Yes)) => {
                if let Err(reasons) = self.put_in_force(index, opened, Some(raw), engine).await {
                    warn!(?reasons, "what the configuration file says cannot be put in force");
                }
            }
            Ok((_, Kept::No(_))) => {}
            Ok((_, Kept::Refused(error))) => warn!(%strategy, %error, "what the configuration file says is not kept"),
            Err(error) => warn!(%strategy, error, "what the configuration file says is not kept"),
        }
    }

    async fn obey(&mut self, command: &Command, engine: &mpsc::Sender<Change>) -> Ack {
        let (Action::SetParams { strategy, .. } | Action::RollbackParams { strategy, .. }) = &command.action else {
            return self.ack(command, Err(vec!["this is not Athena's to do".to_owned()]), None).await;
        };
        let Some(index) = self.shelved.iter().position(|shelved| shelved.strategy == *strategy) else {
            let names: Vec<_> = self.shelved.iter().map(|shelved| shelved.strategy.as_str()).collect();
            let reason = format!("no strategy '{strategy}'; there is {}", names.join(", "));
            return self.ack(command, Err(vec![reason]), None).await;
        };
        let verdict = if command.expires_at < clock::now() {
            Err(vec!["it has expired".to_owned()])
        } else {
            self.carry_out(index, command, engine).await
        };
        let in_force = self.shelved[index].book.in_force().map(|version| version.version);
        match &verdict {
            Ok(()) => info!(%strategy, version = in_force, by = command.actor, "parameters are in force"),
            Err(reasons) => info!(%strategy, by = command.actor, ?reasons, "parameters denied"),
        }
        self.ack(command, verdict, in_force).await
    }

    /// The answer: by the Athenas that it holds for.
    async fn ack(&self, command: &Command, verdict: Result<(), Vec<String>>, version: Option<u64>) -> Ack {
        let (by, not_heard_from) = match (&verdict, version) {
            (Ok(()), Some(version)) => self.in_force_at(version, &command.action).await,
            _ => ("athena".to_owned(), Vec::new()),
        };
        let verdict = match verdict {
            Ok(()) => AckVerdict::Applied,
            Err(reasons) => AckVerdict::Denied { reasons },
        };
        Ack { id: command.id.clone(), by, not_heard_from, verdict, version, at: clock::now() }
    }

    /// The Athenas that have the version in force, and those of which that is not known: waits for each that is alive.
    async fn in_force_at(&self, version: u64, action: &Action) -> (String, Vec<String>) {
        let others: Vec<Shard> = self.shard.others().collect();
        let (Action::SetParams { strategy, .. } | Action::RollbackParams { strategy, .. }) = action else {
            return ("athena".to_owned(), Vec::new());
        };
        if others.is_empty() {
            return ("athena".to_owned(), Vec::new());
        }
        let keys: Vec<Key> = others.iter().map(|shard| Key::Shard(shard.index())).collect();
        let until = Instant::now() + OTHERS_WITHIN;
        let said = loop {
            let said = match self.bus.get_all(&keys).await {
                Ok(found) => found.iter().map(|raw| said(raw.as_deref(), strategy, version, clock::now())).collect(),
                Err(_asked_again) => vec![Said::NotYet; others.len()],
            };
            if !said.contains(&Said::NotYet) || Instant::now() >= until {
                break said;
            }
            tokio::time::sleep(OTHERS_EVERY).await;
        };
        let (with, without): (Vec<_>, Vec<_>) =
            others.into_iter().zip(said).partition(|(_, said)| *said == Said::InForce);
        let with: Vec<_> = with.iter().map(|(shard, _)| format!(", {shard}")).collect();
        let without = without.iter().map(|(shard, _)| format!("athena {shard}")).collect();
        (format!("athena {}{}", self.shard, with.concat()), without)
    }

    async fn carry_out(
        &mut self,
        index: usize,
        command: &Command,
        engine: &mpsc::Sender<Change>,
    ) -> Result<(), Vec<String>> {
        for _ in 0..TRIES {
            let shelved = &self.shelved[index];
            if shelved.book.in_force().is_some_and(|version| version.command.as_ref() == Some(&command.id)) {
                return Ok(());
            }
            let Outcome::New(book) = decide(shelved, command)? else { return Ok(()) };
            let kept = self.keep(&shelved.strategy, shelved.raw.as_deref(), &book).await;
            let (raw, kept) = kept.map_err(|error| vec![error])?;
            match kept {
                Kept::Yes => return self.put_in_force(index, book, Some(raw), engine).await,
                Kept::No(found) => self.take_over(index, found, engine).await?,
                Kept::Refused(error) => return Err(vec![format!("it could not be kept: {error}")]),
            }
        }
        Err(vec![format!("others changed the parameters {TRIES} times meanwhile")])
    }

    /// Something else lies on the bus than was thought.
    async fn take_over(
        &mut self,
        index: usize,
        found: Option<Bytes>,
        engine: &mpsc::Sender<Change>,
    ) -> Result<(), Vec<String>> {
        let shelved = &mut self.shelved[index];
        let stored = found.as_ref().and_then(|raw| readable(&shelved.strategy, raw));
        let number = |book: &ParamBook| book.in_force().map_or(0, |version| version.version);
        match stored {
            Some(stored) if number(&stored) >= number(&shelved.book) => {
                info!(strategy = %shelved.strategy, version = number(&stored), "another Athena changed the parameters");
                self.put_in_force(index, stored, found, engine).await
            }
            _ => {
                // What is lost is written again with the next change, by whoever decides.
                warn!(strategy = %shelved.strategy, "the bus has lost versions of the parameters");
                shelved.raw = found;
                Ok(())
            }
        }
    }

    async fn put_in_force(
        &mut self,
        index: usize,
        book: ParamBook,
        raw: Option<Bytes>,
        engine: &mpsc::Sender<Change>,
    ) -> Result<(), Vec<String>> {
        let Some(version) = book.in_force().cloned() else { return Ok(()) };
        let (done, answer) = oneshot::channel();
        let told = self.shard.is_first();
        let gone = || vec!["athena is ending; the version is kept and in force at her next start".to_owned()];
        engine.send(Change { version, told, done }).await.map_err(|_ended| gone())?;
        let taken = answer.await.map_err(|_ended| gone())?;
        taken.map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let shelved = &mut self.shelved[index];
        (shelved.book, shelved.raw) = (book, raw);
        Ok(())
    }

    /// Writes a book in the place of `before`. While the bus is away it is tried on: nothing trades then either. An attempt in doubt is
    /// settled by reading.
    async fn keep(
        &self,
        strategy: &StrategyId,
        before: Option<&[u8]>,
        book: &ParamBook,
    ) -> Result<(Bytes, Kept), String> {
        let key = Key::Params(strategy.clone());
        let after = encode(&self.origin.wrap(book, clock::now())).map_err(|error| format!("{key}: {error}"))?;
        loop {
            match self.bus.replace(&key, before, after.clone()).await {
                Ok(true) => return Ok((after, Kept::Yes)),
                Ok(false) => {
                    let found = retry("parameters", || self.bus.get(&key)).await;
                    let ours = found.as_ref() == Some(&after);
                    return Ok((after, if ours { Kept::Yes } else { Kept::No(found) }));
                }
                Err(error) if error.is_transient() => {
                    warn!(%key, %error, "the parameters could not be kept; trying on");
                    tokio::time::sleep(RETRY_EVERY).await;
                }
                Err(error) => return Ok((after, Kept::Refused(error))),
            }
        }
    }

    async fn acknowledge(&self, ack: &Ack) {
        match encode(&self.acks.wrap(ack, clock::now())) {
            Ok(payload) => {
                retry("control.acks", || self.bus.append(Stream::Acks, payload.clone())).await;
            }
            Err(error) => warn!(command = ack.id, %error, "an acknowledgement cannot be written"),
        }
    }
}

fn decide(shelved: &Shelved, command: &Command) -> Result<Outcome, Vec<String>> {
    let author = |why| Author { by: &command.actor, why, command: Some(&command.id), at: clock::now() };
    match &command.action {
        Action::SetParams { expected, changes, why, .. } => {
            book::set(&shelved.book, &shelved.table, *expected, changes, &author(why))
        }
        Action::RollbackParams { to, expected, why, .. } => {
            book::rollback(&shelved.book, &shelved.table, *expected, *to, &author(why))
        }
        _ => Err(vec!["this is not Athena's to do".to_owned()]),
    }
}

/// What an Athena's snapshot says of a version: in force as well when she has nothing to do with the strategy. Of one that has been silent
/// for too long nothing is to be expected.
fn said(snapshot: Option<&[u8]>, strategy: &StrategyId, version: u64, now: Timestamp) -> Said {
    let Some(Ok(envelope)) = snapshot.map(decode::<AthenaState>) else { return Said::Nothing };
    let state = envelope.body;
    let params = state.params.iter().find(|params| params.strategy == *strategy);
    match params {
        _ if now.since(state.at) > SILENT_AFTER => Said::Nothing,
        Some(params) if params.version < version => Said::NotYet,
        _ => Said::InForce,
    }
}

fn readable(strategy: &StrategyId, raw: &[u8]) -> Option<ParamBook> {
    match decode::<ParamBook>(raw) {
        Ok(envelope) if envelope.body.strategy == *strategy => Some(envelope.body),
        Ok(envelope) => {
            warn!(%strategy, found = %envelope.body.strategy, "the kept parameters are another strategy's; the file's count");
            None
        }
        Err(error) => {
            warn!(%strategy, %error, "the kept parameters cannot be read; the file's count");
            None
        }
    }
}

fn log(strategy: &StrategyId, book: &ParamBook) {
    if let Some(ParamVersion { version, by, why, .. }) = book.in_force() {
        info!(%strategy, version, by, why, "parameters");
    }
}
