//! Gamma, Polymarket's catalogue: one market by its slug.
//!
//! `wire` reads a market strictly; this file asks for it.

mod wire;

use std::time::Duration;

use reqwest::StatusCode;

use crate::domain::{Market, Slug};
use crate::venues::strict::{Refusal, clip};

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// How long a whole call may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(6);
/// Largest answer that is read; one market weighs less than 10 kB.
const MAX_BODY: usize = 2 * 1024 * 1024;
/// How much of an unreadable answer is kept.
const KEPT: usize = 2_048;

pub use wire::parse_market;

/// Why Gamma could not tell of a market.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GammaError {
    /// No answer: unreachable, reset or too slow.
    #[error("gamma unreachable: {0}")]
    Unreachable(String),
    /// An HTTP status other than 200.
    #[error("gamma answered {status}: {words}")]
    Status {
        /// The status.
        status: u16,
        /// The beginning of its words.
        words: String,
    },
    /// An answer that we cannot read or believe.
    #[error("gamma's market: {refusal}")]
    Refused {
        /// Which field and why.
        refusal: Refusal,
        /// The answer, clipped to 2,048 bytes.
        raw: String,
    },
}

/// A client of Gamma.
#[derive(Clone, Debug)]
pub struct GammaClient {
    http: reqwest::Client,
    base: String,
}

impl GammaClient {
    /// For the catalogue at `base`, without a trailing slash.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(base: &str) -> Result<Self, GammaError> {
        let builder = reqwest::Client::builder();
        // The simulated catalogue is on this machine; a proxy of the environment could not reach it.
        let builder = if is_loopback(base) { builder.no_proxy() } else { builder };
        let http = builder
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .tcp_nodelay(true)
            .user_agent(concat!("cockpit/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| GammaError::Unreachable(error.to_string()))?;
        Ok(Self { http, base: base.trim_end_matches('/').to_owned() })
    }

    /// The market of that slug, open or closed; nothing when the catalogue does not list it.
    ///
    /// # Errors
    /// [`GammaError`]; a market that cannot be read strictly is an error, not an absence.
    pub async fn market_by_slug(&self, slug: &Slug) -> Result<Option<Market>, GammaError> {
        if let Some(market) = self.query(&[("slug", slug.as_str())], slug).await? {
            return Ok(Some(market));
        }
        // Closed markets are listed only when asked for.
        self.query(&[("slug", slug.as_str()), ("closed", "true")], slug).await
    }

    async fn query(&self, query: &[(&str, &str)], slug: &Slug) -> Result<Option<Market>, GammaError> {
        let unreachable = |error: reqwest::Error| GammaError::Unreachable(error.without_url().to_string());
        let address = url::Url::parse_with_params(&format!("{}/markets", self.base), query)
            .map_err(|error| GammaError::Unreachable(format!("address '{}': {error}", self.base)))?;
        let mut answer = self.http.get(address).send().await.map_err(unreachable)?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(refused(Refusal::new("frame", format!("larger than {MAX_BODY} bytes")), ""));
            }
            body.extend_from_slice(&chunk);
        }
        let text = String::from_utf8_lossy(&body);
        match status {
            StatusCode::OK => wire::parse_list(&text, slug).map_err(|refusal| refused(refusal, &text)),
            StatusCode::NOT_FOUND => Ok(None),
            other => Err(GammaError::Status { status: other.as_u16(), words: clip(&text, 200).to_owned() }),
        }
    }
}

fn is_loopback(base: &str) -> bool {
    url::Url::parse(base).is_ok_and(|address| match address.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    })
}

fn refused(refusal: Refusal, raw: &str) -> GammaError {
    GammaError::Refused { refusal, raw: clip(raw, KEPT).to_owned() }
}
