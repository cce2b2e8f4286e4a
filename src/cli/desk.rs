//! How a command line reaches a desk: over the bus when it is Redis, else through the socket in its state directory.

use std::path::PathBuf;
use std::time::Duration;

use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::CliError;
use super::beside::Beside;
use crate::bus::{BusRef, EntryId, Envelope, Key, Origin, Stream, control, decode};
use crate::clock;
use crate::config::Config;
use crate::domain::params::RISK;
use crate::domain::{
    Ack, Action, ArgosState, AthenaState, Command, HermesState, Mode, ParamBook, Status, Timestamp, TradeEvent,
};
use crate::exec::socket::{self, Page, Reply, Request, Told};
use crate::wire;

/// How long a daemon may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Events read at a time.
const PAGE: usize = 500;

/// Where a desk can be reached.
#[derive(Debug)]
pub(super) struct Desk {
    bus: Option<BusRef>,
    origin: Origin,
    state_dir: PathBuf,
    mode: Mode,
}

impl Desk {
    pub(super) fn of(config: &Config) -> Result<Self, CliError> {
        let bus = if config.bus_url.is_memory() { None } else { Some(wire::connect(config)?) };
        let origin = Origin::new("cli", &Uuid::new_v4().to_string());
        Ok(Self { bus, origin, state_dir: config.state_dir()?, mode: config.mode })
    }

    /// The status document.
    pub(super) async fn status(&self) -> Result<Status, CliError> {
        let over_bus = match &self.bus {
            Some(bus) => read_states(bus, self.mode).await,
            None => Err(CliError::NoDaemon("no bus between processes".to_owned())),
        };
        let Err(bus_error) = over_bus else { return over_bus };
        match self.ask(Request::Status { status: true }).await {
            Ok(Reply::Status(status)) => Ok(*status),
            Ok(other) => Err(unexpected(&other)),
            Err(socket_error) => Err(if self.bus.is_some() { bus_error } else { socket_error }),
        }
    }

    /// Hermes' own snapshot: the kill's steps and proof.
    pub(super) async fn hermes(&self) -> Result<Option<HermesState>, CliError> {
        if let Some(bus) = &self.bus
            && let Ok(state) = read(bus, &Key::HERMES).await
        {
            return Ok(state);
        }
        match self.ask(Request::Hermes { hermes: true }).await? {
            Reply::Hermes(state) => Ok(Some(*state)),
            other => Err(unexpected(&other)),
        }
    }

    /// Kills by every way there is at once: Hermes' socket and the bus. Unless Hermes says that it is killed, the latch file is
    /// written too: the bus may lose what it has acknowledged. A snapshot that is older than what this gives knows nothing of the kill.
    pub(super) async fn kill(&self, by: &str, why: &str) -> Result<Timestamp, CliError> {
        let over_bus = async {
            match &self.bus {
                Some(bus) => {
                    let killed = control::kill(bus, &self.origin, by, why, clock::now()).await;
                    killed.map(|latch| latch.at).map_err(|error| error.to_string())
                }
                None => Err("no bus between processes".to_owned()),
            }
        };
        let beside = Beside::of(self.state_dir.clone());
        let (beside, bus) = tokio::join!(beside.kill(by, why), over_bus);
        let not_taken = match beside {
            Ok(at) => return Ok(at),
            Err(not_taken) => not_taken,
        };
        match bus {
            Ok(at) => {
                if !not_taken.is_written {
                    eprintln!("cockpit: the kill is on the bus, but nowhere else: {not_taken}");
                }
                Ok(at)
            }
            Err(bus) if not_taken.is_written => {
                Err(CliError::NoDaemon(format!("no daemon has taken the kill (bus: {bus}; {not_taken})")))
            }
            Err(bus) => Err(CliError::Failed(anyhow::anyhow!("nothing has taken the kill: bus: {bus}; {not_taken}"))),
        }
    }

    /// Asks a daemon to do something and waits for its answer: over the bus when there is one and it is up, else over Hermes' socket,
    /// which passes on what is not his.
    pub(super) async fn command(&self, actor: &str, action: Action) -> Result<Ack, CliError> {
        let now = clock::now();
        let command = control::make(actor, action, now);
        let Some(bus) = &self.bus else { return self.command_over_socket(command).await };
        match control::ask(bus, &self.origin, &command, ANSWER_WITHIN, now).await {
            Ok(Some(ack)) => Ok(ack),
            Ok(None) => Err(CliError::NoDaemon(format!(
                "the bus is up, but no {} answered within {} s; whether it is done is not known: look again",
                command.action.addressee(),
                ANSWER_WITHIN.as_secs()
            ))),
            Err(down) => self.command_over_socket(command).await.map_err(|socket| match socket {
                CliError::NoDaemon(socket) => CliError::NoDaemon(format!("the bus is down: {down}; and {socket}")),
                other => other,
            }),
        }
    }

