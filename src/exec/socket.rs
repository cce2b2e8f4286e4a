//! The control socket `hermes.sock` in the state directory: the way to Hermes without the bus. One JSON document a line.
//!
//! A request is a [`Command`], `{"status":true}`, `{"hermes":true}`, `{"params":true}` or `{"events":{"after":"0-0","count":100}}`; the
//! reply is an [`Ack`], a [`Status`], a [`HermesState`], the books of parameters or events. A kill is carried out before the reply is
//! written. What is Athena's to do goes to her over the bus, so that a desk without a bus between processes can be asked too.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::hermes::Office;
use crate::bus::{BusRef, EntryId, Envelope, Key, Origin, Stream, control, decode};
use crate::clock;
use crate::domain::params::RISK;
use crate::domain::{
    Ack, Addressee, ArgosState, AthenaState, Command, HermesState, Mode, ParamBook, Status, TradeEvent,
};

/// The longest path that a Unix socket can have, by the kernel's `sockaddr_un`.
const PATH_MOST: usize = 107;
/// The longest request.
const REQUEST_MOST: u64 = 64 * 1024;
/// The longest reply that a client reads.
const REPLY_MOST: u64 = 16 * 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(25);
/// How long Athena may take to answer what is passed on to her.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Most events in one reply.
const EVENTS_MOST: usize = 500;
/// Callers served at one time; more are turned away.
const CALLERS: usize = 32;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Request {
    /// The desk's status.
    Status {
        /// Always true.
        status: bool,
    },
    /// Hermes' own snapshot, with the kill's steps and proof.
    Hermes {
        /// Always true.
        hermes: bool,
    },
    /// Every strategy's book of parameters, and that of the limits.
    Params {
        /// Always true.
        params: bool,
    },
    /// Entries of `trade.events`.
    Events {
        /// Which.
        events: Page,
    },
    /// A command.
    Command(Command),
}

/// A part of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Entries after this one: `0-0` is before the first.
    pub after: String,
    /// How many at most; never more than 500 are answered.
    pub count: usize,
}

/// An entry of `trade.events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Its place in the stream.
    pub id: String,
    /// The event; absent when it cannot be read.
    pub event: Option<Box<TradeEvent>>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Reply {
    /// To a status request.
    Status(Box<Status>),
    /// To a request for Hermes' snapshot.
    Hermes(Box<HermesState>),
    /// To a request for parameters.
    Params {
        /// Every strategy's book, and that of the limits.
        params: Vec<ParamBook>,
    },
    /// To a request for events.
    Events {
        /// Oldest first; none when there are no more.
        events: Vec<Told>,
    },
    /// To a command.
    Ack(Ack),
    /// The request could not be understood or served.
    Error {
        /// Why.
        error: String,
    },
}

/// What can go wrong with the socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The path does not fit.
    #[error("socket path {path} has {length} bytes, at most {PATH_MOST} are possible: use a shorter state_dir")]
    TooLong {
        /// The path.
        path: String,
        /// Its length.
        length: usize,
    },
    /// Another Hermes answers there.
    #[error("another hermes is running on {0}: give this one its own state_dir, or stop that one")]
    InUse(String),
    /// Nobody answers there.
    #[error("no hermes answers on {path}: {source}")]
    NoAnswer {
        /// The path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It cannot be opened.
    #[error("socket {path}: {source}")]
    Io {
        /// The path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The reply cannot be read.
    #[error("the reply of hermes cannot be read: {0}")]
    Unreadable(String),
}

/// The socket of this state directory.
#[must_use]
pub fn path_in(state_dir: &Path) -> PathBuf {
    state_dir.join("hermes.sock")
}

fn checked(path: &Path) -> Result<(), SocketError> {
    let length = path.as_os_str().len();
    if length > PATH_MOST {
        return Err(SocketError::TooLong { path: path.display().to_string(), length });
    }
    Ok(())
}

/// Asks the Hermes behind this socket.
///
/// # Errors
/// [`SocketError`] when nobody answers within 25 s or the reply cannot be read.
pub async fn ask(path: &Path, request: Request) -> Result<Reply, SocketError> {
    checked(path)?;
    let name = path.display().to_string();
    let no_answer = |source| SocketError::NoAnswer { path: name.clone(), source };
    let exchange = async {
        let mut stream = UnixStream::connect(path).await?;
        let mut line = serde_json::to_vec(&request)?;
        line.push(b'\n');
        stream.write_all(&line).await?;
        let mut reply = String::new();
        BufReader::new(stream).take(REPLY_MOST).read_line(&mut reply).await?;
        Ok::<String, io::Error>(reply)
    };
    let reply = tokio::time::timeout(TIMEOUT, exchange)
        .await
        .map_err(|_| no_answer(io::ErrorKind::TimedOut.into()))?
        .map_err(no_answer)?;
    serde_json::from_str(&reply).map_err(|error| SocketError::Unreadable(error.to_string()))
}

/// Opens the socket, for its owner only. A file left behind by a dead Hermes is replaced, a living one is not.
pub(super) async fn listen(state_dir: &Path) -> Result<UnixListener, SocketError> {
    let path = path_in(state_dir);
    // Bound under another name and renamed once its mode is set: nobody else can connect in between.
    let scratch = state_dir.join("hermes.sock.new");
    checked(&scratch)?;
    if UnixStream::connect(&path).await.is_ok() {
        return Err(SocketError::InUse(path.display().to_string()));
    }
    let open = || {
        fs::create_dir_all(state_dir)?;
        match fs::remove_file(&scratch) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&scratch)?;
        fs::set_permissions(&scratch, fs::Permissions::from_mode(0o600))?;
        fs::rename(&scratch, &path)?;
        Ok(listener)
    };
    open().map_err(|source| SocketError::Io { path: path.display().to_string(), source })
}

