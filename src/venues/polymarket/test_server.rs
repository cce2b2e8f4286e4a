//! A venue for tests: answers by a script and keeps what it was asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Response, StatusCode};
use tokio::net::TcpListener;

use super::signing::{ApiCredentials, L2Signer, LocalKey};
use crate::clock;

pub(super) const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
pub(super) const API_KEY: &str = "00000000-0000-0000-0000-00000000000a";
pub(super) const CREDENTIALS: &str =
    r#"{"apiKey":"00000000-0000-0000-0000-00000000000a","secret":"c2VjcmV0LXNlY3JldA==","passphrase":"pass"}"#;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Panics unless the L2 headers are right for exactly this request.
    pub(super) fn assert_l2(&self) {
        let key = LocalKey::from_hex(KEY).expect("key");
        let credentials: ApiCredentials = serde_json::from_str(CREDENTIALS).expect("credentials");
        let signer = L2Signer::new(key.address(), credentials).expect("signer");
        let timestamp = self.header("POLY_TIMESTAMP").parse().expect("a timestamp");
        let signature = self.header("POLY_SIGNATURE");
        assert!(signer.verify(signature, timestamp, self.method.as_str(), &self.path, &self.body), "{self:?}");
        assert_eq!(self.header("POLY_API_KEY"), API_KEY);
        assert_eq!(self.header("POLY_PASSPHRASE"), "pass");
        assert_eq!(self.header("POLY_ADDRESS"), key.address().to_checksum(None));
        assert!(self.header("user-agent").starts_with("cockpit/"));
    }
}

/// The exchanges of Polygon, as a venue names them.
pub(super) const EXCHANGES: [&str; 3] = [
    "0xE111180000d2663C0091e4f400237545B87B996B",
    "0xe2222d279d744050d28e00520010520000310F59",
    "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa",
];

/// An answer to a question for a balance.
pub(super) fn collateral(balance: &str, spenders: &[&str]) -> String {
    let spender = |address: &&str| ((*address).to_owned(), "0".into());
    let allowances: serde_json::Map<String, serde_json::Value> = spenders.iter().map(spender).collect();
    serde_json::json!({ "balance": balance, "allowances": allowances }).to_string()
}

type Script = Box<dyn Fn(&Seen, usize) -> (u16, String) + Send + Sync>;

struct Shared {
    script: Script,
    seen: Mutex<Vec<Seen>>,
}

/// A running server; its task ends with the test's runtime.
pub(super) struct Server {
    pub(super) url: String,
    shared: Arc<Shared>,
}

impl Server {
    /// Serves on a free port. The script gets each request and how many came before it to the same path; what connects
    /// needs (version, time, credentials) is answered when the script says 0.
    pub(super) async fn start(script: impl Fn(&Seen, usize) -> (u16, String) + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared { script: Box::new(script), seen: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    /// The requests to a path so far.
    pub(super) fn seen(&self, path: &str) -> Vec<Seen> {
        let seen = self.shared.seen.lock().expect("not poisoned");
        seen.iter().filter(|request| request.path == path).cloned().collect()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let seen = Seen {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: to_bytes(body, 1 << 20).await.expect("a body").to_vec(),
    };
    let before = {
        let mut log = shared.seen.lock().expect("not poisoned");
        log.push(seen.clone());
        log.iter().filter(|request| request.path == seen.path).count() - 1
    };
    let (status, body) = match (shared.script)(&seen, before) {
        (0, _) => standard(&seen.path),
        scripted => scripted,
    };
    Response::builder()
        .status(StatusCode::from_u16(status).expect("a status"))
        .header("retry-after", "7")
        .body(Body::from(body))
        .expect("a response")
}

fn standard(path: &str) -> (u16, String) {
    match path {
        "/version" => (200, r#"{"version":2}"#.to_owned()),
        "/time" => (200, clock::now().secs().to_string()),
        "/auth/derive-api-key" => (200, CREDENTIALS.to_owned()),
        "/auth/api-keys" => (200, format!(r#"{{"apiKeys":["{API_KEY}"]}}"#)),
        "/auth/ban-status/closed-only" => (200, r#"{"closed_only":false}"#.to_owned()),
        "/balance-allowance" => (200, collateral("1000500001", &EXCHANGES)),
        other => (500, format!("no script for {other}")),
    }
}
