use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use reqwest::Method;

use super::super::http::{Call, Reply};
use super::super::signing::{ApiCredentials, L2Signer, l1_headers};
use super::{Rest, held, read};
use crate::clock;
use crate::domain::{CallClass, ClockSkew, RejectCode};
use crate::exec::venue::VenueError;

/// Which set of credentials of the key: always the first.
const NONCE: u64 = 0;
/// Largest tolerated difference between the venue's clock and ours. Headers carry the time, and so do orders.
pub(in super::super) const MAX_SKEW: Duration = Duration::from_secs(2);
/// Pauses between attempts to connect anew after the credentials were refused: the first, and the longest.
const RENEW_FIRST: Duration = Duration::from_secs(1);
const RENEW_MOST: Duration = Duration::from_secs(30);

impl Rest {
    /// Measures the clock, derives the key's API credentials, or creates them when there are none, and checks that venue
    /// and account are those that we sign for. Credentials are kept even when a check fails: cancels need no more.
    pub(in super::super) async fn connect(&self) -> Result<(), VenueError> {
        let clock = within(self.measure_clock().await?);
        let credentials = self.credentials().await;
        // A wrong clock is also why credentials are refused, and the better thing to say.
        let checked = match clock.and(credentials) {
            Ok(signer) => self.check(&signer).await,
            Err(error) => Err(error),
        };
        if matches!(checked, Err(VenueError::Barred { code: RejectCode::Unauthorized, .. })) {
            // Asked for anew the next time: they may have been revoked.
            self.session.send_replace(None);
        }
        let (confirmed, result) = match checked {
            Ok(exchanges) => (Some(exchanges), Ok(())),
            Err(error) => (None, Err(error)),
        };
        *held(&self.confirmed) = confirmed;
        result
    }

    /// The venue's clock as it was measured last.
    pub(in super::super) fn skew(&self) -> Option<ClockSkew> {
        *held(&self.skew)
    }

    /// Measures the venue's clock for ever, with this pause between two measurements.
    pub(in super::super) async fn keep_time(&self, pause: Duration) {
        loop {
            tokio::time::sleep(pause).await;
            match self.measure_clock().await {
                Ok(skew) if skew.exceeds(MAX_SKEW) => tracing::warn!(%skew, "the venue's clock is not ours"),
                Ok(skew) => tracing::debug!(%skew, "the venue's clock"),
                Err(error) => tracing::warn!(%error, "the venue's clock cannot be read"),
            }
        }
    }

    /// Connects anew whenever the venue refuses our credentials in the middle of a run; for ever. Who subscribed with the old ones is
    /// told of the new ones.
    pub(in super::super) async fn keep_authorized(&self) {
        loop {
            self.refused.notified().await;
            tracing::warn!("the venue refuses our API credentials, connecting anew");
            let mut pause = RENEW_FIRST;
            while let Err(error) = self.connect().await {
                tracing::warn!(%error, again_in = ?pause, "not connected with the venue");
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(RENEW_MOST);
            }
            self.session.send_modify(|_| {});
            tokio::time::sleep(RENEW_FIRST).await;
            // What was on its way with the old ones tells nothing of the new ones.
            let _late = self.refused.notified().now_or_never();
        }
    }

    async fn measure_clock(&self) -> Result<ClockSkew, VenueError> {
        let timeout = self.admit(CallClass::Setup, 1).await?;
        let before = clock::now();
        let body = self.public("/time", timeout).await?;
        let skew = ClockSkew::measured(read("time", &body)?, before, clock::now());
        *held(&self.skew) = Some(skew);
        Ok(skew)
    }

    /// An answer that needs no credentials; counted already.
    pub(super) async fn public(&self, path: &str, timeout: Duration) -> Result<Vec<u8>, VenueError> {
        let call = Call { method: Method::GET, path, query: &[], headers: &[], body: Bytes::new(), timeout };
        self.send(CallClass::Setup, self.http.prepare(call)?).await?.success()
    }

    /// The credentials that there are, else those of the venue.
    async fn credentials(&self) -> Result<Arc<L2Signer>, VenueError> {
        if let Some(signer) = self.session() {
            return Ok(signer);
        }
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
        let signer = Arc::new(signer);
        self.session.send_replace(Some(Arc::clone(&signer)));
        Ok(signer)
    }

    /// Authenticated by the key itself. The signature covers the chain id, so another chain refuses it.
    async fn l1(&self, method: Method, path: &str) -> Result<Reply, VenueError> {
        let timeout = self.admit(CallClass::Setup, 1).await?;
        let headers = l1_headers(&self.key, self.contracts.chain_id, clock::now().secs(), NONCE)
            .map_err(|error| VenueError::Unreachable(error.to_string()))?;
        let call = Call { method, path, query: &[], headers: &headers.pairs(), body: Bytes::new(), timeout };
        Ok(self.send(CallClass::Setup, self.http.prepare(call)?).await?)
    }
}

fn within(skew: ClockSkew) -> Result<(), VenueError> {
    if !skew.exceeds(MAX_SKEW) {
        return Ok(());
    }
    Err(VenueError::Mismatch {
        what: "clock",
        ours: format!("to be within {} s of it: set this machine's clock (NTP)", MAX_SKEW.as_secs()),
        theirs: skew.to_string(),
    })
}

/// The answer is never repeated: it may hold half of a secret.
fn unreadable_credentials() -> VenueError {
    VenueError::Unreadable("API credentials: apiKey, secret and passphrase are wanted, as texts".to_owned())
}
