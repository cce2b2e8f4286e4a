//! Samples as bytes: each as its difference from the one before, in as few bytes as that needs, and a checksum behind all.

use bytes::Bytes;
use rust_decimal::Decimal;

use super::{Held, Sample};
use crate::domain::{Price, Size, Timestamp};

/// Bytes of the checksum.
const SUM: usize = 8;
/// Most samples that a chunk may claim to hold.
const MOST: u64 = 1 << 16;

/// Consecutive samples of a window, encoded. They do not change any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    number: u64,
    bytes: Bytes,
}

/// Why bytes are no chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// Some were changed or cut off.
    #[error("its checksum does not match")]
    Checksum,
    /// They end too early, or something is left.
    #[error("it does not hold what it claims to")]
    Length,
    /// A number that no encoder writes.
    #[error("it holds a number out of range")]
    Range,
    /// It is another chunk than was looked for.
    #[error("it is chunk {0}")]
    Number(u64),
}

impl Chunk {
    pub(super) fn encode(number: u64, samples: &[Held]) -> Self {
        let mut out = Vec::with_capacity(16 + samples.len() * 14);
        put(&mut out, number);
        put(&mut out, samples.len() as u64);
        let mut before = NOTHING;
        for held in samples {
            let sample = held.sample;
            put_signed(&mut out, sample.at.micros().wrapping_sub(before.at.micros()));
            put_signed(&mut out, sample.id.wrapping_sub(before.id).cast_signed());
            put_decimal(&mut out, sample.price.decimal(), before.price.decimal());
            put_decimal(&mut out, sample.qty.decimal(), before.qty.decimal());
            put_signed(&mut out, held.change);
            before = sample;
        }
        let sum = checksum(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        Self { number, bytes: out.into() }
    }

    /// From bytes that were kept.
    ///
    /// # Errors
    /// When they are damaged or another chunk's. That the samples make sense is seen when they are decoded.
    pub(super) fn parse(number: u64, bytes: Bytes) -> Result<Self, ChunkError> {
        let split = bytes.len().checked_sub(SUM).ok_or(ChunkError::Length)?;
        let (body, sum) = bytes.split_at(split);
        if checksum(body).to_le_bytes() != sum {
            return Err(ChunkError::Checksum);
        }
        let found = Reader { rest: body }.number()?;
        if found != number {
            return Err(ChunkError::Number(found));
        }
        Ok(Self { number, bytes })
    }

    pub(super) fn decode(&self) -> Result<Vec<Held>, ChunkError> {
        let body = self.bytes.len().checked_sub(SUM).and_then(|end| self.bytes.get(..end)).ok_or(ChunkError::Length)?;
        let mut reader = Reader { rest: body };
        reader.number()?;
        let count = Some(reader.number()?).filter(|count| *count <= MOST).ok_or(ChunkError::Range)?;
        let mut samples = Vec::with_capacity(usize::try_from(count).unwrap_or_default());
        let mut before = NOTHING;
        for _ in 0..count {
            let at = Timestamp::from_micros(before.at.micros().wrapping_add(reader.signed()?));
            let id = before.id.wrapping_add(reader.signed()?.cast_unsigned());
            let price = Price(reader.decimal(before.price.decimal())?);
            let qty = Size(reader.decimal(before.qty.decimal())?);
            before = Sample { at, id, price, qty };
            samples.push(Held { sample: before, change: reader.signed()? });
        }
        if reader.rest.is_empty() { Ok(samples) } else { Err(ChunkError::Length) }
    }

    /// Its place in the order of chunks.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What the first sample of a chunk differs from.
const NOTHING: Sample = Sample { at: Timestamp::from_micros(0), id: 0, price: Price::ZERO, qty: Size::ZERO };

/// FNV-1a, 64 bits: finds damage, not malice.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(0x80 | (number & 0x7f) as u8);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}

/// Small numbers of either sign become small ones without.
fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, (number.wrapping_shl(1) ^ (number >> 63)).cast_unsigned());
}

/// An even number is twice the difference of two decimals with the same number of places; 1 goes before a decimal in full.
fn put_decimal(out: &mut Vec<u8>, value: Decimal, before: Decimal) {
    let difference = value.mantissa().checked_sub(before.mantissa()).filter(|_| value.scale() == before.scale());
    let small = difference.and_then(|d| i64::try_from(d).ok()).filter(|d| d.unsigned_abs() < 1 << 60);
    if let Some(difference) = small {
        put(out, (difference.wrapping_shl(1) ^ (difference >> 63)).cast_unsigned() << 1);
    } else {
        put(out, 1);
        put(out, u64::from(value.scale()));
        out.extend_from_slice(&value.mantissa().to_le_bytes());
    }
}

