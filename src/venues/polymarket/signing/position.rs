use alloy_primitives::U256;

/// Bits 40 to 103: zero in every position id of protocol V2, part of a hash in a CTF token id.
const RESERVED: U256 = U256::from_limbs([0xffff_ff00_0000_0000, 0x0000_00ff_ffff_ffff, 0, 0]);

/// Whether a token id is a protocol V2 position id, which trades on the exchange with domain version "3". The venue's
/// clients route by these bits alone. Source: `polymarket-client` 0.14.0.
#[must_use]
pub fn is_position_id(token: &U256) -> bool {
    (*token & RESERVED).is_zero()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_reserved_bits_decide() {
        for (bit, is_position) in [(39, true), (40, false), (103, false), (104, true), (255, true)] {
            assert_eq!(is_position_id(&(U256::from(1) << bit)), is_position, "bit {bit}");
        }
    }
}