/// What answers need.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub(super) mode: Mode,
    pub(super) bus: BusRef,
    pub(super) office: Arc<Office>,
}

/// Serves until the end, then removes the socket.
pub(super) async fn serve(listener: UnixListener, state_dir: PathBuf, door: Door, end: CancellationToken) {
    let room = Arc::new(Semaphore::new(CALLERS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = end.cancelled() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the control socket did not accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
        let (door, end) = (door.clone(), end.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = converse(stream, door) => {}
                () = end.cancelled() => {}
            }
            drop(permit);
        });
    }
    if let Err(error) = fs::remove_file(path_in(&state_dir)) {
        tracing::debug!(%error, "the control socket was gone already");
    }
}

/// Answers one caller, line by line, until he hangs up or says nothing for a while.
async fn converse(stream: UnixStream, door: Door) {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = String::new();
        let mut bounded = (&mut reader).take(REQUEST_MOST);
        match tokio::time::timeout(TIMEOUT, bounded.read_line(&mut line)).await {
            Ok(Ok(length)) if length > 0 => {}
            Ok(Ok(_) | Err(_)) | Err(_) => return,
        }
        let reply = answer(&line, &door).await;
        let mut bytes =
            serde_json::to_vec(&reply).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}").into_bytes());
        bytes.push(b'\n');
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn answer(line: &str, door: &Door) -> Reply {
    match serde_json::from_str(line) {
        Ok(Request::Status { .. }) => Reply::Status(Box::new(status(door).await)),
        Ok(Request::Hermes { .. }) => match state(door, Key::HERMES).await {
            Some(state) => Reply::Hermes(Box::new(state)),
            None => Reply::Error { error: "hermes has not written its snapshot yet".to_owned() },
        },
        Ok(Request::Params { .. }) => params(door).await,
        Ok(Request::Events { events }) => tell(door, &events).await,
        Ok(Request::Command(command)) if command.action.addressee() == Addressee::Athena => {
            forward(door, command).await
        }
        Ok(Request::Command(command)) => Reply::Ack(door.office.command(command).await),
        Err(error) => Reply::Error {
            error: format!("neither a command nor a request for status, hermes, params or events: {error}"),
        },
    }
}

/// Passes a command on to Athena and waits for her answer.
async fn forward(door: &Door, command: Command) -> Reply {
    let origin = Origin::new("hermes", "socket");
    match control::ask(&door.bus, &origin, &command, ANSWER_WITHIN, clock::now()).await {
        Ok(Some(ack)) => Reply::Ack(ack),
        Ok(None) => Reply::Error { error: format!("athena did not answer within {} s", ANSWER_WITHIN.as_secs()) },
        Err(error) => Reply::Error { error: format!("athena cannot be asked: {error}") },
    }
}

async fn params(door: &Door) -> Reply {
    let athena = state::<AthenaState>(door, Key::ATHENA).await;
    let strategies = athena.map_or_else(Vec::new, |athena| athena.params);
    let mut params = Vec::new();
    for name in strategies.into_iter().map(|params| params.strategy).chain([RISK.into()]) {
        params.extend(state::<ParamBook>(door, Key::Params(name)).await);
    }
    if params.is_empty() {
        return Reply::Error { error: "no parameters are known yet".to_owned() };
    }
    Reply::Params { params }
}

async fn tell(door: &Door, page: &Page) -> Reply {
    let Some(after) = EntryId::parse(&page.after) else {
        return Reply::Error { error: format!("after = '{}': not the id of an entry, such as 0-0", page.after) };
    };
    match door.bus.read(Stream::Events, after, page.count.min(EVENTS_MOST), Duration::ZERO).await {
        Ok(entries) => {
            let told = |entry: crate::bus::Entry| Told {
                id: entry.id.to_string(),
                event: decode(&entry.payload).ok().map(|Envelope { body, .. }| Box::new(body)),
            };
            Reply::Events { events: entries.into_iter().map(told).collect() }
        }
        Err(error) => Reply::Error { error: format!("events cannot be read: {error}") },
    }
}

async fn status(door: &Door) -> Status {
    let (argos, athena, hermes) = tokio::join!(
        state::<ArgosState>(door, Key::ARGOS),
        state::<AthenaState>(door, Key::ATHENA),
        state(door, Key::HERMES)
    );
    let hermes: Option<HermesState> = hermes;
    Status::of(door.mode, argos.as_ref(), athena.as_ref(), hermes.as_ref(), clock::now())
}

async fn state<T: DeserializeOwned>(door: &Door, key: Key) -> Option<T> {
    match door.bus.get(&key).await {
        Ok(payload) => match decode(&payload?) {
            Ok(Envelope { body, .. }) => Some(body),
            Err(error) => {
                tracing::warn!(%key, %error, "a snapshot cannot be read");
                None
            }
        },
        Err(error) => {
            tracing::warn!(%key, %error, "a snapshot is missing from the status");
            None
        }
    }
}
