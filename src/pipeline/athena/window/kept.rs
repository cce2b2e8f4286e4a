//! A window as it is kept over restarts: a head that is written with every change, and chunks that are written once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{CAPACITY, CHUNK, Chunk, ChunkError, Gap, Held, Window};
use crate::domain::Timestamp;

/// Places under which chunks are kept, one after another and then round again. A full window has half of them.
const PLACES: u64 = 1_024;
const _: () =
    assert!(CAPACITY / (CHUNK - 1) + 2 <= 1_024, "a chunk would be overwritten while the window still needs it");

/// Everything of a window but its closed chunks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptWindow {
    /// The number of its first chunk.
    first: u64,
    /// How many samples of that chunk have left the window.
    gone: usize,
    /// How many chunks are closed.
    closed: u64,
    /// The chunk that is still open.
    open: ChunkDoc,
    /// The newest sample ever taken.
    newest: Option<(Timestamp, u64)>,
    /// What is older does not count.
    floor: Timestamp,
    /// What was not seen.
    gaps: Vec<Gap>,
}

/// A chunk as it lies on the bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkDoc {
    /// Its bytes in base 64.
    samples: String,
}

impl ChunkDoc {
    fn new(chunk: &Chunk) -> Self {
        Self { samples: STANDARD.encode(chunk.bytes()) }
    }

    fn chunk(&self, number: u64) -> Result<Chunk, ChunkError> {
        let bytes = STANDARD.decode(&self.samples).map_err(|_not_base64| ChunkError::Checksum)?;
        Chunk::parse(number, bytes.into())
    }
}

/// Why a kept window is not taken up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// It was never written, or is lost.
    #[error("chunk {0} of its window is missing")]
    Missing(u64),
    /// It cannot be read.
    #[error("chunk {number} of its window cannot be read: {why}")]
    Damaged {
        /// Which.
        number: u64,
        /// What is wrong with it.
        why: ChunkError,
    },
    /// The samples contradict one another.
    #[error("its window is not in order at chunk {0}")]
    Order(u64),
    /// It claims more than a window holds.
    #[error("its window claims {0} chunks")]
    TooLong(u64),
}

/// What of a window is to be written; made into documents off the hot path.
#[derive(Debug)]
pub struct Keep {
    window: KeptWindow,
    number: u64,
    open: Vec<Held>,
    chunks: Vec<Chunk>,
}

impl Keep {
    /// The head, and each chunk with its place.
    #[must_use]
    pub fn documents(mut self) -> (KeptWindow, Vec<(u64, ChunkDoc)>) {
        self.window.open = ChunkDoc::new(&Chunk::encode(self.number, &self.open));
        let chunks = self.chunks.iter().map(|chunk| (chunk.number() % PLACES, ChunkDoc::new(chunk)));
        (self.window, chunks.collect())
    }
}

impl KeptWindow {
    /// The places of its closed chunks, oldest first.
    ///
    /// # Errors
    /// When there cannot be so many.
    pub fn places(&self) -> Result<Vec<u64>, RestoreError> {
        if self.closed >= PLACES {
            return Err(RestoreError::TooLong(self.closed));
        }
        Ok(self.numbers().map(|number| number % PLACES).collect())
    }

    fn numbers(&self) -> impl Iterator<Item = u64> + use<> {
        let first = self.first;
        (0..self.closed).map(move |index| first.wrapping_add(index))
    }
}

impl Window {
    /// What has changed since the last time; with `whole` also what was handed out before, because it may have been lost.
    pub fn keep(&mut self, whole: bool) -> Keep {
        let mut chunks = std::mem::take(&mut self.fresh);
        let (mut first, mut gone) = (self.closed.front().map_or(self.next, Chunk::number), 0);
        if !self.front.is_empty() {
            (first, gone) = self.front_of;
        }
        if whole {
            chunks = self.closed.iter().cloned().collect();
            if !self.front.is_empty() {
                gone = 0;
                self.front_of.1 = 0;
                chunks.push(Chunk::encode(first, self.front.make_contiguous()));
            }
        }
        let window = KeptWindow {
            first,
            gone,
            closed: self.next.wrapping_sub(first),
            open: ChunkDoc { samples: String::new() },
            newest: self.newest,
            floor: self.floor,
            gaps: self.gaps.iter().copied().collect(),
        };
        Keep { window, number: self.next, open: self.back.iter().copied().collect(), chunks }
    }

