use std::fmt;

use alloy_primitives::Address;
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::exec::venue::SignError;

/// URL-safe base64 that writes padding and reads with or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// API credentials of an account. Wiped when dropped; only the key, which is no secret, is ever shown.
#[derive(Clone)]
pub struct ApiCredentials {
    key: String,
    secret: Zeroizing<String>,
    passphrase: Zeroizing<String>,
}

impl ApiCredentials {
    /// From its three parts.
    #[must_use]
    pub fn new(key: impl Into<String>, secret: impl Into<String>, passphrase: impl Into<String>) -> Self {
        Self { key: key.into(), secret: Zeroizing::new(secret.into()), passphrase: Zeroizing::new(passphrase.into()) }
    }

    /// The API key: also the owner of the account's orders.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The secret, for the user channel, which wants it itself.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The passphrase.
    #[must_use]
    pub fn passphrase(&self) -> &str {
        &self.passphrase
    }
}

impl fmt::Debug for ApiCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiCredentials").field("key", &self.key).finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for ApiCredentials {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            #[serde(rename = "apiKey")]
            key: String,
            secret: String,
            passphrase: String,
        }
        let wire = Wire::deserialize(deserializer)?;
        Ok(Self::new(wire.key, wire.secret, wire.passphrase))
    }
}

/// Headers that authenticate a call.
#[derive(Clone)]
pub struct L2Headers {
    /// `POLY_ADDRESS`: the key's address, also for wallets.
    pub address: String,
    /// `POLY_SIGNATURE`
    pub signature: String,
    /// `POLY_TIMESTAMP`, in seconds.
    pub timestamp: String,
    /// `POLY_API_KEY`
    pub api_key: String,
    /// `POLY_PASSPHRASE`
    pub passphrase: Zeroizing<String>,
}

impl L2Headers {
    /// Name and value of each header.
    #[must_use]
    pub fn pairs(&self) -> [(&'static str, &str); 5] {
        [
            ("POLY_ADDRESS", &self.address),
            ("POLY_SIGNATURE", &self.signature),
            ("POLY_TIMESTAMP", &self.timestamp),
            ("POLY_API_KEY", &self.api_key),
            ("POLY_PASSPHRASE", &self.passphrase),
        ]
    }
}

impl fmt::Debug for L2Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("L2Headers").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What an L2 signature covers: Unix seconds, method, path without query, body as sent.
#[must_use]
pub fn l2_pre_image(timestamp: i64, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{timestamp}{method}{path}").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Signs calls with API credentials (HMAC-SHA256).
#[derive(Clone)]
pub struct L2Signer {
    address: String,
    credentials: ApiCredentials,
    mac: Hmac<Sha256>,
}

impl L2Signer {
    /// For the account whose key has `address`.
    ///
    /// # Errors
    /// [`SignError::Signer`] when the secret is not base64; the secret is not repeated.
    pub fn new(address: Address, credentials: ApiCredentials) -> Result<Self, SignError> {
        let secret = BASE64
            .decode(credentials.secret())
            .map(Zeroizing::new)
            .map_err(|_| SignError::Signer("the API secret is not URL-safe base64".to_owned()))?;
        let mac = Hmac::new_from_slice(&secret).map_err(|error| SignError::Signer(error.to_string()))?;
        Ok(Self { address: address.to_checksum(None), credentials, mac })
    }

    /// The credentials.
    #[must_use]
    pub const fn credentials(&self) -> &ApiCredentials {
        &self.credentials
    }

    /// The headers of one call.
    #[must_use]
    pub fn headers(&self, timestamp: i64, method: &str, path: &str, body: &[u8]) -> L2Headers {
        let mac = self.mac.clone().chain_update(l2_pre_image(timestamp, method, path, body));
        L2Headers {
            address: self.address.clone(),
            signature: BASE64.encode(mac.finalize().into_bytes()),
            timestamp: timestamp.to_string(),
            api_key: self.credentials.key.clone(),
            passphrase: self.credentials.passphrase.clone(),
        }
    }

    /// Whether `signature` is the one that a call ought to carry; compared in constant time.
    #[must_use]
    pub fn verify(&self, signature: &str, timestamp: i64, method: &str, path: &str, body: &[u8]) -> bool {
        let Ok(given) = BASE64.decode(signature) else { return false };
        self.mac.clone().chain_update(l2_pre_image(timestamp, method, path, body)).verify_slice(&given).is_ok()
    }
}

impl fmt::Debug for L2Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("L2Signer").field("address", &self.address).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> L2Signer {
        let credentials = ApiCredentials::new("key-1", "c2VjcmV0LXNlY3JldA==", "pass-pass");
        L2Signer::new(Address::repeat_byte(7), credentials).expect("base64")
    }

    #[test]
    fn secrets_never_show() {
        let signer = signer();
        let headers = signer.headers(1, "GET", "/x", b"");
        let shown = format!("{signer:?} {headers:?} {:?}", signer.credentials());
        assert!(shown.contains("key-1"), "{shown}");
        for secret in ["c2Vjc", "pass-pass", headers.signature.as_str()] {
            assert!(!shown.contains(secret), "{shown}");
        }
        let error = L2Signer::new(Address::ZERO, ApiCredentials::new("k", "not base64!", "p")).expect_err("refused");
        assert!(!error.to_string().contains("not base64!"), "{error}");
    }

    #[test]
    fn every_part_of_a_call_is_covered() {
        let signer = signer();
        let headers = signer.headers(10, "POST", "/order", b"{}");
        assert!(signer.verify(&headers.signature, 10, "POST", "/order", b"{}"));
        assert!(signer.verify(headers.signature.trim_end_matches('='), 10, "POST", "/order", b"{}"));
        for (timestamp, method, path, body) in [
            (11, "POST", "/order", b"{}".as_slice()),
            (10, "DELETE", "/order", b"{}"),
            (10, "POST", "/orders", b"{}"),
            (10, "POST", "/order", b"{ }"),
        ] {
            assert!(!signer.verify(&headers.signature, timestamp, method, path, body));
        }
    }
}
