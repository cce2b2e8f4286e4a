use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use serde::Deserialize;

use super::super::http::{Call, Reply};
use super::super::signing::{ApiCredentials, L2Signer, l1_headers};
use super::{LIST_TIMEOUT, Rest, read};
use crate::clock;
use crate::domain::Timestamp;
use crate::exec::venue::VenueError;

/// Which set of credentials of the key: always the first.
const NONCE: u64 = 0;
/// Largest tolerated difference between the venue's clock and ours. Headers carry the time, and so do orders.
const MAX_SKEW: Duration = Duration::from_secs(2);
/// Versions of the venue for whose contracts we can sign.
const VERSIONS: [u64; 2] = [2, 3];

impl Rest {
    /// Checks version and clock, then derives the key's API credentials, or creates them when there are none.
    pub(in super::super) async fn connect(&self) -> Result<(), VenueError> {
        self.check_version().await?;
        self.check_clock().await?;
        let derived = self.l1(Method::GET, "/auth/derive-api-key").await?;
        let body = match derived.status {
            400 | 404 => self.l1(Method::POST, "/auth/api-key").await?.success()?,
            _ => derived.success()?,
        };
        let credentials: ApiCredentials = serde_json::from_slice(&body).map_err(|_| unreadable_credentials())?;
        if [credentials.key(), credentials.secret(), credentials.passphrase()].iter().any(|part| part.is_empty()) {
            return Err(unreadable_credentials());
        }
        let signer = L2Signer::new(self.key.address(), credentials)
            .map_err(|error| VenueError::Unreadable(format!("API credentials: {error}")))?;
        self.session.send_replace(Some(Arc::new(signer)));
        Ok(())
    }

    async fn check_version(&self) -> Result<(), VenueError> {
        #[derive(Deserialize)]
        struct Version {
            version: u64,
        }
        let body = self.public("/version").await?;
        let Version { version } = read("version", &body)?;
        if VERSIONS.contains(&version) {
            return Ok(());
        }
        Err(VenueError::Unreadable(format!(
            "it speaks version {version}; this build signs for 2 and 3: update cockpit"
        )))
    }

    async fn check_clock(&self) -> Result<(), VenueError> {
        let before = clock::now();
        let body = self.public("/time").await?;
        let after = clock::now();
        let seconds: i64 = read("time", &body)?;
        match skew(seconds, before, after) {
            skew if skew.abs() <= MAX_SKEW.as_secs_f64() => Ok(()),
            skew => Err(VenueError::Unreadable(format!(
                "its clock is {:.1} s {} ours and at most {} s are tolerated: set this machine's clock (NTP)",
                skew.abs(),
                if skew > 0.0 { "ahead of" } else { "behind" },
                MAX_SKEW.as_secs()
            ))),
        }
    }

    async fn public(&self, path: &str) -> Result<Vec<u8>, VenueError> {
        let call =
            Call { method: Method::GET, path, query: &[], headers: &[], body: Bytes::new(), timeout: LIST_TIMEOUT };
        self.http.call(call).await?.success()
    }

    async fn l1(&self, method: Method, path: &str) -> Result<Reply, VenueError> {
        let headers = l1_headers(&self.key, self.chain_id, clock::now().secs(), NONCE)
            .map_err(|error| VenueError::Unreachable(error.to_string()))?;
        let call =
            Call { method, path, query: &[], headers: &headers.pairs(), body: Bytes::new(), timeout: LIST_TIMEOUT };
        Ok(self.http.call(call).await?)
    }
}

/// The answer is never repeated: it may hold half of a secret.
fn unreadable_credentials() -> VenueError {
    VenueError::Unreadable("API credentials: apiKey, secret and passphrase are wanted, as texts".to_owned())
}

/// Seconds by which the venue is certainly ahead (or, negative, behind), whatever part of the round trip its answer took:
/// it read `seconds`, rounded down, at some moment between `before` and `after`.
fn skew(seconds: i64, before: Timestamp, after: Timestamp) -> f64 {
    let (earliest, latest) = (Timestamp::from_secs(seconds), Timestamp::from_secs(seconds.saturating_add(1)));
    let (ahead, behind) = (earliest.since(after), before.since(latest));
    ahead.as_secs_f64() - behind.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_certain_skew_counts() {
        let at = |millis: i64| Timestamp::from_millis(1_795_348_800_000 + millis);
        for (seconds, before, after, expected) in [
            (0, 0, 100, 0.0),
            (0, 900, 1_100, 0.0),
            (0, 1_500, 1_600, -0.5),
            (3, 0, 100, 2.9),
            (3, 0, 5_000, 0.0),
            (-10, 0, 100, -9.0),
        ] {
            let skew = skew(1_795_348_800 + seconds, at(before), at(after));
            assert!((skew - expected).abs() < 1e-9, "{seconds} {before} {after}: {skew}");
        }
    }
}