    /// Takes up a kept window, with its chunks in the order of its places, and forgets what is too old for its own length.
    ///
    /// # Errors
    /// What is wrong with it; then nothing has changed.
    pub fn restore(&mut self, kept: &KeptWindow, chunks: &[Option<ChunkDoc>]) -> Result<(), RestoreError> {
        let mut window = Self::new(self.span, self.min_ticks);
        window.next = kept.first.wrapping_add(kept.closed);
        for (index, number) in kept.numbers().enumerate() {
            let doc = chunks.get(index).and_then(Option::as_ref).ok_or(RestoreError::Missing(number))?;
            window.put_back(number, doc, if index == 0 { kept.gone } else { 0 }, true)?;
        }
        window.put_back(window.next, &kept.open, 0, false)?;
        let without_newest = window.back.is_empty() && window.len > 0;
        if window.newest > kept.newest || window.len > CAPACITY || without_newest {
            return Err(RestoreError::Order(window.next));
        }
        (window.newest, window.floor) = (kept.newest, kept.floor);
        window.gaps = kept.gaps.iter().copied().collect();
        window.resize(self.span, self.min_ticks);
        *self = window;
        Ok(())
    }

    fn put_back(&mut self, number: u64, doc: &ChunkDoc, gone: usize, closed: bool) -> Result<(), RestoreError> {
        let damaged = |why| RestoreError::Damaged { number, why };
        let chunk = doc.chunk(number).map_err(damaged)?;
        let mut samples = chunk.decode().map_err(damaged)?;
        samples.drain(..gone.min(samples.len()));
        for held in &mut samples {
            let place = (held.sample.at, held.sample.id);
            if self.newest.is_some_and(|newest| place <= newest) {
                return Err(RestoreError::Order(number));
            }
            self.newest = Some(place);
            if self.len == 0 {
                held.change = 0;
            }
            self.len += 1;
            self.squares += super::square(held.change);
            self.volume += held.sample.qty;
        }
        if !closed {
            self.back = samples.into();
        } else if self.front.is_empty() && self.closed.is_empty() {
            self.front_of = (number, gone);
            self.front = samples.into();
        } else {
            self.closed.push_back(chunk);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use proptest::prelude::*;
    use rust_decimal::{Decimal, dec};

    use super::super::Sample;
    use super::*;
    use crate::domain::{Price, Size};

    /// The bus: what lies under each place, and the last head.
    #[derive(Default)]
    struct Store {
        head: Option<KeptWindow>,
        chunks: HashMap<u64, ChunkDoc>,
        written: usize,
    }

    impl Store {
        fn write(&mut self, keep: Keep) {
            let (head, chunks) = keep.documents();
            self.head = Some(head);
            self.written += chunks.len();
            self.chunks.extend(chunks);
        }

        fn read(&self, span: Duration) -> Result<Window, RestoreError> {
            let mut window = Window::new(span, 2);
            let head = self.head.as_ref().expect("something was written");
            let chunks: Vec<_> = head.places()?.iter().map(|place| self.chunks.get(place).cloned()).collect();
            window.restore(head, &chunks)?;
            Ok(window)
        }
    }

    const SPAN: Duration = Duration::from_hours(1);

    fn sample(second: i64) -> Sample {
        let price = Price(Decimal::new(8_700_000 + second * 37 % 1_000, 2));
        Sample { at: Timestamp::from_secs(second), id: second.unsigned_abs(), price, qty: Size(dec!(0.25)) }
    }

    fn same(one: &Window, other: &Window) {
        assert_eq!(one.samples(), other.samples());
        assert_eq!(
            (one.len(), one.volume(), one.squares, one.newest, one.floor),
            (other.len(), other.volume(), other.squares, other.newest, other.floor)
        );
        assert_eq!((one.first(), one.last(), one.change()), (other.first(), other.last(), other.change()));
        assert_eq!(one.gaps().collect::<Vec<_>>(), other.gaps().collect::<Vec<_>>());
    }

    #[test]
    fn an_hour_is_written_once_and_comes_back_as_it_was() {
        let (mut window, mut store) = (Window::new(SPAN, 2), Store::default());
        for second in 0..9_000 {
            window.push(sample(second));
            store.write(window.keep(false));
        }
        assert_eq!((window.len(), store.written), (3_601, 9_000 / CHUNK), "each chunk once");
        same(&window, &store.read(SPAN).expect("whole"));
    }

    #[test]
    fn what_is_wrong_with_it_is_named() {
        let (mut window, mut store) = (Window::new(SPAN, 2), Store::default());
        (0..1_000).for_each(|second| assert_eq!(window.push(sample(second)), super::super::Push::Taken));
        store.write(window.keep(false));
        let good = store.chunks.clone();
        let why = |store: &Store| store.read(SPAN).expect_err("refused").to_string();
        store.chunks.remove(&1);
        assert_eq!(why(&store), "chunk 1 of its window is missing");
        store.chunks = good.clone();
        store.chunks.insert(1, good[&2].clone());
        assert_eq!(why(&store), "chunk 1 of its window cannot be read: it is chunk 2");
        store.chunks.insert(1, ChunkDoc { samples: "AAAA".into() });
        assert_eq!(why(&store), "chunk 1 of its window cannot be read: it does not hold what it claims to");
        store.chunks = good;
        store.head.as_mut().expect("a head").open = ChunkDoc::new(&Chunk::encode(3, &[]));
        assert_eq!(why(&store), "its window is not in order at chunk 3");
        store.head.as_mut().expect("a head").closed = PLACES;
        assert_eq!(why(&store), "its window claims 1024 chunks");
    }

    #[test]
    fn a_store_that_has_lost_everything_gets_the_whole_again() {
        let (mut window, mut store) = (Window::new(SPAN, 2), Store::default());
        for second in 0..5_000 {
            window.push(sample(second));
            store.write(window.keep(false));
        }
        store = Store::default();
        store.write(window.keep(false));
        assert!(store.read(SPAN).is_err());
        store.write(window.keep(true));
        same(&window, &store.read(SPAN).expect("whole"));
        for second in 5_000..5_400 {
            window.push(sample(second));
            store.write(window.keep(false));
        }
        same(&window, &store.read(SPAN).expect("whole"));
    }

    proptest! {
        #[test]
        fn wherever_it_was_kept_it_goes_on_as_if_nothing_had_happened(
            steps in proptest::collection::vec((0_i64..90, 0_u8..40), 100..1_500),
            span in 60_u64..20_000,
            restart in any::<prop::sample::Index>(),
        ) {
            let span = Duration::from_secs(span);
            let (mut window, mut store) = (Window::new(span, 2), Store::default());
            let restart = restart.index(steps.len());
            let mut second = 0;
            for (index, (step, what)) in steps.into_iter().enumerate() {
                second += step;
                window.push(sample(second));
                match what {
                    0 => window.note_gap(Gap { from: Timestamp::from_secs(second), to: Timestamp::from_secs(second + step) }),
                    1 => window.keep_from(Timestamp::from_secs(second - 100)),
                    2..10 => store.write(window.keep(what == 2)),
                    _ => {}
                }
                if index == restart {
                    store.write(window.keep(false));
                    let read = store.read(span).expect("whole");
                    same(&window, &read);
                    window = read;
                }
            }
            let mut all = Window::new(Duration::from_hours(240_000), 2);
            window.samples().into_iter().for_each(|sample| { all.push(sample); });
            prop_assert_eq!(window.len(), all.len());
            prop_assert_eq!((window.volume(), window.squares), (all.volume(), all.squares));
        }
    }
}
