//! What an earlier run left: the strategies' states with their windows, and up to where they go.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info, warn};

use super::inputs::retry;
use super::sequence::{Sequence, UpTo};
use crate::bus::{BusRef, CodecError, Key, decode};
use crate::clock;
use crate::domain::{StrategyId, Symbol};
use crate::pipeline::athena::{ChunkDoc, Engine, KeptState, Shard};

/// States read in one exchange: with an hour each they are a few megabytes.
const BATCH: usize = 64;

type Instrument = (StrategyId, Symbol);

/// A state that was found, with the parts of its window.
struct Found {
    key: Instrument,
    state: KeptState,
    chunks: Vec<Option<ChunkDoc>>,
}

/// Gives the engine what was kept. A state that cannot be taken up is named, and its strategy starts cold. The sequence goes on where the
/// states end, so that the first message shows what was missed. A state of which nobody knows where it ends (it was not kept together with
/// the others, nothing was heard of its feed, or it starts cold) has missed all that lies between its newest and now.
pub(super) async fn recall(bus: &BusRef, shard: Shard, engine: &mut Engine) -> Sequence {
    let begun = clock::monotonic();
    let keys = engine.keys();
    let mut warm = HashSet::new();
    let (reading, mut batches) = read_ahead(bus, &keys);
    while let Some(batch) = batches.recv().await {
        for Found { key, state, chunks } in batch {
            match engine.restore(&key, &state, &chunks, clock::now()) {
                Ok(()) => {
                    warm.insert(key);
                }
                Err(why) => cold(&key, &why),
            }
        }
    }
    if let Err(error) = reading.await {
        error!(%error, "not everything that was kept was read: what is left starts cold");
    }
    let heard = recall_heard(bus, shard).await;
    let taken_up = warm.len();
    let covered: HashSet<_> = heard.states.iter().filter(|key| warm.contains(*key)).collect();
    engine.note_unseen(|key, feed| covered.contains(key) && heard.tells(feed), clock::now());
    info!(taken_up, of = keys.len(), ms = begun.elapsed().as_millis(), "what was kept is taken up");
    Sequence::resume(heard.feeds)
}

/// Reads the next batch while the engine takes up the one before.
fn read_ahead(bus: &BusRef, keys: &[Instrument]) -> (AbortOnDropHandle<()>, mpsc::Receiver<Vec<Found>>) {
    let (sender, batches) = mpsc::channel(1);
    let (bus, keys) = (Arc::clone(bus), keys.to_vec());
    let reading = tokio::spawn(async move {
        for batch in keys.chunks(BATCH) {
            let found = read_batch(&bus, batch).await;
            if sender.send(found).await.is_err() {
                return;
            }
        }
    });
    (AbortOnDropHandle::new(reading), batches)
}

async fn read_batch(bus: &BusRef, batch: &[Instrument]) -> Vec<Found> {
    let names: Vec<Key> =
        batch.iter().map(|(strategy, symbol)| Key::Strategy(strategy.clone(), symbol.clone())).collect();
    let heads = retry("strategy state", || bus.get_all(&names)).await;
    let mut found = Vec::new();
    for (key, head) in batch.iter().zip(heads) {
        let Some(head) = head else { continue };
        match read_head(key, &head) {
            Ok((state, parts)) => found.push((key, state, parts)),
            Err(why) => cold(key, &why),
        }
    }
    let parts: Vec<Key> = found.iter().flat_map(|(.., parts)| parts.iter().cloned()).collect();
    let mut chunks = retry("windows", || bus.get_all(&parts)).await.into_iter();
    let mut read = Vec::new();
    for (key, state, parts) in found {
        let own: Vec<_> = chunks.by_ref().take(parts.len()).collect();
        match own.into_iter().map(read_chunk).collect::<Result<Vec<_>, _>>() {
            Ok(chunks) => read.push(Found { key: key.clone(), state, chunks }),
            Err(error) => cold(key, &format!("a part of its window cannot be read: {error}")),
        }
    }
    read
}

/// The state, and the keys of the parts of its window.
fn read_head(key: &Instrument, head: &[u8]) -> Result<(KeptState, Vec<Key>), String> {
    let envelope = decode::<Box<RawValue>>(head).map_err(|error| error.to_string())?;
    let state = KeptState::read(&envelope.body)?;
    let part = |place| Key::Chunk(key.0.clone(), key.1.clone(), place);
    let parts = state.places()?.into_iter().map(part).collect();
    Ok((state, parts))
}

fn read_chunk(chunk: Option<Bytes>) -> Result<Option<ChunkDoc>, CodecError> {
    chunk.map(|chunk| decode(&chunk).map(|envelope| envelope.body)).transpose()
}

fn cold((strategy, symbol): &Instrument, why: &str) {
    warn!(%strategy, %symbol, why, "its kept state is refused: it starts cold");
}

async fn recall_heard(bus: &BusRef, shard: Shard) -> UpTo {
    let key = Key::Heard(shard.index());
    match retry("what was heard", || bus.get(&key)).await.map(|payload| decode::<UpTo>(&payload)) {
        None => UpTo::default(),
        Some(Ok(envelope)) => envelope.body,
        Some(Err(error)) => {
            warn!(%key, %error, "up to where the kept states go is not known");
            UpTo::default()
        }
    }
}