    /// Every strategy's book of parameters, and that of the limits.
    pub(super) async fn books(&self) -> Result<Vec<ParamBook>, CliError> {
        let Some(bus) = &self.bus else {
            return match self.ask(Request::Params { params: true }).await? {
                Reply::Params { params } => Ok(params),
                other => Err(unexpected(&other)),
            };
        };
        let athena: Option<AthenaState> = read(bus, &Key::ATHENA).await?;
        let strategies = athena.map_or_else(Vec::new, |athena| athena.params);
        let mut books = Vec::new();
        for name in strategies.into_iter().map(|params| params.strategy).chain([RISK.into()]) {
            books.extend(read::<ParamBook>(bus, &Key::Params(name)).await?);
        }
        if books.is_empty() {
            return Err(CliError::NoDaemon("neither athena nor hermes has ever run on this bus".to_owned()));
        }
        Ok(books)
    }

    /// Events after `after`, oldest first, at most a page of them, with the place of the last; none when there are no more. What cannot
    /// be read is left out.
    pub(super) async fn events(&self, after: EntryId) -> Result<Option<(EntryId, Vec<TradeEvent>)>, CliError> {
        let told: Vec<(EntryId, Option<TradeEvent>)> = if let Some(bus) = &self.bus {
            let read = bus.read(Stream::Events, after, PAGE, Duration::ZERO).await;
            let entries = read.map_err(|error| CliError::NoDaemon(format!("{}: {error}", Stream::Events)))?;
            let event = |payload: &[u8]| decode(payload).ok().map(|envelope: Envelope<TradeEvent>| envelope.body);
            entries.into_iter().map(|entry| (entry.id, event(&entry.payload))).collect()
        } else {
            let page = Page { after: after.to_string(), count: PAGE };
            let reply = self.ask(Request::Events { events: page }).await?;
            let Reply::Events { events } = reply else { return Err(unexpected(&reply)) };
            let id = |told: &Told| EntryId::parse(&told.id).unwrap_or(after);
            events.into_iter().map(|told| (id(&told), told.event.map(|event| *event))).collect()
        };
        let last = told.last().map(|(id, _)| *id).filter(|last| *last > after);
        Ok(last.map(|last| (last, told.into_iter().filter_map(|(_, event)| event).collect())))
    }

    async fn command_over_socket(&self, command: Command) -> Result<Ack, CliError> {
        match self.ask(Request::Command(command)).await? {
            Reply::Ack(ack) => Ok(ack),
            other => Err(unexpected(&other)),
        }
    }

    async fn ask(&self, request: Request) -> Result<Reply, CliError> {
        let path = socket::path_in(&self.state_dir);
        match socket::ask(&path, request).await {
            Ok(Reply::Error { error }) => Err(CliError::Refused(error)),
            Ok(reply) => Ok(reply),
            Err(error) => Err(CliError::NoDaemon(error.to_string())),
        }
    }
}

fn unexpected(reply: &Reply) -> CliError {
    CliError::Failed(anyhow::anyhow!("hermes answered something else: {reply:?}"))
}

/// The status document from the snapshots on the bus.
pub(super) async fn read_states(bus: &BusRef, mode: Mode) -> Result<Status, CliError> {
    let argos: Option<ArgosState> = read(bus, &Key::ARGOS).await?;
    let athena: Option<AthenaState> = read(bus, &Key::ATHENA).await?;
    let hermes: Option<HermesState> = read(bus, &Key::HERMES).await?;
    Ok(Status::of(mode, argos.as_ref(), athena.as_ref(), hermes.as_ref(), clock::now()))
}

/// A daemon's snapshot; nothing when it has never written one.
async fn read<T: DeserializeOwned>(bus: &BusRef, key: &Key) -> Result<Option<T>, CliError> {
    let payload = bus.get(key).await.map_err(|error| CliError::NoDaemon(format!("{key}: {error}")))?;
    payload
        .map(|payload| decode(&payload).map(|envelope: Envelope<T>| envelope.body))
        .transpose()
        .map_err(|error| CliError::Failed(anyhow::anyhow!("{key}: {error}")))
}
