//! HTTP as the venue wants it: one client, warm connections, a deadline on every call, no retry, no redirect.

use std::error::Error as _;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, Request, Url};

use super::answer::{self, Meaning};
use crate::domain::{RejectCode, RejectScope};
use crate::exec::venue::VenueError;

const USER_AGENT: &str = concat!("cockpit/", env!("CARGO_PKG_VERSION"));
/// A TCP connection and TLS handshake take longer than this only when something is wrong.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Idle connections are kept; the heartbeat every five seconds keeps at least one alive.
const POOL_IDLE: Duration = Duration::from_mins(5);
const KEEPALIVE: Duration = Duration::from_secs(15);
/// No answer of the venue comes near it.
const MAX_BODY: usize = 8 << 20;
/// Longest wait that is taken from the venue's words, in seconds.
pub(super) const MAX_RETRY_AFTER: u64 = 3_600;
const EXCERPT_CHARS: usize = 200;

/// An answer, whatever its status.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// The beginning of the body as one printable line.
    pub(super) fn excerpt(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let printable = text.chars().map(|character| if character.is_control() { ' ' } else { character });
        printable.take(EXCERPT_CHARS).collect()
    }

    /// The body of a 200, or what the venue refused with.
    pub(super) fn success(self) -> Result<Vec<u8>, VenueError> {
        if self.status == 200 { Ok(self.body) } else { Err(self.refusal()) }
    }

    /// The refusal that this answer is: of the account, when the venue says so, else of this call.
    pub(super) fn refusal(&self) -> VenueError {
        #[derive(serde::Deserialize)]
        struct Refusal {
            #[serde(alias = "error_msg", alias = "errorMsg")]
            error: String,
        }
        let reason = serde_json::from_slice::<Refusal>(&self.body)
            .map_or_else(|_| self.excerpt(), |refusal| refusal.error.chars().take(EXCERPT_CHARS).collect());
        let said = match answer::meaning(&reason) {
            Some(Meaning::Refused(code)) if code.scope() == RejectScope::Account => Some(code),
            _ => None,
        };
        match (self.status, said) {
            (401, _) => VenueError::Barred { code: RejectCode::Unauthorized, reason },
            (403, code) => VenueError::Barred { code: code.unwrap_or(RejectCode::Forbidden), reason },
            (400, Some(code)) => VenueError::Barred { code, reason },
            (status, _) => VenueError::Refused { status, reason, retry_after: self.retry_after },
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TransportError {
    /// No byte of the request has left.
    NotSent(String),
    /// It may have arrived.
    Lost(String),
}

impl From<TransportError> for VenueError {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::NotSent(reason) | TransportError::Lost(reason) => Self::Unreachable(reason),
        }
    }
}

/// A call to be made.
#[derive(Clone)]
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) headers: &'a [(&'static str, &'a str)],
    pub(super) body: Bytes,
    pub(super) timeout: Duration,
}

/// The client. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub(super) struct Http {
    client: Client,
    base: Url,
}

impl Http {
    /// A client of the host at `base`, such as `https://clob.polymarket.com`.
    pub(super) fn new(base: Url) -> Result<Self, reqwest::Error> {
        let builder = Client::builder()
            .user_agent(USER_AGENT)
            .tcp_nodelay(true)
            .tcp_keepalive(KEEPALIVE)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never());
        let builder = if is_loopback(&base) { builder.no_proxy() } else { builder };
        Ok(Self { client: builder.build()?, base })
    }

    /// Everything but the sending.
    pub(super) fn prepare(&self, call: Call<'_>) -> Result<Request, TransportError> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{}", self.base.path().trim_end_matches('/'), call.path));
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        let mut request = Request::new(call.method, url);
        *request.timeout_mut() = Some(call.timeout);
        set_headers(request.headers_mut(), call.headers)?;
        if !call.body.is_empty() {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Some(call.body.into());
        }
        Ok(request)
    }

    /// Sends once and reads the whole answer.
    pub(super) async fn send(&self, request: Request) -> Result<Reply, TransportError> {
        let timeout = request.timeout().copied();
        let lost = |error: &reqwest::Error| TransportError::Lost(describe(error, timeout));
        let mut response = self.client.execute(request).await.map_err(|error| {
            if error.is_connect() { TransportError::NotSent(describe(&error, timeout)) } else { lost(&error) }
        })?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| lost(&error))? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(TransportError::Lost(format!("answer with {status} is longer than {MAX_BODY} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, retry_after, body })
    }
}

fn set_headers(map: &mut HeaderMap, headers: &[(&'static str, &str)]) -> Result<(), TransportError> {
    for (name, value) in headers {
        let refused = || TransportError::NotSent(format!("header {name} holds a character that HTTP does not allow"));
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| refused())?;
        value.set_sensitive(true);
        map.insert(header, value);
    }
    Ok(())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Seconds only; the venue never sends a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(MAX_RETRY_AFTER)))
}

