//! What each part of the way costs when nothing else is done: the least that the whole can take on this machine.

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{B256, U256};
use axum::Router;
use axum::routing::post;
use axum::serve::ListenerExt;
use cockpit::clock;
use cockpit::sim::DESK_KEY;
use cockpit::venues::polymarket::signing::{Contracts, LocalKey, Order, order_hash, sign_order};
use futures::StreamExt;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::stage;
use super::support::postgres::PostgresServer;
use super::support::redis_server::RedisServer;
use super::times::{Times, micros};

const SAMPLES: usize = 500;
const WARM_UP: usize = 50;
/// About what an order and its JSON take.
const PAYLOAD: usize = 1_200;

/// The floors.
#[derive(Debug)]
pub(crate) struct Floors {
    pub(crate) publish: Times,
    pub(crate) stream: Times,
    pub(crate) sqlite: Times,
    pub(crate) postgres: Times,
    pub(crate) sign: Times,
    pub(crate) half_post: Times,
}

impl Floors {
    pub(crate) async fn measure(server: &PostgresServer) -> Self {
        let redis = tokio::task::spawn_blocking(stage::redis).await.expect("a server");
        Self {
            publish: publish(&redis, stage::PACE).await,
            stream: stream(&redis).await,
            sqlite: sqlite().await,
            postgres: postgres(server).await,
            sign: sign(),
            half_post: round_trip().await.halved(),
        }
    }

    pub(crate) fn print(&self) {
        println!("\nFloors, {SAMPLES} samples each\n");
        println!("| part | p50 us | p99 us |\n|---|---:|---:|");
        for (name, times) in [
            ("publish hop: PUBLISH to subscriber", &self.publish),
            ("stream hop: XADD to blocked XREADGROUP", &self.stream),
            ("SQLite commit, WAL and FULL, one row", &self.sqlite),
            ("PostgreSQL commit, one row", &self.postgres),
            ("order hash and signature", &self.sign),
            ("half a POST on loopback", &self.half_post),
        ] {
            println!("| {name} | {} | {} |", micros(times.at(50)), micros(times.at(99)));
        }
    }
}

/// Runs `once` many times, with a pause between, and drops what was measured while warming up.
async fn sample<F: Future<Output = Duration>>(pace: Duration, mut once: impl FnMut() -> F) -> Times {
    let mut samples = Vec::with_capacity(SAMPLES);
    for index in 0..WARM_UP + SAMPLES {
        let took = once().await;
        if index >= WARM_UP {
            samples.push(took);
        }
        tokio::time::sleep(pace).await;
    }
    Times::new(samples)
}

/// What a signal cannot do without: a publish hop at the pace of the ticks, and a write to a stream at that of the signals.
pub(crate) async fn of_a_signal(redis: &RedisServer, tick: Duration) -> (Times, Times) {
    (publish(redis, tick).await, add(redis).await)
}

async fn add(redis: &RedisServer) -> Times {
    let client = redis::Client::open(redis.url()).expect("an address");
    let connection = client.get_multiplexed_async_connection().await.expect("a connection");
    let payload = vec![b'x'; PAYLOAD];
    sample(stage::PACE, || {
        let (mut connection, payload) = (connection.clone(), payload.clone());
        async move {
            let begun = clock::monotonic();
            let mut add = redis::cmd("XADD");
            let _: String =
                add.arg(&["floor.added", "*", "m"]).arg(payload).query_async(&mut connection).await.expect("added");
            begun.elapsed()
        }
    })
    .await
}

async fn publish(redis: &RedisServer, pace: Duration) -> Times {
    let client = redis::Client::open(redis.url()).expect("an address");
    let mut heard = client.get_async_pubsub().await.expect("a connection");
    heard.subscribe("floor").await.expect("a subscription");
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let listener = tokio::spawn(async move {
        let mut messages = heard.on_message();
        while messages.next().await.is_some() && sender.send(clock::monotonic()).await.is_ok() {}
    });
    let connection = client.get_multiplexed_async_connection().await.expect("a connection");
    let payload = vec![b'x'; 300];
    let receiver = Arc::new(tokio::sync::Mutex::new(&mut receiver));
    let times = sample(pace, || {
        let (mut connection, payload, receiver) = (connection.clone(), payload.clone(), Arc::clone(&receiver));
        async move {
            let begun = clock::monotonic();
            let _: i64 =
                redis::cmd("PUBLISH").arg("floor").arg(payload).query_async(&mut connection).await.expect("heard");
            receiver.lock().await.recv().await.expect("heard").duration_since(begun)
        }
    })
    .await;
    listener.abort();
    times
}

