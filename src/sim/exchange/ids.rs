use sha2::{Digest, Sha256};

/// Makes every id of the venue from its seed and a counter, so that the same calls give the same ids.
#[derive(Clone, Debug)]
pub(super) struct Ids {
    seed: u64,
    next: u64,
}

impl Ids {
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed, next: 0 }
    }

    /// The next number; also what orders and trades are sorted by.
    pub(super) const fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A new id in the form of a UUID.
    pub(super) fn uuid(&mut self, what: &str) -> String {
        let number = self.number();
        self.fixed_uuid(what, &number.to_string())
    }

    /// The UUID that `key` always has.
    pub(super) fn fixed_uuid(&self, what: &str, key: &str) -> String {
        let text = hex::encode(self.digest(what, key));
        format!("{}-{}-4{}-a{}-{}", &text[..8], &text[8..12], &text[13..16], &text[17..20], &text[20..32])
    }

    /// 32 bytes that belong to `key`.
    pub(super) fn digest(&self, what: &str, key: &str) -> [u8; 32] {
        Sha256::digest(format!("cockpit sim exchange {} {what} {key}", self.seed)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_repeat_with_the_seed_and_never_within_it() {
        let (mut one, mut same, mut other) = (Ids::new(1), Ids::new(1), Ids::new(2));
        let first = one.uuid("trade");
        assert_eq!(first, same.uuid("trade"));
        assert_ne!(first, other.uuid("trade"));
        assert_ne!(first, one.uuid("trade"));
        assert_eq!(first.len(), 36);
        assert!(uuid::Uuid::parse_str(&first).is_ok());
    }
}