/// The chain of causes without the URL, which may carry ids.
fn describe(error: &reqwest::Error, timeout: Option<Duration>) -> String {
    if error.is_timeout() && !error.is_connect() {
        return format!("no answer within {:?}", timeout.unwrap_or_default());
    }
    let mut cause = error.source();
    let mut text = if error.is_connect() { "cannot connect".to_owned() } else { "connection lost".to_owned() };
    let mut last = String::new();
    while let Some(inner) = cause {
        last = inner.to_string();
        cause = inner.source();
    }
    if !last.is_empty() {
        text = format!("{text}: {last}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_within_reason() {
        let wait =
            |text: &'static str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]));
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("999999999"), Some(Duration::from_hours(1)));
        assert_eq!(wait("Wed, 21 Oct 2026 07:28:00 GMT"), None);
        assert_eq!(wait("-1"), None);
    }

    #[test]
    fn paths_and_cursors_are_encoded_once() {
        let http = Http::new("http://127.0.0.1:9/base/".parse().expect("url")).expect("client");
        let call = Call {
            method: Method::GET,
            path: "/data/orders",
            query: &[("next_cursor", "MA==")],
            headers: &[],
            body: Bytes::new(),
            timeout: Duration::from_secs(1),
        };
        let request = http.prepare(call).expect("request");
        assert_eq!(request.url().as_str(), "http://127.0.0.1:9/base/data/orders?next_cursor=MA%3D%3D");
    }

    /// Longer than anything here takes on a busy machine.
    const PATIENCE: Duration = Duration::from_secs(20);

    async fn outcome(port: u16, timeout: Duration) -> Result<Reply, TransportError> {
        let http = Http::new(format!("http://127.0.0.1:{port}").parse().expect("url")).expect("client");
        let call = Call {
            method: Method::POST,
            path: "/order",
            query: &[],
            headers: &[],
            body: Bytes::from_static(b"{}"),
            timeout,
        };
        http.send(http.prepare(call)?).await
    }

    fn lost(outcome: Result<Reply, TransportError>) -> String {
        match outcome {
            Err(TransportError::Lost(reason)) => reason,
            Err(TransportError::NotSent(reason)) => panic!("it was sent: {reason}"),
            Ok(reply) => panic!("an answer with {}", reply.status),
        }
    }

    #[tokio::test]
    async fn whatever_breaks_after_the_connection_is_lost_and_before_it_is_not_sent() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        assert!(lost(outcome(port, Duration::from_millis(300)).await).contains("no answer within 300ms"));

        let answers =
            [b"".as_slice(), b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"success\":tr", b"garbage\r\n\r\n"];
        let server = tokio::spawn(async move {
            let (abandoned, _) = listener.accept().await.expect("the first connection");
            drop(abandoned);
            for answer in answers {
                let (mut socket, _) = listener.accept().await.expect("a connection");
                let mut request = [0_u8; 1_024];
                let read = tokio::io::AsyncReadExt::read(&mut socket, &mut request).await.expect("a request");
                assert!(read > 0);
                tokio::io::AsyncWriteExt::write_all(&mut socket, answer).await.expect("written");
            }
        });
        for _ in answers {
            let reason = lost(outcome(port, PATIENCE).await);
            assert!(reason.starts_with("connection lost"), "{reason}");
        }
        server.await.expect("the server has seen every request");

        match outcome(port, PATIENCE).await {
            Err(TransportError::NotSent(reason)) => assert!(reason.starts_with("cannot connect"), "{reason}"),
            Err(TransportError::Lost(reason)) => panic!("nothing was sent: {reason}"),
            Ok(reply) => panic!("an answer with {}", reply.status),
        }
    }
}
