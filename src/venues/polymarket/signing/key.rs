use std::fmt;

use alloy_primitives::{Address, B256, Signature};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use zeroize::Zeroizing;

use crate::exec::venue::SignError;

/// A private key in this process. It shows its address and nothing else; the scalar is wiped when it is dropped.
#[derive(Clone)]
pub struct LocalKey {
    signer: PrivateKeySigner,
}

impl LocalKey {
    /// From 64 hex digits, with or without `0x`.
    ///
    /// # Errors
    /// [`SignError::Signer`], without the text: it may be a key with a typing error.
    pub fn from_hex(text: &str) -> Result<Self, SignError> {
        let refused = || SignError::Signer("the private key is not 64 hex digits of a valid secp256k1 key".to_owned());
        let digits = text.trim().strip_prefix("0x").unwrap_or(text.trim());
        let mut bytes = Zeroizing::new([0_u8; 32]);
        hex::decode_to_slice(digits, bytes.as_mut_slice()).map_err(|_| refused())?;
        let signer = PrivateKeySigner::from_slice(bytes.as_slice()).map_err(|_| refused())?;
        Ok(Self { signer })
    }

    /// The address that the key controls.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.signer.address()
    }

    /// Signs a 32-byte digest: r, s (low) and v (27 or 28). Deterministic.
    ///
    /// # Errors
    /// [`SignError::Signer`] when the curve arithmetic fails.
    pub fn sign(&self, digest: &B256) -> Result<[u8; 65], SignError> {
        self.signer
            .sign_hash_sync(digest)
            .map(|signature| signature.as_bytes())
            .map_err(|error| SignError::Signer(error.to_string()))
    }
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").field("address", &self.address()).finish_non_exhaustive()
    }
}

/// Why nobody could be recovered from a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// Not 65 bytes with v of 27 or 28.
    #[error("a signature has 65 bytes and ends in 27 or 28; this one has {length} bytes")]
    Shape {
        /// Bytes given.
        length: usize,
    },
    /// The upper half of s: a second form of a valid signature, refused as every verifying contract does.
    #[error("the signature's s is in the upper half of the curve order")]
    HighS,
    /// No point of the curve fits.
    #[error("the signature fits no key")]
    NoKey,
}

/// The address whose key made `signature` (r, s, v of 27 or 28) over `digest`.
///
/// # Errors
/// [`RecoverError`]
pub fn recover(digest: &B256, signature: &[u8]) -> Result<Address, RecoverError> {
    let shape = RecoverError::Shape { length: signature.len() };
    if signature.len() != 65 || !matches!(signature[64], 27 | 28) {
        return Err(shape);
    }
    let parsed = Signature::from_raw(signature).map_err(|_| shape)?;
    if parsed.normalize_s().is_some() {
        return Err(RecoverError::HighS);
    }
    parsed.recover_address_from_prehash(digest).map_err(|_| RecoverError::NoKey)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::keccak256;

    use super::*;

    const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

    #[test]
    fn a_key_never_shows() {
        let key = LocalKey::from_hex(KEY).expect("anvil key");
        let shown = format!("{key:?}");
        assert!(shown.contains(&format!("{:?}", key.address())), "{shown}");
        assert!(!shown.to_lowercase().contains("ac0974"), "{shown}");
        for bad in ["0xac0974be", &KEY.replace("80", "8g"), &"0".repeat(64), &"f".repeat(64), ""] {
            let error = LocalKey::from_hex(bad).expect_err(bad).to_string();
            assert!(!error.contains("ac0974") && error.contains("64 hex digits"), "{error}");
        }
    }

    #[test]
    fn signing_is_deterministic_and_recovers() {
        let key = LocalKey::from_hex(&format!(" {}\n", &KEY[2..])).expect("without prefix");
        let digest = keccak256("order");
        let signature = key.sign(&digest).expect("signs");
        assert_eq!(signature, key.sign(&digest).expect("signs"));
        assert_eq!(recover(&digest, &signature), Ok(key.address()));
        assert_ne!(recover(&keccak256("other"), &signature), Ok(key.address()));
    }

    #[test]
    fn malformed_and_malleated_signatures_are_refused() {
        let key = LocalKey::from_hex(KEY).expect("anvil key");
        let digest = keccak256("order");
        let signature = key.sign(&digest).expect("signs");
        assert_eq!(recover(&digest, &signature[..64]), Err(RecoverError::Shape { length: 64 }));
        let mut zero_v = signature;
        zero_v[64] = 0;
        assert_eq!(recover(&digest, &zero_v), Err(RecoverError::Shape { length: 65 }));
        let order = alloy_primitives::U256::from_str_radix(
            "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
            16,
        )
        .expect("curve order");
        let s = alloy_primitives::U256::from_be_slice(&signature[32..64]);
        let mut malleated = signature;
        malleated[32..64].copy_from_slice(&(order - s).to_be_bytes::<32>());
        malleated[64] = if signature[64] == 27 { 28 } else { 27 };
        assert_eq!(recover(&digest, &malleated), Err(RecoverError::HighS));
    }
}
