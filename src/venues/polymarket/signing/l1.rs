use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::{Eip712Domain, SolStruct};

use super::LocalKey;
use crate::exec::venue::SignError;

/// The sentence that an L1 signature attests. Given by the venue, word for word.
pub const L1_MESSAGE: &str = "This message attests that I control the given wallet";

mod typed {
    alloy_sol_types::sol! {
        struct ClobAuth {
            address address;
            string timestamp;
            uint256 nonce;
            string message;
        }
    }
}

/// Headers that prove control of the key: for making and deriving API credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct L1Headers {
    /// `POLY_ADDRESS`
    pub address: String,
    /// `POLY_SIGNATURE`
    pub signature: String,
    /// `POLY_TIMESTAMP`, in seconds.
    pub timestamp: String,
    /// `POLY_NONCE`: which set of credentials.
    pub nonce: String,
}

impl L1Headers {
    /// Name and value of each header.
    #[must_use]
    pub fn pairs(&self) -> [(&'static str, &str); 4] {
        [
            ("POLY_ADDRESS", &self.address),
            ("POLY_SIGNATURE", &self.signature),
            ("POLY_TIMESTAMP", &self.timestamp),
            ("POLY_NONCE", &self.nonce),
        ]
    }
}

/// What an L1 signature signs.
#[must_use]
pub fn l1_digest(address: Address, chain_id: u64, timestamp: i64, nonce: u64) -> B256 {
    let domain =
        Eip712Domain::new(Some("ClobAuthDomain".into()), Some("1".into()), Some(U256::from(chain_id)), None, None);
    typed::ClobAuth {
        address,
        timestamp: timestamp.to_string(),
        nonce: U256::from(nonce),
        message: L1_MESSAGE.to_owned(),
    }
    .eip712_signing_hash(&domain)
}

/// The headers for `key` at `timestamp` (Unix seconds).
///
/// # Errors
/// [`SignError::Signer`] when signing fails.
pub fn l1_headers(key: &LocalKey, chain_id: u64, timestamp: i64, nonce: u64) -> Result<L1Headers, SignError> {
    let signature = key.sign(&l1_digest(key.address(), chain_id, timestamp, nonce))?;
    Ok(L1Headers {
        address: key.address().to_checksum(None),
        signature: format!("0x{}", hex::encode(signature)),
        timestamp: timestamp.to_string(),
        nonce: nonce.to_string(),
    })
}
