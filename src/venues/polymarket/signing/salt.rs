use alloy_primitives::Address;
use sha2::{Digest, Sha256};

use crate::domain::{IntentId, StrategyId};

/// The largest salt: it travels as a JSON number, so it must survive as a double.
pub const MAX_SALT: u64 = (1 << 53) - 1;

/// The salt of one attempt at one intent: the low 53 bits of a SHA-256 over account, strategy, intent and attempt.
/// After any crash it can be derived again, and with it the order's id. Another attempt is another order.
#[must_use]
pub fn derive_salt(account: Address, strategy: &StrategyId, intent: &IntentId, attempt: u32) -> u64 {
    let mut hash = Sha256::new();
    hash.update(b"cockpit salt 1");
    hash.update(account);
    for text in [strategy.as_str(), intent.as_str()] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.update(attempt.to_be_bytes());
    let digest = hash.finalize();
    digest.iter().skip(24).fold(0_u64, |salt, byte| (salt << 8) | u64::from(*byte)) & MAX_SALT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn salt(account: u8, strategy: &str, intent: &str, attempt: u32) -> u64 {
        derive_salt(Address::repeat_byte(account), &strategy.into(), &intent.into(), attempt)
    }

    #[test]
    fn every_part_counts_and_nothing_else() {
        let base = salt(1, "momentum", "i-1", 1);
        assert_eq!(base, salt(1, "momentum", "i-1", 1));
        assert!(base <= MAX_SALT);
        for other in [
            salt(2, "momentum", "i-1", 1),
            salt(1, "weather", "i-1", 1),
            salt(1, "momentum", "i-2", 1),
            salt(1, "momentum", "i-1", 2),
            salt(1, "momentumi", "-1", 1),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn the_derivation_never_changes() {
        // Orders signed before an upgrade must be found again after it.
        assert_eq!(salt(0x11, "momentum", "intent", 1), 3_764_552_553_371_652);
    }
}
