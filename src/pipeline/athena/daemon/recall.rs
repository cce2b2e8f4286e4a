//! What an earlier run left: the strategies' states with their windows, and up to where they go.

use std::collections::HashSet;

use serde_json::value::RawValue;
use tracing::{info, warn};

use super::inputs::retry;
use super::sequence::{Sequence, UpTo};
use crate::bus::{BusRef, CodecError, Key, decode};
use crate::clock;
use crate::domain::{StrategyId, Symbol};
use crate::pipeline::athena::{ChunkDoc, Engine, KeptState, Shard};

/// States read in one exchange: with an hour each they are a few megabytes.
const BATCH: usize = 64;

/// A state that was found, and the keys of its window's parts.
struct Found<'a> {
    key: &'a (StrategyId, Symbol),
    state: KeptState,
    parts: Vec<Key>,
}

/// Gives the engine what was kept. A state that cannot be taken up is named, and its strategy starts cold. The sequence goes on where the
/// states end, so that the first message shows what was missed. A state of which nobody knows where it ends (it was not kept together with
/// the others, nothing was heard of its feed, or it starts cold) has missed all that lies between its newest and now.
pub(super) async fn recall(bus: &BusRef, shard: Shard, engine: &mut Engine) -> Sequence {
    let begun = clock::monotonic();
    let keys = engine.keys();
    let mut warm = HashSet::new();
    for batch in keys.chunks(BATCH) {
        warm.extend(recall_batch(bus, batch, engine).await);
    }
    let heard = recall_heard(bus, shard).await;
    let taken_up = warm.len();
    let covered: HashSet<_> = heard.states.iter().filter(|key| warm.contains(*key)).collect();
    engine.note_unseen(|key, feed| covered.contains(key) && heard.tells(feed), clock::now());
    info!(taken_up, of = keys.len(), ms = begun.elapsed().as_millis(), "what was kept is taken up");
    Sequence::resume(heard.feeds)
}

async fn recall_batch(bus: &BusRef, batch: &[(StrategyId, Symbol)], engine: &mut Engine) -> Vec<(StrategyId, Symbol)> {
    let names: Vec<Key> =
        batch.iter().map(|(strategy, symbol)| Key::Strategy(strategy.clone(), symbol.clone())).collect();
    let heads = retry("strategy state", || bus.get_all(&names)).await;
    let mut found = Vec::new();
    for (key, head) in batch.iter().zip(heads) {
        let Some(head) = head else { continue };
        match read_head(key, &head) {
            Ok(state) => found.push(state),
            Err(why) => cold(key, &why),
        }
    }
    let parts: Vec<Key> = found.iter().flat_map(|found| found.parts.iter().cloned()).collect();
    let mut chunks = retry("windows", || bus.get_all(&parts)).await.into_iter();
    let mut taken_up = Vec::new();
    for Found { key, state, parts } in found {
        let own: Vec<_> = chunks.by_ref().take(parts.len()).collect();
        let read = |chunk: Option<bytes::Bytes>| chunk.map(|chunk| decode::<ChunkDoc>(&chunk)).transpose();
        let restored = own.into_iter().map(|chunk| read(chunk).map(|chunk| chunk.map(|envelope| envelope.body)));
        let restored = restored
            .collect::<Result<Vec<_>, CodecError>>()
            .map_err(|error| format!("a part of its window cannot be read: {error}"))
            .and_then(|chunks| engine.restore(key, &state, &chunks, clock::now()));
        match restored {
            Ok(()) => taken_up.push(key.clone()),
            Err(why) => cold(key, &why),
        }
    }
    taken_up
}

fn read_head<'a>(key: &'a (StrategyId, Symbol), head: &[u8]) -> Result<Found<'a>, String> {
    let envelope = decode::<Box<RawValue>>(head).map_err(|error| error.to_string())?;
    let state = KeptState::read(&envelope.body)?;
    let part = |place| Key::Chunk(key.0.clone(), key.1.clone(), place);
    let parts = state.places()?.into_iter().map(part).collect();
    Ok(Found { key, state, parts })
}

fn cold((strategy, symbol): &(StrategyId, Symbol), why: &str) {
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