const fn unfold(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn number(&mut self) -> Result<u64, ChunkError> {
        let mut number = 0_u64;
        for shift in (0..70).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or(ChunkError::Length)?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(ChunkError::Range);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(ChunkError::Range)
    }

    fn signed(&mut self) -> Result<i64, ChunkError> {
        self.number().map(unfold)
    }

    fn decimal(&mut self, before: Decimal) -> Result<Decimal, ChunkError> {
        let code = self.number()?;
        let (mantissa, scale) = if code & 1 == 0 {
            (before.mantissa().checked_add(i128::from(unfold(code >> 1))), u64::from(before.scale()))
        } else if code == 1 {
            let scale = self.number()?;
            let (bytes, rest) = self.rest.split_first_chunk::<16>().ok_or(ChunkError::Length)?;
            self.rest = rest;
            (Some(i128::from_le_bytes(*bytes)), scale)
        } else {
            return Err(ChunkError::Range);
        };
        let scale = u32::try_from(scale).map_err(|_too_many| ChunkError::Range)?;
        let made = mantissa.and_then(|mantissa| Decimal::try_from_i128_with_scale(mantissa, scale).ok());
        made.ok_or(ChunkError::Range)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimals() -> impl Strategy<Value = Decimal> {
        let small = (-1_000_000_i64..1_000_000, 0_u32..9).prop_map(|(m, s)| Decimal::new(m, s));
        let any = (0_u32.., 0_u32.., 0_u32.., any::<bool>(), 0_u32..29)
            .prop_map(|(lo, mid, hi, negative, scale)| Decimal::from_parts(lo, mid, hi, negative, scale));
        prop_oneof![small, any]
    }

    fn held() -> impl Strategy<Value = Held> {
        (any::<i64>(), any::<u64>(), decimals(), decimals(), any::<i64>()).prop_map(|(at, id, price, qty, change)| {
            Held { sample: Sample { at: Timestamp::from_micros(at), id, price: Price(price), qty: Size(qty) }, change }
        })
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_back(samples in proptest::collection::vec(held(), 0..50), number in any::<u64>()) {
            let chunk = Chunk::encode(number, &samples);
            let parsed = Chunk::parse(number, Bytes::copy_from_slice(chunk.bytes()));
            prop_assert_eq!(parsed.as_ref(), Ok(&chunk));
            let decoded = chunk.decode().expect("our own");
            let scales = |held: &[Held]| held.iter().map(|held| held.sample.price.decimal().scale()).collect::<Vec<_>>();
            prop_assert_eq!(scales(&decoded), scales(&samples));
            prop_assert_eq!(decoded, samples);
        }

        #[test]
        fn damage_is_found(samples in proptest::collection::vec(held(), 1..20), at in any::<prop::sample::Index>(), bit in 0_u32..8) {
            let mut bytes = Chunk::encode(7, &samples).bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            prop_assert_eq!(Chunk::parse(7, bytes.clone().into()), Err(ChunkError::Checksum));
            bytes.truncate(at);
            prop_assert!(Chunk::parse(7, bytes.into()).is_err());
        }

        #[test]
        fn no_bytes_break_the_decoder(bytes in proptest::collection::vec(any::<u8>(), 8..200)) {
            let chunk = Chunk { number: 0, bytes: bytes.into() };
            let _whatever = chunk.decode();
        }
    }

    #[test]
    fn another_number_and_a_calm_second_take_what_is_expected() {
        assert_eq!(Chunk::parse(8, Bytes::copy_from_slice(Chunk::encode(7, &[]).bytes())), Err(ChunkError::Number(7)));
        let second = |n: i64| Held {
            sample: Sample {
                at: Timestamp::from_secs(1_795_348_800 + n),
                id: 90_000_000 + n.unsigned_abs(),
                price: Price(Decimal::new(870_000 + n % 7, 1)),
                qty: Size(Decimal::new(1_000_000 + n * 31 % 5_000, 8)),
            },
            change: 1_000 * (n % 7),
        };
        let samples: Vec<_> = (0..256).map(second).collect();
        let size = Chunk::encode(1, &samples).bytes().len();
        assert!(size < 256 * 12, "{size} bytes for 256 samples");
    }
}