async fn stream(redis: &RedisServer) -> Times {
    let client = redis::Client::open(redis.url()).expect("an address");
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
    let mut reader = client.get_multiplexed_async_connection_with_config(&config).await.expect("a connection");
    let _: () = redis::cmd("XGROUP")
        .arg(&["CREATE", "floor", "g", "0", "MKSTREAM"])
        .query_async(&mut reader)
        .await
        .expect("a group");
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let listener = tokio::spawn(async move {
        loop {
            let mut read = redis::cmd("XREADGROUP");
            read.arg(&["GROUP", "g", "c", "COUNT", "16", "BLOCK", "0", "STREAMS", "floor", ">"]);
            let _: redis::Value = read.query_async(&mut reader).await.expect("an entry");
            if sender.send(clock::monotonic()).await.is_err() {
                return;
            }
        }
    });
    let connection = client.get_multiplexed_async_connection().await.expect("a connection");
    let payload = vec![b'x'; PAYLOAD];
    let receiver = Arc::new(tokio::sync::Mutex::new(&mut receiver));
    let times = sample(stage::PACE, || {
        let (mut connection, payload, receiver) = (connection.clone(), payload.clone(), Arc::clone(&receiver));
        async move {
            let begun = clock::monotonic();
            let mut add = redis::cmd("XADD");
            let _: String =
                add.arg(&["floor", "*", "m"]).arg(payload).query_async(&mut connection).await.expect("added");
            receiver.lock().await.recv().await.expect("an entry").duration_since(begun)
        }
    })
    .await;
    listener.abort();
    times
}

async fn sqlite() -> Times {
    let dir = tempfile::tempdir().expect("a directory");
    let options = SqliteConnectOptions::new()
        .filename(dir.path().join("floor.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.expect("a database");
    sqlx::query("CREATE TABLE floor (id INTEGER PRIMARY KEY, document TEXT)").execute(&pool).await.expect("a table");
    let document = "x".repeat(PAYLOAD);
    let times = sample(stage::PACE, || {
        let (pool, document) = (pool.clone(), document.clone());
        async move {
            let begun = clock::monotonic();
            let row = sqlx::query("INSERT INTO floor (document) VALUES (?)").bind(document);
            row.execute(&pool).await.expect("a row");
            begun.elapsed()
        }
    })
    .await;
    pool.close().await;
    times
}

async fn postgres(server: &PostgresServer) -> Times {
    let mut connection = sqlx::PgConnection::connect(&server.url()).await.expect("a connection");
    let table = sqlx::query("CREATE TABLE floor (id BIGSERIAL PRIMARY KEY, document TEXT)");
    table.execute(&mut connection).await.expect("a table");
    let document = "x".repeat(PAYLOAD);
    let connection = Arc::new(tokio::sync::Mutex::new(connection));
    sample(stage::PACE, || {
        let (connection, document) = (Arc::clone(&connection), document.clone());
        async move {
            let mut connection = connection.lock().await;
            let begun = clock::monotonic();
            let row = sqlx::query("INSERT INTO floor (document) VALUES ($1)").bind(document);
            row.execute(&mut *connection).await.expect("a row");
            begun.elapsed()
        }
    })
    .await
}

fn sign() -> Times {
    let key = LocalKey::from_hex(DESK_KEY).expect("a key");
    let contracts = Contracts::of(137).expect("Polygon");
    let exchange = contracts.exchange(cockpit::domain::Protocol::V2, false);
    let samples = (0..WARM_UP + SAMPLES).map(|salt| {
        let order = Order {
            salt: U256::from(salt),
            maker: key.address(),
            signer: key.address(),
            tokenId: U256::MAX,
            makerAmount: U256::from(3_000_000),
            takerAmount: U256::from(5_000_000),
            side: 0,
            signatureType: 0,
            timestamp: U256::from(1_795_348_800_000_u64),
            metadata: B256::ZERO,
            builder: B256::ZERO,
        };
        let begun = clock::monotonic();
        let signed = (order_hash(&order, &exchange), sign_order(&order, &exchange, &key).expect("signed"));
        std::hint::black_box(signed);
        begun.elapsed()
    });
    Times::new(samples.skip(WARM_UP))
}

async fn round_trip() -> Times {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().route("/order", post(|_body: String| async { r#"{"success":true,"status":"live"}"# }));
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("no delay"));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let client = reqwest::Client::builder().tcp_nodelay(true).no_proxy().build().expect("a client");
    let body = "x".repeat(600);
    let times = sample(stage::PACE, || {
        let request = client.post(format!("http://{address}/order")).body(body.clone());
        async move {
            let begun = clock::monotonic();
            request.send().await.expect("an answer").bytes().await.expect("a body");
            begun.elapsed()
        }
    })
    .await;
    server.abort();
    times
}
